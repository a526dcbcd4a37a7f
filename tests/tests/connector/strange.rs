//! Headers of a form that is not known here: a fork of the chain has added a field, and nothing proves what is told.

use super::LIMIT;
use anyhow::{Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    devnet::{DevnetOptions, Side},
    node::Pace,
    stakers::Stakers,
    trio::{Trio, connector},
    world::{World, WorldOptions},
};
use std::time::{Duration, Instant};

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, confirmations: 2, ..WorldOptions::default() }
}

/// Waits for a note in `connections` and says which.
async fn note(world: &World) -> Result<String> {
    let start = Instant::now();
    loop {
        let found = connector(&world.operator, Side::Origin).await?;
        if let Some(note) = found["note"].as_str() {
            return Ok(note.to_owned());
        }
        ensure!(start.elapsed() < LIMIT, "no note: {found:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_fork_that_adds_a_field_stops_nobody_with_one_endpoint_and_is_told() -> Result<()> {
    let world = World::new(quick()).await?;
    let daemon = world.operator.start().await?;
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let before = connector(&world.operator, Side::Origin).await?;
    ensure!(before["note"].is_null(), "{before:#}");
    world.origin_proxy.set_strange_headers(true, false);
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    let note = note(&world).await?;
    ensure!(note.contains("as the only endpoint tells them"), "{note}");
    let answer = world.operator.run(&["connections", "--chain-id", "1406"]).await?;
    ensure!(answer.stdout.contains(&note), "{}", answer.stdout);
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn a_fork_that_adds_a_field_makes_two_of_three_endpoints_agree_on_the_events() -> Result<()> {
    let trio = Trio::new(quick()).await?;
    let daemon = trio.world.operator.start().await?;
    let stakers = Stakers::new(&trio.world.devnet, 0, 2).await?;
    for (index, proxy) in trio.proxies.iter().enumerate() {
        proxy.set_strange_headers(true, false);
        // One of them has no logs at all.
        proxy.hide_logs(if index == 0 { 1000 } else { 0 });
    }
    let stakes = stakers.request_all(&trio.world.devnet, Pace::Natural).await?;
    trio.world.finish(&daemon, &stakes, LIMIT).await?;
    ensure!(trio.world.operator.requests().await?.len() == 2, "requests were missed");
    let note = note(&trio.world).await?;
    ensure!(note.contains("two endpoints must tell the same"), "{note}");
    trio.world.operator.stop(daemon).await
}
