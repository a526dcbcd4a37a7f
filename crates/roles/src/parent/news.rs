//! What the caller of a parent is told while it runs.

use super::Parent;
use super::clerk::Readiness;
use std::time::Duration;

/// Something that the caller may want to tell somebody else, as it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The parent's loop goes round; told about as often as a heartbeat is due ([`Setup::heartbeat`](super::Setup)).
    Beat,
    /// Both chains are in working mode from now on, or not any more. Until the first word they are not; during a stop none
    /// comes.
    Working(bool),
    /// They were for the first time, and whoever looks into the database finds it there.
    Ready,
    /// An orderly end begins. What has not ended after so long is killed.
    Stopping {
        /// The time for it, as configured.
        within: Duration,
    },
}

/// Hears the news, on the main thread; the parent waits for its return.
pub type OnNews = Box<dyn FnMut(News)>;

/// How far it has come to be told that a parent is ready, which it is once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announcement {
    /// It is not ready yet.
    Due,
    /// The database is being told.
    UnderWay,
    /// It was told.
    Made,
}

impl Parent {
    /// Tells when both chains come to be in working mode or cease to, and has the first time announced.
    pub(super) fn tell_of_work(&mut self) {
        let is_working = self.is_working();
        if is_working != self.told_working {
            self.told_working = is_working;
            (self.on_news)(News::Working(is_working));
        }
        if is_working && self.readiness == Announcement::Due {
            self.readiness = Announcement::UnderWay;
            tracing::info!("both chains are in working mode");
            // Where nobody else works this one does before it is announced.
            self.clerk.pulse(Readiness::Ready);
            self.clerk.announce(self.report());
        }
    }

    /// Whoever is told `ready` and looks finds it in the database.
    pub(super) fn announced(&mut self) {
        if self.readiness == Announcement::UnderWay {
            self.readiness = Announcement::Made;
            (self.on_news)(News::Ready);
        }
    }
}
