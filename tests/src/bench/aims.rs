//! What it must cost, beside what was measured.

use super::{
    chapter::{Chapter, Table, told},
    report::Report,
    stakes::AIM,
};
use anyhow::{Context as _, Result, ensure};

/// Unfinished requests of the aims of restart and memory.
pub(super) const ROWS: usize = 10_000;
/// What "a few" ms and MiB are taken to be at most.
const FEW: f64 = 5.0;

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
            measured: format!("{}, in {}", told(calls), told(http)),
            beside: format!("straight script: {}, in {}", told(of("straight.calls")?), told(of("straight.http")?)),
            is_met: calls <= 12.0 && http <= 1.0,
        },
        Aim {
            what: format!("wall time of {count} stakes"),
            aim: "≤ 1.2 × a straight script".to_owned(),
            measured: format!("{} ×: {} s", told(wall / straight), told(wall)),
            beside: format!("straight script: {} s", told(straight)),
            is_met: wall <= 1.2 * straight,
        },
        Aim {
            what: format!(
                "blocks lost by each of {count} stakes, beyond what confirmations, anchoring and full blocks force"
            ),
            aim: "0 on the origin, 0 on the auxiliary chain".to_owned(),
            measured: format!("{} and {}", told(lost[0]), told(lost[1])),
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
    let (proofs, heights) = (of("proofs")?, of("heights")?);
    Ok(vec![Aim {
        what: format!("gas for a completed stake, {} at a time", told(of("count")?)),
        aim: "one gateway proof for each anchored height, not for each request".to_owned(),
        measured: format!("{} proofs for {} heights; {} gas", told(proofs), told(heights), told(of("facilitator")?)),
        beside: format!(
            "straight script: {} gas; with a proof for each message: {}",
            told(of("once")?),
            told(of("each")?)
        ),
        is_met: proofs <= heights,
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
        measured: both("worker")?,
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
        what: "scanning".to_owned(),
        aim: "≥ 90 % of the rate of a bare loop of the same calls".to_owned(),
        measured: format!("{} %: {} blocks/s", told(percent), told(chapter.number("rate")?)),
        beside: format!("bare loop: {} blocks/s", told(chapter.number("bare")?)),
        is_met: percent >= 90.0,
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
            measured: format!("{} s; with weak keys {} s", told(sent), told(of("weak.sent_s")?)),
            beside: format!("with {few} requests and weak keys: {} s", told(of("few.sent_s")?)),
            is_met: sent <= 3.0,
        },
        Aim {
            what: format!("memory of the parent with {rows} unfinished requests, once the keys are open"),
            aim: "≤ 40 MiB".to_owned(),
            measured: format!("{} MiB", told(parent)),
            beside: format!(
                "with {few} requests: {} MiB; while strong keys are opened: {} MiB",
                told(of("few.parent_mib")?),
                told(of("open_mib")?)
            ),
            is_met: parent <= 40.0,
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
    let gain = starts * (worker - forked);
    Ok(Some(format!(
        "Of {} stakes at once each takes {} starts of a worker and {} ms of processor time, in all processes. A start by \
         executing the program again takes {} ms of processor time, by a fork server, bare, {} ms at least: with a fork server \
         a stake would take {} ms less, {} %. Until its first word a worker takes {} ms, with a fork server {} ms: of the wall \
         time of a stake, which waits for blocks, {} % if no two starts ran side by side.",
        told(stakes.number("stakes")?),
        told(starts),
        told(stake),
        told(worker),
        told(forked),
        told(gain),
        told(gain * 100.0 / stake),
        told(start),
        told(quick),
        told(starts * (start - quick) / 10.0 / stakes.number("facilitator.wall_s")?),
    )))
}
