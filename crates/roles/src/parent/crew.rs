//! The workers at work, at most so many, and what each is doing.

use super::asks::{Open, Question, WorkerNo};
use super::claim::Claim;
use super::tell;
use crate::messages::{Job, ToWorker};
use facilitator_chain::reader::Answer;
use facilitator_eth::B256;
use facilitator_protocol::model::RequestId;
use facilitator_sender::{Failure, SubmitAnswer};
use facilitator_store::requests::Lost;
use facilitator_supervisor::{ChildHandle, Patience, Stop};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// A worker process.
pub(super) struct Hand {
    /// Its request, as claimed.
    pub(super) claim: Claim,
    /// The request's hash, for the log.
    pub(super) hash: B256,
    /// Its process.
    pub(super) child: ChildHandle<ToWorker>,
    /// It has said how it leaves its request.
    pub(super) parking: bool,
    /// What it has said and was not answered yet.
    pub(super) open: u32,
    /// With its life as a whole.
    patience: Patience,
}

/// All workers.
pub(super) struct Crew {
    max: usize,
    /// Longest life of a worker.
    timeout: Duration,
    last: u64,
    hands: BTreeMap<WorkerNo, Hand>,
    /// How often in a row the worker of a request died.
    deaths: HashMap<RequestId, u32>,
}

impl Crew {
    pub(super) fn new(max: usize, timeout: Duration) -> Self {
        Self { max, timeout, last: 0, hands: BTreeMap::new(), deaths: HashMap::new() }
    }

    pub(super) fn next_no(&mut self) -> WorkerNo {
        self.last += 1;
        WorkerNo(self.last)
    }

    /// Other limits from now on; workers under way keep theirs.
    pub(super) fn limit(&mut self, max: usize, timeout: Duration) {
        (self.max, self.timeout) = (max, timeout);
    }

    /// Says the same to all.
    pub(super) fn tell_all(&self, message: impl Fn() -> ToWorker) {
        for hand in self.hands.values() {
            tell(hand.child.send(&message()));
        }
    }

    /// Whether so many places are free that it is worth while to fill them: those who start together ask together.
    pub(super) fn is_worth_filling(&self) -> bool {
        self.free() >= self.max.div_ceil(2)
    }

    /// How many more may start.
    pub(super) fn free(&self) -> usize {
        self.max.saturating_sub(self.hands.len())
    }

    pub(super) fn len(&self) -> usize {
        self.hands.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hands.is_empty()
    }

    /// Gives a new worker its green light.
    pub(super) fn hire(&mut self, no: WorkerNo, claim: Claim, child: ChildHandle<ToWorker>, job: Job) {
        let hash = job.request.terms.request_hash;
        tell(child.send(&ToWorker::Job(Box::new(job))));
        let hand =
            Hand { claim, hash, child, parking: false, open: 0, patience: Patience::new(self.timeout, Instant::now()) };
        self.hands.insert(no, hand);
    }

    pub(super) fn get_mut(&mut self, no: WorkerNo) -> Option<&mut Hand> {
        self.hands.get_mut(&no)
    }

    /// Answers a worker, if it is still there.
    pub(super) fn send(&mut self, no: WorkerNo, message: &ToWorker) {
        if let Some(hand) = self.hands.get_mut(&no) {
            hand.open = hand.open.saturating_sub(1);
            tell(hand.child.send(message));
        }
    }

    /// Whether a worker is at work that waits for no answer: it may ask something any moment.
    pub(super) fn may_ask(&self) -> bool {
        self.hands.values().any(|hand| hand.open == 0 && !hand.parking)
    }

    /// The worker's row is parked: its deaths are forgotten.
    pub(super) fn parked(&mut self, no: WorkerNo) {
        if let Some(hand) = self.hands.get(&no) {
            self.deaths.remove(&hand.claim.request);
        }
        self.send(no, &ToWorker::Parked);
    }

    /// The worker is gone.
    pub(super) fn bury(&mut self, no: WorkerNo) -> Option<Hand> {
        self.hands.remove(&no)
    }

    /// Counts a death without parking; how many in a row it is now.
    pub(super) fn count_death(&mut self, request: RequestId) -> u32 {
        let deaths = self.deaths.entry(request).or_default();
        *deaths = deaths.saturating_add(1);
        *deaths
    }

    /// Kills the worker of a claim that is lost; one of a later claim on the same row is not meant.
    pub(super) fn dismiss(&self, lost: Lost) {
        for hand in self.hands.values().filter(|hand| hand.claim.is_lost_by(lost)) {
            tracing::warn!(request = %hand.hash, pid = hand.child.pid, "the request is no longer ours: ending its worker");
            hand.child.stop(Stop::Await, Duration::ZERO);
        }
    }

    /// Kills all workers: this instance may not work any more, and others have what they worked on.
    pub(super) fn dismiss_all(&self) {
        for hand in self.hands.values() {
            hand.child.stop(Stop::Await, Duration::ZERO);
        }
    }

    /// Ends workers that live too long: their rows are resumed. To be called often.
    pub(super) fn end_the_hung(&mut self) {
        let now = Instant::now();
        for hand in self.hands.values_mut() {
            if hand.patience.is_over(now) {
                tracing::warn!(request = %hand.hash, pid = hand.child.pid, "ending a worker that takes too long");
                hand.child.stop(Stop::Await, Duration::ZERO);
            }
        }
    }

    /// Asks all to hand back what they have, and kills them after `within`.
    pub(super) fn stop(&self, within: Duration) {
        for hand in self.hands.values() {
            tell(hand.child.send(&ToWorker::Stop));
            hand.child.stop(Stop::Await, within);
        }
    }

    /// Answers a question whose answerer died: the worker parks and tries again soon.
    pub(super) fn answer_for_the_dead(&mut self, open: Open) {
        let gone = "its process was restarted";
        match open.question {
            Question::Read { queries } => {
                let answers = vec![Answer::Failed(gone.to_owned()); queries];
                self.send(open.worker, &ToWorker::Answers(open.ask, answers));
            }
            Question::Submit => {
                let answer = SubmitAnswer::Failed(Failure::Interrupted);
                self.send(open.worker, &ToWorker::Submitted(open.ask, answer));
            }
            // There is no answer in place of a secret; the worker's row is resumed.
            Question::Secret => {
                if let Some(hand) = self.hands.get(&open.worker) {
                    hand.child.stop(Stop::Await, Duration::ZERO);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "crew_tests.rs"]
mod tests;
