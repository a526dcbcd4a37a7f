//! One monitoring run after another: look, take out what was handled, tell, and only then move on.

use crate::{
    Monitor, Persistence, Receiver, Report, SystemEvent, Task, Window,
    chains::{Chain, Endpoints, Unseen},
    monitors::{Findings, Look},
    now_ms,
    persistence::{Checkpoint, KeepError},
    receivers::Ack,
    report::ChainReport,
    window::checkpoint_at,
};
use facilitator_protocol::{gateway::GatewaySet, model::Side};
use futures_util::future::join_all;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Failures in a row after which a receiver is left alone until the next run.
const PATIENCE: u32 = 3;

/// Pause between two signs of life.
const ALIVE: Duration = Duration::from_secs(5);

/// How a manager works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Blocks before the checkpoint that are looked at again.
    pub depth: u64,
    /// The furthest that a monitor looks back beyond a window.
    pub look_back: u64,
    /// The checkpoint of a chain that has none.
    pub from_block: Option<u64>,
}

/// Runs monitors and hands what they find to receivers.
pub struct Manager {
    endpoints: [Endpoints; 2],
    sets: Arc<[GatewaySet]>,
    rules: Rules,
    monitors: Vec<Box<dyn Monitor>>,
    receivers: Vec<Box<dyn Receiver>>,
    persistence: Box<dyn Persistence>,
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manager").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// What a run has come to.
#[derive(Default)]
struct Course {
    chains: Vec<ChainReport>,
    events: usize,
    errors: Vec<String>,
}

impl Manager {
    /// A manager of these parts; endpoints of the origin chain first.
    #[must_use]
    pub fn new(
        endpoints: [Endpoints; 2],
        sets: Vec<GatewaySet>,
        rules: Rules,
        monitors: Vec<Box<dyn Monitor>>,
        receivers: Vec<Box<dyn Receiver>>,
        persistence: Box<dyn Persistence>,
    ) -> Self {
        Self { endpoints, sets: sets.into(), rules, monitors, receivers, persistence }
    }

    /// Whether the nodes that answer serve the chains that are configured; in words if one does not.
    pub async fn mismatch(&self) -> Option<String> {
        for endpoints in &self.endpoints {
            if let Err(error @ Unseen::Mismatch(_)) = endpoints.connect().await {
                return Some(error.to_string());
            }
        }
        None
    }

    /// One run.
    pub async fn trigger(&self) -> Report {
        if let Err(error) = self.persistence.begin(now_ms()).await {
            return Report::new(self.unseen(), 0, vec![error.to_string()]);
        }
        let course = self.alive(Box::pin(self.run())).await;
        let mut report = Report::new(course.chains.clone(), course.events, course.errors.clone());
        if let Err(error) = self.persistence.end(&report, now_ms()).await {
            let errors = course.errors.into_iter().chain([format!("cannot store the report: {error}")]);
            report = Report::new(course.chains, course.events, errors.collect());
        }
        report
    }

    fn unseen(&self) -> Vec<ChainReport> {
        let none =
            |endpoints: &Endpoints| ChainReport { chain_id: endpoints.chain_id(), from_block: None, to_block: None };
        self.endpoints.iter().map(none).collect()
    }

    /// Does the work, and says every now and then that it goes on. A run that was replaced meanwhile ends at once.
    async fn alive(&self, work: Task<'_, Course>) -> Course {
        // Side by side: a sign that waits for the database must not keep the work from finishing with it.
        tokio::select! {
            biased;
            course = work => course,
            error = self.signs() => Course { chains: self.unseen(), errors: vec![error.to_string()], ..Course::default() },
        }
    }

    /// Says that the run goes on, until it is not the one under way any more.
    async fn signs(&self) -> KeepError {
        loop {
            tokio::time::sleep(ALIVE).await;
            match self.persistence.prolong(now_ms()).await {
                Ok(()) => {}
                Err(error @ KeepError::Busy(_)) => return error,
                Err(KeepError::Failed(error)) => tracing::warn!(error, "no sign of life could be given"),
            }
        }
    }

    async fn run(&self) -> Course {
        let mut course = Course::default();
        let (origin, auxiliary) = tokio::join!(self.look_at(Side::Origin), self.look_at(Side::Auxiliary));
        let look = Look { origin, auxiliary, memory: &*self.persistence };
        course.chains = self.unseen();
        for (report, chain) in course.chains.iter_mut().zip([&look.origin, &look.auxiliary]) {
            if let Ok(chain) = chain {
                (report.from_block, report.to_block) = (Some(chain.window.from), Some(chain.window.to));
            }
        }
        let events = self.find(&look, &mut course).await;
        course.events = events.len();
        let told = join_all(self.receivers.iter().map(|receiver| self.tell(&**receiver, &events))).await;
        course.errors.extend(told.into_iter().flatten());
        if course.errors.is_empty()
            && let Err(error) = self.move_on(&look).await
        {
            course.errors.push(format!("cannot update checkpoint block: {error}"));
        }
        course
    }

