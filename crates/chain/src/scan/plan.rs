//! Which blocks to read next, and how many at once. Pure.
//!
//! Invariant: ranges follow one another without gap or overlap and never reach beyond the last block wanted. Their
//! size is learned: halved when the endpoint finds a range too much, grown again towards the smallest size that
//! failed, and beyond it only after many successes, so that a fixed limit costs few wasted calls.

use crate::rpc::RpcError;

/// Ranges that must succeed near a size that failed once, before it is tried again.
const PROBE_AFTER: u32 = 128;

/// Consecutive blocks, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first block.
    pub from: u64,
    /// The last block, not below `from`.
    pub to: u64,
}

impl Span {
    /// The number of blocks.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.to.saturating_sub(self.from).saturating_add(1)
    }

    /// Whether the block lies in it.
    #[must_use]
    pub const fn contains(&self, number: u64) -> bool {
        self.from <= number && number <= self.to
    }
}

/// What to do after a range that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// Read at once, with the smaller range that [`ScanPlan::next`] gives.
    Smaller,
    /// The size was not the reason: wait, or ask another endpoint.
    Same,
    /// The endpoint can't answer even for one block: another endpoint is needed.
    Stuck,
}

/// Decides the next range of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPlan {
    max: u64,
    size: u64,
    /// The size that succeeded last; 0 for none.
    good: u64,
    /// The smallest size known to be too much.
    ceiling: Option<u64>,
    /// Successes right below the ceiling.
    steady: u32,
}

impl ScanPlan {
    /// Ranges have at most `max_range` blocks, at least one.
    #[must_use]
    pub fn new(max_range: u64) -> Self {
        let max = max_range.max(1);
        Self { max, size: max, good: 0, ceiling: None, steady: 0 }
    }

    /// The range to read when `next` is the first block not yet read and `last` the last one wanted; `None` when all are
    /// read.
    #[must_use]
    pub fn next(&self, next: u64, last: u64) -> Option<Span> {
        (next <= last).then(|| Span { from: next, to: last.min(next.saturating_add(self.size - 1)) })
    }

    /// The present largest size, for status and tests.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The range was read.
    pub fn succeeded(&mut self, span: Span) {
        // A short range at the head says nothing about larger ones.
        if span.blocks() < self.size {
            return;
        }
        self.good = self.size;
        let doubled = self.size.saturating_mul(2).min(self.max);
        self.ceiling = self.ceiling.filter(|ceiling| *ceiling > self.size);
        let Some(ceiling) = self.ceiling else {
            self.size = doubled;
            return;
        };
        let between = self.size + (ceiling - self.size) / 2;
        if between > self.size {
            self.size = doubled.min(between);
            return;
        }
        self.steady += 1;
        if self.steady >= PROBE_AFTER {
            self.steady = 0;
            self.size = doubled;
        }
    }

    /// The range could not be read because of `error`.
    pub fn failed(&mut self, span: Span, error: &RpcError) -> Failed {
        if !error.wants_smaller() {
            return Failed::Same;
        }
        let blocks = span.blocks();
        self.steady = 0;
        if blocks == 1 {
            self.size = 1;
            return Failed::Stuck;
        }
        if blocks > self.good && self.good > 0 {
            self.ceiling = Some(self.ceiling.map_or(blocks, |ceiling| ceiling.min(blocks)));
            self.size = self.good;
        } else {
            // What was possible elsewhere is not where events are dense.
            self.good = 0;
            self.ceiling = Some(blocks);
            self.size = blocks / 2;
        }
        Failed::Smaller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide() -> RpcError {
        RpcError::RangeTooWide { message: String::new() }
    }

    /// Reads `blocks` blocks from an endpoint that allows `limit` at once; gives the calls used, good and bad.
    fn read(plan: &mut ScanPlan, blocks: u64, limit: u64) -> (u64, u64) {
        let (mut next, mut good, mut bad) = (0, 0, 0);
        while let Some(span) = plan.next(next, blocks - 1) {
            if span.blocks() > limit {
                assert_eq!(plan.failed(span, &wide()), Failed::Smaller);
                bad += 1;
            } else {
                plan.succeeded(span);
                assert_eq!(span.from, next, "gap or overlap");
                next = span.to + 1;
                good += 1;
            }
        }
        assert_eq!(next, blocks);
        (good, bad)
    }

    #[test]
    fn nothing_is_read_beyond_the_last_block_wanted() {
        let plan = ScanPlan::new(100);
        assert_eq!(plan.next(0, 0), Some(Span { from: 0, to: 0 }));
        assert_eq!(plan.next(10, 9), None);
        assert_eq!(plan.next(10, 50), Some(Span { from: 10, to: 50 }));
        assert_eq!(plan.next(10, 994), Some(Span { from: 10, to: 109 }));
        assert_eq!(ScanPlan::new(0).next(7, 7), Some(Span { from: 7, to: 7 }));
        assert_eq!(ScanPlan::new(u64::MAX).next(u64::MAX, u64::MAX).map(|s| s.blocks()), Some(1));
    }

    #[test]
    fn a_limit_of_the_endpoint_is_found_and_costs_few_calls() {
        for limit in [1, 7, 999, 1000, 2000, 9999, 10_000] {
            let mut plan = ScanPlan::new(10_000);
            let blocks = limit * 1000;
            let (good, bad) = read(&mut plan, blocks, limit);
            // Bare calls of the largest allowed size would need 1000.
            assert!(good + bad <= 1030, "limit {limit}: {good} good and {bad} refused calls");
        }
    }

    #[test]
    fn the_size_recovers_when_the_limit_goes_away() {
        let mut plan = ScanPlan::new(1000);
        read(&mut plan, 1000, 10);
        assert!(plan.size() <= 10);
        read(&mut plan, 20_000, u64::MAX);
        assert_eq!(plan.size(), 1000);
    }

    #[test]
    fn one_block_that_is_too_much_is_stuck_and_other_errors_change_nothing() {
        let mut plan = ScanPlan::new(8);
        let before = plan.clone();
        let one = Span { from: 5, to: 5 };
        assert_eq!(plan.failed(one, &RpcError::malformed("x")), Failed::Same);
        assert_eq!(plan, before);
        assert_eq!(plan.failed(Span { from: 5, to: 6 }, &wide()), Failed::Smaller);
        assert_eq!(plan.next(5, 100), Some(one));
        assert_eq!(plan.failed(one, &wide()), Failed::Stuck);
    }
}
