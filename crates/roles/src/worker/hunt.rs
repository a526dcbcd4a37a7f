//! A message that somebody else left unfinished: whether it pays to finish it, and the next step.
//!
//! Law 4 holds for it as for our own, by the same table. Nothing of it is ours, so wherever it does not pay, or its
//! sender takes it back, it is left alone, with the reason in its row. Order, and what a death right there leads to:
//! chains read (nothing happened) → what only `messages(hash)` says committed (the next worker finds it in the row) →
//! the step, as with our own requests.

use super::answers::{Reading, latest};
use super::case::Case;
use super::desk::{Errands, Leave};
use super::facts::{fee_level, known, payment_queries, read_payment, with_nonce};
use super::{by_proof, progress, prove};
use crate::messages::WorkerKey;
use facilitator_chain::reader::{Answer, At, Query};
use facilitator_eth::{Address, B256, U256};
use facilitator_kill::kill_point;
use facilitator_protocol::contracts::gateway::{self as gateways, StoredMessage};
use facilitator_protocol::contracts::token;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::hashes;
use facilitator_protocol::model::{FinePrint, Kind, Park, Request, Side, Stage, State, Step, Terms, Update};
use facilitator_protocol::transfer::Statuses;
use facilitator_protocol::transfer::hunt::{
    HuntFacts, HuntStep, MOST_FAILURES, MOST_HOLDS, Means, Opening, Purse, Unworthy, decide_hunt, worth,
};
use facilitator_protocol::transfer::profit::RewardIn;

/// Penalty of a revocation in percent of the bounty (protocol.md §5.5).
const PENALTY_PERCENT: u64 = 150;

/// What a message waits for once its next step is handed over.
const SENT: &str = "what was sent for it to be mined and confirmed";

/// How the reason of a message that is left alone begins.
const LEFT_ALONE: &str = "left alone: ";

pub(super) async fn run<D: Errands>(
    desk: &mut D,
    case: &mut Case,
    gateway: &GatewaySet,
    statuses: Statuses,
) -> Result<Park, Leave> {
    let secret_is_public = has_public_secret(case.request());
    let step = decide_hunt(statuses, secret_is_public);
    match step {
        HuntStep::Await(awaited) => return Ok(case.wait_for_happening(awaited.to_string())),
        HuntStep::Finish(state) => return Ok(case.finish(state, None)),
        HuntStep::Contradiction => return Ok(case.contradiction(statuses)),
        HuntStep::Leave => return Ok(leave(case, None, "its sender takes it back")),
        HuntStep::Confirm | HuntStep::Progress(_) => {}
    }
    let steps = steps_of(case.kind(), step);
    let under_way = steps.iter().filter(|step| case.is_under_way(**step)).count();
    if under_way == steps.len() {
        return Ok(case.wait_for_happening(SENT.to_owned()));
    }
    let Some(policy) = case.job.hunt.as_ref().map(|hunt| hunt.policy.clone()) else {
        return Ok(leave(case, None, "finishing what others left is turned off (`hunter.enabled`)"));
    };
    if let Some(reason) = failed_too_often(case, &steps) {
        // The other leg may still bring what it was sent for.
        return Ok(if under_way > 0 { case.wait_for_happening(SENT.to_owned()) } else { leave(case, None, &reason) });
    }
    let Some((print, facts)) = read(desk, case, gateway, statuses, step).await? else {
        return Ok(leave(case, None, "neither contract has its gas price, gas limit and hash lock any more"));
    };
    let workers = match worth(case.request(), &facts, step, &policy, &case.job.policy) {
        Ok(workers) => workers,
        // What was sent is waited for, whatever the prices say now: afterwards the rest is judged.
        Err(_) if under_way > 0 => return Ok(case.wait_for_happening(SENT.to_owned())),
        Err(lack @ (Unworthy::NoGasFunds { .. } | Unworthy::NotYet(_))) => return Ok(hold(case, print, &lack)),
        Err(unworthy @ (Unworthy::Loss { .. } | Unworthy::NoPrice(_) | Unworthy::Never(_))) => {
            return Ok(leave(case, Some(print), &unworthy.to_string()));
        }
    };
    take_up(desk, case, print, facts.bounty, workers).await?;
    match step {
        HuntStep::Progress(Opening { legs, means: Means::Proof }) => {
            by_proof::run(desk, case, gateway, legs, statuses).await
        }
        HuntStep::Progress(Opening { legs, means: Means::Secret }) => progress::run(desk, case, gateway, legs).await,
        HuntStep::Confirm | HuntStep::Await(_) | HuntStep::Leave | HuntStep::Finish(_) | HuntStep::Contradiction => {
            prove::run(desk, case, gateway).await
        }
    }
}