    async fn look_at(&self, side: Side) -> Result<Chain, String> {
        let [origin, auxiliary] = &self.endpoints;
        let endpoints = match side {
            Side::Origin => origin,
            Side::Auxiliary => auxiliary,
        };
        let chain_id = endpoints.chain_id();
        let named = |problem: String| format!("{side} chain {chain_id}: {problem}");
        let checkpoint = self.checkpoint(chain_id).await.map_err(|error| named(error.to_string()))?;
        let window = |latest| Window::since(checkpoint, latest, self.rules.depth);
        endpoints.look(&self.sets, window).await.map_err(|unseen| named(unseen.to_string()))
    }

    /// The first checkpoint that an operator gives is kept at once: a first run that fails must not lose it.
    async fn checkpoint(&self, chain_id: u64) -> Result<Option<u64>, KeepError> {
        let found = self.persistence.checkpoint(chain_id).await?;
        let (None, Some(first)) = (found, self.rules.from_block) else { return Ok(found) };
        let block = checkpoint_at(first);
        self.persistence.move_checkpoints(&[Checkpoint { chain_id, block, forget_below: 0 }], now_ms()).await?;
        Ok(Some(block))
    }

    /// All monitors at the same time; one that fails keeps no other from being heard.
    async fn find(&self, look: &Look<'_>, course: &mut Course) -> Vec<SystemEvent> {
        let found = join_all(self.monitors.iter().map(|monitor| monitor.check(look))).await;
        let mut events: BTreeMap<(u64, u64, String), SystemEvent> = BTreeMap::new();
        for (monitor, Findings { events: found, errors }) in self.monitors.iter().zip(found) {
            let named = |error: String| format!("cannot check system events monitor: {}: {error}", monitor.name());
            course.errors.extend(errors.into_iter().map(named));
            events.extend(found.into_iter().map(|event| ((event.chain_id(), event.block, event.to_json()), event)));
        }
        events.into_values().collect()
    }

    /// Hands a receiver what it has not had; what went wrong.
    async fn tell(&self, receiver: &dyn Receiver, events: &[SystemEvent]) -> Vec<String> {
        let handled = match self.persistence.handled(receiver.id()).await {
            Ok(handled) => handled,
            Err(error) => return vec![format!("cannot read handled system events: {}: {error}", receiver.id())],
        };
        let wanted = events.iter().filter(|event| receiver.supports(event) && !handled.contains(&event.id()));
        let mut telling = Telling { manager: self, receiver, taken: Vec::new(), errors: Vec::new() };
        let (mut failed, mut left) = (0, 0_usize);
        for event in wanted {
            if failed >= PATIENCE {
                left += 1;
                continue;
            }
            match receiver.handle(event, now_ms()).await {
                Ok(Ack::Handled) => {
                    failed = 0;
                    telling.took(event).await;
                }
                Ok(Ack::Ignored) => {}
                Err(error) => {
                    failed += 1;
                    telling.errors.push(format!("cannot dispatch system event: {}: {error}", receiver.id()));
                }
            }
        }
        telling.store().await;
        if left > 0 {
            let id = receiver.id();
            telling.errors.push(format!("cannot dispatch system event: {id}: {left} more wait for the next run"));
        }
        telling.errors
    }

    async fn move_on(&self, look: &Look<'_>) -> Result<(), KeepError> {
        let moved = |chain: &Chain| {
            let before = self.rules.depth.saturating_add(self.rules.look_back);
            let block = checkpoint_at(chain.window.to);
            // Never younger than what the next window may find again, should the chain get shorter meanwhile.
            let forget_below = chain.window.from.min(block).saturating_sub(before);
            Checkpoint { chain_id: chain.chain_id, block, forget_below }
        };
        let moved: Vec<Checkpoint> = [&look.origin, &look.auxiliary].into_iter().flatten().map(moved).collect();
        self.persistence.move_checkpoints(&moved, now_ms()).await
    }
}

/// A receiver that is being told.
struct Telling<'a> {
    manager: &'a Manager,
    receiver: &'a dyn Receiver,
    /// Taken and not yet remembered.
    taken: Vec<&'a SystemEvent>,
    errors: Vec<String>,
}

impl<'a> Telling<'a> {
    async fn took(&mut self, event: &'a SystemEvent) {
        self.taken.push(event);
        if self.taken.len() >= self.receiver.together() {
            self.store().await;
        }
    }

    async fn store(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        if taken.is_empty() {
            return;
        }
        let stored: Task<'_, _> = self.manager.persistence.handle(self.receiver.id(), &taken, now_ms());
        if let Err(error) = stored.await {
            self.errors.push(format!("cannot store handled system events: {}: {error}", self.receiver.id()));
        }
    }
}
