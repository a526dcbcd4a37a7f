//! How often a chain's heads come, so that the next one is not asked for before it can be there. Pure.
//!
//! Invariant: the rest after a head is never longer than so many polls, however rarely blocks have come.

use std::collections::VecDeque;

/// Distances between heads that are remembered: the shortest of them counts, so that a chain that quickens is followed.
const REMEMBERED: usize = 8;

/// Longest rest after a head, in polls.
const LONGEST: u64 = 12;

/// The arrivals of the newest heads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pace {
    last: Option<u64>,
    distances: VecDeque<u64>,
}

impl Pace {
    /// A head higher than all before was heard of.
    pub(super) fn head_at(&mut self, now: u64) {
        if let Some(last) = self.last.replace(now) {
            self.distances.push_back(now.saturating_sub(last));
            if self.distances.len() > REMEMBERED {
                self.distances.pop_front();
            }
        }
    }

    /// How long not to ask after a head, when polls are `poll` apart: one poll less than the next head takes, so that it
    /// is found within one, too.
    pub(super) fn rest(&self, poll: u64) -> u64 {
        let shortest =
            if self.distances.len() < REMEMBERED { 0 } else { self.distances.iter().copied().min().unwrap_or(0) };
        shortest.saturating_sub(poll).clamp(poll, poll.saturating_mul(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(distances: &[u64]) -> Pace {
        let mut pace = Pace::default();
        let mut now = 0;
        for distance in std::iter::once(&0).chain(distances) {
            now += distance;
            pace.head_at(now);
        }
        pace
    }

    #[test]
    fn a_steady_chain_is_left_alone_between_its_blocks() {
        assert_eq!(heads(&[12_000; 8]).rest(1_000), 11_000);
        assert_eq!(heads(&[12_000; 8]).rest(20_000), 20_000);
        assert_eq!(heads(&[60_000; 9]).rest(1_000), 12_000);
    }

    #[test]
    fn a_chain_that_quickens_or_is_not_known_yet_is_asked_at_each_poll() {
        assert_eq!(heads(&[12_000, 12_000, 12_000, 500, 12_000, 12_000, 12_000, 12_000, 12_000]).rest(1_000), 1_000);
        assert_eq!(heads(&[12_000; 7]).rest(1_000), 1_000);
        assert_eq!(heads(&[]).rest(50), 50);
    }
}
