//! The orderly end: no new claims, workers hand back, senders sign nothing more, scanners commit, all are waited for.

use super::{News, Parent, tell};
use crate::messages::{ToMetrics, ToMonitor, ToScanner, ToSender};
use facilitator_supervisor::Stop;
use std::time::Duration;
use tokio::time::Instant;

use super::slot::{Seat, Slot};

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not begun.
    Working,
    /// Workers are handing back.
    Workers {
        /// When all that is left is killed.
        deadline: Instant,
    },
    /// Scanners and senders are ending.
    Services {
        /// When all that is left is killed.
        deadline: Instant,
    },
}

impl Phase {
    /// When something is to be done by the clock. The services' children have their own deadlines.
    pub(super) const fn due_at(self) -> Option<Instant> {
        match self {
            Self::Working | Self::Services { .. } => None,
            Self::Workers { deadline } => Some(deadline),
        }
    }
}

impl Parent {
    /// A signal: the first one asks for an orderly end, a second one for an immediate end.
    pub(super) fn asked_to_stop(&mut self) {
        if matches!(self.phase, Phase::Working) {
            tracing::info!("stopping: workers hand back, senders finish what they signed");
            self.begin_stop();
        } else {
            tracing::warn!("asked again: killing what is left");
            self.kill_all();
        }
    }

    pub(super) fn begin_stop(&mut self) {
        if matches!(self.phase, Phase::Working) {
            let within = self.setup.shutdown_timeout;
            self.phase = Phase::Workers { deadline: Instant::now() + within };
            self.crew.stop(within);
            (self.on_news)(News::Stopping { within });
        }
    }

    pub(super) fn tend_stop(&mut self, now: Instant) {
        if let Phase::Workers { deadline } = self.phase
            && self.crew.is_empty()
            // Rows that are being claimed come back to be put back; not if the database never answers.
            && (!self.clerk.is_claiming() || now >= deadline || self.error.is_some())
        {
            self.phase = Phase::Services { deadline };
            let within = deadline.saturating_duration_since(now).max(Duration::from_secs(1));
            self.stop_services(within);
        }
    }

    fn stop_services(&mut self, within: Duration) {
        for slot in [&mut self.senders.origin, &mut self.senders.auxiliary] {
            end_slot(slot, &ToSender::Stop, within);
        }
        for slot in [&mut self.scanners.origin, &mut self.scanners.auxiliary] {
            end_slot(slot, &ToScanner::Stop, within);
        }
        end_slot(&mut self.monitor, &ToMonitor::Stop, within);
        end_slot(&mut self.display, &ToMetrics::Stop, within);
    }

    fn kill_all(&mut self) {
        self.crew.stop(Duration::ZERO);
        self.phase = Phase::Services { deadline: Instant::now() };
        self.stop_services(Duration::ZERO);
    }

    /// Whether new workers may start.
    pub(super) const fn is_taking_work(&self) -> bool {
        matches!(self.phase, Phase::Working)
    }

    /// Whether everything has ended.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Services { .. })
            && self.crew.is_empty()
            && self.scanners.iter().all(|slot| slot.child().is_none())
            && self.senders.iter().all(|slot| slot.child().is_none())
            && self.monitor.child().is_none()
            && self.display.child().is_none()
    }
}

fn end_slot<Out: bincode::Encode>(slot: &mut Slot<Out>, stop: &Out, within: Duration) {
    match &slot.seat {
        Seat::Taken(child) => {
            tell(child.send(stop));
            child.stop(Stop::Await, within);
        }
        Seat::Empty { .. } | Seat::Quarantined { .. } | Seat::Closed => slot.seat = Seat::Closed,
    }
}
