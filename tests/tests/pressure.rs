//! A parent that gets no more processes from the system, one that reads nothing for a while, and one whose database is full
//! of requests that wait.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anchoring,
    anvil::Mining,
    backlog,
    daemon::Daemon,
    devnet::{DevnetOptions, Side},
    limits,
    node::Pace,
    operator::RequestRow,
    process,
    stakers::{Stake, Stakers},
    verify,
    world::{World, WorldOptions},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Gid, Pid, Uid},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(120);
/// A user whom nobody else's tests count as theirs: the system counts processes by user.
const SOMEBODY: u32 = 61_213;

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, confirmations: 1, ..WorldOptions::default() }
}

/// All stakes are minted, each step exactly once, by a daemon that still runs.
async fn all_well(world: &World, daemon: &mut Daemon, stakes: &[Stake]) -> Result<()> {
    let ledger = world.finish(daemon, stakes, LIMIT).await?;
    verify::one_proof_per_height(&ledger)?;
    let complete = |rows: &[RequestRow]| rows.len() == stakes.len() && rows.iter().all(|row| row.state == "COMPLETE");
    world.operator.wait_requests(LIMIT, complete).await?;
    ensure!(daemon.has_ended()?.is_none(), "it ended:\n{}", daemon.log_tail());
    Ok(())
}

/// Waits until `status` shows it.
async fn status_shows(world: &World, what: &str, shown: impl Fn(&Value) -> bool) -> Result<()> {
    let start = Instant::now();
    loop {
        let status = world.operator.status().await?;
        if shown(&status) {
            return Ok(());
        }
        ensure!(start.elapsed() < LIMIT, "{what} is not shown: {status:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn says_no_room(text: &Value) -> bool {
    text.as_str().is_some_and(|text| text.contains("no room for another child process"))
}

#[tokio::test]
async fn without_room_for_a_process_status_says_so_and_nothing_is_lost() -> Result<()> {
    let mut world = World::new(quick()).await?;
    if Uid::effective().is_root() {
        world.operator.become_user(Uid::from_raw(SOMEBODY), Gid::from_raw(SOMEBODY))?;
    }
    let stakers = Stakers::new(&world.devnet, 0, 4).await?;
    let mut daemon = world.operator.start().await?;
    limits::processes(daemon.pid, Some(1))?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let reason = |status: &Value| says_no_room(&status["oldest_unfinished"]["last_error"]);
    status_shows(&world, "why no request gets a worker", reason).await?;
    let sender = daemon.in_role("sender").into_iter().next().context("no sender")?;
    kill(Pid::from_raw(i32::try_from(sender)?), Signal::SIGKILL)?;
    let reason = |status: &Value| {
        let children = status["standing"]["children"].as_array().cloned().unwrap_or_default();
        children.iter().any(|child| child["state"] == "restarting" && says_no_room(&child["trouble"]))
    };
    status_shows(&world, "why there is no sender", reason).await?;
    limits::processes(daemon.pid, None)?;
    all_well(&world, &mut daemon, &stakes).await?;
    world.operator.stop(daemon).await
}

fn resident(pids: &[u32]) -> Result<BTreeMap<u32, u64>> {
    pids.iter().map(|pid| Ok((*pid, process::usage(*pid)?.resident_kib))).collect()
}

/// With heartbeats as often as they can be had, so that pipes and queues are full long before the parent reads again.
#[tokio::test]
async fn children_of_a_parent_that_reads_nothing_do_not_grow_and_go_on_afterwards() -> Result<()> {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(100)), ..DevnetOptions::default() };
    let world = World::new(WorldOptions { devnet, ..quick() }).await?;
    world.operator.edit_config(|config| config["child_heartbeat_ms"] = json!(10))?;
    let stakers = Stakers::new(&world.devnet, 0, 6).await?;
    let mut daemon = world.operator.start().await?;
    let services = [daemon.in_role("scanner"), daemon.in_role("sender")].concat();
    ensure!(services.len() == 4, "{} services", services.len());
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    world.operator.wait_requests(LIMIT, |rows| rows.len() == 6).await?;
    daemon.signal(Signal::SIGSTOP)?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = resident(&services)?;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let after = resident(&services)?;
    daemon.signal(Signal::SIGCONT)?;
    for (pid, kib) in &after {
        let grown = kib.saturating_sub(before.get(pid).copied().unwrap_or_default());
        ensure!(grown < 8 << 10, "{} grew by {grown} KiB", process::command_line(*pid));
    }
    all_well(&world, &mut daemon, &stakes).await?;
    let still = [daemon.in_role("scanner"), daemon.in_role("sender")].concat();
    ensure!(still == services, "somebody was replaced:\n{}", daemon.log_tail());
    world.operator.stop(daemon).await
}

/// design.md §2: what waits for something outside is a row. Beyond the one that is real none is known to the chains, which
/// only a worker could find out.
#[tokio::test]
async fn ten_thousand_that_wait_for_a_state_root_cost_no_process_and_little_memory() -> Result<()> {
    const ROWS: usize = 10_000;
    let world = World::new(WorldOptions { anchoring: None, ..quick() }).await?;
    let stakers = Stakers::new(&world.devnet, 0, 1).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let waits = |rows: &[RequestRow]| {
        rows.iter().any(|row| row.waiting_for.as_deref().is_some_and(|what| what.contains("state root")))
    };
    world.operator.wait_requests(LIMIT, waits).await?;
    daemon.kill().await?;
    backlog::fill(&world, ROWS - 1).await?;
    let daemon = world.operator.start().await?;
    let (start, blocks) = (Instant::now(), world.devnet.origin.head().await? + 10);
    while world.devnet.origin.head().await? < blocks {
        let workers = daemon.in_role("worker");
        ensure!(workers.is_empty(), "workers {workers:?} after {:?}, with nothing to do", start.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let sql = "SELECT COUNT(*) FROM requests WHERE done = 0";
    let unfinished: i64 = sqlx::query_scalar(sql).fetch_one(&mut world.journal().await?).await?;
    ensure!(usize::try_from(unfinished)? == ROWS, "{unfinished} wait");
    let resident = process::usage(daemon.pid)?.resident_kib;
    ensure!(resident <= 40 * 1024, "the parent has {resident} KiB");
    anchoring::once(&world.devnet, Side::Origin).await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    world.operator.stop(daemon).await
}
