//! The parent as the product's loop runs it: letters in, claims, workers hired, the dead replaced.
//!
//! What it decides with is the product's: restart policy, jobs, back-off. All of it is memory and dies with it.

use crate::clerk::Task;
use crate::desk::{Errand, Reply};
use crate::mutation::Mutation;
use crate::names::Pair;
use crate::sender::Order;
use crate::slot::{Seat, Slot};
use crate::world::{Mail, SIDES, World};
use facilitator_chain::reader::{Answer, Query};
use facilitator_protocol::model::{RequestId, Side};
use facilitator_protocol::secret::UnlockSecret;
use facilitator_roles::messages::{FromScanner, Job};
use facilitator_sender::{Failure, Head, Submit, SubmitAnswer};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Most workers at once.
const MAX_WORKERS: usize = 3;

/// Time between two claims without a reason, milliseconds.
const TICK_MS: i64 = 500;

/// What a sender says.
#[derive(Debug)]
pub(crate) enum Said {
    Ready,
    Answer(u64, usize, SubmitAnswer),
    Secret(u64, UnlockSecret),
    Woke,
}

/// A letter to the parent.
#[derive(Debug)]
pub(crate) enum Letter {
    Scanner(Side, u64, FromScanner),
    Sender(Side, u64, Said),
    Worker(u64, Errand),
    ScannerEnded(Side, u64),
    SenderEnded(Side, u64),
    WorkerEnded(u64),
}

/// A process to be started.
#[derive(Debug)]
pub(crate) enum Birth {
    Scanner(Side, u64),
    Sender(Side, u64, Mail<Order>),
    Worker(u64, Mail<Reply>, Box<Job>),
}

#[derive(Debug)]
pub(crate) struct Hand {
    pub(crate) request: RequestId,
    pub(crate) mail: Mail<Reply>,
    pub(crate) parking: bool,
    /// Open questions: place, and the sender asked; `None` for a secret.
    pub(crate) open: Vec<(Option<usize>, Side)>,
}

/// A worker's read that its scanner has not answered.
#[derive(Debug)]
struct OpenRead {
    worker: u64,
    place: usize,
    side: Side,
    queries: Vec<Query>,
}

/// The parent's memory.
#[derive(Debug)]
pub(crate) struct Parent {
    /// When it is started again; `None` while it lives.
    pub(crate) dead_until: Option<i64>,
    mutation: Mutation,
    letters: VecDeque<Letter>,
    pub(crate) tasks: VecDeque<Task>,
    reads: Vec<OpenRead>,
    scanners: Pair<Slot>,
    senders: Pair<Slot>,
    orders: Pair<Mail<Order>>,
    pub(crate) heads: Pair<Option<Head>>,
    pub(crate) hands: BTreeMap<u64, Hand>,
    pub(crate) deaths: BTreeMap<RequestId, u32>,
    claim_wanted: bool,
    pub(crate) claiming: bool,
    next_tick: i64,
    /// Numbers of processes, never used twice in a run.
    lives: u64,
    pub(crate) turns: Pair<usize>,
}

impl Parent {
    pub(crate) fn new(mutation: Mutation) -> Self {
        Self {
            dead_until: None,
            mutation,
            letters: VecDeque::new(),
            tasks: VecDeque::new(),
            reads: Vec::new(),
            scanners: Pair { origin: Slot::new(), auxiliary: Slot::new() },
            senders: Pair { origin: Slot::new(), auxiliary: Slot::new() },
            orders: Pair::default(),
            heads: Pair::default(),
            hands: BTreeMap::new(),
            deaths: BTreeMap::new(),
            claim_wanted: true,
            claiming: false,
            next_tick: 0,
            lives: 0,
            turns: Pair::default(),
        }
    }

    /// All that it knew is gone, its children with it.
    pub(crate) fn die(&mut self, until: i64) {
        let lives = self.lives;
        *self = Self { dead_until: Some(until), lives, ..Self::new(self.mutation) };
    }

    pub(crate) fn post(&mut self, letter: Letter) {
        if self.dead_until.is_none() {
            self.letters.push_back(letter);
        }
    }

    pub(crate) fn is_quarantining(&self) -> bool {
        let quarantined = |slot: &Slot| matches!(slot.seat, Seat::Quarantined);
        SIDES.iter().any(|side| quarantined(&self.scanners[*side]) || quarantined(&self.senders[*side]))
    }

    /// Whether a worker is still wanted.
    pub(crate) fn employs(&self, worker: u64) -> bool {
        self.hands.contains_key(&worker)
    }

    fn is_working(&self) -> bool {
        SIDES.iter().all(|side| self.scanners[*side].ready && self.senders[*side].ready)
    }

