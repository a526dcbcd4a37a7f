//! The world: one true chain, endpoints with their views and faults, a store. Every effect is checked as it comes.

use facilitator_chain::connector::{
    Alarm, Connector, Effect, EndpointId, Event, Health, Keep, Mode, RangeError, Settings, State,
};
use facilitator_chain::rpc::RpcError;
use facilitator_chain::scan::{Checkpoint, Span};
use facilitator_eth::{B256, keccak256};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

/// Randomness of one seed.
pub(crate) struct Dice(Cell<u64>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// A number below `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    pub(crate) fn percent(&self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// What is wrong with an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Refuses connections.
    Down,
    /// Never answers in time.
    Stalls,
    /// 429 with `Retry-After` of so many seconds.
    Limits(u64),
    /// Truncated JSON.
    Truncates,
    /// Fails so many of a hundred calls.
    Flaky(u64),
    /// Serves another chain.
    OtherChain,
    /// Its view stands still.
    Lags,
    /// All its hashes are false, with this salt.
    FalseHashes(u8),
    /// The hashes of its newest blocks are false.
    FalseTop,
    /// Claims heads far above the chain's.
    HighHeads,
    /// Adds so many invented blocks on top of the chain, well linked.
    Invents(u64),
    /// Its heads and hashes are true, its ranges don't link.
    FalseRanges,
    /// Allows so many blocks in a range.
    ShortRanges(u64),
    /// Its heads and hashes are true, it gives no ranges.
    NoRanges,
}

pub(crate) type Chain = Rc<Vec<B256>>;

pub(crate) struct Node {
    pub(crate) fault: Fault,
    pub(crate) view: Chain,
    pub(crate) latency: u64,
    /// Which of the chain's publications the view is: older ones that come later are passed over.
    seen: u64,
}

enum Due {
    Answer(Event),
    Range { ticket: u64, endpoint: EndpointId, witness: Option<EndpointId>, span: Span, keep: Keep },
    View(usize, u64, Chain),
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) chain: Chain,
    pub(crate) nodes: Vec<Node>,
    pub(crate) connector: Connector,
    pub(crate) settings: Settings,
    pub(crate) store: BTreeMap<u64, B256>,
    pub(crate) states: Vec<State>,
    pub(crate) alarms: Vec<Alarm>,
    pub(crate) deleted: Vec<u64>,
    pub(crate) spans: Vec<(Span, Keep)>,
    /// Who witnesses each range far below the head.
    pub(crate) witnesses: Vec<Option<EndpointId>>,
    pub(crate) released: Vec<Checkpoint>,
    /// Ranges under way that are stored with their events: nothing above them is stored before.
    far: BTreeSet<u64>,
    /// The last block of the newest range that is stored with its events.
    pub(crate) events_to: Option<u64>,
    pub(crate) calls: u64,
    pub(crate) ready: u32,
    pub(crate) dice: Dice,
    /// Every hash that was ever true.
    genuine: BTreeSet<B256>,
    due: BTreeMap<(u64, u64), Due>,
    sequence: u64,
    forks: u64,
    publications: u64,
    /// The chain's greatest height ever.
    peak: u64,
    /// Blocks reach nodes within so many milliseconds.
    pub(crate) spread: u64,
    /// Storing takes up to so many milliseconds.
    pub(crate) slow_store: u64,
    /// So many deletions fail.
    pub(crate) fail_deletes: u32,
}

fn hash(fork: u64, number: u64) -> B256 {
    keccak256([fork.to_be_bytes(), number.to_be_bytes()].concat())
}

fn salted(hash: B256, salt: u8) -> B256 {
    keccak256([hash.0.as_slice(), &[salt]].concat())
}

