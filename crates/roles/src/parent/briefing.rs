//! From a claimed row to everything that its worker needs to know.

use super::{PerSide, Setup};
use crate::messages::{AnchoredRoot, FailedStep, Job, WorkerKey};
use facilitator_eth::Address;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{Request, Side};
use facilitator_sender::Head;
use facilitator_store::requests::Brief;

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
        Some(Job {
            gateway: self.gateway_of(&request),
            policy,
            backoff,
            recheck_ms,
            source_head,
            target_head,
            priority_fees,
            source_workers: self.workers_in_turn(source, &request, brief),
            target_workers: self.workers_in_turn(target, &request, brief),
            roots: brief.roots.iter().map(|(height, root)| AnchoredRoot { height: *height, root: *root }).collect(),
            proving: brief.proving.clone(),
            alive: brief.alive.clone(),
            failed: brief
                .failed
                .iter()
                .map(|failed| FailedStep { step: failed.step, count: failed.count, error: failed.error.clone() })
                .collect(),
            request,
        })
    }

    /// Law 10: by the addresses of the configuration, never by what an event claims.
    fn gateway_of(&self, request: &Request) -> Option<GatewaySet> {
        let named = |set: &&GatewaySet| set.serves(request.kind, request.terms.gateway, request.pool);
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
            in_flight: brief.in_flight_of(chain_id, address),
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

const fn assigned(request: &Request, side: Side) -> Option<Address> {
    match side {
        Side::Origin => request.origin_worker,
        Side::Auxiliary => request.auxiliary_worker,
    }
}
