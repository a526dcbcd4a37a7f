//! An operator with two instances, and how they are looked at from outside.

use anyhow::{Context as _, Result, ensure};
use facilitator_eth::Address;
use facilitator_tests::{
    anvil::Mining,
    daemon::Daemon,
    devnet::DevnetOptions,
    node::Node,
    operator::{Answer, Operator, RequestRow},
    requesters::Request,
    verify,
    world::{Database, World, WorldOptions},
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};

pub(crate) const LIMIT: Duration = Duration::from_secs(120);
pub(crate) const FREQUENCY: Duration = Duration::from_secs(4);
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
pub(crate) const DEREGISTER: Duration = Duration::from_secs(20);

pub(crate) fn options() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, ..WorldOptions::default() }
}

/// On a server, where a process that stands still in the middle of a transaction keeps nobody waiting for long. Of an
/// SQLite file it may hold the only lock.
pub(crate) fn on_a_server() -> WorldOptions {
    WorldOptions { database: Database::Postgres, ..options() }
}

/// One operator with two instances, neither of which runs.
pub(crate) struct Two {
    pub(crate) world: World,
    pub(crate) other: Operator,
}

impl Two {
    pub(crate) async fn new(options: WorldOptions) -> Result<Self> {
        let world = World::new(options.clone()).await?;
        let other = world.instance(&options).await?;
        for operator in [&world.operator, &other] {
            quicken(operator)?;
        }
        Ok(Self { world, other })
    }

    /// Starts both and waits until both are active.
    pub(crate) async fn start(&self) -> Result<(Daemon, Daemon)> {
        let first = self.world.operator.start().await?;
        let second = self.other.start().await?;
        for name in [self.first().await?, self.second().await?] {
            self.until(&name, "active").await?;
        }
        Ok((first, second))
    }

    pub(crate) async fn first(&self) -> Result<String> {
        name_of(&self.world.operator).await
    }

    pub(crate) async fn second(&self) -> Result<String> {
        name_of(&self.other).await
    }

    pub(crate) async fn of(&self, name: &str) -> Result<Value> {
        instance(&self.world.operator, name).await
    }

    pub(crate) async fn until(&self, name: &str, status: &str) -> Result<Value> {
        until(&self.world.operator, name, |one| one["status"] == status)
            .await
            .with_context(|| format!("{name}: {status}"))
    }
}

pub(crate) fn quicken(operator: &Operator) -> Result<()> {
    operator.edit_config(|config| {
        config["heartbeat"] = json!({
            "son_heartbeat_frequency_ms": ms(FREQUENCY),
            "maintenance_interval_ms": ms(INTERVAL),
            "son_deregister_time_ms": ms(DEREGISTER),
        });
    })
}

/// So slow that neither silence nor a tick happens within a test.
pub(crate) fn slow_down(operator: &Operator, what: &[&str]) -> Result<()> {
    operator.edit_config(|config| {
        for name in what {
            config["heartbeat"][*name] = json!(ms(10 * LIMIT));
        }
    })
}

pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Changes a parameter of all instances.
pub(crate) async fn set(operator: &Operator, name: &str, value: Duration) -> Result<()> {
    let value = ms(value).to_string();
    let answer = operator.run(&["params", "set", name, &value, "--chain-id", "1406"]).await?;
    ensure!(answer.code == Some(0), "{answer:?}");
    Ok(())
}

/// Whether all are accepted and nothing more.
pub(crate) fn are_accepted(count: usize) -> impl Fn(&[RequestRow]) -> bool {
    move |rows| rows.len() == count && rows.iter().all(|row| row.state == "ACCEPTED")
}

pub(crate) async fn complete(operator: &Operator) -> Result<()> {
    operator.wait_requests(LIMIT, |rows| rows.iter().all(|row| row.state == "COMPLETE")).await.map(drop)
}

