//! The connector's machine: events in, effects out.
//!
//! Invariants: nothing is asked of an endpoint that is set aside but its head when its pause is over; blocks are read
//! in order without a gap; nothing `fork_protection` or more blocks below the newest is deleted; released blocks are
//! deleted only on a settled election; nothing is released that a quorum doesn't confirm. Whatever is lost of its
//! memory (a crash) is learned again from the remembered blocks and the endpoints.

mod fetch;
mod fork;
mod pace;
mod round;
mod types;

pub use types::{Alarm, AlarmKind, Effect, Event, Keep, Mode, RangeError, State, Witness};

use super::{
    election::Elected,
    endpoints::{Ask, Book, EndpointId},
    health::Reason,
    local::Local,
    settings::Settings,
};
use crate::scan::Checkpoint;
use fetch::Pending;
use fork::Inquiry;
use pace::Pace;
use round::Round;
use std::collections::{BTreeSet, VecDeque};

/// Reads one chain through several endpoints. See the module of [`super`] for how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connector {
    settings: Settings,
    book: Book,
    local: Local,
    state: State,
    mode: Mode,
    now: u64,
    next_cycle: u64,
    next_poll: u64,
    /// How often heads come.
    pace: Pace,
    round: Option<Round>,
    /// The last election that elected anybody.
    elected: Option<Elected>,
    /// The height it was about.
    voted_at: u64,
    /// Whether the last election was settled: nothing is released otherwise.
    settled: bool,
    inquiry: Option<Inquiry>,
    deleting: Option<Checkpoint>,
    pending: VecDeque<Pending>,
    next_ticket: u64,
    fetch_at: u64,
    /// Whether blocks were read since the connector last had to find its way.
    fetched: bool,
    samples: u32,
    unsettled: u32,
    /// The newest block at the last sample.
    sampled: Option<u64>,
    refused: bool,
    released: Option<u64>,
    opened: bool,
    alarms: BTreeSet<AlarmKind>,
}

impl Connector {
    /// Starts with the remembered blocks, the newest whose events are stored (`released`), and the endpoints by name.
    /// Asks nothing before the first [`Event::Tick`].
    #[must_use]
    pub fn new(settings: Settings, endpoints: Vec<String>, blocks: Vec<Checkpoint>, released: Option<u64>) -> Self {
        Self {
            book: Book::new(endpoints, settings.clone()),
            local: Local::new(blocks, settings.dense_blocks.saturating_add(settings.blocks_per_fetch)),
            state: State::Connecting,
            mode: Mode::Resynchronise,
            now: 0,
            next_cycle: 0,
            next_poll: 0,
            pace: Pace::default(),
            round: None,
            elected: None,
            voted_at: 0,
            settled: false,
            inquiry: None,
            deleting: None,
            pending: VecDeque::new(),
            next_ticket: 0,
            fetch_at: 0,
            fetched: false,
            samples: 0,
            unsettled: 0,
            sampled: None,
            refused: false,
            released,
            opened: !settings.wait_for_pair,
            alarms: BTreeSet::new(),
            settings,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether the chain may be acted upon.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The endpoints.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The remembered blocks.
    #[must_use]
    pub const fn local(&self) -> &Local {
        &self.local
    }

    /// The endpoint that is read, if any: also the one to put the workers' questions to.
    #[must_use]
    pub fn the_client(&self) -> Option<EndpointId> {
        self.elected.map(|elected| elected.endpoint).filter(|id| self.is_well(*id))
    }

    /// The newest block whose events were released.
    #[must_use]
    pub const fn released(&self) -> Option<u64> {
        self.released
    }

    /// The newest block there is to follow: the head of the endpoint that is read, as far as others have come near it.
    #[must_use]
    pub fn highest(&self) -> Option<u64> {
        let head = self.the_client().and_then(|client| self.head_of(client))?;
        Some(self.target(head))
    }

    /// Rounds in a row that found this chain one block behind.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.samples
    }

    /// When the next [`Event::Tick`] is due at the latest.
    #[must_use]
    pub fn next_tick(&self) -> u64 {
        let round = self.round.as_ref().map(Round::until);
        let inquiry = self.inquiry.as_ref().map(Inquiry::until);
        let poll = self.follows().then_some(self.next_poll);
        let cycle = (round.is_none() && self.may_begin_round()).then_some(self.next_cycle);
        let fetch = (self.state == State::FetchBlocks && self.fetch_at > self.now).then_some(self.fetch_at);
        [round, inquiry, poll, cycle, fetch]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| self.now.saturating_add(self.settings.cycle_interval_ms))
    }

