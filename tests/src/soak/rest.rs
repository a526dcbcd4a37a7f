//! The parent at rest after all the deaths, beside one that has just been started: what it kept of the dead shows here.

use crate::{daemon::Daemon, operator::Operator, process};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// Longest wait for rest.
const LIMIT: Duration = Duration::from_secs(60);
/// How long nothing may change before it counts as rest.
const STILL: Duration = Duration::from_secs(2);
/// Scanners and senders.
const STEADY: usize = 4;

/// A parent that has nothing to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rest {
    /// Resident memory, in KiB.
    pub resident_kib: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

/// The parent that outlived the deaths, and a fresh one on the same database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// The one that outlived them.
    pub old: Rest,
    /// The fresh one.
    pub fresh: Rest,
}

/// Measures both and stops both. `None` when the work had not ended, so that there is no rest.
pub(super) async fn compare(operator: &Operator, daemon: Daemon, finished: bool) -> Result<Option<Comparison>> {
    if !finished {
        operator.stop(daemon).await?;
        return Ok(None);
    }
    let old = measure(&daemon).await?;
    operator.stop(daemon).await?;
    let daemon = operator.start().await?;
    let fresh = measure(&daemon).await?;
    operator.stop(daemon).await?;
    Ok(Some(Comparison { old, fresh }))
}

async fn measure(daemon: &Daemon) -> Result<Rest> {
    let (start, mut since, mut last) = (Instant::now(), Instant::now(), 0);
    while since.elapsed() < STILL {
        ensure!(start.elapsed() < LIMIT, "no rest after {LIMIT:?}; children: {:?}", daemon.children());
        let descriptors = process::descriptors(daemon.pid);
        if descriptors != last || daemon.children().len() != STEADY {
            (since, last) = (Instant::now(), descriptors);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Rest { resident_kib: process::usage(daemon.pid)?.resident_kib, descriptors: last })
}
