//! The table of requests: inserting, claiming, saving, parking.

use super::Disk;
use facilitator_protocol::model::{Attempt, NewRequest, Park, Request, RequestId, Stage, State, Update, Wait};

/// A request with the columns that no worker sees.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) request: Request,
    pub(crate) done: bool,
    pub(crate) ready: bool,
    pub(crate) claimed: bool,
    pub(crate) retry_at_ms: Option<i64>,
    pub(crate) wait: Wait,
    pub(crate) orphaned: bool,
    /// Failures before it count no more.
    pub(crate) retried_at_ms: Option<i64>,
}

impl Row {
    /// What failed before counts no more.
    pub(super) fn begin_anew(&mut self, now_ms: i64) {
        (self.request.failures, self.request.holds) = (0, 0);
        (self.retried_at_ms, self.retry_at_ms) = (Some(now_ms), None);
        self.request.waiting_for = None;
    }

    /// Whether a worker may do anything for it: the event stands, or money is locked.
    fn is_claimable(&self) -> bool {
        !self.done && !self.claimed && self.ready && (!self.orphaned || self.request.declared_block.is_some())
    }

    pub(crate) fn wake(&mut self) {
        self.request.wakes += 1;
        self.ready = true;
    }
}

/// Ends that a declaration of the request's own message proves wrong.
pub(super) const GIVEN_UP: [State; 4] = [State::Skipped, State::TakenByOther, State::Revoked, State::Rejected];

/// What inserting did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inserted {
    New(RequestId),
    Moved,
    Known,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Yes,
    /// The row belongs to somebody else by now, or is gone.
    Lost,
}

impl Disk {
    pub(super) fn insert(&mut self, new: &NewRequest, now_ms: i64) -> Inserted {
        let same = |row: &&mut Row| {
            let Request { position, pool, terms, .. } = &row.request;
            row.orphaned
                && position.chain_id == new.position.chain_id
                && *pool == new.pool
                && terms.request_hash == new.terms.request_hash
        };
        if let Some(row) = self.requests.values_mut().find(same) {
            row.orphaned = false;
            row.wake();
            row.request.position = new.position;
            if GIVEN_UP.contains(&row.request.state) {
                row.done = false;
                row.request.state = State::Requested;
            }
            row.begin_anew(now_ms);
            return Inserted::Moved;
        }
        let known = |request: &Request| {
            let (a, b) = (&request.position, &new.position);
            a.chain_id == b.chain_id && request.pool == new.pool && a.tx_hash == b.tx_hash && a.log_index == b.log_index
        };
        if self.all().any(known) {
            return Inserted::Known;
        }
        self.last_id += 1;
        let id = RequestId(self.last_id);
        let row = Row {
            request: fresh(id, new),
            done: false,
            ready: true,
            claimed: false,
            retry_at_ms: None,
            wait: Wait::Nothing,
            orphaned: false,
            retried_at_ms: None,
        };
        self.requests.insert(id, row);
        Inserted::New(id)
    }

    pub(crate) fn claim_ready(&mut self, limit: usize, now_ms: i64) -> Vec<Request> {
        for row in self.requests.values_mut().filter(|row| !row.done && !row.claimed) {
            if row.retry_at_ms.is_some_and(|at| at <= now_ms) {
                row.ready = true;
                row.retry_at_ms = None;
            }
        }
        let mut free: Vec<&mut Row> = self.requests.values_mut().filter(|row| row.is_claimable()).collect();
        free.sort_by_key(|row| (row.request.declared_block.is_none(), row.request.id));
        free.into_iter()
            .take(limit)
            .map(|row| {
                row.claimed = true;
                row.ready = false;
                row.retry_at_ms = None;
                row.wait = Wait::Nothing;
                row.request.waiting_for = None;
                row.request.clone()
            })
            .collect()
    }

    pub(crate) fn release_all_claims(&mut self) {
        for row in self.requests.values_mut().filter(|row| row.claimed) {
            row.claimed = false;
            row.ready = true;
        }
    }

    pub(crate) fn update(&mut self, id: RequestId, update: &Update, now_ms: i64) -> Kept {
        let Some(row) = self.requests.get_mut(&id).filter(|row| row.claimed) else { return Kept::Lost };
        apply(row, update);
        if let Some(Attempt { message_hash, .. }) = update.attempt {
            self.catch_up(message_hash, now_ms);
        }
        if let Some(height) = update.proof_height {
            self.proven_before(id, height);
        }
        Kept::Yes
    }

