//! Reads everything that the pre-accept checklist asks for: one round on both chains; a second one only for a sender
//! that has sent messages before, or whose proxy is another than its event names.

use super::answers::{Reading, ask, latest};
use super::case::Case;
use super::desk::{Errands, Leave};
use crate::messages::WorkerKey;
use facilitator_chain::reader::{Answer, At, Query};
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::contracts::gateway::ActiveProcess;
use facilitator_protocol::contracts::{gateway as gateways, organization, pool, token, vault};
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{Kind, MessageStatus, Side};
use facilitator_protocol::transfer::accept::{AcceptFacts, ActiveMessage, FeeLevel, Former, Payment, WorkerFacts};
use facilitator_protocol::transfer::profit::RewardIn;
use facilitator_sender::Head;

pub(super) async fn read<D: Errands>(desk: &mut D, case: &Case, gateway: &GatewaySet) -> Result<AcceptFacts, Leave> {
    let (source_side, target_side) = (case.source(), case.target());
    let reads = vec![(source_side, source_queries(case, gateway)?), (target_side, target_queries(case, gateway))];
    let answers = desk.read_many(reads).await?;
    let mut source = read_source(case, answers_of(&answers, 0))?;
    let mut target = read_target(case, gateway, answers_of(&answers, 1))?;
    let mut former = None;
    if source.proxy != case.request().terms.sender_proxy && !source.proxy.is_zero() {
        let other = read_other_proxy(desk, case, gateway, source.proxy).await?;
        let wanted = case.request().terms.nonce;
        if source.next_nonce > wanted {
            let last = with_nonce(desk, gateway, source_side, source.active).await?;
            former = last.map(|message| Former { message, is_final: other.former_nonce > wanted });
        }
        (source.next_nonce, source.active, target.active) = (other.next_nonce, other.outbox, other.inbox);
    }
    let outbox = with_nonce(desk, gateway, source_side, source.active).await?;
    let inbox = with_nonce(desk, gateway, target_side, target.active).await?;
    Ok(AcceptFacts { former, ..combine(case, source, target, outbox, inbox) })
}

fn answers_of(answers: &[Vec<Answer>], index: usize) -> &[Answer] {
    answers.get(index).map_or(&[], Vec::as_slice)
}

fn combine(
    case: &Case,
    source: SourceFacts,
    target: TargetFacts,
    outbox: Option<ActiveMessage>,
    inbox: Option<ActiveMessage>,
) -> AcceptFacts {
    let job = &case.job;
    AcceptFacts {
        activated: source.activated,
        pending_latest: source.pending_latest,
        pending_final: source.pending_final,
        proxy: source.proxy,
        next_nonce: source.next_nonce,
        outbox,
        former: None,
        inbox,
        payment: target.payment,
        reward_in: target.reward_in,
        bounty: source.bounty,
        escrow: source.escrow,
        source_head: job.source_head.number,
        source_fee: fee_level(job.source_head, job.priority_fees.0),
        target_fee: fee_level(job.target_head, job.priority_fees.1),
        source_workers: source.workers,
        target_workers: target.workers,
    }
}

/// What the sender's fee policy offers at this head. On a chain without a base fee it is what the node suggests, and while
/// the node does not say so, when the sender signs nothing, the priority fee stands for it.
pub(super) fn fee_level(head: Head, priority: U256) -> FeeLevel {
    let Some(base) = head.base_fee else {
        let price = head.gas_price.unwrap_or(priority);
        return FeeLevel { per_gas: price, present: price };
    };
    let present = base.saturating_add(priority);
    FeeLevel { per_gas: base.saturating_add(present), present }
}

fn source_queries(case: &Case, gateway: &GatewaySet) -> Result<Vec<Query>, Leave> {
    let (request, terms) = (case.request(), &case.request().terms);
    let at_box = gateway.box_on(case.source());
    let pending = pool::request_hash_of(request.kind, terms.sender, terms.gateway);
    let mut queries = vec![
        ask(request.pool, &pending, At::Latest),
        ask(request.pool, &pending, At::Final),
        latest(request.pool, &pool::proxy_of(request.kind, terms.sender)),
        latest(at_box, &gateways::bounty()),
        latest(gateway.escrowed_token(request.kind), &token::balance_of(request.pool)),
        latest(at_box, &gateways::get_nonce(terms.sender_proxy)),
        latest(at_box, &gateways::outbox_active_process(terms.sender_proxy)),
    ];
    if request.kind == Kind::Stake {
        queries.push(latest(at_box, &gateways::activated()));
    }
    let Some(organization) = gateway.organization(request.kind) else {
        return Err(Leave::OutOfTurn("a request of a pool whose organization is not known"));
    };
    for WorkerKey { address, .. } in case.job.source_workers.iter().copied() {
        queries.push(latest(organization, &organization::expiration_height(address)));
        queries.push(Query::Balance { address, at: At::Latest });
        if request.kind == Kind::Stake {
            queries.push(latest(gateway.base_token, &token::balance_of(address)));
        }
    }
    Ok(queries)
}

