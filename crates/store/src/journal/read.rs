//! Reading the journal back: what a sender resumes from, and what the operator is shown.

use super::{Allowance, Attempt, Entry, EntryId, Failure, Inclusion, Journal};
use crate::{
    Store,
    db::{Db, Row, ToValue as _, Value, args, in_list},
    error::Result,
    instances::UNTENDED,
};
use facilitator_eth::{Address, B256, U256, tx::Fee};
use facilitator_protocol::model::{RequestId, Step};
use std::collections::HashMap;

const COLUMNS: &str = "id, intent, request_id,
    (SELECT r.request_hash FROM requests r WHERE r.id = transactions.request_id), chain_id, step, account, to_address, value, calldata, visibility,
    after_intent, allowance_token, allowance_spender, allowance_amount, expect, state, nonce,
    hash, block_number, block_hash, gas_used, gas_price, failure_kind, failure, failure_detail, waiting_for,
    created_at_ms, updated_at_ms";
const ATTEMPTS: &str = "transaction_id, number, hash, raw, gas_limit, gas_price, max_fee, max_priority, signed_at_ms,
    broadcast_at_ms, broadcast_block";

/// Values in one `IN (…)` list.
pub(super) const CHUNK: usize = 500;

impl Journal {
    /// Every entry that has not ended (queued, signed, broadcast, mined), oldest first: what a restart resumes.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn live(&self) -> Result<Vec<Entry>> {
        let condition = "chain_id = $1 AND state IN ('queued', 'signed', 'broadcast', 'mined')";
        read(&self.db, condition, args![self.chain_id]).await
    }

    /// The newest entry of an intent, in whatever state.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn by_intent(&self, intent: &str) -> Result<Option<Entry>> {
        let condition = "id = (SELECT MAX(id) FROM transactions WHERE chain_id = $1 AND intent = $2)";
        Ok(read(&self.db, condition, args![self.chain_id, intent]).await?.into_iter().next())
    }

    /// The entries of an account that have not ended, in the order of their nonces, those without one last.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn of_account(&self, account: Address) -> Result<Vec<Entry>> {
        let condition = "chain_id = $1 AND account = $2 AND state IN ('queued', 'signed', 'broadcast', 'mined')";
        let mut found = read(&self.db, condition, args![self.chain_id, account]).await?;
        found.sort_by_key(|entry| (entry.nonce.unwrap_or(u64::MAX), entry.id));
        Ok(found)
    }

    /// One entry.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn entry(&self, id: EntryId) -> Result<Option<Entry>> {
        Ok(self.entries(&[id]).await?.into_iter().next())
    }

    /// Entries by their row numbers, ascending.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn entries(&self, ids: &[EntryId]) -> Result<Vec<Entry>> {
        let mut found = Vec::with_capacity(ids.len());
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        for chunk in sorted.chunks(CHUNK) {
            let (list, mut values) = in_list(chunk.iter().map(|id| id.0), 2)?;
            values.insert(0, self.chain_id.to_value()?);
            found.extend(read(&self.db, &format!("chain_id = $1 AND id IN ({list})"), values).await?);
        }
        Ok(found)
    }

    /// The highest nonce of an account that is taken: by an entry that may be or was mined, also by a reverted one.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn highest_nonce(&self, account: Address) -> Result<Option<u64>> {
        let sql = "SELECT MAX(nonce) FROM transactions WHERE chain_id = $1 AND account = $2 AND nonce IS NOT NULL
            AND (state <> 'failed' OR block_number IS NOT NULL)";
        let mut found = self.db.fetch(sql, args![self.chain_id, account]).await?;
        found.first_mut().map_or(Ok(None), Row::take)
    }

    /// The entry that holds a nonce of an account: alive, or final.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn holding(&self, account: Address, nonce: u64) -> Result<Option<Entry>> {
        let condition = "chain_id = $1 AND account = $2 AND nonce = $3 AND state <> 'failed'";
        Ok(read(&self.db, condition, args![self.chain_id, account, nonce]).await?.into_iter().next())
    }

    /// Accounts with something signed that has not ended, whose key no instance has that may work, or none at all: whoever
    /// works sees it through.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn orphans(&self) -> Result<Vec<Address>> {
        let sql = format!(
            "SELECT DISTINCT t.account FROM transactions AS t
            WHERE t.chain_id = $1 AND t.state IN ('queued', 'signed', 'broadcast', 'mined') AND t.state <> 'queued'
              AND t.account IS NOT NULL AND {UNTENDED}
            ORDER BY t.account"
        );
        self.db.fetch(sql, args![self.chain_id]).await?.iter_mut().map(Row::take).collect()
    }

    /// The account of the newest entry that has one: where round robin goes on.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn last_account(&self) -> Result<Option<Address>> {
        let sql =
            "SELECT account FROM transactions WHERE chain_id = $1 AND account IS NOT NULL ORDER BY id DESC LIMIT 1";
        self.db.fetch(sql, args![self.chain_id]).await?.first_mut().map(Row::take).transpose()
    }
}

/// A transaction of a request, as the operator is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The request.
    pub request_id: RequestId,
    /// What it was for.
    pub step: Step,
    /// Names the effect.
    pub intent: String,
    /// The chain.
    pub chain_id: u64,
    /// The account, once chosen.
    pub account: Option<Address>,
    /// Hash of the mined attempt, else of the newest; `None` before the first signature.
    pub hash: Option<B256>,
    /// Account nonce.
    pub nonce: Option<u64>,
    /// How far it is.
    pub state: super::EntryState,
    /// Block of the mined attempt.
    pub block_number: Option<u64>,
    /// Gas used by the mined attempt.
    pub gas_used: Option<u64>,
    /// Price paid per unit of gas, in wei.
    pub gas_price: Option<U256>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Why it waits.
    pub waiting_for: Option<String>,
    /// When it was journalled, Unix time in milliseconds.
    pub created_at_ms: i64,
}

