//! Who may write to the journal: whoever holds the leases of the accounts, checked within the same transaction (law 5).
//!
//! A process that slept while another took its account over may wake up anywhere. Whatever it writes then is refused,
//! also what is no signature: an intent that it queued would never be read by the new holder, who has read the journal
//! already, and an outcome that it noted would be news from long ago.

use super::{EntryId, Journal, read::CHUNK};
use crate::{
    db::{Row, ToValue as _, Tx, in_list},
    error::{Result, StoreError},
    leases::Lease,
};
use facilitator_eth::Address;
use std::collections::BTreeSet;

impl Journal {
    /// Fails unless all accounts are held under these leases.
    pub(super) async fn fence(&self, tx: &mut Tx, leases: &[Lease], accounts: BTreeSet<Address>) -> Result<()> {
        for account in accounts {
            self.lease_of(leases, account)?.fence(tx).await?;
        }
        Ok(())
    }

    /// The same for the accounts of entries; those without one are nobody's yet.
    pub(super) async fn fence_entries(
        &self,
        tx: &mut Tx,
        leases: &[Lease],
        ids: impl Iterator<Item = EntryId>,
    ) -> Result<()> {
        let ids: Vec<EntryId> = ids.collect();
        let mut accounts = BTreeSet::new();
        for chunk in ids.chunks(CHUNK) {
            let (list, mut values) = in_list(chunk.iter().map(|id| id.0), 2)?;
            values.insert(0, self.chain_id.to_value()?);
            let sql = format!(
                "SELECT DISTINCT account FROM transactions
                WHERE chain_id = $1 AND account IS NOT NULL AND id IN ({list})"
            );
            let found = tx.fetch(sql, values).await?;
            accounts.extend(found.into_iter().map(|mut row: Row| row.take()).collect::<Result<Vec<Address>>>()?);
        }
        self.fence(tx, leases, accounts).await
    }

    /// The lease of an account among those given.
    pub(super) fn lease_of<'a>(&self, leases: &'a [Lease], account: Address) -> Result<&'a Lease> {
        let held = leases.iter().find(|lease| lease.account == account && lease.chain_id == self.chain_id);
        held.ok_or_else(|| {
            let (chain_id, owner) = (self.chain_id, "nobody".to_owned());
            StoreError::LeaseLost { account, chain_id, owner, token: 0 }
        })
    }
}
