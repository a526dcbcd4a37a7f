//! What the facilitator needs for few and for many stakes at once, beside a straight script on the same kind of devnet in
//! the same run.
//!
//! Figures, of the aims' number of stakes where it is among the sizes, else of the largest size: `stakes`, and for
//! `facilitator.` and `straight.` the medians of what [`Measured::numbers`] names.

use super::{
    Settings,
    blocks::HEADER,
    chapter::{Chapter, median, told},
    plot::{Axis, Line, Plot},
    race::{self, Measured, Racer},
    say,
};
use crate::{kind::Kind, measure, straight::Manner, table};
use anyhow::{Context as _, Result};

/// The number of stakes that the aims speak of.
pub(super) const AIM: usize = 100;
/// From so many stakes on one run is enough: its minutes are an average by themselves.
const ONCE_FROM: usize = 1_000;

const RACERS: [Racer; 2] = [Racer::Straight(Manner::OncePerHeight), Racer::Facilitator];

/// The runs of one racer with so many stakes.
struct Runs {
    count: usize,
    racer: Racer,
    runs: Vec<Measured>,
}

impl Runs {
    fn median(&self, name: &str) -> Option<f64> {
        median(self.runs.iter().filter_map(|run| run.numbers().get(name).copied()))
    }

    fn cell(&self, name: &str) -> String {
        self.median(name).map_or("-".to_owned(), told)
    }

    /// The run whose wall time is the median, or the one below it.
    fn middle(&self) -> Result<&Measured> {
        let mut runs: Vec<&Measured> = self.runs.iter().collect();
        runs.sort_by_key(|run| run.wall);
        runs.get(runs.len().saturating_sub(1) / 2).copied().context("no run")
    }

    fn row(&self) -> Vec<String> {
        let walls = self.runs.iter().map(|run| run.wall.as_secs_f64());
        let (least, most) = (walls.clone().reduce(f64::min), walls.reduce(f64::max));
        let finished = self.runs.iter().map(|run| run.finished).sum::<usize>();
        vec![
            self.count.to_string(),
            self.racer.name().to_owned(),
            format!("{finished}/{}", self.count * self.runs.len()),
            self.cell("wall_s"),
            format!("{}–{}", told(least.unwrap_or_default()), told(most.unwrap_or_default())),
            self.cell("calls"),
            self.cell("http"),
            self.cell("gas"),
        ]
    }

    fn blocks(&self) -> Vec<String> {
        let cells = ["lost_origin", "lost_auxiliary", "fill_origin", "fill_auxiliary"].map(|name| self.cell(name));
        [self.count.to_string(), self.racer.name().to_owned()].into_iter().chain(cells).collect()
    }
}

const BLOCKS: [&str; 6] =
    ["stakes", "", "blocks lost by a stake, origin", "auxiliary", "gas used of the room, origin, %", "auxiliary, %"];
const COLUMNS: [&str; 8] =
    ["stakes", "", "finished", "wall, s", "least–most", "calls a stake", "HTTP a stake", "gas a stake"];

/// Measures both racers with each number of stakes.
///
/// # Errors
/// When a world fails, or a stake does not end as it must.
pub(super) async fn run(settings: &Settings) -> Result<Chapter> {
    let mut all = Vec::new();
    for count in settings.sizes.iter().copied() {
        let times = if count >= ONCE_FROM { 1 } else { settings.runs };
        let mut both = RACERS.map(|racer| Runs { count, racer, runs: Vec::new() });
        // By turns, so that a slow minute of the machine does not fall on one of them alone.
        for number in 1..=times {
            for runs in &mut both {
                say(&format!("{count} stakes, {}, run {number} of {times}", runs.racer.name()));
                runs.runs.push(race::run(runs.racer, &settings.race(Kind::Stake, count)).await?);
            }
        }
        all.push(both);
    }
    chapter(settings, &all)
}

fn chapter(settings: &Settings, all: &[[Runs; 2]]) -> Result<Chapter> {
    let aim = all.iter().find(|[runs, _]| runs.count == AIM).or(all.last()).context("no sizes")?;
    let rows = all.iter().flatten().map(Runs::row).collect();
    let chapter = Chapter::new("stakes", "Stakes beside a straight script")
        .text(format!(
            "So many stakes asked for at once, blocks every {} s, {} confirmations, heads asked for every {} ms; the same \
             contracts, a fresh pair of nodes for each run. Medians; runs of each number: {}, one from {} stakes on. The straight \
             script is handed the requests, contracts and limits of gas beforehand, keeps nothing and survives nothing. \
             Requests are sent right behind a block, so that they share the next one; the facilitator's clock starts when that one \
             is there, the script's when it has been handed the requests of it. The facilitator's calls and its processor time, which is counted in steps of 10 ms for each process, go \
             on until its own rows are complete.",
            settings.block_time.as_secs_f64(),
            settings.confirmations,
            settings.poll.as_millis(),
            settings.runs,
            table::grouped(ONCE_FROM as u64),
        ))
        .table(&COLUMNS, rows)
        .text(
            "A block is lost where a step was mined later than confirmations, anchoring and full blocks force, summed over a \
             stake's two steps on the chain. The room is that of all blocks from the chain's first step to its last one; of few \
             stakes most of it is not needed, and what waits for the other chain leaves room too. Only on the chain that is the \
             bottleneck does unused room tell about who sends.",
        )
        .table(&BLOCKS, all.iter().flatten().map(Runs::blocks).collect())
        .text(
            "The facilitator by the straight script, and what it took of the machine; memory is resident, so that what processes \
             share counts once for each of them:",
        )
        .table(&OWN, all.iter().map(own).collect::<Result<_>>()?);
    let chapter = plots(chapter, all);
    details(figures(chapter, aim)?, aim)
}

