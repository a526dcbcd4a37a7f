//! From the death of a worker to the next one on the same request.
//!
//! Seen from outside: the process table names the request of each worker, and the kernel counts what a process has
//! written. A worker that is given nothing to do writes its hello and a heartbeat; one that has written more than that by
//! a question has taken up its request.

use super::{END_LIMIT, IN_FLIGHT, busy_world, chapter::Chapter};
use crate::{
    kind::Kind,
    measure::{self, Spread, milliseconds},
    operator, process,
    soak::feeder::Feeder,
};
use anyhow::{Context as _, Result, ensure};
use facilitator_dice::Rng;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::HashSet,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Longest life of a worker before it dies by our hand.
const LIFE_MS: u64 = 60;
/// Pause between two looks at the processes.
const LOOK: Duration = Duration::from_micros(500);
/// Longest wait for a successor.
const PATIENCE: Duration = Duration::from_secs(10);
/// Starts of a worker by itself that are measured.
const STARTS: usize = 31;
/// Time in which a worker without a request has written its hello and its first heartbeat.
const IDLE: Duration = Duration::from_millis(200);
/// Fewer bytes than any question: one names a contract and a call, and a wake-up between threads is eight.
const QUESTION: u64 = 48;

/// What was measured.
#[derive(Debug)]
struct Deaths {
    /// Until the next worker's process was there.
    started: Spread,
    /// Until it had asked its first question.
    question: Spread,
    /// Deaths after which nobody came in time.
    abandoned: usize,
    /// Workers that had handed in their last word when they died: nothing was to be resumed.
    parked: usize,
    /// Stakes that were under way, all of which ended as they must.
    stakes: usize,
    /// A worker started by itself, to its hello.
    bare: Duration,
}

impl Deaths {
    fn chapter(&self, seed: u64) -> Chapter {
        let row = |name: &str, spread: &Spread| [vec![name.to_owned()], spread.cells().to_vec()].concat();
        let bare = milliseconds(self.bare);
        let rows = vec![
            row("until the next worker is started", &self.started),
            row("until it has taken up the request", &self.question),
            vec!["a worker by itself, to its hello".into(), bare, "-".into(), "-".into(), STARTS.to_string()],
        ];
        Chapter::new("deaths", "Death of a worker")
            .text(format!(
                "Worker killed (SIGKILL) in the midst of its work, {IN_FLIGHT} stakes in flight, {} times (seed {seed}).",
                self.started.count()
            ))
            .table(&Spread::COLUMNS, rows)
            .text(format!(
                "n: the deaths after which it was seen; a successor whose first question can't be seen, or which ended before it, is \
                 not among them. Without a successor after {} s: {}; dead after their last word: {}; {} stakes ended exactly once.",
                PATIENCE.as_secs(),
                self.abandoned,
                self.parked,
                self.stakes
            ))
    }
}

/// Kills `samples` workers while stakes flow, one at a time, and waits for the successor of each.
///
/// # Errors
/// When the world fails, or a stake does not end as it must.
pub(super) async fn run(samples: usize, seed: u64) -> Result<Chapter> {
    // A child checks that its parent is the one it was told.
    let own = std::process::id().to_string();
    let role = ["__role", "worker", own.as_str()];
    let bare = measure::first_byte(&operator::binary()?, &role, STARTS)?;
    let idle = idle(&role)?;
    let world = busy_world().await?;
    let daemon = world.operator.start().await?;
    let feeder = Feeder::new(&world.devnet, &[Kind::Stake], IN_FLIGHT);
    let hunter = Hunter {
        parent: daemon.pid,
        log: daemon.log().to_path_buf(),
        dice: Rng::new(seed),
        idle,
        spared: HashSet::new(),
        found: Deaths {
            started: Spread::default(),
            question: Spread::default(),
            abandoned: 0,
            parked: 0,
            stakes: 0,
            bare,
        },
    };
    let hunting = async {
        // A thread of its own: the proxies and the stakers must not wait for it, nor it for them.
        let hunted = tokio::task::spawn_blocking(move || hunter.hunt(samples)).await;
        feeder.stop();
        hunted.context("the hunter failed")?
    };
    let (mut found, ()) = tokio::try_join!(hunting, feeder.feed())?;
    let stakes = feeder.requests();
    world.finish(&daemon, &stakes, END_LIMIT).await?;
    found.stakes = stakes.len();
    world.operator.stop(daemon).await?;
    Ok(found.chapter(seed))
}

