//! The parent: supervises scanners, senders and workers, routes between them, claims rows, stops in order.
//!
//! It makes no RPC call and parses no chain data; whatever it knows stands in the database or is said again by a child
//! that starts (law 8). One task on the main thread holds all state; the database is written by the clerk beside it.

mod asks;
pub(crate) mod briefing;
mod claim;
mod clerk;
mod crew;
mod display;
mod error;
mod gate;
mod gather;
mod hire;
mod life;
mod news;
mod pace;
mod report;
mod reread;
mod route;
pub(crate) mod setup;
mod signals;
mod slot;
mod stop;
mod watcher;

pub use clerk::ClerkError;
pub use error::ParentError;
pub use news::{News, OnNews};
pub use pace::Progress;
pub use report::{ChainStanding, ChildStanding, Standing, TokenBalance, WorkerBalance};
pub use reread::{Change, Fate, Reread, Rereader, Tunable};
pub use setup::{Hunter, PerSide, Setup, addresses};
pub use signals::Signals;

use crate::connections::{Connections, EndpointCalls};
use crate::messages::{
    Discovered, FromMetrics, FromMonitor, FromScanner, FromSender, FromWorker, ToMetrics, ToMonitor, ToScanner,
    ToSender,
};
use crate::{scanner, sender};
use asks::{Answerer, Asks, WorkerNo};
use clerk::{Clerk, Report};
use crew::Crew;
use facilitator_chain::sync::PairGate;
use facilitator_heartbeat::Status;
use facilitator_kill::kill_point;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::Side;
use facilitator_sender::Head;
use facilitator_store::Store;
use facilitator_supervisor::{Event, Spawner, watch};
use gather::Gathering;
use news::Announcement;
use signals::Asked;
use slot::{Seat, Slot};
use std::time::Duration;
use stop::Phase;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Time between two looks at the rows that only the clock wakes, however much else happens.
const TICK: Duration = Duration::from_millis(250);

/// Pause after a child could not even be started.
const SPAWN_AGAIN: Duration = Duration::from_secs(1);

/// Messages of one kind of child that wait to be handled; more make the children wait.
const INBOX: usize = 1_024;

/// Runs until a signal asks it to stop; SIGHUP has it read its configuration again. To be called from the main thread.
/// What came since `signals` began to listen counts too.
///
/// # Errors
/// [`ParentError`]. All children are gone when this returns.
pub async fn run(
    setup: Setup,
    store: Store,
    mut signals: Signals,
    on_news: OnNews,
    rereader: Rereader,
) -> Result<(), ParentError> {
    let (mut parent, mut inbox) = Parent::new(setup, store, on_news, rereader);
    let result = parent.serve(&mut inbox, &mut signals).await;
    parent.clerk.close().await;
    result
}

/// Everything that reaches the parent.
struct Inbox {
    scanners: mpsc::Receiver<Event<Side, FromScanner>>,
    senders: mpsc::Receiver<Event<Side, FromSender>>,
    workers: mpsc::Receiver<Event<WorkerNo, FromWorker>>,
    monitor: mpsc::Receiver<Event<(), FromMonitor>>,
    display: mpsc::Receiver<Event<(), FromMetrics>>,
    clerk: mpsc::Receiver<Report>,
}

struct Outbox {
    scanners: mpsc::Sender<Event<Side, FromScanner>>,
    senders: mpsc::Sender<Event<Side, FromSender>>,
    workers: mpsc::Sender<Event<WorkerNo, FromWorker>>,
    monitor: mpsc::Sender<Event<(), FromMonitor>>,
    display: mpsc::Sender<Event<(), FromMetrics>>,
}

