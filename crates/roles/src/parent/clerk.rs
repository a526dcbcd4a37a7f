//! The clerk: the parent's only way to the database, as a task beside the loop, so that a slow disk delays answers but
//! never the routing.
//!
//! What workers hand in while a transaction is being committed goes into the next one together: a hundred parks cost one
//! sync of the disk. A database that is busy or full is tried again for as long as the parent lives; nothing that was
//! handed in is dropped, and nobody is told "saved" before it is.

use super::asks::WorkerNo;
use super::claim::Claim;
use super::setup::Setup;
use crate::clock::now_ms;
use crate::messages::Ask;
use facilitator_eth::Address;
use facilitator_heartbeat::{Params, Status};
use facilitator_kill::kill_point;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{Park, Request, Side, Update};
use facilitator_protocol::transfer::Backoff;
use facilitator_store::requests::{Brief, Change, Claimed, Hunting, Lost, Places, Reveals};
use facilitator_store::{Store, StoreError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Most changes in one transaction.
const BATCH: usize = 256;

/// Longest wait for the last changes at the end.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Why the database is given up: waiting does not help.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ClerkError(#[from] pub StoreError);

/// Something to be stored.
enum Order {
    Change(Box<Claimed>, Receipt),
    Claim(Places),
    Gateways(Vec<GatewaySet>),
    Addresses(Side, Vec<GatewaySet>),
    Heartbeat(String),
    Announce(String),
    Hunt(Hunting),
    Pulse(Readiness),
    Close,
}

/// Who hears that it is stored.
#[derive(Clone, Copy)]
enum Receipt {
    Saved(WorkerNo, Ask),
    Parked(WorkerNo),
    Nobody,
}

/// Whether this instance could work, whatever its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Both chains work.
    Ready,
    /// One of them does not, or it is stopping.
    NotReady,
}

/// A row that was claimed, with what the database knows around it.
pub(super) struct Taken {
    pub(super) request: Request,
    pub(super) brief: Brief,
}

/// What the clerk tells the parent.
pub(super) enum Report {
    Saved(WorkerNo, Ask),
    Parked(WorkerNo),
    /// The row is claimed otherwise by now: the worker of this claim must end.
    Lost(Lost),
    /// Another process has this one's place in the database.
    Replaced,
    Claimed(Vec<Taken>, Reveals),
    /// The gateways are known to the database.
    Gateways(Vec<GatewaySet>),
    /// Their addresses are, as far as the chain of that side needs them.
    Addresses(Side),
    /// The status of this instance.
    Life(Option<Status>),
    /// The report that was to be announced is known to the database.
    Announced,
    Trouble(Option<String>),
    Broken(ClerkError),
}

/// The parent's end.
pub(super) struct Clerk {
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<()>,
    claiming: bool,
    pulses: u32,
}

impl Clerk {
    pub(super) fn start(store: Store, setup: &Setup) -> (Self, mpsc::Receiver<Report>) {
        let (orders, from_parent) = mpsc::unbounded_channel();
        let (to_parent, reports) = mpsc::channel(4 * BATCH);
        let desk = Desk {
            store,
            owner: setup.instance.clone(),
            process: setup.process,
            backoff: Backoff { base_ms: 50, max_ms: 2_000 },
            longest_wait_ms: longest_wait_ms(setup),
            params: setup.params,
            reports: to_parent,
        };
        let task = tokio::spawn(desk.run(from_parent));
        (Self { orders, task, claiming: false, pulses: 0 }, reports)
    }

    pub(super) fn save(&self, worker: WorkerNo, ask: Ask, claim: Claim, update: Update) {
        self.change(claim, Change::Update { id: claim.request, update }, Receipt::Saved(worker, ask));
    }

    pub(super) fn park(&self, worker: WorkerNo, claim: Claim, park: Park) {
        let retry_at_ms = park.retry_in_ms.map(|wait| now_ms().saturating_add_unsigned(wait));
        self.change(claim, Change::Park { id: claim.request, park, retry_at_ms }, Receipt::Parked(worker));
    }

    pub(super) fn note_pid(&self, claim: Claim, pid: u32) {
        self.change(claim, Change::Started { id: claim.request, pid }, Receipt::Nobody);
    }

    fn change(&self, claim: Claim, change: Change, receipt: Receipt) {
        self.order(Order::Change(Box::new(Claimed { seq: Some(claim.seq), change }), receipt));
    }