    /// One step. `now` is in milliseconds of a clock that never goes back.
    #[must_use]
    pub fn apply(&mut self, now: u64, event: Event) -> Vec<Effect> {
        self.now = self.now.max(now);
        let mut fx = Vec::new();
        self.take(event, &mut fx);
        self.tick(&mut fx);
        self.fetch(&mut fx);
        self.release(&mut fx);
        fx
    }

    fn take(&mut self, event: Event, fx: &mut Vec<Effect>) {
        match event {
            Event::Tick => {}
            Event::Head { endpoint, chain_id, block, latency_ms } => {
                self.heard_head(endpoint, chain_id, block, latency_ms, fx);
            }
            Event::Hash { endpoint, number, hash, latency_ms } => {
                self.book.answered(endpoint, Ask::Block, latency_ms, self.now);
                self.heard_hash(endpoint, number, hash, fx);
            }
            Event::Failed { endpoint, error } => {
                self.book.failed(endpoint, Ask::Block, &error, self.now);
                self.lost_answer(endpoint, &error.to_string(), fx);
            }
            Event::Lied { endpoint, message } => {
                self.book.set_aside(endpoint, Reason::Lied { message }, None, self.now);
                self.lost_answer(endpoint, "the endpoint was caught with a false answer", fx);
            }
            Event::Read { endpoint } => self.book.answered(endpoint, Ask::Range, 0, self.now),
            Event::ReadFailed { endpoint, error } => {
                self.book.failed(endpoint, Ask::Range, &error, self.now);
                self.lost_answer(endpoint, &error.to_string(), fx);
            }
            Event::Subscribed { endpoint, subscribed } => self.book.subscribed(endpoint, subscribed),
            Event::RangeRead { ticket } => self.range_read(ticket),
            Event::RangeStored { ticket, blocks } => self.range_stored(ticket, blocks, fx),
            Event::RangeFailed { ticket, error } => self.range_failed(ticket, error, fx),
            Event::Deleted { to } => self.deleted(to, fx),
            Event::DeleteFailed => self.delete_failed(fx),
            Event::Rewound { blocks, released } => self.rewound(blocks, released, fx),
            Event::Opened => {
                self.opened = true;
                if self.state == State::Rebuild {
                    self.work(fx);
                }
            }
            Event::Closed => {
                self.opened = !self.settings.wait_for_pair;
                if self.state == State::Sampling && !self.opened {
                    self.set_mode(Mode::Resynchronise, fx);
                    self.look_again(0, "the pair synchronises again", fx);
                }
            }
        }
    }

    fn heard_head(
        &mut self,
        endpoint: EndpointId,
        chain_id: Option<u64>,
        block: Checkpoint,
        latency_ms: Option<u64>,
        fx: &mut Vec<Effect>,
    ) {
        if let Some(latency_ms) = latency_ms {
            self.book.answered(endpoint, Ask::Block, latency_ms, self.now);
        }
        let ours = chain_id.is_none_or(|actual| self.book.identified(endpoint, actual, self.now));
        if !ours {
            return self.lost_answer(endpoint, "the endpoint serves another chain", fx);
        }
        let newer = self.head_of(endpoint).is_none_or(|before| before.number < block.number);
        self.book.saw_head(endpoint, block, self.reference(), self.now);
        if newer && self.the_client() == Some(endpoint) {
            self.pace.head_at(self.now);
            self.next_poll = self.now.saturating_add(self.pace.rest(self.settings.poll_interval_ms));
        }
        if self.follows() && self.the_client() == Some(endpoint) && self.local.contradicts(block) {
            // The next round tells whether the others see the fork too.
            self.next_cycle = self.now;
        }
        self.answered(endpoint, fx);
    }

