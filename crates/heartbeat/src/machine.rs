//! The transitions.

use super::instance::{Instance, Statistics, Status, since};
use super::params::Params;

/// Why one became inactive that ended in order.
const STOPPED: &str = "it was stopped in order";

/// Why one became inactive whose keys another one has.
const REPLACED: &str = "another instance was started with its keys";

/// Whether this reason of a change of status is one that its operator wanted.
#[must_use]
pub fn is_intended(reason: &str) -> bool {
    [STOPPED, REPLACED].contains(&reason)
}

/// What happens to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It says that both its chains work: the next tick may make it active.
    Ready,
    /// It says that it can't work at present, e.g. because it ends.
    NotReady,
    /// A heartbeat, with the sender's own time.
    Heartbeat {
        /// Unix time in milliseconds.
        sent_ms: i64,
    },
    /// Its operator asks for maintenance (`request_son_maintenance`, H2).
    RequestMaintenance,
    /// Its operator takes that back (`cancel_request_son_maintenance`, H4).
    CancelMaintenance,
    /// Its operator, or its own start, ends the maintenance (H5).
    Return {
        /// Whether it belongs to the active set.
        in_active_set: bool,
    },
    /// The maintenance tick (H3, H10).
    Tick {
        /// Whether it belongs to the active set.
        in_active_set: bool,
    },
    /// Somebody looks how long it has been silent (H6, H7), or could not work.
    Watch {
        /// Whether another one could do its work.
        has_relief: bool,
    },
    /// It ends in order: what it held is free for the others at once.
    Stopped,
    /// One of its keys belongs to another instance by now, and its process does not live.
    Replaced,
    /// It signed a transaction (H20).
    Signed,
    /// The reward run (H20).
    Reward,
    /// An approved proposal, or its operator, ends it for good (H8).
    Deregister,
}

/// Why an event changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// H19.
    #[error("a heartbeat needs status active or request_maintenance; this instance is {0}")]
    NoHeartbeatDue(Status),
    /// H19.
    #[error("the heartbeat is not newer than the last sign of life")]
    NotNewer,
    /// H19.
    #[error("the heartbeat is not newer than the last time that the instance went down")]
    BeforeLastDown,
    /// H19.
    #[error("the heartbeat is {0} ms older than the heartbeat tolerance allows; check the clocks of both hosts")]
    TooOld(i64),
    /// H19.
    #[error(
        "the heartbeat is {0} ms further ahead than the heartbeat tolerance allows; check the clocks of both hosts"
    )]
    TooNew(i64),
    /// H2.
    #[error("maintenance can be requested for an active instance; this one is {0}")]
    NotActive(Status),
    /// H4.
    #[error("only a requested maintenance can be cancelled (status request_maintenance); this instance is {0}")]
    NotRequested(Status),
    /// H5.
    #[error("only an instance in maintenance can return from it; this one is {0}")]
    NotInMaintenance(Status),
    /// H26.
    #[error("an instance that is {0} signs nothing")]
    MayNotSign(Status),
    /// H11.
    #[error("the instance is deregistered, for good; start again under another name")]
    Gone,
}

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The instance afterwards.
    pub instance: Instance,
    /// Why its status is another one now; `None` if it is the same.
    pub reason: Option<String>,
}