struct Hunter {
    parent: u32,
    log: PathBuf,
    dice: Rng,
    /// What a worker without a request writes, in bytes.
    idle: Option<u64>,
    /// Successors: a second death in a row has a longer pause, and is another question.
    spared: HashSet<u32>,
    found: Deaths,
}

impl Hunter {
    fn hunt(mut self, samples: usize) -> Result<Deaths> {
        let limit = Duration::from_secs(60) + PATIENCE * u32::try_from(samples)?;
        let start = Instant::now();
        while self.found.started.count() + self.found.abandoned < samples {
            ensure!(start.elapsed() < limit, "{} deaths in {limit:?}", self.found.started.count());
            match self.victim() {
                Some((pid, request)) => self.strike(pid, &request)?,
                None => thread::sleep(LOOK),
            }
        }
        Ok(self.found)
    }

    /// A worker that may die, and its request.
    fn victim(&mut self) -> Option<(u32, String)> {
        let workers: Vec<_> = workers(self.parent).into_iter().filter(|(pid, _)| !self.spared.contains(pid)).collect();
        workers.get(self.dice.index(workers.len())).cloned()
    }

    fn strike(&mut self, victim: u32, request: &str) -> Result<()> {
        thread::sleep(Duration::from_millis(self.dice.below(LIFE_MS)));
        let pid = Pid::from_raw(i32::try_from(victim)?);
        if !process::alive(victim) || kill(pid, Signal::SIGKILL).is_err() {
            return Ok(());
        }
        let died = Instant::now();
        let successor =
            wait(died, || workers(self.parent).into_iter().find(|(pid, of)| *pid != victim && of == request));
        let next = successor.as_ref().map(|((next, _), _)| *next);
        let question = self.idle.zip(next).and_then(|(idle, next)| {
            // Nothing is waited for where it can't be seen, or has ended.
            let asks =
                || process::written(next).map_or(Some(false), |bytes| (bytes >= idle + QUESTION).then_some(true));
            wait(died, asks).filter(|(seen, _)| *seen)
        });
        self.spared.extend(next);
        // Only a death in the midst of work is to be resumed; the parent's word says which was.
        if !self.is_resumed(victim)? {
            self.found.parked += 1;
            return Ok(());
        }
        let Some((_, started)) = successor else {
            self.found.abandoned += 1;
            return Ok(());
        };
        self.found.started.push(started);
        self.found.question.extend(question.map(|(_, asked)| asked));
        Ok(())
    }

    fn is_resumed(&self, victim: u32) -> Result<bool> {
        let pid = format!(" pid={victim} ");
        let log = fs::read_to_string(&self.log)?;
        Ok(log.lines().any(|line| line.contains("a worker died") && line.contains(&pid)))
    }
}

/// What a worker without a request writes, in bytes; none where that can't be seen.
fn idle(role: &[&str]) -> Result<Option<u64>> {
    let binary = operator::binary()?;
    let mut worker = Command::new(binary).args(role).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    thread::sleep(IDLE);
    let written = process::written(worker.id());
    worker.kill()?;
    worker.wait()?;
    Ok(written)
}

/// The workers of a parent with their requests.
fn workers(parent: u32) -> Vec<(u32, String)> {
    let request = |pid: u32| {
        let line = process::command_line(pid);
        let mut words = line.split(' ').skip_while(|word| *word != "worker").skip(2);
        Some((pid, words.next()?.to_owned()))
    };
    process::children(parent).into_iter().filter_map(request).collect()
}

/// Looks until there is something to see; with the time since `start`.
fn wait<T>(start: Instant, mut look: impl FnMut() -> Option<T>) -> Option<(T, Duration)> {
    while start.elapsed() < PATIENCE {
        if let Some(seen) = look() {
            return Some((seen, start.elapsed()));
        }
        thread::sleep(LOOK);
    }
    None
}
