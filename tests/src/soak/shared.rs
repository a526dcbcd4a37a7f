//! A soak of several instances that share a database, each on a host of its own: they are killed, stopped for a while, cut
//! off from the network and started again at random, and the database's server with them.

use crate::{
    anvil::Mining,
    daemon::Daemon,
    devnet::DevnetOptions,
    hosts::{Host, place_of},
    node::{Node, Pace, quantity},
    operator::Operator,
    requesters::{Request, Requesters},
    verify,
    world::{Database, World, WorldOptions},
};
use anyhow::{Context as _, Result, ensure};
use facilitator_dice::Rng;
use facilitator_eth::Address;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

/// How such a soak is to be.
#[derive(Debug, Clone, Copy)]
pub struct Shared {
    /// Instances.
    pub instances: usize,
    /// Requests, half of them stakes and half redeems.
    pub requests: usize,
    /// What they share.
    pub database: Database,
    /// Mean pause between two faults.
    pub every: Duration,
    /// Faults.
    pub faults: u64,
    /// Decides what happens when.
    pub seed: u64,
    /// Longest time for everything to end once faults have stopped.
    pub deadline: Duration,
}

/// What such a soak has seen. It found nothing wrong: else it would have failed.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Requests that ended with their tokens paid out, each step exactly once.
    pub finished: usize,
    /// Instances that were killed, with all their children.
    pub kills: u64,
    /// Instances that stood still for a while.
    pub stops: u64,
    /// Instances that were cut off from nodes and database for a while.
    pub cuts: u64,
    /// Ends of the database's server.
    pub restarts: u64,
    /// Of each instance: transactions on both chains, which is what it has counted.
    pub signed: Vec<(String, u64)>,
    /// Until the last request had ended, from the first one on.
    pub took: Duration,
}

/// One instance as its service manager sees it.
struct Seat<'w> {
    operator: &'w Operator,
    /// None where the database is a file, which has no other hosts.
    host: Option<&'w Host>,
    daemon: Option<Daemon>,
    /// Whether the daemon has said that it is ready.
    is_ready: bool,
    /// When it goes on, is reached again, or is started again.
    back_at: Option<Instant>,
}

impl Seat<'_> {
    /// Whether it is still to be started, continued or reached again.
    fn is_away(&self) -> bool {
        self.daemon.is_none() || self.back_at.is_some()
    }

    /// Stops it in order. One that has just been started is waited for: `stop` finds only what has taken its place.
    async fn stop(mut self) -> Result<()> {
        let mut daemon = self.daemon.take().context("it does not run")?;
        if !self.is_ready {
            daemon.ready().await?;
        }
        self.operator.stop(daemon).await
    }

    /// Starts or continues what is due.
    fn tend(&mut self) -> Result<()> {
        if let Some(daemon) = &mut self.daemon
            && let Some(status) = daemon.has_ended()?
        {
            // A server that is out of reach for long ends it; it is started again like any service.
            ensure!(status.code() == Some(8), "it ended with {status}:\n{}", daemon.log_tail());
            (self.daemon, self.back_at) = (None, Some(Instant::now()));
        }
        if self.back_at.is_none_or(|at| at > Instant::now()) {
            return Ok(());
        }
        self.back_at = None;
        if let Some(host) = self.host {
            host.mend()?;
        }
        match &self.daemon {
            Some(daemon) => signal(daemon, Signal::SIGCONT),
            None => {
                (self.daemon, self.is_ready) = (Some(self.operator.spawn()?), false);
                Ok(())
            }
        }
    }
}

/// A daemon with all that it has started.
fn signal(daemon: &Daemon, signal: Signal) -> Result<()> {
    for pid in std::iter::once(daemon.pid).chain(daemon.children()) {
        // A child may just have ended.
        let _gone = kill(Pid::from_raw(i32::try_from(pid)?), signal);
    }
    Ok(())
}

