//! The configuration is read again while the facilitator runs (SIGHUP): what is safe counts at once, in all processes.
//!
//! What changed, and what of it is safe, is said by whoever reads the configuration; here it is carried out.

use super::{Hunter, Parent, tell};
use crate::messages::{ToMetrics, ToMonitor, ToScanner, ToSender, ToWorker};
use facilitator_protocol::transfer::accept::Policy;
use facilitator_supervisor::RestartPolicy;
use std::time::Duration;
use tokio::time::Instant;

/// What may change while a facilitator runs.
#[derive(Debug, Clone)]
pub struct Tunable {
    /// What is logged.
    pub log_filter: String,
    /// The operator's limits for accepting. Balances that a key keeps are its sender's too, and stay as they were.
    pub policy: Policy,
    /// On what terms others' messages are finished; `None`: they are not.
    pub hunter: Option<Hunter>,
    /// Most worker processes at a time.
    pub max_workers: usize,
    /// Longest life of a worker.
    pub worker_timeout: Duration,
    /// Time for an orderly end.
    pub shutdown_timeout: Duration,
    /// When a child that died is started again.
    pub restart: RestartPolicy,
    /// Milliseconds between two runs of the monitor.
    pub monitor_interval_ms: u64,
}

/// What becomes of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It counts from now on.
    Applied,
    /// It counts from the next start; why not now.
    NextStart(&'static str),
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it stands in the configuration.
    pub key: String,
    /// What has changed, in words, without secrets.
    pub text: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// What a second reading has found.
#[derive(Debug, Clone)]
pub struct Reread {
    /// The differences from what the facilitator works by.
    pub changes: Vec<Change>,
    /// Everything that may change, as it is to be.
    pub tunable: Tunable,
}

/// Reads the configuration again; an error in words if it is not valid.
pub type Rereader = Box<dyn FnMut() -> Result<Reread, String>>;

impl Parent {
    /// Reads the configuration again, says what has changed, and takes over what is safe.
    pub(super) fn reread(&mut self) {
        let Reread { changes, tunable } = match (self.rereader)() {
            Ok(reread) => reread,
            Err(text) => {
                tracing::error!("the configuration is not taken over, all stays as it was: {text}");
                return;
            }
        };
        if changes.is_empty() {
            tracing::info!("configuration read again: nothing has changed");
        }
        for Change { key, text, fate } in &changes {
            match fate {
                Fate::Applied => tracing::info!(key, "configuration changed: {text}"),
                Fate::NextStart(why) => {
                    tracing::warn!(key, "configuration changed, but counts from the next start, since {why}: {text}");
                }
            }
        }
        self.take_over(tunable);
    }

    fn take_over(&mut self, tunable: Tunable) {
        let setup = &mut self.setup;
        // Named one by one: what is added to them is to be thought about here.
        let Policy { prices, min_gas_price, min_gas_limit, max_bounty, funds_safety_percent, .. } = tunable.policy;
        setup.policy = Policy {
            prices,
            min_gas_price,
            min_gas_limit,
            max_bounty,
            funds_safety_percent,
            min_origin_balance: setup.policy.min_origin_balance,
            min_auxiliary_balance: setup.policy.min_auxiliary_balance,
            worker_expiry_margin_blocks: setup.policy.worker_expiry_margin_blocks,
        };
        // Whether there is one at all is decided at the start, which ends what an earlier one has queued.
        if let (Some(hunter), Some(to_be)) = (setup.hunter.as_mut(), tunable.hunter) {
            *hunter = to_be;
        }
        setup.max_workers = tunable.max_workers;
        setup.worker_timeout = tunable.worker_timeout;
        setup.shutdown_timeout = tunable.shutdown_timeout;
        setup.restart = tunable.restart;
        self.crew.limit(tunable.max_workers, tunable.worker_timeout);
        // What was too dear may do now, and there may be room for more.
        self.claim_wanted = true;
        // Whoever looks is to see it at once.
        self.next_heartbeat = Instant::now();
        self.look_so_often(tunable.monitor_interval_ms);
        self.log_by(tunable.log_filter);
    }

    fn look_so_often(&mut self, interval_ms: u64) {
        let Some(monitor) = self.setup.monitor.as_mut().filter(|monitor| monitor.setup.interval_ms != interval_ms)
        else {
            return;
        };
        monitor.setup.interval_ms = interval_ms;
        if let Some(child) = self.monitor.child() {
            tell(child.send(&ToMonitor::Interval(interval_ms)));
        }
    }

    fn log_by(&mut self, filter: String) {
        if self.setup.log_filter == filter {
            return;
        }
        crate::child::log_by(&filter);
        for child in self.scanners.iter().filter_map(super::slot::Slot::child) {
            tell(child.send(&ToScanner::Log(filter.clone())));
        }
        for child in self.senders.iter().filter_map(super::slot::Slot::child) {
            tell(child.send(&ToSender::Log(filter.clone())));
        }
        if let Some(child) = self.monitor.child() {
            tell(child.send(&ToMonitor::Log(filter.clone())));
        }
        if let Some(child) = self.display.child() {
            tell(child.send(&ToMetrics::Log(filter.clone())));
        }
        self.crew.tell_all(|| ToWorker::Log(filter.clone()));
        self.setup.log_filter = filter;
        // Whoever is started from now on begins with it.
        self.spawner = self.setup.spawner();
    }
}
