//! The instances of an operator, and how each stands.

use super::time;
use crate::parent::Standing;
use crate::running;
use facilitator_heartbeat::hours_minutes_seconds;
use facilitator_store::instances::InstanceRow;
use facilitator_store::{Store, StoreError};
use serde::Serialize;

/// One instance with its statistics, under the names of the heartbeat specification.
#[derive(Debug, Clone, Serialize)]
pub struct InstanceView {
    /// Its name.
    pub instance: String,
    /// Where it runs.
    pub host: String,
    /// Of the running process; none if it does not run.
    pub pid: Option<u32>,
    /// Its status.
    pub status: String,
    /// Whether both its chains work.
    pub ready: bool,
    /// What it weighs in the choice of those that work.
    pub weight: u64,
    /// When it was enrolled.
    pub registered_at: String,
    /// Since when it has its status.
    pub since: String,
    /// Transactions signed since the last reward run.
    pub txs_signed: u64,
    /// Those before.
    pub total_txs_signed: u64,
    /// Time down in all, hours:minutes:seconds.
    pub total_downtime: String,
    /// The same in milliseconds.
    pub total_downtime_ms: i64,
    /// Time down since the last tick, hours:minutes:seconds.
    pub current_interval_downtime: String,
    /// The same in milliseconds.
    pub current_interval_downtime_ms: i64,
    /// When it went down last.
    pub last_down_timestamp: Option<String>,
    /// When it was heard last.
    pub last_active_timestamp: Option<String>,
    /// When it was deregistered.
    pub deregistered_timestamp: Option<String>,
    /// Heartbeats missed in a row.
    pub missed_heartbeats: u32,
    /// Seconds inactive in all.
    pub total_inactive_secs: i64,
    /// Seconds in the active set in all.
    pub total_voted_time_secs: i64,
    /// Its worker keys.
    pub workers: Vec<WorkerView>,
    /// Newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<TransitionView>,
    /// Newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heartbeats: Vec<HeartbeatView>,
}

/// One change of status.
#[derive(Debug, Clone, Serialize)]
pub struct TransitionView {
    /// When.
    pub at: String,
    /// From this status.
    pub from: String,
    /// To this one.
    pub to: String,
    /// Why.
    pub reason: String,
}

/// One sign of life.
#[derive(Debug, Clone, Serialize)]
pub struct HeartbeatView {
    /// When it was sent.
    pub sent_at: String,
    /// When it was stored.
    pub received_at: String,
    /// Its status.
    pub status: String,
    /// Why it was refused; none if it was accepted.
    pub refusal: Option<String>,
}

/// One worker key.
#[derive(Debug, Clone, Serialize)]
pub struct WorkerView {
    /// Of which chain.
    pub chain_id: u64,
    /// Its account.
    pub address: String,
    /// When it was heard last.
    pub last_active_timestamp: Option<String>,
}

/// All instances of a database.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn views(store: &Store, now: i64) -> Result<Vec<InstanceView>, StoreError> {
    let processes = running::all(store, now).await?;
    let mut views = Vec::new();
    for row in store.instances().await? {
        let keys = store.instance_keys(row.id).await?.into_iter().map(|key| WorkerView {
            chain_id: key.chain_id,
            address: key.account.to_string(),
            last_active_timestamp: key.last_active_ms.map(time),
        });
        let process = processes.iter().find(|process| process.registered.instance == row.name);
        views.push(view(&row, process.map(|process| process.registered.pid), keys.collect(), now));
    }
    Ok(views)
}

fn view(row: &InstanceRow, pid: Option<u32>, workers: Vec<WorkerView>, now: i64) -> InstanceView {
    let (instance, counted) = (&row.instance, &row.instance.statistics);
    let current = instance.current_interval_downtime_ms(now);
    InstanceView {
        instance: row.name.clone(),
        host: row.host.clone(),
        pid,
        status: instance.status.to_string(),
        ready: instance.ready,
        weight: row.weight,
        registered_at: time(row.registered_at_ms),
        since: time(instance.since_ms),
        txs_signed: counted.txs_signed,
        total_txs_signed: counted.total_txs_signed,
        total_downtime: hours_minutes_seconds(counted.total_downtime_ms),
        total_downtime_ms: counted.total_downtime_ms,
        current_interval_downtime: hours_minutes_seconds(current),
        current_interval_downtime_ms: current,
        last_down_timestamp: counted.last_down_ms.map(time),
        last_active_timestamp: counted.last_active_ms.map(time),
        deregistered_timestamp: counted.deregistered_ms.map(time),
        missed_heartbeats: counted.missed_heartbeats,
        total_inactive_secs: counted.total_inactive_ms / 1_000,
        total_voted_time_secs: counted.total_voted_ms / 1_000,
        workers,
        transitions: Vec::new(),
        heartbeats: Vec::new(),
    }
}

/// The one word for how a running facilitator is: its own while it starts or stops, else the status of its instance.
#[must_use]
pub fn shown(standing: Option<&Standing>, life: Option<&InstanceRow>) -> String {
    let word = standing.map_or("starting", |standing| standing.status.as_str());
    let Some(life) = life else { return word.to_owned() };
    let works = life.instance.status.may_sign();
    if word == "stopping" || (word == "starting" && works) {
        return word.to_owned();
    }
    life.instance.status.to_string()
}