/// Carries out an event.
///
/// # Errors
/// [`Refusal`]; then nothing is to be stored.
pub fn apply(before: &Instance, event: Event, now_ms: i64, params: &Params) -> Result<Applied, Refusal> {
    if before.status == Status::Deregistered {
        return gone(before, event);
    }
    match event {
        Event::Ready => Ok(unchanged(ready(before))),
        Event::NotReady => Ok(unchanged(unready(before, now_ms))),
        Event::Heartbeat { sent_ms } => heartbeat(before, sent_ms, now_ms, params),
        Event::RequestMaintenance if before.status == Status::Active => {
            Ok(become_status(before, Status::RequestMaintenance, now_ms, "its operator requested maintenance"))
        }
        Event::RequestMaintenance => Err(Refusal::NotActive(before.status)),
        Event::CancelMaintenance if before.status == Status::RequestMaintenance => {
            Ok(become_status(before, Status::Active, now_ms, "its operator cancelled the requested maintenance"))
        }
        Event::CancelMaintenance => Err(Refusal::NotRequested(before.status)),
        Event::Return { in_active_set } if before.status == Status::InMaintenance => {
            Ok(come_back(before, in_active_set, now_ms))
        }
        Event::Return { .. } => Err(Refusal::NotInMaintenance(before.status)),
        Event::Tick { in_active_set } => Ok(tick(before, in_active_set, now_ms)),
        Event::Watch { has_relief } => Ok(watch(before, has_relief, now_ms, params)),
        Event::Stopped => Ok(leave(before, now_ms, STOPPED)),
        Event::Replaced => Ok(leave(before, now_ms, REPLACED)),
        Event::Signed if before.status.may_sign() => {
            let mut instance = *before;
            instance.statistics.txs_signed = instance.statistics.txs_signed.saturating_add(1);
            Ok(unchanged(instance))
        }
        Event::Signed => Err(Refusal::MayNotSign(before.status)),
        Event::Reward => Ok(reward(before)),
        Event::Deregister => {
            let mut applied = become_status(before, Status::Deregistered, now_ms, "it was deregistered");
            applied.instance = unready(&applied.instance, now_ms);
            applied.instance.statistics.deregistered_ms = Some(now_ms);
            Ok(applied)
        }
    }
}

/// Nothing happens to a deregistered instance any more; whoever looks at all of them need not make an exception (H11).
fn gone(before: &Instance, event: Event) -> Result<Applied, Refusal> {
    match event {
        Event::Tick { .. } | Event::Watch { .. } | Event::NotReady | Event::Stopped | Event::Replaced => {
            Ok(unchanged(*before))
        }
        Event::Reward => Ok(reward(before)),
        Event::Ready
        | Event::Heartbeat { .. }
        | Event::RequestMaintenance
        | Event::CancelMaintenance
        | Event::Return { .. }
        | Event::Signed
        | Event::Deregister => Err(Refusal::Gone),
    }
}

const fn unchanged(instance: Instance) -> Applied {
    Applied { instance, reason: None }
}

const fn ready(before: &Instance) -> Instance {
    Instance { ready: true, unready_since_ms: None, ..*before }
}

fn unready(before: &Instance, now_ms: i64) -> Instance {
    let since = before.unready_since_ms.filter(|_| !before.ready).unwrap_or(now_ms);
    Instance { ready: false, unready_since_ms: Some(since), ..*before }
}

/// Who works does so no longer; any other status is kept. To work again it says anew that it is ready.
fn leave(before: &Instance, now_ms: i64, reason: &str) -> Applied {
    let before = unready(before, now_ms);
    if before.status.may_sign() { become_status(&before, Status::Inactive, now_ms, reason) } else { unchanged(before) }
}

/// Another status from now on. Time without work is counted where it ends.
fn become_status(before: &Instance, status: Status, now_ms: i64, reason: &str) -> Applied {
    let mut instance = Instance { status, since_ms: now_ms, ..*before };
    let counted = &mut instance.statistics;
    if before.status == Status::Inactive {
        counted.total_inactive_ms = counted.total_inactive_ms.saturating_add(since(before.since_ms, now_ms));
    }
    if status == Status::Active && before.status != Status::RequestMaintenance {
        counted.last_active_ms = Some(now_ms);
        counted.missed_heartbeats = 0;
    }
    Applied { instance, reason: Some(reason.to_owned()) }
}

