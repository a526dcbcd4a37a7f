//! One place for a long-lived child (a scanner or a sender): who sits there, how often it died, when the next one comes.

use facilitator_protocol::model::Side;
use facilitator_supervisor::{ChildHandle, Decision, End, RestartHistory, RestartPolicy};
use std::time::Duration;
use tokio::time::Instant;

/// What is in the place.
#[derive(Debug)]
pub(super) enum Seat<Out> {
    /// A child.
    Taken(ChildHandle<Out>),
    /// Nobody until then; the last one died.
    Empty {
        /// When the next one is started.
        until: Instant,
    },
    /// Nobody for long: it kept dying. [`Slot::trouble`] says how.
    Quarantined {
        /// When the next one is tried.
        until: Instant,
    },
    /// Nobody: the facilitator stops.
    Closed,
}

/// A place for one long-lived child.
#[derive(Debug)]
pub(super) struct Slot<Out> {
    /// What is in it.
    pub(super) seat: Seat<Out>,
    /// Whether the child has finished its preparations.
    pub(super) ready: bool,
    /// What keeps it from its work, in its own words.
    pub(super) trouble: Option<String>,
    /// How often it was started again.
    pub(super) restarts: u32,
    history: RestartHistory,
}

impl<Out: bincode::Encode> Slot<Out> {
    pub(super) fn new() -> Self {
        Self {
            seat: Seat::Empty { until: Instant::now() },
            ready: false,
            trouble: None,
            restarts: 0,
            history: RestartHistory::new(),
        }
    }

    /// The child, if there is one.
    pub(super) const fn child(&self) -> Option<&ChildHandle<Out>> {
        match &self.seat {
            Seat::Taken(child) => Some(child),
            Seat::Empty { .. } | Seat::Quarantined { .. } | Seat::Closed => None,
        }
    }

    /// The child, if it has finished its preparations: before, it hears no questions.
    pub(super) fn ready_child(&self) -> Option<&ChildHandle<Out>> {
        self.child().filter(|_| self.ready)
    }

    /// Whether it is time to start a child here.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        match self.seat {
            Seat::Empty { until } | Seat::Quarantined { until } => until <= now,
            Seat::Taken(_) | Seat::Closed => false,
        }
    }

    /// When the next child is due, if the place is empty.
    pub(super) const fn due_at(&self) -> Option<Instant> {
        match self.seat {
            Seat::Empty { until } | Seat::Quarantined { until } => Some(until),
            Seat::Taken(_) | Seat::Closed => None,
        }
    }

    /// The child died. Says what follows, in words for the log.
    pub(super) fn died(&mut self, end: &End, policy: &RestartPolicy) -> String {
        self.ready = false;
        match self.history.died(end.lived, policy) {
            Decision::Restart { after } => {
                self.restarts = self.restarts.saturating_add(1);
                self.seat = Seat::Empty { until: Instant::now() + after };
                self.trouble = Some(format!("it died ({end}) and is started again"));
                format!("started again in {} ms", after.as_millis())
            }
            Decision::Quarantine { after, deaths, within } => {
                let reason = format!("died {deaths} times within {} s, last: {end}", within.as_secs().max(1));
                self.restarts = self.restarts.saturating_add(1);
                self.seat = Seat::Quarantined { until: Instant::now() + after };
                self.trouble = Some(reason.clone());
                format!("quarantined, tried again in {} s: {reason}", after.as_secs())
            }
        }
    }

    /// The child ended because the facilitator stops.
    pub(super) fn close(&mut self) {
        self.ready = false;
        self.seat = Seat::Closed;
    }

    /// Starting it failed; try again after a while.
    pub(super) fn not_started(&mut self, error: &str, again_in: Duration) {
        self.trouble = Some(error.to_owned());
        self.seat = Seat::Empty { until: Instant::now() + again_in };
    }

    /// What the child says of its troubles; logged when it changes.
    pub(super) fn troubled(&mut self, role: &str, side: Side, trouble: Option<String>) {
        if self.trouble != trouble {
            match &trouble {
                Some(text) => tracing::warn!(child = role, %side, "{text}; trying again"),
                None => tracing::info!(child = role, %side, "well again"),
            }
        }
        self.trouble = trouble;
    }

    /// State in one word, for `status`.
    pub(super) const fn word(&self) -> &'static str {
        match (&self.seat, self.ready) {
            (Seat::Taken(_), true) => "working",
            (Seat::Taken(_), false) => "starting",
            (Seat::Empty { .. }, _) => "restarting",
            (Seat::Quarantined { .. }, _) => "quarantined",
            (Seat::Closed, _) => "stopped",
        }
    }
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