/// Runs it.
///
/// # Errors
/// The first thing that went wrong: with the world, or with what the product did.
pub async fn run(plan: Shared) -> Result<Outcome> {
    let mut dice = Rng::new(plan.seed);
    let options = WorldOptions {
        devnet: DevnetOptions { mining: Mining::Every(super::BLOCK_TIME), ..DevnetOptions::default() },
        confirmations: 1,
        database: plan.database,
        ..WorldOptions::default()
    };
    let mut world = World::new(options.clone()).await?;
    let mut others = Vec::new();
    for _ in 1..plan.instances {
        others.push(world.instance(&options).await?);
    }
    let hosts = settle(&mut world, &mut others).await?;
    let mut seats = Vec::new();
    for (index, operator) in std::iter::once(&world.operator).chain(&others).enumerate() {
        prepare(operator)?;
        let daemon = operator.start().await?;
        seats.push(Seat { operator, host: hosts.get(index), daemon: Some(daemon), is_ready: true, back_at: None });
    }
    let (stakes, redeems) = (plan.requests - plan.requests / 2, plan.requests / 2);
    let stakers = Requesters::new(&world.devnet, 0, stakes).await?;
    let redeemers = Requesters::redeemers(&world.devnet, 0, redeems).await?;
    let begun = Instant::now();
    let mut requests = stakers.request_all(&world.devnet, Pace::Natural).await?;
    requests.extend(redeemers.request_all(&world.devnet, Pace::Natural).await?);
    let mut outcome = Outcome::default();
    for _ in 0..plan.faults {
        let pause = plan.every.mul_f64(0.5 + f64::from(u32::try_from(dice.index(100))?) / 100.0);
        rest(&mut seats, pause).await?;
        fault(&world, &mut seats, &mut dice, &mut outcome).await?;
    }
    heal(&mut seats);
    let finished = tokio::select! {
        finished = verify::wait_finished(&world.devnet, &requests, plan.deadline) => finished.map(drop),
        // The last end of the server may still end an instance.
        error = tend_all(&mut seats) => error,
    };
    if let Err(error) = finished {
        return Err(error.context(told(&seats).await));
    }
    while seats.iter().any(Seat::is_away) {
        rest(&mut seats, Duration::from_millis(100)).await?;
    }
    outcome.took = begun.elapsed();
    judge(&world, &seats, &requests, &mut outcome, plan.deadline).await?;
    for seat in seats {
        seat.stop().await?;
    }
    Ok(outcome)
}

/// Gives each instance a host of its own, unless they share a file.
async fn settle(world: &mut World, others: &mut [Operator]) -> Result<Vec<Host>> {
    let Some(postgres) = &world.postgres else { return Ok(Vec::new()) };
    let urls = [&world.origin_proxy.url, &world.auxiliary_proxy.url, &postgres.shown_url()?];
    let places = urls.map(|url| place_of(url));
    let mut hosts = Vec::new();
    for operator in std::iter::once(&mut world.operator).chain(others) {
        let host = Host::new(&places).await?;
        operator.move_to(&host)?;
        hosts.push(host);
    }
    Ok(hosts)
}

fn prepare(operator: &Operator) -> Result<()> {
    operator.edit_config(|config| {
        config["restart_limit"] = json!(1000);
        config["heartbeat"] = json!({ "son_heartbeat_frequency_ms": 2_000, "maintenance_interval_ms": 3_000 });
    })
}

