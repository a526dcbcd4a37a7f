//! What happened to the entries: signed, sent, mined, final, failed.
//!
//! Each call is one transaction, all or none. The order that the sender keeps (law 2) is: `queue`, `sign`, hand over to
//! the node, `sent`. A death between two of them leaves an entry that [`Journal::live`] shows in the earlier state, and
//! the next step is done again with the same bytes.

use super::{
    EntryId, Failed, Inclusion, Journal, Notify, Sent, Signature,
    fence::{Fences, fenced},
    read::CHUNK,
};
use crate::{
    db::{Row, Tx, Value, args, in_list},
    error::Result,
    instances,
    leases::Lease,
    requests,
};
use facilitator_eth::{Address, tx::Fee};
use facilitator_protocol::model::RequestId;
use std::collections::{BTreeMap, BTreeSet};

impl Journal {
    /// Persists signatures, each a further attempt of its entry with the same account and nonce, if the leases of their
    /// accounts are still the present ones.
    ///
    /// # Errors
    /// [`crate::StoreError::MayNotSign`] and [`crate::StoreError::ClaimLost`] if the holder of the leases, an instance, may
    /// not sign at present; [`crate::StoreError::LeaseLost`] if somebody else took over an account, or no lease for it was
    /// given; [`crate::StoreError::WrongState`] if an entry is mined or ended by now, or has another nonce or account; the latter as
    /// [`crate::StoreError::Statement`] if another live entry has the nonce. Nothing is stored then, and nothing may be sent.
    pub async fn sign(&self, leases: &[Lease], signed: &[Signature], now_ms: i64) -> Result<()> {
        let mut signing: BTreeMap<&str, Vec<EntryId>> = BTreeMap::new();
        for signature in signed {
            let instance = self.lease_of(leases, signature.account)?.owner.as_str();
            signing.entry(instance).or_default().push(signature.id);
        }
        let mut tx = self.db.begin().await?;
        // Before the leases, in the order in which who judges the instances changes both.
        instances::admit(&mut tx, &signing).await?;
        self.check_leases(&mut tx, leases, signed, now_ms).await?;
        instances::check_claims(&mut tx, &signing).await?;
        for signature in signed {
            let lease = self.lease_of(leases, signature.account)?;
            self.sign_one(&mut tx, lease, signature, now_ms).await?;
        }
        tx.commit().await
    }

    async fn check_leases(&self, tx: &mut Tx, leases: &[Lease], signed: &[Signature], now_ms: i64) -> Result<()> {
        let accounts: BTreeSet<Address> = signed.iter().map(|signature| signature.account).collect();
        for account in accounts {
            self.lease_of(leases, account)?.check(tx, now_ms).await?;
        }
        Ok(())
    }

