//! Law 7, point by point: at every named point a process dies by SIGKILL, once while stakes are under way and once while
//! redeems are, and every request still ends with its tokens paid out, each step exactly once.
//!
//! The points are read from the source, so that a new one is tried without being listed anywhere. The binary must have
//! its kill points armed: `scripts/test` builds it as `facilitator-armed` beside the ordinary one.

mod scenes;

use anyhow::{Context, Result, ensure};
use facilitator_tests::{
    daemon::Daemon, kill_points, kind::Kind, node::Pace, operator, requesters::Requesters, verify, world::World,
};
use scenes::{Play, Scene};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

/// Requests of each scenario.
const REQUESTS: usize = 2;
/// Time for one scenario, which has processes to start again.
const LIMIT: Duration = Duration::from_secs(240);
/// Scenarios at a time: they mostly wait for blocks.
const AT_ONCE: usize = 6;

/// Time after which a scene whose requests are complete has not come to its point.
const MISSED: Duration = Duration::from_secs(20);
/// Tries to bring a scene about: it meddles in what goes on at its own pace.
const TRIES: u32 = 6;

/// One process dies at `point`; whoever is needed is started again.
async fn dies_at(point: &str, kind: Kind) -> Result<()> {
    for _ in 0..TRIES {
        if plays(point, kind).await? {
            return Ok(());
        }
    }
    anyhow::bail!("{point} was not reached in {TRIES} tries, though all requests were completed")
}

/// Whether the scene came to its point. If it did not, its requests are complete all the same.
async fn plays(point: &str, kind: Kind) -> Result<bool> {
    let visit = 1;
    let scene = Scene::of(point);
    let mut world = World::new(scene.options()).await?;
    scene.prepare(&world).await?;
    let mark = world.operator.home().join("died");
    world.operator.use_binary(kill_points::armed_binary()?);
    kill_points::arm(&mut world.operator, point, visit, &mark);
    let requesters = Requesters::at(&world.devnet, kind, world.devnet.contracts.first(), 0, REQUESTS).await?;
    let (mut daemon, requests) = if scene == Scene::Abandoned {
        let requests = requesters.request_all(&world.devnet, Pace::Natural).await?;
        scenes::abandon(&world, &requests).await?;
        (world.operator.spawn()?, requests)
    } else {
        let daemon = world.operator.spawn()?;
        let pace = if scene.by_hand() { Pace::Hurried } else { Pace::Natural };
        (daemon, requesters.request_all(&world.devnet, pace).await?)
    };
    let deadline = Instant::now() + LIMIT;
    let mut play = Play::new(scene, kind);
    let mut complete_since = None;
    while !complete(&world, scene).await || (scene != Scene::Stop && !mark.exists()) {
        ensure!(Instant::now() < deadline, "{point} not done; died: {}\n{}", mark.exists(), daemon.log_tail());
        daemon = resurrect(&world, daemon)?;
        if scene.by_hand() && complete(&world, scene).await && !mark.exists() {
            let since: &mut Instant = complete_since.get_or_insert_with(Instant::now);
            if since.elapsed() > MISSED {
                world.operator.stop(daemon).await?;
                return Ok(false);
            }
        }
        if scene.by_hand() {
            world.settle().await;
            daemon = play.meddle(&world, daemon).await?;
            world.mine_both().await?;
        } else {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let ledger = verify::finished(&world.devnet, &requests).await?;
    // Of foreign messages gateways are proven on both chains.
    if ![Scene::Lie, Scene::Abandoned].contains(&scene) {
        verify::one_proof_per_height(&ledger)?;
    }
    if scene.by_hand() {
        settled(&world, &play, &daemon).await?;
    }
    if scene == Scene::Stop {
        dies_stopping(&world, daemon, &mark).await?;
    } else {
        world.operator.stop(daemon).await?;
    }
    Ok(true)
}

/// After a few more blocks no transaction waits and every nonce is accounted for.
async fn settled(world: &World, play: &Play, daemon: &Daemon) -> Result<()> {
    for _ in 0..4 {
        world.step().await?;
    }
    world.settle().await;
    if play.is_accountable() {
        world.nonces_accounted_for(&play.foreign).await.with_context(|| daemon.log_tail())?;
    }
    world.nothing_pending().await.with_context(|| daemon.log_tail())
}

/// The death comes while the daemon is stopping; the next start and stop go well.
async fn dies_stopping(world: &World, daemon: Daemon, mark: &Path) -> Result<()> {
    daemon.signal(nix::sys::signal::Signal::SIGTERM)?;
    daemon.ended().await?;
    ensure!(mark.exists(), "nobody died while the daemon stopped");
    let daemon = world.operator.start().await?;
    world.operator.stop(daemon).await
}

/// Whether every request is known and complete. A database that is not there yet knows none.
async fn complete(world: &World, scene: Scene) -> bool {
    let rows = world.operator.requests().await.unwrap_or_default();
    let in_state = |state: &str| rows.iter().filter(|row| row.state == state).count();
    let taken = if scene == Scene::Abandoned { REQUESTS } else { 0 };
    let complete = REQUESTS + scene.before();
    rows.len() == complete + taken && in_state("COMPLETE") == complete && in_state("TAKEN_BY_OTHER") == taken
}

/// A new daemon in the place of one that died.
fn resurrect(world: &World, mut daemon: Daemon) -> Result<Daemon> {
    match daemon.has_ended()? {
        None => Ok(daemon),
        Some(_) => world.operator.spawn(),
    }
}

/// Their names come from variables of the environment, which only the armed binary knows.
#[test]
fn the_shipped_binary_has_no_kill_points() -> Result<()> {
    let knows = |path: &Path| -> Result<bool> {
        let wanted = b"FACILITATOR_KILL_AT";
        Ok(std::fs::read(path)?.windows(wanted.len()).any(|window| window == wanted))
    };
    ensure!(knows(&kill_points::armed_binary()?)?, "the armed binary is not armed");
    ensure!(!knows(&operator::binary()?)?, "the shipped binary can be made to die");
    Ok(())
}

#[tokio::test]
async fn at_every_kill_point_a_death_loses_and_doubles_nothing() -> Result<()> {
    let mut points = kill_points::all()?;
    if let Ok(only) = std::env::var("KILL_POINTS") {
        // For a look at some of them: their names, or beginnings of names, with commas between.
        points.retain(|point| only.split(',').any(|start| point.starts_with(start)));
    }
    ensure!(
        std::env::var_os("KILL_POINTS").is_some() || points.len() >= 70,
        "only {} kill points were found",
        points.len()
    );
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut scenarios = JoinSet::new();
    for point in points {
        for kind in Kind::ALL.into_iter().filter(|kind| scenes::comes_to(*kind, &point)) {
            let (places, point) = (Arc::clone(&places), point.clone());
            scenarios.spawn(async move {
                let _place = places.acquire().await?;
                dies_at(&point, kind).await.with_context(|| format!("dying at {point} of a {kind:?}"))
            });
        }
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