    pub(crate) fn tell(&self, worker: u64, reply: Reply) {
        if let Some(hand) = self.hands.get(&worker) {
            hand.mail.borrow_mut().push_back(reply);
        }
    }

    pub(crate) fn next_life(&mut self) -> u64 {
        self.lives += 1;
        self.lives
    }

    fn claim(&mut self) {
        let free = MAX_WORKERS.saturating_sub(self.hands.len());
        if self.claim_wanted && free > 0 && self.is_working() && !self.claiming {
            (self.claiming, self.claim_wanted) = (true, false);
            self.tasks.push_back(Task::Claim(free));
        }
    }

    fn scanner_says(&mut self, side: Side, message: &FromScanner) {
        match message {
            FromScanner::Head(head) => {
                let head = *head;
                self.heads[side] = Some(head);
                self.orders[side].borrow_mut().push_back(Order::Head(head));
            }
            FromScanner::Woke => self.claim_wanted = true,
            FromScanner::InStep(in_step) => {
                self.scanners[side].ready = *in_step;
                self.claim_wanted = true;
            }
            FromScanner::Unfit(_) => self.scanners[side].ready = false,
            FromScanner::Balances(_)
            | FromScanner::Checked(_)
            | FromScanner::Answers(..)
            | FromScanner::Elected(_)
            | FromScanner::Connections(_)
            | FromScanner::Sync(_)
            | FromScanner::Critical(_)
            | FromScanner::Trouble(_) => {}
        }
    }

    fn sender_says(&mut self, side: Side, said: Said) {
        match said {
            Said::Ready => {
                self.senders[side].ready = true;
                self.claim_wanted = true;
            }
            Said::Woke => self.claim_wanted = true,
            Said::Answer(worker, place, answer) => {
                if self.close(worker, Some(place), side) {
                    self.tell(worker, Reply::Submitted(place, answer));
                }
            }
            Said::Secret(worker, secret) => {
                if self.close(worker, None, side) {
                    self.tell(worker, Reply::Secret(secret));
                }
            }
        }
    }

    fn close(&mut self, worker: u64, place: Option<usize>, side: Side) -> bool {
        let Some(hand) = self.hands.get_mut(&worker) else { return false };
        let before = hand.open.len();
        hand.open.retain(|open| *open != (place, side));
        hand.open.len() < before
    }

    fn worker_says(&mut self, worker: u64, errand: Errand) {
        let Some(hand) = self.hands.get_mut(&worker) else { return };
        let request = hand.request;
        match errand {
            Errand::Read(place, side, queries) if self.scanners[side].ready => {
                self.reads.push(OpenRead { worker, place, side, queries });
            }
            Errand::Read(place, _, queries) => {
                let answers = vec![Answer::Failed("its scanner is being restarted".to_owned()); queries.len()];
                self.tell(worker, Reply::Answers(place, answers));
            }
            Errand::Submit(place, side, submit) => self.submit(worker, place, side, submit),
            Errand::Secret(of) if self.senders.origin.ready => {
                hand.open.push((None, Side::Origin));
                self.orders.origin.borrow_mut().push_back(Order::Secret(worker, of));
            }
            // There is no answer in place of a secret: the worker is ended, its row resumed.
            Errand::Secret(_) => self.post(Letter::WorkerEnded(worker)),
            Errand::Save(update) => self.tasks.push_back(Task::Save(worker, request, update)),
            Errand::Park(park) => {
                hand.parking = true;
                self.tasks.push_back(Task::Park(worker, request, park));
            }
        }
    }

    fn submit(&mut self, worker: u64, place: usize, side: Side, mut submit: Box<Submit>) {
        if !self.senders[side].ready {
            return self.tell(worker, Reply::Submitted(place, SubmitAnswer::Failed(Failure::Interrupted)));
        }
        if self.mutation == Mutation::FreshIntentKey {
            submit.intent = format!("{}:{worker}", submit.intent);
            submit.after = submit.after.map(|after| format!("{after}:{worker}"));
        }
        if let Some(hand) = self.hands.get_mut(&worker) {
            hand.open.push((Some(place), side));
        }
        self.orders[side].borrow_mut().push_back(Order::Submit(worker, place, submit));
    }

    fn worker_ended(&mut self, worker: u64, wall_ms: i64) {
        self.reads.retain(|read| read.worker != worker);
        let Some(hand) = self.hands.remove(&worker) else { return };
        self.claim_wanted = true;
        if !hand.parking {
            let deaths = self.deaths.entry(hand.request).or_default();
            *deaths += 1;
            let pause = 50_i64 << (*deaths - 1).min(6);
            self.tasks.push_back(Task::PutBack(hand.request, wall_ms + pause));
        }
    }

