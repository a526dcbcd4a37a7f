//! One request in hand: the job, what the chains said about it, and the ways to leave it.

use super::answers::{Reading, ask};
use super::desk::{Errands, Leave};
use super::facts;
use crate::messages::Job;
use facilitator_chain::reader::{Answer, At, Query};
use facilitator_eth::Address;
use facilitator_protocol::contracts::View;
use facilitator_protocol::contracts::gateway as gateways;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{
    Kind, MessageStatus, Park, Request, Side, Stage, State, Step, Update, Wait, awaited_root,
};
use facilitator_protocol::secret::SecretInput;
use facilitator_protocol::transfer::accept::{FeeLevel, InFlight};
use facilitator_protocol::transfer::{BoxStatus, Statuses};
use facilitator_sender::Failure;

/// Longest time between two looks at a request that may not be accepted now, in milliseconds.
const LONGEST_HOLD_MS: u64 = 30_000;

/// A request in the hands of its worker.
pub(super) struct Case {
    /// What the parent gave.
    pub(super) job: Job,
    /// What both chains said, once asked.
    pub(super) statuses: Option<Statuses>,
    /// Answers that came with the statuses, to what would most likely be asked next.
    foreseen: Vec<(Side, Query, Answer)>,
}

impl Case {
    pub(super) const fn new(job: Job) -> Self {
        Self { job, statuses: None, foreseen: Vec::new() }
    }

    pub(super) const fn request(&self) -> &Request {
        &self.job.request
    }

    pub(super) const fn kind(&self) -> Kind {
        self.job.request.kind
    }

    pub(super) const fn source(&self) -> Side {
        self.kind().source()
    }

    pub(super) const fn target(&self) -> Side {
        self.kind().target()
    }

    /// The newest block of a side before this worker read anything.
    pub(super) const fn head_on(&self, side: Side) -> u64 {
        let is_source =
            matches!((side, self.source()), (Side::Origin, Side::Origin) | (Side::Auxiliary, Side::Auxiliary));
        if is_source { self.job.source_head.number } else { self.job.target_head.number }
    }

    /// What a sender offers for gas on a side.
    pub(super) fn fee_on(&self, side: Side) -> FeeLevel {
        let (source, target) = self.job.priority_fees;
        if side == self.source() {
            facts::fee_level(self.job.source_head, source)
        } else {
            facts::fee_level(self.job.target_head, target)
        }
    }

    /// The key that signs on a side, as assigned at the accept.
    pub(super) const fn worker_on(&self, side: Side) -> Option<Address> {
        match side {
            Side::Origin => self.job.request.origin_worker,
            Side::Auxiliary => self.job.request.auxiliary_worker,
        }
    }

    /// Other requests that reveal their secret at the expense of this key now.
    pub(super) fn reveals_on(&self, side: Side, account: Address) -> InFlight {
        let keys = if side == self.source() { &self.job.source_workers } else { &self.job.target_workers };
        keys.iter().find(|key| key.address == account).map(|key| key.reveals).unwrap_or_default()
    }

    pub(super) const fn target_worker(&self) -> Option<Address> {
        self.worker_on(self.target())
    }

    /// Law 1: what both chains say about the message now. Without a message there is nothing to ask. What will most likely be
    /// asked next comes with it, for [`Case::read`].
    pub(super) async fn read_statuses<D: Errands>(
        &mut self,
        desk: &mut D,
        gateway: &GatewaySet,
        next: Vec<(Side, Query)>,
    ) -> Result<Statuses, Leave> {
        let statuses = match self.request().message_hash {
            None => Statuses {
                outbox: BoxStatus::settled(MessageStatus::Undeclared),
                inbox: BoxStatus::settled(MessageStatus::Undeclared),
            },
            Some(message) => {
                let (source, target) = (self.source(), self.target());
                let (outbox, inbox) = (gateways::outbox_status(message), gateways::inbox_status(message));
                let mut reads = vec![
                    (source, at_latest_and_final(gateway.box_on(source), &outbox)),
                    (target, at_latest_and_final(gateway.box_on(target), &inbox)),
                ];
                for (side, queries) in &mut reads {
                    queries.extend(next.iter().filter(|(of, _)| of == side).map(|(_, query)| query.clone()));
                }
                let answers = desk.read_many(reads).await?;
                let [of_outbox, of_inbox] = [0, 1].map(|place| answers.get(place).map_or(&[][..], Vec::as_slice));
                let (outbox, outbox_rest) = box_status(source, &outbox, of_outbox)?;
                let (inbox, inbox_rest) = box_status(target, &inbox, of_inbox)?;
                for (side, answers) in [(source, outbox_rest), (target, inbox_rest)] {
                    let asked = next.iter().filter(|(of, _)| *of == side);
                    let come = asked.zip(answers).map(|((_, query), answer)| (side, query.clone(), answer.clone()));
                    self.foreseen.extend(come);
                }
                Statuses { outbox, inbox }
            }
        };
        self.statuses = Some(statuses);
        Ok(statuses)
    }

