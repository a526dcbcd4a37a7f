//! What a soak found, in words and as a verdict.

use super::{Plan, killer::Deaths, rest::Comparison, watch::Watch};
use crate::{measure, soak::audit::Audit};
use std::{fmt, time::Duration};

/// More memory than this beyond a fresh parent is growth, in KiB: what allocators keep of their peaks is less.
const KEPT_KIB: u64 = 8 << 10;
/// Rows of the table of memory over time.
const ROWS: usize = 10;

/// The end of a soak.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was planned.
    pub plan: Plan,
    /// Time from the first node to the last check.
    pub took: Duration,
    /// Time from the last fault until everything had ended.
    pub drained: Duration,
    /// Who died.
    pub deaths: Deaths,
    /// What the chains say.
    pub audit: Audit,
    /// Calls to both nodes.
    pub calls: u64,
    /// The parent over time.
    pub watch: Watch,
    /// The parent at rest in the end; none if it came to no rest.
    pub rest: Option<Comparison>,
    /// Log lines of panics.
    pub panics: Vec<String>,
}

impl Report {
    /// Everything that must not be; empty when all is well.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let Audit { lost, duplicated, stranded, problems, .. } = &self.audit;
        let counted = [("lost", *lost), ("duplicated", *duplicated), ("stranded", *stranded)];
        let mut faults: Vec<String> =
            counted.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{count} {what}")).collect();
        faults.extend(problems.iter().cloned());
        faults.extend(self.panics.iter().map(|line| format!("a panic: {line}")));
        faults.extend(self.deaths.unasked.iter().map(|end| format!("the daemon ended by itself: {end}")));
        if self.deaths.orphans > 0 {
            faults.push(format!("{} children outlived their parent by seconds", self.deaths.orphans));
        }
        if !self.watch.zombies.is_empty() {
            faults.push(format!("{} dead children were not waited for", self.watch.zombies.len()));
        }
        match self.rest {
            None => faults.push(format!("not at its end {:?} after the last fault", self.plan.deadline)),
            Some(Comparison { old, fresh }) => {
                if old.descriptors > fresh.descriptors {
                    faults.push(format!("{} descriptors, a fresh parent has {}", old.descriptors, fresh.descriptors));
                }
                if old.resident_kib > fresh.resident_kib + KEPT_KIB {
                    faults.push(format!("{} KiB at rest, a fresh parent {}", old.resident_kib, fresh.resident_kib));
                }
            }
        }
        faults
    }
}

fn counted<'a, K: fmt::Display + 'a>(list: impl IntoIterator<Item = (K, &'a u64)>) -> String {
    list.into_iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Audit { requests, completed, lost, duplicated, stranded, transactions: [mined, reverted], .. } =
            &self.audit;
        let deaths = &self.deaths;
        writeln!(f, "seed         {}", self.plan.seed)?;
        writeln!(
            f,
            "time         {:.0} s, of it {:.1} s to end everything after the last fault",
            self.took.as_secs_f64(),
            self.drained.as_secs_f64()
        )?;
        writeln!(
            f,
            "requests     {requests}, completed {completed}, lost {lost}, duplicated {duplicated}, stranded {stranded}"
        )?;
        writeln!(f, "kills        {}: {}", deaths.total(), counted(deaths.by_role.iter().map(|(k, v)| (*k, v))))?;
        let at_points: u64 = deaths.by_point.values().sum();
        writeln!(f, "at points    {at_points}: {}", counted(&deaths.by_point))?;
        writeln!(
            f,
            "starts       {}; a child outlived its parent by at most {:.0} ms",
            deaths.starts,
            deaths.slowest_child.as_secs_f64() * 1e3
        )?;
        writeln!(f, "transactions {mined}, of them reverted {reverted}")?;
        writeln!(f, "RPC calls    {}, {} for each stake", self.calls, measure::per(self.calls, *completed))?;
        let samples: Vec<_> = self.watch.of_the_last().collect();
        let most = |of: fn(&super::watch::Sample) -> u64| self.watch.samples.iter().map(of).max().unwrap_or(0);
        writeln!(
            f,
            "parent       at most {} KiB and {} descriptors; {} zombies",
            most(|sample| sample.resident_kib),
            most(|sample| sample.descriptors as u64),
            self.watch.zombies.len(),
        )?;
        for sample in samples.iter().step_by(samples.len().div_ceil(ROWS).max(1)) {
            let seconds = sample.at.as_secs_f64();
            writeln!(f, "  {seconds:6.0} s   {:6} KiB  {:3} descriptors", sample.resident_kib, sample.descriptors)?;
        }
        if let Some(Comparison { old, fresh }) = self.rest {
            let row = |name, rest: super::rest::Rest| {
                format!("  {name} {:6} KiB  {:3} descriptors", rest.resident_kib, rest.descriptors)
            };
            writeln!(f, "{}\n{}", row("at rest ", old), row("fresh   ", fresh))?;
        }
        let faults = self.faults();
        for fault in &faults {
            writeln!(f, "FAULT        {fault}")?;
        }
        write!(f, "{}", if faults.is_empty() { "all is well" } else { "not well: see above" })
    }
}
