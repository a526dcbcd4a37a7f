//! Measurements of one run: calls, gas, processor time, memory, and how fast a child process starts.
//!
//! Looks from outside only, so that the product is measured as it is shipped.

use crate::{
    devnet::{Devnet, Side},
    process::{self, Usage},
    rpc_proxy::Counts,
};
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What many samples of one duration come to.
#[derive(Debug, Clone, Default)]
pub struct Spread(Vec<Duration>);

impl Spread {
    /// One more sample.
    pub fn push(&mut self, sample: Duration) {
        let place = self.0.partition_point(|other| *other <= sample);
        self.0.insert(place, sample);
    }

    /// One more sample, where there is one.
    pub fn extend(&mut self, sample: Option<Duration>) {
        if let Some(sample) = sample {
            self.push(sample);
        }
    }

    /// How many samples there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest duration that `percent` of the samples do not exceed; none without samples.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied()
    }

    /// Columns of [`Spread::cells`], behind one that says what was measured. Of the number of samples that are taken p99
    /// would be the largest one.
    pub const COLUMNS: [&str; 5] = ["from the death", "p50", "p90", "max", "n"];

    /// p50, p90 and max in ms, and the number of samples, as cells of a table.
    #[must_use]
    pub fn cells(&self) -> [String; 4] {
        let at = |percent| self.percentile(percent).map_or("-".to_owned(), milliseconds);
        [at(50), at(90), at(100), self.count().to_string()]
    }
}

/// A duration in ms.
#[must_use]
pub fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

/// How often the processes are looked at.
const SAMPLE: Duration = Duration::from_millis(10);

/// The largest memory of each kind of process of a daemon, and how many workers were seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Of the parent.
    pub parent: Usage,
    /// Of the worker that had most.
    pub worker: Usage,
    /// Of all processes at once, resident, in KiB.
    pub all_kib: u64,
    /// Workers that were seen.
    pub workers: usize,
}

/// Watches a daemon and its children until it is told to stop.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    found: Arc<Mutex<Memory>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watch {
    /// Starts watching the daemon with this process id.
    #[must_use]
    pub fn start(pid: u32) -> Self {
        let (stop, found) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Memory::default())));
        let (stopped, shared) = (Arc::clone(&stop), Arc::clone(&found));
        let thread = thread::spawn(move || {
            let mut workers = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                let seen = look(pid, &mut workers, *shared.lock().unwrap_or_else(PoisonError::into_inner));
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = seen;
                thread::sleep(SAMPLE);
            }
        });
        Self { stop, found, thread: Some(thread) }
    }

    /// Stops and tells what was found.
    #[must_use]
    pub fn stop(mut self) -> Memory {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A watcher that failed has left what it found.
            let _ = thread.join();
        }
        *self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn larger(one: Usage, other: Usage) -> Usage {
    Usage {
        cpu_seconds: one.cpu_seconds.max(other.cpu_seconds),
        peak_kib: one.peak_kib.max(other.peak_kib),
        resident_kib: one.resident_kib.max(other.resident_kib),
        // None where no look could see it.
        private_kib: one.private_kib.max(other.private_kib),
    }
}

fn look(pid: u32, workers: &mut BTreeSet<u32>, mut found: Memory) -> Memory {
    let Ok(parent) = process::usage(pid) else { return found };
    found.parent = larger(found.parent, parent);
    let mut all = parent.resident_kib;
    for child in process::children(pid) {
        let Ok(usage) = process::usage(child) else { continue };
        all += usage.resident_kib;
        if process::command_line(child).contains(" worker ") {
            workers.insert(child);
            found.worker = larger(found.worker, usage);
        }
    }
    found.all_kib = found.all_kib.max(all);
    found.workers = workers.len();
    found
}

/// Processor seconds of a daemon until now: its own, its children's, and those of the children that have ended.
///
/// # Errors
/// When it has ended.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let children = process::children(pid).into_iter().filter_map(|child| process::usage(child).ok());
    Ok(process::usage(pid)?.cpu_seconds + children.map(|usage| usage.cpu_seconds).sum::<f64>())
}

/// Columns of [`calls_rows`].
pub const CALLS: [&str; 3] = ["for each stake", "origin", "auxiliary"];

/// The calls of both chains by method, and their HTTP requests by what is called in them, for each of `stakes`.
#[must_use]
pub fn calls_rows(counts: &[Counts; 2], stakes: usize) -> Vec<Vec<String>> {
    let [origin, auxiliary] = counts;
    let mut rows = by_name(&origin.calls, &auxiliary.calls, stakes);
    rows.push(vec!["all calls".into(), per(origin.total(), stakes), per(auxiliary.total(), stakes)]);
    rows.extend(by_name(&origin.kinds, &auxiliary.kinds, stakes).into_iter().map(|mut row| {
        if let Some(name) = row.first_mut() {
            name.insert_str(0, "HTTP: ");
        }
        row
    }));
    rows.push(vec!["all HTTP requests".into(), per(origin.requests, stakes), per(auxiliary.requests, stakes)]);
    rows
}

fn by_name(origin: &BTreeMap<String, u64>, auxiliary: &BTreeMap<String, u64>, stakes: usize) -> Vec<Vec<String>> {
    let names: BTreeSet<&String> = origin.keys().chain(auxiliary.keys()).collect();
    let row = |name: &String| {
        let of = |counts: &BTreeMap<String, u64>| per(counts.get(name).copied().unwrap_or(0), stakes);
        vec![name.replace("eth_", ""), of(origin), of(auxiliary)]
    };
    names.into_iter().map(row).collect()
}

/// `count` for each of `stakes`, with two decimals.
#[must_use]
pub fn per(count: u64, stakes: usize) -> String {
    let hundredths = count.saturating_mul(100) / (stakes.max(1) as u64);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The heads of both chains.
///
/// # Errors
/// A node's.
pub async fn heads(devnet: &Devnet) -> Result<[u64; 2]> {
    let heads = tokio::try_join!(devnet.node(Side::Origin).head(), devnet.node(Side::Auxiliary).head())?;
    Ok([heads.0, heads.1])
}

/// The median time from starting a process to the first byte on its standard output.
///
/// # Errors
/// When it can't be started or prints nothing.
pub fn first_byte(program: &Path, arguments: &[&str], times: usize) -> Result<Duration> {
    let mut taken = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut byte = [0];
        let count = child.stdout.as_mut().context("no output")?.read(&mut byte)?;
        taken.push(start.elapsed());
        // Nothing more is wanted of it.
        let _ = child.kill();
        child.wait()?;
        ensure!(count == 1, "{} {} printed nothing", program.display(), arguments.join(" "));
    }
    taken.sort();
    taken.get(taken.len() / 2).copied().context("no measurement")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_sample_that_so_many_do_not_exceed() {
        let mut spread = Spread::default();
        assert_eq!(spread.percentile(50), None);
        for sample in (1..=200).rev() {
            spread.push(Duration::from_millis(sample));
        }
        let at = |percent| spread.percentile(percent).map(|duration| duration.as_millis());
        assert_eq!([at(0), at(50), at(99), at(100)], [Some(1), Some(100), Some(198), Some(200)]);
        assert_eq!(spread.cells(), ["100.0 ms", "180.0 ms", "200.0 ms", "200"]);
    }
}
