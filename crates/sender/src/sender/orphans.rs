//! Seeing through what was signed by instances that may not work any more, or with keys that are in no config any more.
//!
//! Their bytes are in the journal, and anybody may hand them to a node. So an accept that another instance had signed is
//! mined once, not made once more with another key. Nothing is signed for such an account here.
//!
//! A transaction that no block takes, as fees rose beyond its own, would keep its request waiting for a key that may never
//! come back. So it is given up after as many blocks as its own instance would have raised its fee in, and whoever works on
//! the request has the step done by another key. Both may be mined then; of the two at most one takes effect, by the
//! contracts: an accept deletes the request that it needs, a confirmation needs a message that is not declared yet, a leg
//! one that is; the later one reverts and moves no money but its gas. Proving again changes nothing, and an approval
//! is for its own account's accept alone. Both accepts carry the same hash lock, so that they declare the same message.

use super::{Gate, Sender, end::Ending, start};
use crate::{
    SenderError,
    book::Flight,
    keep::Keep,
    node::Ask,
    types::{Failure, Head},
};
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

    /// Ends what is seen through and was not mined for so long that its own instance would have given it up as well.
    pub(super) async fn give_up_the_keyless(&mut self, head: Head, now_ms: i64) -> Result<(), SenderError> {
        let blocks = self.settings.keyless_blocks();
        let mut endings = Vec::new();
        for (address, account) in self.accounts.iter().filter(|(_, account)| account.key.is_none()) {
            let Some(count) = self.survey.count(*address) else { continue };
            if head.number < account.progress.saturating_add(blocks) {
                continue;
            }
            let waits = |flight: &&Flight| flight.entry.nonce.is_some_and(|nonce| nonce >= count);
            let failure = || Failure::Abandoned { account: *address, blocks };
            let stuck = self.book.in_flight(*address).into_iter().filter(waits);
            endings.extend(stuck.map(|flight| Ending::unmined(flight.id(), failure())));
        }
        self.fail(endings, now_ms).await
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
