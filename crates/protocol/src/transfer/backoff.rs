//! How long to wait before a failed step is tried again.

use bincode::{Decode, Encode};

/// Exponential back-off with a ceiling, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Backoff {
    /// Wait after the first failure.
    pub base_ms: u64,
    /// The longest wait.
    pub max_ms: u64,
}

impl Backoff {
    /// The wait after `failures` failures in a row (the first is 1): doubles each time, at most `max_ms`.
    #[must_use]
    pub fn after(self, failures: u32) -> u64 {
        let doublings = failures.saturating_sub(1).min(63);
        self.base_ms.saturating_mul(1u64 << doublings).min(self.max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_ceiling_and_never_overflows() {
        let backoff = Backoff { base_ms: 1_000, max_ms: 300_000 };
        let waits: Vec<u64> = [1, 2, 3, 9, 10, 64, u32::MAX].map(|n| backoff.after(n)).to_vec();
        assert_eq!(waits, [1_000, 2_000, 4_000, 256_000, 300_000, 300_000, 300_000]);
    }
}
