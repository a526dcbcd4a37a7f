//! Saving what workers found out: many changes in one transaction, each only by the claimant.

use super::GIVEN_UP;
use crate::{
    Store,
    db::{Row, Tx, args},
    error::Result,
    scan,
};
use facilitator_protocol::model::{Attempt, Kind, Park, RequestId, Stage, State, Update, Wait};

/// A change of a claimed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A worker process runs on it.
    Started {
        /// The request.
        id: RequestId,
        /// Its process.
        pid: u32,
    },
    /// New facts; the claim stays.
    Update {
        /// The request.
        id: RequestId,
        /// The facts.
        update: Update,
    },
    /// The worker leaves it, waiting for something or ended.
    Park {
        /// The request.
        id: RequestId,
        /// The last facts and what wakes it.
        park: Park,
        /// [`Park::retry_in_ms`] as a time: Unix milliseconds.
        retry_at_ms: Option<i64>,
    },
    /// The worker died or could not be started: the claim ends, nothing else is known.
    Release {
        /// The request.
        id: RequestId,
        /// When to try again, Unix milliseconds; `None` for at once.
        retry_at_ms: Option<i64>,
        /// What happened, in words.
        error: Option<String>,
    },
}

impl Change {
    /// The request.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        match self {
            Self::Started { id, .. } | Self::Update { id, .. } | Self::Park { id, .. } | Self::Release { id, .. } => {
                *id
            }
        }
    }
}

/// A change with the claim under which it was found out ([`facilitator_protocol::model::Request::claim_seq`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its number; `None`: whichever the claimant has.
    pub seq: Option<i64>,
    /// The change.
    pub change: Change,
}

impl From<Change> for Claimed {
    fn from(change: Change) -> Self {
        Self { seq: None, change }
    }
}

/// What [`Store::save`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// Parked or released, but something has happened meanwhile: they may be claimed again at once.
    pub ready: Vec<RequestId>,
    /// No longer claimed by this claimant, or by a later claim: the change was not stored.
    pub lost: Vec<Lost>,
}

/// A claim that does not hold any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The request.
    pub request: RequestId,
    /// Which claim on it; as in [`Claimed::seq`].
    pub seq: Option<i64>,
}

/// The outcome of an operator's retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It is taken up again.
    Woken,
    /// It ended for good; the chain would say the same again.
    Ended(State),
    /// There is no such request.
    Missing,
}

impl Store {
    /// Saves changes in one transaction. An end state that the scan has set meanwhile (revoked, rejected) stays.
    ///
    /// A new attempt is durable when this returns (law 2: before the accept may leave the process). Events of its
    /// message that were scanned before are applied to the request in the same transaction.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database; then nothing is stored.
    pub async fn save(&self, owner: &str, changes: &[Change], now_ms: i64) -> Result<Saved> {
        let changes: Vec<Claimed> = changes.iter().cloned().map(Claimed::from).collect();
        self.save_claimed(owner, &changes, now_ms).await
    }

    /// As [`Store::save`], each change only under the claim that it belongs to: one that was lost meanwhile, and perhaps
    /// made again since, is not it.
    ///
    /// # Errors
    /// As [`Store::save`].
    pub async fn save_claimed(&self, owner: &str, changes: &[Claimed], now_ms: i64) -> Result<Saved> {
        let mut saved = Saved::default();
        // A new attempt looks at the events of its message, which a scanner may be storing.
        let alone = changes.iter().any(|claimed| makes_attempt(&claimed.change));
        let mut tx = if alone { self.db.begin_alone().await? } else { self.db.begin().await? };
        super::lock(&mut tx, changes.iter().map(|claimed| claimed.change.id())).await?;
        for Claimed { seq, change } in changes {
            save_one(&mut tx, Claimant { owner, seq: *seq }, change, now_ms, &mut saved).await?;
        }
        tx.commit().await?;
        Ok(saved)
    }

    /// Takes up a request again that failed, was given up, is unknown or waits. Its worker reads the chains and says the
    /// same again if nothing has changed; what failed before counts no more.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn retry(&self, id: RequestId, now_ms: i64) -> Result<Retry> {
        let mut tx = self.db.begin().await?;
        super::lock(&mut tx, std::iter::once(id)).await?;
        let sql = "SELECT state, kind, declared_block FROM requests WHERE id = $1";
        let Some(mut row) = tx.fetch_one(sql, args![id]).await? else {
            return Ok(Retry::Missing);
        };
        let (state, kind, declared) = (super::state(&mut row)?, row.take::<Kind>()?, row.take::<Option<u64>>()?);
        let next = match state {
            State::Skipped | State::TakenByOther | State::Revoked | State::Unknown => match declared {
                Some(_) => State::Accepted,
                None => State::Requested,
            },
            State::Requested
            | State::Accepted
            | State::AccountProven
            | State::IntentConfirmed
            | State::SourceProgressed
            | State::TargetProgressed
            | State::Failed(_) => state,
            State::Complete | State::Rejected => return Ok(Retry::Ended(state)),
        };
        let sql = "UPDATE requests SET state = $2, done = 0, ready = 1, wakes = wakes + 1, failures = 0, holds = 0,
            retried_at_ms = $3, retry_at_ms = NULL, updated_at_ms = $3 WHERE id = $1";
        tx.execute(sql, args![id, next.name(kind), now_ms]).await?;
        super::log::append(&mut tx, id, "taken up again by the operator", now_ms).await?;
        tx.commit().await?;
        Ok(Retry::Woken)
    }
}

