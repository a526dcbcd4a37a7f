//! The place of a long-lived child, with the product's restart policy.

use facilitator_supervisor::{Decision, RestartHistory, RestartPolicy};
use std::time::Duration;

const POLICY: RestartPolicy = RestartPolicy {
    base: Duration::from_millis(100),
    max: Duration::from_millis(1_000),
    limit: 8,
    window: Duration::from_millis(60_000),
    quarantine: Duration::from_millis(30_000),
};

/// Who sits there.
#[derive(Debug)]
pub(crate) enum Seat {
    Empty { until: i64 },
    Taken { since: i64 },
    Quarantined,
}

/// The place of a long-lived child.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) seat: Seat,
    pub(crate) life: u64,
    pub(crate) ready: bool,
    history: RestartHistory,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self { seat: Seat::Empty { until: 0 }, life: 0, ready: false, history: RestartHistory::new() }
    }

    pub(crate) fn died(&mut self, now_ms: i64) {
        self.ready = false;
        // What a process says that was given up is not heard any more, even before another one has its place.
        self.life = 0;
        let Seat::Taken { since } = self.seat else { return };
        let lived = Duration::from_millis(u64::try_from(now_ms - since).unwrap_or(0));
        self.seat = match self.history.died(lived, &POLICY) {
            Decision::Restart { after } => {
                Seat::Empty { until: now_ms + i64::try_from(after.as_millis()).unwrap_or(0) }
            }
            Decision::Quarantine { .. } => Seat::Quarantined,
        };
    }
}
