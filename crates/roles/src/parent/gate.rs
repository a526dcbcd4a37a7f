//! Whether anything may be done on the chains: only while both are known to be in step.
//!
//! The gate stands at three places: no row is claimed, no transaction is handed over, and the senders sign and send
//! nothing. What is in flight is followed by its sender meanwhile.

use super::stop::Phase;
use super::{Parent, tell};
use crate::messages::ToSender;
use facilitator_kill::kill_point;
use facilitator_protocol::model::Side;

impl Parent {
    /// Whether both chains may be acted upon.
    pub(super) fn is_in_step(&self) -> bool {
        self.in_step.iter().all(|in_step| *in_step)
    }

    /// A scanner says whether its chain may be acted upon, or has died.
    pub(super) fn note_step(&mut self, side: Side, in_step: bool) {
        let was = self.is_in_step();
        if self.in_step[side] != in_step {
            self.in_step[side] = in_step;
            tracing::debug!(%side, in_step, "the chain");
        }
        let is = self.is_in_step();
        // During a stop the scanners end, and the senders see through what was handed over.
        if was == is || self.phase != Phase::Working {
            return;
        }
        if is {
            self.claim_wanted = true;
        } else if self.on_ready.is_none() {
            tracing::warn!(%side, "not in step with the chain: nothing is signed or sent until it is");
        }
        for sender in self.senders.iter().filter_map(super::slot::Slot::ready_child) {
            tell(sender.send(&ToSender::Gate(is)));
            kill_point!("parent.gate_moved");
        }
    }

    /// The endpoint that a chain is read from from now on.
    pub(super) fn elected(&mut self, side: Side, index: u64) {
        self.elected[side] = Some(index);
        if let Some(sender) = self.senders[side].ready_child() {
            tell(sender.send(&ToSender::Endpoint(index)));
        }
    }

    /// A sender that has finished its preparations hears what it missed.
    pub(super) fn brief_again(&self, side: Side) {
        let Some(sender) = self.senders[side].ready_child() else { return };
        if let Some(index) = self.elected[side] {
            tell(sender.send(&ToSender::Endpoint(index)));
        }
        if let Some(head) = self.heads[side] {
            tell(sender.send(&ToSender::Head(head)));
        }
        tell(sender.send(&ToSender::Gate(self.is_in_step())));
    }
}
