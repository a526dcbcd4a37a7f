//! What is stored of an instance: its status and its statistics.

use std::{fmt, str::FromStr};

/// Where an instance stands in its life (H1–H11). The order is that of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Registered, or found silent: signs nothing, sends no heartbeat.
    Inactive,
    /// Works and sends heartbeats.
    Active,
    /// Works on until the next tick takes it into maintenance.
    RequestMaintenance,
    /// Signs nothing until its operator ends the maintenance.
    InMaintenance,
    /// Gone for good.
    Deregistered,
}

/// A stored text that is no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no status of an instance")]
pub struct UnknownStatus(pub String);

impl Status {
    /// Every status, in order.
    pub const ALL: [Self; 5] =
        [Self::Inactive, Self::Active, Self::RequestMaintenance, Self::InMaintenance, Self::Deregistered];

    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Active => "active",
            Self::RequestMaintenance => "request_maintenance",
            Self::InMaintenance => "in_maintenance",
            Self::Deregistered => "deregistered",
        }
    }

    /// Whether an instance of this status may sign (H26).
    #[must_use]
    pub const fn may_sign(self) -> bool {
        match self {
            Self::Active | Self::RequestMaintenance => true,
            Self::Inactive | Self::InMaintenance | Self::Deregistered => false,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |status: &Self| status.as_str() == text;
        Self::ALL.into_iter().find(named).ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

/// What is counted of an instance (H20–H25). Times are Unix milliseconds, lengths milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// `txs_signed`: transactions signed since the last reward run.
    pub txs_signed: u64,
    /// `total_txs_signed`: those of all reward runs before.
    pub total_txs_signed: u64,
    /// `total_downtime`: all maintenance that a tick has seen ended.
    pub total_downtime_ms: i64,
    /// `current_interval_downtime` of a maintenance that has ended and that no tick has seen yet; one that goes on is
    /// counted by [`Instance::current_interval_downtime_ms`].
    pub ended_downtime_ms: i64,
    /// `last_down_timestamp`: when it last went into maintenance.
    pub last_down_ms: Option<i64>,
    /// `last_active_timestamp`: when it last became active, or its last heartbeat.
    pub last_active_ms: Option<i64>,
    /// `deregistered_timestamp`.
    pub deregistered_ms: Option<i64>,
    /// `missed_heartbeats`: in a row, at present.
    pub missed_heartbeats: u32,
    /// `total_inactive`: time in which it was registered and found silent or not yet taken up. The maintenance is not
    /// part of it.
    pub total_inactive_ms: i64,
    /// `total_voted_time`: time in the active set, as counted by ticks.
    pub total_voted_ms: i64,
}

/// One registered instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    /// Its status.
    pub status: Status,
    /// When it got this status.
    pub since_ms: i64,
    /// Both chains work and it would work too: the next tick may take it up (H1).
    pub ready: bool,
    /// Since when it says that it could not work; `None` while it could.
    pub unready_since_ms: Option<i64>,
    /// When a tick last looked at it.
    pub last_tick_ms: Option<i64>,
    /// What is counted.
    pub statistics: Statistics,
}

impl Instance {
    /// A new one: inactive, and not ready before it says so (H1).
    #[must_use]
    pub fn registered(now_ms: i64) -> Self {
        Self {
            status: Status::Inactive,
            since_ms: now_ms,
            ready: false,
            unready_since_ms: Some(now_ms),
            last_tick_ms: None,
            statistics: Statistics::default(),
        }
    }

    /// `current_interval_downtime`: how long the present maintenance lasts; of one that has ended, its length until the
    /// next tick adds it to the total (H22).
    #[must_use]
    pub fn current_interval_downtime_ms(&self, now_ms: i64) -> i64 {
        match (self.status, self.statistics.last_down_ms) {
            (Status::InMaintenance, Some(down)) => {
                self.statistics.ended_downtime_ms.saturating_add(since(down, now_ms))
            }
            (
                Status::InMaintenance
                | Status::Inactive
                | Status::Active
                | Status::RequestMaintenance
                | Status::Deregistered,
                _,
            ) => self.statistics.ended_downtime_ms,
        }
    }

    /// From when its silence counts: its last sign of life, or when it became active (H13). A tick alone does not count:
    /// with ticks more frequent than the down time nobody would ever be found silent.
    #[must_use]
    pub fn heard_ms(&self) -> i64 {
        self.statistics.last_active_ms.unwrap_or(self.since_ms)
    }
}

/// The time from one moment to a later one; none where clocks disagree about which is later.
pub(crate) const fn since(from_ms: i64, to_ms: i64) -> i64 {
    let length = to_ms.saturating_sub(from_ms);
    if length > 0 { length } else { 0 }
}

/// A length as `HH:MM:SS`, hours beyond a day included (H21).
#[must_use]
pub fn hours_minutes_seconds(length_ms: i64) -> String {
    let seconds = length_ms.max(0) / 1_000;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
