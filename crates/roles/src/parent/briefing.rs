//! From a claimed row to everything that its worker needs to know.

use super::{PerSide, Setup};
use crate::messages::{AnchoredRoot, FailedStep, Hunt, Job, WorkerKey};
use facilitator_eth::Address;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{Kind, Request, Side, Step};
use facilitator_protocol::transfer::accept::InFlight;
use facilitator_sender::Head;
use facilitator_store::requests::{Brief, Reveals};
use std::collections::HashMap;

/// What a worker is told beside its row.
pub(crate) struct Briefing<'a> {
    /// What was configured.
    pub(crate) setup: &'a Setup,
    /// The gateways that are served.
    pub(crate) gateways: &'a [GatewaySet],
    /// The newest block of each chain.
    pub(crate) heads: &'a PerSide<Option<Head>>,
    /// Whose turn it is among the worker keys.
    pub(crate) turns: &'a mut PerSide<usize>,
    /// What those of the same batch are about to add to the keys' work.
    pub(crate) booked: &'a mut Booked,
}

/// Whose work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Work {
    Own,
    Foreign,
}

impl Work {
    const fn of(request: &Request) -> Self {
        if request.hunted { Self::Foreign } else { Self::Own }
    }
}

/// Requests that were briefed together: the database counts none of them, so that each would find the keys idle and take
/// what all of them need.
#[derive(Debug, Default)]
pub(crate) struct Booked {
    /// Those that nothing is under way of yet (protocol.md R22).
    accepts: HashMap<(Work, Side, Address), InFlight>,
    /// Those whose secret may go out, beside those that the database counts (protocol.md R4).
    reveals: Reveals,
    /// Whose turn it is to see requests through on the chain that they go to.
    targets: PerSide<Option<usize>>,
}

impl Booked {
    /// Nothing yet, where so many reveal already.
    pub(crate) fn beside(reveals: Reveals) -> Self {
        Self { reveals, ..Self::default() }
    }

    fn with(&self, work: Work, side: Side, key: Address, known: InFlight) -> InFlight {
        known.plus(self.accepts.get(&(work, side, key)).copied().unwrap_or_default())
    }

    /// The keys whose turn it is are those that will most likely be taken.
    fn book(&mut self, work: Work, kind: Kind, keys: [(Side, Option<&WorkerKey>); 2]) {
        for (side, key) in keys {
            let Some(key) = key else { continue };
            let booked = self.accepts.entry((work, side, key.address)).or_default();
            *booked = booked.plus(InFlight::many(kind, 1));
        }
    }

    /// Whose turn it is on a side for a new request of this kind. On the chain that they go to all of those that are briefed
    /// together get the same key: they are mostly proven by the same state root, and a confirmation shares the block of the
    /// gateway proof only if the same key signs both.
    fn turn(&mut self, side: Side, kind: Kind, turns: &mut PerSide<usize>) -> usize {
        let mut next = || {
            turns[side] = turns[side].wrapping_add(1);
            turns[side]
        };
        if side == kind.target() { *self.targets[side].get_or_insert_with(next) } else { next() }
    }

    /// A request whose legs may be sent by the worker that is briefed.
    fn book_reveal(&mut self, request: &Request, alive: &[Step]) {
        let is_open = !request.hunted && request.declared_block.is_some() && request.unlock_secret.is_none();
        let is_counted = alive.contains(&Step::ProgressSource) || alive.contains(&Step::ProgressTarget);
        if !is_open || is_counted {
            return;
        }
        let keys =
            [(request.origin_chain_id, request.origin_worker), (request.auxiliary_chain_id, request.auxiliary_worker)];
        for (chain_id, key) in keys {
            if let Some(key) = key {
                self.reveals.add(chain_id, key, request.kind);
            }
        }
    }
}

