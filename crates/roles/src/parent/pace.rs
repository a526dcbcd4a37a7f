//! How fast a chain is caught up with: pure, from where it stood a while ago and where it stands.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The time over which the rate is measured.
const SPAN_MS: i64 = 30_000;

/// Most places that are remembered.
const PLACES: usize = 64;

/// How far a chain is that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Of the way from where it began to where it is to end.
    pub percent: u64,
    /// Blocks read in a second, lately.
    pub blocks_per_s: u64,
    /// Seconds until it is done at this rate; none while there is none.
    pub left_s: Option<u64>,
}

/// Where a chain stood at which time, Unix milliseconds, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace(VecDeque<(i64, u64)>);

impl Pace {
    /// It stands at this block now.
    pub(super) fn note(&mut self, at_ms: i64, block: u64) {
        if self.0.back().is_some_and(|(last, before)| at_ms < *last || block < *before) {
            // The clock or the chain went back.
            self.0.clear();
        }
        self.0.push_back((at_ms, block));
        let old = |(at, _): &(i64, u64)| *at < at_ms.saturating_sub(SPAN_MS);
        while self.0.len() > PLACES || self.0.front().is_some_and(old) && self.0.len() > 2 {
            self.0.pop_front();
        }
    }

    /// How far it is from `start` to `end`; none if there is nothing to catch up with.
    pub(super) fn progress(&self, start: u64, end: u64) -> Option<Progress> {
        let ((first_ms, first), (now_ms, now)) = (*self.0.front()?, *self.0.back()?);
        let (way, done) = (end.checked_sub(start)?, now.saturating_sub(start));
        let left = end.checked_sub(now).filter(|left| *left > 0)?;
        let passed = u64::try_from(now_ms.saturating_sub(first_ms)).unwrap_or(0);
        let blocks_per_s = now.saturating_sub(first).saturating_mul(1_000).checked_div(passed).unwrap_or(0);
        Some(Progress {
            percent: done.min(way).saturating_mul(100).checked_div(way).unwrap_or(0),
            blocks_per_s,
            left_s: left.checked_div(blocks_per_s),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(places: &[(i64, u64)], start: u64, end: u64) -> Option<(u64, u64, Option<u64>)> {
        let mut pace = Pace::default();
        places.iter().for_each(|(at, block)| pace.note(*at, *block));
        pace.progress(start, end).map(|progress| (progress.percent, progress.blocks_per_s, progress.left_s))
    }

    #[test]
    fn percent_rate_and_rest() {
        assert_eq!(progress(&[], 0, 100), None);
        assert_eq!(progress(&[(0, 50)], 0, 100), Some((50, 0, None)));
        assert_eq!(progress(&[(0, 50), (2_000, 70)], 0, 100), Some((70, 10, Some(3))));
        assert_eq!(progress(&[(0, 150), (1_000, 160)], 100, 200), Some((60, 10, Some(4))));
        // Done, or nothing to do.
        assert_eq!(progress(&[(0, 50), (1_000, 100)], 0, 100), None);
        assert_eq!(progress(&[(0, 50)], 100, 50), None);
    }

    #[test]
    fn only_the_last_half_minute_counts_and_a_step_back_begins_anew() {
        let slow = (0..20).map(|s| (s * 2_000, 0));
        let fast = (20..40).zip((1_u64..).map(|step| step * 200)).map(|(s, block)| (s * 2_000, block));
        let slow_then_fast: Vec<(i64, u64)> = slow.chain(fast).collect();
        assert_eq!(progress(&slow_then_fast, 0, 10_000).map(|(_, rate, _)| rate), Some(100));
        assert_eq!(progress(&[(0, 500), (1_000, 600), (2_000, 10), (3_000, 15)], 0, 100), Some((15, 5, Some(17))));
        assert_eq!(progress(&[(9_000, 500), (1_000, 600)], 0, 1_000), Some((60, 0, None)));
    }
}
