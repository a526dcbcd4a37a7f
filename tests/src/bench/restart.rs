//! A restart with many unfinished requests, until the first transaction leaves.
//!
//! The facilitator died by SIGKILL with all requests accepted and waiting for a state root; while it was away the root was
//! anchored. So the restart wakes every one of them at once, and the oldest, which are real, have a transaction to send.

use super::{
    END_LIMIT,
    chapter::Chapter,
    plot::{Axis, Line, Plot},
    say,
};
use crate::{
    anchoring, backlog,
    devnet::Side,
    measure::{Memory, Watch, milliseconds},
    node::Pace,
    process,
    rpc_proxy::{Counts, Fault, RpcProxy},
    stakers::Stakers,
    table::grouped,
    verify,
    world::{World, WorldOptions},
};
use anyhow::{Context as _, Result, ensure};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Stakes on the chains; the others are rows only.
const REAL: usize = 10;
/// Longest wait for the first transaction, and for rows to be as they must be.
const LIMIT: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(2);

/// One restart.
#[derive(Debug)]
struct Restart {
    /// Unfinished requests at the start.
    rows: usize,
    /// Whether the keys were quickly opened.
    light_kdf: bool,
    /// From the start of the process to its first child, for which all keys must be open; to its line `ready`, to the first
    /// worker, and to the first transaction sent.
    child: Duration,
    /// Processor seconds of the parent until its first child.
    child_cpu: f64,
    ready: Duration,
    worker: Duration,
    sent: Duration,
    /// Resident memory of the parent when the first transaction left, in KiB.
    parent_kib: u64,
    /// Calls to both nodes until the first transaction left.
    calls: [Counts; 2],
    /// Until the real stakes had ended, and the calls and the memory until then.
    finished: Duration,
    all_calls: [Counts; 2],
    memory: Memory,
    /// From the first child on: once the keys are open.
    opened: Memory,
    /// Unfinished requests then.
    left: usize,
}

