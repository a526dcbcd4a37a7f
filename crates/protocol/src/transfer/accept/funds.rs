//! Which keys may and can pay: whitelisting, bounty, and the gas of every step of this and earlier requests (protocol.md
//! R13, R21, R22).

use super::{AcceptFacts, FeeLevel, Hold, InFlight, Policy, Verdict, WorkerFacts};
use crate::model::{Kind, Request, Side, Step};
use crate::transfer::{expected_gas, needed_to_accept};
use facilitator_eth::{Address, U256};

/// The keys that accept: of the source and of the target chain.
pub(super) fn workers(request: &Request, facts: &AcceptFacts, policy: &Policy) -> Result<(Address, Address), Verdict> {
    let margin = policy.worker_expiry_margin_blocks;
    let needed_until = U256::from(facts.source_head).saturating_add(U256::from(margin));
    let listed: Vec<&WorkerFacts> = facts.source_workers.iter().filter(|w| w.expires_at > needed_until).collect();
    if listed.is_empty() {
        let count = facts.source_workers.len();
        return Err(Verdict::Hold(Hold::NoWhitelistedWorker { count, margin }));
    }
    let source = funded(&listed, |worker| source_funds(request.kind, worker, facts, policy))?;
    let targets: Vec<&WorkerFacts> = facts.target_workers.iter().collect();
    let target = funded(&targets, |worker| target_funds(request.kind, worker, facts, policy))?;
    Ok((source, target))
}

/// The first worker in turn that can pay; if none can, what the first one lacks.
fn funded(workers: &[&WorkerFacts], check: impl Fn(&WorkerFacts) -> Result<(), Hold>) -> Result<Address, Verdict> {
    let mut first_lack = None;
    for worker in workers {
        match check(worker) {
            Ok(()) => return Ok(worker.address),
            Err(lack) => first_lack = first_lack.or(Some(lack)),
        }
    }
    let none = Hold::NoWhitelistedWorker { count: 0, margin: 0 };
    Err(Verdict::Hold(first_lack.unwrap_or(none)))
}

fn source_funds(kind: Kind, worker: &WorkerFacts, facts: &AcceptFacts, policy: &Policy) -> Result<(), Hold> {
    // Each accept that is not mined yet takes its bounty too (R13).
    let bounties = facts.bounty.saturating_add(worker.bounties);
    let (accept, in_coin): (&[Step], U256) = match kind {
        Kind::Stake => {
            let (account, has) = (worker.address, worker.bounty_token);
            if has < bounties {
                return Err(Hold::NoBountyFunds { account, has, needs: bounties });
            }
            (&[Step::Approve, Step::Accept], U256::ZERO)
        }
        Kind::Redeem => (&[Step::Accept], bounties),
    };
    let gas = Gas { accept: gas_of(kind, accept), rest: gas_of(kind, &[Step::ProgressSource]) };
    coin_funds(worker, kind.source(), gas, facts.source_fee, in_coin, policy)
}

fn target_funds(kind: Kind, worker: &WorkerFacts, facts: &AcceptFacts, policy: &Policy) -> Result<(), Hold> {
    let rest = gas_of(kind, &[Step::ProveGateway, Step::Confirm, Step::ProgressTarget]);
    let in_coin = match kind.target() {
        Side::Origin => U256::ZERO,
        // The bounties of redeems that the same key has accepted.
        Side::Auxiliary => worker.bounties,
    };
    coin_funds(worker, kind.target(), Gas { accept: 0, rest }, facts.target_fee, in_coin, policy)
}

fn gas_of(kind: Kind, steps: &[Step]) -> u64 {
    steps.iter().map(|step| expected_gas(kind, *step)).sum()
}

/// What a key of a side has yet to burn for a request in flight: that chain is its source or its target.
fn gas_of_another(kind: Kind, side: Side) -> u64 {
    if kind.source() == side {
        gas_of(kind, &[Step::ProgressSource])
    } else {
        gas_of(kind, &[Step::Confirm, Step::ProgressTarget])
    }
}

/// Gas that a key burns for a request: to accept it, and afterwards.
#[derive(Clone, Copy)]
struct Gas {
    accept: u64,
    rest: u64,
}

/// The same for all of them.
pub(in crate::transfer) fn gas_of_others(side: Side, in_flight: InFlight) -> u64 {
    let others = Kind::ALL.iter().map(|kind| gas_of_another(*kind, side).saturating_mul(in_flight.of(*kind)));
    others.fold(0, u64::saturating_add)
}

const fn minimum(side: Side, policy: &Policy) -> U256 {
    match side {
        Side::Origin => policy.min_origin_balance,
        Side::Auxiliary => policy.min_auxiliary_balance,
    }
}

/// Base coin that a key of a side must have for so much gas, at least the configured minimum, and for `bounties` in coin.
pub(in crate::transfer) fn reserve(side: Side, gas: u64, fee: FeeLevel, bounties: U256, policy: &Policy) -> U256 {
    gas_cost(gas, fee, policy).max(minimum(side, policy)).saturating_add(bounties)
}

fn coin_funds(
    worker: &WorkerFacts,
    side: Side,
    own: Gas,
    fee: FeeLevel,
    bounties: U256,
    policy: &Policy,
) -> Result<(), Hold> {
    let rest = gas_cost(own.rest.saturating_add(gas_of_others(side, worker.in_flight)), fee, policy);
    let accept = gas_cost(own.accept, fee, policy).saturating_add(bounties);
    let needs = needed_to_accept(accept, rest, minimum(side, policy));
    let (account, has) = (worker.address, worker.coin);
    if has >= needs {
        return Ok(());
    }
    Err(if bounties.is_zero() {
        Hold::NoGasFunds { account, has, needs }
    } else {
        Hold::NoCoin { account, has, needs, bounties }
    })
}

/// What so much gas may cost, with the configured safety.
pub(in crate::transfer) fn gas_cost(gas: u64, fee: FeeLevel, policy: &Policy) -> U256 {
    let percent = U256::from(policy.funds_safety_percent);
    let cost = U256::from(gas).saturating_mul(fee.per_gas).saturating_mul(percent);
    cost.checked_div(U256::from(100u64)).unwrap_or(U256::MAX)
}