struct SourceFacts {
    pending_latest: bool,
    pending_final: bool,
    proxy: Address,
    bounty: U256,
    escrow: U256,
    next_nonce: U256,
    active: Option<(B256, MessageStatus)>,
    activated: bool,
    workers: Vec<WorkerFacts>,
}

/// In the order of [`source_queries`].
fn read_source(case: &Case, answers: &[Answer]) -> Result<SourceFacts, Leave> {
    let (kind, terms) = (case.kind(), &case.request().terms);
    let mut reading = Reading::new(case.source(), answers);
    let pending = pool::request_hash_of(kind, terms.sender, terms.gateway);
    Ok(SourceFacts {
        pending_latest: reading.view(&pending)? == terms.request_hash,
        pending_final: reading.view(&pending)? == terms.request_hash,
        proxy: reading.view(&pool::proxy_of(kind, terms.sender))?,
        bounty: reading.view(&gateways::bounty())?,
        escrow: reading.view(&token::balance_of(case.request().pool))?,
        next_nonce: reading.view(&gateways::get_nonce(terms.sender_proxy))?,
        active: known(reading.view(&gateways::outbox_active_process(terms.sender_proxy))?),
        activated: kind == Kind::Redeem || reading.view(&gateways::activated())?,
        workers: read_source_workers(&mut reading, kind, &case.job.source_workers)?,
    })
}

fn read_source_workers(reading: &mut Reading<'_>, kind: Kind, keys: &[WorkerKey]) -> Result<Vec<WorkerFacts>, Leave> {
    let mut workers = Vec::with_capacity(keys.len());
    for WorkerKey { address, in_flight, foreign, bounties, .. } in keys.iter().copied() {
        let expires_at = reading.view(&organization::expiration_height(address))?;
        let coin = reading.number()?;
        let bounty_token = match kind {
            Kind::Stake => reading.view(&token::balance_of(address))?,
            Kind::Redeem => U256::MAX,
        };
        // What is under way for others is paid from the same purse.
        let in_flight = in_flight.plus(foreign);
        workers.push(WorkerFacts { address, expires_at, coin, bounty_token, in_flight, bounties });
    }
    Ok(workers)
}

fn target_queries(case: &Case, gateway: &GatewaySet) -> Vec<Query> {
    let terms = &case.request().terms;
    let at_box = gateway.box_on(case.target());
    let mut queries = vec![latest(at_box, &gateways::inbox_active_process(terms.sender_proxy))];
    queries.extend(payment_queries(case, gateway));
    queries.extend(priced_token(case, gateway).map(|token| latest(token, &token::decimals())));
    let balances = case.job.target_workers.iter();
    queries.extend(balances.map(|worker| Query::Balance { address: worker.address, at: At::Latest }));
    queries
}

/// What tells of the payment to the beneficiary.
pub(super) fn payment_queries(case: &Case, gateway: &GatewaySet) -> [Query; 2] {
    let terms = &case.request().terms;
    // In the gateway's name: exactly what the target leg will do, down to a beneficiary that refuses OSTPrime's payment
    // or that the value token refuses.
    let (known, to, data) = match case.kind() {
        Kind::Stake => {
            let exists = latest(gateway.utility_token, &token::exists(terms.beneficiary));
            (exists, gateway.utility_token, token::increase_supply(terms.beneficiary, terms.amount))
        }
        Kind::Redeem => {
            let held = latest(gateway.value_token, &token::balance_of(gateway.stake_vault));
            (held, gateway.stake_vault, vault::release_to(terms.beneficiary, terms.amount))
        }
    };
    // Among others it may seem to succeed for a contract that takes it only because of an earlier payment. That costs no
    // safety: a contract may refuse later what it took here anyway, and the leg is tried alone before the secret is
    // revealed.
    let from = gateway.box_on(case.target());
    [known, Query::Trial { from, to, data, at: At::Latest }]
}

