//! How a facilitator is doing.

use super::instances::{self, InstanceView};
use super::{age, time};
use crate::parent::Standing;
use crate::running;
use facilitator_store::requests::Record;
use facilitator_store::{Pair, Store, StoreError};
use serde::Serialize;
use std::collections::BTreeMap;

/// How old the last report of a facilitator may be, in milliseconds: it reports every two seconds.
pub const REPORT_MS: i64 = 10_000;

/// Everything at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Auxiliary chain.
    pub chain_id: u64,
    /// Origin chain.
    pub origin_chain_id: u64,
    /// `stopped` where nobody runs, `starting` and `stopping` by its own word, else the status of the instance.
    pub status: String,
    /// Process id of the parent.
    pub pid: Option<u32>,
    /// Name of the instance.
    pub instance: Option<String>,
    /// When it was started.
    pub started_at: Option<String>,
    /// The same in Unix milliseconds.
    #[serde(skip)]
    pub started_at_ms: Option<i64>,
    /// Milliseconds since it reported.
    pub heartbeat_age_ms: Option<i64>,
    /// Newest block of each chain whose events are stored.
    pub scanned: BTreeMap<u64, Option<u64>>,
    /// Requests by the name of their state.
    pub queue: BTreeMap<String, u64>,
    /// Requests that have not ended.
    pub unfinished: u64,
    /// The oldest of them.
    pub oldest_unfinished: Option<Oldest>,
    /// What the facilitator itself reported last.
    pub standing: Option<Standing>,
    /// All instances that share the database.
    pub instances: Vec<InstanceView>,
}

/// What keeps requests from being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    /// No facilitator runs.
    Stopped,
    /// It has not reported yet that it works.
    Starting,
    /// It has not reported for long.
    Silent,
    /// It was told to stop.
    Stopping,
    /// The chains are not in step.
    Synchronization,
    /// The status of the instance does not allow it.
    Instance,
}

impl Blocked {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Stopped, Self::Starting, Self::Silent, Self::Stopping, Self::Synchronization, Self::Instance];

    /// Its name for scripts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Silent => "silent",
            Self::Stopping => "stopping",
            Self::Synchronization => "synchronization",
            Self::Instance => "instance",
        }
    }
}

/// The request that has waited longest.
#[derive(Debug, Clone, Serialize)]
pub struct Oldest {
    /// Its hash.
    pub request_hash: String,
    /// Its state.
    pub state: String,
    /// Seconds since its event was stored.
    pub age_s: i64,
    /// What it waits for.
    pub waiting_for: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Seconds until it is looked at again at the latest.
    pub next_look_in_s: Option<i64>,
    /// What happens next, in words.
    pub next: String,
}

impl Status {
    /// Where nothing has run yet.
    #[must_use]
    pub fn never_started(pair: Pair) -> Self {
        Self {
            chain_id: pair.auxiliary_chain_id,
            origin_chain_id: pair.origin_chain_id,
            status: "stopped".to_owned(),
            pid: None,
            instance: None,
            started_at: None,
            started_at_ms: None,
            heartbeat_age_ms: None,
            scanned: BTreeMap::from([(pair.origin_chain_id, None), (pair.auxiliary_chain_id, None)]),
            queue: BTreeMap::new(),
            unfinished: 0,
            oldest_unfinished: None,
            standing: None,
            instances: Vec::new(),
        }
    }