const fn makes_attempt(change: &Change) -> bool {
    match change {
        Change::Update { update, .. } | Change::Park { park: Park { update, .. }, .. } => update.attempt.is_some(),
        Change::Started { .. } | Change::Release { .. } => false,
    }
}

/// Who claims, and by which claim.
#[derive(Clone, Copy)]
struct Claimant<'a> {
    owner: &'a str,
    seq: Option<i64>,
}

async fn save_one(tx: &mut Tx, by: Claimant<'_>, change: &Change, now_ms: i64, saved: &mut Saved) -> Result<()> {
    let (id, kept, ready) = match change {
        Change::Started { id, pid } => {
            let sql = "UPDATE requests SET pid = $3
                WHERE id = $1 AND claimed_by = $2 AND claim_seq = COALESCE($4, claim_seq)";
            (*id, tx.execute(sql, args![id, by.owner, pid, by.seq]).await? > 0, false)
        }
        Change::Update { id, update } => (*id, apply(tx, by, *id, update, now_ms).await?, false),
        Change::Park { id, park: leave, retry_at_ms } => {
            let kept = apply(tx, by, *id, &leave.update, now_ms).await?;
            if kept && leave.update.state.is_some_and(|state| GIVEN_UP.contains(&state)) {
                reconsider(tx, *id, leave.wakes_seen, now_ms).await?;
            }
            (*id, kept, kept && park(tx, by.owner, *id, leave, *retry_at_ms).await?)
        }
        Change::Release { id, retry_at_ms, error } => {
            let ready = release(tx, by, *id, *retry_at_ms, error.as_deref(), now_ms).await?;
            (*id, ready.is_some(), ready == Some(true))
        }
    };
    if !kept {
        saved.lost.push(Lost { request: id, seq: by.seq });
    }
    if ready {
        saved.ready.push(id);
    }
    Ok(())
}

/// A new attempt makes the facts of the former one void: its declaration, proof and secret are of another message.
const UPDATE: &str = "UPDATE requests SET
        state = CASE WHEN done = 1 OR $3 IS NULL THEN state WHEN kind = 'stake' THEN $3 ELSE $4 END,
        done = CASE WHEN done = 1 THEN 1 ELSE COALESCE($5, done) END,
        attempt = COALESCE($6, attempt), hash_lock = COALESCE($7, hash_lock),
        gas_price = COALESCE($22, gas_price), gas_limit = COALESCE($23, gas_limit),
        message_hash = COALESCE($8, message_hash),
        message_sender = CASE WHEN COALESCE($6, attempt) <> attempt THEN $9 ELSE COALESCE($9, message_sender) END,
        declared_block = CASE WHEN COALESCE($6, attempt) <> attempt THEN $10 ELSE COALESCE($10, declared_block) END,
        proof_height = CASE WHEN COALESCE($6, attempt) <> attempt THEN $11 ELSE COALESCE($11, proof_height) END,
        unlock_secret = CASE WHEN COALESCE($6, attempt) <> attempt THEN NULL ELSE unlock_secret END,
        origin_worker_address = COALESCE($12, origin_worker_address),
        auxiliary_worker_address = COALESCE($13, auxiliary_worker_address),
        bounty = COALESCE($14, bounty),
        outbox_status = COALESCE($15, outbox_status), inbox_status = COALESCE($16, inbox_status),
        status_checked_at_ms = COALESCE($17, status_checked_at_ms),
        failures = COALESCE($18, failures), last_error = COALESCE($19, last_error), updated_at_ms = $20,
        holds = COALESCE($21, holds)
    WHERE id = $1 AND claimed_by = $2 AND claim_seq = COALESCE($24, claim_seq)";

/// Stores facts; whether the claim still held.
async fn apply(tx: &mut Tx, by: Claimant<'_>, id: RequestId, update: &Update, now_ms: i64) -> Result<bool> {
    let attempt = update.attempt.as_ref();
    let checked = (update.outbox.is_some() || update.inbox.is_some()).then_some(now_ms);
    let args = args![
        id,
        by.owner,
        update.state.map(|state| state.name(Kind::Stake)),
        update.state.map(|state| state.name(Kind::Redeem)),
        update.state.map(State::is_end),
        attempt.map(|attempt| attempt.number),
        attempt.map(|attempt| attempt.hash_lock).or(update.fine_print.map(|print| print.hash_lock)),
        attempt.map(|attempt| attempt.message_hash),
        update.message_sender,
        update.declared_block,
        update.proof_height,
        update.origin_worker,
        update.auxiliary_worker,
        update.bounty,
        update.outbox,
        update.inbox,
        checked,
        update.failures,
        update.last_error,
        now_ms,
        update.holds,
        update.fine_print.map(|print| print.gas_price),
        update.fine_print.map(|print| print.gas_limit),
        by.seq,
    ];
    if tx.execute(UPDATE, args).await? == 0 {
        return Ok(false);
    }
    if let Some(Attempt { message_hash, .. }) = attempt {
        scan::catch_up(tx, *message_hash, now_ms).await?;
    }
    if let Some(height) = update.proof_height {
        proven_before(tx, id, height).await?;
    }
    if let Some(text) = &update.log {
        super::log::append(tx, id, text, now_ms).await?;
    }
    Ok(true)
}

