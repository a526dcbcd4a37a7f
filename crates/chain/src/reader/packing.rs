//! How many questions go into one call: learned from what the endpoint carries out. Pure.
//!
//! Invariant: between 1 (nothing is packed) and the most that it was made for. An endpoint that never carried out a packed
//! call is left alone for long after a few tries; one that did is tried again soon.

/// Most view calls in one packed call: with results of up to 110 bytes each it stays below 24 KiB, the largest "contract"
/// that may be created (EIP-170). Nearly all are a word; where more comes than there is room for, less is packed next time.
pub(super) const MAX_VIEWS: usize = 200;
/// Most transactions in one sequence: nodes give all of them together the gas of one block, and some an equal part to
/// each.
pub(super) const MAX_TRIALS: usize = 24;
/// Failures in a row, without any success ever, after which an endpoint is taken as unable.
const GIVE_UP: u32 = 3;
/// Rounds without packing before an able endpoint is tried again.
const REST: u32 = 64;
/// The same for an endpoint that was taken as unable: it may have been syncing, or may have been mended.
const LONG_REST: u32 = 64 * REST;

/// The present size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packing {
    most: usize,
    size: usize,
    proven: bool,
    failures: u32,
    rested: u32,
}

impl Packing {
    /// At most so many in one call, until the endpoint is known better.
    pub(super) fn new(most: usize) -> Self {
        Self { most, size: most, proven: false, failures: 0, rested: 0 }
    }

    /// The most to pack in the round that begins.
    pub(super) fn begin(&mut self) -> usize {
        if self.size == 1 {
            let is_able = self.proven || self.failures < GIVE_UP;
            self.rested += 1;
            if self.rested >= if is_able { REST } else { LONG_REST } {
                self.rested = 0;
                self.size = 2;
            }
        }
        self.size
    }

    /// A packed call was carried out.
    pub(super) fn succeeded(&mut self) {
        self.proven = true;
        self.failures = 0;
        self.size = self.size.saturating_mul(2).min(self.most);
    }

    /// The endpoint does not know what packing needs, and says so.
    pub(super) fn unable(&mut self) {
        *self = Self { size: 1, failures: GIVE_UP, ..Self::new(self.most) };
    }

    /// A packed call of `len` calls was not carried out, although the endpoint answered.
    pub(super) fn failed(&mut self, len: usize) {
        self.failures = self.failures.saturating_add(1);
        let unable = !self.proven && self.failures >= GIVE_UP;
        self.size = if unable { 1 } else { self.size.min(len / 2).max(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_able_endpoint_recovers_and_an_unable_one_is_left_alone() {
        let mut packing = Packing::new(MAX_VIEWS);
        assert_eq!(packing.begin(), MAX_VIEWS);
        packing.succeeded();
        packing.failed(200);
        assert_eq!(packing.begin(), 100);
        packing.failed(2);
        packing.failed(2);
        packing.failed(2);
        let rounds = (1..).find(|_| packing.begin() == 2).unwrap();
        assert_eq!(rounds, REST);
        packing.succeeded();
        assert_eq!(packing.begin(), 4);

        let mut unable = Packing::new(MAX_VIEWS);
        for _ in 0..GIVE_UP {
            let size = unable.begin();
            unable.failed(size);
        }
        assert!((0..10 * REST).all(|_| unable.begin() == 1));

        let mut said_so = Packing::new(MAX_TRIALS);
        said_so.unable();
        assert!((0..10 * REST).all(|_| said_so.begin() == 1));
    }

    #[test]
    fn whoever_was_unable_is_tried_again_after_a_long_time() {
        let mut packing = Packing::new(MAX_TRIALS);
        packing.unable();
        for _ in 0..2 {
            assert_eq!((1..10_000).find(|_| packing.begin() == 2), Some(LONG_REST));
            packing.failed(2);
        }
        assert!((0..LONG_REST).any(|_| packing.begin() == 2));
        packing.succeeded();
        assert_eq!(packing.begin(), 4);
    }
}
