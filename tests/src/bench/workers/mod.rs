//! What a process for a request costs: its start until its first word, its private memory, and how many can be started a
//! second, in four ways.
//!
//! Figures, for each way by its key: `<key>.ms` and `<key>.private_mib` of one, `<key>.cpu_ms` for a start.

mod ways;

use self::ways::{Started, Way};
use super::{
    Settings,
    chapter::{Chapter, median, told},
    plot::{Axis, Line, Plot},
    say,
};
use crate::process;
use anyhow::{Context as _, Result};
use std::time::Duration;

/// Numbers of processes that live at one time. The memory of one is that of one of two: what an executable file takes is
/// private to a process that is alone with it, which no worker is.
const CROWDS: [usize; 3] = [2, 50, 128];
/// Rounds in which each way starts one: before anything counts.
const WARM: usize = 3;
/// Time for a process to lie still before its memory is looked at.
const STILL: Duration = Duration::from_millis(30);

/// What one way comes to.
struct Measured {
    way: Way,
    /// Starts of one alone, milliseconds.
    alone: Vec<f64>,
    /// Processor milliseconds of a start, those of whoever starts it included.
    cpu: f64,
    crowds: Vec<Crowd>,
}

/// So many that live at one time.
struct Crowd {
    count: usize,
    took: Duration,
    /// Private memory of each, mean, KiB.
    private: f64,
}

const ALONE: [&str; 6] =
    ["one alone", "until its first word, ms", "least", "p95", "processor, ms", "private memory of one of two, KiB"];

/// Measures all ways.
///
/// # Errors
/// When a process can't be started or says nothing.
pub(super) fn run(settings: &Settings) -> Result<Chapter> {
    let mut found = Vec::new();
    let mut starters =
        Way::ALL.into_iter().map(|way| Ok((way, way.starter()?, Vec::new()))).collect::<Result<Vec<_>>>()?;
    say(&format!("{} starts of one alone, each way", settings.starts));
    for round in 0..settings.starts + WARM {
        // By turns, so that a slow moment of the machine falls on all of them.
        for (_, starter, alone) in &mut starters {
            let started = starter.start(1)?;
            if round >= WARM {
                alone.push(started.took.as_secs_f64() * 1e3);
            }
            starter.end(started)?;
        }
    }
    for (way, mut starter, alone) in starters {
        let cpu = (cpu(way, settings.starts + WARM)? - cpu(way, WARM)?) * 1e3 / settings.starts as f64;
        let mut crowds = Vec::new();
        for count in CROWDS {
            say(&format!("{count} at one time: {}", way.name()));
            let started = starter.start(count)?;
            std::thread::sleep(STILL);
            let private = private(&started)?;
            crowds.push(Crowd { count, took: started.took, private });
            starter.end(started)?;
        }
        found.push(Measured { way, alone, cpu, crowds });
    }
    chapter(settings.starts, &found)
}

/// Processor seconds of so many starts and ends, of all who take part, and of whoever starts them from its beginning to its
/// end: what it has waited for is known only once it has ended itself.
fn cpu(way: Way, starts: usize) -> Result<f64> {
    let before = process::own_cpu()?;
    let mut starter = way.starter()?;
    for _ in 0..starts {
        let started = starter.start(1)?;
        starter.end(started)?;
    }
    drop(starter);
    Ok((process::own_cpu()? - before).as_secs_f64())
}

/// The mean of their private memory, in KiB.
fn private(started: &Started) -> Result<f64> {
    let unseen = "the private memory of a process can't be seen";
    let each = started.pids.iter().map(|pid| process::usage(*pid)?.private_kib.context(unseen));
    let each = each.collect::<Result<Vec<u64>>>()?;
    Ok(each.iter().sum::<u64>() as f64 / each.len().max(1) as f64)
}

fn chapter(starts: usize, found: &[Measured]) -> Result<Chapter> {
    let mut chapter = Chapter::new("workers", "Cost of a process")
        .text(format!(
            "From the call that starts a process until its first word is read, median of {starts}, all ways by turns; then \
             processor time of a start and an end, of all who take part (mean of as many, `getrusage`, to the microsecond; what \
             whoever starts them takes by itself is subtracted), and private memory (`Private_Clean` and \
             `Private_Dirty`) once two lie still. {}",
            Way::explained()
        ))
        .table(&ALONE, found.iter().map(Measured::row).collect::<Result<_>>()?)
        .text("Many at one time: how fast they were started, and the private memory of each.")
        .table(&many(), found.iter().map(Measured::crowd_row).collect());
    for one in found {
        let key = one.way.key();
        let private = one.crowds.first().context("no crowd")?.private;
        chapter = chapter
            .figure(format!("{key}.ms"), median(one.alone.iter().copied()).context("no starts")?)
            .figure(format!("{key}.cpu_ms"), one.cpu)
            .figure(format!("{key}.private_mib"), private / 1024.0);
    }
    let line = |one: &Measured, of: fn(&Crowd) -> f64| Line {
        name: one.way.name().to_owned(),
        points: one.crowds.iter().map(|crowd| (crowd.count as f64, of(crowd))).collect(),
    };
    let plot = |name: &str, title: &str, label: &str, of: fn(&Crowd) -> f64| Plot {
        name: format!("bench-workers-{name}"),
        title: title.to_owned(),
        x: Axis::log("processes at one time"),
        y: Axis::log(label),
        lines: found.iter().map(|one| line(one, of)).collect(),
    };
    Ok(chapter.plot(plot("rate", "Starts a second", "starts a second", Crowd::rate)).plot(plot(
        "memory",
        "Private memory of each",
        "KiB",
        |crowd| crowd.private,
    )))
}

fn many() -> Vec<&'static str> {
    vec!["at one time", "2, a second", "KiB each", "50, a second", "KiB each", "128, a second", "KiB each"]
}

impl Crowd {
    fn rate(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }
}

impl Measured {
    fn row(&self) -> Result<Vec<String>> {
        let mut sorted = self.alone.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * 95).div_ceil(100).max(1) - 1;
        let at = |rank: usize| sorted.get(rank).copied().map(told).context("no starts");
        let middle = median(self.alone.iter().copied()).context("no starts")?;
        let private = self.crowds.first().context("no crowd")?.private;
        Ok(vec![self.way.name().to_owned(), told(middle), at(0)?, at(rank)?, told(self.cpu), told(private)])
    }

    fn crowd_row(&self) -> Vec<String> {
        let cells = self.crowds.iter().flat_map(|crowd| [told(crowd.rate()), told(crowd.private)]);
        [self.way.name().to_owned()].into_iter().chain(cells).collect()
    }
}