async fn rest(seats: &mut [Seat<'_>], pause: Duration) -> Result<()> {
    match tokio::time::timeout(pause, tend_all(seats)).await {
        Ok(failed) => failed,
        Err(_) => Ok(()),
    }
}

/// Returns only when one can't be started or continued, or has ended as it should not.
async fn tend_all(seats: &mut [Seat<'_>]) -> Result<()> {
    loop {
        for seat in seats.iter_mut() {
            seat.tend()?;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The longest time away, but for the rare one that outlasts every takeover.
const AWAY_MS: usize = 9_000;
const LONG: Duration = Duration::from_secs(60);

/// Kills an instance, stops it or cuts it off for a while, or ends the server for a moment.
async fn fault(world: &World, seats: &mut [Seat<'_>], dice: &mut Rng, outcome: &mut Outcome) -> Result<()> {
    let drawn = dice.index(12);
    let is_long = dice.index(40) == 0;
    let away = Duration::from_millis(u64::try_from(500 + dice.index(AWAY_MS))?);
    if drawn == 11
        && let Some(postgres) = &world.postgres
    {
        postgres.stop()?;
        tokio::time::sleep(away / 4).await;
        postgres.resume()?;
        outcome.restarts += 1;
        return Ok(());
    }
    let index = dice.index(seats.len());
    let seat = &mut seats[index];
    if seat.back_at.is_some() {
        return Ok(());
    }
    seat.back_at = Some(Instant::now() + if is_long { LONG } else { away });
    match (drawn, seat.host) {
        (0..5, _) => {
            if let Some(daemon) = seat.daemon.take() {
                daemon.kill().await?;
                outcome.kills += 1;
            }
        }
        (5..8, Some(host)) => {
            host.cut()?;
            outcome.cuts += 1;
        }
        _ => {
            if let Some(daemon) = &seat.daemon {
                signal(daemon, Signal::SIGSTOP)?;
                outcome.stops += 1;
            }
        }
    }
    Ok(())
}

/// All are to run again at once.
fn heal(seats: &mut [Seat<'_>]) {
    for seat in seats.iter_mut() {
        if seat.back_at.is_some() {
            seat.back_at = Some(Instant::now());
        }
    }
}

async fn told(seats: &[Seat<'_>]) -> String {
    let mut text = String::new();
    for seat in seats {
        let status = seat.operator.status().await.map_or_else(|error| error.to_string(), |status| status.to_string());
        let log = seat.daemon.as_ref().map_or_else(String::new, Daemon::log_tail);
        text.push_str(&format!("{status}\n{log}\n"));
    }
    text
}

/// Every step happened exactly once, and each instance has counted what its keys have sent.
async fn judge(
    world: &World,
    seats: &[Seat<'_>],
    requests: &[Request],
    outcome: &mut Outcome,
    deadline: Duration,
) -> Result<()> {
    verify::finished(&world.devnet, requests).await?;
    outcome.finished = requests.len();
    let complete = |rows: &[crate::operator::RequestRow]| rows.iter().all(|row| row.state == "COMPLETE");
    seats[0].operator.wait_requests(deadline, complete).await?;
    let start = Instant::now();
    loop {
        let counted = counts(world, seats).await?;
        if counted.iter().all(|(_, signed, sent)| signed == sent) {
            outcome.signed = counted.into_iter().map(|(name, _, sent)| (name, sent)).collect();
            return Ok(());
        }
        // What was signed last may still be on its way.
        ensure!(start.elapsed() < deadline, "name, counted, on the chains: {counted:?}\n{}", told(seats).await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Of each instance: its name, what it has counted, and what its keys have sent.
async fn counts(world: &World, seats: &[Seat<'_>]) -> Result<Vec<(String, u64, u64)>> {
    let stats = seats[0].operator.ask(&["stats", "--chain-id", "1406", "--json"]).await?;
    let mut counted = Vec::new();
    for one in stats.as_array().context("no list")? {
        let workers = one["workers"].as_array().context("no keys")?;
        let keys = |chain_id: u64| -> Result<Vec<Address>> {
            let of_chain = workers.iter().filter(|worker| worker["chain_id"] == chain_id);
            of_chain.map(|worker| Ok(worker["address"].as_str().context("no address")?.parse()?)).collect()
        };
        let devnet = &world.devnet;
        let sent = sent(&devnet.origin, &keys(devnet.origin.chain_id)?).await?
            + sent(&devnet.auxiliary, &keys(devnet.auxiliary.chain_id)?).await?;
        let number = |value: &Json| value.as_u64().unwrap_or_default();
        let signed = number(&one["txs_signed"]) + number(&one["total_txs_signed"]);
        counted.push((one["instance"].as_str().unwrap_or_default().to_owned(), signed, sent));
    }
    ensure!(counted.len() == seats.len(), "{} instances of {}", counted.len(), seats.len());
    Ok(counted)
}

async fn sent(node: &Node, accounts: &[Address]) -> Result<u64> {
    let mut sent = 0;
    for account in accounts {
        sent += quantity(&node.call("eth_getTransactionCount", json!([account, "latest"])).await?)?;
    }
    Ok(sent)
}
