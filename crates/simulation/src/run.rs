//! One run: chance decides who goes next, who dies and what the chains do, until the weather clears and all must end.

use crate::chain::Deed;
use crate::deeds::Asked;
use crate::mutation::Mutation;
use crate::names::Pair;
use crate::parent::{self, Birth, Letter};
use crate::strangers::wishes;
use crate::world::{DiskState, SIDES, Shared, Telling, Violation, Weather, World};
use crate::{clerk, desk, ending, scanner, sender, truth};
use facilitator_protocol::model::{Kind, Request, Side, State};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Steps with faults.
pub(crate) const STORM: u64 = 700;
/// Steps within which everything must have ended after the faults have.
const CALM: u64 = 12_000;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Steps taken.
    pub steps: u64,
    /// Whether forks were deeper than the confirmations.
    pub deep: bool,
    /// Requests made.
    pub requests: u64,
    /// Processes killed.
    pub deaths: u64,
    /// How often each kind of trouble was met, and how many requests came to each end.
    pub met: BTreeMap<String, u64>,
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
    /// What happened last, if it was asked for.
    pub tale: Vec<String>,
}

pub(crate) type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Where a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Parent,
    Scanner(Side),
    Sender(Side),
    Workers,
}

pub(crate) struct Run {
    pub(crate) world: Shared,
    pub(crate) scanners: Pair<Option<(u64, Task)>>,
    pub(crate) senders: Pair<Option<(u64, Task)>>,
    pub(crate) workers: BTreeMap<u64, Task>,
    /// A sender that was replaced and does not know it.
    pub(crate) ghost: Option<Task>,
    /// Until which step a process takes none, as after SIGSTOP.
    pub(crate) stopped: BTreeMap<Place, u64>,
    pub(crate) wishes: Vec<(u64, Asked)>,
    /// What strangers will do, and when.
    pub(crate) plans: Vec<(u64, Side, Rc<dyn Deed>)>,
    pub(crate) known: Vec<Asked>,
    pub(crate) changes: u64,
    pub(crate) asked: u64,
    pub(crate) deaths: u64,
}

/// Runs the world of a seed.
#[must_use]
pub fn run(seed: u64, mutation: Mutation, telling: Telling) -> Outcome {
    run_with(seed, mutation, telling, None)
}

/// The same, but all that is asked for is of one direction: whatever it finds is found by that one.
#[must_use]
pub fn run_only(kind: Kind, seed: u64, mutation: Mutation) -> Outcome {
    run_with(seed, mutation, Telling::Silent, Some(kind))
}

fn run_with(seed: u64, mutation: Mutation, telling: Telling, only: Option<Kind>) -> Outcome {
    let world = Rc::new(RefCell::new(World::new(seed, mutation, telling)));
    let wishes = wishes(&mut world.borrow_mut(), only);
    let mut run = Run {
        world,
        scanners: Pair::default(),
        senders: Pair::default(),
        workers: BTreeMap::new(),
        ghost: None,
        stopped: BTreeMap::new(),
        wishes,
        plans: Vec::new(),
        known: Vec::new(),
        changes: 0,
        asked: 0,
        deaths: 0,
    };
    run.storm();
    run.calm();
    let mut world = run.world.borrow_mut();
    Outcome {
        seed,
        steps: world.step,
        deep: world.truth.deep,
        requests: run.asked,
        deaths: run.deaths,
        met: std::mem::take(&mut world.met),
        violation: world.violation.take(),
        tale: world.tale.drain(..).collect(),
    }
}

impl Run {
    fn storm(&mut self) {
        while self.world.borrow().step < STORM && !self.is_broken() {
            self.ask();
            let chosen = self.world.borrow_mut().rng.below(1_000);
            match chosen {
                0..970 => self.work(),
                970..978 => self.strangers(),
                _ => self.trouble(),
            }
            self.after_step();
        }
    }

    fn calm(&mut self) {
        {
            let mut world = self.world.borrow_mut();
            world.weather = Weather::Quiet;
            world.disk_state = DiskState::Well;
            world.note(|| "the faults end".to_owned());
            world.chains.origin.quiet();
            world.chains.auxiliary.quiet();
        }
        self.stopped.clear();
        self.mend();
        let end = self.world.borrow().step + CALM;
        while self.world.borrow().step < end && !self.is_broken() {
            self.work();
            let step = self.world.borrow().step;
            if step.is_multiple_of(128) {
                if self.is_done() {
                    break;
                }
                self.finish_foreign();
                self.ask();
                self.free_the_orphaned();
                for side in SIDES {
                    self.anchor(side);
                }
            }
            self.after_step();
        }
        if self.is_broken() {
            return;
        }
        let mut world = self.world.borrow_mut();
        let World { truth, chains, disk, .. } = &mut *world;
        let deep = truth.deep;
        let open = ending::open(truth, chains, disk);
        if let Some(open) = &open {
            world.note(|| format!("still open: {open}"));
        }
        let open = open.filter(|_| !deep);
        let World { truth, chains, disk, workers, .. } = &mut *world;
        let lied = ending::at_the_end(truth, chains, disk, workers);
        let end = |request: &Request| format!("{} {}", request.kind, request.state.name(request.kind));
        let ends: Vec<String> = disk.all().map(end).collect();
        let complete = |kind: Kind| disk.all().any(|one| one.kind == kind && one.state == State::Complete);
        let both = Kind::ALL.iter().all(|kind| complete(*kind));
        let repeated = truth.repeated();
        for end in ends {
            world.meet(end);
        }
        if both {
            world.meet("both directions complete");
        }
        if repeated {
            world.meet("repeated request hash");
        }
        if let Some(open) = open {
            world.violated("everything ends", open);
        }
        if let Some(Violation { invariant, found }) = lied {
            world.violated(invariant, found);
        }
    }

