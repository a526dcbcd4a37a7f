//! Who dies when; and the service manager that starts the parent again.

use super::{Plan, Progress, Until, WITH_PARENT, feeder::Feeder, watch::Watch};
use crate::{daemon::Daemon, kill_points, operator::Operator, process};
use anyhow::Result;
use facilitator_dice::Rng;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    time::{Duration, Instant},
};

/// Pause between two looks at the daemon.
const TICK: Duration = Duration::from_millis(50);
/// Longest wait for a process of the role that is to die: workers come and go.
const HUNT: Duration = Duration::from_secs(2);
/// Longest time that a child may outlive its parent before it counts as an orphan.
const ORPHANED: Duration = Duration::from_secs(5);
/// Pause of a service manager before it starts its service again.
const RESTART_PAUSE: Duration = Duration::from_millis(100);

/// Who is to die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// One child of a role.
    Child(&'static str),
    /// All children at once.
    Children,
    /// The parent, whose children die with it.
    Parent,
    /// Everybody at once, each by its own signal.
    All,
}

/// Who died of what.
#[derive(Debug, Clone, Default)]
pub struct Deaths {
    /// By a signal from outside, by role.
    pub by_role: BTreeMap<&'static str, u64>,
    /// At a named kill point.
    pub by_point: BTreeMap<String, u64>,
    /// Starts of the daemon.
    pub starts: u64,
    /// Ends of the daemon that nobody caused: how, and the end of its log.
    pub unasked: Vec<String>,
    /// The longest that a child outlived its parent.
    pub slowest_child: Duration,
    /// Children that outlived their parent by five seconds.
    pub orphans: u64,
}

impl Deaths {
    /// All deaths that were caused.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_role.values().sum::<u64>() + self.by_point.values().sum::<u64>()
    }
}

/// A point that a process is to die at.
#[derive(Debug)]
struct Armed {
    point: String,
    mark: PathBuf,
}

#[derive(Debug)]
pub(super) struct Killer<'a> {
    operator: &'a mut Operator,
    plan: Plan,
    dice: Rng,
    daemon: Daemon,
    /// Points to come, in their drawn order; one that was not reached comes again.
    points: VecDeque<String>,
    armed: Option<Armed>,
    /// Whether the parent has come to its point, so that its end is no surprise.
    parent_ends: bool,
    deaths: Deaths,
    watch: Watch,
    start: Instant,
}

impl<'a> Killer<'a> {
    pub(super) fn start(operator: &'a mut Operator, plan: Plan, mut dice: Rng) -> Result<Self> {
        let mut points: Vec<String> = kill_points::all()?.into_iter().collect();
        for last in (1..points.len()).rev() {
            points.swap(last, dice.index(last + 1));
        }
        let daemon = operator.spawn()?;
        let deaths = Deaths { starts: 1, ..Deaths::default() };
        let (watch, start) = (Watch::default(), Instant::now());
        Ok(Self {
            operator,
            plan,
            dice,
            daemon,
            points: points.into(),
            armed: None,
            parent_ends: false,
            deaths,
            watch,
            start,
        })
    }

    /// Percent of the killing that is done.
    fn done(&self) -> u32 {
        let percent = |part: u128, whole: u128| u32::try_from(part * 100 / whole.max(1)).unwrap_or(u32::MAX);
        match self.plan.until {
            Until::Time(time) => percent(self.start.elapsed().as_millis(), time.as_millis()),
            Until::Kills(kills) => percent(self.deaths.total().into(), kills.into()),
        }
    }

    /// Kills until the plan's end.
    pub(super) async fn run(&mut self, feeder: &Feeder<'_>, tell: &mut dyn FnMut(&Progress)) -> Result<()> {
        let mut parent_dies = true;
        let mut next = Instant::now() + self.pause();
        while self.done() < 100 {
            self.tick(parent_dies).await?;
            self.told(feeder, false, tell);
            if parent_dies && self.done() >= WITH_PARENT {
                parent_dies = false;
                self.kill(Victim::All, parent_dies).await?;
                self.watch.spare();
            } else if Instant::now() >= next {
                let victim = self.draw(parent_dies);
                self.kill(victim, parent_dies).await?;
                next = Instant::now() + self.pause();
            }
            tokio::time::sleep(TICK).await;
        }
        Ok(())
    }

    /// Waits until everything has ended, on the chains and in the rows; `false` when it doesn't until `deadline`.
    pub(super) async fn drain(
        &mut self,
        feeder: &Feeder<'_>,
        deadline: Instant,
        tell: &mut dyn FnMut(&Progress),
    ) -> Result<bool> {
        while Instant::now() < deadline {
            self.tick(false).await?;
            feeder.look().await?;
            self.told(feeder, true, tell);
            if feeder.finished() == feeder.asked() {
                let rows = self.operator.requests().await?;
                if rows.len() == feeder.asked() && rows.iter().all(|row| row.state == "COMPLETE") {
                    return Ok(true);
                }
            }
            tokio::time::sleep(4 * TICK).await;
        }
        Ok(false)
    }