    /// The answer to one question: the one that came with the statuses, if it was foreseen.
    pub(super) async fn read<D: Errands>(
        &self,
        desk: &mut D,
        side: Side,
        query: Query,
    ) -> Result<Option<Answer>, Leave> {
        let known = self.foreseen.iter().find(|(of, asked, _)| (*of, asked) == (side, &query));
        if let Some((_, _, answer)) = known {
            return Ok(Some(answer.clone()));
        }
        Ok(desk.read(side, vec![query]).await?.into_iter().next())
    }

    /// What was read of the chains, for the row.
    pub(super) fn observed(&self) -> Update {
        let latest = |pick: fn(&Statuses) -> BoxStatus| self.statuses.as_ref().map(|s| pick(s).latest);
        Update { outbox: latest(|s| s.outbox), inbox: latest(|s| s.inbox), ..Update::default() }
    }

    /// Where the message stands by what was read: the single state derived from the two legs.
    pub(super) fn observed_state(&self) -> State {
        use MessageStatus::{Declared, DeclaredRevocation, Progressed, Revoked, Undeclared};
        let Some(Statuses { outbox, inbox }) = self.statuses else { return self.request().state };
        match (outbox.finalised, inbox.finalised) {
            (Undeclared, _) => State::Requested,
            (Declared | DeclaredRevocation, Undeclared) if self.request().state == State::AccountProven => {
                State::AccountProven
            }
            (Declared | DeclaredRevocation, Undeclared) => State::Accepted,
            (Declared | DeclaredRevocation, Declared | DeclaredRevocation | Revoked) => State::IntentConfirmed,
            (Progressed, Undeclared | Declared | DeclaredRevocation | Revoked) => State::SourceProgressed,
            (Declared | DeclaredRevocation, Progressed) => State::TargetProgressed,
            // Both legs are done; COMPLETE is said by the decision alone, once nothing can take it back.
            (Progressed, Progressed) => State::TargetProgressed,
            (Revoked, _) => State::Revoked,
        }
    }

    /// How often `step` failed by the journal, if that is more often than the row has waited for.
    pub(super) fn fresh_failure(&self, step: Step) -> Option<(u32, String)> {
        let failed = self.job.failed.iter().find(|failed| failed.step == step)?;
        (failed.count > self.request().failures).then(|| (failed.count, failed.error.clone()))
    }

    /// The input that this request's secret of an attempt is derived from (law 3).
    pub(super) fn secret_input(&self, proxy: Address, attempt: u32) -> SecretInput {
        let request = self.request();
        SecretInput {
            chain_id: request.position.chain_id,
            pool: request.pool,
            gateway: request.terms.gateway,
            request_hash: request.terms.request_hash,
            proxy,
            nonce: request.terms.nonce,
            attempt,
        }
    }

    fn park(&self, update: Update, wait: Wait, waiting_for: Option<String>, retry_in_ms: Option<u64>) -> Park {
        Park { update, wait, waiting_for, retry_in_ms, wakes_seen: self.request().wakes }
    }

    /// Something was sent or is under way: the next final event of the message wakes the request.
    pub(super) fn wait_for_happening(&self, what: String) -> Park {
        self.park(self.advanced(), Wait::Happening, Some(what), Some(self.job.recheck_ms))
    }

    /// What the row becomes when nothing stands in the way: the counters begin anew.
    fn advanced(&self) -> Update {
        let (failures, holds) = (Some(0), Some(0));
        Update { state: Some(self.observed_state()), failures, holds, ..self.observed() }
    }

    /// Whether a transaction of this step is on its way, so that all there is to do is wait for it.
    pub(super) fn is_under_way(&self, step: Step) -> bool {
        self.job.alive.contains(&step)
    }

    /// A state root of the source chain is missing on the target chain.
    pub(super) fn wait_for_root(&self, gateway: &GatewaySet, at_least: u64) -> Park {
        self.wait_for_root_of(self.source(), gateway, at_least)
    }

    /// A state root of this chain is missing on the other one.
    pub(super) fn wait_for_root_of(&self, from: Side, gateway: &GatewaySet, at_least: u64) -> Park {
        let to = from.other();
        let wait = Wait::Root { chain_id: gateway.chain_id(to), anchor: gateway.anchor_on(to), at_least };
        self.park(self.advanced(), wait, Some(awaited_root(from, at_least)), Some(self.job.recheck_ms))
    }

