//! REQUESTED to ACCEPTED: the checklist, then the one transaction that locks the bounty.
//!
//! Order, and what a death right there leads to: facts read (nothing happened) → attempt with hash lock and message
//! hash committed (the next worker derives the same secret) → submitted to the sender, which journals before it signs
//! (the next submit of the same intent finds it) → parked.

use super::answers::{Reading, latest};
use super::case::Case;
use super::desk::{Errands, Leave};
use super::facts;
use facilitator_eth::{Address, U256};
use facilitator_kill::kill_point;
use facilitator_protocol::contracts::{gateway as gateways, pool};
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::hashes;
use facilitator_protocol::model::{Attempt, Kind, MessageStatus, Park, Side, Stage, Step, Update};
use facilitator_protocol::transfer::accept::{AcceptFacts, Refusal, Verdict, judge};
use facilitator_sender::{Allowance, Submit, SubmitAnswer, Visibility};

/// What a request waits for once its accept is handed over.
const ACCEPT_SENT: &str = "the accept to be mined and confirmed";

/// Law 10: an event from the genuine composer proves nothing about its gateway. A request that we may have accepted,
/// before its gateway was taken out of the configuration, is never given up: money is locked in it.
pub(super) fn without_gateway(case: &Case) -> Park {
    let gateway = case.request().terms.gateway;
    if case.request().hash_lock.is_none() || case.request().hunted {
        return refuse(case, &Refusal::UnknownGateway(gateway));
    }
    case.hold(format!(
        "its gateway {gateway} to be configured again: it was accepted and is not finished; put the gateway back into \
         the configuration until it is"
    ))
}

fn refuse(case: &Case, refusal: &Refusal) -> Park {
    case.finish(refusal.state(), Some(refusal.to_string()))
}

pub(super) async fn run<D: Errands>(desk: &mut D, case: &Case, gateway: &GatewaySet) -> Result<Park, Leave> {
    if case.is_under_way(Step::Accept) {
        return Ok(case.wait_for_happening(ACCEPT_SENT.to_owned()));
    }
    if let Some((count, error)) = case.fresh_failure(Step::Accept) {
        return Ok(case.failed_times(Stage::Accept, &error, count));
    }
    let facts = facts::read(desk, case, gateway).await?;
    kill_point!("worker.facts_read");
    if let Some(park) = adopt(desk, case, gateway, &facts).await? {
        return Ok(park);
    }
    match judge(case.request(), &facts, &case.job.policy) {
        Verdict::Refuse(refusal) => Ok(refuse(case, &refusal)),
        Verdict::Hold(hold) => Ok(case.hold(hold.to_string())),
        Verdict::Accept { source_worker, target_worker } => {
            accept(desk, case, gateway, &facts, (source_worker, target_worker)).await
        }
    }
}

/// Commits the attempt, then hands the accept to the sender. `workers`: of the source and of the target chain.
async fn accept<D: Errands>(
    desk: &mut D,
    case: &Case,
    gateway: &GatewaySet,
    facts: &AcceptFacts,
    workers: (Address, Address),
) -> Result<Park, Leave> {
    let attempt = next_attempt(desk, case, facts).await?;
    kill_point!("worker.attempt_made");
    desk.save(attempt_update(case, attempt, workers, facts)).await?;
    kill_point!("worker.attempt_committed");
    let submit = transaction(case, gateway, attempt, facts.bounty, workers.0);
    let answers = desk.submit_many(vec![(case.source(), submit)]).await?;
    kill_point!("worker.accept_submitted");
    match answers.first() {
        Some(SubmitAnswer::Failed(failure)) => Ok(case.submit_failed(Stage::Accept, failure)),
        Some(_) | None => Ok(case.wait_for_happening(ACCEPT_SENT.to_owned())),
    }
}

