//! What it must cost, beside what was measured.

use super::{
    Part,
    chapter::{Chapter, Table, beside, told},
    report::Report,
    stakes::AIM,
};
use anyhow::{Context as _, Result, ensure};

/// Unfinished requests of the aims of restart and memory.
pub(super) const ROWS: usize = 10_000;
/// What "a few" ms and MiB are taken to be at most.
const FEW: f64 = 5.0;
/// The numbers of the other aims, as their texts tell them.
const CALLS: f64 = 12.0;
const HEIGHTS: f64 = 2.0;
const RATIO: f64 = 1.2;
const PERCENT: f64 = 90.0;
const SECONDS: f64 = 3.0;
const MEMORY: f64 = 40.0;

/// An aim with what was measured.
struct Aim {
    what: String,
    aim: String,
    measured: String,
    beside: String,
    is_met: bool,
}

/// Reads the aims of a part from what it found.
type Judge = fn(&Chapter) -> Result<Vec<Aim>>;

/// The header of the table.
const HEADER: [&str; 5] = ["what it must cost", "aim", "measured", "beside it, in the same run", "met"];

/// The table of all aims whose parts were measured.
///
/// # Errors
/// When a part that was measured has not measured what an aim needs.
pub(super) fn table(report: &Report) -> Result<Table> {
    let mut rows = Vec::new();
    let parts: [(&str, Judge); 5] =
        [("stakes", stakes), ("gas", gas), ("workers", workers), ("scan", scan), ("restart", restart)];
    for (part, aims) in parts {
        if let Some(chapter) = report.chapter(part) {
            rows.extend(aims(chapter)?.into_iter().map(Aim::row));
        }
    }
    Ok(Table::new(&HEADER, rows))
}

/// Checks that all aims were measured, as they are meant.
///
/// # Errors
/// What is missing.
pub(super) fn complete(report: &Report) -> Result<()> {
    for part in Part::ALL {
        report.chapter(part.name()).with_context(|| format!("{} was not measured", part.name()))?;
    }
    let number =
        |part: &str, name: &str| report.chapter(part).with_context(|| format!("{part} was not measured"))?.number(name);
    for (part, name, aim) in [("stakes", "stakes", AIM), ("gas", "count", AIM), ("restart", "rows", ROWS)] {
        let measured = number(part, name)?;
        ensure!(told(measured) == told(aim as f64), "the aims speak of {aim} {part}, measured were {measured}");
    }
    number("workers", "worker.ms").and(number("scan", "percent")).map(drop)
}

impl Aim {
    fn row(self) -> Vec<String> {
        let met = if self.is_met { "yes" } else { "no" };
        vec![self.what, self.aim, self.measured, self.beside, met.to_owned()]
    }
}

fn stakes(chapter: &Chapter) -> Result<Vec<Aim>> {
    let of = |name: &str| chapter.number(name);
    let count = told(of("stakes")?);
    let (calls, http) = (of("facilitator.calls")?, of("facilitator.http")?);
    let (wall, straight) = (of("facilitator.wall_s")?, of("straight.wall_s")?);
    let lost = [of("facilitator.lost_origin")?, of("facilitator.lost_auxiliary")?];
    Ok(vec![
        Aim {
            what: format!("RPC calls for a completed stake, {count} at a time, scanning included"),
            aim: "≤ 12, in ≤ 1 HTTP request".to_owned(),
            measured: format!("{}, in {}", beside(calls, CALLS), beside(http, 1.0)),
            beside: format!("straight script: {}, in {}", told(of("straight.calls")?), told(of("straight.http")?)),
            is_met: calls <= CALLS && http <= 1.0,
        },
        Aim {
            what: format!("wall time of {count} stakes"),
            aim: "≤ 1.2 × a straight script".to_owned(),
            measured: format!("{} ×: {} s", beside(wall / straight, RATIO), told(wall)),
            beside: format!("straight script: {} s", told(straight)),
            is_met: wall / straight <= RATIO,
        },
        Aim {
            what: format!(
                "blocks lost by each of {count} stakes, beyond what confirmations, anchoring and full blocks force"
            ),
            aim: "0 on the origin, 0 on the auxiliary chain".to_owned(),
            measured: format!("{} and {}", beside(lost[0], 0.0), beside(lost[1], 0.0)),
            beside: format!(
                "straight script: {} and {}",
                told(of("straight.lost_origin")?),
                told(of("straight.lost_auxiliary")?)
            ),
            is_met: lost.into_iter().all(|blocks| blocks <= 0.0),
        },
    ])
}