const OWN: [&str; 8] = [
    "stakes",
    "wall, ratio",
    "calls, ratio",
    "gas, ratio",
    "processor, ms a stake",
    "worker starts a stake",
    "all processes, MiB",
    "parent, MiB",
];

fn own([straight, own]: &[Runs; 2]) -> Result<Vec<String>> {
    let ratio = |name: &str| {
        let (ours, theirs) = (own.median(name).context("no run")?, straight.median(name).context("no run")?);
        anyhow::Ok(told(ours / theirs))
    };
    let milliseconds = own.median("cpu_s").map_or("-".to_owned(), |seconds| told(seconds * 1e3));
    Ok(vec![
        own.count.to_string(),
        ratio("wall_s")?,
        ratio("calls")?,
        ratio("gas")?,
        milliseconds,
        own.cell("starts"),
        own.cell("all_mib"),
        own.cell("parent_mib"),
    ])
}

fn figures(mut chapter: Chapter, aim: &[Runs; 2]) -> Result<Chapter> {
    for runs in aim {
        let who = match runs.racer {
            Racer::Straight(_) => "straight",
            Racer::Facilitator => "facilitator",
        };
        for name in runs.middle()?.numbers().into_keys() {
            chapter = chapter.figure(format!("{who}.{name}"), runs.median(name).context("no run")?);
        }
        chapter = chapter.figure("stakes", runs.count as f64);
    }
    Ok(chapter)
}

/// The curves: of both, or of the facilitator alone.
fn plots(mut chapter: Chapter, all: &[[Runs; 2]]) -> Chapter {
    let curve = |name: &str, label: &str, index: usize| {
        let points = |both: &[Runs; 2]| {
            let runs = both.get(index)?;
            Some((runs.count as f64, runs.median(name)?))
        };
        Line { name: label.to_owned(), points: all.iter().filter_map(points).collect() }
    };
    let of_both = |name: &str, what: &str| -> Vec<Line> {
        let label = |who: &str| if what.is_empty() { who.to_owned() } else { format!("{who}, {what}") };
        let both = ["straight script", "facilitator"].into_iter().enumerate();
        both.map(|(index, who)| curve(name, &label(who), index)).collect()
    };
    let calls = [of_both("calls", "calls"), of_both("http", "HTTP")].concat();
    let lost = [of_both("lost_origin", "origin"), of_both("lost_auxiliary", "auxiliary")].concat();
    let memory = vec![curve("all_mib", "all processes", 1), curve("parent_mib", "parent", 1)];
    let plots = [
        ("calls", "RPC calls and HTTP requests for each stake", Axis::log("for each stake"), calls),
        ("wall", "Wall time of all stakes", Axis::log("seconds"), of_both("wall_s", "")),
        ("gas", "Gas for each stake", Axis::linear("gas"), of_both("gas", "")),
        ("lost", "Blocks lost by a stake beyond what is forced", Axis::linear("blocks"), lost),
        ("memory", "Resident memory", Axis::log("MiB"), memory),
    ];
    for (name, title, y, lines) in plots {
        let x = Axis::log("stakes at once");
        chapter = chapter.plot(Plot { name: format!("bench-{name}"), title: title.to_owned(), x, y, lines });
    }
    chapter
}

/// Calls, lost blocks and memory of the middle runs.
fn details(mut chapter: Chapter, aim: &[Runs; 2]) -> Result<Chapter> {
    for runs in aim {
        let run = runs.middle()?;
        let (name, count) = (runs.racer.name(), run.count);
        chapter = chapter
            .text(format!("{name}, {count} stakes: calls by method, and HTTP requests by what is called in them."))
            .table(&measure::CALLS, measure::calls_rows(&run.counts, count));
        if let Some(late) = &run.late {
            chapter = chapter.text(format!("{name}, {count} stakes: blocks lost.")).table(&HEADER, late.rows());
        }
        if let Some(daemon) = &run.daemon {
            let memory = daemon.memory;
            chapter = chapter.text(format!(
                "{name}, {count} stakes: parent {} KiB at most; a worker {} KiB at most, {} KiB of it private; all \
                 processes {} KiB at one time.",
                table::grouped(memory.parent.peak_kib),
                table::grouped(memory.worker.peak_kib),
                memory.worker.private_kib.map_or("-".to_owned(), table::grouped),
                table::grouped(memory.all_kib),
            ));
        }
    }
    Ok(chapter)
}