impl Store {
    /// The transactions of requests on both chains, oldest first; one that serves several requests is listed for each.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn transactions(&self, requests: &[RequestId]) -> Result<Vec<Transaction>> {
        let mut found = Vec::new();
        for chunk in requests.chunks(CHUNK) {
            let (list, values) = in_list(chunk.iter().map(|id| id.0), 1)?;
            let sql = format!(
                "SELECT w.request_id, t.step, t.intent, t.chain_id, t.account, COALESCE(t.hash,
                     (SELECT a.hash FROM attempts a WHERE a.transaction_id = t.id ORDER BY a.number DESC LIMIT 1)),
                     t.nonce, t.state, t.block_number, t.gas_used, t.gas_price, t.failure, t.waiting_for,
                     t.created_at_ms
                 FROM waiters w JOIN transactions t ON t.id = w.transaction_id
                 WHERE w.request_id IN ({list}) ORDER BY t.id"
            );
            for row in &mut self.db.fetch(sql, values).await? {
                found.push(Transaction {
                    request_id: row.take()?,
                    step: row.take()?,
                    intent: row.take()?,
                    chain_id: row.take()?,
                    account: row.take()?,
                    hash: row.take()?,
                    nonce: row.take()?,
                    state: row.take()?,
                    block_number: row.take()?,
                    gas_used: row.take()?,
                    gas_price: row.take()?,
                    failure: row.take()?,
                    waiting_for: row.take()?,
                    created_at_ms: row.take()?,
                });
            }
        }
        Ok(found)
    }
}

/// Entries of a condition with their attempts, oldest first.
async fn read(db: &Db, condition: &str, args: Vec<Value>) -> Result<Vec<Entry>> {
    let sql = format!("SELECT {COLUMNS} FROM transactions WHERE {condition} ORDER BY id");
    let mut entries = Vec::new();
    for mut row in db.fetch(sql, args.clone()).await? {
        entries.push(entry(&mut row)?);
    }
    let sql = format!(
        "SELECT {ATTEMPTS} FROM attempts WHERE transaction_id IN (SELECT id FROM transactions WHERE {condition})
         ORDER BY transaction_id, number"
    );
    let mut attempts: HashMap<EntryId, Vec<Attempt>> = HashMap::new();
    for mut row in db.fetch(sql, args).await? {
        let (id, attempt) = attempt(&mut row)?;
        attempts.entry(id).or_default().push(attempt);
    }
    for entry in &mut entries {
        entry.attempts = attempts.remove(&entry.id).unwrap_or_default();
    }
    Ok(entries)
}

fn entry(row: &mut Row) -> Result<Entry> {
    Ok(Entry {
        id: row.take()?,
        intent: row.take()?,
        request_id: row.take()?,
        request_hash: row.take()?,
        chain_id: row.take()?,
        step: row.take()?,
        account: row.take()?,
        to: row.take()?,
        value: row.take()?,
        data: row.take()?,
        visibility: row.take()?,
        after: row.take()?,
        allowance: allowance(row)?,
        expect: row.take()?,
        state: row.take()?,
        nonce: row.take()?,
        attempts: Vec::new(),
        inclusion: inclusion(row)?,
        failure: failure(row)?,
        waiting_for: row.take()?,
        created_at_ms: row.take()?,
        updated_at_ms: row.take()?,
    })
}

fn allowance(row: &mut Row) -> Result<Option<Allowance>> {
    match (row.take()?, row.take()?, row.take()?) {
        (Some(token), Some(spender), Some(amount)) => Ok(Some(Allowance { token, spender, amount })),
        (None, None, None) => Ok(None),
        (_, _, _) => Err(row.damaged("a transaction has half an allowance")),
    }
}

fn inclusion(row: &mut Row) -> Result<Option<Inclusion>> {
    match (row.take()?, row.take()?, row.take()?, row.take()?, row.take()?) {
        (Some(hash), Some(block_number), Some(block_hash), Some(gas_used), Some(gas_price)) => {
            Ok(Some(Inclusion { hash, block_number, block_hash, gas_used, gas_price }))
        }
        (None, None, None, None, None) => Ok(None),
        (_, _, _, _, _) => Err(row.damaged("a transaction has half an inclusion")),
    }
}

fn failure(row: &mut Row) -> Result<Option<Failure>> {
    match (row.take()?, row.take()?, row.take()?) {
        (Some(kind), Some(message), detail) => Ok(Some(Failure { kind, message, detail })),
        (None, None, None) => Ok(None),
        (_, _, _) => Err(row.damaged("a transaction has half a failure")),
    }
}

fn attempt(row: &mut Row) -> Result<(EntryId, Attempt)> {
    let (id, number, hash, raw, gas_limit) = (row.take()?, row.take()?, row.take()?, row.take()?, row.take()?);
    let fee = match (row.take()?, row.take()?, row.take()?) {
        (Some(gas_price), None, None) => Fee::Legacy { gas_price },
        (None, Some(max_fee), Some(max_priority)) => Fee::Dynamic { max_fee, max_priority },
        (_, _, _) => return Err(row.damaged("an attempt has no fee that makes sense")),
    };
    let (signed_at_ms, broadcast_at_ms, broadcast_block) = (row.take()?, row.take()?, row.take()?);
    Ok((id, Attempt { number, hash, raw, gas_limit, fee, signed_at_ms, broadcast_at_ms, broadcast_block }))
}
