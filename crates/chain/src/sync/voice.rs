//! What a machine says of its troubles to the log and to the operator, each thing once.

use super::event::{Effect, Level};
use super::machine::Machine;
use super::message::{Peer, Stage};

impl Machine {
    /// What went wrong in the handshake, said once as long as it stays the same.
    pub(super) fn note(&mut self, level: Level, text: String) {
        if self.last_error.as_ref() != Some(&text) {
            self.log(level, text.clone());
            self.last_error = Some(text);
        }
    }

    /// A handshake that failed of itself, not for having to wait.
    pub(super) fn count_failure(&mut self, text: &str) {
        self.failures = self.failures.saturating_add(1);
        if self.failures == self.settings.critical_after {
            let (own, other) = (self.own(), self.other());
            self.out.push(Effect::Critical(format!(
                "{own} and {other} failed to agree {} times in a row; no work is done, and they go on trying. Last \
                 reason: {text}",
                self.failures
            )));
        }
    }

    /// The chains contradict each other.
    pub(super) fn alarm(&mut self, text: &str) {
        if self.alarmed.as_deref() != Some(text) {
            self.alarmed = Some(text.to_owned());
            self.out.push(Effect::Critical(format!(
                "{text}. No work is done. Check both nodes and who anchors; it ends when a right root of a later \
                 block is anchored and final, or the nodes are mended"
            )));
        }
    }

    /// The own chain in words.
    pub(super) fn own(&self) -> String {
        format!("{} chain {}", self.chain.side, self.chain.chain_id)
    }

    /// The other chain in words.
    pub(super) fn other(&self) -> String {
        format!("{} chain {}", self.chain.side.other(), self.chain.other_id)
    }

    /// What became of the other chain, in words.
    pub(super) fn fell_back(&self, peer: Option<Peer>) -> String {
        let other = self.other();
        match peer {
            None => format!("the scanner of {other} does not run"),
            Some(Peer { stage: stage @ (Stage::HeadSync | Stage::Working), .. }) => {
                format!("{other} is in {stage} of another round")
            }
            Some(peer) => format!("{other} is back in {}", peer.stage),
        }
    }
}
