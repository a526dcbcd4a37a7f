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
const LIMIT: Duration = Duration::from_secs(20);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(2);

/// One restart.
#[derive(Debug)]
pub struct Restart {
    /// Unfinished requests at the start.
    rows: usize,
    /// From the start of the process to its line `ready`, to the first worker, and to the first transaction sent.
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
        writeln!(f, "restart after a SIGKILL, all requests woken by what happened meanwhile:")?;
        let calls = |counts: &[Counts; 2]| {
            let requests: u64 = counts.iter().map(|counts| counts.requests).sum();
            let calls: u64 = counts.iter().map(Counts::total).sum();
            format!("{} in {} HTTP", grouped(calls), grouped(requests))
        };
        let line = |name: &str, cell: &dyn Fn(&Restart) -> String| {
            [vec![name.to_owned()], self.0.iter().map(cell).collect()].concat()
        };
        let rows = [
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
        let header: Vec<String> = self.0.iter().map(|one| format!("{} requests", grouped(one.rows as u64))).collect();
        let header: Vec<&str> = std::iter::once("").chain(header.iter().map(String::as_str)).collect();
        f.write_str(&table::layout(&header, &rows))
    }
}

/// Restarts with the real stakes alone, and with so many requests that there are `rows`.
///
/// # Errors
/// When a world fails, or a real stake does not end as it must.
pub async fn run(rows: usize) -> Result<Restarts> {
    Ok(Restarts(vec![restart(REAL).await?, restart(rows.max(REAL)).await?]))
}

async fn restart(rows: usize) -> Result<Restart> {
    let world = World::new(WorldOptions { anchoring: None, ..WorldOptions::default() }).await?;
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
    let worker = tokio::task::spawn_blocking(move || first_worker(parent, start));
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
    Ok(Restart {
        rows,
        ready,
        worker: worker.await??,
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

/// When the first worker was there.
fn first_worker(parent: u32, start: Instant) -> Result<Duration> {
    let works = |pid: &u32| process::command_line(*pid).contains(" worker ");
    while !process::children(parent).iter().any(works) {
        ensure!(start.elapsed() < LIMIT, "no worker within {LIMIT:?}");
        std::thread::sleep(LOOK);
    }
    Ok(start.elapsed())
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
