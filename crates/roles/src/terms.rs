//! On what terms a child lives: how often it beats, how much memory and how many files it may use.
//!
//! They travel in the environment, because limits are set before anything else happens in a child. Nothing in them is
//! secret.

use crate::{metrics, scanner, sender, worker};
use std::time::Duration;

/// Environment variable in which the parent passes them on.
pub const VARIABLE: &str = "FACILITATOR_CHILD_TERMS";

/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

/// Pause between two beats of a child whose parent does not say.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// On what terms children live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Pause between two heartbeats.
    pub heartbeat: Duration,
    /// Most address space of a scanner in MiB, if limited.
    pub scanner_memory: Option<u64>,
    /// Most address space of a sender in MiB, if limited.
    pub sender_memory: Option<u64>,
    /// Most address space of a worker in MiB, if limited.
    pub worker_memory: Option<u64>,
    /// Address space of the metrics process in MiB, if limited.
    pub metrics_memory: Option<u64>,
    /// Most open files of each child, if limited.
    pub open_files: Option<u64>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            heartbeat: HEARTBEAT,
            scanner_memory: None,
            sender_memory: None,
            worker_memory: None,
            metrics_memory: None,
            open_files: None,
        }
    }
}

impl Terms {
    /// As the variable carries them.
    #[must_use]
    pub fn to_text(&self) -> String {
        let heartbeat = u64::try_from(self.heartbeat.as_millis()).unwrap_or(u64::MAX);
        let limits = [
            ("scanner", self.scanner_memory),
            ("sender", self.sender_memory),
            ("worker", self.worker_memory),
            ("metrics", self.metrics_memory),
            ("files", self.open_files),
        ];
        let limits = limits.iter().filter_map(|(name, limit)| limit.map(|limit| format!(" {name}={limit}")));
        limits.fold(format!("beat={heartbeat}"), |text, limit| text + &limit)
    }

    /// Reads them back. What cannot be read is as if it were not there: parent and child are of one build.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let mut terms = Self::default();
        for (name, value) in text.split(' ').filter_map(|pair| pair.split_once('=')) {
            let value = value.parse::<u64>().ok();
            match name {
                "beat" => terms.heartbeat = value.map_or(HEARTBEAT, Duration::from_millis),
                "scanner" => terms.scanner_memory = value,
                "sender" => terms.sender_memory = value,
                "worker" => terms.worker_memory = value,
                "metrics" => terms.metrics_memory = value,
                "files" => terms.open_files = value,
                _ => {}
            }
        }
        terms
    }

    /// The terms of this process.
    #[must_use]
    pub fn own() -> Self {
        std::env::var(VARIABLE).map_or_else(|_| Self::default(), |text| Self::from_text(&text))
    }

    /// Most address space in bytes of a process in this role.
    #[must_use]
    pub fn address_space(&self, role: &str) -> Option<u64> {
        let mib = match role {
            scanner::ROLE => self.scanner_memory,
            sender::ROLE => self.sender_memory,
            worker::ROLE => self.worker_memory,
            metrics::ROLE => self.metrics_memory,
            _ => None,
        };
        mib.map(|mib| mib.saturating_mul(MIB))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_survive_the_way_to_the_child() {
        let all = Terms {
            heartbeat: Duration::from_millis(250),
            scanner_memory: Some(4096),
            sender_memory: Some(2048),
            worker_memory: Some(1024),
            metrics_memory: Some(256),
            open_files: Some(64),
        };
        for terms in [all, Terms::default(), Terms { worker_memory: None, ..all }] {
            assert_eq!(Terms::from_text(&terms.to_text()), terms);
        }
        assert_eq!(all.to_text(), "beat=250 scanner=4096 sender=2048 worker=1024 metrics=256 files=64");
        assert_eq!(all.address_space(worker::ROLE), Some(1 << 30));
        assert_eq!(all.address_space("cook"), None);
    }

    #[test]
    fn what_cannot_be_read_limits_nothing() {
        for text in ["", "beat", "beat=soon worker=-1", "unknown=7"] {
            assert_eq!(Terms::from_text(text), Terms::default(), "{text}");
        }
    }
}