    /// Other keys do the rest of a request: they are counted with it from now on.
    pub(super) fn note_keys(&self, claim: Claim, origin: Option<Address>, auxiliary: Option<Address>) {
        let update = Update { origin_worker: origin, auxiliary_worker: auxiliary, ..Update::default() };
        self.change(claim, Change::Update { id: claim.request, update }, Receipt::Nobody);
    }

    /// Ends the claim of a row whose worker left nothing; it is taken up again after a pause.
    pub(super) fn put_back(&self, claim: Claim, error: &str, pause: Duration) {
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let retry_at_ms = Some(now_ms().saturating_add_unsigned(pause));
        let release = Change::Release { id: claim.request, retry_at_ms, error: Some(error.to_owned()) };
        self.change(claim, release, Receipt::Nobody);
    }

    /// Asks for rows, with so many messages of others worked on at a time; `false` if the last answer is still to come.
    pub(super) fn claim(&mut self, limit: usize, foreign: u32) -> bool {
        if self.claiming {
            return false;
        }
        self.claiming = true;
        let all = u32::try_from(limit).unwrap_or(u32::MAX);
        self.order(Order::Claim(Places { all, foreign }));
        true
    }

    /// The rows asked for have come.
    pub(super) fn claimed(&mut self) {
        self.claiming = false;
    }

    pub(super) fn is_claiming(&self) -> bool {
        self.claiming
    }

    pub(super) fn store_gateways(&self, gateways: Vec<GatewaySet>) {
        self.order(Order::Gateways(gateways));
    }

    /// Stores gateways of which only the addresses are known, unless the database knows more of the same ones.
    pub(super) fn store_addresses(&self, side: Side, gateways: Vec<GatewaySet>) {
        self.order(Order::Addresses(side, gateways));
    }

    /// Tells whoever reads the database how things stand.
    pub(super) fn heartbeat(&self, detail: String) {
        self.order(Order::Heartbeat(detail));
    }

    /// As [`Self::heartbeat`], and tells when whoever reads the database knows.
    pub(super) fn announce(&self, detail: String) {
        self.order(Order::Announce(detail));
    }

    /// Makes rows of messages that others left unfinished. The next look at the rows finds them.
    pub(super) fn hunt(&self, hunting: Hunting) {
        self.order(Order::Hunt(hunting));
    }

    /// Gives a sign of life if one is due, and tends all instances.
    pub(super) fn pulse(&mut self, readiness: Readiness) {
        self.pulses = self.pulses.saturating_add(1);
        self.order(Order::Pulse(readiness));
    }

    /// Whether an answer to one is still to come: while the database is out of reach, one waits.
    pub(super) const fn is_pulsing(&self) -> bool {
        self.pulses > 0
    }

    /// One was answered.
    pub(super) const fn pulsed(&mut self) {
        self.pulses = self.pulses.saturating_sub(1);
    }

    /// Stores what is handed in and ends.
    pub(super) async fn close(&mut self) {
        self.order(Order::Close);
        match tokio::time::timeout(CLOSE_LIMIT, &mut self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the clerk did not end in order"),
            Err(_) => {
                // What was not stored is decided again by the next start.
                tracing::warn!("the database did not take the last changes in time; they are left");
                self.task.abort();
            }
        }
    }

    fn order(&self, order: Order) {
        // A clerk that is gone has said why: `Report::Broken`.
        let _gone = self.orders.send(order);
    }
}

fn longest_wait_ms(setup: &Setup) -> i64 {
    let restart = u64::try_from(setup.restart.max.as_millis()).unwrap_or(u64::MAX);
    // Looks that found it not possible yet wait for half a minute at most.
    let longest = setup.recheck_ms.max(setup.backoff.max_ms).max(restart).max(30_000);
    i64::try_from(longest).unwrap_or(i64::MAX)
}

pub(super) struct Desk {
    pub(super) store: Store,
    pub(super) owner: String,
    process: i64,
    backoff: Backoff,
    /// The furthest ahead that a row is ever dated.
    longest_wait_ms: i64,
    /// What the life of the instances goes by, where the database does not say otherwise.
    pub(super) params: Params,
    reports: mpsc::Sender<Report>,
}