struct Parent {
    setup: Setup,
    spawner: Spawner,
    outbox: Outbox,
    scanners: PerSide<Slot<ToScanner>>,
    senders: PerSide<Slot<ToSender>>,
    /// Closed if there is to be none.
    monitor: Slot<ToMonitor>,
    /// Serves metrics and pages; closed if there is to be none.
    display: Slot<ToMetrics>,
    heads: PerSide<Option<Head>>,
    crew: Crew,
    asks: Asks,
    /// Questions of workers that are not asked yet.
    gathering: Gathering<(WorkerNo, FromWorker)>,
    clerk: Clerk,
    phase: Phase,
    on_news: OnNews,
    /// Whether it was told that both chains are in working mode, as it was told last.
    told_working: bool,
    readiness: Announcement,
    rereader: Rereader,
    /// Why it ends, if not because it was asked to.
    error: Option<ParentError>,
    /// Something may have woken a row since the last claim.
    claim_wanted: bool,
    /// Until when a claim is held for further places to become free.
    claim_held_until: Option<Instant>,
    next_heartbeat: Instant,
    next_tick: Instant,
    /// What the contracts said on each chain; both together make the gateways.
    discovered: PerSide<Option<Vec<Discovered>>>,
    /// The gateways that are served, once both chains have been checked.
    gateways: Vec<GatewaySet>,
    /// Funds of the worker keys as last read.
    balances: PerSide<Vec<WorkerBalance>>,
    /// Whether each chain may be acted upon, as its scanner says.
    in_step: PerSide<bool>,
    /// How the chains stand with each other.
    pair: PairGate,
    /// What an operator should look into, as a scanner says, until the pair works.
    critical: PerSide<Option<String>>,
    /// The endpoint that each chain is read from, by its place in the configuration.
    elected: PerSide<Option<u64>>,
    /// How the endpoints are.
    connections: PerSide<Option<Connections>>,
    /// What each sender has asked its endpoints.
    sender_calls: PerSide<Vec<EndpointCalls>>,
    database_trouble: Option<String>,
    /// How fast each chain is read.
    pace: PerSide<pace::Pace>,
    /// The status of this instance, once the database has told it.
    life: Option<Status>,
    next_pulse: Instant,
    /// Whose turn it is among the worker keys.
    turns: PerSide<usize>,
}

impl Parent {
    fn new(setup: Setup, store: Store, on_news: OnNews, rereader: Rereader) -> (Self, Inbox) {
        let (scanners, from_scanners) = mpsc::channel(INBOX);
        let (senders, from_senders) = mpsc::channel(INBOX);
        let (workers, from_workers) = mpsc::channel(INBOX);
        let (monitor, from_monitor) = mpsc::channel(INBOX);
        let (display, from_display) = mpsc::channel(INBOX);
        let (clerk, from_clerk) = Clerk::start(store, &setup);
        let crew = Crew::new(setup.max_workers, setup.worker_timeout);
        let polls = setup.scanners.iter().map(|scanner| scanner.chain.poll_interval_ms);
        let poll = Duration::from_millis(polls.min().unwrap_or_default());
        let parent = Self {
            spawner: setup.spawner(),
            pair: PairGate::new(setup.origin_chain_id, setup.auxiliary_chain_id),
            monitor: watcher::slot(&setup),
            display: display::slot(&setup),
            setup,
            outbox: Outbox { scanners, senders, workers, monitor, display },
            scanners: PerSide { origin: Slot::new(), auxiliary: Slot::new() },
            senders: PerSide { origin: Slot::new(), auxiliary: Slot::new() },
            heads: PerSide { origin: None, auxiliary: None },
            crew,
            asks: Asks::default(),
            gathering: Gathering::new(poll),
            clerk,
            phase: Phase::Working,
            on_news,
            told_working: false,
            readiness: Announcement::Due,
            rereader,
            error: None,
            claim_wanted: true,
            claim_held_until: None,
            next_heartbeat: Instant::now(),
            next_tick: Instant::now(),
            discovered: PerSide { origin: None, auxiliary: None },
            gateways: Vec::new(),
            balances: PerSide::default(),
            in_step: PerSide::default(),
            critical: PerSide::default(),
            elected: PerSide::default(),
            connections: PerSide::default(),
            sender_calls: PerSide::default(),
            database_trouble: None,
            pace: PerSide::default(),
            life: None,
            next_pulse: Instant::now(),
            turns: PerSide::default(),
        };
        let inbox = Inbox {
            scanners: from_scanners,
            senders: from_senders,
            workers: from_workers,
            monitor: from_monitor,
            display: from_display,
            clerk: from_clerk,
        };
        (parent, inbox)
    }