    /// Whether the facilitator is silent for so long that what it reported last is old.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.heartbeat_age_ms.is_some_and(|silent| silent > REPORT_MS)
    }

    /// Why requests are not worked on; `None` while they are.
    #[must_use]
    pub fn idle_because(&self) -> Option<String> {
        self.idle().map(|(_, why)| why)
    }

    /// What keeps requests from being worked on, as one of a few words and at length; `None` while nothing does.
    #[must_use]
    pub fn idle(&self) -> Option<(Blocked, String)> {
        let Some(standing) = &self.standing else {
            return Some(if self.pid.is_some() {
                (Blocked::Starting, "the facilitator is starting".to_owned())
            } else {
                (Blocked::Stopped, "no facilitator runs".to_owned())
            });
        };
        if self.is_silent() {
            return Some((Blocked::Silent, "the facilitator has not reported for long".to_owned()));
        }
        if standing.status == "stopping" {
            return Some((Blocked::Stopping, "it is stopping".to_owned()));
        }
        if let Some(why) = &standing.synchronization {
            return Some((Blocked::Synchronization, why.clone()));
        }
        if standing.status != "active" {
            return Some((Blocked::Starting, format!("it is {}", standing.status)));
        }
        let may_sign =
            self.status.parse::<facilitator_heartbeat::Status>().map(facilitator_heartbeat::Status::may_sign);
        (may_sign == Ok(false)).then(|| (Blocked::Instance, format!("the instance is {}", self.status)))
    }
}

/// Looks at the database; `instance`: whose status it is, else that of any which runs.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn look(store: &Store, instance: Option<&str>, now_ms: i64) -> Result<Status, StoreError> {
    let mut status = pulse(store, instance, now_ms).await?;
    for count in store.counts().await? {
        *status.queue.entry(count.state.name(count.kind).to_owned()).or_default() += count.count;
        if !count.state.is_end() {
            status.unfinished += count.count;
        }
    }
    for (chain_id, scanned) in &mut status.scanned {
        *scanned = store.checkpoint(*chain_id).await?.map(|block| block.number);
    }
    status.instances = instances::views(store, now_ms).await?;
    let oldest_record = store.oldest_unfinished().await?;
    status.oldest_unfinished = oldest_record.map(|record| oldest(&record, &status, now_ms));
    Ok(status)
}

/// Whether the facilitator lives and works, by its own row alone: what costs more the more requests there are is left out.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn pulse(store: &Store, instance: Option<&str>, now_ms: i64) -> Result<Status, StoreError> {
    let process = match instance {
        Some(name) => running::own(store, name, now_ms).await?,
        None => running::find(store, now_ms).await?,
    };
    let mut status = Status::never_started(store.pair());
    if let Some(process) = process {
        let standing = running::standing(&process);
        let life = store.instance(&process.registered.instance).await?;
        status.status = instances::shown(standing.as_ref(), life.as_ref());
        status.pid = Some(process.registered.pid);
        status.instance = Some(process.registered.instance);
        status.started_at_ms = Some(process.started_at_ms);
        status.started_at = Some(time(process.started_at_ms));
        status.heartbeat_age_ms = Some(now_ms.saturating_sub(process.heartbeat_at_ms));
        status.standing = standing;
    }
    Ok(status)
}

fn oldest(record: &Record, status: &Status, now_ms: i64) -> Oldest {
    let request = &record.request;
    let next_look_in_s = record.retry_at_ms.map(|at| at.saturating_sub(now_ms).max(0) / 1_000);
    Oldest {
        request_hash: request.terms.request_hash.to_string(),
        state: request.state.name(request.kind).to_owned(),
        age_s: now_ms.saturating_sub(record.created_at_ms) / 1_000,
        waiting_for: request.waiting_for.clone(),
        last_error: request.last_error.clone(),
        next_look_in_s,
        next: next(record, status, next_look_in_s),
    }
}

/// What happens next to a request that has not ended.
fn next(record: &Record, status: &Status, next_look_in_s: Option<i64>) -> String {
    let idle = status.idle_because();
    if status.pid.is_none() {
        return "nothing until the facilitator is started".to_owned();
    }
    if let Some(pid) = record.pid.filter(|_| record.claimed_by.is_some()) {
        return format!("worker process {pid} is at it");
    }
    let when = next_look_in_s.map(|seconds| match seconds {
        0 => "is due to be looked at".to_owned(),
        seconds => format!("looked at again within {} at the latest", age(seconds)),
    });
    let then = when.unwrap_or_else(|| {
        if record.ready { "taken up as soon as a worker is free" } else { "taken up when something happens to it" }
            .to_owned()
    });
    match idle {
        Some(why) => format!("{then}, but not before this is over: {why}"),
        None => then,
    }
}
