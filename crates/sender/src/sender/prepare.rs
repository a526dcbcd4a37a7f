//! From queued to signed: allowances, estimates, and one commit for all signatures.

use super::{
    Progress, Sender, Support,
    ahead::{Admitted, Candidate},
    end::Ending,
    observe::simulation,
    survey::token_flow,
};
use crate::{
    SenderError,
    book::Flight,
    keep::Keep,
    node::{self, Ask, Simulate, Simulation, TokenFlow},
    policy::{
        allowance::{self, Flow, Plan, Reliance},
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
use std::collections::BTreeMap;

/// Estimates in a row that a node may fail to answer until the intent ends.
const MAX_UNJUDGED: u32 = 10;

/// A candidate that may be signed, with its gas limit.
pub(super) struct Ready {
    pub(super) id: EntryId,
    pub(super) gas_limit: u64,
    /// The unmined ones that it relies upon: it is signed only behind all of them.
    pub(super) behind: Vec<EntryId>,
}

/// An approval to be queued, and the accepts that need it.
struct Approval {
    entry: NewEntry,
    accepts: Vec<EntryId>,
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
        let Some((ready, refused)) = self.judge_all(candidates, head, now_ms).await else {
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
        for flight in self.book.iter().filter(|flight| flight.is_queued() && self.is_known(flight)) {
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
    async fn plan_allowances(&mut self, now_ms: i64) -> Result<Admitted, SenderError> {
        let mut waiting: BTreeMap<TokenFlow, Vec<(EntryId, U256)>> = BTreeMap::new();
        for flight in self.book.iter().filter(|flight| flight.is_queued() && self.is_known(flight)) {
            if let (Some(flow), Some(allowance)) = (token_flow(flight), flight.entry.allowance) {
                waiting.entry(flow).or_default().push((flight.id(), allowance.amount));
            }
        }
        let reliance = match self.rehearsals {
            Support::Assumed => Reliance::Unmined,
            Support::Refused => Reliance::Mined,
        };
        let mut admitted = Admitted::new();
        let mut approvals = Vec::new();
        for (flow, needs) in waiting {
            if self.survey.tokens(flow.owner, flow.token).is_none() {
                continue;
            }
            let Some(on_chain) = self.survey.allowance(flow) else { continue };
            let amounts: Vec<U256> = needs.iter().map(|(_, amount)| *amount).collect();
            let flows = self.flows(flow);
            let in_flight: Vec<Flow> = flows.iter().map(|(_, effect)| *effect).collect();
            match allowance::plan(on_chain, &in_flight, &amounts, reliance) {
                Plan::Admit(count) => {
                    let approves = |flow: &&(EntryId, Flow)| !matches!(flow.1, Flow::Spend(_));
                    let approval = flows.iter().rfind(approves).map(|(id, _)| *id);
                    admitted.extend(needs.iter().take(count).map(|(id, _)| (*id, approval)));
                }
                Plan::Approve(sum) => {
                    let accepts: Vec<EntryId> = needs.iter().map(|(id, _)| *id).collect();
                    let entry = accepts.first().map(|first| approval(flow, *first, sum));
                    approvals.extend(entry.map(|entry| Approval { entry, accepts }));
                }
                Plan::Wait => {}
            }
        }
        let queued = self.queue_approvals(&approvals, now_ms).await?;
        if reliance == Reliance::Unmined {
            for (approval, id) in approvals.into_iter().zip(queued) {
                let behind = |accept: EntryId| id.map(|id| (accept, Some(id)));
                admitted.extend(approval.accepts.into_iter().filter_map(behind));
            }
        }
        Ok(admitted)
    }

    /// Queues approvals. One that the journal knows as final was undone by a reorg deeper than the confirmations, or
    /// somebody else has used the allowance up: the chain says at this head that it is missing. Its name is freed, so
    /// that the same can be approved once more; dying in between, the next round decides the same again.
    ///
    /// Returns each that is queued now.
    async fn queue_approvals(
        &mut self,
        approvals: &[Approval],
        now_ms: i64,
    ) -> Result<Vec<Option<EntryId>>, SenderError> {
        if approvals.is_empty() {
            return Ok(Vec::new());
        }
        let entries: Vec<NewEntry> = approvals.iter().map(|approval| approval.entry.clone()).collect();
        let mut queued = self.journal.queue(&self.leases(), &entries, now_ms).await?;
        kill_point!("sender.approval_queued");
        let is_final = |queued: &&Queued| queued.entry.state == EntryState::Final;
        let undone: Vec<EntryId> = queued.iter().filter(is_final).map(|queued| queued.entry.id).collect();
        if !undone.is_empty() {
            tracing::warn!(count = undone.len(), "an allowance is missing that was approved: it is approved once more");
            self.journal.supersede(&self.leases(), &undone, now_ms).await?;
            queued = self.journal.queue(&self.leases(), &entries, now_ms).await?;
        }
        let ids = queued.iter().map(|Queued { entry, .. }| (entry.state == EntryState::Queued).then_some(entry.id));
        let ids = ids.collect();
        for queued in queued {
            if let Some(account) = queued.entry.account {
                self.book.insert(Flight::new(queued.entry, account));
            }
        }
        Ok(ids)
    }

    /// What the transactions that are not executed at this head will do to an allowance, in the order of nonces; an
    /// approval that isn't signed yet comes last.
    fn flows(&self, flow: TokenFlow) -> Vec<(EntryId, Flow)> {
        let executed = self.survey.count(flow.owner).unwrap_or(0);
        let pending = |flight: &&Flight| flight.entry.nonce.is_none_or(|nonce| nonce >= executed);
        let in_flight = self.book.in_flight(flow.owner);
        let approvals = self.book.of(flow.owner).filter(|f| f.is_queued() && f.entry.step == Step::Approve);
        let effect = |flight: &Flight| effect(flight, flow).map(|effect| (flight.id(), effect));
        in_flight.into_iter().filter(pending).chain(approvals).filter_map(effect).collect()
    }

    /// Tries all candidates out, together where the node can: those of which nothing is known then are estimated alone.
    /// Alone is also how any that fails has to fail to be believed, and what relies on others that are not mined waits for
    /// them. `None` if the node did not answer.
    async fn judge_all(
        &mut self,
        candidates: Vec<Candidate>,
        head: Head,
        now_ms: i64,
    ) -> Option<(Vec<Ready>, Vec<Ending>)> {
        let needed = self.rehearse(&candidates, head).await;
        let is_open = |candidate: &&Candidate| !needed.contains_key(&candidate.id);
        let alone = |candidate: &Candidate| candidate.behind.is_empty().then_some(candidate.id);
        let alone: Vec<EntryId> = candidates.iter().filter(is_open).filter_map(alone).collect();
        let (mut limits, refused) = self.estimate(&alone, head, now_ms).await?;
        for (id, gas) in needed {
            let Some(flight) = self.book.get(id) else { continue };
            let gas = simulated::worst_case(flight.entry.step, gas);
            limits.insert(id, simulated::with_margin(gas, self.settings.gas_margin_percent));
        }
        let mut ready = Vec::new();
        for Candidate { id, behind } in candidates {
            match limits.get(&id) {
                Some(gas_limit) => ready.push(Ready { id, gas_limit: *gas_limit, behind }),
                None if behind.is_empty() => {}
                None => {
                    // At this head the answer would be the same.
                    if let Some(flight) = self.book.get_mut(id) {
                        flight.refused_at = Some(head.number);
                    }
                }
            }
        }
        Some((ready, refused))
    }

    /// Estimates candidates in one batch, and returns their gas limits; `None` if the node did not answer.
    async fn estimate(
        &mut self,
        candidates: &[EntryId],
        head: Head,
        now_ms: i64,
    ) -> Option<(BTreeMap<EntryId, u64>, Vec<Ending>)> {
        let (mut limits, mut refused) = (BTreeMap::new(), Vec::new());
        if candidates.is_empty() {
            return Some((limits, refused));
        }
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
        for (id, _, expect, step) in &trials {
            let estimate = answers.next().unwrap_or_else(missing).and_then(|answer| node::gas(&answer));
            let estimate = estimate.map(|gas| simulated::worst_case(*step, gas));
            let call = expect.map(|expect| {
                let answer: Result<Value, RpcError> = answers.next().unwrap_or_else(missing);
                (expect, answer.and_then(|answer| node::returned(&answer)))
            });
            match simulated::judge(estimate, call, self.settings.gas_margin_percent) {
                Verdict::Sign(gas_limit) => drop(limits.insert(*id, gas_limit)),
                Verdict::Refuse(failure) => refused.push(Ending::unmined(*id, failure)),
                Verdict::Short => refused.extend(self.short(*id)),
                Verdict::Unknown(error) => refused.extend(self.unjudged(*id, &error, head, now_ms)),
            }
        }
        Some((limits, refused))
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
    let flow_of = if flight.is_queued() { Flow::Planned } else { Flow::Approve };
    (spender == flow.spender).then(|| flow_of(amount))
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