    async fn serve(&mut self, inbox: &mut Inbox, signals: &mut Signals) -> Result<(), ParentError> {
        while !self.is_over() {
            self.tend();
            let wake = self.wake_at();
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop => self.asked_to_stop(),
                    Asked::Reread => self.reread(),
                },
                Some(event) = inbox.workers.recv() => self.on_worker(event),
                Some(event) = inbox.scanners.recv() => self.on_scanner(event),
                Some(event) = inbox.senders.recv() => self.on_sender(event),
                Some(event) = inbox.monitor.recv() => self.on_monitor(event),
                Some(event) = inbox.display.recv() => self.on_display(event),
                Some(report) = inbox.clerk.recv() => self.on_clerk(report),
                () = sleep_until(wake) => {}
            }
        }
        self.error.take().map_or(Ok(()), Err)
    }

    /// What is to be done whatever has just happened.
    fn tend(&mut self) {
        let now = Instant::now();
        if self.gathering.due_at(self.crew.may_ask()).is_some_and(|due| due <= now) {
            self.ask_what_is_held();
        }
        if self.next_tick <= now {
            self.next_tick = now + TICK;
            self.claim_wanted = true;
        }
        if matches!(self.phase, Phase::Working) {
            for side in [Side::Origin, Side::Auxiliary] {
                if self.scanners[side].is_due(now) {
                    self.start_scanner(side);
                }
                if self.senders[side].is_due(now) {
                    self.start_sender(side);
                }
            }
            if self.monitor.is_due(now) {
                self.start_monitor();
            }
            if self.display.is_due(now) {
                self.start_display();
            }
            self.tell_of_work();
            self.claim();
        } else {
            self.tend_stop(now);
        }
        self.beat(now);
        if self.next_heartbeat <= now {
            self.next_heartbeat = now + self.setup.heartbeat;
            (self.on_news)(News::Beat);
            self.note_pace();
            self.clerk.heartbeat(self.report());
            if let Some(hunter) =
                self.setup.hunter.as_ref().filter(|_| self.is_working() && self.may_work() && self.is_taking_work())
            {
                self.clerk.hunt(hunter.hunting);
            }
        }
    }

    fn wake_at(&self) -> Instant {
        let seats = self.scanners.iter().filter_map(Slot::due_at).chain(self.senders.iter().filter_map(Slot::due_at));
        let seats = seats.chain(self.monitor.due_at()).chain(self.display.due_at());
        let seats = seats.filter(|_| self.is_taking_work());
        // A moment that has passed was tended to; waiting for it again would spin.
        let stop = self.phase.due_at().filter(|at| *at > Instant::now());
        let questions = self.gathering.due_at(self.crew.may_ask());
        let claim = self.claim_held_until.filter(|at| *at > Instant::now());
        seats.chain(stop).chain(questions).chain(claim).chain([self.next_tick]).min().unwrap_or_else(Instant::now)
    }

    fn is_working(&self) -> bool {
        let scanned = self.scanners.iter().all(|slot| slot.ready);
        scanned && self.is_in_step() && self.senders.iter().all(|slot| slot.ready) && !self.gateways.is_empty()
    }

    fn start_scanner(&mut self, side: Side) {
        let chain_id = self.setup.scanners[side].chain.chain_id;
        let spawned = self.spawner.spawn(scanner::ROLE, Some(&chain_id.to_string()));
        let slot = &mut self.scanners[side];
        match spawned {
            Err(error) => slot.not_started(&error.to_string(), SPAWN_AGAIN),
            Ok(spawned) => {
                let options = self.setup.watching();
                let child = watch(spawned, scanner::ROLE, side, self.outbox.scanners.clone(), options);
                let setup = Box::new(self.setup.scanners[side].clone());
                if let Err(error) = child.send(&ToScanner::Setup(setup)) {
                    tracing::warn!(%side, %error, "could not brief the scanner");
                }
                kill_point!("parent.scanner_briefed");
                slot.seat = Seat::Taken(child);
            }
        }
    }

    fn start_sender(&mut self, side: Side) {
        let chain_id = self.setup.senders[side].chain.chain_id;
        let spawned = self.spawner.spawn(sender::ROLE, Some(&chain_id.to_string()));
        let slot = &mut self.senders[side];
        match spawned {
            Err(error) => slot.not_started(&error.to_string(), SPAWN_AGAIN),
            Ok(spawned) => {
                let options = self.setup.watching();
                let child = watch(spawned, sender::ROLE, side, self.outbox.senders.clone(), options);
                let setup = Box::new(self.setup.brief_sender(side));
                if let Err(error) = child.send(&ToSender::Setup(setup)) {
                    tracing::warn!(%side, %error, "could not brief the sender");
                }
                if let Some(head) = self.heads[side] {
                    tell(child.send(&ToSender::Head(head)));
                }
                kill_point!("parent.sender_briefed");
                slot.seat = Seat::Taken(child);
            }
        }
    }

    /// Something that no restart mends: stop everything and say why.
    fn give_up(&mut self, error: ParentError) {
        tracing::error!(%error, "stopping");
        if self.error.is_none() {
            self.error = Some(error);
        }
        self.begin_stop();
    }

    /// Questions to a child that died are answered in its place.
    fn answer_for_the_dead(&mut self, answerer: Answerer) {
        for open in self.asks.orphaned(answerer) {
            self.crew.answer_for_the_dead(open);
        }
    }
}

/// A message that can't be delivered belongs to a child that is dying: its end follows as an event of its own.
fn tell(sent: Result<(), facilitator_ipc::IpcError>) {
    if let Err(error) = sent {
        tracing::debug!(%error, "a message to a child was lost; its end follows");
    }
}
