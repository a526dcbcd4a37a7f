//! A disk without room, at the start and in mid-flight: a clear error and exit code 8, or waiting; nothing leaves that was
//! not stored, nothing is lost, and everything goes on by itself once there is room.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    daemon::Daemon,
    database,
    devnet::{Devnet, DevnetOptions},
    limits,
    node::Pace,
    operator::{Answer, InitOptions, Operator, RequestRow},
    process,
    small_disk::{self, SmallDisk},
    stakers::{Stake, Stakers},
    verify::{self, Ledger},
    world::{World, WorldOptions},
};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);
/// Within which what was on its way when the fault came has arrived.
const SETTLED: Duration = Duration::from_secs(3);
/// How long the fault is watched after that.
const WATCHED: Duration = Duration::from_secs(4);
/// Room for a facilitator with some requests, and little more.
const DISK_BYTES: u64 = 12 << 20;

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, confirmations: 1, ..WorldOptions::default() }
}

/// The parent and all its children.
fn everybody(daemon: &Daemon) -> Vec<u32> {
    let mut all = daemon.children();
    all.push(daemon.pid);
    all
}

/// All stakes are minted, each step exactly once, without a restart of the daemon.
async fn all_well(world: &World, daemon: &mut Daemon, stakes: &[Stake]) -> Result<()> {
    let ledger = world.finish(daemon, stakes, LIMIT).await?;
    verify::one_proof_per_height(&ledger)?;
    let complete = |rows: &[RequestRow]| rows.len() == stakes.len() && rows.iter().all(|row| row.state == "COMPLETE");
    world.operator.wait_requests(LIMIT, complete).await?;
    ensure!(daemon.has_ended()?.is_none(), "it ended:\n{}", daemon.log_tail());
    Ok(())
}

/// No file may grow from one moment to the next, the log included; then there is room again.
#[tokio::test]
async fn stakes_outlive_files_that_must_not_grow() -> Result<()> {
    let world = World::new(quick()).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let stakers = Stakers::new(devnet, 0, 6).await?;
    let mut daemon = operator.start().await?;
    let stakes = stakers.request_all(devnet, Pace::Natural).await?;
    operator.wait_requests(LIMIT, |rows| rows.len() == 6).await?;
    for pid in everybody(&daemon) {
        // A worker that has ended meanwhile needs no limit; the next one inherits it from the parent.
        let limited = limits::file_size(pid, Some(0));
        ensure!(limited.is_ok() || !process::alive(pid), "{limited:?}");
    }
    tokio::time::sleep(SETTLED).await;
    let settled = Ledger::read(devnet).await?.progress(&stakes);
    tokio::time::sleep(WATCHED).await;
    let progress = Ledger::read(devnet).await?.progress(&stakes);
    assert_eq!(progress, settled, "something left the process without a commit (law 2)");
    assert!(progress.finished < stakes.len(), "the fault came too late to show anything");
    ensure!(daemon.has_ended()?.is_none(), "it ended:\n{}", daemon.log_tail());
    // Who looks is still answered.
    let status = operator.status().await?;
    assert_eq!(status["pid"], daemon.pid, "{status:#}\n{}", daemon.log_tail());
    for pid in everybody(&daemon) {
        let freed = limits::file_size(pid, None);
        ensure!(freed.is_ok() || !process::alive(pid), "{freed:?}");
    }
    all_well(&world, &mut daemon, &stakes).await?;
    operator.stop(daemon).await
}

#[tokio::test]
async fn stakes_outlive_a_full_disk() -> Result<()> {
    small_disk::on_its_own("stakes_outlive_a_full_disk", DISK_BYTES, async |disk| in_mid_flight(disk).await).await
}

async fn in_mid_flight(disk: SmallDisk) -> Result<()> {
    let world = World::new(quick()).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    ensure!(operator.home().starts_with(disk.folder()), "{} is elsewhere", operator.home().display());
    let stakers = Stakers::new(devnet, 0, 6).await?;
    let mut daemon = operator.start().await?;
    let stakes = stakers.request_all(devnet, Pace::Natural).await?;
    operator.wait_requests(LIMIT, |rows| rows.len() == 6).await?;
    disk.fill()?;
    // What the database had reserved before may still be used up.
    let start = Instant::now();
    loop {
        let status = operator.status().await?;
        ensure!(status["pid"] == daemon.pid, "{status:#}\n{}", daemon.log_tail());
        if status["heartbeat_age_ms"].as_i64().context("no heartbeat")? > 10_000 {
            break;
        }
        ensure!(start.elapsed() < LIMIT, "it writes on a full disk: {status:#}");
        disk.fill()?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let settled = Ledger::read(devnet).await?.progress(&stakes);
    tokio::time::sleep(WATCHED).await;
    assert_eq!(Ledger::read(devnet).await?.progress(&stakes), settled, "something left without a commit (law 2)");
    assert!(settled.finished < stakes.len(), "the disk was full too late to show anything");
    let told = operator.run(&["status", "--chain-id", "1406"]).await?;
    ensure!(told.stdout.contains("has not reported"), "{told:?}");
    disk.make_room()?;
    all_well(&world, &mut daemon, &stakes).await?;
    operator.stop(daemon).await
}

/// Exit code 8 and one line that says what to do.
fn refused(answer: &Answer, operator: &Operator) -> Result<()> {
    let line = answer.stderr.lines().last().unwrap_or_default();
    let words = ["cannot grow", "full", "make room", "facilitator.db"];
    ensure!(answer.code == Some(8) && words.iter().all(|word| line.contains(word)), "{answer:?}");
    ensure!(line.contains(&*operator.config.with_file_name("facilitator.db").to_string_lossy()), "{line}");
    Ok(())
}

#[tokio::test]
async fn a_full_disk_at_the_start_is_named() -> Result<()> {
    small_disk::on_its_own("a_full_disk_at_the_start_is_named", DISK_BYTES, async |disk| at_the_start(disk).await).await
}

async fn at_the_start(disk: SmallDisk) -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let operator = Operator::init(&devnet, &InitOptions::direct(&devnet)).await?;
    let start = ["start", "--chain-id", "1406"];
    // A new database, then one that has been used.
    for round in 0..2 {
        disk.fill()?;
        refused(&operator.run(&start).await?, &operator).with_context(|| format!("round {round}"))?;
        let json = operator.run(&[&start[..], &["--json"]].concat()).await?;
        let error: serde_json::Value = serde_json::from_str(json.stderr.lines().last().unwrap_or_default())?;
        ensure!(error["error"]["code"] == 8, "{json:?}");
        disk.make_room()?;
        let daemon = operator.start().await?;
        operator.stop(daemon).await?;
        ensure!(database::file(&operator.config).exists());
    }
    Ok(())
}