    /// What was found out, and the daemon, which still runs.
    pub(super) fn end(self) -> (Deaths, Daemon, Watch) {
        (self.deaths, self.daemon, self.watch)
    }

    fn pause(&mut self) -> Duration {
        let mean = u64::try_from(self.plan.kill_every.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(mean / 2 + self.dice.below(mean + 1))
    }

    fn draw(&mut self, parent_dies: bool) -> Victim {
        match self.dice.below(if parent_dies { 100 } else { 70 }) {
            0..=29 => Victim::Child("worker"),
            30..=44 => Victim::Child("scanner"),
            45..=59 => Victim::Child("sender"),
            60..=69 => Victim::Children,
            70..=89 => Victim::Parent,
            _ => Victim::All,
        }
    }

    /// Notes a death at the armed point, and starts the daemon again when it has died.
    async fn tick(&mut self, parent_dies: bool) -> Result<()> {
        let ended = self.daemon.has_ended()?;
        // The mark is made just before the death, so it is there when the end is seen.
        self.note_point();
        if let Some(status) = ended {
            if !self.parent_ends {
                self.deaths.unasked.push(format!("{status}\n{}", self.daemon.log_tail()));
            }
            self.restart(parent_dies).await?;
        }
        self.watch.look(self.daemon.pid);
        Ok(())
    }

    /// Counts the death of whoever has come to the armed point since the last look.
    fn note_point(&mut self) {
        let Some(armed) = self.armed.take_if(|armed| armed.mark.exists()) else { return };
        self.parent_ends |= armed.point.starts_with("parent.");
        *self.deaths.by_point.entry(armed.point).or_default() += 1;
    }

    async fn restart(&mut self, armed: bool) -> Result<()> {
        tokio::time::sleep(RESTART_PAUSE).await;
        if let Some(unreached) = self.armed.take() {
            self.points.push_back(unreached.point);
        }
        self.parent_ends = false;
        kill_points::disarm(self.operator);
        if armed && let Some(point) = self.points.pop_front() {
            let mark = self.operator.home().join(format!("died-{}", self.deaths.starts));
            let visit = 1 + u32::try_from(self.dice.below(4)).unwrap_or(0);
            kill_points::arm(self.operator, &point, visit, &mark);
            self.armed = Some(Armed { point, mark });
        }
        self.daemon = self.operator.spawn()?;
        self.deaths.starts += 1;
        Ok(())
    }

    async fn kill(&mut self, victim: Victim, armed: bool) -> Result<()> {
        match victim {
            Victim::Child(role) => self.kill_one(role).await?,
            Victim::Children => {
                let children = self.daemon.children();
                let killed = children.iter().filter(|pid| kill_process(**pid)).count();
                self.count("all children", u64::from(killed > 0));
            }
            Victim::Parent | Victim::All => {
                let children = self.daemon.children();
                let killed = kill_process(self.daemon.pid);
                if victim == Victim::All {
                    for child in &children {
                        // One that went with the parent needs no signal of its own.
                        let _ = kill_process(*child);
                    }
                }
                self.count(if victim == Victim::All { "everybody" } else { "parent" }, u64::from(killed));
                self.reap(&children).await?;
                self.note_point();
                self.restart(armed).await?;
            }
        }
        Ok(())
    }

    fn count(&mut self, role: &'static str, more: u64) {
        *self.deaths.by_role.entry(role).or_default() += more;
    }

    /// One process of the role, chosen among those there are.
    async fn kill_one(&mut self, role: &'static str) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < HUNT && self.daemon.has_ended()?.is_none() {
            let there = self.daemon.in_role(role);
            // One that has ended by itself meanwhile is none.
            if there.get(self.dice.index(there.len())).is_some_and(|pid| kill_process(*pid)) {
                self.count(role, 1);
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Waits for the end of a parent that was killed, and of its children.
    async fn reap(&mut self, children: &[u32]) -> Result<()> {
        let start = Instant::now();
        while self.daemon.has_ended()?.is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if !process::all_gone(children, ORPHANED).await {
            self.deaths.orphans += children.iter().filter(|pid| process::alive(**pid)).count() as u64;
        }
        self.deaths.slowest_child = self.deaths.slowest_child.max(start.elapsed());
        Ok(())
    }

    fn told(&self, feeder: &Feeder<'_>, draining: bool, tell: &mut dyn FnMut(&Progress)) {
        tell(&Progress {
            elapsed: self.start.elapsed(),
            draining,
            asked: feeder.asked(),
            finished: feeder.finished(),
            kills: self.deaths.total(),
            resident_kib: self.watch.resident_kib(),
        });
    }
}

/// Sends SIGKILL; whether the process was there.
fn kill_process(pid: u32) -> bool {
    i32::try_from(pid).is_ok_and(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok())
}