    async fn sign_one(&self, tx: &mut Tx, lease: &Lease, signature: &Signature, now_ms: i64) -> Result<()> {
        let sql =
            "UPDATE transactions SET state = 'signed', account = $5, nonce = $6, waiting_for = NULL, updated_at_ms = $7
            WHERE id = $1 AND chain_id = $2 AND state IN ('queued', 'signed', 'broadcast')
              AND (nonce IS NULL OR nonce = $6) AND (account IS NULL OR account = $5)
              AND EXISTS (SELECT 1 FROM leases AS held WHERE held.chain_id = $2 AND held.account = $5
                AND held.owner = $3 AND held.token = $4)";
        let Signature { id, account, nonce, .. } = signature;
        let args = args![id, self.chain_id, lease.owner, lease.token, account, nonce, now_ms];
        if tx.execute(sql, args).await? == 0 {
            return Err(self.wrong_state(tx, signature.id, "signed").await);
        }
        let (price, max_fee, max_priority) = match signature.fee {
            Fee::Legacy { gas_price } => (Some(gas_price), None, None),
            Fee::Dynamic { max_fee, max_priority } => (None, Some(max_fee), Some(max_priority)),
        };
        let sql =
            "INSERT INTO attempts (transaction_id, number, hash, raw, gas_limit, gas_price, max_fee, max_priority,
                signed_at_ms)
            VALUES ($1, (SELECT COALESCE(MAX(number), 0) + 1 FROM attempts WHERE transaction_id = $1),
                $2, $3, $4, $5, $6, $7, $8)";
        let Signature { id, hash, raw, gas_limit, .. } = signature;
        tx.execute(sql, args![id, hash, raw, gas_limit, price, max_fee, max_priority, now_ms]).await.map(drop)
    }

    /// Notes that attempts were handed to a node; only the first time counts.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`]; [`crate::StoreError`] of the database. Harmless: the same bytes are handed over again.
    pub async fn sent(&self, leases: &[Lease], sent: &[Sent], now_ms: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let fences = self.fence_entries(&mut tx, leases, sent.iter().map(|mark| mark.id)).await?;
        for mark in sent {
            let sql = "UPDATE attempts SET broadcast_at_ms = COALESCE(broadcast_at_ms, $3),
                    broadcast_block = COALESCE(broadcast_block, $4)
                WHERE transaction_id = $1 AND hash = $2";
            tx.execute(sql, args![mark.id, mark.hash, now_ms, mark.block]).await?;
            // Only the newest attempt makes the entry `broadcast`: of a newer one it is not known yet.
            let sql = fenced!(
                "UPDATE transactions SET state = 'broadcast', updated_at_ms = $6
                WHERE id = $1 AND chain_id = $2 AND state = 'signed'
                  AND $5 = (SELECT hash FROM attempts WHERE transaction_id = $1 ORDER BY number DESC LIMIT 1)"
            );
            tx.execute(sql, with(fences.args(mark.id)?, args![mark.hash, now_ms])).await?;
        }
        tx.commit().await
    }

    /// Notes that attempts stand in a block and succeeded; again with another block after a reorg.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`]; [`crate::StoreError::WrongState`] if an entry was never signed or has ended.
    pub async fn mined(
        &self,
        leases: &[Lease],
        mined: &[(EntryId, Inclusion)],
        notify: Notify,
        now_ms: i64,
    ) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let fences = self.fence_entries(&mut tx, leases, mined.iter().map(|(id, _)| *id)).await?;
        lock_waiting(&mut tx, mined.iter().map(|(id, _)| *id), notify).await?;
        for (id, inclusion) in mined {
            let sql = fenced!(
                "UPDATE transactions SET state = 'mined', waiting_for = NULL, updated_at_ms = $5,
                    hash = $6, block_number = $7, block_hash = $8, gas_used = $9, gas_price = $10
                WHERE id = $1 AND chain_id = $2 AND state IN ('signed', 'broadcast', 'mined')"
            );
            let args = with(args![now_ms], inclusion_args(Some(inclusion))?);
            self.change(&mut tx, &fences, *id, "mined", sql, args).await?;
            wake(&mut tx, *id, notify).await?;
        }
        tx.commit().await
    }

    /// Notes that mined entries are deep enough.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`]; [`crate::StoreError::WrongState`] if one is not mined.
    pub async fn finalise(&self, leases: &[Lease], ids: &[EntryId], notify: Notify, now_ms: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let fences = self.fence_entries(&mut tx, leases, ids.iter().copied()).await?;
        lock_waiting(&mut tx, ids.iter().copied(), notify).await?;
        for id in ids {
            let sql = fenced!(
                "UPDATE transactions SET state = 'final', updated_at_ms = $5
                WHERE id = $1 AND chain_id = $2 AND state IN ('mined', 'final')"
            );
            self.change(&mut tx, &fences, *id, "made final", sql, args![now_ms]).await?;
            wake(&mut tx, *id, notify).await?;
        }
        tx.commit().await
    }

    /// The blocks of mined or final entries vanished in a reorg: they are broadcast again, with the same bytes.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`]; [`crate::StoreError::WrongState`] if one was not mined.
    pub async fn reopen(&self, leases: &[Lease], ids: &[EntryId], now_ms: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let fences = self.fence_entries(&mut tx, leases, ids.iter().copied()).await?;
        for id in ids {
            let sql = fenced!(
                "UPDATE transactions SET state = 'broadcast', updated_at_ms = $5,
                    hash = NULL, block_number = NULL, block_hash = NULL, gas_used = NULL, gas_price = NULL
                WHERE id = $1 AND chain_id = $2 AND state IN ('mined', 'final')"
            );
            self.change(&mut tx, &fences, *id, "sent again", sql, args![now_ms]).await?;
        }
        tx.commit().await
    }

    /// Takes final entries out of the way of their intents: their effect was there and has vanished since, so the intent
    /// may be queued once more. They stay final, with nonce, attempts and the gas they cost, under a name with their row
    /// number (`<intent>#<row>`). Entries that are not final, or were superseded before, are left as they are: several
    /// may ask for the same.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`]; [`crate::StoreError`] of the database.
    pub async fn supersede(&self, leases: &[Lease], ids: &[EntryId], now_ms: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let fences = self.fence_entries(&mut tx, leases, ids.iter().copied()).await?;
        for id in ids {
            let sql = fenced!(
                "UPDATE transactions SET intent = intent || '#' || id, updated_at_ms = $5
                WHERE id = $1 AND chain_id = $2 AND state = 'final' AND intent NOT LIKE '%#' || id"
            );
            tx.execute(sql, with(fences.args(*id)?, args![now_ms])).await?;
        }
        tx.commit().await
    }

    /// Gives up the nonce of entries whose attempts can never be mined because a foreign transaction took it: they
    /// are queued again. Their old attempts stay for the record.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`]; [`crate::StoreError::WrongState`] if one is mined or has ended.
    pub async fn requeue(&self, leases: &[Lease], ids: &[EntryId], now_ms: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let fences = self.fence_entries(&mut tx, leases, ids.iter().copied()).await?;
        for id in ids {
            let sql = fenced!(
                "UPDATE transactions SET state = 'queued', nonce = NULL, updated_at_ms = $5
                WHERE id = $1 AND chain_id = $2 AND state IN ('queued', 'signed', 'broadcast')"
            );
            self.change(&mut tx, &fences, *id, "queued again", sql, args![now_ms]).await?;
        }
        tx.commit().await
    }

    /// Ends entries badly and wakes the requests that wait for them. The intent may be queued again.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`]; [`crate::StoreError::WrongState`] if one is final or has failed already.
    pub async fn fail(&self, leases: &[Lease], failed: &[Failed], now_ms: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let fences = self.fence_entries(&mut tx, leases, failed.iter().map(|failed| failed.id)).await?;
        lock_waiting(&mut tx, failed.iter().map(|failed| failed.id), Notify::Waiting).await?;
        for Failed { id, inclusion, failure } in failed {
            let sql = fenced!(
                "UPDATE transactions SET state = 'failed', waiting_for = NULL, updated_at_ms = $5,
                    hash = $6, block_number = $7, block_hash = $8, gas_used = $9, gas_price = $10,
                    failure_kind = $11, failure = $12, failure_detail = $13
                WHERE id = $1 AND chain_id = $2 AND state IN ('queued', 'signed', 'broadcast', 'mined')"
            );
            let mut args = with(args![now_ms], inclusion_args(inclusion.as_ref())?);
            args.extend(args![failure.kind, failure.message, failure.detail]);
            self.change(&mut tx, &fences, *id, "failed", sql, args).await?;
            wake(&mut tx, *id, Notify::Waiting).await?;
        }
        tx.commit().await
    }

    /// Notes why entries wait, for the operator; `None` when they don't any more.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`]; [`crate::StoreError`] of the database.
    pub async fn note(&self, leases: &[Lease], notes: &[(EntryId, Option<String>)], now_ms: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let fences = self.fence_entries(&mut tx, leases, notes.iter().map(|(id, _)| *id)).await?;
        for (id, text) in notes {
            let sql =
                fenced!("UPDATE transactions SET waiting_for = $5, updated_at_ms = $6 WHERE id = $1 AND chain_id = $2");
            tx.execute(sql, with(fences.args(*id)?, args![text, now_ms])).await?;
        }
        tx.commit().await
    }

    async fn change(
        &self,
        tx: &mut Tx,
        fences: &Fences<'_>,
        id: EntryId,
        change: &'static str,
        sql: &'static str,
        args: Vec<Value>,
    ) -> Result<()> {
        if tx.execute(sql, with(fences.args(id)?, args)).await? == 0 {
            return Err(self.wrong_state(tx, id, change).await);
        }
        Ok(())
    }
}

