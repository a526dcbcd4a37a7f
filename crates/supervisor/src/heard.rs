//! When a child last showed a sign of life.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// When a child was heard last, known to whoever holds it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    started: Instant,
    /// Milliseconds from then on.
    after_ms: Arc<AtomicU64>,
}

impl Heard {
    /// First at its start.
    pub(crate) fn since(started: Instant) -> Self {
        Self { started, after_ms: Arc::default() }
    }

    /// At this moment.
    pub(crate) fn now(&self) {
        let after = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.after_ms.store(after, Ordering::Relaxed);
    }

    /// How long ago.
    pub(crate) fn ago(&self) -> Duration {
        let after = Duration::from_millis(self.after_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(after)
    }
}