fn heartbeat(before: &Instance, sent_ms: i64, now_ms: i64, params: &Params) -> Result<Applied, Refusal> {
    if !before.status.may_sign() {
        return Err(Refusal::NoHeartbeatDue(before.status));
    }
    let Statistics { last_active_ms, last_down_ms, .. } = before.statistics;
    // What lies in the future is of a clock that has gone back since.
    let latest = now_ms.saturating_add(params.tolerance_ms);
    if last_active_ms.is_some_and(|last| sent_ms <= last && last <= latest) {
        return Err(Refusal::NotNewer);
    }
    if last_down_ms.is_some_and(|down| sent_ms <= down && down <= latest) {
        return Err(Refusal::BeforeLastDown);
    }
    let (behind, ahead) = (now_ms.saturating_sub(sent_ms), sent_ms.saturating_sub(now_ms));
    if behind > params.tolerance_ms {
        return Err(Refusal::TooOld(behind.saturating_sub(params.tolerance_ms)));
    }
    if ahead > params.tolerance_ms {
        return Err(Refusal::TooNew(ahead.saturating_sub(params.tolerance_ms)));
    }
    let mut instance = *before;
    instance.statistics.last_active_ms = Some(sent_ms);
    instance.statistics.missed_heartbeats = 0;
    Ok(unchanged(instance))
}

/// The maintenance is over: its length stands still until a tick adds it to the total (H22).
fn come_back(before: &Instance, in_active_set: bool, now_ms: i64) -> Applied {
    let downtime = before.current_interval_downtime_ms(now_ms);
    let (status, reason) = if in_active_set {
        (Status::Active, "its maintenance was ended")
    } else {
        (Status::Inactive, "its maintenance was ended, and it is not in the active set")
    };
    let mut applied = become_status(before, status, now_ms, reason);
    applied.instance.statistics.ended_downtime_ms = downtime;
    applied
}

fn tick(before: &Instance, in_active_set: bool, now_ms: i64) -> Applied {
    let mut applied = match before.status {
        Status::Inactive if before.ready && in_active_set => {
            become_status(before, Status::Active, now_ms, "it is ready and in the active set")
        }
        Status::Active if !in_active_set => {
            become_status(before, Status::Inactive, now_ms, "it is no longer in the active set")
        }
        Status::RequestMaintenance => {
            let mut applied = become_status(before, Status::InMaintenance, now_ms, "maintenance was requested");
            applied.instance.statistics.last_down_ms = Some(now_ms);
            applied
        }
        Status::Inactive | Status::Active | Status::InMaintenance | Status::Deregistered => unchanged(*before),
    };
    let counted = &mut applied.instance.statistics;
    counted.total_downtime_ms = counted.total_downtime_ms.saturating_add(counted.ended_downtime_ms);
    counted.ended_downtime_ms = 0;
    if before.status.may_sign()
        && let Some(last) = before.last_tick_ms
    {
        let from = last.max(before.since_ms);
        counted.total_voted_ms = counted.total_voted_ms.saturating_add(since(from, now_ms));
    }
    applied.instance.last_tick_ms = Some(now_ms);
    applied
}

/// Two heartbeats missed in a row make an instance inactive; exactly two intervals are still in time (H6). So does saying
/// for as long that it can't work, e.g. because its nodes are down, where another one can: requests would wait for it.
fn watch(before: &Instance, has_relief: bool, now_ms: i64, params: &Params) -> Applied {
    if !before.status.may_sign() {
        return unchanged(*before);
    }
    let silent = since(before.heard_ms(), now_ms);
    let missed = silent.saturating_sub(1).checked_div(params.heartbeat_frequency_ms).unwrap_or(0);
    let mut instance = *before;
    instance.statistics.missed_heartbeats = u32::try_from(missed.max(0)).unwrap_or(u32::MAX);
    if silent > params.down_time_ms() {
        let reason = format!("it was silent for {}", super::hours_minutes_seconds(silent));
        return leave(&instance, now_ms, &reason);
    }
    let unready = before.unready_since_ms.filter(|_| !before.ready).map_or(0, |from| since(from, now_ms));
    if has_relief && unready > params.down_time_ms() {
        let length = super::hours_minutes_seconds(unready);
        return leave(&instance, now_ms, &format!("it could not work for {length}, and another instance can"));
    }
    unchanged(instance)
}

fn reward(before: &Instance) -> Applied {
    let mut instance = *before;
    let counted = &mut instance.statistics;
    counted.total_txs_signed = counted.total_txs_signed.saturating_add(counted.txs_signed);
    counted.txs_signed = 0;
    unchanged(instance)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
