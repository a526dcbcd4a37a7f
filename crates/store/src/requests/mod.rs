//! Requests: the queue and the calendar of the parent, and what operators are shown.
//!
//! A request is in one of three hands: nobody's (waiting, or `ready` to be claimed), a claimant's (a worker runs), or
//! ended. Whatever happens to it from outside counts up `wakes` and sets `ready` in the transaction that stores the
//! happening; whoever parks it returns the count it saw. So no wake-up is lost between two processes.

mod back;
mod brief;
mod claim;
mod hunt;
mod list;
pub(crate) mod log;
mod reveals;
mod save;
pub(crate) mod served;

pub use back::Back;
pub use brief::{Brief, FailedStep};
pub use claim::Places;
pub use hunt::Hunting;
pub use list::{Count, Filter};
pub use log::LogLine;
pub use reveals::Reveals;
pub use save::{Change, Claimed, Lost, Retry, Saved};

use crate::{
    Store,
    db::{Row, Tx, args, in_list},
    error::Result,
};
use facilitator_protocol::model::{Kind, LogPosition, MessageStatus, NewRequest, Request, RequestId, State, Terms};

/// A request with what only the database knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The request.
    pub request: Request,
    /// Outbox status as last read by a worker.
    pub outbox: Option<MessageStatus>,
    /// Inbox status as last read by a worker.
    pub inbox: Option<MessageStatus>,
    /// The name of the wait it is in.
    pub wait_kind: String,
    /// Whether it may be claimed.
    pub ready: bool,
    /// Unix time in milliseconds at which it is looked at again.
    pub retry_at_ms: Option<i64>,
    /// Who has claimed it.
    pub claimed_by: Option<String>,
    /// The worker process on it.
    pub pid: Option<u32>,
    /// Whether a reorg has removed its event for now.
    pub orphaned: bool,
    /// Unix time in milliseconds.
    pub created_at_ms: i64,
    /// Unix time in milliseconds.
    pub updated_at_ms: i64,
}

/// The columns of [`request`], in its order.
const COLUMNS: &str = "id, kind, state, origin_chain_id, auxiliary_chain_id, pool_address,
    amount, beneficiary, gas_price, gas_limit, nonce, sender, sender_proxy, gateway_address, request_hash,
    event_chain_id, event_block_number, event_block_hash, event_tx_hash, event_log_index, hunted,
    attempt, hash_lock, message_hash, message_sender, unlock_secret, origin_worker_address, auxiliary_worker_address,
    declared_block, proof_height, bounty, reward, paid_out, failures, holds, wakes, waiting_for, last_error, claim_seq";

/// The columns of [`record`] behind those of [`request`].
const MORE_COLUMNS: &str = "outbox_status, inbox_status, wait_kind, ready, retry_at_ms, claimed_by, pid, orphaned,
    created_at_ms, updated_at_ms";

fn request(row: &mut Row) -> Result<Request> {
    Ok(Request {
        id: row.take()?,
        kind: row.take()?,
        state: state(row)?,
        origin_chain_id: row.take()?,
        auxiliary_chain_id: row.take()?,
        pool: row.take()?,
        terms: Terms {
            amount: row.take()?,
            beneficiary: row.take()?,
            gas_price: row.take()?,
            gas_limit: row.take()?,
            nonce: row.take()?,
            sender: row.take()?,
            sender_proxy: row.take()?,
            gateway: row.take()?,
            request_hash: row.take()?,
        },
        position: LogPosition {
            chain_id: row.take()?,
            block_number: row.take()?,
            block_hash: row.take()?,
            tx_hash: row.take()?,
            log_index: row.take()?,
        },
        hunted: row.take()?,
        attempt: row.take()?,
        hash_lock: row.take()?,
        message_hash: row.take()?,
        message_sender: row.take()?,
        unlock_secret: row.take()?,
        origin_worker: row.take()?,
        auxiliary_worker: row.take()?,
        declared_block: row.take()?,
        proof_height: row.take()?,
        bounty: row.take()?,
        reward: row.take()?,
        paid_out: row.take()?,
        failures: row.take()?,
        holds: row.take()?,
        wakes: row.take()?,
        waiting_for: row.take()?,
        last_error: row.take()?,
        claim_seq: row.take()?,
    })
}

fn record(row: &mut Row) -> Result<Record> {
    Ok(Record {
        request: request(row)?,
        outbox: row.take()?,
        inbox: row.take()?,
        wait_kind: row.take()?,
        ready: row.take()?,
        retry_at_ms: row.take()?,
        claimed_by: row.take()?,
        pid: row.take()?,
        orphaned: row.take()?,
        created_at_ms: row.take()?,
        updated_at_ms: row.take()?,
    })
}

pub(crate) fn state(row: &mut Row) -> Result<State> {
    let name: String = row.take()?;
    State::from_name(&name).map_err(|problem| row.damaged(&problem.to_string()))
}

