//! Follows the chain: carries out what the connector decides, puts events of final blocks into the database, undoes
//! forks.
//!
//! The loop outside waits with [`Follower::hear`] until something was answered and with [`Follower::due_at`] until time
//! is up, and hands both in; nothing here waits for an endpoint, so one that stalls holds up nobody.

mod back;
mod gaps;
mod headers;
mod pair;
mod ranges;
mod read;
mod release;
mod tasks;
mod tell;

use super::{Scene, unfit};
use crate::child::ChildError;
use crate::messages::{FromScanner, ScannerSetup};
use facilitator_chain::connector::{Connector, Effect, EndpointId, Event, Keep, Mode, Settings};
use facilitator_chain::rpc::RpcError;
use facilitator_chain::scan::{Checkpoint, FetchError, FetchedRange, LogFilter};
use facilitator_chain::types::Header;
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::events::Event as ContractEvent;
use facilitator_protocol::model::Side;
use facilitator_store::StoreError;
use facilitator_store::scan::{Block, BlockRef};
use gaps::Gaps;
use headers::Headers;
pub use read::Unread;
use release::Release;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tasks::Tasks;
use tell::Told;

/// Blocks whose hashes are remembered, above what forks may need.
const REMEMBERED: u32 = 2_048;

/// Remembered blocks that wait for a commit that they can go with.
const MAX_UNSAVED: usize = 32;

/// Pause after the database refused, or events could not be read, milliseconds.
const PAUSE_MS: u64 = 500;

/// Something that was asked has come.
pub enum Heard {
    /// An endpoint's newest block.
    Head {
        /// Who says so.
        endpoint: EndpointId,
        /// Milliseconds that it took; `None` if it was announced.
        latency_ms: Option<u64>,
        /// The chain, if it was asked, and the block.
        answer: Result<(Option<u64>, Header), RpcError>,
    },
    /// An endpoint announces its heads from now on, or no longer.
    Subscribed(EndpointId, bool),
    /// The hash at a height.
    Hash {
        /// Who says so.
        endpoint: EndpointId,
        /// The height.
        number: u64,
        /// Milliseconds that it took.
        latency_ms: u64,
        /// The hash.
        answer: Result<Option<B256>, RpcError>,
    },
    /// What an endpoint suggests to pay for gas.
    GasPrice(EndpointId, Result<U256, RpcError>),
    /// All headers of a range.
    Headers(u64, Result<Vec<Header>, FetchError>),
    /// The events of a range.
    Range(u64, Result<FetchedRange, Unread>),
    /// The events of released blocks.
    Released(u64, Result<FetchedRange, Unread>),
}

/// The loop's state.
pub struct Follower<'s, S> {
    chain_id: u64,
    start_block: u64,
    scene: Rc<S>,
    filter: Rc<LogFilter>,
    connector: Connector,
    effects: VecDeque<Effect>,
    tasks: Tasks<'s, Heard>,
    headers: Headers,
    /// The last block whose events are stored.
    checkpoint: Option<BlockRef>,
    /// Remembered blocks that are not in the database yet.
    unsaved: Vec<Block>,
    /// Ranges with events that came before those of the blocks below them were stored.
    early: Vec<(u64, FetchedRange)>,
    release: Release,
    gaps: Gaps,
    /// The first block of those read last whose header proves nothing, if there are.
    unproven_from: Option<u64>,
    /// Nothing is written or read for events before this time, milliseconds.
    rest_until: u64,
    told: Told,
}