    /// Not now: time or the operator mends it.
    pub(super) fn hold(&self, reason: String) -> Park {
        let holds = self.request().holds.saturating_add(1);
        let update = Update { state: Some(self.observed_state()), holds: Some(holds), ..self.observed() };
        // What an operator mends is looked for more often than what has failed.
        let again = self.job.backoff.after(holds).min(LONGEST_HOLD_MS);
        self.park(update, Wait::Happening, Some(reason), Some(again))
    }

    /// A step failed; it is tried again after the back-off.
    pub(super) fn failed(&self, stage: Stage, error: &str) -> Park {
        self.failed_times(stage, error, self.request().failures.saturating_add(1))
    }

    /// As [`Case::failed`], with the number of failures that the journal counts.
    pub(super) fn failed_times(&self, stage: Stage, error: &str, failures: u32) -> Park {
        let update = Update {
            state: Some(State::Failed(stage)),
            failures: Some(failures),
            last_error: Some(error.to_owned()),
            log: Some(format!("{stage} failed (attempt {failures}): {error}")),
            ..self.observed()
        };
        let what = format!("the next try after: {error}");
        // The journal has told of the failure twice, here and as a wake-up: that one must not end the pause.
        self.park(update, Wait::Clock, Some(what), Some(self.job.backoff.after(failures)))
    }

    /// As [`Case::failed`], for the answer of a sender.
    pub(super) fn submit_failed(&self, stage: Stage, failure: &Failure) -> Park {
        self.failed(stage, &failure.to_string())
    }

    /// An end state.
    pub(super) fn finish(&self, state: State, reason: Option<String>) -> Park {
        let done = (state == State::Complete).then(|| "both legs are progressed, finally".to_owned());
        let log = reason.clone().or(done).unwrap_or_else(|| "ended".to_owned());
        let update = Update { state: Some(state), failures: Some(0), log: Some(log), ..self.observed() };
        let update = match (state, reason) {
            (State::Skipped | State::TakenByOther | State::Revoked | State::Rejected, Some(reason)) => {
                Update { last_error: Some(reason), ..update }
            }
            (_, Some(_) | None) => update,
        };
        self.park(update, Wait::End, None, None)
    }

    /// Something in the row has changed what is to be done: another worker begins with it at once.
    pub(super) fn look_again(&self) -> Park {
        self.park(Update::default(), Wait::Nothing, None, None)
    }

    /// Nothing stands in the way of these steps; the next worker takes them.
    pub(super) fn ready_to_send(&self, steps: &[Step]) -> Park {
        let steps: Vec<String> = steps.iter().map(Step::to_string).collect();
        let what = format!("the facilitator to start; it then sends {}", steps.join(" and "));
        self.park(self.advanced(), Wait::Nothing, Some(what), None)
    }

    /// The facilitator stops: whatever was decided is decided again by the next worker.
    pub(super) fn hand_back(&self) -> Park {
        self.park(Update::default(), Wait::Nothing, Some("the facilitator to start again".to_owned()), None)
    }

    /// A chain could not be read. That is no failure of the step, so the state stays.
    pub(super) fn unreadable(&self, side: Side, text: &str) -> Park {
        let holds = self.request().holds.saturating_add(1);
        let error = format!("could not read the {side} chain: {text}");
        let update = Update { holds: Some(holds), last_error: Some(error.clone()), ..Update::default() };
        let again = self.job.backoff.after(holds).min(LONGEST_HOLD_MS);
        self.park(update, Wait::Happening, Some(error), Some(again))
    }

    /// The chains say what no rule covers.
    pub(super) fn contradiction(&self, statuses: Statuses) -> Park {
        let Statuses { outbox, inbox } = statuses;
        let error = format!(
            "the chains contradict each other: the message is {} in the outbox and {} in the inbox; \
             check both nodes, then `facilitator requests retry`",
            outbox.latest, inbox.latest
        );
        let update = Update {
            state: Some(State::Unknown),
            last_error: Some(error.clone()),
            log: Some(error.clone()),
            ..self.observed()
        };
        self.park(update, Wait::Happening, Some(error), Some(self.job.backoff.max_ms))
    }
}

fn at_latest_and_final(to: Address, view: &View<MessageStatus>) -> Vec<Query> {
    [At::Latest, At::Final].map(|at| ask(to, view, at)).to_vec()
}

/// The status, and the answers behind it.
fn box_status<'a>(
    side: Side,
    view: &View<MessageStatus>,
    answers: &'a [Answer],
) -> Result<(BoxStatus, &'a [Answer]), Leave> {
    let mut reading = Reading::new(side, answers);
    let latest = reading.view(view)?;
    let finalised = reading.view(view)?;
    Ok((BoxStatus { latest, finalised }, reading.rest()))
}
