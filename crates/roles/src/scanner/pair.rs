//! Synchronises this chain with the other one: carries out what [`sync::Machine`] decides, beside the follower.
//!
//! Nothing here waits for a node: what is looked up comes back through [`Pair::hear`], and the follower reads on.

mod look_up;

use super::scene::Live;
use super::{Endpoints, Follower, ToParent};
use crate::child::ChildError;
use crate::clock;
use crate::messages::{FromScanner, ScannerSetup};
use facilitator_chain::sync::{
    self, Chain, ChainView, Effect, Event, Finding, Level, LookUpNo, Machine, Relayed, Stage,
};
use facilitator_store::Store;
use look_up::Desk;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// Shortest and longest time between two ticks of the machine; it wants several in each of its intervals.
const TICK_MS: (u64, u64) = (10, 250);

/// Pause after the `finalized` block could not be asked for.
const AGAIN: Duration = Duration::from_secs(1);

/// Tries in a row after which a node that never told its `finalized` block counts as one that has none.
const FINALIZED_TRIES: u32 = 5;

type Watched = Follower<'static, Live<ToParent>>;

/// Something that was looked up.
pub(super) enum Came {
    Found(LookUpNo, Result<Finding, String>),
    /// The node's `finalized` block under this head; `None` if it has no such tag.
    Finalized(u64, Result<Option<u64>, String>),
}

/// What is known of the own `finalized` block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finality {
    /// Not asked for yet.
    Unknown,
    /// As told under that head.
    Known { head: u64, block: Option<u64> },
}

/// The pair as one scanner sees it.
pub(super) struct Pair {
    machine: Machine,
    settings: sync::Settings,
    desk: Desk,
    came: mpsc::UnboundedReceiver<Came>,
    parent: ToParent,
    chain_id: u64,
    /// Unix time when this process began and the steady clock then, so that time never goes back.
    began: (u64, Instant),
    ticks: Interval,
    told: (Option<ChainView>, Option<sync::Connector>),
    finality: Finality,
    /// Whether the node's word about it is awaited, when it is asked again at the earliest, and how often in vain.
    asking: bool,
    ask_after: Instant,
    asked_in_vain: u32,
    effects: VecDeque<Effect>,
}