/// The transactions that a step leads to, but for the gateway proof, which is not of this message alone.
fn steps_of(kind: Kind, step: HuntStep) -> Vec<Step> {
    match step {
        HuntStep::Confirm => vec![Step::Confirm],
        HuntStep::Progress(opening) => progress::legs_of(kind, opening.legs).iter().map(|leg| leg.step).collect(),
        HuntStep::Await(_) | HuntStep::Leave | HuntStep::Finish(_) | HuntStep::Contradiction => Vec::new(),
    }
}

/// The reason stands in the row; in its life only once, however often it is judged anew.
fn leave(case: &Case, print: Option<FinePrint>, reason: &str) -> Park {
    let reason = format!("{LEFT_ALONE}{reason}");
    let is_said = case.request().last_error.as_ref().is_some_and(|error| error.starts_with(LEFT_ALONE));
    let mut park = case.finish(State::Skipped, Some(reason));
    park.update.fine_print = print;
    if is_said {
        park.update.log = None;
    }
    park
}

/// Time or the operator may mend it; but not for ever, since whoever is looked at keeps others from being.
fn hold(case: &Case, print: FinePrint, lack: &Unworthy) -> Park {
    let looks = case.request().holds.saturating_add(1);
    if looks < MOST_HOLDS {
        return case.hold(lack.to_string());
    }
    let mut park = leave(case, Some(print), &format!("it has waited in {looks} looks for {lack}"));
    park.update.holds = Some(looks);
    park
}

/// Why nothing is tried any more, if a step that is left has failed too often: by the journal, which forgets only with
/// `requests retry`, or in simulations in a row.
fn failed_too_often(case: &Case, steps: &[Step]) -> Option<String> {
    let matters = |step: Step| step == Step::ProveGateway || steps.contains(&step);
    let failed = case.job.failed.iter().filter(|failed| failed.refused >= MOST_FAILURES && matters(failed.step));
    if let Some(failed) = failed.max_by_key(|failed| failed.refused) {
        let (step, count, error) = (failed.step, failed.refused, &failed.error);
        return Some(format!(
            "its step {step} has failed {count} times, last: {error}; `facilitator requests retry` has it tried again"
        ));
    }
    let request = case.request();
    let State::Failed(stage) = request.state else { return None };
    if request.failures < MOST_FAILURES || !matters(step_of(stage)) {
        return None;
    }
    let error = request.last_error.as_deref().unwrap_or("no reason was kept");
    Some(format!("{stage} has failed {} times in a row, last: {error}", request.failures))
}

const fn step_of(stage: Stage) -> Step {
    match stage {
        Stage::Accept => Step::Accept,
        Stage::Prove => Step::ProveGateway,
        Stage::Confirm => Step::Confirm,
        Stage::ProgressSource => Step::ProgressSource,
        Stage::ProgressTarget => Step::ProgressTarget,
    }
}

/// Whether the chain has published the secret. The lock is not in the row before the first look; the contract has
/// compared both then.
pub(super) fn has_public_secret(request: &Request) -> bool {
    let opens = |secret: B256| request.hash_lock.is_none_or(|lock| hashes::hash_lock(&secret.0) == lock);
    request.unlock_secret.is_some_and(opens)
}