impl Briefing<'_> {
    /// `None` while a chain has no head.
    pub(crate) fn job(&mut self, request: Request, brief: &Brief) -> Option<Job> {
        let (source, target) = (request.kind.source(), request.kind.target());
        let (source_head, target_head) = (self.heads[source]?, self.heads[target]?);
        let setup = self.setup;
        let fee = |side: Side| setup.senders[side].max_priority_fee_per_gas;
        let (policy, backoff, recheck_ms) = (setup.policy.clone(), setup.backoff, setup.recheck_ms);
        let priority_fees = (fee(source), fee(target));
        let source_workers = self.workers_in_turn(source, &request, brief);
        let target_workers = self.workers_in_turn(target, &request, brief);
        // What another instance began is finished with own keys: those that it chose sign elsewhere.
        let request = taken_over(request, &[(source, &source_workers), (target, &target_workers)]);
        let is_counted = if request.hunted { !brief.alive.is_empty() } else { request.hash_lock.is_some() };
        if !is_counted {
            let keys = [(source, source_workers.first()), (target, target_workers.first())];
            self.booked.book(Work::of(&request), request.kind, keys);
        }
        self.booked.book_reveal(&request, &brief.alive);
        Some(Job {
            gateway: self.gateway_of(&request),
            policy,
            backoff,
            recheck_ms,
            source_head,
            target_head,
            priority_fees,
            source_workers,
            target_workers,
            roots: anchored(&brief.roots),
            proving: brief.proving.clone(),
            alive: brief.alive.clone(),
            hunt: self.hunt(brief),
            failed: brief
                .failed
                .iter()
                .map(|failed| FailedStep {
                    step: failed.step,
                    count: failed.count,
                    refused: failed.refused,
                    error: failed.error.clone(),
                })
                .collect(),
            request,
        })
    }

    /// `None` for own requests, and where nothing is hunted.
    fn hunt(&self, brief: &Brief) -> Option<Hunt> {
        let (hunter, back) = (self.setup.hunter.as_ref()?, brief.back.as_ref()?);
        Some(Hunt {
            policy: hunter.policy.clone(),
            confirmed_block: back.confirmed_block,
            roots: anchored(&back.roots),
            proving: back.proving.clone(),
        })
    }

    /// Law 10: by the addresses of the configuration, never by what an event claims. A foreign message names no pool.
    fn gateway_of(&self, request: &Request) -> Option<GatewaySet> {
        let (kind, gateway) = (request.kind, request.terms.gateway);
        let named = |set: &&GatewaySet| {
            if request.hunted { set.box_on(kind.source()) == gateway } else { set.serves(kind, gateway, request.pool) }
        };
        self.gateways.iter().find(named).cloned()
    }

    /// The keys of a chain, first the one that the request has already, else the one whose turn it is.
    fn workers_in_turn(&mut self, side: Side, request: &Request, brief: &Brief) -> Vec<WorkerKey> {
        let keys = &self.setup.scanners[side].workers;
        let first = match assigned(request, side).and_then(|address| keys.iter().position(|key| *key == address)) {
            Some(position) => position,
            None => self.booked.turn(side, request.kind, self.turns) % keys.len().max(1),
        };
        let chain_id = self.setup.scanners[side].chain.chain_id;
        let takes = |taker: Address| self.takes_the_same(side, request, taker);
        let keys = keys.iter().cycle().skip(first).take(keys.len()).copied();
        let key = |address| WorkerKey {
            address,
            in_flight: self.booked.with(Work::Own, side, address, brief.in_flight_of(chain_id, address)),
            foreign: self.booked.with(Work::Foreign, side, address, brief.foreign_of(chain_id, address)),
            bounties: brief.bounties_of(chain_id, address, takes),
            reveals: self.booked.reveals.of(chain_id, address),
        };
        keys.map(key).collect()
    }

    /// Whether bounties for `taker` come out of the same money as those of the request: base coin on the auxiliary chain,
    /// the token that its gateway asks for on the origin chain.
    fn takes_the_same(&self, side: Side, request: &Request, taker: Address) -> bool {
        let token = |gateway| self.gateways.iter().find(|set| set.gateway == gateway).map(|set| set.base_token);
        match side {
            Side::Origin => token(taker) == token(request.terms.gateway),
            Side::Auxiliary => true,
        }
    }
}

fn taken_over(mut request: Request, workers: &[(Side, &Vec<WorkerKey>)]) -> Request {
    for (side, keys) in workers {
        let assigned = match side {
            Side::Origin => &mut request.origin_worker,
            Side::Auxiliary => &mut request.auxiliary_worker,
        };
        if assigned.is_some_and(|address| !keys.iter().any(|key| key.address == address)) {
            *assigned = keys.first().map(|key| key.address);
        }
    }
    request
}

fn anchored(roots: &[(u64, facilitator_eth::B256)]) -> Vec<AnchoredRoot> {
    roots.iter().map(|(height, root)| AnchoredRoot { height: *height, root: *root }).collect()
}

const fn assigned(request: &Request, side: Side) -> Option<Address> {
    match side {
        Side::Origin => request.origin_worker,
        Side::Auxiliary => request.auxiliary_worker,
    }
}

#[cfg(test)]
#[path = "briefing_tests.rs"]
mod tests;
