//! How long something is waited for, counted in time that this process was there to wait. Pure: the time is an argument.
//!
//! A process that was stopped, or whose machine slept, finds its deadlines passed and has heard nothing, because it
//! listened to nobody: what the others said waits in their pipes. So time is counted in slices, and a slice that took
//! longer counts as one: after any pause the waiting goes on nearly where it was.

use std::time::Duration;
use tokio::time::Instant;

/// Slices of one patience.
const SLICES: u32 = 8;

/// Waiting with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    limit: Duration,
    spent: Duration,
    since: Instant,
}

impl Patience {
    /// Waits from `now` on.
    pub const fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, spent: Duration::ZERO, since: now }
    }

    /// What was waited for has come: waits anew.
    pub const fn renew(&mut self, now: Instant) {
        self.spent = Duration::ZERO;
        self.since = now;
    }

    /// Counts the time since it was last counted, and says whether the limit is reached. To be called at
    /// [`Self::wake_at`] or sooner.
    pub fn is_over(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since).min(self.slice());
        self.spent = self.spent.saturating_add(passed);
        self.since = now;
        self.spent >= self.limit
    }

    /// When to count next.
    pub fn wake_at(&self) -> Instant {
        let left = self.limit.saturating_sub(self.spent);
        self.since.checked_add(left.min(self.slice())).unwrap_or(self.since)
    }

    /// A part of the limit; not nothing, or else waiting would spin.
    fn slice(&self) -> Duration {
        (self.limit / SLICES).max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(8);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn it_is_over_when_the_limit_was_waited_through() {
        let start = Instant::now();
        let mut patience = Patience::new(LIMIT, start);
        for second in 1..8 {
            assert_eq!(patience.wake_at(), start + seconds(second));
            assert!(!patience.is_over(start + seconds(second)), "second {second}");
        }
        // Being asked in between changes nothing.
        assert!(!patience.is_over(start + seconds(7) + seconds(1) / 2));
        assert!(patience.is_over(start + seconds(8)));
    }

    #[test]
    fn what_comes_makes_it_begin_anew() {
        let start = Instant::now();
        let mut patience = Patience::new(LIMIT, start);
        for second in 1..8 {
            assert!(!patience.is_over(start + seconds(second)));
        }
        patience.renew(start + seconds(7));
        assert_eq!(patience, Patience::new(LIMIT, start + seconds(7)));
    }

    #[test]
    fn a_pause_of_the_one_who_waits_counts_as_a_slice_however_long() {
        let start = Instant::now();
        let mut patience = Patience::new(LIMIT, start);
        assert!(!patience.is_over(start + seconds(1)));
        let awake = start + seconds(86_400);
        assert!(!patience.is_over(awake), "it slept for a day");
        assert_eq!(patience.wake_at(), awake + seconds(1));
        for second in 1..6 {
            assert!(!patience.is_over(awake + seconds(second)));
        }
        assert!(patience.is_over(awake + seconds(6)));
    }

    #[test]
    fn the_shortest_limit_does_not_spin_and_the_longest_does_not_overflow() {
        let start = Instant::now();
        assert!(Patience::new(Duration::from_nanos(1), start).is_over(start + seconds(1)));
        assert!(Patience::new(Duration::from_millis(3), start).wake_at() > start);
        let mut endless = Patience::new(Duration::MAX, start);
        assert!(!endless.is_over(start + seconds(86_400)));
        assert!(endless.wake_at() >= start);
    }
}