/// Keeps requests as they are for others until the transaction ends, in the order of their numbers: two transactions that
/// change several of the same never wait for each other.
pub(crate) async fn lock(tx: &mut Tx, requests: impl Iterator<Item = RequestId>) -> Result<()> {
    let lock = tx.dialect().for_update();
    if lock.is_empty() {
        return Ok(());
    }
    let mut ids: Vec<i64> = requests.map(|id| id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    for chunk in ids.chunks(LOCKED_AT_ONCE) {
        let (list, values) = in_list(chunk.iter().copied(), 1)?;
        tx.fetch(format!("SELECT id FROM requests WHERE id IN ({list}) ORDER BY id{lock}"), values).await?;
    }
    Ok(())
}

/// Row numbers in one question.
const LOCKED_AT_ONCE: usize = 500;

/// Ends that a declaration of the request's own message proves wrong.
pub(crate) const GIVEN_UP: [State; 4] = [State::Skipped, State::TakenByOther, State::Revoked, State::Rejected];

/// [`GIVEN_UP`] as stored; the names are the same for either kind.
pub(crate) fn given_up() -> [&'static str; 4] {
    GIVEN_UP.map(|state| state.name(Kind::Stake))
}

/// What [`insert`] did with a request.
pub(crate) enum Inserted {
    /// It is a new row.
    New(RequestId),
    /// Its event stands elsewhere after a reorg; the row was there.
    Moved(RequestId),
    /// The same event was stored before.
    Known,
}

impl Store {
    /// Stores a request unless its event is stored already; returns the new row.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn insert_request(&self, new: &NewRequest, now_ms: i64) -> Result<Option<RequestId>> {
        let mut tx = self.db.begin_alone().await?;
        let inserted = insert(&mut tx, new, now_ms).await?;
        tx.commit().await?;
        match inserted {
            Inserted::New(id) => Ok(Some(id)),
            Inserted::Moved(_) | Inserted::Known => Ok(None),
        }
    }
}

/// Stores a request. A row whose event a reorg had removed takes the place of the event's new appearance: the request
/// hash is the same, and the sender can have only one such request at a time (protocol.md R6). It begins anew, with the
/// secret that it has: whatever had ended it may be gone with the old blocks.
pub(crate) async fn insert(tx: &mut Tx, new: &NewRequest, now_ms: i64) -> Result<Inserted> {
    let (terms, at) = (&new.terms, &new.position);
    let sql = "UPDATE requests SET orphaned = 0, wakes = wakes + 1, ready = 1, updated_at_ms = $8,
            event_block_number = $4, event_block_hash = $5, event_tx_hash = $6, event_log_index = $7,
            done = CASE WHEN state IN ($9, $10, $11, $12) THEN 0 ELSE done END,
            state = CASE WHEN state IN ($9, $10, $11, $12) THEN $13 ELSE state END,
            failures = 0, holds = 0, retried_at_ms = $8, retry_at_ms = NULL, waiting_for = NULL
        WHERE id = (SELECT MIN(id) FROM requests
            WHERE orphaned = 1 AND event_chain_id = $1 AND pool_address = $2 AND request_hash = $3)
        RETURNING id";
    let ends = given_up();
    let args = args![
        at.chain_id,
        new.pool,
        terms.request_hash,
        at.block_number,
        at.block_hash,
        at.tx_hash,
        at.log_index,
        now_ms,
        ends[0],
        ends[1],
        ends[2],
        ends[3],
        State::Requested.name(new.kind),
    ];
    if let Some(mut row) = tx.fetch_one(sql, args).await? {
        return Ok(Inserted::Moved(row.take()?));
    }
    let sql = "INSERT INTO requests (kind, state, origin_chain_id, auxiliary_chain_id, pool_address,
            amount, beneficiary, gas_price, gas_limit, nonce, sender, sender_proxy, gateway_address, request_hash,
            event_chain_id, event_block_number, event_block_hash, event_tx_hash, event_log_index,
            created_at_ms, updated_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $20)
        ON CONFLICT (event_chain_id, pool_address, event_tx_hash, event_log_index) DO NOTHING RETURNING id";
    let args = args![
        new.kind,
        State::Requested.name(new.kind),
        new.origin_chain_id,
        new.auxiliary_chain_id,
        new.pool,
        terms.amount,
        terms.beneficiary,
        terms.gas_price,
        terms.gas_limit,
        terms.nonce,
        terms.sender,
        terms.sender_proxy,
        terms.gateway,
        terms.request_hash,
        at.chain_id,
        at.block_number,
        at.block_hash,
        at.tx_hash,
        at.log_index,
        now_ms,
    ];
    match tx.fetch_one(sql, args).await? {
        Some(mut row) => Ok(Inserted::New(row.take()?)),
        None => Ok(Inserted::Known),
    }
}