fn gas(chapter: &Chapter) -> Result<Vec<Aim>> {
    let of = |name: &str| chapter.number(name);
    let (proofs, heights, script) = (of("proofs")?, of("heights")?, of("once.heights")?);
    Ok(vec![Aim {
        what: format!("gas for a completed stake, {} at a time", told(of("count")?)),
        aim: format!(
            "one gateway proof for each anchored height, not for each request, and ≤ {HEIGHTS} × the heights of a straight script"
        ),
        // By heights alone each request with one of its own would do: their number is held against the script's.
        measured: format!("{} proofs for {} heights; {} gas", told(proofs), told(heights), told(of("facilitator")?)),
        beside: format!(
            "straight script: {} heights, {} gas; with a proof for each message: {}",
            told(script),
            told(of("once")?),
            told(of("each")?)
        ),
        is_met: proofs <= heights && heights <= script.max(1.0) * HEIGHTS,
    }])
}

fn workers(chapter: &Chapter) -> Result<Vec<Aim>> {
    let of = |name: &str| chapter.number(name);
    let (start, private) = (of("worker.ms")?, of("worker.private_mib")?);
    let both = |key: &str| {
        anyhow::Ok(format!("{} ms, {} MiB", told(of(&format!("{key}.ms"))?), told(of(&format!("{key}.private_mib"))?)))
    };
    Ok(vec![Aim {
        what: "start of a worker until its first message, and its private memory".to_owned(),
        aim: format!("a few ms, a few MiB (taken as ≤ {FEW} of each)"),
        measured: format!("{} ms, {} MiB", beside(start, FEW), beside(private, FEW)),
        beside: format!(
            "bare program: {}; fork server: {}; Node's fork: {}",
            both("bare")?,
            both("fork_server")?,
            both("node")?
        ),
        is_met: start <= FEW && private <= FEW,
    }])
}

fn scan(chapter: &Chapter) -> Result<Vec<Aim>> {
    let percent = chapter.number("percent")?;
    Ok(vec![Aim {
        what: format!("scanning {} blocks", told(chapter.number("blocks")?)),
        aim: "≥ 90 % of the rate of a bare loop of the same calls".to_owned(),
        measured: format!("{} %: {} blocks/s", beside(percent, PERCENT), told(chapter.number("rate")?)),
        beside: format!("bare loop: {} blocks/s", told(chapter.number("bare")?)),
        is_met: percent >= PERCENT,
    }])
}

fn restart(chapter: &Chapter) -> Result<Vec<Aim>> {
    let of = |name: &str| chapter.number(name);
    let (rows, few) = (told(of("rows")?), told(of("few")?));
    let (sent, parent) = (of("sent_s")?, of("parent_mib")?);
    Ok(vec![
        Aim {
            what: format!("restart with {rows} unfinished requests until work resumes (the first transaction is sent)"),
            aim: "≤ 3 s".to_owned(),
            measured: format!("{} s; with weak keys {} s", beside(sent, SECONDS), told(of("weak.sent_s")?)),
            beside: format!("with {few} requests and weak keys: {} s", told(of("few.sent_s")?)),
            is_met: sent <= SECONDS,
        },
        Aim {
            what: format!("memory of the parent with {rows} unfinished requests, once the keys are open"),
            aim: "≤ 40 MiB".to_owned(),
            measured: format!("{} MiB", beside(parent, MEMORY)),
            beside: format!(
                "with {few} requests and weak keys: {} MiB; while strong keys are opened: {} MiB",
                told(of("few.parent_mib")?),
                told(of("open_mib")?)
            ),
            is_met: parent <= MEMORY,
        },
    ])
}

