//! Who is silent: HT2, HT3, and a death while what it has signed is taken over.

use crate::two::{
    FREQUENCY, LIMIT, Two, are_accepted, are_of, between, change, complete, finish, on_a_server, sent, signal_all,
    until,
};
use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    kill_points,
    node::Pace,
    operator::RequestRow,
    stakers::Stakers,
    verify,
    world::WorldOptions,
};
use nix::sys::signal::Signal;

#[tokio::test]
async fn ht2_a_silent_instance_is_taken_over_and_signs_nothing_with_what_it_lost() -> Result<()> {
    let two = Two::new(WorldOptions { anchoring: None, ..on_a_server() }).await?;
    let (world, operator) = (&two.world, &two.world.operator);
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let first = operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    operator.wait_requests(LIMIT, are_accepted(2)).await?;
    let (a, second) = (two.first().await?, two.other.start().await?);
    let b = two.second().await?;
    two.until(&b, "active").await?;

    signal_all(&first, Signal::SIGSTOP)?;
    let before = sent(world, operator).await?;
    let gone = two.until(&a, "inactive").await?;
    let down = change(&gone, "inactive")?;
    ensure!(down["reason"].as_str().is_some_and(|reason| reason.contains("silent")), "{down}");
    ensure!(between(&gone["last_active_timestamp"], &down["at"])? > 2 * FREQUENCY, "found silent too early: {gone:#}");
    let _anchoring = Anchoring::start(&world.devnet, Policy::default());
    finish(&two, &stakes).await?;
    complete(&two.other).await?;
    are_of(&two.other).await.context("counted with keys that nobody has")?;

    signal_all(&first, Signal::SIGCONT)?;
    let back = until(operator, &a, |one| one["status"] == "active").await?;
    ensure!(change(&back, "active")?["reason"] == "it is ready and in the active set", "{back:#}");
    ensure!(sent(world, operator).await? == before, "it has signed with what it had lost");
    verify::finished(&world.devnet, &stakes).await?;
    two.other.stop(second).await?;
    operator.stop(first).await
}

/// The kill point `sender.orphans_taken`, which one instance alone never comes to: law 7.
#[tokio::test]
async fn a_death_while_taking_over_what_another_has_signed_loses_and_doubles_nothing() -> Result<()> {
    // So that what is signed is not final for long.
    let mut two = Two::new(WorldOptions { confirmations: 8, ..on_a_server() }).await?;
    let mark = two.other.home().join("died");
    two.other.use_binary(kill_points::armed_binary()?);
    kill_points::arm(&mut two.other, "sender.orphans_taken", 1, &mark);
    let stakers = Stakers::new(&two.world.devnet, 0, 2).await?;
    let first = two.world.operator.start().await?;
    let stakes = stakers.request_all(&two.world.devnet, Pace::Natural).await?;
    let under_way = |rows: &[RequestRow]| {
        let alive = |status: &str| ["signed", "broadcast", "mined"].contains(&status);
        rows.iter().any(|row| row.transactions.iter().any(|transaction| alive(&transaction.status)))
    };
    two.world.operator.wait_requests(LIMIT, under_way).await?;
    signal_all(&first, Signal::SIGKILL)?;
    let second = two.other.start().await?;
    finish(&two, &stakes).await?;
    two.other.wait_requests(LIMIT, |rows| rows.iter().all(|row| row.state == "COMPLETE")).await?;
    ensure!(mark.exists(), "nobody died there: nothing was taken over");
    two.other.stop(second).await
}

/// A process may be stopped in the middle of a transaction, and then whoever judges it waits for the server to end that:
/// too long for one heartbeat. So there are a few tries.
#[tokio::test]
async fn ht3_one_missed_heartbeat_is_no_silence() -> Result<()> {
    let two = Two::new(on_a_server()).await?;
    let (first, second) = two.start().await?;
    let a = two.first().await?;
    let mut tries = 0;
    loop {
        let before = two.until(&a, "active").await?;
        let last = before["last_active_timestamp"].clone();
        until(&two.world.operator, &a, |one| one["last_active_timestamp"] != last).await?;
        signal_all(&first, Signal::SIGSTOP)?;
        let missed = until(&two.other, &a, |one| one["missed_heartbeats"] == 1 || one["status"] != "active").await;
        signal_all(&first, Signal::SIGCONT)?;
        if missed?["status"] == "active" {
            let again = until(&two.other, &a, |one| one["missed_heartbeats"] == 0 || one["status"] != "active").await?;
            ensure!(again["status"] == "active" && again["transitions"] == before["transitions"], "{again:#}");
            break;
        }
        tries += 1;
        ensure!(tries < 4, "it was never seen to have missed one heartbeat alone");
    }
    two.other.stop(second).await?;
    two.world.operator.stop(first).await
}
