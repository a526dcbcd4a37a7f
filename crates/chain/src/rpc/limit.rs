//! How many calls go into one batch: learned from what the server takes. Pure.
//!
//! Invariant: the size lies between 1 and the configured maximum. A server that was overloaded once is tried with
//! larger batches again later; one that refuses batches as such is not.

/// Batches in a row that must succeed before the size is doubled again.
const GROW_AFTER: u32 = 256;

/// The present size of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BatchLimit {
    max: usize,
    current: usize,
    successes: u32,
}

impl BatchLimit {
    pub(super) fn new(max: usize) -> Self {
        let max = max.max(1);
        Self { max, current: max, successes: 0 }
    }

    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// A batch of `len` calls was too much: take half of it.
    pub(super) fn shrink(&mut self, len: usize) {
        self.current = self.current.min((len / 2).max(1));
        self.successes = 0;
    }

    /// The server takes no batches.
    pub(super) fn forbid(&mut self) {
        *self = Self::new(1);
    }

    /// A request was taken.
    pub(super) fn succeeded(&mut self) {
        if self.current == self.max {
            return;
        }
        self.successes += 1;
        if self.successes >= GROW_AFTER {
            self.current = self.current.saturating_mul(2).min(self.max);
            self.successes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinks_at_once_and_grows_slowly_but_never_after_a_refusal() {
        let mut limit = BatchLimit::new(100);
        limit.shrink(100);
        limit.shrink(3);
        assert_eq!(limit.current(), 1);
        for _ in 0..GROW_AFTER {
            assert_eq!(limit.current(), 1);
            limit.succeeded();
        }
        assert_eq!(limit.current(), 2);
        limit.forbid();
        for _ in 0..10 * GROW_AFTER {
            limit.succeeded();
        }
        assert_eq!(limit.current(), 1);
        assert_eq!(BatchLimit::new(0).current(), 1);
    }
}