/// The scan may have seen the proof of this height, made for another request, before this one chose it.
async fn proven_before(tx: &mut Tx, id: RequestId, height: u64) -> Result<()> {
    let sql = "UPDATE requests SET state = $2
        WHERE id = $1 AND done = 0 AND state IN ($3, $4) AND EXISTS (SELECT 1 FROM proofs
            WHERE proofs.chain_id = requests.event_chain_id AND proofs.contract = requests.gateway_address
              AND proofs.height = $5 AND proofs.proven_block IS NOT NULL)";
    // These names are the same for either kind.
    let [proven, accepted, failed] =
        [State::AccountProven, State::Accepted, State::Failed(Stage::Prove)].map(|state| state.name(Kind::Stake));
    tx.execute(sql, args![id, proven, accepted, failed, height]).await.map(drop)
}

/// A worker that gives up a request with a declared message, and has not seen all that happened to it, may not know of
/// the declaration: the next one looks again, for the bounty is locked.
async fn reconsider(tx: &mut Tx, id: RequestId, wakes_seen: i64, now_ms: i64) -> Result<()> {
    let sql = "UPDATE requests SET state = $3, done = 0
        WHERE id = $1 AND wakes <> $2 AND done = 1 AND declared_block IS NOT NULL";
    if tx.execute(sql, args![id, wakes_seen, State::Accepted.name(Kind::Stake)]).await? > 0 {
        let text = "something happened to its message meanwhile: it is looked at again";
        super::log::append(tx, id, text, now_ms).await?;
    }
    Ok(())
}

/// Ends the claim; whether the request may be claimed again at once. A root that is anchored already, or a wake-up that
/// came after the worker had looked, is not waited for; but a pause after a failure lasts, else a step that fails at once
/// would be woken by its own failure.
async fn park(tx: &mut Tx, owner: &str, id: RequestId, park: &Park, retry_at_ms: Option<i64>) -> Result<bool> {
    let (chain, anchor, block) = match park.wait {
        Wait::Root { chain_id, anchor, at_least } => (Some(chain_id), Some(anchor), Some(at_least)),
        Wait::Nothing | Wait::Happening | Wait::Clock | Wait::End => (None, None, None),
    };
    let sql = "UPDATE requests SET claimed_by = NULL, pid = NULL, waiting_for = $2, retry_at_ms = $3, wait_kind = $4,
            wait_chain_id = $5, wait_anchor = $6, wait_block = $7,
            ready = CASE WHEN $4 = 'nothing' THEN 1
                WHEN wakes <> $8 AND $4 <> 'clock' THEN 1
                WHEN $4 = 'root' AND EXISTS (SELECT 1 FROM anchored_roots
                    WHERE chain_id = $5 AND anchor = $6 AND height >= $7) THEN 1
                ELSE 0 END
        WHERE id = $1 AND claimed_by = $9 RETURNING CASE WHEN ready = 1 AND done = 0 THEN 1 ELSE 0 END";
    let (text, wait) = (&park.waiting_for, park.wait.name());
    let args = args![id, text, retry_at_ms, wait, chain, anchor, block, park.wakes_seen, owner];
    flag(tx.fetch_one(sql, args).await?)
}

/// Ends the claim of a worker that left nothing; `None` if there was no claim, else whether it may be claimed at once.
async fn release(
    tx: &mut Tx,
    by: Claimant<'_>,
    id: RequestId,
    retry_at_ms: Option<i64>,
    error: Option<&str>,
    now_ms: i64,
) -> Result<Option<bool>> {
    let sql =
        "UPDATE requests SET claimed_by = NULL, pid = NULL, retry_at_ms = $3, last_error = COALESCE($4, last_error),
            ready = CASE WHEN $3 IS NULL THEN 1 ELSE 0 END, wait_kind = 'clock', waiting_for = $5, updated_at_ms = $6
        WHERE id = $1 AND claimed_by = $2 AND claim_seq = COALESCE($7, claim_seq) RETURNING CASE WHEN ready = 1 AND done = 0 THEN 1 ELSE 0 END";
    let waiting = retry_at_ms.map(|_| "another try after its worker failed");
    let row = tx.fetch_one(sql, args![id, by.owner, retry_at_ms, error, waiting, now_ms, by.seq]).await?;
    if row.is_none() {
        return Ok(None);
    }
    if let Some(error) = error {
        super::log::append(tx, id, error, now_ms).await?;
    }
    flag(row).map(Some)
}

fn flag(row: Option<Row>) -> Result<bool> {
    row.map_or(Ok(false), |mut row| row.take())
}
