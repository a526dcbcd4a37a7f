//! Whether anything may be done on the chains: only while the pair works and each chain is known to be in step.
//!
//! And only while this instance may work, by its status. The gate stands at three places: no row is claimed, no transaction is handed over, and the senders sign and send
//! nothing. What is in flight is followed by its sender meanwhile.

use super::stop::Phase;
use super::{Parent, tell};
use crate::messages::{ToScanner, ToSender};
use facilitator_chain::sync::{GateEffect, Said, Stage};
use facilitator_kill::kill_point;
use facilitator_protocol::model::Side;
use tokio::time::Instant;

impl Parent {
    /// Whether both chains may be acted upon.
    pub(super) fn is_in_step(&self) -> bool {
        self.pair.is_open() && self.in_step.iter().all(|in_step| *in_step)
    }

    /// Whether anything may be handed over, signed and sent.
    pub(super) fn is_open(&self) -> bool {
        self.is_in_step() && self.may_work()
    }

    /// Why nothing is done, beginning with `synchronization`; `None` while the gate is open.
    pub(super) fn refusal(&self) -> Option<String> {
        if let Some(why) = self.pair.refusal() {
            let unread = Side::ALL.iter().find(|side| self.pair.standing(**side).is_none());
            let trouble = unread.and_then(|side| self.scanners[*side].trouble.as_ref());
            return Some(trouble.map_or_else(|| why.clone(), |trouble| format!("{why}: {trouble}")));
        }
        let behind = Side::ALL.iter().copied().find(|side| !self.in_step[*side])?;
        let chain_id = self.setup.scanners[behind].chain.chain_id;
        let trouble = self.scanners[behind].trouble.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        Some(format!(
            "synchronization: {behind} chain {chain_id} is in {}, but not at its head{trouble}",
            Stage::Working
        ))
    }

    /// A scanner says whether its chain may be acted upon, or has died.
    pub(super) fn note_step(&mut self, side: Side, in_step: bool) {
        let was = self.is_open();
        if self.in_step[side] != in_step {
            self.in_step[side] = in_step;
            tracing::debug!(%side, in_step, "the chain");
        }
        self.gate_was(was);
    }

    /// A scanner says how it stands, or something to the other one.
    pub(super) fn pair_says(&mut self, side: Side, said: Said) {
        let was = self.is_open();
        let stage = |parent: &Self| parent.pair.standing(side).map(|standing| standing.stage);
        let before = stage(self);
        let effects = self.pair.heard(side, said);
        let now = stage(self);
        if now != before {
            // Whoever looks is to see it at once.
            self.next_heartbeat = Instant::now();
        }
        if now == Some(Stage::Working) {
            self.critical[side] = None;
        }
        // Once it has caught up it hears questions, whatever becomes of its step.
        self.scanners[side].ready |= now.is_some_and(|stage| !stage.is_catching_up());
        self.carry_out(effects);
        self.gate_was(was);
    }

    /// A scanner has ended: the other one falls back and is not restarted.
    pub(super) fn pair_lost(&mut self, side: Side) {
        let was = self.is_open();
        self.in_step[side] = false;
        self.critical[side] = None;
        let effects = self.pair.ended(side);
        self.carry_out(effects);
        self.gate_was(was);
    }

    fn carry_out(&self, effects: Vec<GateEffect>) {
        // Scanners that end one after the other are no reason for the last one to begin anew.
        if self.phase != Phase::Working {
            return;
        }
        for effect in effects {
            match effect {
                GateEffect::Relay(side, relayed) => {
                    if let Some(scanner) = self.scanners[side].child() {
                        tell(scanner.send(&ToScanner::Sync(Box::new(relayed))));
                    }
                }
                GateEffect::Open => tracing::info!("both chains are synchronised"),
                GateEffect::Close { why } => {
                    tracing::warn!(why, "nothing is claimed, signed or sent until both chains are synchronised");
                }
            }
        }
    }

    /// Tells who has to know when the gate is not any more what it was.
    pub(super) fn gate_was(&mut self, was: bool) {
        let is = self.is_open();
        // During a stop the scanners end, and the senders see through what was handed over.
        if was == is || self.phase != Phase::Working {
            return;
        }
        self.next_heartbeat = Instant::now();
        if is {
            self.claim_wanted = true;
        } else if let Some(why) = self.refusal() {
            tracing::debug!(why, "the gate is closed");
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
        tell(sender.send(&ToSender::Gate(self.is_open())));
    }
}
