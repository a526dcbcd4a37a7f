//! From queued to signed: allowances, estimates, and one commit for all signatures.

use super::{Progress, Sender, end::Ending, observe::simulation, survey::token_flow};
use crate::{
    SenderError,
    book::{DependencyDone, Flight},
    keep::Keep,
    node::{self, Ask, Simulate, Simulation, TokenFlow},
    policy::{
        allowance::{self, Flow, Plan},
        simulated::{self, Verdict},
    },
    types::{Failure, Head},
};
use facilitator_chain::rpc::RpcError;
use facilitator_eth::{Address, Bytes, U256, abi};
use facilitator_kill::kill_point;
use facilitator_protocol::{contracts::token, model::Step};
use facilitator_store::journal::{Allowance, EntryId, EntryState, NewEntry, Queued, Visibility};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most transactions estimated in one round.
const MAX_CANDIDATES: usize = 500;
/// Estimates in a row that a node may fail to answer until the intent ends.
const MAX_UNJUDGED: u32 = 10;

/// A candidate that may be signed, with its gas limit.
pub(super) struct Ready {
    pub(super) id: EntryId,
    pub(super) gas_limit: u64,
}

impl<N: Ask, K: Keep> Sender<N, K> {
    /// One round: approves what the waiting need, estimates what may go, signs it.
    ///
    /// Dying before the signatures are committed leaves the entries queued; nothing has left the process.
    pub(super) async fn prepare(&mut self, head: Head, now_ms: i64) -> Result<Progress, SenderError> {
        self.refuse_uncovered(now_ms).await?;
        let admitted = self.plan_allowances(now_ms).await?;
        let candidates = self.candidates(head, &admitted);
        if candidates.is_empty() {
            return Ok(Progress::Idle);
        }
        let Some((ready, refused)) = self.estimate(&candidates, head, now_ms).await else {
            return Ok(Progress::Idle);
        };
        let ended = !refused.is_empty();
        self.fail(refused, now_ms).await?;
        let signed = self.sign(head, ready, now_ms).await?;
        Ok(if ended || signed == Progress::Made { Progress::Made } else { Progress::Idle })
    }

    /// Ends those that take more tokens than their account has beside what its other transactions in flight will take,
    /// oldest first served (protocol.md R13): each alone would be estimated well, and all but the first be mined in vain.
    async fn refuse_uncovered(&mut self, now_ms: i64) -> Result<(), SenderError> {
        let mut left: BTreeMap<(Address, Address), U256> = BTreeMap::new();
        let mut endings = Vec::new();
        for flight in self.book.iter().filter(|flight| flight.is_queued() && self.is_free(flight)) {
            let Some(Allowance { token, amount, .. }) = flight.entry.allowance else { continue };
            let Some(has) = self.survey.tokens(flight.account, token) else { continue };
            let account = flight.account;
            let taken = || self.tokens_in_flight(account, token);
            let left = left.entry((account, token)).or_insert_with(|| has.saturating_sub(taken()));
            match left.checked_sub(amount) {
                Some(rest) => *left = rest,
                None => {
                    let failure = Failure::InsufficientTokens { account, token, needed: amount, has: *left };
                    endings.push(Ending::unmined(flight.id(), failure));
                }
            }
        }
        self.fail(endings, now_ms).await
    }

    /// Tokens that the account's transactions take which are not executed at this head.
    fn tokens_in_flight(&self, account: Address, token: Address) -> U256 {
        let executed = self.survey.count(account).unwrap_or(0);
        let pending = |flight: &&Flight| flight.entry.nonce.is_none_or(|nonce| nonce >= executed);
        let taken = |flight: &Flight| flight.entry.allowance.filter(|allowance| allowance.token == token);
        let in_flight = self.book.in_flight(account).into_iter();
        in_flight
            .filter(pending)
            .filter_map(taken)
            .fold(U256::ZERO, |sum, allowance| sum.saturating_add(allowance.amount))
    }