    fn scanner_ended(&mut self, side: Side, now_ms: i64) {
        self.scanners[side].died(now_ms);
        let (gone, kept) = std::mem::take(&mut self.reads).into_iter().partition(|read| read.side == side);
        self.reads = kept;
        let gone: Vec<OpenRead> = gone;
        for read in gone {
            let answers = vec![Answer::Failed("its process was restarted".to_owned()); read.queries.len()];
            self.tell(read.worker, Reply::Answers(read.place, answers));
        }
    }

    fn sender_ended(&mut self, side: Side, now_ms: i64) {
        self.senders[side].died(now_ms);
        let mut endings = Vec::new();
        for (number, hand) in &mut self.hands {
            let open: Vec<_> = hand.open.extract_if(.., |(_, asked)| *asked == side).collect();
            for (place, _) in open {
                match place {
                    Some(place) => {
                        let answer = SubmitAnswer::Failed(Failure::Interrupted);
                        hand.mail.borrow_mut().push_back(Reply::Submitted(place, answer));
                    }
                    None => endings.push(*number),
                }
            }
        }
        for worker in endings {
            self.post(Letter::WorkerEnded(worker));
        }
    }
}

/// One turn of the parent's loop: a letter, or what is due.
pub(crate) fn turn(world: &mut World) {
    let (now_ms, wall_ms) = (world.now_ms, world.wall_ms());
    if let Some(until) = world.parent.dead_until {
        if now_ms >= until {
            begin(world);
        }
        return;
    }
    let Some(letter) = world.parent.letters.pop_front() else { return tend(world) };
    let parent = &mut world.parent;
    match letter {
        Letter::Scanner(side, life, message) if parent.scanners[side].life == life => {
            parent.scanner_says(side, &message)
        }
        Letter::Sender(side, life, said) if parent.senders[side].life == life => parent.sender_says(side, said),
        Letter::Worker(worker, errand) => parent.worker_says(worker, errand),
        Letter::ScannerEnded(side, life) if parent.scanners[side].life == life => parent.scanner_ended(side, now_ms),
        Letter::SenderEnded(side, life) if parent.senders[side].life == life => parent.sender_ended(side, now_ms),
        Letter::WorkerEnded(worker) => parent.worker_ended(worker, wall_ms),
        // Of a process that was replaced.
        Letter::Scanner(..) | Letter::Sender(..) | Letter::ScannerEnded(..) | Letter::SenderEnded(..) => {}
    }
}

fn begin(world: &mut World) {
    if world.disk_refuses().is_some() {
        // It says so and ends; the operator or the service manager tries again.
        world.parent.dead_until = Some(world.now_ms + 200);
        return;
    }
    world.note(|| "the parent starts".to_owned());
    world.parent.dead_until = None;
    if world.mutation != Mutation::ClaimsOutliveParent {
        world.disk.release_all_claims();
    }
}

fn tend(world: &mut World) {
    let World { parent, births, now_ms, .. } = world;
    let now_ms = *now_ms;
    if parent.next_tick <= now_ms {
        parent.next_tick = now_ms + TICK_MS;
        parent.claim_wanted = true;
    }
    let due = |slot: &Slot| matches!(slot.seat, Seat::Empty { until } if until <= now_ms);
    for side in SIDES {
        if due(&parent.scanners[side]) {
            let life = parent.next_life();
            let slot = &mut parent.scanners[side];
            (slot.seat, slot.life) = (Seat::Taken { since: now_ms }, life);
            births.push(Birth::Scanner(side, life));
        }
        if due(&parent.senders[side]) {
            let life = parent.next_life();
            let slot = &mut parent.senders[side];
            (slot.seat, slot.life) = (Seat::Taken { since: now_ms }, life);
            parent.orders[side] = Mail::default();
            births.push(Birth::Sender(side, life, Rc::clone(&parent.orders[side])));
            let head = parent.heads[side].map(Order::Head);
            parent.orders[side].borrow_mut().extend(head);
        }
    }
    parent.claim();
}

/// Answers one of the open reads, as the reader of its scanner does.
pub(crate) fn answer_a_read(world: &mut World) {
    let count = world.parent.reads.len();
    if count == 0 {
        return;
    }
    let place = world.rng.index(count);
    let read = world.parent.reads.swap_remove(place);
    let answers = read.queries.iter().map(|query| crate::node::read(world, read.side, query)).collect();
    world.parent.tell(read.worker, Reply::Answers(read.place, answers));
}
