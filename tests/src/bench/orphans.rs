//! From the death of the parent to that of its last child.

use super::{END_LIMIT, IN_FLIGHT, busy_world, chapter::Chapter};
use crate::{kind::Kind, measure::Spread, process, soak::feeder::Feeder};
use anyhow::{Context as _, Result, ensure};
use facilitator_dice::Rng;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Longest time from the first worker at work to the death of its parent.
const LIFE_MS: u64 = 400;
/// Pause between two looks at the processes.
const LOOK: Duration = Duration::from_micros(200);
/// Longest wait for a child's end, and for a worker at work.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was measured.
#[derive(Debug, Default)]
struct Orphans {
    /// Until the last child was gone.
    gone: Spread,
    /// A lone process, killed itself.
    bare: Spread,
    /// Children at the deaths, all together, and the workers among them.
    children: usize,
    workers: usize,
    /// Stakes that were under way, all of which ended as they must.
    stakes: usize,
}

impl Orphans {
    fn chapter(&self, seed: u64) -> Chapter {
        let Self { gone, bare, children, workers, stakes } = self;
        let row = |name: &str, spread: &Spread| [vec![name.to_owned()], spread.cells().to_vec()].concat();
        let rows = vec![row("until no child is alive", gone), row("a lone process (sleep), killed itself", bare)];
        Chapter::new("parent", "Death of the parent")
            .text(format!(
                "Parent killed (SIGKILL) while workers are at work, {} times (seed {seed}); {children} children, {workers} of \
                 them workers. {stakes} stakes were under way and ended exactly once.",
                gone.count()
            ))
            .table(&Spread::COLUMNS, rows)
    }
}

/// Kills `samples` parents, one after the other, each once workers are at work.
///
/// # Errors
/// When the world fails, a child outlives its parent for long, or a stake does not end as it must.
pub(super) async fn run(samples: usize, seed: u64) -> Result<Chapter> {
    let mut dice = Rng::new(seed);
    let mut found = Orphans::default();
    for _ in 0..samples {
        found.bare.push(lone_death()?);
    }
    let world = busy_world().await?;
    let feeder = Feeder::new(&world.devnet, &[Kind::Stake], IN_FLIGHT);
    let killing = async {
        for _ in 0..samples {
            let daemon = world.operator.start().await?;
            let start = Instant::now();
            while daemon.in_role("worker").is_empty() {
                ensure!(start.elapsed() < PATIENCE, "no worker within {PATIENCE:?}:\n{}", daemon.log_tail());
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            tokio::time::sleep(Duration::from_millis(dice.below(LIFE_MS))).await;
            found.children += daemon.children().len();
            found.workers += daemon.in_role("worker").len();
            let parent = daemon.pid;
            let dying = tokio::task::spawn_blocking(move || end_of_all(parent));
            found.gone.push(dying.await.context("the watcher failed")??);
            daemon.ended().await?;
        }
        feeder.stop();
        anyhow::Ok(())
    };
    tokio::try_join!(killing, feeder.feed())?;
    let stakes = feeder.requests();
    let daemon = world.operator.start().await?;
    world.finish(&daemon, &stakes, END_LIMIT).await?;
    found.stakes = stakes.len();
    world.operator.stop(daemon).await?;
    Ok(found.chapter(seed))
}

/// Kills a parent and waits until no process that it started is alive.
fn end_of_all(parent: u32) -> Result<Duration> {
    let known = process::children(parent);
    kill(Pid::from_raw(i32::try_from(parent)?), Signal::SIGKILL)?;
    let start = Instant::now();
    // Those that are known are quickly looked at; those that came in the last moment only by a look at all processes.
    while known.iter().any(|pid| process::alive(*pid)) || !process::started_by(parent).is_empty() {
        ensure!(start.elapsed() < PATIENCE, "children of {parent} live: {:?}", process::started_by(parent));
        thread::sleep(LOOK);
    }
    Ok(start.elapsed())
}

/// The same with a process that needs no parent to end.
fn lone_death() -> Result<Duration> {
    let mut sleeper = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn()?;
    let pid = sleeper.id();
    kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGKILL)?;
    let start = Instant::now();
    while process::alive(pid) {
        thread::sleep(LOOK);
    }
    let took = start.elapsed();
    sleeper.wait()?;
    Ok(took)
}