/// What a fork server would gain, from what a stake costs altogether; none where one of both was not measured.
///
/// # Errors
/// When a part has not measured what is needed.
pub(super) fn fork_server(report: &Report) -> Result<Option<String>> {
    let (Some(workers), Some(stakes)) = (report.chapter("workers"), report.chapter("stakes")) else { return Ok(None) };
    let (starts, stake) = (stakes.number("facilitator.starts")?, stakes.number("facilitator.cpu_s")? * 1e3);
    let (worker, forked) = (workers.number("worker.cpu_ms")?, workers.number("fork_server.cpu_ms")?);
    let (start, quick) = (workers.number("worker.ms")?, workers.number("fork_server.ms")?);
    let (count, wall) = (stakes.number("stakes")?, stakes.number("facilitator.wall_s")?);
    let gain = starts * (worker - forked);
    let one = starts * (start - quick) / 1e3;
    Ok(Some(format!(
        "Of {} stakes at once each takes {} starts of a worker and {} ms of processor time, in all processes. A start by \
         executing the program again takes {} ms of processor time, by a fork server, bare, {} ms at least: with a fork server \
         a stake would take {} ms less, {} %. Until its first word a worker takes {} ms, with a fork server {} ms. What that would \
         take from the wall time of all of them, {} s, lies between two bounds. The starts of a single stake, one after the \
         other: {} s, {} %. The starts of all stakes one after the other, as if no two ran side by side and nothing else ran \
         beside them: {} s, {} %.",
        told(count),
        told(starts),
        told(stake),
        told(worker),
        told(forked),
        told(gain),
        told(gain * 100.0 / stake),
        told(start),
        told(quick),
        told(wall),
        told(one),
        told(one * 100.0 / wall),
        told(one * count),
        told(one * count * 100.0 / wall),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Machine, Settings};

    fn chapter(part: &str, figures: &[(&str, f64)]) -> Chapter {
        figures.iter().fold(Chapter::new(part, part), |chapter, (name, value)| chapter.figure(*name, *value))
    }

    fn report(chapters: Vec<Chapter>) -> Report {
        let text = String::new;
        let machine = Machine {
            processor: text(),
            cores: 2,
            memory_mib: 1,
            system: text(),
            anvil: text(),
            rustc: text(),
            build: text(),
            node: text(),
            contracts: text(),
            is_foreign: false,
            commit: text(),
        };
        Report { machine, settings: Settings::default(), begun: 0, chapters }
    }

    #[test]
    fn what_a_fork_server_takes_from_the_wall_time_has_a_bound_of_one_stake_and_one_of_all() {
        let stakes =
            [("stakes", 100.0), ("facilitator.wall_s", 12.0), ("facilitator.starts", 6.0), ("facilitator.cpu_s", 0.03)];
        let stakes = chapter("stakes", &stakes);
        let workers =
            [("worker.ms", 3.5), ("fork_server.ms", 0.5), ("worker.cpu_ms", 2.0), ("fork_server.cpu_ms", 0.5)];
        let told = fork_server(&report(vec![stakes, chapter("workers", &workers)])).unwrap().unwrap();
        // Six starts of 3 ms less; and six hundred of them.
        for part in ["0.018 s, 0.15 %", "1.8 s, 15 %", "9 ms less, 30 %", "wall time of all of them, 12 s"] {
            assert!(told.contains(part), "{part} is not in\n{told}");
        }
    }

    #[test]
    fn a_proof_for_each_request_is_not_hidden_by_a_height_for_each_request() {
        let met = |proofs: f64, heights: f64| {
            let figures = [("count", 100.0), ("proofs", proofs), ("heights", heights), ("once.heights", 2.0)];
            let gas = [("facilitator", 1.0), ("once", 1.0), ("each", 1.0)];
            gas_met(&chapter("gas", &[figures.as_slice(), &gas].concat()))
        };
        assert_eq!([met(2.0, 2.0), met(3.0, 2.0), met(100.0, 100.0)], [true, false, false]);
    }

    fn gas_met(chapter: &Chapter) -> bool {
        gas(chapter).unwrap().iter().all(|aim| aim.is_met)
    }
}