    fn is_broken(&self) -> bool {
        self.world.borrow().violation.is_some()
    }

    fn is_done(&self) -> bool {
        let world = self.world.borrow();
        let waits = SIDES.iter().any(|side| !world.chains[*side].waiting.is_empty());
        !waits && ending::open(&world.truth, &world.chains, &world.disk).is_none() && self.all_scanned(&world)
    }

    /// Whether the rows know all that was asked and all that our transactions have brought.
    fn all_scanned(&self, world: &World) -> bool {
        SIDES.iter().all(|side| {
            let asked = world.truth.asked[*side].values().max().copied().unwrap_or(0);
            let mined = world.chains[*side].blocks.iter().rev().find(|block| !block.mined.is_empty());
            let last = asked.max(mined.map_or(0, |block| block.number));
            world.disk.checkpoints[*side].is_some_and(|checkpoint| checkpoint.number >= last)
        })
    }

    fn after_step(&mut self) {
        let mut world = self.world.borrow_mut();
        world.step += 1;
        let most = if world.weather == Weather::Quiet { 30 } else { 60 };
        let passed = world.rng.below(most);
        world.now_ms = world.now_ms.saturating_add_unsigned(passed);
        let found = truth::always(&world.truth, &world.chains, &world.disk);
        if let Some(Violation { invariant, found }) = found {
            world.violated(invariant, found);
        }
    }

    fn is_stopped(&self, place: Place) -> bool {
        self.stopped.get(&place).is_some_and(|until| self.world.borrow().step < *until)
    }

    /// Somebody does what is next for it.
    fn work(&mut self) {
        let chosen = self.world.borrow_mut().rng.below(100);
        match chosen {
            0..50 if self.is_stopped(Place::Parent) => {}
            0..28 => parent::turn(&mut self.world.borrow_mut()),
            28..40 => clerk::write(&mut self.world.borrow_mut()),
            40..50 => parent::answer_a_read(&mut self.world.borrow_mut()),
            50..54 => {
                let mut world = self.world.borrow_mut();
                let side = SIDES[world.rng.index(2)];
                world.mine(side);
            }
            _ => self.poll_one(),
        }
        self.be_born();
    }

    fn be_born(&mut self) {
        let quarantined = self.world.borrow().parent.is_quarantining();
        if quarantined {
            // An operator reads why, and starts anew.
            self.kill_parent();
        }
        self.workers.retain(|number, _| self.world.borrow().parent.employs(*number));
        let births = std::mem::take(&mut self.world.borrow_mut().births);
        for birth in births {
            let world = Rc::clone(&self.world);
            match birth {
                Birth::Scanner(side, life) => {
                    self.scanners[side] = Some((life, Box::pin(scanner::scanner(world, side, life))));
                }
                Birth::Sender(side, life, mail) => {
                    self.senders[side] = Some((life, Box::pin(sender::sender(world, side, life, mail))));
                }
                Birth::Worker(number, mail, job) => {
                    self.workers.insert(number, Box::pin(desk::worker(world, number, mail, *job)));
                }
            }
        }
    }

    /// Lets one process run for some steps of its own.
    fn poll_one(&mut self) {
        let (chosen, burst, place) = {
            let rng = &mut self.world.borrow_mut().rng;
            (rng.below(10), 1 + rng.below(8), rng.index(self.workers.len()))
        };
        let place_of = match chosen {
            0..2 => Place::Scanner(SIDES[usize::from(chosen == 0)]),
            2..6 => Place::Sender(SIDES[usize::from(chosen % 2 == 0)]),
            _ => Place::Workers,
        };
        if chosen != 6 && self.is_stopped(place_of) {
            return;
        }
        for _ in 0..burst {
            match chosen {
                0..2 => self.poll_scanner(SIDES[usize::from(chosen == 0)]),
                2..6 => self.poll_sender(SIDES[usize::from(chosen % 2 == 0)]),
                6 => {
                    let over = self.ghost.as_mut().is_some_and(|ghost| poll(ghost) == Poll::Ready(()));
                    if over {
                        self.ghost = None;
                    }
                }
                _ => {
                    let Some(number) = self.workers.keys().nth(place).copied() else { return };
                    let over = self.workers.get_mut(&number).is_some_and(|task| poll(task) == Poll::Ready(()));
                    if over {
                        self.workers.remove(&number);
                        self.world.borrow_mut().parent.post(Letter::WorkerEnded(number));
                        return;
                    }
                }
            }
        }
    }

    fn poll_scanner(&mut self, side: Side) {
        let Some((life, task)) = &mut self.scanners[side] else { return };
        if poll(task) == Poll::Ready(()) {
            let life = *life;
            self.scanners[side] = None;
            self.world.borrow_mut().finals[side] = None;
            self.world.borrow_mut().parent.post(Letter::ScannerEnded(side, life));
        }
    }

    fn poll_sender(&mut self, side: Side) {
        let Some((life, task)) = &mut self.senders[side] else { return };
        if poll(task) == Poll::Ready(()) {
            let life = *life;
            self.senders[side] = None;
            self.world.borrow_mut().parent.post(Letter::SenderEnded(side, life));
        }
    }
}

fn poll(task: &mut Task) -> Poll<()> {
    task.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}
