//! Law 7, point by point: at every named point a process dies by SIGKILL, and every stake still ends as minted tokens,
//! each step exactly once.
//!
//! The points are read from the source, so that a new one is tried without being listed anywhere. The binary must have
//! its kill points armed: `scripts/test` builds it as `facilitator-armed` beside the ordinary one.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    daemon::Daemon,
    devnet::DevnetOptions,
    kill_points,
    node::Pace,
    stakers::Stakers,
    verify,
    world::{World, WorldOptions},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

/// Stakes of each scenario.
const STAKES: usize = 2;
/// Time for one scenario, which has processes to start again.
const LIMIT: Duration = Duration::from_secs(90);
/// Scenarios at a time: they mostly wait for blocks.
const AT_ONCE: usize = 6;

/// One process dies at `point`; whoever is needed is started again.
async fn dies_at(point: &str, visit: u32) -> Result<()> {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    let mut world = World::new(WorldOptions { devnet, confirmations: 1, ..WorldOptions::default() }).await?;
    let mark = world.operator.home().join("died");
    world.operator.use_binary(kill_points::armed_binary()?);
    kill_points::arm(&mut world.operator, point, visit, &mark);
    let stakers = Stakers::new(&world.devnet, 0, STAKES).await?;
    let mut daemon = world.operator.spawn()?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let deadline = Instant::now() + LIMIT;
    while !complete(&world).await {
        ensure!(Instant::now() < deadline, "{} not done; died: {}\n{}", point, mark.exists(), daemon.log_tail());
        daemon = resurrect(&world, daemon)?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ledger = verify::finished(&world.devnet, &stakes).await?;
    verify::one_proof_per_height(&ledger)?;
    ensure!(mark.exists(), "no process came to the kill point {point}, visit {visit}");
    world.operator.stop(daemon).await
}

/// Whether every stake is known and complete. A database that is not there yet knows none.
async fn complete(world: &World) -> bool {
    let rows = world.operator.requests().await.unwrap_or_default();
    rows.len() == STAKES && rows.iter().all(|row| row.state == "COMPLETE")
}

/// A new daemon in the place of one that died.
fn resurrect(world: &World, mut daemon: Daemon) -> Result<Daemon> {
    match daemon.has_ended()? {
        None => Ok(daemon),
        Some(_) => world.operator.spawn(),
    }
}

#[tokio::test]
async fn at_every_kill_point_a_death_loses_and_doubles_nothing() -> Result<()> {
    let points = kill_points::all()?;
    ensure!(points.len() >= 30, "only {} kill points were found", points.len());
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut scenarios = JoinSet::new();
    for point in points {
        let places = Arc::clone(&places);
        scenarios.spawn(async move {
            let _place = places.acquire().await?;
            dies_at(&point, 1).await.with_context(|| format!("dying at {point}"))
        });
    }
    let mut failures = Vec::new();
    while let Some(scenario) = scenarios.join_next().await {
        if let Err(error) = scenario? {
            failures.push(format!("{error:#}"));
        }
    }
    ensure!(failures.is_empty(), "{} scenarios failed:\n{}", failures.len(), failures.join("\n\n"));
    Ok(())
}