/// Restarts with so many unfinished requests each, and with the most of them and keys as strong as `init` makes them.
///
/// Figures: `rows` and `few`, the most and the fewest requests; `sent_s`, `open_mib` and `parent_mib`, the last one
/// from the first child on, with the most and strong keys; `weak.sent_s` with the most and weak ones; `few.sent_s` and
/// `few.parent_mib` with the fewest and weak ones.
///
/// # Errors
/// When a world fails, or a real stake does not end as it must.
pub(super) async fn run(rows: &[usize]) -> Result<Chapter> {
    let mut sizes: Vec<usize> = rows.iter().map(|rows| (*rows).max(REAL)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let most = sizes.last().copied().context("no numbers of requests")?;
    let mut all = Vec::new();
    for (rows, light_kdf) in sizes.into_iter().map(|rows| (rows, true)).chain([(most, false)]) {
        say(&format!("restart with {rows} requests, {}", if light_kdf { "weak keys" } else { "strong keys" }));
        all.push(restart(rows, light_kdf).await?);
    }
    chapter(&all)
}

fn chapter(all: &[Restart]) -> Result<Chapter> {
    let (few, strong) = (all.first().context("no restart")?, all.last().context("no restart")?);
    let header: Vec<String> = all.iter().map(Restart::title).collect();
    let header: Vec<&str> = std::iter::once("").chain(header.iter().map(String::as_str)).collect();
    let mib = |memory: &Memory| memory.parent.resident_kib as f64 / 1024.0;
    let weak: Vec<&Restart> = all.iter().filter(|one| one.light_kdf).collect();
    let light = weak.last().copied().context("no restart")?;
    let line = |name: &str, of: fn(&Restart) -> f64| Line {
        name: name.to_owned(),
        points: weak.iter().map(|one| (one.rows as f64, of(one))).collect(),
    };
    let plot = |name: &str, title: &str, y: Axis, lines: Vec<Line>| Plot {
        name: format!("bench-restart-{name}"),
        title: title.to_owned(),
        x: Axis::log("unfinished requests"),
        y,
        lines,
    };
    Ok(Chapter::new("restart", "Restart with unfinished requests")
        .text(format!(
            "Killed (SIGKILL) with all requests accepted and waiting for a state root, which was anchored meanwhile: the \
             restart wakes all of them at once. {REAL} of them are real; the others are rows that the next worker finds \
             unknown to the chains. Key stores are weak (`--light-kdf`) but in the last column: strong ones take 256 MiB each to \
             open, before anything else is done."
        ))
        .table(&header, rows(all))
        .plot(plot(
            "time",
            "Restart, weak keys",
            Axis::log("seconds"),
            vec![
                line("line `ready`", |one| one.ready.as_secs_f64()),
                line("first worker", |one| one.worker.as_secs_f64()),
                line("first transaction", |one| one.sent.as_secs_f64()),
            ],
        ))
        .plot(plot(
            "memory",
            "Memory of the parent, resident",
            Axis::linear("MiB"),
            vec![
                line("at the first transaction", |one| one.parent_kib as f64 / 1024.0),
                line("at most", |one| one.memory.parent.resident_kib as f64 / 1024.0),
            ],
        ))
        .plot(plot(
            "calls",
            "RPC calls until the first transaction",
            Axis::log("calls"),
            vec![line("calls", |one| total(&one.calls) as f64), line("HTTP requests", |one| http(&one.calls) as f64)],
        ))
        .figure("rows", strong.rows as f64)
        .figure("few", few.rows as f64)
        .figure("sent_s", strong.sent.as_secs_f64())
        .figure("open_mib", mib(&strong.memory))
        .figure("weak.sent_s", light.sent.as_secs_f64())
        .figure("parent_mib", mib(&strong.opened))
        .figure("few.sent_s", few.sent.as_secs_f64())
        .figure("few.parent_mib", mib(&few.opened)))
}

fn total(counts: &[Counts; 2]) -> u64 {
    counts.iter().map(Counts::total).sum()
}

fn http(counts: &[Counts; 2]) -> u64 {
    counts.iter().map(|counts| counts.requests).sum()
}

impl Restart {
    fn title(&self) -> String {
        let keys = if self.light_kdf { "" } else { ", strong keys" };
        format!("{} requests{keys}", grouped(self.rows as u64))
    }
}

fn rows(all: &[Restart]) -> Vec<Vec<String>> {
    let calls = |counts: &[Counts; 2]| format!("{} in {} HTTP", grouped(total(counts)), grouped(http(counts)));
    let line = |name: &str, cell: &dyn Fn(&Restart) -> String| {
        [vec![name.to_owned()], all.iter().map(cell).collect()].concat()
    };
    vec![
        line("until the first child is started (the keys are open)", &|one| milliseconds(one.child)),
        line("processor time of the parent until then", &|one| format!("{:.2} s", one.child_cpu)),
        line("until the line `ready`", &|one| milliseconds(one.ready)),
        line("until the first worker", &|one| milliseconds(one.worker)),
        line("until the first transaction is sent (first step)", &|one| milliseconds(one.sent)),
        line("RPC calls until then", &|one| calls(&one.calls)),
        line("parent's memory then, resident", &|one| format!("{} KiB", grouped(one.parent_kib))),
        line("until the real stakes are complete", &|one| milliseconds(one.finished)),
        line("RPC calls until then", &|one| calls(&one.all_calls)),
        line("parent's memory at most, resident", &|one| format!("{} KiB", grouped(one.memory.parent.resident_kib))),
        line("the same from the first child on", &|one| format!("{} KiB", grouped(one.opened.parent.resident_kib))),
        line("requests unfinished then", &|one| grouped(one.left as u64)),
    ]
}

async fn restart(rows: usize, light_kdf: bool) -> Result<Restart> {
    let world = World::new(WorldOptions { anchoring: None, light_kdf, ..WorldOptions::default() }).await?;
    let stakers = Stakers::new(&world.devnet, 0, REAL).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Hurried).await?;
    let waits = |row: &crate::operator::RequestRow| {
        row.state == "ACCEPTED" && row.waiting_for.as_deref().is_some_and(|what| what.contains("state root"))
    };
    world.operator.wait_requests(LIMIT, |rows| rows.len() == REAL && rows.iter().all(waits)).await?;
    daemon.kill().await?;
    backlog::fill(&world, rows - REAL).await?;
    let waiting = backlog::unfinished(&world).await?;
    ensure!(waiting == rows, "{waiting} requests are unfinished, not {rows}");
    anchoring::once(&world.devnet, Side::Origin).await?;

    let before = world.counts();
    let sent = [First::of(&world.origin_proxy), First::of(&world.auxiliary_proxy)];
    let start = Instant::now();
    let mut daemon = world.operator.spawn()?;
    let (parent, watch) = (daemon.pid, Watch::start(daemon.pid));
    let children = tokio::task::spawn_blocking(move || first_children(parent, start));
    daemon.ready().await?;
    let ready = start.elapsed();
    let first = loop {
        if let Some(first) = sent.iter().filter_map(First::time).min() {
            break first;
        }
        ensure!(start.elapsed() < LIMIT, "nothing was sent within {LIMIT:?}:\n{}", daemon.log_tail());
        tokio::time::sleep(LOOK).await;
    };
    let parent_kib = process::usage(parent)?.resident_kib;
    let calls = since(&world, &before);
    // A worker sent it, so both are known.
    let Children { first: child, cpu_seconds: child_cpu, worker, watch: later } = children.await??;
    verify::wait_finished(&world.devnet, &stakes, END_LIMIT).await?;
    let finished = start.elapsed();
    let (all_calls, memory, opened) = (since(&world, &before), watch.stop(), later.stop());
    daemon.kill().await?;
    verify::finished(&world.devnet, &stakes).await?;
    Ok(Restart {
        rows,
        light_kdf,
        child,
        child_cpu,
        ready,
        worker,
        sent: first.saturating_duration_since(start),
        parent_kib,
        calls,
        finished,
        all_calls,
        memory,
        opened,
        left: backlog::unfinished(&world).await?,
    })
}

fn since(world: &World, before: &[Counts; 2]) -> [Counts; 2] {
    let now = world.counts();
    [now[0].since(&before[0]), now[1].since(&before[1])]
}

/// When the first child was there, the parent's processor time by then, who looks from then on, and when the first worker
/// was.
struct Children {
    first: Duration,
    cpu_seconds: f64,
    worker: Duration,
    watch: Watch,
}

fn first_children(parent: u32, start: Instant) -> Result<Children> {
    let wait = |seen: &dyn Fn(&u32) -> bool| {
        while !process::children(parent).iter().any(seen) {
            ensure!(start.elapsed() < LIMIT, "no such child within {LIMIT:?}");
            std::thread::sleep(LOOK);
        }
        Ok(start.elapsed())
    };
    let first = wait(&|_| true)?;
    let watch = Watch::start(parent);
    let cpu_seconds = process::usage(parent)?.cpu_seconds;
    let worker = wait(&|pid| process::command_line(*pid).contains(" worker "))?;
    Ok(Children { first, cpu_seconds, worker, watch })
}

/// When the first transaction came to a proxy.
struct First(Arc<Mutex<Option<Instant>>>);

impl First {
    fn of(proxy: &RpcProxy) -> Self {
        let first = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&first);
        proxy.set_rule(move |request| {
            if request.methods.iter().any(|method| method == "eth_sendRawTransaction") {
                noted.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
            }
            Fault::None
        });
        Self(first)
    }

    fn time(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