impl Pair {
    /// Begins in checkpoint-sync.
    pub(super) fn begin(
        setup: &ScannerSetup,
        settings: sync::Settings,
        follower: &Watched,
        store: Store,
        endpoints: Endpoints,
        parent: ToParent,
    ) -> Self {
        let own = &setup.chain;
        let other_id = if own.chain_id == own.pair.0 { own.pair.1 } else { own.pair.0 };
        let now = u64::try_from(clock::now_ms()).unwrap_or(0);
        let chain =
            Chain { side: own.side, chain_id: own.chain_id, other_id, confirmations: own.confirmations, life: now };
        let (machine, effects) = Machine::begin(settings, chain, follower.next(), now);
        let (tell, came) = mpsc::unbounded_channel();
        let tick = (settings.head_sync_ready_interval_ms / 4).clamp(TICK_MS.0, TICK_MS.1);
        let mut ticks = interval(Duration::from_millis(tick));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            machine,
            settings,
            desk: Desk::new(setup, other_id, store, endpoints, tell),
            came,
            parent,
            chain_id: own.chain_id,
            began: (now, Instant::now()),
            ticks,
            told: (None, None),
            finality: Finality::Unknown,
            asking: false,
            ask_after: Instant::now(),
            asked_in_vain: 0,
            effects: effects.into(),
        }
    }

    /// Waits until something was looked up (`Some`) or time has passed (`None`). Cancel-safe; what it returns must be
    /// given to [`Pair::take`].
    pub(super) async fn hear(&mut self) -> Option<Came> {
        tokio::select! {
            came = self.came.recv() => came,
            _ = self.ticks.tick() => None,
        }
    }

    /// Deals with what [`Pair::hear`] has returned.
    ///
    /// # Errors
    /// [`ChildError`]: the process must end and begin again.
    pub(super) async fn take(&mut self, came: Option<Came>, follower: &mut Watched) -> Result<(), ChildError> {
        match came {
            None => self.feed(Event::Tick),
            Some(Came::Found(no, found)) => self.feed(Event::Found(no, found)),
            Some(Came::Finalized(head, told)) => self.finalized(head, told),
        }
        self.look(follower).await
    }

    /// From the other scanner.
    ///
    /// # Errors
    /// [`ChildError`]: the process must end and begin again.
    pub(super) async fn relayed(&mut self, relayed: Relayed, follower: &mut Watched) -> Result<(), ChildError> {
        self.feed(Event::Relayed(relayed));
        self.look(follower).await
    }

    /// Tells the machine what the follower has come to, and does what it wants.
    ///
    /// # Errors
    /// [`ChildError`]: the process must end and begin again.
    pub(super) async fn look(&mut self, follower: &mut Watched) -> Result<(), ChildError> {
        let connector = follower.stands();
        if self.told.1.as_ref() != Some(&connector) {
            self.told.1 = Some(connector.clone());
            self.feed(Event::Connector(connector));
        }
        if let Some((next, head)) = follower.heights() {
            self.ask_finalized(head, follower);
            if let Some(finalized) = self.known_finalized() {
                let view = ChainView { next, head, finalized: finalized.map(|block| block.min(head)) };
                if self.told.0.replace(view) != Some(view) {
                    self.feed(Event::Chain(view));
                }
            }
        }
        while let Some(effect) = self.effects.pop_front() {
            self.carry_out(effect, follower).await?;
        }
        Ok(())
    }

    fn now(&self) -> u64 {
        let (unix, then) = self.began;
        unix.saturating_add(u64::try_from(then.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn feed(&mut self, event: Event) {
        let effects = self.machine.on(self.now(), event);
        self.effects.extend(effects);
    }

    async fn carry_out(&mut self, effect: Effect, follower: &mut Watched) -> Result<(), ChildError> {
        let chain = self.chain_id;
        match effect {
            Effect::PauseWork { why } => {
                tracing::warn!(chain, why, "no work until the chains are synchronised again");
                follower.shut().await?;
            }
            Effect::EnterStage { from, standing, why } => {
                let stage = standing.stage;
                tracing::info!(chain, %from, block = standing.current_block, head = standing.max_block, why, "stage {stage}");
            }
            Effect::ResumeWork => follower.open().await?,
            Effect::Say(said) => self.parent.send(&FromScanner::Sync(Box::new(said))).await?,
            Effect::LookUp(no, look_up) => self.desk.look_up(no, look_up, follower),
            Effect::Log(Level::Info, text) => tracing::info!(chain, "{text}"),
            Effect::Log(Level::Warn, text) => tracing::warn!(chain, "{text}"),
            Effect::Critical(text) => {
                tracing::error!(chain, "{text}");
                self.parent.send(&FromScanner::Critical(text)).await?;
            }
        }
        Ok(())
    }

    /// The `finalized` block to go by; outer `None`: not known yet.
    const fn known_finalized(&self) -> Option<Option<u64>> {
        match self.finality {
            _ if !self.settings.use_finalized_tag => Some(None),
            Finality::Unknown => None,
            Finality::Known { block, .. } => Some(block),
        }
    }

    /// Asks for the `finalized` block: under each head while the chains synchronise, once an epoch while they work.
    fn ask_finalized(&mut self, head: u64, follower: &Watched) {
        let due = match self.finality {
            Finality::Unknown => true,
            Finality::Known { head: asked, .. } => match self.machine.stage() {
                Stage::Working => self.settings.epoch(asked) != self.settings.epoch(head),
                Stage::Resync | Stage::CheckpointSync | Stage::DagSync | Stage::HeadSyncReady | Stage::HeadSync => {
                    asked != head
                }
            },
        };
        if !due || !self.settings.use_finalized_tag || self.asking || Instant::now() < self.ask_after {
            return;
        }
        if let Some(client) = follower.client() {
            self.asking = true;
            self.desk.ask_finalized(client, head);
        }
    }

    fn finalized(&mut self, head: u64, told: Result<Option<u64>, String>) {
        self.asking = false;
        match told {
            Ok(block) => {
                self.asked_in_vain = 0;
                self.finality = Finality::Known { head, block };
            }
            Err(error) => {
                tracing::debug!(chain = self.chain_id, error, "the finalized block could not be asked for");
                self.ask_after = Instant::now() + AGAIN;
                self.asked_in_vain = self.asked_in_vain.saturating_add(1);
                if self.finality == Finality::Unknown && self.asked_in_vain >= FINALIZED_TRIES {
                    let epochs = "the block two epochs back counts as finalized meanwhile";
                    tracing::warn!(
                        chain = self.chain_id,
                        error,
                        "the node does not tell its finalized block: {epochs}"
                    );
                    self.finality = Finality::Known { head, block: None };
                }
            }
        }
    }
}
