//! What the parent holds while its children die: memory, descriptors, children that nobody waited for.

use crate::process;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Pause between two samples.
const SAMPLE: Duration = Duration::from_millis(250);
/// A dead child that is still there after this was not waited for.
const UNWAITED: Duration = Duration::from_secs(2);

/// One sample of the parent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// Time since the first sample.
    pub at: Duration,
    /// Resident memory, in KiB.
    pub resident_kib: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Whether the parent is spared from now on, so that it is the same process to the end.
    pub spared: bool,
}

/// Samples of all parents, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    start: Option<Instant>,
    spared: bool,
    /// All samples.
    pub samples: Vec<Sample>,
    /// Dead children by the time when they were first seen.
    dead: BTreeMap<u32, Instant>,
    /// Dead children that were not waited for within two seconds.
    pub zombies: Vec<u32>,
}

impl Watch {
    /// Takes a sample if it is time.
    pub(super) fn look(&mut self, pid: u32) {
        let at = self.start.get_or_insert_with(Instant::now).elapsed();
        if self.samples.last().is_some_and(|last| at < last.at + SAMPLE) {
            return;
        }
        let Ok(usage) = process::usage(pid) else { return };
        let (resident_kib, descriptors) = (usage.resident_kib, process::descriptors(pid));
        self.samples.push(Sample { at, resident_kib, descriptors, spared: self.spared });
        let dead = process::zombies(pid);
        self.dead.retain(|pid, _| dead.contains(pid));
        for pid in dead {
            let since = *self.dead.entry(pid).or_insert_with(Instant::now);
            if since.elapsed() > UNWAITED && !self.zombies.contains(&pid) {
                self.zombies.push(pid);
            }
        }
    }

    /// From now on the parent is the same to the end.
    pub(super) fn spare(&mut self) {
        self.spared = true;
    }

    /// Resident memory at the last sample, in KiB.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        self.samples.last().map_or(0, |sample| sample.resident_kib)
    }

    /// The samples of the parent that lived to the end.
    pub fn of_the_last(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(|sample| sample.spared)
    }
}