/// Takes up a message that this operator's key has declared though the row does not know it: after a loss of the
/// database, by another instance, or for a request that was made twice. Its secret, and with it its hash, follow from the
/// key (law 3), so the outbox can be asked for it, also where its sender has had other messages since.
async fn adopt<D: Errands>(
    desk: &mut D,
    case: &Case,
    gateway: &GatewaySet,
    facts: &AcceptFacts,
) -> Result<Option<Park>, Leave> {
    if facts.pending_latest && facts.former.is_none() {
        return Ok(None);
    }
    let own = own_messages(desk, case, facts).await?;
    let at = gateway.box_on(case.source());
    let views: Vec<_> = own.iter().map(|(_, attempt)| gateways::outbox_status(attempt.message_hash)).collect();
    let answers = desk.read(case.source(), views.iter().map(|view| latest(at, view)).collect()).await?;
    let mut reading = Reading::new(case.source(), &answers);
    for ((proxy, attempt), view) in own.into_iter().zip(&views) {
        if reading.view(view)? == MessageStatus::Undeclared {
            continue;
        }
        let first = |keys: &[crate::messages::WorkerKey]| keys.first().map_or(Address::ZERO, |key| key.address);
        let workers = (first(&case.job.source_workers), first(&case.job.target_workers));
        let log = format!("found its message {} declared under our own lock", attempt.message_hash);
        let update = attempt_update(case, attempt, workers, facts);
        kill_point!("worker.own_lock_found");
        desk.save(Update { log: Some(log), message_sender: Some(proxy), ..update }).await?;
        kill_point!("worker.adopted");
        return Ok(Some(case.look_again()));
    }
    Ok(None)
}

/// The messages that this operator may have declared for the request, each with the proxy that it would be of.
async fn own_messages<D: Errands>(
    desk: &mut D,
    case: &Case,
    facts: &AcceptFacts,
) -> Result<Vec<(Address, Attempt)>, Leave> {
    let request = case.request();
    let mut proxies = vec![request.terms.sender_proxy];
    // What the new proxy sends after the old one sent the request's message is of the same request made again.
    if facts.former.is_none() && facts.proxy != request.terms.sender_proxy && !facts.proxy.is_zero() {
        proxies.push(facts.proxy);
    }
    let mut own = Vec::with_capacity(2 * proxies.len());
    for proxy in proxies {
        for number in request.attempt..=request.attempt.saturating_add(1) {
            let hash_lock = desk.secret(case.secret_input(proxy, number)).await?.hash_lock();
            let message_hash = hashes::message_of_request(request.kind, &request.terms, proxy, hash_lock);
            own.push((proxy, Attempt { number, hash_lock, message_hash }));
        }
    }
    Ok(own)
}

/// The same secret as ever, unless it is public while no chain knows its message (law 3).
async fn next_attempt<D: Errands>(desk: &mut D, case: &Case, facts: &AcceptFacts) -> Result<Attempt, Leave> {
    let request = case.request();
    let known_on_target = facts.inbox.is_some_and(|message| Some(message.hash) == request.message_hash);
    let burnt = request.unlock_secret.is_some() && !known_on_target;
    let number = if burnt { request.attempt.saturating_add(1) } else { request.attempt };
    let hash_lock = desk.secret(case.secret_input(facts.proxy, number)).await?.hash_lock();
    let message_hash = hashes::message_of_request(request.kind, &request.terms, facts.proxy, hash_lock);
    Ok(Attempt { number, hash_lock, message_hash })
}

fn attempt_update(case: &Case, attempt: Attempt, workers: (Address, Address), facts: &AcceptFacts) -> Update {
    let (origin, auxiliary) = match case.source() {
        Side::Origin => workers,
        Side::Auxiliary => (workers.1, workers.0),
    };
    Update {
        attempt: Some(attempt),
        message_sender: Some(facts.proxy),
        origin_worker: Some(origin),
        auxiliary_worker: Some(auxiliary),
        bounty: Some(facts.bounty),
        log: Some(format!("accepting as message {} with a bounty of {}", attempt.message_hash, facts.bounty)),
        ..Update::default()
    }
}

fn transaction(case: &Case, gateway: &GatewaySet, attempt: Attempt, bounty: U256, worker: Address) -> Submit {
    let request = case.request();
    let (value, allowance) = match request.kind {
        Kind::Stake => {
            let allowance = Allowance { token: gateway.base_token, spender: request.pool, amount: bounty };
            (U256::ZERO, (!bounty.is_zero()).then_some(allowance))
        }
        Kind::Redeem => (bounty, None),
    };
    Submit {
        intent: format!("accept:{}:{}", request.id, attempt.number),
        request_id: Some(request.id),
        step: Step::Accept,
        from: Some(worker),
        to: request.pool,
        value,
        data: pool::accept(request.kind, &request.terms, attempt.hash_lock),
        allowance,
        after: None,
        visibility: Visibility::Public,
        expect: Some(attempt.message_hash),
        seen: case.head_on(case.source()),
    }
}
