//! The connector's numbers, all of them configurable; defaults from neighbours.md 001.

use bincode::{Decode, Encode};

/// What a connector is told. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Settings {
    /// The chain that every endpoint must serve.
    pub chain_id: u64,
    /// The first block whose events matter.
    pub start_block: u64,
    /// Blocks above a block before its events count (law 6).
    pub confirmations: u64,
    /// Endpoints that must be connected before anything begins; see [`Settings::quorum`].
    pub minimum_connections: usize,
    /// Time between two rounds in which every endpoint is asked for its head.
    pub cycle_interval_ms: u64,
    /// Time between two questions to the elected endpoint for its head. Not asked while it pushes its heads.
    pub poll_interval_ms: u64,
    /// Longest wait for the answers of a round or to a question; the loop's own time-outs should be shorter.
    pub answer_timeout_ms: u64,
    /// An endpoint is connected, and its word counts, so long after it was last heard.
    pub connection_timeout_ms: u64,
    /// One block behind for more rounds than this: synchronise again.
    pub sampling_limit: u32,
    /// So many blocks behind at a round: synchronise again at once. Fewer are not behind.
    pub behind_limit: u64,
    /// Rounds without a settled election that are borne while sampling.
    pub unsettled_limit: u32,
    /// Most blocks of a range whose headers are all read.
    pub blocks_per_fetch: u64,
    /// Most blocks of a range of which only the ends are read; learned per endpoint from there downwards.
    pub max_log_range: u64,
    /// So many blocks below the head every header is read and remembered, so that forks are followed exactly.
    pub dense_blocks: u64,
    /// Pause between two ranges.
    pub fetch_pause_ms: u64,
    /// Forks of this depth and deeper are refused.
    pub fork_protection: u64,
    /// An endpoint lags when it is so many blocks behind…
    pub lag_blocks: u64,
    /// … for longer than this. So long another hash than the others' is borne, too.
    pub lag_ms: u64,
    /// Failures in a row before an endpoint is set aside.
    pub strikes: u32,
    /// First pause of an endpoint that was set aside; doubled each time it fails again.
    pub backoff_ms: u64,
    /// Longest pause, and the pause of an endpoint that was caught with a wrong answer. Below the connection time-out,
    /// so that it still counts as connected.
    pub backoff_max_ms: u64,
    /// Whether the chain waits in [`super::State::Rebuild`] until [`super::Event::Opened`] (pair synchronisation).
    pub wait_for_pair: bool,
}

/// A setting that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is {value}: {why}")]
pub struct SettingsError {
    /// The setting.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// What is wrong with it.
    pub why: String,
}

impl Settings {
    /// The defaults for a chain that is read from `endpoints` endpoints.
    #[must_use]
    pub fn new(chain_id: u64, start_block: u64, confirmations: u64, endpoints: usize) -> Self {
        let fork_protection = 60;
        Self {
            chain_id,
            start_block,
            confirmations,
            minimum_connections: endpoints.clamp(1, 3),
            cycle_interval_ms: 15_000,
            poll_interval_ms: 1_000,
            answer_timeout_ms: 12_000,
            connection_timeout_ms: 60_000,
            sampling_limit: 10,
            behind_limit: 2,
            unsettled_limit: 2,
            blocks_per_fetch: 200,
            max_log_range: 10_000,
            dense_blocks: confirmations.saturating_add(fork_protection).max(1_024),
            fetch_pause_ms: 0,
            fork_protection,
            lag_blocks: 3,
            lag_ms: 30_000,
            strikes: 3,
            backoff_ms: 1_000,
            backoff_max_ms: 30_000,
            wait_for_pair: false,
        }
    }

    /// Endpoints that must say the same at least: more than half of [`Settings::minimum_connections`]. With three
    /// required, one may lie, lag or be away and two carry on; two that lie find no quorum, and everything waits. When
    /// more endpoints are well, more than half of them must agree.
    #[must_use]
    pub const fn quorum(&self) -> usize {
        self.minimum_connections / 2 + 1
    }

    /// Whether the settings fit each other and the number of endpoints.
    ///
    /// # Errors
    /// [`SettingsError`] of the first that doesn't.
    pub fn check(&self, endpoints: usize) -> Result<(), SettingsError> {
        let error = |name, value, why: String| Err(SettingsError { name, value, why });
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        if self.minimum_connections == 0 || self.minimum_connections > endpoints {
            let why = format!("must be at least 1 and at most the number of endpoints, {endpoints}");
            return error("minimum_connections", count(self.minimum_connections), why);
        }
        let needed = self.confirmations.saturating_add(self.fork_protection);
        if self.dense_blocks < needed {
            let why = format!("must be at least `confirmations` and `fork_protection` together, {needed}");
            return error("dense_blocks", self.dense_blocks, why);
        }
        for (name, value) in [
            ("cycle_interval_ms", self.cycle_interval_ms),
            ("poll_interval_ms", self.poll_interval_ms),
            ("answer_timeout_ms", self.answer_timeout_ms),
            ("connection_timeout_ms", self.connection_timeout_ms),
            ("behind_limit", self.behind_limit),
            ("blocks_per_fetch", self.blocks_per_fetch),
            ("max_log_range", self.max_log_range),
            ("fork_protection", self.fork_protection),
            ("lag_blocks", self.lag_blocks),
            ("strikes", self.strikes.into()),
            ("backoff_ms", self.backoff_ms),
            ("backoff_max_ms", self.backoff_max_ms),
        ] {
            if value == 0 {
                return error(name, value, "must not be zero".into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_and_ask_for_a_majority() {
        for (endpoints, minimum, quorum) in [(1, 1, 1), (2, 2, 2), (3, 3, 2), (7, 3, 2)] {
            let settings = Settings::new(1, 0, 6, endpoints);
            assert_eq!(settings.check(endpoints), Ok(()));
            assert_eq!((settings.minimum_connections, settings.quorum()), (minimum, quorum));
        }
        assert_eq!(Settings::new(1, 0, 5_000, 1).check(1), Ok(()));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let wrong = |change: fn(&mut Settings)| {
            let mut settings = Settings::new(1, 0, 6, 2);
            change(&mut settings);
            settings.check(2).unwrap_err().to_string()
        };
        assert!(wrong(|s| s.minimum_connections = 3).starts_with("`minimum_connections` is 3: must be at least 1"));
        assert!(wrong(|s| s.minimum_connections = 0).starts_with("`minimum_connections` is 0"));
        assert!(wrong(|s| s.dense_blocks = 65).contains("66"));
        assert!(wrong(|s| s.strikes = 0).starts_with("`strikes`"));
    }
}
