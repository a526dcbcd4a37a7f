//! Keeping the right to sign: one lease per account, renewed long before it ends (law 5).

use super::{Sender, time, to_ms};
use crate::{SenderError, keep::Keep, node::Ask};
use facilitator_eth::Address;
use facilitator_kill::kill_point;
use facilitator_store::leases::{Acquired, Lease};

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Renews the leases that are due and tries for those that another process held.
    ///
    /// # Errors
    /// [`facilitator_store::StoreError::LeaseLost`] when another process took one over: what is in memory about that
    /// account is worth nothing from then on, so the process ends.
    pub(super) async fn keep_leases(&mut self, now_ms: i64) -> Result<(), SenderError> {
        for (address, renew_at) in self.renewals() {
            if now_ms < renew_at && !self.is_misdated(address, now_ms) {
                continue;
            }
            if self.is_held(address) {
                self.renew(address, now_ms).await?;
            } else {
                self.acquire(address, now_ms).await?;
                self.check_dependencies(now_ms).await?;
            }
        }
        Ok(())
    }

    /// Prolongs the lease of an account, if it is held.
    pub(super) async fn renew(&mut self, address: Address, now_ms: i64) -> Result<(), SenderError> {
        let Some(lease) = self.accounts.get(&address).and_then(|account| account.lease.clone()) else { return Ok(()) };
        let renewed = self.journal.renew_lease(&lease, to_ms(self.settings.lease_ttl_ms), now_ms).await?;
        kill_point!("sender.lease_renewed");
        self.set_lease(address, renewed);
        Ok(())
    }

    /// Tries for a lease; on success also takes over what the journal holds for the account. Follow with
    /// [`Sender::check_dependencies`] once all accounts are there.
    pub(super) async fn acquire(&mut self, address: Address, now_ms: i64) -> Result<(), SenderError> {
        let ttl_ms = to_ms(self.settings.lease_ttl_ms);
        let chain = self.settings.chain_id;
        let outcome = self.journal.acquire_lease(address, &self.owner, ttl_ms, now_ms).await?;
        kill_point!("sender.lease_acquired");
        match outcome {
            Acquired::Held(lease) => {
                self.set_lease(address, lease);
                self.load(address, now_ms).await
            }
            Acquired::Refused { owner, expires_at_ms } => {
                tracing::warn!(account = %address, chain, owner, "another process signs for the account");
                if let Some(account) = self.accounts.get_mut(&address) {
                    let soon = now_ms.saturating_add(ttl_ms / 3);
                    account.retry_at_ms = expires_at_ms.clamp(now_ms.saturating_add(1), soon.max(now_ms + 1));
                }
                Ok(())
            }
        }
    }

    /// Whether a lease ends later than any that is taken now: the clock went back. Left so, nobody could take it over in
    /// time if this process died.
    fn is_misdated(&self, address: Address, now_ms: i64) -> bool {
        let lease = self.accounts.get(&address).and_then(|account| account.lease.as_ref());
        let longest = now_ms.saturating_add(to_ms(self.settings.lease_ttl_ms));
        lease.is_some_and(|lease| lease.expires_at_ms > longest.saturating_add(time::TOLERATED_MS))
    }

    fn set_lease(&mut self, address: Address, lease: Lease) {
        if let Some(account) = self.accounts.get_mut(&address) {
            account.lease = Some(lease);
        }
    }

    /// When each account's lease wants attention, Unix milliseconds.
    fn renewals(&self) -> Vec<(Address, i64)> {
        let early = to_ms(self.settings.lease_ttl_ms / 3 * 2);
        let due = |account: &super::Account| {
            account.lease.as_ref().map_or(account.retry_at_ms, |lease| lease.expires_at_ms.saturating_sub(early))
        };
        self.accounts.iter().map(|(address, account)| (*address, due(account))).collect()
    }

    pub(super) fn next_renewal(&self) -> Option<i64> {
        self.renewals().into_iter().map(|(_, at)| at).min()
    }

    pub(super) fn leases(&self) -> Vec<Lease> {
        self.accounts.values().filter_map(|account| account.lease.clone()).collect()
    }

    /// Gives the accounts back at a clean end, so that a successor need not wait for the leases to run out. What is
    /// in flight stays journalled.
    ///
    /// # Errors
    /// [`SenderError::Store`]; harmless, the leases run out by themselves.
    pub async fn close(self) -> Result<(), SenderError> {
        for lease in self.leases() {
            self.journal.release_lease(&lease).await?;
            kill_point!("sender.lease_released");
        }
        Ok(())
    }
}
