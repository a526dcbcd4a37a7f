//! What more instances of one operator are worth, and how soon the others have the work of one that was killed.

use super::{
    END_LIMIT,
    chapter::{Chapter, told},
    say,
};
use crate::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    daemon::Daemon,
    devnet::DevnetOptions,
    measure::Spread,
    node::Pace,
    operator::Operator,
    postgres::Postgres,
    requesters::Requesters,
    verify,
    world::{Database, World, WorldOptions},
};
use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::time::{Duration, Instant};

/// Numbers of instances that are compared.
const INSTANCES: [usize; 3] = [1, 2, 5];
/// Time between two blocks.
const BLOCK_TIME: Duration = Duration::from_secs(1);
/// Time between two signs of life; a fifth more is allowed, and one may be missed.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Pause between two looks at the database.
const LOOK: Duration = Duration::from_millis(50);

/// So many instances at work on the same requests.
#[derive(Debug)]
struct Crowd {
    instances: usize,
    took: Duration,
    /// Until their rows said so too.
    complete: Duration,
    /// Times that a request was taken up.
    claims: u64,
    /// Transactions that were sent, each for a step.
    steps: u64,
}

/// What was measured.
#[derive(Debug, Default)]
struct Instances {
    requests: usize,
    crowds: Vec<Crowd>,
    takeovers: Spread,
}

impl Instances {
    fn chapter(&self) -> Chapter {
        let one = self.crowds.first().map_or(0.0, |crowd| crowd.took.as_secs_f64());
        let row = |crowd: &Crowd| {
            let seconds = crowd.took.as_secs_f64();
            let each = |count: u64| told(count as f64 / crowd.complete.as_secs_f64());
            let ratio = told(seconds / one);
            vec![crowd.instances.to_string(), told(seconds), ratio, each(crowd.claims), each(crowd.steps)]
        };
        let cells = self.takeovers.cells().to_vec();
        let worst = self.takeovers.percentile(100).unwrap_or_default();
        Chapter::new("instances", "Several instances")
            .text(format!("{} stakes at once, blocks every {BLOCK_TIME:?}, on one PostgreSQL server; seconds until both legs of all \
                 are on the chains, rates until all rows are complete.", self.requests))
            .table(
                &["instances", "seconds", "to one", "claims/s", "transactions/s"],
                self.crowds.iter().map(row).collect(),
            )
            .text(format!("One of two instances killed (SIGKILL) with work in hand, {} times.", self.takeovers.count()))
            .table(
                &Spread::COLUMNS,
                vec![[vec!["until all its work is free for the other".to_owned()], cells].concat()],
            )
            .text(format!(
                "{} heartbeats of {HEARTBEAT:?} at most.",
                told(worst.as_secs_f64() / HEARTBEAT.as_secs_f64())
            ))
    }
}

/// Lets 1, 2 and 5 instances work on so many stakes, then kills one of two so many times.
///
/// # Errors
/// When a world fails or a stake does not end as it must.
pub(super) async fn run(requests: usize, takeovers: usize) -> Result<Chapter> {
    let mut found = Instances { requests, ..Instances::default() };
    for instances in INSTANCES {
        say(&format!("{requests} stakes, {instances} instances"));
        found.crowds.push(crowd(instances, requests).await?);
    }
    for number in 1..=takeovers {
        say(&format!("takeover {number} of {takeovers}"));
        found.takeovers.push(takeover().await?);
    }
    Ok(found.chapter())
}

fn options() -> WorldOptions {
    WorldOptions {
        devnet: DevnetOptions { mining: Mining::Every(BLOCK_TIME), ..DevnetOptions::default() },
        database: Database::Postgres,
        ..WorldOptions::default()
    }
}

async fn crowd(instances: usize, requests: usize) -> Result<Crowd> {
    let options = options();
    let world = World::new(options.clone()).await?;
    let mut others = Vec::new();
    for _ in 1..instances {
        others.push(world.instance(&options).await?);
    }
    let mut daemons = Vec::new();
    for operator in std::iter::once(&world.operator).chain(&others) {
        daemons.push((operator, operator.start().await?));
    }
    let stakers = Requesters::new(&world.devnet, 0, requests).await?;
    let begun = Instant::now();
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    verify::wait_finished(&world.devnet, &stakes, END_LIMIT).await?;
    let took = begun.elapsed();
    let complete = |rows: &[crate::operator::RequestRow]| rows.iter().all(|row| row.state == "COMPLETE");
    world.operator.wait_requests(END_LIMIT, complete).await?;
    let complete = begun.elapsed();
    verify::finished(&world.devnet, &stakes).await?;
    let postgres = server(&world)?;
    let number = |sql: &str| -> Result<u64> { Ok(postgres.sql(sql)?.parse()?) };
    let claims = number("SELECT COALESCE(SUM(claim_seq), 0)::bigint FROM requests")?;
    let steps = number("SELECT COUNT(*) FROM transactions WHERE nonce IS NOT NULL")?;
    stop(daemons).await?;
    Ok(Crowd { instances, took, complete, claims, steps })
}

async fn stop(daemons: Vec<(&Operator, Daemon)>) -> Result<()> {
    for (operator, daemon) in daemons {
        operator.stop(daemon).await?;
    }
    Ok(())
}

fn server(world: &World) -> Result<&Postgres> {
    world.postgres.as_ref().context("no server")
}

/// Kills an instance that has accepted; the other one brings to an end what it began.
async fn takeover() -> Result<Duration> {
    // Without state roots: what is accepted stays with whoever accepted it.
    let options = WorldOptions { anchoring: None, ..options() };
    let world = World::new(options.clone()).await?;
    let other = world.instance(&options).await?;
    for operator in [&world.operator, &other] {
        operator.edit_config(|config| {
            let frequency = u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX);
            config["heartbeat"] = json!({ "son_heartbeat_frequency_ms": frequency, "maintenance_interval_ms": 3_000 });
        })?;
    }
    let first = world.operator.start().await?;
    let stakers = Requesters::new(&world.devnet, 0, 4).await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let accepted = |rows: &[crate::operator::RequestRow]| {
        rows.len() == stakes.len() && rows.iter().all(|row| row.state == "ACCEPTED")
    };
    world.operator.wait_requests(END_LIMIT, accepted).await?;
    let postgres = server(&world)?;
    let name = postgres.sql("SELECT name FROM instances")?;
    let mut second = other.start().await?;
    first.kill().await?;
    let died = Instant::now();
    let left = format!(
        "SELECT (SELECT COUNT(*) FROM instances WHERE name = '{name}' AND status IN ('active', 'request_maintenance'))
            + (SELECT COUNT(*) FROM requests WHERE done = 0 AND claimed_by = '{name}')"
    );
    while postgres.sql(&left)? != "0" {
        ensure!(died.elapsed() < END_LIMIT, "it keeps its work:\n{}", second.log_tail());
        ensure!(second.has_ended()?.is_none(), "the other one ended:\n{}", second.log_tail());
        tokio::time::sleep(LOOK).await;
    }
    let took = died.elapsed();
    let _anchoring = Anchoring::start(&world.devnet, Policy::default());
    world.finish(&second, &stakes, END_LIMIT).await?;
    other.stop(second).await?;
    Ok(took)
}