    /// Decides which of those that spend an allowance may go, and queues the approvals that the others need.
    async fn plan_allowances(&mut self, now_ms: i64) -> Result<BTreeSet<EntryId>, SenderError> {
        let mut waiting: BTreeMap<TokenFlow, Vec<(EntryId, U256)>> = BTreeMap::new();
        for flight in self.book.iter().filter(|flight| flight.is_queued() && self.is_free(flight)) {
            if let (Some(flow), Some(allowance)) = (token_flow(flight), flight.entry.allowance) {
                waiting.entry(flow).or_default().push((flight.id(), allowance.amount));
            }
        }
        let mut admitted = BTreeSet::new();
        let mut approvals = Vec::new();
        for (flow, needs) in waiting {
            if self.survey.tokens(flow.owner, flow.token).is_none() {
                continue;
            }
            let Some(on_chain) = self.survey.allowance(flow) else { continue };
            let amounts: Vec<U256> = needs.iter().map(|(_, amount)| *amount).collect();
            match allowance::plan(on_chain, &self.flows(flow), &amounts) {
                Plan::Admit(count) => admitted.extend(needs.iter().take(count).map(|(id, _)| *id)),
                Plan::Approve(sum) => approvals.extend(needs.first().map(|(first, _)| approval(flow, *first, sum))),
                Plan::Wait => {}
            }
        }
        self.queue_approvals(&approvals, now_ms).await?;
        Ok(admitted)
    }

    /// Queues approvals. One that the journal knows as final was undone by a reorg deeper than the confirmations, or
    /// somebody else has used the allowance up: the chain says at this head that it is missing. Its name is freed, so
    /// that the same can be approved once more; dying in between, the next round decides the same again.
    async fn queue_approvals(&mut self, approvals: &[NewEntry], now_ms: i64) -> Result<(), SenderError> {
        if approvals.is_empty() {
            return Ok(());
        }
        let mut queued = self.journal.queue(&self.leases(), approvals, now_ms).await?;
        kill_point!("sender.approval_queued");
        let is_final = |queued: &&Queued| queued.entry.state == EntryState::Final;
        let undone: Vec<EntryId> = queued.iter().filter(is_final).map(|queued| queued.entry.id).collect();
        if !undone.is_empty() {
            tracing::warn!(count = undone.len(), "an allowance is missing that was approved: it is approved once more");
            self.journal.supersede(&self.leases(), &undone, now_ms).await?;
            queued = self.journal.queue(&self.leases(), approvals, now_ms).await?;
        }
        for queued in queued {
            if let Some(account) = queued.entry.account {
                self.book.insert(Flight::new(queued.entry, account));
            }
        }
        Ok(())
    }

    /// What the transactions that are not executed at this head will do to an allowance, in the order of nonces; an
    /// approval that isn't signed yet comes last.
    fn flows(&self, flow: TokenFlow) -> Vec<Flow> {
        let executed = self.survey.count(flow.owner).unwrap_or(0);
        let pending = |flight: &&Flight| flight.entry.nonce.is_none_or(|nonce| nonce >= executed);
        let in_flight = self.book.in_flight(flow.owner);
        let approvals = self.book.of(flow.owner).filter(|f| f.is_queued() && f.entry.step == Step::Approve);
        in_flight.into_iter().filter(pending).chain(approvals).filter_map(|flight| effect(flight, flow)).collect()
    }

    /// Whether nothing but its allowance holds a queued entry back.
    fn is_free(&self, flight: &Flight) -> bool {
        flight.data.is_some() && self.may_sign(flight.account) && self.is_after_done(flight)
    }

    fn is_after_done(&self, flight: &Flight) -> bool {
        if flight.dependency_done == DependencyDone::Yes {
            return true;
        }
        let before = flight.entry.after.as_deref().and_then(|after| self.book.by_intent(after));
        before.is_some_and(|before| before.entry.state == EntryState::Mined)
    }

    fn candidates(&self, head: Head, admitted: &BTreeSet<EntryId>) -> Vec<EntryId> {
        let mut slots: BTreeMap<_, usize> = self
            .accounts
            .keys()
            .map(|account| {
                let taken = self.book.in_flight(*account).len();
                (*account, self.settings.max_in_flight.saturating_sub(taken))
            })
            .collect();
        let mut take_slot = |flight: &&Flight| match slots.get_mut(&flight.account) {
            Some(free) if *free > 0 => {
                *free -= 1;
                true
            }
            Some(_) | None => false,
        };
        self.book
            .iter()
            .filter(|flight| flight.is_queued() && flight.refused_at != Some(head.number) && self.is_free(flight))
            .filter(|flight| flight.entry.allowance.is_none() || admitted.contains(&flight.id()))
            .filter(|flight| take_slot(flight))
            .take(MAX_CANDIDATES)
            .map(Flight::id)
            .collect()
    }

