//! A database that somebody else keeps locked: nothing leaves without a commit, nothing is lost, and who looks is told.

use anyhow::{Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    devnet::{Devnet, DevnetOptions},
    lock::Lock,
    node::Pace,
    operator::{InitOptions, Operator},
    stakers::Stakers,
    verify::{self, Ledger},
    world::{World, WorldOptions},
};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(120);
/// Longer than any process waits for the lock before it gives up a call.
const LOCKED: Duration = Duration::from_secs(35);
/// Within which what was on its way when the lock came has arrived.
const SETTLED: Duration = Duration::from_secs(4);
/// `status` answers within a second; as much again for a machine that runs many tests at once.
const STATUS_LIMIT: Duration = Duration::from_secs(2);

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, ..WorldOptions::default() }
}

fn database(operator: &Operator) -> PathBuf {
    operator.config.with_file_name("facilitator.db")
}

/// Stakes in mid-flight, then a lock of the given length; they must end as if nothing had been.
async fn stakes_outlive_a_lock(locked: Duration) -> Result<()> {
    let world = World::new(quick()).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let stakers = Stakers::new(devnet, 0, 6).await?;
    let daemon = operator.start().await?;
    let stakes = stakers.request_all(devnet, Pace::Natural).await?;
    let lock = Lock::hold(&database(operator)).await?;
    let begun = Instant::now();
    let mut settled = None;
    while begun.elapsed() < locked {
        let asked = Instant::now();
        let status = operator.status().await?;
        ensure!(asked.elapsed() < STATUS_LIMIT, "status took {:?}", asked.elapsed());
        assert_eq!(status["pid"], daemon.pid, "{status:#}");
        if begun.elapsed() > SETTLED && settled.is_none() {
            settled = Some(Ledger::read(devnet).await?.progress(&stakes));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    if let Some(settled) = settled {
        let progress = Ledger::read(devnet).await?.progress(&stakes);
        assert_eq!(progress, settled, "something left the process without a commit (law 2)");
        assert!(progress.finished < stakes.len(), "the lock came too late to show anything");
    }
    lock.release().await?;
    let ledger = world.finish(&daemon, &stakes, LIMIT).await?;
    verify::one_proof_per_height(&ledger)?;
    operator.stop(daemon).await
}

#[tokio::test]
async fn stakes_outlive_a_short_lock() -> Result<()> {
    stakes_outlive_a_lock(Duration::from_secs(3)).await
}

#[tokio::test]
async fn stakes_outlive_a_lock_longer_than_anybody_waits() -> Result<()> {
    stakes_outlive_a_lock(LOCKED).await
}

/// `start` ends with the database's exit code and says which file is locked.
async fn gives_up(operator: &Operator) -> Result<()> {
    let answer = operator.run(&["start", "--chain-id", "1406"]).await?;
    assert_eq!(answer.code, Some(8), "{answer:?}");
    let told = answer.stderr.lines().last().unwrap_or_default();
    let file = database(operator);
    assert!(told.contains("locked") && told.contains(&*file.to_string_lossy()), "{}", answer.stderr);
    Ok(())
}

#[tokio::test]
async fn a_database_that_stays_locked_is_named_with_its_exit_code() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let operator = Operator::init(&devnet, &InitOptions::direct(&devnet)).await?;
    let daemon = operator.start().await?;
    operator.stop(daemon).await?;
    let fresh = Operator::init(&devnet, &InitOptions::direct(&devnet)).await?;
    let locks = [Lock::hold(&database(&operator)).await?, Lock::hold(&database(&fresh)).await?];
    // One that was in use before, and one that is not made yet.
    tokio::try_join!(gives_up(&operator), gives_up(&fresh))?;
    // Who only reads is not kept waiting.
    assert_eq!(operator.status().await?["status"], "stopped");
    assert!(operator.requests().await?.is_empty());
    for lock in locks {
        lock.release().await?;
    }
    for operator in [operator, fresh] {
        let daemon = operator.start().await?;
        operator.stop(daemon).await?;
    }
    Ok(())
}