fn with(mut first: Vec<Value>, more: Vec<Value>) -> Vec<Value> {
    first.extend(more);
    first
}

fn inclusion_args(inclusion: Option<&Inclusion>) -> Result<Vec<Value>> {
    Ok(args![
        inclusion.map(|inclusion| inclusion.hash),
        inclusion.map(|inclusion| inclusion.block_number),
        inclusion.map(|inclusion| inclusion.block_hash),
        inclusion.map(|inclusion| inclusion.gas_used),
        inclusion.map(|inclusion| inclusion.gas_price),
    ])
}

/// The requests that [`wake`] will change, in the order in which others change them too.
async fn lock_waiting(tx: &mut Tx, ids: impl Iterator<Item = EntryId>, notify: Notify) -> Result<()> {
    if notify == Notify::Nobody || tx.dialect().for_update().is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = ids.map(|id| id.0).collect();
    let mut waiting = Vec::new();
    for chunk in ids.chunks(CHUNK) {
        let (list, values) = in_list(chunk.iter().copied(), 1)?;
        let sql = format!("SELECT DISTINCT request_id FROM waiters WHERE transaction_id IN ({list})");
        let found = tx.fetch(sql, values).await?;
        waiting.extend(found.into_iter().map(|mut row: Row| row.take()).collect::<Result<Vec<RequestId>>>()?);
    }
    requests::lock(tx, waiting.into_iter()).await
}

/// Counts the wake-up, so that a worker that parks at this moment does not sleep through it.
async fn wake(tx: &mut Tx, id: EntryId, notify: Notify) -> Result<()> {
    match notify {
        Notify::Nobody => Ok(()),
        Notify::Waiting => {
            let sql = "UPDATE requests SET wakes = wakes + 1, ready = 1
                WHERE id IN (SELECT request_id FROM waiters WHERE transaction_id = $1)";
            tx.execute(sql, args![id]).await.map(drop)
        }
    }
}