    /// An answer will not come: whatever waits for it goes on without.
    fn lost_answer(&mut self, endpoint: EndpointId, why: &str, fx: &mut Vec<Effect>) {
        let read = |elected: Elected| elected.endpoint == endpoint || elected.witness == Some(endpoint);
        if self.follows() && self.elected.is_some_and(read) && !self.is_well(endpoint) {
            self.next_cycle = self.now;
        }
        self.inquiry_failed(endpoint, why, fx);
        self.lost_vote(endpoint, fx);
    }

    fn tick(&mut self, fx: &mut Vec<Effect>) {
        self.inquiry_late(fx);
        self.round_late(fx);
        if self.round.is_none() && self.now >= self.next_cycle && self.may_begin_round() {
            self.begin_round(fx);
        }
        if self.follows() && self.round.is_none() && self.now >= self.next_poll {
            self.next_poll = self.now.saturating_add(self.settings.poll_interval_ms);
            if let Some(client) = self.the_client()
                && self.book.get(client).is_some_and(|endpoint| !endpoint.subscribed)
            {
                self.ask_head(client, fx);
            }
        }
    }

    fn ask_head(&mut self, endpoint: EndpointId, fx: &mut Vec<Effect>) {
        self.book.asked(endpoint);
        // Behind the same name may be another node when it comes back.
        let with_chain_id = !self.is_well(endpoint);
        fx.push(Effect::AskHead { endpoint, with_chain_id });
    }

    fn ask_hash(&mut self, endpoint: EndpointId, number: u64, fx: &mut Vec<Effect>) {
        self.book.asked(endpoint);
        fx.push(Effect::AskHash { endpoint, number });
    }

    fn is_well(&self, id: EndpointId) -> bool {
        self.book.get(id).is_some_and(super::endpoints::Endpoint::is_well)
    }

    const fn round_is_on(&self) -> bool {
        self.round.is_some()
    }

    /// Whether new heads are followed as they come.
    fn follows(&self) -> bool {
        match self.state {
            State::Rebuild | State::Sampling => true,
            State::Connecting | State::HighestBlock | State::ForkDetect | State::FetchBlocks => false,
        }
    }

    fn go(&mut self, to: State, why: impl Into<String>, fx: &mut Vec<Effect>) {
        if self.state != to {
            fx.push(Effect::Transition { from: self.state, to, why: why.into() });
            self.state = to;
        }
    }

    /// Pause after a failure, so that nobody is asked in a tight loop.
    fn pause(&self) -> u64 {
        self.settings.poll_interval_ms.min(self.settings.cycle_interval_ms)
    }

    /// Back to asking all endpoints, in `pause_ms`.
    fn look_again(&mut self, pause_ms: u64, why: impl Into<String>, fx: &mut Vec<Effect>) {
        self.inquiry = None;
        self.next_cycle = self.now.saturating_add(pause_ms);
        self.go(State::HighestBlock, why, fx);
    }

    fn set_mode(&mut self, mode: Mode, fx: &mut Vec<Effect>) {
        if self.mode != mode {
            self.mode = mode;
            fx.push(Effect::ModeChanged(mode));
        }
    }

    fn alarm(&mut self, alarm: Alarm, fx: &mut Vec<Effect>) {
        if self.alarms.insert(alarm.kind()) {
            fx.push(Effect::Alarm(alarm));
        }
    }

    fn alarm_over(&mut self, kind: AlarmKind, fx: &mut Vec<Effect>) {
        if self.alarms.remove(&kind) {
            fx.push(Effect::AlarmOver(kind));
        }
    }

    fn rewound(&mut self, blocks: Vec<Checkpoint>, released: Option<u64>, fx: &mut Vec<Effect>) {
        self.local = Local::new(blocks, self.settings.dense_blocks.saturating_add(self.settings.blocks_per_fetch));
        self.released = released;
        self.pending.clear();
        self.deleting = None;
        self.round = None;
        self.refused = false;
        self.settled = false;
        self.alarm_over(AlarmKind::ForkProtection, fx);
        self.set_mode(Mode::Resynchronise, fx);
        if self.state != State::Connecting {
            self.look_again(0, "the chain is read again", fx);
        }
    }
}
