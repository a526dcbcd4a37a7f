//! Who may write to the journal: whoever holds the leases of the accounts, checked within the same transaction (law 5).
//!
//! A process that slept while another took its account over may wake up anywhere. Whatever it writes then is refused,
//! also what is no signature: an intent that it queued would never be read by the new holder, who has read the journal
//! already, and an outcome that it noted would be news from long ago.
//!
//! Twice: the lease is read and kept from changing hands until the transaction ends, so that a new holder waits and then
//! sees all that was written; and the statement that changes an entry compares the token itself, since an entry that had
//! no account when the leases were looked at may have been signed for meanwhile.

use super::{EntryId, Journal, read::CHUNK};
use crate::{
    db::{ToValue as _, Tx, Value, args, in_list},
    error::{Result, StoreError},
    leases::Lease,
};
use facilitator_eth::Address;
use std::collections::{BTreeMap, BTreeSet};

/// A statement that changes the entry `$1` of chain `$2` if it has no account, or owner `$3` holds that with token `$4`:
/// see [`Fences::args`].
macro_rules! fenced {
    ($sql:literal) => {
        concat!(
            $sql,
            " AND (account IS NULL OR EXISTS (SELECT 1 FROM leases AS held
                WHERE held.chain_id = transactions.chain_id AND held.account = transactions.account
                  AND held.owner = $3 AND held.token = $4))"
        )
    };
}
pub(super) use fenced;

/// The leases under which entries may be changed.
#[derive(Debug)]
pub(super) struct Fences<'a> {
    chain_id: u64,
    leases: BTreeMap<EntryId, &'a Lease>,
}

impl Fences<'_> {
    /// The first four values of a [`fenced`] statement.
    pub(super) fn args(&self, id: EntryId) -> Result<Vec<Value>> {
        let lease = self.leases.get(&id);
        Ok(args![id, self.chain_id, lease.map(|lease| &lease.owner), lease.map(|lease| lease.token)])
    }
}

impl Journal {
    /// Fails unless all accounts are held under these leases.
    pub(super) async fn fence(&self, tx: &mut Tx, leases: &[Lease], accounts: BTreeSet<Address>) -> Result<()> {
        for account in accounts {
            self.lease_of(leases, account)?.fence(tx).await?;
        }
        Ok(())
    }

    /// The same for the accounts of entries; those without one are nobody's yet.
    pub(super) async fn fence_entries<'a>(
        &self,
        tx: &mut Tx,
        leases: &'a [Lease],
        ids: impl Iterator<Item = EntryId>,
    ) -> Result<Fences<'a>> {
        let ids: Vec<EntryId> = ids.collect();
        let mut fences = Fences { chain_id: self.chain_id, leases: BTreeMap::new() };
        let mut accounts = BTreeSet::new();
        for chunk in ids.chunks(CHUNK) {
            let (list, mut values) = in_list(chunk.iter().map(|id| id.0), 2)?;
            values.insert(0, self.chain_id.to_value()?);
            let sql = format!(
                "SELECT id, account FROM transactions WHERE chain_id = $1 AND account IS NOT NULL AND id IN ({list})"
            );
            for mut row in tx.fetch(sql, values).await? {
                let (id, account) = (row.take()?, row.take()?);
                fences.leases.insert(id, self.lease_of(leases, account)?);
                accounts.insert(account);
            }
        }
        self.fence(tx, leases, accounts).await?;
        Ok(fences)
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
