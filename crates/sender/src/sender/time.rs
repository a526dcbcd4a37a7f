//! A wall clock that goes back: what was planned by it keeps its distance.
//!
//! Forward is harmless: pauses end early, and leases are renewed before anything is signed under them. Nothing is
//! replaced by the clock, since blocks count there.

use super::Sender;
use crate::{keep::Keep, node::Ask};

/// Steps back that are not worth a thought, milliseconds: a clock that is being kept right.
pub(super) const TOLERATED_MS: i64 = 1_000;

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Takes note of the time. Whatever lies ahead moves back together with the clock, else it would lie ahead for as
    /// long as the clock went back.
    pub(super) fn note_time(&mut self, now_ms: i64) {
        let back = self.now_ms.saturating_sub(now_ms);
        self.now_ms = now_ms;
        if back <= TOLERATED_MS {
            return;
        }
        tracing::warn!(chain = self.settings.chain_id, back_ms = back, "the clock of this machine went back");
        self.head_at_ms = self.head_at_ms.saturating_sub(back);
        self.node_retry_at_ms = self.node_retry_at_ms.map(|at| at.saturating_sub(back));
        self.database.shift(back);
        for account in self.accounts.values_mut() {
            account.retry_at_ms = account.retry_at_ms.saturating_sub(back);
        }
    }
}
