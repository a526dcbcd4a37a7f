//! From a row to be claimed to a worker; what the contracts say, to the gateways that are served.

use super::briefing::{Booked, Briefing};
use super::claim::Claim;
use super::clerk::Taken;
use super::{Parent, SPAWN_AGAIN};
use crate::messages::{Discovered, Job, ToScanner, Unfit};
use crate::worker;
use facilitator_kill::kill_point;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{Request, Side};
use facilitator_sender::Head;
use facilitator_store::requests::{Brief, Reveals};
use facilitator_supervisor::watch;
use tokio::time::Instant;

impl Parent {
    /// Takes as many rows as there are free places, own requests before what others left, each oldest first.
    pub(super) fn claim(&mut self) {
        let free = self.crew.free();
        // With the hunter off what is left of its rows ends in one look.
        let foreign = self.setup.hunter.as_ref().map_or(u32::MAX, |hunter| hunter.hunting.limit);
        let may_claim = self.claim_wanted && free > 0 && self.is_working() && self.may_work() && !self.is_claim_held();
        if may_claim && self.clerk.claim(free, foreign) {
            self.claim_wanted = false;
            self.claim_held_until = None;
        }
        self.crew.end_the_hung();
    }

    /// A crew that is nearly complete is filled up in groups, as far as that holds nobody up for long.
    fn is_claim_held(&mut self) -> bool {
        let (now, longest) = (Instant::now(), self.gathering.longest());
        !self.crew.is_worth_filling() && *self.claim_held_until.get_or_insert(now + longest) > now
    }

    /// Starts a worker for each row, or puts the row back.
    pub(super) fn hire(&mut self, claimed: Vec<Taken>, reveals: Reveals) {
        let mut booked = Booked::beside(reveals);
        for Taken { request, brief } in claimed {
            let claim = Claim::of(&request);
            let keys = (request.origin_worker, request.auxiliary_worker);
            match self.job(request, &brief, &mut booked) {
                Some(job) if self.is_taking_work() && self.may_work() => {
                    let (origin, auxiliary) = (job.request.origin_worker, job.request.auxiliary_worker);
                    if (origin, auxiliary) != keys {
                        self.clerk.note_keys(claim, origin, auxiliary);
                    }
                    self.start_worker(job);
                }
                Some(_) | None => self.clerk.put_back(claim, "the facilitator is not working yet", SPAWN_AGAIN),
            }
        }
    }

    fn start_worker(&mut self, job: Job) {
        let claim = Claim::of(&job.request);
        let label = job.request.terms.request_hash.to_string();
        match self.spawner.spawn(worker::ROLE, Some(&label)) {
            Ok(spawned) => {
                let no = self.crew.next_no();
                let options = self.setup.watching();
                let child = watch(spawned, worker::ROLE, no, self.outbox.workers.clone(), options);
                tracing::debug!(request = label, worker = child.pid, "worker started");
                self.clerk.note_pid(claim, child.pid);
                kill_point!("parent.worker_started");
                self.crew.hire(no, claim, child, job);
                kill_point!("parent.worker_briefed");
            }
            Err(error) => {
                tracing::warn!(request = label, %error, "no worker for this request now");
                self.clerk.put_back(claim, &error.to_string(), SPAWN_AGAIN);
            }
        }
    }

    /// `None` while a chain has no head.
    fn job(&mut self, request: Request, brief: &Brief, booked: &mut Booked) -> Option<Job> {
        let (setup, gateways, heads) = (&self.setup, self.gateways.as_slice(), &self.heads);
        Briefing { setup, gateways, heads, turns: &mut self.turns, booked }.job(request, brief)
    }

    /// What the contracts of one chain say. Both chains together make the gateways, if they agree.
    pub(super) fn discovered(&mut self, side: Side, found: Vec<Discovered>) {
        self.discovered[side] = Some(found);
        let configured = &self.setup.scanners.origin.gateways;
        let (Some(origin), Some(auxiliary)) = (&self.discovered.origin, &self.discovered.auxiliary) else {
            // The other node may be away for long. What happens here is read and recorded meanwhile.
            return self.clerk.store_addresses(side, configured.iter().map(super::setup::addresses).collect());
        };
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

    /// The database knows the gateways' addresses, and with them which events of the checked chain are genuine.
    pub(super) fn addresses_stored(&self, side: Side) {
        self.begin_scanning(side);
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