/// All requests are done with keys of this instance, as the database has it.
pub(crate) async fn are_of(operator: &Operator) -> Result<()> {
    let told = operator.ask(&["requests", "list", "--chain-id", "1406", "--json"]).await?;
    for row in told.as_array().context("no list")? {
        ensure!(row["origin_worker_address"] == json!(operator.origin_workers[0].to_string()), "{row:#}");
        ensure!(row["auxiliary_worker_address"] == json!(operator.auxiliary_workers[0].to_string()), "{row:#}");
    }
    Ok(())
}

pub(crate) async fn name_of(operator: &Operator) -> Result<String> {
    let status = operator.status().await?;
    Ok(status["instance"].as_str().with_context(|| format!("no instance runs: {status:#}"))?.to_owned())
}

pub(crate) async fn stats(operator: &Operator) -> Result<Vec<Value>> {
    let told = operator.ask(&["stats", "--chain-id", "1406", "--json"]).await?;
    Ok(told.as_array().context("no list")?.clone())
}

pub(crate) async fn instance(operator: &Operator, name: &str) -> Result<Value> {
    let all = stats(operator).await?;
    all.into_iter().find(|one| one["instance"] == name).with_context(|| format!("no instance {name}"))
}

pub(crate) async fn until(operator: &Operator, name: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let start = Instant::now();
    loop {
        let one = instance(operator, name).await?;
        if wanted(&one) {
            return Ok(one);
        }
        ensure!(start.elapsed() < LIMIT, "not within {LIMIT:?}: {one:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) async fn maintenance(operator: &Operator, what: &str) -> Result<Answer> {
    operator.run(&["maintenance", what, "--chain-id", "1406", "--json"]).await
}

/// Carries a command of the life out that must succeed; the status afterwards.
pub(crate) async fn done(operator: &Operator, what: &str) -> Result<String> {
    let answer = maintenance(operator, what).await?;
    ensure!(answer.code == Some(0), "{answer:?}");
    Ok(answer.json()?["status"].as_str().context("no status")?.to_owned())
}

/// One that must be refused, with a reason.
pub(crate) async fn refused(operator: &Operator, what: &str, reason: &str) -> Result<()> {
    let answer = maintenance(operator, what).await?;
    ensure!(answer.code == Some(1) && answer.stderr.contains(reason), "{answer:?}");
    Ok(())
}

pub(crate) fn time(text: &Value) -> Result<SystemTime> {
    let text = text.as_str().with_context(|| format!("no time: {text}"))?;
    Ok(humantime::parse_rfc3339(text)?)
}

pub(crate) fn between(earlier: &Value, later: &Value) -> Result<Duration> {
    Ok(time(later)?.duration_since(time(earlier)?)?)
}

/// The newest change to a status.
pub(crate) fn change<'a>(one: &'a Value, to: &str) -> Result<&'a Value> {
    let all = one["transitions"].as_array().context("no changes")?;
    all.iter().find(|moved| moved["to"] == to).with_context(|| format!("never {to}: {all:#?}"))
}

/// A daemon with all that it has started.
pub(crate) fn signal_all(daemon: &Daemon, signal: Signal) -> Result<()> {
    for pid in std::iter::once(daemon.pid).chain(daemon.children()) {
        // A child may just have ended.
        let _gone = kill(Pid::from_raw(i32::try_from(pid)?), signal);
    }
    Ok(())
}

/// Transactions of accounts on a chain so far.
pub(crate) async fn sent_by(node: &Node, accounts: &[Address]) -> Result<u64> {
    let mut sent = 0;
    for account in accounts {
        let count = node.call("eth_getTransactionCount", json!([account, "latest"])).await?;
        sent += u64::from_str_radix(count.as_str().context("no count")?.trim_start_matches("0x"), 16)?;
    }
    Ok(sent)
}

pub(crate) async fn sent(world: &World, operator: &Operator) -> Result<u64> {
    let origin = sent_by(&world.devnet.origin, &operator.origin_workers).await?;
    Ok(origin + sent_by(&world.devnet.auxiliary, &operator.auxiliary_workers).await?)
}

pub(crate) async fn finish(two: &Two, requests: &[Request]) -> Result<()> {
    verify::wait_finished(&two.world.devnet, requests, LIMIT).await?;
    verify::finished(&two.world.devnet, requests).await.map(drop)
}
