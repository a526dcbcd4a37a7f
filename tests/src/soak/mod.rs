//! A soak: stakes and redeems flow all the time while processes are killed at random, and in the end the chains must look as if
//! nothing had happened.
//!
//! One seed decides who dies when; what the processes are doing just then is the machine's choice. In the first part of
//! the run anybody dies, the parent included, which is started again as a service manager would. In the second one only
//! children die, so that a parent that keeps something of each of them grows. Then faults stop, and everything must
//! end within the deadline.

mod audit;
pub(crate) mod feeder;
mod killer;
mod report;
mod rest;
pub mod shared;
mod watch;

pub use report::Report;

use crate::{
    anvil::Mining,
    books::Books,
    deploy::tokens,
    devnet::{DevnetOptions, Funds},
    kill_points,
    kind::Kind,
    treasury,
    world::{World, WorldOptions},
};
use anyhow::Result;
use facilitator_dice::Rng;
use serde_json::json;
use std::time::{Duration, Instant};

/// Time between two blocks: real rhythm, in a hurry.
const BLOCK_TIME: Duration = Duration::from_millis(250);
/// Longest pause before a child that died is started again. The product's default would have it wait for half a
/// minute, since nobody's children die each second.
const LONGEST_RESTART: Duration = Duration::from_secs(2);
/// What is staked beforehand for all redeemers, whole tokens: more than those of any soak are given.
const TREASURY: u64 = 10_000_000;
/// Part of the run in which the parent dies as well, in percent.
pub(crate) const WITH_PARENT: u32 = 60;

/// When the killing ends.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// After this time.
    Time(Duration),
    /// After so many deaths.
    Kills(u64),
}

/// How a soak is to be.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// When the killing ends.
    pub until: Until,
    /// Mean pause between two kills; each is drawn between half and one and a half of it.
    pub kill_every: Duration,
    /// Requests that are always in flight.
    pub in_flight: usize,
    /// Decides who dies when.
    pub seed: u64,
    /// So many of 100 requests to the nodes fail, in one of several ways.
    pub failing: u64,
    /// Longest time for everything to end once faults have stopped.
    pub deadline: Duration,
}

/// Runs a soak. `tell` gets the progress, a few times a second.
///
/// # Errors
/// When the world itself fails. What the product did wrong stands in the report.
pub async fn run(plan: Plan, tell: &mut dyn FnMut(&Progress)) -> Result<Report> {
    let start = Instant::now();
    let mut dice = Rng::new(plan.seed);
    let mut world = World::new(WorldOptions {
        devnet: DevnetOptions { mining: Mining::Every(BLOCK_TIME), ..DevnetOptions::default() },
        confirmations: 1,
        workers: 2,
        ..WorldOptions::default()
    })
    .await?;
    world.operator.use_binary(kill_points::armed_binary()?);
    world.operator.edit_config(|config| {
        // Deaths by our hand are no crash loop.
        config["restart_limit"] = json!(1000);
        config["restart_max_ms"] = json!(u64::try_from(LONGEST_RESTART.as_millis()).unwrap_or(u64::MAX));
    })?;
    for proxy in [&world.origin_proxy, &world.auxiliary_proxy] {
        proxy.set_failing(plan.failing * 10, dice.next());
    }
    let World { devnet, operator, origin_proxy, auxiliary_proxy, anchoring: _anchoring, postgres: _ } = &mut world;
    // What all redeemers to come redeem: nobody but the facilitator is to prove anything later on.
    treasury::provide(devnet, devnet.contracts.first(), tokens(TREASURY)).await?;
    let books = Books::read(devnet, operator).await?;
    let feeder = feeder::Feeder::new(devnet, &Kind::ALL, plan.in_flight);
    let mut killer = killer::Killer::start(operator, plan, dice)?;
    let killing = async {
        let killed = killer.run(&feeder, tell).await;
        feeder.stop();
        killed
    };
    tokio::try_join!(killing, feeder.feed())?;
    let requests = feeder.requests();
    for proxy in [&*origin_proxy, &*auxiliary_proxy] {
        proxy.heal();
    }
    let stopped = Instant::now();
    let finished = killer.drain(&feeder, stopped + plan.deadline, tell).await?;
    let drained = stopped.elapsed();
    let (deaths, daemon, watch) = killer.end();
    let calls = origin_proxy.counts().total() + auxiliary_proxy.counts().total();
    let log = std::fs::read_to_string(daemon.log()).unwrap_or_default();
    let rest = rest::compare(operator, daemon, finished).await?;
    let audit = audit::audit(devnet, operator, &requests, &books, Funds::default()).await?;
    let panics = log.lines().filter(|line| line.contains("panicked")).map(str::to_owned).collect();
    Ok(Report { plan, took: start.elapsed(), drained, deaths, audit, calls, watch, rest, panics })
}

/// Where a soak stands.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Time since the first kill could come.
    pub elapsed: Duration,
    /// Whether faults have stopped.
    pub draining: bool,
    /// Requests made.
    pub asked: usize,
    /// Those of them that ended with their tokens paid out.
    pub finished: usize,
    /// Deaths so far.
    pub kills: u64,
    /// Resident memory of the parent, in KiB.
    pub resident_kib: u64,
}
