//! Waiting for a locked database: short jittered pauses up to a limit.
//!
//! SQLite's own busy handler sleeps in growing steps and starves some of the waiting processes for seconds; equal random
//! pauses are fair. A waiter gives up at the limit with [`StoreError::Busy`], having changed nothing.

use crate::error::{Result, StoreError};
use std::time::{Duration, Instant};

/// How long a locked database is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The limit; after it the call fails with [`StoreError::Busy`].
    pub limit: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { limit: Duration::from_secs(30) }
    }
}

impl Patience {
    /// Repeats `attempt` while it fails with [`StoreError::Busy`].
    pub(crate) async fn wait<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let start = Instant::now();
        let mut tries = 0_u32;
        loop {
            let outcome = attempt().await;
            let Err(StoreError::Busy { name, .. }) = outcome else { return outcome };
            let waited = start.elapsed();
            if waited >= self.limit {
                let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
                return Err(StoreError::Busy { name, waited_ms });
            }
            tries = tries.saturating_add(1);
            tokio::time::sleep(pause(tries, random())).await;
        }
    }
}

/// 0.2 to 1.7 ms at first; up to eight times as long for those who wait long, so that they don't burn a processor.
fn pause(tries: u32, random: u8) -> Duration {
    let stretch = 1 + (tries / 64).min(7);
    Duration::from_micros(200 + u64::from(random) * 1500 / 255) * stretch
}

/// A byte of chance; without a source of it the pauses are merely equal.
fn random() -> u8 {
    let mut byte = [128];
    if getrandom::fill(&mut byte).is_err() {
        byte = [128];
    }
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_within_their_bounds() {
        assert_eq!(pause(1, 0), Duration::from_micros(200));
        assert_eq!(pause(1, 255), Duration::from_micros(1700));
        assert_eq!(pause(u32::MAX, 255), Duration::from_micros(1700 * 8));
    }
}
