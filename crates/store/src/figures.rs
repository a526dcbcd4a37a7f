//! Figures about everything at once: for metrics and the status page.
//!
//! Counted from the rows each time, so they are as true right after a restart as they were before. Each is one pass over
//! a table or an index; whoever asks often keeps the answer for a while.

use crate::{
    Store,
    db::{Row, args},
    error::Result,
    journal::EntryState,
};
use facilitator_eth::{Address, B256, tx::nonce_of};
use facilitator_protocol::model::{Kind, State, Step};

/// What the journal knows of one worker key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFigures {
    /// Its chain.
    pub chain_id: u64,
    /// The account.
    pub account: Address,
    /// The nonce behind the highest one that is taken; `None` before the first signature.
    pub next_nonce: Option<u64>,
    /// Transactions that are signed and not mined yet.
    pub pending: u64,
    /// When the oldest of them was signed first with the nonce that it has, Unix time in milliseconds.
    pub pending_since_ms: Option<i64>,
    /// Transactions signed so far, replacements included.
    pub signed: u64,
    /// Replacements among them: signed again with the same nonce.
    pub replacements: u64,
}

/// How many transactions of the journal are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionCount {
    /// Their chain.
    pub chain_id: u64,
    /// What they are for.
    pub step: Step,
    /// How far they are.
    pub state: EntryState,
    /// How many.
    pub count: u64,
}

/// What the unfinished requests of one kind have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// Direction.
    pub kind: Kind,
    /// How many.
    pub count: u64,
    /// Those of them whose last step failed.
    pub failing: u64,
    /// When the oldest was stored, Unix time in milliseconds.
    pub oldest_ms: i64,
}

/// How long the completed requests of one kind took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Took {
    /// Direction.
    pub kind: Kind,
    /// How many are complete.
    pub count: u64,
    /// Milliseconds from the storing of each request to its completion, added up.
    pub total_ms: u64,
}

/// A line of the life of any request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// Unix time in milliseconds.
    pub at_ms: i64,
    /// The request.
    pub request_hash: B256,
    /// Its direction.
    pub kind: Kind,
    /// Its state after it.
    pub state: State,
    /// What happened.
    pub text: String,
}

/// One signature of an entry.
struct Attempt {
    chain_id: u64,
    account: Address,
    entry: i64,
    /// Whether the entry waits for its block.
    pending: bool,
    signed_at_ms: i64,
    /// As the signed bytes say.
    nonce: Option<u64>,
}

impl Attempt {
    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            chain_id: row.take()?,
            account: row.take()?,
            entry: row.take()?,
            pending: row.take()?,
            signed_at_ms: row.take()?,
            nonce: nonce_of(&row.take()?),
        })
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Entries whose bytes are read at a time: a proof has kilobytes, and a long history many of them.
const PAGE: i64 = 200;

/// Adds what the attempts of one entry tell of its key.
fn add_attempts(keys: &mut [KeyFigures], signed: &[Attempt]) {
    let [first, ..] = signed else { return };
    let is_own = |key: &&mut KeyFigures| key.chain_id == first.chain_id && key.account == first.account;
    let Some(key) = keys.iter_mut().find(is_own) else { return };
    let by_nonce: Vec<&[Attempt]> = signed.chunk_by(|one, next| one.nonce == next.nonce).collect();
    key.replacements += by_nonce.iter().map(|same| count(same.len().saturating_sub(1))).sum::<u64>();
    if let Some([first, ..]) = by_nonce.last().filter(|_| first.pending) {
        let since = key.pending_since_ms.unwrap_or(first.signed_at_ms);
        key.pending_since_ms = Some(since.min(first.signed_at_ms));
    }
}

