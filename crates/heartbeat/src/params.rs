//! What the life cycle goes by, under the names of the specification.

use std::collections::BTreeMap;

/// The parameters of one chain pair, the same for all instances. Times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    /// `son_heartbeat_frequency`: time between two heartbeats of an instance (H12).
    pub heartbeat_frequency_ms: i64,
    /// `son_deregister_time`: an instance that is in maintenance for so long is to be de-registered (H14).
    pub deregister_time_ms: i64,
    /// `maintenance_interval`: time between two ticks, at which statuses change that wait for it (H15).
    pub maintenance_interval_ms: i64,
    /// `reward_interval`: time between two reward runs, which begin the count of signed transactions anew (H20).
    pub reward_interval_ms: i64,
    /// `maximum_active`: most instances that are active at one time (H16).
    pub maximum_active: u32,
    /// `heartbeat_tolerance`: how far a heartbeat's own time may lie beside the time at which it is received (H19).
    pub tolerance_ms: i64,
    /// `proposal_ticks`: ticks after which a proposal that found no majority lapses.
    pub proposal_ticks: u32,
}

/// Least time between two heartbeats: with less an instance would be taken for silent between two looks at what is due.
pub const LEAST_FREQUENCY_MS: i64 = 2_000;

impl Default for Params {
    fn default() -> Self {
        Self {
            heartbeat_frequency_ms: 180_000,
            deregister_time_ms: 43_200_000,
            maintenance_interval_ms: 300_000,
            reward_interval_ms: 86_400_000,
            maximum_active: 15,
            tolerance_ms: 15_000,
            proposal_ticks: 3,
        }
    }
}

/// A parameter that can't work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct UnfitParameter {
    /// Its name.
    pub name: &'static str,
    /// What is wrong with its value, and what fits.
    pub problem: &'static str,
}

impl Params {
    /// How long an instance may be silent before it counts as down: two heartbeats (H13).
    #[must_use]
    pub const fn down_time_ms(&self) -> i64 {
        self.heartbeat_frequency_ms.saturating_mul(2)
    }

    /// Each by its stored name, which ends in its unit.
    #[must_use]
    pub fn named(&self) -> [(&'static str, i64); 7] {
        [
            ("son_heartbeat_frequency_ms", self.heartbeat_frequency_ms),
            ("son_deregister_time_ms", self.deregister_time_ms),
            ("maintenance_interval_ms", self.maintenance_interval_ms),
            ("reward_interval_ms", self.reward_interval_ms),
            ("maximum_active", i64::from(self.maximum_active)),
            ("heartbeat_tolerance_ms", self.tolerance_ms),
            ("proposal_ticks", i64::from(self.proposal_ticks)),
        ]
    }

    /// With these values in place of the own ones, by stored name; names that nobody knows are passed over.
    #[must_use]
    pub fn with(&self, values: &BTreeMap<String, i64>) -> Self {
        let value = |name: &str, own: i64| values.get(name).copied().unwrap_or(own);
        let count = |name: &str, own: u32| u32::try_from(value(name, i64::from(own))).unwrap_or(own);
        Self {
            heartbeat_frequency_ms: value("son_heartbeat_frequency_ms", self.heartbeat_frequency_ms),
            deregister_time_ms: value("son_deregister_time_ms", self.deregister_time_ms),
            maintenance_interval_ms: value("maintenance_interval_ms", self.maintenance_interval_ms),
            reward_interval_ms: value("reward_interval_ms", self.reward_interval_ms),
            maximum_active: count("maximum_active", self.maximum_active),
            tolerance_ms: value("heartbeat_tolerance_ms", self.tolerance_ms),
            proposal_ticks: count("proposal_ticks", self.proposal_ticks),
        }
    }

    /// Whether all of them can work together.
    ///
    /// # Errors
    /// [`UnfitParameter`] names the first that can't.
    pub fn check(&self) -> Result<(), UnfitParameter> {
        let positive = [
            ("son_heartbeat_frequency_ms", self.heartbeat_frequency_ms),
            ("son_deregister_time_ms", self.deregister_time_ms),
            ("maintenance_interval_ms", self.maintenance_interval_ms),
            ("reward_interval_ms", self.reward_interval_ms),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value <= 0) {
            return Err(UnfitParameter { name, problem: "must be more than nothing" });
        }
        if self.heartbeat_frequency_ms < LEAST_FREQUENCY_MS {
            let problem = "must be at least 2000: an instance looks once a second whether its sign of life is due";
            return Err(UnfitParameter { name: "son_heartbeat_frequency_ms", problem });
        }
        if self.tolerance_ms < 0 {
            return Err(UnfitParameter { name: "heartbeat_tolerance_ms", problem: "must not be negative" });
        }
        if self.maximum_active == 0 {
            let problem = "must be at least 1, or nobody could ever work";
            return Err(UnfitParameter { name: "maximum_active", problem });
        }
        if self.proposal_ticks == 0 {
            return Err(UnfitParameter { name: "proposal_ticks", problem: "must be at least 1" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_comes_back_by_its_name() {
        let other = Params {
            heartbeat_frequency_ms: 1,
            deregister_time_ms: 2,
            maintenance_interval_ms: 3,
            reward_interval_ms: 4,
            maximum_active: 5,
            tolerance_ms: 6,
            proposal_ticks: 7,
        };
        let stored = other.named().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(Params::default().with(&stored), other);
        assert_eq!(Params::default().with(&BTreeMap::new()), Params::default());
    }
}