impl Desk {
    async fn run(self, mut orders: mpsc::UnboundedReceiver<Order>) {
        while let Some(first) = orders.recv().await {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(next) = orders.try_recv()
            {
                batch.push(next);
            }
            match self.work(batch).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    self.report(Report::Broken(ClerkError(error))).await;
                    return;
                }
            }
        }
    }

    /// Works through orders in their sequence, runs of changes in one transaction; `false` after the last one.
    async fn work(&self, batch: Vec<Order>) -> Result<bool, StoreError> {
        let (mut changes, mut receipts) = (Vec::new(), Vec::new());
        for order in batch {
            if let Order::Change(change, receipt) = order {
                changes.push(*change);
                receipts.push(receipt);
                continue;
            }
            self.save(&mut changes, &mut receipts).await?;
            match order {
                Order::Change(..) => {}
                Order::Claim(places) => self.claim(places).await?,
                Order::Gateways(gateways) => {
                    self.persist(|| self.store.set_gateways(&gateways, now_ms())).await?;
                    kill_point!("parent.gateways_committed");
                    self.report(Report::Gateways(gateways)).await;
                }
                Order::Addresses(side, gateways) => {
                    let known = self.persist(|| self.store.gateways()).await?;
                    let has = |set: &GatewaySet| known.iter().any(|known| known.has_addresses_of(set));
                    if known.len() != gateways.len() || !gateways.iter().all(has) {
                        self.persist(|| self.store.set_gateways(&gateways, now_ms())).await?;
                    }
                    self.report(Report::Addresses(side)).await;
                }
                Order::Heartbeat(detail) => {
                    self.say(&detail).await?;
                    kill_point!("parent.reported");
                    let mend = || self.store.mend_calendar(self.longest_wait_ms, now_ms());
                    let mended = self.persist(mend).await?;
                    if mended > 0 {
                        tracing::warn!(requests = mended, "the clock of this machine went back: waits were shortened");
                    }
                }
                Order::Announce(detail) => {
                    self.say(&detail).await?;
                    self.report(Report::Announced).await;
                }
                Order::Hunt(hunting) => {
                    let found = self.persist(|| self.store.hunt(&hunting, now_ms())).await?;
                    if found > 0 {
                        kill_point!("parent.foreign_found");
                        tracing::info!(messages = found, "others' unfinished messages are looked at");
                    }
                }
                Order::Pulse(readiness) => {
                    let status = self.pulse(readiness).await?;
                    self.report(Report::Life(status)).await;
                }
                Order::Close => return Ok(false),
            }
        }
        self.save(&mut changes, &mut receipts).await?;
        Ok(true)
    }

    /// Tells whoever reads the database how things stand, unless this process is not the one that runs by now.
    async fn say(&self, detail: &str) -> Result<(), StoreError> {
        if !self.persist(|| self.store.report(self.process, detail, now_ms())).await? {
            self.report(Report::Replaced).await;
        }
        Ok(())
    }

    async fn save(&self, changes: &mut Vec<Claimed>, receipts: &mut Vec<Receipt>) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        kill_point!("parent.handed_in");
        let saved = self.persist(|| self.store.save_claimed(&self.owner, changes, now_ms())).await?;
        kill_point!("parent.saved");
        for lost in &saved.lost {
            self.report(Report::Lost(*lost)).await;
        }
        for (change, receipt) in changes.drain(..).zip(receipts.drain(..)) {
            // Nobody is told "saved" of what was not (law 2).
            if saved.lost.contains(&Lost { request: change.change.id(), seq: change.seq }) {
                continue;
            }
            match receipt {
                Receipt::Saved(worker, ask) => self.report(Report::Saved(worker, ask)).await,
                Receipt::Parked(worker) => self.report(Report::Parked(worker)).await,
                Receipt::Nobody => {}
            }
        }
        Ok(())
    }

    async fn claim(&self, places: Places) -> Result<(), StoreError> {
        let requests = self.persist(|| self.store.claim(&self.owner, places, now_ms())).await?;
        kill_point!("parent.claimed");
        let briefs = self.persist(|| self.store.brief(&requests)).await?;
        let reveals = self.persist(|| self.store.reveals(&requests)).await?;
        let claimed = requests.into_iter().zip(briefs).map(|(request, brief)| Taken { request, brief });
        self.report(Report::Claimed(claimed.collect(), reveals)).await;
        Ok(())
    }

    /// Tries until it is stored. Only what no waiting mends is an error.
    pub(super) async fn persist<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut failures = 0_u32;
        loop {
            match attempt().await {
                Ok(value) => {
                    if failures > 0 {
                        self.report(Report::Trouble(None)).await;
                    }
                    return Ok(value);
                }
                Err(error) if error.passes() => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(%error, failures, "the database does not take it; trying again");
                    self.report(Report::Trouble(Some(error.to_string()))).await;
                    tokio::time::sleep(Duration::from_millis(self.backoff.after(failures))).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn report(&self, report: Report) {
        // The parent is ending: nobody is left to hear it.
        let _unheard = self.reports.send(report).await;
    }
}
