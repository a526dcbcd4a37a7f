//! Seeing through what was signed by instances that may not work any more.
//!
//! Their bytes are in the journal, and anybody may hand them to a node. So an accept that another instance had signed is
//! mined once, not made once more with another key. Nothing is signed for such an account here: a transaction that gets
//! nowhere waits for its own instance, or is given up once somebody else has used its nonce.

use super::{Gate, Sender, start};
use crate::{SenderError, book::Flight, keep::Keep, node::Ask};
use facilitator_eth::Address;
use facilitator_kill::kill_point;
use facilitator_store::journal::EntryId;

/// Time between two looks for such accounts, milliseconds.
const LOOK_MS: i64 = 1_000;

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Takes accounts over that nobody tends, and gives back those whose instance works again.
    pub(super) async fn look_after_orphans(&mut self, now_ms: i64) -> Result<(), SenderError> {
        let fostered: Vec<Address> =
            self.accounts.iter().filter(|(_, account)| account.key.is_none()).map(|(address, _)| *address).collect();
        if self.gate == Gate::Closed {
            // Who can't see them through must not keep their instance from it, which may work again by now.
            for address in fostered {
                self.give_back(address).await?;
            }
            return Ok(());
        }
        if now_ms < self.orphans_at_ms && self.orphans_at_ms <= now_ms + LOOK_MS {
            return Ok(());
        }
        self.orphans_at_ms = now_ms.saturating_add(LOOK_MS);
        let orphans = self.journal.orphans().await?;
        for address in fostered.into_iter().filter(|address| !orphans.contains(address)) {
            self.give_back(address).await?;
        }
        for address in orphans {
            if self.accounts.contains_key(&address) {
                continue;
            }
            self.accounts.insert(address, start::account(None));
            self.acquire(address, now_ms).await?;
            if self.is_held(address) {
                kill_point!("sender.orphans_taken");
                tracing::info!(
                    account = %address,
                    chain = self.settings.chain_id,
                    "seeing through what another instance has signed"
                );
            } else {
                self.accounts.remove(&address);
            }
        }
        Ok(())
    }

    async fn give_back(&mut self, address: Address) -> Result<(), SenderError> {
        let ids: Vec<EntryId> = self.book.of(address).map(Flight::id).collect();
        for id in ids {
            self.book.remove(id);
        }
        if let Some(lease) = self.accounts.remove(&address).and_then(|account| account.lease) {
            self.journal.release_lease(&lease).await?;
        }
        Ok(())
    }
}
