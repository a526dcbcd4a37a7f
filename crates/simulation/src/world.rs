//! Everything that outlives a process: chains, disk, clock, chance; and the letters between the living.

use crate::chain::{Chain, POOR, RICH, Tx, endowed};
use crate::contracts::Roots;
use crate::disk::Disk;
use crate::mutation::Mutation;
use crate::names::{self, Pair};
use crate::parent::{Birth, Parent};
use crate::rng::Rng;
use crate::truth::Truth;
use facilitator_chain::rpc::RpcError;
use facilitator_eth::{Address, B256};
use facilitator_protocol::model::Side;
use facilitator_store::StoreError;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

/// The world as the processes share it.
pub(crate) type Shared = Rc<RefCell<World>>;

/// Letters to one receiver, in order.
pub(crate) type Mail<T> = Rc<RefCell<VecDeque<T>>>;

/// Both chains.
pub(crate) const SIDES: [Side; 2] = [Side::Origin, Side::Auxiliary];

/// Events that a report shows.
const SHOWN: usize = 40;

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: &'static str,
    /// What was found.
    pub found: String,
}

/// Whether the world is unkind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    Faults,
    Quiet,
}

/// How the database takes what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiskState {
    Well,
    Full,
    ReadOnly,
}

/// Whether events are kept for a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// They are not: fastest.
    Silent,
    /// The last ones are.
    Remember,
    /// Each is printed as it happens.
    Aloud,
}

/// See the head of the module.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rng: Rng,
    /// Time that passes evenly, as timers see it, milliseconds.
    pub(crate) now_ms: i64,
    /// What the wall clock shows beyond it.
    pub(crate) skew_ms: i64,
    pub(crate) step: u64,
    pub(crate) mutation: Mutation,
    pub(crate) weather: Weather,
    pub(crate) disk_state: DiskState,
    pub(crate) chains: Pair<Chain>,
    pub(crate) roots: Roots,
    pub(crate) disk: Disk,
    pub(crate) parent: Parent,
    pub(crate) births: Vec<Birth>,
    /// The final height that each scanner has told its reader.
    pub(crate) finals: Pair<Option<u64>>,
    pub(crate) workers: Pair<Vec<Address>>,
    /// They own little.
    pub(crate) poor: bool,
    /// Whether the nodes try out sequences of transactions.
    pub(crate) rehearses: bool,
    /// When a worker's request is looked at again at the latest. In every other run that is long after its end, so that
    /// whatever should have woken a request is missed.
    pub(crate) recheck_ms: u64,
    /// All that was ever signed.
    pub(crate) signed: BTreeMap<B256, Rc<Tx>>,
    pub(crate) truth: Truth,
    pub(crate) violation: Option<Violation>,
    /// How often each kind of trouble was met, and each end of a request.
    pub(crate) met: BTreeMap<String, u64>,
    pub(crate) tale: VecDeque<String>,
    telling: Telling,
}

impl World {
    pub(crate) fn new(seed: u64, mutation: Mutation, telling: Telling) -> Self {
        let mut rng = Rng::new(seed);
        let count = if rng.chance(250) { 2 } else { 1 };
        let workers =
            Pair { origin: names::workers(Side::Origin, count), auxiliary: names::workers(Side::Auxiliary, 1) };
        let deep = rng.chance(125) || mutation == Mutation::ForkWithoutUndoing;
        let coins = if rng.chance(125) { POOR } else { RICH };
        let rehearses = rng.chance(700);
        let mut chain = |side: Side| Chain::new(side, 1 + rng.below(3), endowed(side, &workers[side], coins));
        let chains = Pair { origin: chain(Side::Origin), auxiliary: chain(Side::Auxiliary) };
        Self {
            now_ms: 1_000_000,
            skew_ms: 0,
            step: 0,
            mutation,
            weather: Weather::Faults,
            disk_state: DiskState::Well,
            chains,
            roots: Roots::new(),
            disk: Disk::default(),
            parent: Parent::new(mutation),
            births: Vec::new(),
            finals: Pair::default(),
            poor: coins == POOR,
            workers,
            rehearses,
            recheck_ms: if seed.is_multiple_of(2) { 3_000 } else { 86_400_000 },
            signed: BTreeMap::new(),
            truth: Truth::new(deep),
            violation: None,
            met: BTreeMap::new(),
            tale: VecDeque::new(),
            telling,
            rng,
        }
    }

    /// Notes an event for the report.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.telling == Telling::Silent {
            return;
        }
        let line = format!("{:>5} {:>8} ms  {}", self.step, self.now_ms - 1_000_000, text());
        if self.telling == Telling::Aloud {
            crate::say(&line);
        }
        if self.tale.len() == SHOWN {
            self.tale.pop_front();
        }
        self.tale.push_back(line);
    }

    /// Notes a violation; the first one counts.
    pub(crate) fn violated(&mut self, invariant: &'static str, found: String) {
        self.note(|| format!("VIOLATION of `{invariant}`: {found}"));
        self.violation.get_or_insert(Violation { invariant, found });
    }

    pub(crate) fn meet(&mut self, what: impl Into<String>) {
        *self.met.entry(what.into()).or_default() += 1;
    }

    /// What the wall clock shows, Unix milliseconds.
    pub(crate) const fn wall_ms(&self) -> i64 {
        self.now_ms.saturating_add(self.skew_ms)
    }

    /// Whether the database refuses to be written to.
    pub(crate) fn disk_refuses(&self) -> Option<StoreError> {
        let name = "simulated".to_owned();
        match self.disk_state {
            DiskState::Well => None,
            DiskState::Full => Some(StoreError::Full { name }),
            DiskState::ReadOnly => Some(StoreError::ReadOnly { name }),
        }
    }

    /// True by chance while the weather is bad.
    pub(crate) fn fault(&mut self, permille: u64) -> bool {
        self.weather == Weather::Faults && self.rng.chance(permille)
    }

    /// Whether a call to a node gets through.
    pub(crate) fn reach(&mut self) -> Result<(), RpcError> {
        if self.fault(60) { Err(lost()) } else { Ok(()) }
    }

    /// Mines a block and looks at what it brought.
    pub(crate) fn mine(&mut self, side: Side) {
        let permille = if self.weather == Weather::Quiet { 1_000 } else { 700 };
        let Self { chains, roots, rng, .. } = self;
        chains[side].mine(roots, rng, permille);
        self.mined(side);
    }

    pub(crate) fn mined(&mut self, side: Side) {
        let Self { truth, chains, .. } = self;
        let found = truth.mined(&chains[side]);
        let tip = self.chains[side].tip();
        self.note(|| format!("{side}: block {tip}"));
        if let Some(Violation { invariant, found }) = found {
            self.violated(invariant, found);
        }
    }
}

/// The error of a call that nobody answered.
pub(crate) fn lost() -> RpcError {
    RpcError::Timeout { endpoint: "http://simulated".to_owned(), message: "lost".to_owned() }
}

/// The end of a step: others may go first, and whoever dies, dies here.
pub(crate) async fn pause() {
    let mut waited = false;
    poll_fn(|_| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        Poll::Pending
    })
    .await;
}

/// Waits until a condition holds.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    poll_fn(|_| if holds() { Poll::Ready(()) } else { Poll::Pending }).await;
}