    fn proven_before(&mut self, id: RequestId, height: u64) {
        let Some(row) = self.requests.get_mut(&id) else { return };
        let proven = self.proven[row.request.kind.source()].contains_key(&height);
        let waits = matches!(row.request.state, State::Accepted | State::Failed(Stage::Prove));
        if proven && waits && !row.done {
            row.request.state = State::AccountProven;
        }
    }

    pub(crate) fn park(&mut self, id: RequestId, park: &Park, retry_at_ms: Option<i64>, now_ms: i64) -> Kept {
        if self.update(id, &park.update, now_ms) == Kept::Lost {
            return Kept::Lost;
        }
        let anchored = match park.wait {
            Wait::Root { at_least, .. } => self.requests.get(&id).is_some_and(|row| {
                let target = row.request.kind.target();
                self.roots.iter().any(|root| root.side == target && root.height >= at_least)
            }),
            Wait::Nothing | Wait::Happening | Wait::Clock | Wait::End => false,
        };
        let Some(row) = self.requests.get_mut(&id) else { return Kept::Lost };
        let gave_up = park.update.state.is_some_and(|state| GIVEN_UP.contains(&state));
        let unseen = row.request.wakes != park.wakes_seen && row.done && row.request.declared_block.is_some();
        if gave_up && unseen {
            (row.request.state, row.done) = (State::Accepted, false);
        }
        row.claimed = false;
        row.retry_at_ms = retry_at_ms;
        row.request.waiting_for.clone_from(&park.waiting_for);
        row.wait = park.wait.clone();
        let woken = row.request.wakes != park.wakes_seen && park.wait != Wait::Clock;
        row.ready = woken || park.wait == Wait::Nothing || anchored;
        Kept::Yes
    }

    pub(crate) fn release(&mut self, id: RequestId, retry_at_ms: Option<i64>) -> Kept {
        let Some(row) = self.requests.get_mut(&id).filter(|row| row.claimed) else { return Kept::Lost };
        row.claimed = false;
        row.retry_at_ms = retry_at_ms;
        row.ready = retry_at_ms.is_none();
        row.wait = Wait::Clock;
        Kept::Yes
    }
}

fn fresh(id: RequestId, new: &NewRequest) -> Request {
    Request {
        id,
        kind: new.kind,
        state: State::Requested,
        origin_chain_id: new.origin_chain_id,
        auxiliary_chain_id: new.auxiliary_chain_id,
        pool: new.pool,
        terms: new.terms.clone(),
        position: new.position,
        hunted: false,
        attempt: 0,
        hash_lock: None,
        message_hash: None,
        message_sender: None,
        unlock_secret: None,
        origin_worker: None,
        auxiliary_worker: None,
        declared_block: None,
        proof_height: None,
        bounty: None,
        reward: None,
        paid_out: None,
        failures: 0,
        holds: 0,
        wakes: 0,
        waiting_for: None,
        last_error: None,
        claim_seq: 0,
    }
}

/// The statement that saves facts. A new attempt makes the facts of the former one void.
fn apply(row: &mut Row, update: &Update) {
    let was_done = row.done;
    let request = &mut row.request;
    if let Some(state) = update.state.filter(|_| !was_done) {
        request.state = state;
        row.done = state.is_end();
    }
    if let Some(attempt) = update.attempt {
        if attempt.number != request.attempt {
            request.message_sender = None;
            request.declared_block = None;
            request.proof_height = None;
            request.unlock_secret = None;
        }
        request.attempt = attempt.number;
        request.hash_lock = Some(attempt.hash_lock);
        request.message_hash = Some(attempt.message_hash);
    }
    request.message_sender = update.message_sender.or(request.message_sender);
    request.declared_block = update.declared_block.or(request.declared_block);
    request.proof_height = update.proof_height.or(request.proof_height);
    request.origin_worker = update.origin_worker.or(request.origin_worker);
    request.auxiliary_worker = update.auxiliary_worker.or(request.auxiliary_worker);
    request.bounty = update.bounty.or(request.bounty);
    request.failures = update.failures.unwrap_or(request.failures);
    request.holds = update.holds.unwrap_or(request.holds);
    if update.last_error.is_some() {
        request.last_error.clone_from(&update.last_error);
    }
}
