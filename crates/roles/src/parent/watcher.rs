//! The monitor among the children: nothing waits for it, and its end stops nobody.

use super::slot::{Seat, Slot};
use super::stop::Phase;
use super::{Parent, SPAWN_AGAIN, Setup, tell};
use crate::messages::{FromMonitor, ToMonitor};
use crate::monitor;
use facilitator_supervisor::{Event, watch};

/// Its place: closed if there is to be none.
pub(super) fn slot(setup: &Setup) -> Slot<ToMonitor> {
    let mut slot = Slot::new();
    if setup.monitor.is_none() {
        slot.close();
    }
    slot
}

impl Parent {
    pub(super) fn start_monitor(&mut self) {
        let Some(setup) = self.setup.monitor.clone() else { return self.monitor.close() };
        let label = self.setup.auxiliary_chain_id.to_string();
        match self.spawner.spawn(monitor::ROLE, Some(&label)) {
            Err(error) => self.monitor.not_started(&error.to_string(), SPAWN_AGAIN),
            Ok(spawned) => {
                let child = watch(spawned, monitor::ROLE, (), self.outbox.monitor.clone(), self.setup.watching());
                tell(child.send(&ToMonitor::Setup(Box::new(setup))));
                self.monitor.seat = Seat::Taken(child);
            }
        }
    }

    pub(super) fn on_monitor(&mut self, event: Event<(), FromMonitor>) {
        match event {
            Event::Ready { pid, .. } => tracing::debug!(pid, "monitor started"),
            Event::Message { message: FromMonitor::Ran(failure), .. } => {
                self.monitor.ready = true;
                self.monitor.trouble = failure;
            }
            Event::Ended { end, .. } => {
                let follows = if self.phase == Phase::Working {
                    self.monitor.died(&end, &self.setup.restart)
                } else {
                    self.monitor.close();
                    "stopped".to_owned()
                };
                if self.phase == Phase::Working {
                    tracing::warn!(%end, follows, "the monitor ended");
                } else {
                    tracing::debug!(%end, "the monitor ended");
                }
            }
        }
    }
}