impl World {
    /// `blocks` blocks from 0 on, `nodes` well endpoints, an empty store.
    pub(crate) fn new(seed: u64, blocks: u64, nodes: usize, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new(1406, 0, 6, nodes);
        settings.cycle_interval_ms = 500;
        settings.poll_interval_ms = 100;
        settings.lag_ms = 3_000;
        change(&mut settings);
        settings.check(nodes).unwrap();
        let chain: Chain = Rc::new((0..blocks).map(|number| hash(0, number)).collect());
        let names = (0..nodes).map(|n| format!("http://node{n}")).collect();
        let node = |n: u64| Node { fault: Fault::None, view: chain.clone(), latency: 5 + n, seen: 0 };
        Self {
            now: 0,
            nodes: (0..).map(node).take(nodes).collect(),
            connector: Connector::new(settings.clone(), names, Vec::new(), None),
            settings,
            store: BTreeMap::new(),
            states: vec![State::Connecting],
            alarms: Vec::new(),
            deleted: Vec::new(),
            spans: Vec::new(),
            witnesses: Vec::new(),
            released: Vec::new(),
            far: BTreeSet::new(),
            events_to: None,
            calls: 0,
            ready: 0,
            dice: Dice::new(seed),
            genuine: chain.iter().copied().collect(),
            chain,
            due: BTreeMap::new(),
            sequence: 0,
            forks: 0,
            publications: 0,
            peak: blocks - 1,
            spread: 0,
            slow_store: 0,
            fail_deletes: 0,
        }
    }

    pub(crate) fn head(&self) -> u64 {
        self.chain.len() as u64 - 1
    }

    pub(crate) fn mine(&mut self, blocks: u64) {
        let mut chain = (*self.chain).clone();
        for _ in 0..blocks {
            chain.push(hash(self.forks, chain.len() as u64));
        }
        self.publish(chain);
    }

    /// Replaces the last `depth` blocks by `new` ones.
    pub(crate) fn reorg(&mut self, depth: u64, new: u64) {
        self.forks += 1;
        let mut chain = (*self.chain).clone();
        chain.truncate(chain.len() - usize::try_from(depth).unwrap());
        for _ in 0..new {
            chain.push(hash(self.forks, chain.len() as u64));
        }
        self.publish(chain);
    }

    pub(crate) fn publish(&mut self, chain: Vec<B256>) {
        self.genuine.extend(chain.iter().copied());
        self.chain = Rc::new(chain);
        self.publications += 1;
        self.peak = self.peak.max(self.head());
        for node in 0..self.nodes.len() {
            let delay = if self.spread == 0 { 0 } else { self.dice.below(self.spread) };
            if delay == 0 {
                self.see(node, self.publications, self.chain.clone());
            } else {
                self.later(delay, Due::View(node, self.publications, self.chain.clone()));
            }
        }
    }

    pub(crate) fn see(&mut self, node: usize, publication: u64, view: Chain) {
        let node = &mut self.nodes[node];
        if node.fault != Fault::Lags && publication > node.seen {
            node.view = view;
            node.seen = publication;
        }
    }

    pub(crate) fn set(&mut self, node: usize, fault: Fault) {
        let healed = self.nodes[node].fault == Fault::Lags;
        self.nodes[node].fault = fault;
        if healed {
            self.see(node, self.publications, self.chain.clone());
        }
    }