/// Reads what the judgement needs, in one round on both chains, and a second one before a confirmation of a sender that
/// has had messages before; `None` if neither contract keeps the message's terms.
async fn read<D: Errands>(
    desk: &mut D,
    case: &Case,
    gateway: &GatewaySet,
    statuses: Statuses,
    step: HuntStep,
) -> Result<Option<(FinePrint, HuntFacts)>, Leave> {
    let (Some(message), Some(hunt)) = (case.request().message_hash, case.job.hunt.as_ref()) else {
        return Err(Leave::OutOfTurn("a foreign message without a hash, or nobody who hunts"));
    };
    let (source, target) = (case.source(), case.target());
    let stored = gateways::messages(message);
    let (source_box, job) = (gateway.box_on(source), &case.job);
    let mut on_source = vec![latest(source_box, &stored), bounty_query(case.kind(), source_box, message)];
    on_source.extend(balances(&job.source_workers));
    let (bounty_token, reward_token) = (bounty_token(case.kind(), gateway), gateway.reward_token(case.kind()));
    let digits = |token: Option<Address>| token.map(|token| latest(token, &token::decimals()));
    on_source.extend(digits(bounty_token));
    let mut on_target = vec![latest(gateway.box_on(target), &stored)];
    on_target.extend(balances(&job.target_workers));
    on_target.extend(digits(reward_token));
    let active = gateways::inbox_active_process(sender_of(case.request()));
    on_target.extend(step.confirms().then(|| latest(gateway.box_on(target), &active)));
    on_target.extend(step.pays_out().then(|| payment_queries(case, gateway)).into_iter().flatten());
    let answers = desk.read_many(vec![(source, on_source), (target, on_target)]).await?;
    let answers_of = |index: usize| answers.get(index).map_or(&[] as &[Answer], Vec::as_slice);
    let mut reading = Reading::new(source, answers_of(0));
    let declared = reading.view(&stored)?;
    let bounty = bounty(case.kind(), &mut reading, message)?;
    let source_workers = purses(&mut reading, source, &job.source_workers)?;
    let bounty_in = asset(&mut reading, bounty_token)?;
    let mut reading = Reading::new(target, answers_of(1));
    let confirmed = reading.view(&stored)?;
    let target_workers = purses(&mut reading, target, &job.target_workers)?;
    let reward_in = asset(&mut reading, reward_token)?;
    let last = if step.confirms() { known(reading.view(&active)?) } else { None };
    let payment = if step.pays_out() { Some(read_payment(case, gateway, &mut reading)?) } else { None };
    let inbox = with_nonce(desk, gateway, target, last).await?;
    let Some(print) = fine_print(case.request(), message, &[declared, confirmed]) else { return Ok(None) };
    let facts = HuntFacts {
        statuses,
        secret_is_public: has_public_secret(case.request()),
        inbox,
        payment,
        bounty,
        bounty_in,
        reward_in,
        roots_come_back: !hunt.roots.is_empty(),
        gas_price: print.gas_price,
        gas_limit: print.gas_limit,
        counted: confirmed.gas_consumed,
        source_fee: fee_level(job.source_head, job.priority_fees.0),
        target_fee: fee_level(job.target_head, job.priority_fees.1),
        source_workers,
        target_workers,
    };
    Ok(Some((print, facts)))
}

/// The token of bounties; those of redeems are paid in base coin.
const fn bounty_token(kind: Kind, gateway: &GatewaySet) -> Option<Address> {
    match kind {
        Kind::Stake => Some(gateway.base_token),
        Kind::Redeem => None,
    }
}

fn asset(reading: &mut Reading<'_>, token: Option<Address>) -> Result<RewardIn, Leave> {
    let Some(address) = token else { return Ok(RewardIn::Coin) };
    Ok(RewardIn::Token { address, decimals: u32::try_from(reading.view(&token::decimals())?).ok() })
}

fn sender_of(request: &Request) -> Address {
    request.message_sender.unwrap_or(request.terms.sender_proxy)
}