impl<'s, S: Scene + 's> Follower<'s, S> {
    /// Goes on from the checkpoint in the database, with endpoints that are named so.
    ///
    /// # Errors
    /// [`ChildError::Store`].
    pub async fn begin(setup: &ScannerSetup, endpoints: Vec<String>, scene: S) -> Result<Self, ChildError> {
        let chain_id = setup.chain.chain_id;
        let checkpoint = scene.checkpoint(chain_id).await?;
        let known = remembered(&scene, chain_id).await?;
        let released = checkpoint.map(|block| block.number);
        // A chain that stands still releases nothing more.
        scene.set_final(released);
        let settings = Settings { wait_for_pair: setup.pair.is_some(), ..setup.connector.clone() };
        Ok(Self {
            chain_id,
            start_block: settings.start_block,
            scene: Rc::new(scene),
            filter: Rc::new(LogFilter::new(watched(setup), ContractEvent::TOPICS.to_vec())),
            release: Release::new(settings.max_log_range),
            gaps: Gaps::new(checkpoint.is_none() && settings.start_block == 0),
            unproven_from: None,
            connector: Connector::new(settings, endpoints, known, released),
            effects: VecDeque::new(),
            tasks: Tasks::new(),
            headers: Headers::default(),
            checkpoint,
            unsaved: Vec::new(),
            early: Vec::new(),
            rest_until: 0,
            told: Told::default(),
        })
    }

    /// The connector, to be looked at.
    #[must_use]
    pub const fn connector(&self) -> &Connector {
        &self.connector
    }

    /// The last block whose events are stored and the last whose events may be, as far as either is known.
    #[must_use]
    pub fn reached(&self) -> (Option<u64>, Option<u64>) {
        (self.checkpoint.map(|block| block.number), self.release.target().map(|block| block.number))
    }

    /// Whether the chain may be acted upon and everything that is final by now has been read.
    #[must_use]
    pub fn is_in_step(&self) -> bool {
        let behind = self.release.target().is_some_and(|target| self.next_block() <= target.number);
        self.connector.mode() == Mode::Normal && !behind
    }

    /// When [`Follower::tick`] is due, milliseconds of the scene's clock.
    #[must_use]
    pub fn due_at(&self) -> u64 {
        let rest = (self.rest_until > self.scene.now()).then_some(self.rest_until);
        rest.map_or_else(|| self.connector.next_tick(), |rest| self.connector.next_tick().min(rest))
    }

    /// The time of the scene's clock, milliseconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.scene.now()
    }

    /// How long until [`Follower::tick`] is due.
    #[must_use]
    pub fn wait(&self) -> Duration {
        Duration::from_millis(self.due_at().saturating_sub(self.scene.now()))
    }

    /// Waits until something has come. Cancel-safe; what it returns must be given to [`Follower::take`].
    pub async fn hear(&mut self) -> Heard {
        self.tasks.next().await
    }

    /// Time is up.
    ///
    /// # Errors
    /// [`ChildError`]: the process must end and begin again.
    pub async fn tick(&mut self) -> Result<(), ChildError> {
        self.look_for_rewind().await?;
        self.feed(Event::Tick);
        self.settle().await
    }

    /// Deals with what has come.
    ///
    /// # Errors
    /// [`ChildError`]: the process must end and begin again.
    pub async fn take(&mut self, heard: Heard) -> Result<(), ChildError> {
        match heard {
            Heard::Head { endpoint, latency_ms, answer: Ok((chain_id, header)) } => {
                let block = Checkpoint { number: header.number, hash: header.hash };
                self.headers.keep(header);
                self.feed(Event::Head { endpoint, chain_id, block, latency_ms });
            }
            Heard::Hash { endpoint, number, latency_ms, answer: Ok(hash) } => {
                self.feed(Event::Hash { endpoint, number, hash, latency_ms });
            }
            Heard::Head { endpoint, answer: Err(error), .. } | Heard::Hash { endpoint, answer: Err(error), .. } => {
                self.feed(Event::Failed { endpoint, error });
            }
            Heard::Subscribed(endpoint, subscribed) => self.feed(Event::Subscribed { endpoint, subscribed }),
            Heard::GasPrice(endpoint, answer) => self.gas_price_came(endpoint, answer).await?,
            Heard::Headers(ticket, answer) => self.headers_came(ticket, answer),
            Heard::Range(ticket, answer) => self.range_came(ticket, answer).await?,
            Heard::Released(number, answer) => self.released_came(number, answer).await?,
        }
        self.settle().await
    }

    /// Stores what is remembered in memory alone, before the process ends.
    ///
    /// # Errors
    /// [`ChildError::Store`].
    pub async fn close(&mut self) -> Result<(), ChildError> {
        if !self.unsaved.is_empty() {
            self.scene.remember_blocks(self.chain_id, &self.unsaved).await?;
            self.unsaved.clear();
        }
        Ok(())
    }

    fn next_block(&self) -> u64 {
        self.checkpoint.map_or(self.start_block, |block| block.number.saturating_add(1))
    }

    fn is_resting(&self) -> bool {
        self.scene.now() < self.rest_until
    }

    fn rest(&mut self) {
        self.rest_until = self.scene.now().saturating_add(PAUSE_MS);
    }

    /// Tells the connector; what it wants done is done by [`Follower::settle`].
    fn feed(&mut self, event: Event) {
        let effects = self.connector.apply(self.scene.now(), event);
        self.effects.extend(effects);
    }

    /// Does what the connector wants, and what follows from it.
    async fn settle(&mut self) -> Result<(), ChildError> {
        loop {
            while let Some(effect) = self.effects.pop_front() {
                self.carry_out(effect).await?;
            }
            self.store_early().await?;
            self.read_released().await?;
            if self.effects.is_empty() {
                break;
            }
        }
        self.save_remembered().await?;
        self.tell_all().await
    }

    async fn carry_out(&mut self, effect: Effect) -> Result<(), ChildError> {
        match effect {
            Effect::AskHead { endpoint, with_chain_id } => self.ask_head(endpoint, with_chain_id),
            Effect::AskHash { endpoint, number } => self.ask_hash(endpoint, number),
            Effect::FetchRange { ticket, endpoint, span, keep: Keep::Every, .. } => {
                self.fetch_headers(ticket, endpoint, span);
            }
            Effect::FetchRange { ticket, endpoint, witness, span, keep: Keep::Ends } => {
                self.fetch_range(ticket, endpoint, witness, span);
            }
            Effect::Release { to } => {
                self.release.up_to(to);
                self.scene.set_final(Some(to.number));
            }
            Effect::DeleteAbove { to, undo_events } => self.delete_above(to, undo_events).await?,
            Effect::DeleteAll { below } => self.delete_all(below).await?,
            Effect::Ready | Effect::ModeChanged(_) => {}
            Effect::Alarm(alarm) => self.alarmed(&alarm),
            Effect::AlarmOver(kind) => self.told.over(kind),
            Effect::Transition { from, to, why } => {
                tracing::debug!(chain = self.chain_id, %from, why, "current state: {to}");
            }
        }
        Ok(())
    }

    fn ask_head(&mut self, endpoint: EndpointId, with_chain_id: bool) {
        let scene = Rc::clone(&self.scene);
        self.tasks.add(async move {
            let began = scene.now();
            let answer = scene.head(endpoint, with_chain_id).await;
            let latency_ms = Some(scene.now().saturating_sub(began));
            Heard::Head { endpoint, latency_ms, answer }
        });
    }

    fn ask_hash(&mut self, endpoint: EndpointId, number: u64) {
        let scene = Rc::clone(&self.scene);
        self.tasks.add(async move {
            let began = scene.now();
            let answer = scene.hash(endpoint, number).await;
            let latency_ms = scene.now().saturating_sub(began);
            Heard::Hash { endpoint, number, latency_ms, answer }
        });
    }

    /// A database that is out of reach for a while is tried again; one in which the checkpoint was moved, back by the
    /// operator or on by another instance, is followed.
    async fn store_refused(&mut self, error: StoreError) -> Result<(), ChildError> {
        if error.passes() {
            self.rest();
            self.told.database(Some(error.to_string()));
            return Ok(());
        }
        if let StoreError::CheckpointMoved { .. } = error {
            if self.rewound().await? || self.overtaken().await? {
                return Ok(());
            }
            let unfit = unfit(error.to_string());
            self.scene.tell(FromScanner::Unfit(unfit.clone())).await?;
            return Err(ChildError::Unfit(unfit));
        }
        Err(error.into())
    }

    /// Remembers a block; while the database refuses, the newest ones only.
    fn remember(&mut self, block: Block) {
        self.unsaved.push(block);
        let most = usize::try_from(REMEMBERED).unwrap_or(usize::MAX);
        if self.unsaved.len() > most {
            self.unsaved.drain(..self.unsaved.len() - most);
        }
    }

    /// Remembered blocks usually go with the next commit of events; if none comes for long, alone.
    async fn save_remembered(&mut self) -> Result<(), ChildError> {
        if self.unsaved.len() < MAX_UNSAVED || self.is_resting() {
            return Ok(());
        }
        match self.scene.remember_blocks(self.chain_id, &self.unsaved).await {
            Ok(()) => {
                self.unsaved.clear();
                Ok(())
            }
            Err(error) => self.store_refused(error).await,
        }
    }
}

async fn remembered<S: Scene>(scene: &S, chain_id: u64) -> Result<Vec<Checkpoint>, StoreError> {
    let blocks = scene.recent_blocks(chain_id, REMEMBERED).await?;
    Ok(blocks.iter().map(|block| Checkpoint { number: block.number, hash: block.hash }).collect())
}

const fn block(header: &Header) -> Block {
    Block { number: header.number, hash: header.hash, parent_hash: header.parent_hash }
}

/// The contracts whose events matter on this chain.
fn watched(setup: &ScannerSetup) -> Vec<Address> {
    let of = |gateway: &crate::messages::ConfiguredGateway| match setup.chain.side {
        Side::Origin => vec![gateway.composer, gateway.gateway, gateway.anchor],
        Side::Auxiliary => {
            let mut addresses = vec![gateway.cogateway, gateway.co_anchor];
            addresses.extend(gateway.redeem_pool);
            addresses
        }
    };
    setup.gateways.iter().flat_map(of).collect()
}
