//! The process that serves metrics and pages, among the children: nothing waits for it, and its end stops nobody.

use super::slot::{Seat, Slot};
use super::stop::Phase;
use super::{Parent, SPAWN_AGAIN, Setup, tell};
use crate::messages::{FromMetrics, ToMetrics};
use crate::metrics;
use facilitator_supervisor::{Event, watch};

/// Its place: closed if there is to be none.
pub(super) fn slot(setup: &Setup) -> Slot<ToMetrics> {
    let mut slot = Slot::new();
    if setup.metrics.is_none() {
        slot.close();
    }
    slot
}

impl Parent {
    pub(super) fn start_display(&mut self) {
        let Some(setup) = self.setup.metrics.clone() else { return self.display.close() };
        let label = self.setup.auxiliary_chain_id.to_string();
        match self.spawner.spawn(metrics::ROLE, Some(&label)) {
            Err(error) => self.display.not_started(&error.to_string(), SPAWN_AGAIN),
            Ok(spawned) => {
                let child = watch(spawned, metrics::ROLE, (), self.outbox.display.clone(), self.setup.watching());
                tell(child.send(&ToMetrics::Setup(Box::new(setup))));
                self.display.seat = Seat::Taken(child);
            }
        }
    }

    pub(super) fn on_display(&mut self, event: Event<(), FromMetrics>) {
        match event {
            Event::Ready { pid, .. } => tracing::debug!(pid, "metrics process started"),
            Event::Message { message: FromMetrics::Serving, .. } => {
                self.display.ready = true;
                self.display.trouble = None;
            }
            Event::Message { message: FromMetrics::Trouble(text), .. } => {
                if self.display.trouble.as_ref() != Some(&text) {
                    tracing::warn!("{text}");
                }
                self.display.trouble = Some(text);
            }
            Event::Ended { end, .. } if self.phase == Phase::Working => {
                let follows = self.display.died(&end, &self.setup.restart);
                tracing::warn!(%end, follows, "the metrics process ended");
            }
            Event::Ended { end, .. } => {
                self.display.close();
                tracing::debug!(%end, "the metrics process ended");
            }
        }
    }
}
