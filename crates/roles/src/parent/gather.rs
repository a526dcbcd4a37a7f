//! What workers ask within one moment goes on together, so that scanners and senders make few requests of it.
//!
//! A question waits until no worker is left that may still ask something: while one alone is at work, no longer than it
//! takes to hear whether it asks a second thing. Workers that take their time are waited for so long and no longer.
//! Nothing here is committed to anybody: what is held when the parent dies was never asked.

use std::time::Duration;
use tokio::time::Instant;

/// A worker that asks several things at once has said them all within this time.
const BREATH: Duration = Duration::from_millis(1);

/// Part of the pause between two looks for a block that questions may be held.
const SHARE: u32 = 4;
/// Least and most time that questions are held.
const BOUNDS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// Questions that are held.
pub(super) struct Gathering<T> {
    held: Vec<T>,
    /// When the first and the last of them came.
    span: Option<(Instant, Instant)>,
    longest: Duration,
}

impl<T> Gathering<T> {
    /// Gathers for chains whose blocks are looked for so often.
    pub(super) fn new(poll: Duration) -> Self {
        Self { held: Vec::new(), span: None, longest: (poll / SHARE).clamp(BOUNDS.0, BOUNDS.1) }
    }

    /// The longest time that anything is held.
    pub(super) const fn longest(&self) -> Duration {
        self.longest
    }

    pub(super) fn hold(&mut self, question: T, now: Instant) {
        self.held.push(question);
        self.span = Some((self.span.map_or(now, |(first, _)| first), now));
    }

    /// When what is held goes on; `more`: somebody may still ask something.
    pub(super) fn due_at(&self, more: bool) -> Option<Instant> {
        let (first, last) = self.span?;
        let latest = first + self.longest;
        Some(if more { latest } else { latest.min(last + BREATH) })
    }

    /// Hands out what is held, in the order in which it came.
    pub(super) fn take(&mut self) -> Vec<T> {
        self.span = None;
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn questions_wait_for_those_who_may_still_ask_and_not_for_long() {
        let begun = Instant::now();
        let mut gathering = Gathering::new(ms(200));
        assert_eq!((gathering.due_at(true), gathering.due_at(false)), (None, None));
        gathering.hold("one", begun);
        assert_eq!(gathering.due_at(false), Some(begun + BREATH));
        assert_eq!(gathering.due_at(true), Some(begun + ms(50)));
        gathering.hold("two", begun + ms(30));
        assert_eq!(gathering.due_at(false), Some(begun + ms(30) + BREATH));
        gathering.hold("three", begun + ms(60));
        // However many come, the first one has waited long enough.
        assert_eq!([true, false].map(|more| gathering.due_at(more)), [Some(begun + ms(50)); 2]);
        assert_eq!(gathering.take(), ["one", "two", "three"]);
        assert_eq!(gathering.due_at(false), None);
    }

    #[test]
    fn the_longest_wait_follows_the_pace_of_the_chains_within_bounds() {
        let longest = |poll| {
            let mut gathering = Gathering::new(poll);
            let now = Instant::now();
            gathering.hold((), now);
            gathering.due_at(true).unwrap() - now
        };
        assert_eq!([ms(10), ms(100), ms(60_000)].map(longest), [ms(5), ms(25), ms(100)]);
    }
}
