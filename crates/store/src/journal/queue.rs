//! Putting intents into the journal, once each.

use super::{EntryId, Journal, NewEntry, Origin, Queued, Visibility};
use crate::{
    db::{Tx, args},
    error::{Result, StoreError},
    instances::{self, UNTENDED},
    leases::Lease,
};
use facilitator_eth::Address;
use facilitator_protocol::model::RequestId;
use std::collections::BTreeSet;

const INSERT: &str =
    "INSERT INTO transactions (intent, request_id, chain_id, step, account, to_address, value, calldata,
        visibility, after_intent, allowance_token, allowance_spender, allowance_amount, expect, state,
        created_at_ms, updated_at_ms)
    VALUES ($1, (SELECT id FROM requests WHERE id = $2), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'queued',
        $15, $15)
    ON CONFLICT (chain_id, intent) WHERE state <> 'failed' DO NOTHING RETURNING id";

/// How often an entry that is in the way may be gone when it is looked at.
const CONFLICTS: u32 = 5;

impl Journal {
    /// Persists intents in one transaction and returns their live entries in the order given. An intent that is live
    /// already is returned as it stands, whatever else was given with it; its request is woken by its end as well.
    ///
    /// If the process dies before this returns, nothing was sent: the worker submits again. If it dies after, the entry
    /// is found by [`Journal::live`].
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody else took over an account that is to sign, or no lease for it was given;
    /// [`StoreError::MayNotSign`] if the holder of a lease is an instance that may not sign at present; [`StoreError`] of the database. Nothing is queued then.
    pub async fn queue(&self, leases: &[Lease], entries: &[NewEntry], now_ms: i64) -> Result<Vec<Queued>> {
        let mut tx = self.db.begin().await?;
        let accounts: BTreeSet<Address> = entries.iter().filter_map(|entry| entry.account).collect();
        let owners = accounts.iter().map(|account| Ok(self.lease_of(leases, *account)?.owner.as_str()));
        for owner in owners.collect::<Result<BTreeSet<&str>>>()? {
            instances::refuse_idle(&mut tx, owner).await?;
        }
        self.fence(&mut tx, leases, accounts).await?;
        let mut ids = Vec::with_capacity(entries.len());
        for entry in entries {
            let (id, origin) = self.insert(&mut tx, entry, now_ms).await?;
            if let Some(request) = entry.request_id {
                wait_for(&mut tx, id, request).await?;
            }
            ids.push((id, origin));
        }
        tx.commit().await?;
        let wanted: Vec<EntryId> = ids.iter().map(|(id, _)| *id).collect();
        let found = self.entries(&wanted).await?;
        let pick = |(id, origin): &(EntryId, Origin)| {
            let entry = found.iter().find(|entry| entry.id == *id).cloned();
            let gone = || self.wrong(*id, "returned", "gone");
            entry.map(|entry| Queued { entry, origin: *origin }).ok_or_else(gone)
        };
        ids.iter().map(pick).collect()
    }

    async fn insert(&self, tx: &mut Tx, entry: &NewEntry, now_ms: i64) -> Result<(EntryId, Origin)> {
        let data = match entry.visibility {
            Visibility::Public => Some(&entry.data),
            Visibility::Reveals => None,
        };
        let allowance = entry.allowance.as_ref();
        let args = args![
            entry.intent,
            entry.request_id,
            self.chain_id,
            entry.step,
            entry.account,
            entry.to,
            entry.value,
            data,
            entry.visibility,
            entry.after,
            allowance.map(|allowance| allowance.token),
            allowance.map(|allowance| allowance.spender),
            allowance.map(|allowance| allowance.amount),
            entry.expect,
            now_ms,
        ];
        // The entry that is in the way is kept as it is until the request waits for it: its end, which wakes those who
        // wait, comes before or after both. It may also fail just before: then the intent is free.
        let sql = format!(
            "SELECT id FROM transactions WHERE chain_id = $1 AND intent = $2 AND state <> 'failed'{}",
            tx.dialect().for_update()
        );
        let mut abandoned = None;
        for _ in 0..CONFLICTS {
            if let Some(mut row) = tx.fetch_one(INSERT, args.clone()).await? {
                let id = row.take()?;
                take_over_waiters(tx, id, abandoned).await?;
                return Ok((id, Origin::New));
            }
            if abandoned.is_none() {
                abandoned = self.abandon(tx, entry, now_ms).await?;
                if abandoned.is_some() {
                    continue;
                }
            }
            if let Some(mut row) = tx.fetch_one(sql.clone(), args![self.chain_id, entry.intent]).await? {
                return Ok((row.take()?, Origin::Existing));
            }
        }
        Err(self.wrong(EntryId(0), "queued", "in conflict with one that does not exist"))
    }

