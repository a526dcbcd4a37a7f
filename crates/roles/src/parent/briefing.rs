//! From a claimed row to everything that its worker needs to know.

use super::{PerSide, Setup};
use crate::messages::{AnchoredRoot, FailedStep, Hunt, Job, WorkerKey};
use facilitator_eth::Address;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{Kind, Request, Side};
use facilitator_protocol::transfer::accept::InFlight;
use facilitator_sender::Head;
use facilitator_store::requests::Brief;
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

/// Requests that were briefed together and have no lock yet: the database counts none of them, so that each would find
/// the keys idle and take what all of them need (protocol.md R22).
#[derive(Debug, Default)]
pub(crate) struct Booked(HashMap<(Side, Address), InFlight>);

impl Booked {
    fn with(&self, side: Side, key: Address, known: InFlight) -> InFlight {
        let more = self.0.get(&(side, key)).copied().unwrap_or_default();
        InFlight {
            stakes: known.stakes.saturating_add(more.stakes),
            redeems: known.redeems.saturating_add(more.redeems),
        }
    }

    /// The keys whose turn it is are those that will most likely be taken.
    fn book(&mut self, kind: Kind, keys: [(Side, Option<&WorkerKey>); 2]) {
        for (side, key) in keys {
            let Some(key) = key else { continue };
            let booked = self.0.entry((side, key.address)).or_default();
            match kind {
                Kind::Stake => booked.stakes = booked.stakes.saturating_add(1),
                Kind::Redeem => booked.redeems = booked.redeems.saturating_add(1),
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
        if request.hash_lock.is_none() {
            self.booked.book(request.kind, [(source, source_workers.first()), (target, target_workers.first())]);
        }
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
                .map(|failed| FailedStep { step: failed.step, count: failed.count, error: failed.error.clone() })
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
            None => {
                self.turns[side] = self.turns[side].wrapping_add(1);
                self.turns[side] % keys.len().max(1)
            }
        };
        let chain_id = self.setup.scanners[side].chain.chain_id;
        let takes = |taker: Address| self.takes_the_same(side, request, taker);
        let keys = keys.iter().cycle().skip(first).take(keys.len()).copied();
        let key = |address| WorkerKey {
            address,
            in_flight: self.booked.with(side, address, brief.in_flight_of(chain_id, address)),
            bounties: brief.bounties_of(chain_id, address, takes),
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
mod tests {
    use super::*;

    #[test]
    fn what_is_briefed_together_counts_for_those_that_come_after() {
        let (one, other) = (Address([1; 20]), Address([2; 20]));
        let key = |address| WorkerKey { address, in_flight: InFlight::default(), bounties: Default::default() };
        let (source, target) = (key(one), key(other));
        let mut booked = Booked::default();
        booked.book(Kind::Stake, [(Side::Origin, Some(&source)), (Side::Auxiliary, Some(&target))]);
        booked.book(Kind::Redeem, [(Side::Auxiliary, Some(&target)), (Side::Origin, None)]);
        let known = InFlight { stakes: 3, redeems: 0 };
        assert_eq!(booked.with(Side::Auxiliary, other, known), InFlight { stakes: 4, redeems: 1 });
        assert_eq!(booked.with(Side::Origin, one, known), InFlight { stakes: 4, redeems: 0 });
        assert_eq!(booked.with(Side::Origin, other, known), known, "another chain's key");
    }
}