/// The terms that give the message's hash: those of the row, else those that a contract keeps. A node that answers with
/// others is not believed.
fn fine_print(request: &Request, message: B256, stored: &[StoredMessage]) -> Option<FinePrint> {
    let Terms { gas_price, gas_limit, .. } = request.terms;
    let known = request.hash_lock.map(|hash_lock| FinePrint { hash_lock, gas_price, gas_limit });
    let kept = stored.iter().map(|kept| {
        let StoredMessage { hash_lock, gas_price, gas_limit, .. } = *kept;
        FinePrint { hash_lock, gas_price, gas_limit }
    });
    let sender = sender_of(request);
    known.into_iter().chain(kept).find(|print| {
        let FinePrint { hash_lock, gas_price, gas_limit } = *print;
        let terms = Terms { gas_price, gas_limit, ..request.terms.clone() };
        hashes::message_of_request(request.kind, &terms, sender, hash_lock) == message
    })
}

fn balances(workers: &[WorkerKey]) -> impl Iterator<Item = Query> {
    workers.iter().map(|worker| Query::Balance { address: worker.address, at: At::Latest })
}

fn purses(reading: &mut Reading<'_>, side: Side, workers: &[WorkerKey]) -> Result<Vec<Purse>, Leave> {
    let purse = |worker: &WorkerKey| {
        // Those that reveal are among those in flight.
        let WorkerKey { address, in_flight: own, foreign, bounties, reveals: _ } = *worker;
        // Bounties of stakes are tokens.
        let bounties = match side {
            Side::Origin => U256::ZERO,
            Side::Auxiliary => bounties,
        };
        reading.number().map(|coin| Purse { address, coin, own, foreign, bounties })
    };
    workers.iter().map(purse).collect()
}

/// The gateway has no view of a stake's bounty but that of its penalty; both are zero once the source leg is done.
fn bounty_query(kind: Kind, at_box: Address, message: B256) -> Query {
    match kind {
        Kind::Stake => latest(at_box, &gateways::penalty(message)),
        Kind::Redeem => latest(at_box, &gateways::redeems(message)),
    }
}

fn bounty(kind: Kind, reading: &mut Reading<'_>, message: B256) -> Result<U256, Leave> {
    Ok(match kind {
        Kind::Stake => {
            let penalty = reading.view(&gateways::penalty(message))?;
            let hundredfold = penalty.saturating_mul(U256::from(100_u64));
            hundredfold.checked_div(U256::from(PENALTY_PERCENT)).unwrap_or(U256::ZERO)
        }
        Kind::Redeem => reading.view(&gateways::redeems(message))?.bounty,
    })
}

/// Commits terms and keys, once and whenever other keys have to pay. `workers`: of the source and of the target chain.
async fn take_up<D: Errands>(
    desk: &mut D,
    case: &mut Case,
    print: FinePrint,
    bounty: U256,
    workers: (Address, Address),
) -> Result<(), Leave> {
    let (origin, auxiliary) = match case.source() {
        Side::Origin => workers,
        Side::Auxiliary => (workers.1, workers.0),
    };
    let request = &mut case.job.request;
    let is_known = request.hash_lock.is_some()
        && (request.origin_worker, request.auxiliary_worker) == (Some(origin), Some(auxiliary));
    request.hash_lock = Some(print.hash_lock);
    (request.terms.gas_price, request.terms.gas_limit) = (print.gas_price, print.gas_limit);
    (request.origin_worker, request.auxiliary_worker) = (Some(origin), Some(auxiliary));
    if is_known {
        return Ok(());
    }
    kill_point!("worker.foreign_terms_read");
    desk.save(Update {
        fine_print: Some(print),
        origin_worker: Some(origin),
        auxiliary_worker: Some(auxiliary),
        bounty: (!bounty.is_zero()).then_some(bounty),
        log: Some("worth finishing".to_owned()),
        ..Update::default()
    })
    .await?;
    kill_point!("worker.foreign_terms_committed");
    Ok(())
}