    /// Lets time pass. Events in between happen at their moment.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        self.feed(Event::Tick);
        for step in 0.. {
            assert!(step < 200_000, "too many steps in {ms} ms: {:?}", self.states.last());
            let due = self.due.first_key_value().map_or(u64::MAX, |((at, _), _)| *at);
            let tick = self.connector.next_tick().max(self.now + 1);
            let at = due.min(tick);
            if at > end {
                break;
            }
            self.now = at;
            match (due <= tick).then(|| self.due.pop_first()).flatten() {
                Some((_, due)) => self.happen(due),
                None => self.feed(Event::Tick),
            }
        }
        self.now = end;
    }

    /// Runs until `done`, at most so long.
    pub(crate) fn run_until(&mut self, ms: u64, done: impl Fn(&Self) -> bool) {
        let end = self.now + ms;
        while !done(self) {
            assert!(self.now < end, "not done after {ms} ms: {}", self.describe());
            self.run(20);
        }
    }

    pub(crate) fn is_in_step(&self) -> bool {
        self.connector.state() == State::Sampling
            && self.connector.mode() == Mode::Normal
            && self.store.last_key_value().map(|(number, hash)| (*number, *hash))
                == Some((self.head(), self.chain[self.chain.len() - 1]))
    }

    pub(crate) fn describe(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(|node| (node.fault, top(node))).collect();
        let healths: Vec<_> = self.connector.book().iter().map(|(_, e)| (&e.health, e.head)).collect();
        let store = self.store.last_key_value();
        let states = &self.states[self.states.len().saturating_sub(10)..];
        let (head, client) = (self.head(), self.connector.the_client());
        let now = self.now;
        format!(
            "at {now} head {head}, store {store:?}, {client:?}, {nodes:?}, {healths:?}, {states:?}, {:?}",
            self.alarms
        )
    }

    /// At work, and released as far as the chain allows.
    pub(crate) fn is_at_work(&self) -> bool {
        let (state, mode) = (self.connector.state(), self.connector.mode());
        let expected = self.head().checked_sub(self.settings.confirmations);
        let chain_has =
            |block: &Checkpoint| self.chain.get(usize::try_from(block.number).unwrap()) == Some(&block.hash);
        (state, mode) == (State::Sampling, Mode::Normal)
            && self.connector.released() == expected
            && self.released.last().is_some_and(|block| Some(block.number) == expected && chain_has(block))
            && self.store.range(..=self.head()).next_back().is_some_and(|(_, hash)| self.chain.last() == Some(hash))
    }

    fn later(&mut self, delay: u64, due: Due) {
        self.sequence += 1;
        self.due.insert((self.now + delay, self.sequence), due);
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Answer(event) => self.feed(event),
            Due::View(node, publication, view) => self.see(node, publication, view),
            Due::Range { ticket, endpoint, witness, span, keep } => {
                self.far.remove(&ticket);
                let read = self.range(endpoint, span, keep).and_then(|blocks| match witness {
                    Some(witness) => self.witnessed(witness, span, keep).map(|()| blocks),
                    None => Ok(blocks),
                });
                let event = match read {
                    Ok(blocks) => {
                        self.store.extend(blocks.iter().map(|block| (block.number, block.hash)));
                        Event::RangeStored { ticket, blocks }
                    }
                    Err(error) => {
                        self.events_to = None;
                        Event::RangeFailed { ticket, error }
                    }
                };
                self.feed(event);
            }
        }
    }

    pub(crate) fn feed(&mut self, event: Event) {
        let effects = self.connector.apply(self.now, event);
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::AskHead { endpoint, with_chain_id } => {
                let allowed = match &self.connector.book().get(endpoint).unwrap().health {
                    Health::Unknown | Health::Well => true,
                    Health::SetAside { until, .. } => *until <= self.now,
                };
                assert!(allowed, "{endpoint} is asked during its pause");
                let (fault, event) = (self.nodes[endpoint.0].fault, self.head_answer(endpoint, with_chain_id));
                self.answer(endpoint, fault, event);
            }
            Effect::AskHash { endpoint, number } => {
                self.assert_well(endpoint);
                let hash = self.claim(endpoint, number);
                let latency_ms = self.nodes[endpoint.0].latency;
                let event = Event::Hash { endpoint, number, hash, latency_ms };
                self.answer(endpoint, self.nodes[endpoint.0].fault, event);
            }
            Effect::FetchRange { ticket, endpoint, witness, span, keep } => {
                self.assert_well(endpoint);
                if let Some(witness) = witness {
                    self.assert_well(witness);
                    assert_ne!(witness, endpoint);
                }
                let next = self.store.last_key_value().map_or(self.settings.start_block, |(number, _)| number + 1);
                match keep {
                    Keep::Every => assert_eq!(span.from, next, "a gap or an overlap"),
                    // Events are stored with it: none may be left out between those that are and it.
                    Keep::Ends => assert_eq!(span.from, self.events_next(), "events are left out or stored twice"),
                }
                assert!(keep == Keep::Ends || self.far.is_empty(), "a near range before a far one is stored");
                if keep == Keep::Ends {
                    self.far.insert(ticket);
                    self.events_to = Some(span.to);
                    assert!(span.to + self.settings.confirmations <= self.nodes.iter().map(top).max().unwrap());
                }
                self.spans.push((span, keep));
                if keep == Keep::Ends {
                    self.witnesses.push(witness);
                }
                self.calls += 1;
                // Reading and storing take their time; meanwhile forks may be noticed.
                let delay = self.nodes[endpoint.0].latency * 2 + self.dice.below(1 + self.slow_store);
                self.later(delay, Due::Range { ticket, endpoint, witness, span, keep });
            }
            Effect::Release { to } => {
                assert!(self.far.is_empty(), "released while a far range is under way");
                assert_eq!(self.store.get(&to.number), Some(&to.hash), "released what is not stored");
                assert!(self.genuine.contains(&to.hash), "released an invented block");
                assert!(
                    to.number + self.settings.confirmations <= self.peak,
                    "released too early: {to:?} {}",
                    self.describe()
                );
                self.released.push(to);
            }
            Effect::DeleteAbove { to, undo_events } => {
                let top = *self.store.last_key_value().unwrap().0;
                assert!(top - to.number < self.settings.fork_protection, "deletes {} blocks", top - to.number);
                assert_eq!(self.store.get(&to.number), Some(&to.hash), "keeps a block that is not there");
                let concerned = self.released.last().is_some_and(|released| released.number > to.number);
                assert!(undo_events || !concerned, "events are left behind");
                self.deleted.push(to.number);
                if self.fail_deletes > 0 {
                    self.fail_deletes -= 1;
                    return self.later(3, Due::Answer(Event::DeleteFailed));
                }
                self.store.retain(|number, _| *number <= to.number);
                if concerned {
                    self.released.push(to);
                }
                self.later(3, Due::Answer(Event::Deleted { to }));
            }
            Effect::DeleteAll { below } => {
                assert!(self.head() - below < self.settings.fork_protection, "deletes too many blocks");
                assert!(self.store.keys().all(|number| *number > below), "keeps a block");
                self.store.clear();
                self.released.clear();
                self.events_to = None;
                self.later(3, Due::Answer(Event::Rewound { blocks: Vec::new(), released: None }));
            }
            Effect::Ready => self.ready += 1,
            Effect::ModeChanged(mode) => assert_eq!(mode, self.connector.mode()),
            Effect::Alarm(alarm) => self.alarms.push(alarm),
            Effect::AlarmOver(_) => {}
            Effect::Transition { from, to, .. } => {
                assert_eq!(Some(&from), self.states.last());
                self.states.push(to);
            }
        }
    }

    /// The first block whose events are neither stored nor being stored.
    fn events_next(&self) -> u64 {
        let stored = self.connector.released().max(self.events_to);
        stored.map_or(self.settings.start_block, |number| number + 1)
    }

    fn assert_well(&self, endpoint: EndpointId) {
        assert!(self.connector.book().get(endpoint).unwrap().is_well(), "{endpoint} is read though set aside");
    }

    fn head_answer(&self, endpoint: EndpointId, with_chain_id: bool) -> Event {
        let node = &self.nodes[endpoint.0];
        let actual = if node.fault == Fault::OtherChain { 5 } else { self.settings.chain_id };
        let height = top(node);
        let (number, hash) = match node.fault {
            Fault::Invents(more) => (height + more, self.claim(endpoint, height + more).unwrap()),
            Fault::HighHeads => (height + 100_000, salted(B256::ZERO, 9)),
            _ => (height, self.claim(endpoint, height).unwrap()),
        };
        let chain_id = with_chain_id.then_some(actual);
        Event::Head { endpoint, chain_id, block: Checkpoint { number, hash }, latency_ms: Some(node.latency) }
    }

    /// What a node says about a height.
    fn claim(&self, endpoint: EndpointId, number: u64) -> Option<B256> {
        let node = &self.nodes[endpoint.0];
        if matches!(node.fault, Fault::Invents(more) if number > top(node) && number <= top(node) + more) {
            return Some(salted(B256::ZERO, u8::try_from(number % 256).unwrap()));
        }
        let hash = *node.view.get(usize::try_from(number).unwrap())?;
        Some(match node.fault {
            Fault::FalseHashes(salt) => salted(hash, salt),
            Fault::FalseTop if number + 4 > top(node) => salted(hash, 77),
            _ => hash,
        })
    }

    /// Delivers an answer, or what the fault makes of it.
    fn answer(&mut self, endpoint: EndpointId, fault: Fault, event: Event) {
        self.calls += 1;
        let latency = self.nodes[endpoint.0].latency;
        let jitter = self.dice.below(latency + 1);
        let (delay, event) = match self.error(fault) {
            Some(error) => {
                let delay = if matches!(error, RpcError::Timeout { .. }) { 300 } else { latency };
                (delay, Event::Failed { endpoint, error })
            }
            None => (latency + jitter, event),
        };
        self.later(delay, Due::Answer(event));
    }

    fn error(&self, fault: Fault) -> Option<RpcError> {
        let (endpoint, message) = (String::from("http://node"), String::from("fault"));
        match fault {
            Fault::Down => Some(RpcError::Transport { endpoint, message }),
            Fault::Flaky(chance) if self.dice.percent(chance) => Some(RpcError::Transport { endpoint, message }),
            Fault::Stalls => Some(RpcError::Timeout { endpoint, message }),
            Fault::Limits(seconds) => {
                let retry_after = Some(Duration::from_secs(seconds));
                Some(RpcError::RateLimited { endpoint, message, retry_after })
            }
            Fault::Truncates => Some(RpcError::Malformed { message }),
            Fault::None
            | Fault::Flaky(_)
            | Fault::OtherChain
            | Fault::Lags
            | Fault::FalseHashes(_)
            | Fault::FalseTop
            | Fault::HighHeads
            | Fault::Invents(_)
            | Fault::FalseRanges
            | Fault::ShortRanges(_)
            | Fault::NoRanges => None,
        }
    }

    /// What a witness adds to a range.
    fn witnessed(&self, witness: EndpointId, span: Span, keep: Keep) -> Result<(), RangeError> {
        match self.range(witness, span, keep) {
            Err(RangeError::Fetch(error)) => Err(RangeError::Witness { witness, error }),
            // Who does not link tells other events.
            Err(_) => {
                let message = "two endpoints differ".to_owned();
                Err(RangeError::Fetch(facilitator_chain::scan::FetchError::Lied { message }))
            }
            Ok(_) => Ok(()),
        }
    }

    /// Reads and links a range as the scanner would.
    fn range(&self, endpoint: EndpointId, span: Span, keep: Keep) -> Result<Vec<Checkpoint>, RangeError> {
        use facilitator_chain::scan::FetchError;
        let fault = self.nodes[endpoint.0].fault;
        if let Some(error) = self.error(fault) {
            return Err(RangeError::Fetch(FetchError::Rpc(error)));
        }
        if fault == Fault::NoRanges {
            let error = RpcError::Server { code: -32000, message: "no index".into(), data: None };
            return Err(RangeError::Fetch(FetchError::Rpc(error)));
        }
        if matches!(fault, Fault::ShortRanges(most) if keep == Keep::Ends && span.blocks() > most) {
            let error = RpcError::RangeTooWide { message: "too wide".into() };
            return Err(RangeError::Fetch(FetchError::Rpc(error)));
        }
        let hash = |number| self.claim(endpoint, number).ok_or(FetchError::Missing { number });
        let before = span.from.checked_sub(1).map(hash).transpose().map_err(RangeError::Fetch)?;
        let stored = span.from.checked_sub(1).and_then(|number| self.store.get(&number).copied());
        let is_first = span.from == self.settings.start_block;
        if (before != stored && !is_first) || fault == Fault::FalseRanges {
            return Err(RangeError::NotLinked);
        }
        let numbers: Vec<u64> = match keep {
            Keep::Every => (span.from..=span.to).collect(),
            Keep::Ends => vec![span.from, span.to],
        };
        let block = |number| Ok(Checkpoint { number, hash: hash(number)? });
        numbers.into_iter().map(block).collect::<Result<_, _>>().map_err(RangeError::Fetch)
    }
}

fn top(node: &Node) -> u64 {
    node.view.len() as u64 - 1
}
