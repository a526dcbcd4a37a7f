//! Clocks that jump and machines that sleep, in the middle of stakes: each ends once, nothing is replaced or taken over
//! for it, and nobody waits for the clock to come back.
//!
//! The wall clock of the armed binary is moved while it runs (`FACILITATOR_CLOCK_SHIFT`). A sleep is a stop of every
//! process: the monotonic clock goes on meanwhile, which is the harder case; in a real sleep it stands still.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    daemon::Daemon,
    devnet::DevnetOptions,
    node::Pace,
    stakers::{Stake, Stakers},
    verify::{Ledger, Progress},
    world::{World, WorldOptions},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{fs, time::Duration};

const LIMIT: Duration = Duration::from_secs(120);
const STAKES: usize = 4;
/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;
/// Longer than a child may take to say hello, and than a node is waited for.
const SLEEP: Duration = Duration::from_secs(12);

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, confirmations: 1, ..WorldOptions::default() }
}

async fn until(world: &World, stakes: &[Stake], wanted: impl Fn(Progress) -> bool) -> Result<()> {
    let wait = async {
        while !wanted(Ledger::read(&world.devnet).await?.progress(stakes)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(LIMIT, wait).await.context("the stakes don't move")?
}

/// Every request is complete, and no nonce was used twice or for nothing.
async fn ended_well(world: World, daemon: Daemon, stakes: &[Stake]) -> Result<()> {
    world.finish(&daemon, stakes, LIMIT).await?;
    let complete = world
        .operator
        .wait_requests(LIMIT, |rows| rows.len() == STAKES && rows.iter().all(|row| row.state == "COMPLETE"));
    complete.await.with_context(|| daemon.log_tail())?;
    // A few blocks more, for the confirmations of whatever else was sent.
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.nothing_pending().await?;
    world.nonces_accounted_for(&[]).await?;
    world.operator.stop(daemon).await
}

/// The clock is wrong by each of `shifts` in turn, from the moment that the next step of the first stake is seen.
async fn clock_jumps(shifts: [i64; 3]) -> Result<()> {
    let mut world = World::new(quick()).await?;
    let armed = facilitator_tests::kill_points::armed_binary()?;
    let clock = world.operator.home().join("clock");
    world.operator.use_binary(armed);
    world.operator.set_variable("FACILITATOR_CLOCK_SHIFT", &clock.to_string_lossy());
    let stakers = Stakers::new(&world.devnet, 0, STAKES).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let steps: [fn(Progress) -> bool; 3] =
        [|seen| seen.declared > 0, |seen| seen.confirmed > 0, |seen| seen.source > 0 || seen.target > 0];
    for (shift, step) in shifts.into_iter().zip(steps) {
        until(&world, &stakes, step).await.with_context(|| daemon.log_tail())?;
        // Whole or not at all: a file that is half written would be another time.
        let new = clock.with_extension("new");
        fs::write(&new, shift.to_string())?;
        fs::rename(&new, &clock)?;
    }
    world.finish(&daemon, &stakes, LIMIT).await?;
    let replaced = "SELECT COUNT(*) FROM attempts WHERE number > 1";
    let replaced: i64 = sqlx::query_scalar(replaced).fetch_one(&mut world.journal().await?).await?;
    ensure!(replaced == 0, "{replaced} transactions were replaced because of the clock");
    let log = fs::read_to_string(daemon.log())?;
    ensure!(!log.contains("a child process ended"), "a child died of the clock: {}", daemon.log_tail());
    ended_well(world, daemon, &stakes).await
}

#[tokio::test]
async fn a_clock_that_goes_back_an_hour_delays_nobody() -> Result<()> {
    clock_jumps([-HOUR, -2 * HOUR, -3 * HOUR]).await
}

#[tokio::test]
async fn a_clock_that_goes_on_an_hour_costs_no_lease_and_no_transaction() -> Result<()> {
    clock_jumps([HOUR, 2 * HOUR, 3 * HOUR]).await
}

#[tokio::test]
async fn a_clock_that_is_set_to_and_fro_changes_nothing() -> Result<()> {
    clock_jumps([HOUR, -HOUR, 0]).await
}

#[tokio::test]
async fn stakes_outlive_a_sleep_of_every_process() -> Result<()> {
    let world = World::new(quick()).await?;
    let stakers = Stakers::new(&world.devnet, 0, STAKES).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    until(&world, &stakes, |seen| seen.declared > 0).await?;
    // The parent first, so that it can't see its children stop, nor start others.
    daemon.signal(Signal::SIGSTOP)?;
    let asleep = daemon.children();
    let all = |signal| asleep.iter().try_for_each(|pid| kill(Pid::from_raw(i32::try_from(*pid).unwrap_or(0)), signal));
    all(Signal::SIGSTOP)?;
    tokio::time::sleep(SLEEP).await;
    daemon.signal(Signal::SIGCONT)?;
    all(Signal::SIGCONT)?;
    ended_well(world, daemon, &stakes).await
}
