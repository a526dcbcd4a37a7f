//! From a claimed row to a worker with everything it needs to know.

use super::clerk::Claimed;
use super::{Parent, SPAWN_AGAIN};
use crate::messages::{AnchoredRoot, Discovered, FailedStep, Job, ToScanner, Unfit, WorkerKey};
use crate::worker;
use facilitator_eth::Address;
use facilitator_kill::kill_point;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{Request, Side};
use facilitator_sender::Head;
use facilitator_store::requests::Brief;
use facilitator_supervisor::watch;

impl Parent {
    /// Starts a worker for each row, or puts the row back.
    pub(super) fn hire(&mut self, claimed: Vec<Claimed>) {
        for Claimed { request, brief } in claimed {
            let id = request.id;
            match self.job(request, &brief) {
                Some(job) if self.is_taking_work() => self.start_worker(job),
                Some(_) | None => self.clerk.put_back(id, "the facilitator is not working yet", SPAWN_AGAIN),
            }
        }
    }

    fn start_worker(&mut self, job: Job) {
        let request = job.request.id;
        let label = job.request.terms.request_hash.to_string();
        match self.spawner.spawn(worker::ROLE, Some(&label)) {
            Ok(spawned) => {
                let no = self.crew.next_no();
                let options = self.setup.watching();
                let child = watch(spawned, worker::ROLE, no, self.outbox.workers.clone(), options);
                self.clerk.note_pid(request, child.pid);
                kill_point!("parent.worker_started");
                self.crew.hire(no, request, child, job);
                kill_point!("parent.worker_briefed");
            }
            Err(error) => {
                tracing::warn!(%request, %error, "no worker for this request now");
                self.clerk.put_back(request, &error.to_string(), SPAWN_AGAIN);
            }
        }
    }

    /// `None` while a chain has no head.
    fn job(&mut self, request: Request, brief: &Brief) -> Option<Job> {
        let (source, target) = (request.kind.source(), request.kind.target());
        let (source_head, target_head) = (self.heads[source]?, self.heads[target]?);
        let setup = &self.setup;
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
            source_workers: self.workers_in_turn(source, assigned(&request, source), brief),
            target_workers: self.workers_in_turn(target, assigned(&request, target), brief),
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
    fn workers_in_turn(&mut self, side: Side, assigned: Option<Address>, brief: &Brief) -> Vec<WorkerKey> {
        let keys = &self.setup.scanners[side].workers;
        let first = match assigned.and_then(|address| keys.iter().position(|key| *key == address)) {
            Some(position) => position,
            None => {
                self.turns[side] = self.turns[side].wrapping_add(1);
                self.turns[side] % keys.len().max(1)
            }
        };
        let chain_id = self.setup.scanners[side].chain.chain_id;
        let keys = keys.iter().cycle().skip(first).take(keys.len());
        keys.map(|address| worker_key(brief, chain_id, *address)).collect()
    }

    /// What the contracts of one chain say. Both chains together make the gateways, if they agree.
    pub(super) fn discovered(&mut self, side: Side, found: Vec<Discovered>) {
        self.discovered[side] = Some(found);
        let (Some(origin), Some(auxiliary)) = (&self.discovered.origin, &self.discovered.auxiliary) else { return };
        let configured = &self.setup.scanners.origin.gateways;
        let sets: Result<Vec<GatewaySet>, String> =
            configured.iter().map(|gateway| super::setup::combine(gateway, origin, auxiliary)).collect();
        match sets {
            // A scanner that was started again finds what it needs in the database.
            Ok(sets) if sets == self.gateways => self.begin_scanning(side),
            Ok(sets) => self.clerk.store_gateways(sets),
            Err(text) => self.unfit(side, Unfit::Contracts(text)),
        }
    }

    /// The database knows the gateways: both chains may be scanned.
    pub(super) fn gateways_stored(&mut self, sets: Vec<GatewaySet>) {
        self.gateways = sets;
        for side in [Side::Origin, Side::Auxiliary] {
            self.begin_scanning(side);
        }
    }

    fn begin_scanning(&self, side: Side) {
        if let Some(scanner) = self.scanners[side].child() {
            super::tell(scanner.send(&ToScanner::Begin));
            kill_point!("parent.scan_begun");
        }
    }

    /// A new head: the sender of the chain needs it too.
    pub(super) fn note_head(&mut self, side: Side, head: Head) {
        self.heads[side] = Some(head);
        if let Some(sender) = self.senders[side].child() {
            super::tell(sender.send(&crate::messages::ToSender::Head(head)));
            kill_point!("parent.head_routed");
        }
    }
}

const fn assigned(request: &Request, side: Side) -> Option<Address> {
    match side {
        Side::Origin => request.origin_worker,
        Side::Auxiliary => request.auxiliary_worker,
    }
}

fn worker_key(brief: &Brief, chain_id: u64, address: Address) -> WorkerKey {
    let in_flight = brief.in_flight_of(chain_id, address);
    WorkerKey { address, in_flight, undeclared: brief.undeclared_of(chain_id, address) }
}