    /// Estimates all candidates in one batch; `None` if the node did not answer.
    async fn estimate(&mut self, candidates: &[EntryId], head: Head, now_ms: i64) -> Option<(Vec<Ready>, Vec<Ending>)> {
        let flights = candidates.iter().filter_map(|id| self.book.get(*id));
        let trials: Vec<(EntryId, Simulation, Option<_>, Step)> =
            flights.filter_map(|f| Some((f.id(), simulation(f)?, f.entry.expect, f.entry.step))).collect();
        let mut asked: Vec<Simulate<'_>> = Vec::with_capacity(trials.len() * 2);
        for (_, trial, expect, _) in &trials {
            asked.push(Simulate::Estimate(trial));
            asked.extend(expect.map(|_| Simulate::Call(trial)));
        }
        let answers = self.node.simulate(&asked).await;
        let mut answers = self.reached(answers, now_ms)?.into_iter();
        let missing = || Err(RpcError::Malformed { message: "no answer".to_owned() });
        let (mut ready, mut refused) = (Vec::new(), Vec::new());
        for (id, _, expect, step) in &trials {
            let estimate = answers.next().unwrap_or_else(missing).and_then(|answer| node::gas(&answer));
            let estimate = estimate.map(|gas| simulated::worst_case(*step, gas));
            let call = expect.map(|expect| {
                let answer: Result<Value, RpcError> = answers.next().unwrap_or_else(missing);
                (expect, answer.and_then(|answer| node::returned(&answer)))
            });
            match simulated::judge(estimate, call, self.settings.gas_margin_percent) {
                Verdict::Sign(gas_limit) => ready.push(Ready { id: *id, gas_limit }),
                Verdict::Refuse(failure) => refused.push(Ending::unmined(*id, failure)),
                Verdict::Short => refused.extend(self.short(*id)),
                Verdict::Unknown(error) => refused.extend(self.unjudged(*id, &error, head, now_ms)),
            }
        }
        Some((ready, refused))
    }

    fn short(&self, id: EntryId) -> Option<Ending> {
        let flight = self.book.get(id)?;
        let has = self.survey.balance(flight.account).unwrap_or(U256::ZERO);
        let failure = Failure::InsufficientFunds { account: flight.account, needed: flight.entry.value, has };
        Some(Ending::unmined(id, failure))
    }

    /// Counts an estimate that the node did not answer; too many end the intent.
    fn unjudged(&mut self, id: EntryId, error: &RpcError, head: Head, now_ms: i64) -> Option<Ending> {
        if error.is_transient() {
            self.node_failed(error, now_ms);
            return None;
        }
        let flight = self.book.get_mut(id)?;
        flight.refused_at = Some(head.number);
        flight.unjudged += 1;
        let failure = Failure::Unreachable(error.to_string());
        (flight.unjudged >= MAX_UNJUDGED).then(|| Ending::unmined(id, failure))
    }
}

fn effect(flight: &Flight, flow: TokenFlow) -> Option<Flow> {
    if token_flow(flight) == Some(flow) {
        return flight.entry.allowance.map(|allowance| Flow::Spend(allowance.amount));
    }
    let approves = flight.entry.step == Step::Approve && flight.entry.to == flow.token;
    let (spender, amount) = approved(flight.entry.data.as_ref().filter(|_| approves)?)?;
    (spender == flow.spender).then_some(Flow::Approve(amount))
}

/// Spender and amount of an `approve`.
fn approved(data: &Bytes) -> Option<(Address, U256)> {
    let arguments = data.0.strip_prefix(&abi::selector("approve(address,uint256)"))?;
    let mut words = abi::Words::new(arguments);
    Some((words.address().ok()?, words.uint().ok()?))
}

/// The approval that `first`, the oldest of those waiting, has to have before it. Named after it, so that repeating
/// the decision after a crash finds the same entry.
fn approval(flow: TokenFlow, first: EntryId, amount: U256) -> NewEntry {
    NewEntry {
        intent: format!("approve:{}:{}:{first}", flow.token.to_lower_hex(), flow.spender.to_lower_hex()),
        request_id: None,
        step: Step::Approve,
        account: Some(flow.owner),
        to: flow.token,
        value: U256::ZERO,
        data: token::approve(flow.spender, amount),
        visibility: Visibility::Public,
        after: None,
        allowance: None,
        expect: None,
    }
}
