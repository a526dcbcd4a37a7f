//! From a claimed row to a worker's job, as the parent makes it.

use crate::mutation::Mutation;
use crate::names;
use crate::world::World;
use facilitator_eth::{Address, U256};
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{Kind, Request, Side};
use facilitator_protocol::transfer::Backoff;
use facilitator_protocol::transfer::accept::{InFlight, Policy};
use facilitator_roles::messages::{AnchoredRoot, Job, WorkerKey};

fn policy() -> Policy {
    Policy {
        prices: None,
        min_gas_price: U256::ONE,
        min_gas_limit: U256::ONE,
        max_bounty: U256::from(100_000_000_u64),
        worker_expiry_margin_blocks: 10,
        funds_safety_percent: 150,
        min_origin_balance: U256::ZERO,
        min_auxiliary_balance: U256::ZERO,
    }
}

/// `None` while a chain has no head.
pub(crate) fn job(world: &mut World, request: Request) -> Option<Job> {
    let (source, target) = (request.kind.source(), request.kind.target());
    let (source_head, target_head) = (world.parent.heads[source]?, world.parent.heads[target]?);
    let roots = world.disk.roots_for(&request);
    Some(Job {
        gateway: gateway_of(world, &request),
        policy: policy(),
        backoff: Backoff { base_ms: 100, max_ms: 2_000 },
        recheck_ms: world.recheck_ms,
        source_head,
        target_head,
        priority_fees: (U256::from(2_u64), U256::from(2_u64)),
        source_workers: workers_in_turn(world, &request, source),
        target_workers: workers_in_turn(world, &request, target),
        roots: roots.into_iter().map(|(height, root)| AnchoredRoot { height, root }).collect(),
        proving: world.disk.proving_for(&request),
        failed: world.disk.failed_of(&request),
        alive: world.disk.alive_of(&request),
        hunt: None,
        request,
    })
}

/// Law 10.
fn gateway_of(world: &World, request: &Request) -> Option<GatewaySet> {
    let set = names::gateways();
    if set.serves(request.kind, request.terms.gateway, request.pool) {
        return Some(set);
    }
    let trusted = world.mutation == Mutation::TrustEventGateway;
    trusted.then_some(match request.kind {
        Kind::Stake => GatewaySet { gateway: request.terms.gateway, ..set },
        Kind::Redeem => GatewaySet { cogateway: request.terms.gateway, ..set },
    })
}

fn workers_in_turn(world: &mut World, request: &Request, side: Side) -> Vec<WorkerKey> {
    let keys = world.workers[side].clone();
    let assigned = match side {
        Side::Origin => request.origin_worker,
        Side::Auxiliary => request.auxiliary_worker,
    };
    let first = match assigned.and_then(|address| keys.iter().position(|key| *key == address)) {
        Some(position) => position,
        None => {
            let turn = &mut world.parent.turns[side];
            *turn = turn.wrapping_add(1);
            *turn % keys.len().max(1)
        }
    };
    let key = |address: &Address| {
        let (in_flight, bounties) = world.disk.in_flight_of(request, side, *address);
        let reveals = world.disk.reveals_of(request, side, *address);
        WorkerKey { address: *address, in_flight, foreign: InFlight::default(), bounties, reveals }
    };
    keys.iter().cycle().skip(first).take(keys.len()).map(key).collect()
}
