//! A restart with many unfinished requests, until the first transaction leaves.
//!
//! The facilitator died by SIGKILL with all requests accepted and waiting for a state root; while it was away the root was
//! anchored. So the restart wakes every one of them at once, and the oldest, which are real, have a transaction to send.

use super::{END_LIMIT, backlog};
use crate::{
    anchoring,
    devnet::Side,
    measure::{Memory, Watch, milliseconds},
    node::Pace,
    process,
    rpc_proxy::{Counts, Fault, RpcProxy},
    stakers::Stakers,
    table::{self, grouped},
    verify,
    world::{World, WorldOptions},
};
use anyhow::{Result, ensure};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Stakes on the chains; the others are rows only.
pub const REAL: usize = 10;
/// Longest wait for the first transaction, and for rows to be as they must be.
const LIMIT: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(2);

/// One restart.
#[derive(Debug)]
pub struct Restart {
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
    /// Unfinished requests then.
    left: usize,
}

/// The restarts of one run, to be compared.
#[derive(Debug)]
pub struct Restarts(Vec<Restart>);

impl fmt::Display for Restarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "restart after a SIGKILL, all requests woken by what happened meanwhile; key stores are weak (--light-kdf) but for \
             \"real keys\":"
        )?;
        let calls = |counts: &[Counts; 2]| {
            let requests: u64 = counts.iter().map(|counts| counts.requests).sum();
            let calls: u64 = counts.iter().map(Counts::total).sum();
            format!("{} in {} HTTP", grouped(calls), grouped(requests))
        };
        let line = |name: &str, cell: &dyn Fn(&Restart) -> String| {
            [vec![name.to_owned()], self.0.iter().map(cell).collect()].concat()
        };
        let rows = [
            line("until the first child is started (the keys are open)", &|one| milliseconds(one.child)),
            line("processor time of the parent until then", &|one| format!("{:.2} s", one.child_cpu)),
            line("until the line `ready`", &|one| milliseconds(one.ready)),
            line("until the first worker", &|one| milliseconds(one.worker)),
            line("until the first transaction is sent (first step)", &|one| milliseconds(one.sent)),
            line("RPC calls until then", &|one| calls(&one.calls)),
            line("parent's memory then, resident", &|one| format!("{} KiB", grouped(one.parent_kib))),
            line("until the real stakes are complete", &|one| milliseconds(one.finished)),
            line("RPC calls until then", &|one| calls(&one.all_calls)),
            line("parent's memory at most, resident", &|one| {
                format!("{} KiB", grouped(one.memory.parent.resident_kib))
            }),
            line("requests unfinished then", &|one| grouped(one.left as u64)),
        ];
        let title = |one: &Restart| {
            let keys = if one.light_kdf { "" } else { ", real keys" };
            format!("{} requests{keys}", grouped(one.rows as u64))
        };
        let header: Vec<String> = self.0.iter().map(title).collect();
        let header: Vec<&str> = std::iter::once("").chain(header.iter().map(String::as_str)).collect();
        f.write_str(&table::layout(&header, &rows))
    }
}

/// Restarts with the real stakes alone, with so many requests that there are `rows`, and with these and keys as strong as
/// `init` makes them.
///
/// # Errors
/// When a world fails, or a real stake does not end as it must.
pub async fn run(rows: usize) -> Result<Restarts> {
    let rows = rows.max(REAL);
    Ok(Restarts(vec![restart(REAL, true).await?, restart(rows, true).await?, restart(rows, false).await?]))
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
    verify::wait_finished(&world.devnet, &stakes, END_LIMIT).await?;
    let finished = start.elapsed();
    let (all_calls, memory) = (since(&world, &before), watch.stop());
    daemon.kill().await?;
    verify::finished(&world.devnet, &stakes).await?;
    let Children { first: child, cpu_seconds: child_cpu, worker } = children.await??;
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
        left: backlog::unfinished(&world).await?,
    })
}

fn since(world: &World, before: &[Counts; 2]) -> [Counts; 2] {
    let now = world.counts();
    [now[0].since(&before[0]), now[1].since(&before[1])]
}

/// When the first child was there, the parent's processor time by then, and when the first worker was.
struct Children {
    first: Duration,
    cpu_seconds: f64,
    worker: Duration,
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
    let cpu_seconds = process::usage(parent)?.cpu_seconds;
    let worker = wait(&|pid| process::command_line(*pid).contains(" worker "))?;
    Ok(Children { first, cpu_seconds, worker })
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