impl Store {
    /// What the journal knows of each key that has signed.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn key_figures(&self) -> Result<Vec<KeyFigures>> {
        let sql = "SELECT t.chain_id, t.account,
                MAX(CASE WHEN t.state <> 'failed' OR t.block_number IS NOT NULL THEN t.nonce END),
                COUNT(CASE WHEN a.number = 1 AND t.state IN ('signed', 'broadcast') THEN 1 END), COUNT(*)
            FROM transactions t JOIN attempts a ON a.transaction_id = t.id
            WHERE t.account IS NOT NULL GROUP BY t.chain_id, t.account ORDER BY t.chain_id, t.account";
        let figures = |row: &mut Row| {
            Ok(KeyFigures {
                chain_id: row.take()?,
                account: row.take()?,
                next_nonce: row.take::<Option<u64>>()?.map(|nonce| nonce.saturating_add(1)),
                pending: row.take()?,
                pending_since_ms: None,
                signed: row.take()?,
                replacements: 0,
            })
        };
        let mut rows = self.db.fetch(sql, Vec::new()).await?;
        let mut keys = rows.iter_mut().map(figures).collect::<Result<Vec<KeyFigures>>>()?;
        // What an attempt replaces, and since when a nonce is waited for, its own bytes alone tell: an entry whose nonce
        // somebody else took was signed again with another one.
        let sql = "SELECT t.chain_id, t.account, t.id, CAST(CASE WHEN t.state IN ('signed', 'broadcast') THEN 1 ELSE 0 END AS BIGINT),
                a.signed_at_ms, a.raw
            FROM transactions t JOIN attempts a ON a.transaction_id = t.id
            WHERE t.id IN (SELECT id FROM transactions WHERE id > $1 AND account IS NOT NULL
                AND (state IN ('signed', 'broadcast')
                    OR EXISTS (SELECT 1 FROM attempts WHERE transaction_id = transactions.id AND number > 1))
                ORDER BY id LIMIT $2)
            ORDER BY t.id, a.number";
        let mut last = 0;
        loop {
            let mut rows = self.db.fetch(sql, args![last, PAGE]).await?;
            let attempts = rows.iter_mut().map(Attempt::read).collect::<Result<Vec<Attempt>>>()?;
            let Some(end) = attempts.last() else { return Ok(keys) };
            last = end.entry;
            for signed in attempts.chunk_by(|one, next| one.entry == next.entry) {
                add_attempts(&mut keys, signed);
            }
        }
    }

    /// The transactions of the journal, counted by chain, purpose and state.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn transaction_counts(&self) -> Result<Vec<TransactionCount>> {
        let sql = "SELECT chain_id, step, state, COUNT(*) FROM transactions
            GROUP BY chain_id, step, state ORDER BY chain_id, step, state";
        let count = |row: &mut Row| {
            Ok(TransactionCount { chain_id: row.take()?, step: row.take()?, state: row.take()?, count: row.take()? })
        };
        self.db.fetch(sql, Vec::new()).await?.iter_mut().map(count).collect()
    }

    /// The unfinished requests by kind; a kind without any is left out.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn unfinished(&self) -> Result<Vec<Unfinished>> {
        let sql = "SELECT kind, COUNT(*), COUNT(CASE WHEN failures > 0 THEN 1 END), MIN(created_at_ms)
            FROM requests WHERE done = 0 GROUP BY kind ORDER BY kind";
        let one = |row: &mut Row| {
            Ok(Unfinished { kind: row.take()?, count: row.take()?, failing: row.take()?, oldest_ms: row.take()? })
        };
        self.db.fetch(sql, Vec::new()).await?.iter_mut().map(one).collect()
    }

    /// What the unfinished requests wait for, by the name of the wait.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn waits(&self) -> Result<Vec<(String, u64)>> {
        let sql = "SELECT wait_kind, COUNT(*) FROM requests WHERE done = 0 GROUP BY wait_kind ORDER BY wait_kind";
        self.db.fetch(sql, Vec::new()).await?.iter_mut().map(|row| Ok((row.take()?, row.take()?))).collect()
    }

    /// How long completed requests took, by kind, measured to the line of their life that says so.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn took(&self) -> Result<Vec<Took>> {
        let sql = "SELECT r.kind, COUNT(*), CAST(SUM(l.at_ms - r.created_at_ms) AS BIGINT)
            FROM requests r JOIN (SELECT request_id, MAX(at_ms) AS at_ms FROM request_log WHERE state = 'COMPLETE'
                GROUP BY request_id) l ON l.request_id = r.id
            WHERE r.state = 'COMPLETE' GROUP BY r.kind ORDER BY r.kind";
        let took = |row: &mut Row| {
            let (kind, count, total) = (row.take()?, row.take()?, row.take::<i64>()?);
            // A clock that went back meanwhile may have made it less than nothing.
            Ok(Took { kind, count, total_ms: u64::try_from(total).unwrap_or(0) })
        };
        self.db.fetch(sql, Vec::new()).await?.iter_mut().map(took).collect()
    }

    /// What happened last to any request, newest first.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn happenings(&self, limit: u32) -> Result<Vec<Happening>> {
        let sql = "SELECT l.at_ms, r.request_hash, r.kind, l.state, l.text
            FROM request_log l JOIN requests r ON r.id = l.request_id ORDER BY l.id DESC LIMIT $1";
        let happening = |row: &mut Row| {
            Ok(Happening {
                at_ms: row.take()?,
                request_hash: row.take()?,
                kind: row.take()?,
                state: crate::requests::state(row)?,
                text: row.take()?,
            })
        };
        self.db.fetch(sql, args![limit]).await?.iter_mut().map(happening).collect()
    }
}