    /// Ends an entry for the same that nobody will sign: it was queued for the key of an instance that may not work.
    async fn abandon(&self, tx: &mut Tx, entry: &NewEntry, now_ms: i64) -> Result<Option<EntryId>> {
        let sql = format!(
            "UPDATE transactions AS t SET state = 'failed', waiting_for = NULL, failure_kind = 'interrupted',
                failure = 'its instance may not work: another one took it over', updated_at_ms = $4
            WHERE t.chain_id = $1 AND t.intent = $2 AND t.state = 'queued' AND t.nonce IS NULL AND t.account <> $3
              AND {UNTENDED}
            RETURNING id"
        );
        let found = tx.fetch_one(sql, args![self.chain_id, entry.intent, entry.account, now_ms]).await?;
        found.map(|mut row| row.take()).transpose()
    }

    /// The error for an entry that is not where it should be; asks the database where it is.
    pub(super) async fn wrong_state(&self, tx: &mut Tx, id: EntryId, change: &'static str) -> StoreError {
        let sql = "SELECT state, nonce, account FROM transactions WHERE id = $1 AND chain_id = $2";
        let described = async {
            let Some(mut row) = tx.fetch_one(sql, args![id, self.chain_id]).await? else {
                return Ok("unknown on this chain".to_owned());
            };
            let (state, nonce, account) = (row.take::<String>()?, row.take::<Option<u64>>()?, row.take()?);
            let account: Option<Address> = account;
            let nonce = nonce.map_or_else(|| "without nonce".to_owned(), |nonce| format!("with nonce {nonce}"));
            let account = account.map_or_else(|| "no account".to_owned(), |account| account.to_string());
            Ok(format!("{state} {nonce} of {account}"))
        };
        match described.await {
            Ok(state) => self.wrong(id, change, &state),
            Err(problem) => problem,
        }
    }

    fn wrong(&self, id: EntryId, change: &'static str, state: &str) -> StoreError {
        let state = format!("{state} (journal of chain {})", self.chain_id);
        StoreError::WrongState { entry: id.0, change, state }
    }
}

/// Whoever waited for the one waits for the other.
async fn take_over_waiters(tx: &mut Tx, id: EntryId, from: Option<EntryId>) -> Result<()> {
    let Some(from) = from else { return Ok(()) };
    let sql = "INSERT INTO waiters (transaction_id, request_id)
        SELECT $1, request_id FROM waiters WHERE transaction_id = $2 ON CONFLICT DO NOTHING";
    tx.execute(sql, args![id, from]).await.map(drop)
}

/// A request that a reorg has deleted meanwhile waits for nothing; the others of the same call must not suffer from it.
async fn wait_for(tx: &mut Tx, id: EntryId, request: RequestId) -> Result<()> {
    let sql = "INSERT INTO waiters (transaction_id, request_id)
        SELECT $1, id FROM requests WHERE id = $2 ON CONFLICT DO NOTHING";
    tx.execute(sql, args![id, request]).await.map(drop)
}