/// In the order of [`payment_queries`].
pub(super) fn read_payment(case: &Case, gateway: &GatewaySet, reading: &mut Reading<'_>) -> Result<Payment, Leave> {
    let (beneficiary_exists, vault) = match case.kind() {
        Kind::Stake => (reading.view(&token::exists(case.request().terms.beneficiary))?, None),
        Kind::Redeem => (true, Some(reading.view(&token::balance_of(gateway.stake_vault))?)),
    };
    Ok(Payment { beneficiary_exists, goes_through: reading.simulation()?.is_ok(), vault })
}

/// The token that the reward is paid in, where its worth is asked for.
fn priced_token(case: &Case, gateway: &GatewaySet) -> Option<Address> {
    gateway.reward_token(case.kind()).filter(|_| case.job.policy.prices.is_some())
}

struct TargetFacts {
    active: Option<(B256, MessageStatus)>,
    payment: Payment,
    reward_in: RewardIn,
    workers: Vec<WorkerFacts>,
}

/// In the order of [`target_queries`].
fn read_target(case: &Case, gateway: &GatewaySet, answers: &[Answer]) -> Result<TargetFacts, Leave> {
    let terms = &case.request().terms;
    let mut reading = Reading::new(case.target(), answers);
    let active = known(reading.view(&gateways::inbox_active_process(terms.sender_proxy))?);
    let payment = read_payment(case, gateway, &mut reading)?;
    let decimals = match priced_token(case, gateway) {
        Some(_) => u32::try_from(reading.view(&token::decimals())?).ok(),
        None => None,
    };
    let reward_in = match gateway.reward_token(case.kind()) {
        Some(address) => RewardIn::Token { address, decimals },
        None => RewardIn::Coin,
    };
    let mut workers = Vec::with_capacity(case.job.target_workers.len());
    for WorkerKey { address, in_flight, foreign, bounties, .. } in case.job.target_workers.iter().copied() {
        let coin = reading.number()?;
        let (expires_at, bounty_token) = (U256::MAX, U256::MAX);
        // What is under way for others is paid from the same purse.
        let in_flight = in_flight.plus(foreign);
        workers.push(WorkerFacts { address, expires_at, coin, bounty_token, in_flight, bounties });
    }
    Ok(TargetFacts { active, payment, reward_in, workers })
}

pub(super) fn known(active: ActiveProcess) -> Option<(B256, MessageStatus)> {
    (!active.message_hash.is_zero()).then_some((active.message_hash, active.status))
}

pub(super) type Active = Option<(B256, MessageStatus)>;

/// What the new proxy has, and the old one's next nonce where nothing is taken back any more.
struct OtherProxy {
    next_nonce: U256,
    outbox: Active,
    inbox: Active,
    former_nonce: U256,
}

/// The sender destroyed its proxy and has a new one (protocol.md R10): what counts is the new one, unless the old one had
/// the request's message.
async fn read_other_proxy<D: Errands>(
    desk: &mut D,
    case: &Case,
    gateway: &GatewaySet,
    proxy: Address,
) -> Result<OtherProxy, Leave> {
    let (source, target) = (case.source(), case.target());
    let (nonce, former_nonce) = (gateways::get_nonce(proxy), gateways::get_nonce(case.request().terms.sender_proxy));
    let outbox = gateways::outbox_active_process(proxy);
    let inbox = gateways::inbox_active_process(proxy);
    let at_source = gateway.box_on(source);
    let reads = vec![
        (source, vec![latest(at_source, &nonce), latest(at_source, &outbox), ask(at_source, &former_nonce, At::Final)]),
        (target, vec![latest(gateway.box_on(target), &inbox)]),
    ];
    let answers = desk.read_many(reads).await?;
    let mut from_source = Reading::new(source, answers_of(&answers, 0));
    let next_nonce = from_source.view(&nonce)?;
    let outbox = known(from_source.view(&outbox)?);
    let former_nonce = from_source.view(&former_nonce)?;
    let inbox = known(Reading::new(target, answers_of(&answers, 1)).view(&inbox)?);
    Ok(OtherProxy { next_nonce, outbox, inbox, former_nonce })
}

/// Nonce and lock of a message, which only `messages(hash)` tells.
pub(super) async fn with_nonce<D: Errands>(
    desk: &mut D,
    gateway: &GatewaySet,
    side: Side,
    active: Active,
) -> Result<Option<ActiveMessage>, Leave> {
    let Some((hash, status)) = active else { return Ok(None) };
    let view = gateways::messages(hash);
    let answers = desk.read(side, vec![latest(gateway.box_on(side), &view)]).await?;
    let stored = Reading::new(side, &answers).view(&view)?;
    Ok(Some(ActiveMessage { hash, status, nonce: stored.nonce, hash_lock: stored.hash_lock }))
}
