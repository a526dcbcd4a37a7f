//! Scenarios HT1 to HT8 of the heartbeat specification: instances of one operator that share a database live, are found
//! silent, rest, come back and go, on real nodes with shortened times.
//!
//! What is compared are times that the product has stored, never how long a test has waited.

use anyhow::{Context as _, Result, ensure};
use facilitator_eth::Address;
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    daemon::Daemon,
    devnet::DevnetOptions,
    kill_points,
    node::{Node, Pace},
    operator::Operator,
    requesters::Request,
    stakers::Stakers,
    verify,
    world::{Database, World, WorldOptions},
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};

const LIMIT: Duration = Duration::from_secs(120);
const FREQUENCY: Duration = Duration::from_secs(4);
const INTERVAL: Duration = Duration::from_secs(5);
const DEREGISTER: Duration = Duration::from_secs(20);

fn options() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, ..WorldOptions::default() }
}

/// On a server, where a process that stands still in the middle of a transaction keeps nobody waiting for long. Of an
/// SQLite file it may hold the only lock.
fn on_a_server() -> WorldOptions {
    WorldOptions { database: Database::Postgres, ..options() }
}

/// One operator with two instances, neither of which runs.
struct Two {
    world: World,
    other: Operator,
}

impl Two {
    async fn new(options: WorldOptions) -> Result<Self> {
        let world = World::new(options.clone()).await?;
        let other = world.instance(&options).await?;
        for operator in [&world.operator, &other] {
            quicken(operator)?;
        }
        Ok(Self { world, other })
    }

    /// Starts both and waits until both are active.
    async fn start(&self) -> Result<(Daemon, Daemon)> {
        let first = self.world.operator.start().await?;
        let second = self.other.start().await?;
        for name in [self.first().await?, self.second().await?] {
            self.until(&name, "active").await?;
        }
        Ok((first, second))
    }

    async fn first(&self) -> Result<String> {
        name_of(&self.world.operator).await
    }

    async fn second(&self) -> Result<String> {
        name_of(&self.other).await
    }

    async fn of(&self, name: &str) -> Result<Value> {
        instance(&self.world.operator, name).await
    }

    async fn until(&self, name: &str, status: &str) -> Result<Value> {
        until(&self.world.operator, name, |one| one["status"] == status)
            .await
            .with_context(|| format!("{name}: {status}"))
    }
}

fn quicken(operator: &Operator) -> Result<()> {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    operator.edit_config(|config| {
        config["heartbeat"] = json!({
            "son_heartbeat_frequency_ms": ms(FREQUENCY),
            "maintenance_interval_ms": ms(INTERVAL),
            "son_deregister_time_ms": ms(DEREGISTER),
        });
    })
}

async fn name_of(operator: &Operator) -> Result<String> {
    let status = operator.status().await?;
    Ok(status["instance"].as_str().with_context(|| format!("no instance runs: {status:#}"))?.to_owned())
}

async fn stats(operator: &Operator) -> Result<Vec<Value>> {
    let told = operator.ask(&["stats", "--chain-id", "1406", "--json"]).await?;
    Ok(told.as_array().context("no list")?.clone())
}

async fn instance(operator: &Operator, name: &str) -> Result<Value> {
    let all = stats(operator).await?;
    all.into_iter().find(|one| one["instance"] == name).with_context(|| format!("no instance {name}"))
}

async fn until(operator: &Operator, name: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
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

async fn maintenance(operator: &Operator, what: &str) -> Result<facilitator_tests::operator::Answer> {
    operator.run(&["maintenance", what, "--chain-id", "1406", "--json"]).await
}

/// Carries a command of the life out that must succeed; the status afterwards.
async fn done(operator: &Operator, what: &str) -> Result<String> {
    let answer = maintenance(operator, what).await?;
    ensure!(answer.code == Some(0), "{answer:?}");
    Ok(answer.json()?["status"].as_str().context("no status")?.to_owned())
}

/// One that must be refused, with a reason.
async fn refused(operator: &Operator, what: &str, reason: &str) -> Result<()> {
    let answer = maintenance(operator, what).await?;
    ensure!(answer.code == Some(1) && answer.stderr.contains(reason), "{answer:?}");
    Ok(())
}

fn time(text: &Value) -> Result<SystemTime> {
    let text = text.as_str().with_context(|| format!("no time: {text}"))?;
    Ok(humantime::parse_rfc3339(text)?)
}

fn between(earlier: &Value, later: &Value) -> Result<Duration> {
    Ok(time(later)?.duration_since(time(earlier)?)?)
}

/// The newest change to a status.
fn change<'a>(one: &'a Value, to: &str) -> Result<&'a Value> {
    let all = one["transitions"].as_array().context("no changes")?;
    all.iter().find(|moved| moved["to"] == to).with_context(|| format!("never {to}: {all:#?}"))
}

/// A daemon with all that it has started.
fn signal_all(daemon: &Daemon, signal: Signal) -> Result<()> {
    for pid in std::iter::once(daemon.pid).chain(daemon.children()) {
        // A child may just have ended.
        let _gone = kill(Pid::from_raw(i32::try_from(pid)?), signal);
    }
    Ok(())
}

/// Transactions of accounts on a chain so far.
async fn sent_by(node: &Node, accounts: &[Address]) -> Result<u64> {
    let mut sent = 0;
    for account in accounts {
        let count = node.call("eth_getTransactionCount", json!([account, "latest"])).await?;
        sent += u64::from_str_radix(count.as_str().context("no count")?.trim_start_matches("0x"), 16)?;
    }
    Ok(sent)
}

async fn sent(world: &World, operator: &Operator) -> Result<u64> {
    let origin = sent_by(&world.devnet.origin, &operator.origin_workers).await?;
    Ok(origin + sent_by(&world.devnet.auxiliary, &operator.auxiliary_workers).await?)
}

async fn finish(two: &Two, requests: &[Request]) -> Result<()> {
    verify::wait_finished(&two.world.devnet, requests, LIMIT).await?;
    verify::finished(&two.world.devnet, requests).await.map(drop)
}

#[tokio::test]
async fn ht1_a_new_instance_is_inactive_until_a_tick_and_gives_signs_of_life_only_then() -> Result<()> {
    let world = World::new(options()).await?;
    let operator = &world.operator;
    quicken(operator)?;
    let mut daemon = operator.spawn()?;
    daemon.ready().await?;
    let status = operator.status().await?;
    ensure!(status["status"] == "active", "{status:#}");
    let name = name_of(operator).await?;
    let one = until(operator, &name, |one| one["heartbeats"].as_array().is_some_and(|beats| beats.len() >= 3)).await?;
    let born = one["transitions"].as_array().context("no changes")?.last().context("no change")?;
    ensure!((&born["from"], &born["to"]) == (&json!("inactive"), &json!("active")), "{born}");
    let activated = &born["at"];
    let beats = one["heartbeats"].as_array().context("no heartbeats")?;
    for beat in beats {
        ensure!(beat["refusal"].is_null() && beat["status"] == "active", "{beat}");
        ensure!(between(activated, &beat["sent_at"])? >= FREQUENCY, "{beat} is too soon after {activated}");
    }
    for pair in beats.windows(2) {
        ensure!(between(&pair[1]["sent_at"], &pair[0]["sent_at"])? >= FREQUENCY, "{pair:?}");
    }
    let log = std::fs::read_to_string(daemon.log())?;
    ensure!(log.matches("heartbeat sent").count() >= 3, "{log}");
    ensure!(log.contains("status changed"), "{log}");
    for worker in one["workers"].as_array().context("no keys")? {
        ensure!(!worker["last_active_timestamp"].is_null(), "{worker}");
    }
    operator.stop(daemon).await
}

#[tokio::test]
async fn ht2_a_silent_instance_is_taken_over_and_signs_nothing_with_what_it_lost() -> Result<()> {
    let two = Two::new(WorldOptions { anchoring: None, ..on_a_server() }).await?;
    let (world, operator) = (&two.world, &two.world.operator);
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let first = operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let accepted = |rows: &[facilitator_tests::operator::RequestRow]| {
        rows.len() == 2 && rows.iter().all(|row| row.state == "ACCEPTED")
    };
    operator.wait_requests(LIMIT, accepted).await?;
    let (a, second) = (two.first().await?, two.other.start().await?);
    let b = two.second().await?;
    two.until(&b, "active").await?;

    signal_all(&first, Signal::SIGSTOP)?;
    let before = sent(world, operator).await?;
    let gone = two.until(&a, "inactive").await?;
    let down = change(&gone, "inactive")?;
    ensure!(down["reason"].as_str().is_some_and(|reason| reason.contains("silent")), "{down}");
    ensure!(between(&gone["last_active_timestamp"], &down["at"])? > 2 * FREQUENCY, "found silent too early: {gone:#}");
    let _anchoring = Anchoring::start(&world.devnet, Policy::default());
    finish(&two, &stakes).await?;
    two.other.wait_requests(LIMIT, |rows| rows.iter().all(|row| row.state == "COMPLETE")).await?;

    signal_all(&first, Signal::SIGCONT)?;
    let back = until(operator, &a, |one| one["status"] == "active").await?;
    ensure!(change(&back, "active")?["reason"] == "it is ready and in the active set", "{back:#}");
    ensure!(sent(world, operator).await? == before, "it has signed with what it had lost");
    verify::finished(&world.devnet, &stakes).await?;
    two.other.stop(second).await?;
    operator.stop(first).await
}

/// The kill point `sender.orphans_taken`, which one instance alone never comes to: law 7.
#[tokio::test]
async fn a_death_while_taking_over_what_another_has_signed_loses_and_doubles_nothing() -> Result<()> {
    // So that what is signed is not final for long.
    let mut two = Two::new(WorldOptions { confirmations: 8, ..on_a_server() }).await?;
    let mark = two.other.home().join("died");
    two.other.use_binary(kill_points::armed_binary()?);
    kill_points::arm(&mut two.other, "sender.orphans_taken", 1, &mark);
    let stakers = Stakers::new(&two.world.devnet, 0, 2).await?;
    let first = two.world.operator.start().await?;
    let stakes = stakers.request_all(&two.world.devnet, Pace::Natural).await?;
    let under_way = |rows: &[facilitator_tests::operator::RequestRow]| {
        let alive = |status: &str| ["signed", "broadcast", "mined"].contains(&status);
        rows.iter().any(|row| row.transactions.iter().any(|transaction| alive(&transaction.status)))
    };
    two.world.operator.wait_requests(LIMIT, under_way).await?;
    signal_all(&first, Signal::SIGKILL)?;
    let second = two.other.start().await?;
    finish(&two, &stakes).await?;
    two.other.wait_requests(LIMIT, |rows| rows.iter().all(|row| row.state == "COMPLETE")).await?;
    ensure!(mark.exists(), "nobody died there: nothing was taken over");
    two.other.stop(second).await
}

/// A process may be stopped in the middle of a transaction, and then whoever judges it waits for the server to end that:
/// too long for one heartbeat. So there are a few tries.
#[tokio::test]
async fn ht3_one_missed_heartbeat_is_no_silence() -> Result<()> {
    let two = Two::new(on_a_server()).await?;
    let (first, second) = two.start().await?;
    let a = two.first().await?;
    let mut tries = 0;
    loop {
        let before = two.until(&a, "active").await?;
        let last = before["last_active_timestamp"].clone();
        until(&two.world.operator, &a, |one| one["last_active_timestamp"] != last).await?;
        signal_all(&first, Signal::SIGSTOP)?;
        let missed = until(&two.other, &a, |one| one["missed_heartbeats"] == 1 || one["status"] != "active").await;
        signal_all(&first, Signal::SIGCONT)?;
        if missed?["status"] == "active" {
            let again = until(&two.other, &a, |one| one["missed_heartbeats"] == 0 || one["status"] != "active").await?;
            ensure!(again["status"] == "active" && again["transitions"] == before["transitions"], "{again:#}");
            break;
        }
        tries += 1;
        ensure!(tries < 4, "it was never seen to have missed one heartbeat alone");
    }
    two.other.stop(second).await?;
    two.world.operator.stop(first).await
}

#[tokio::test]
async fn ht4_5_6_maintenance_is_asked_for_taken_back_begun_and_ended() -> Result<()> {
    let two = Two::new(options()).await?;
    let (world, operator) = (&two.world, &two.world.operator);
    let (first, second) = two.start().await?;
    let a = two.first().await?;
    refused(operator, "cancel", "only a requested maintenance can be cancelled").await?;
    ensure!(done(operator, "request").await? == "request_maintenance", "not asked for");
    refused(operator, "request", "this one is request_maintenance").await?;
    ensure!(done(operator, "cancel").await? == "active", "not taken back");
    refused(operator, "end", "only an instance in maintenance").await?;

    ensure!(done(operator, "request").await? == "request_maintenance", "not asked for");
    let down = two.until(&a, "in_maintenance").await?;
    let since = &change(&down, "in_maintenance")?["at"];
    ensure!(&down["last_down_timestamp"] == since, "{down:#}");
    refused(operator, "cancel", "this instance is in_maintenance").await?;
    let beats = down["heartbeats"].as_array().map_or(0, Vec::len);
    let before = sent(world, operator).await?;
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    finish(&two, &stakes).await?;
    ensure!(sent(world, operator).await? == before, "it has signed in maintenance");
    let still = two.until(&a, "in_maintenance").await?;
    ensure!(still["heartbeats"].as_array().map_or(0, Vec::len) == beats, "a heartbeat in maintenance: {still:#}");

    ensure!(done(operator, "end").await? == "active", "not ended");
    let back = two.of(&a).await?;
    let length = between(since, &change(&back, "active")?["at"])?;
    let counted = |one: &Value| one["current_interval_downtime_ms"] == 0 && one["total_downtime_ms"] != 0;
    let counted = until(operator, &a, counted).await?;
    ensure!(counted["total_downtime_ms"] == json!(length.as_millis()), "{length:?}: {counted:#}");
    let seconds = length.as_secs();
    let shown = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    ensure!(counted["total_downtime"] == json!(shown), "{shown}: {counted:#}");
    two.other.stop(second).await?;
    operator.stop(first).await
}

#[tokio::test]
async fn ht7_a_maintenance_that_lasts_too_long_ends_the_instance_by_a_proposal() -> Result<()> {
    let two = Two::new(options()).await?;
    let (world, operator) = (&two.world, &two.world.operator);
    let (first, second) = two.start().await?;
    let (a, b) = (two.first().await?, two.second().await?);
    done(operator, "request").await?;
    two.until(&a, "in_maintenance").await?;
    let gone = two.until(&a, "deregistered").await?;
    let end = change(&gone, "deregistered")?;
    ensure!(end["reason"].as_str().is_some_and(|reason| reason.contains(&format!("proposed by {b}"))), "{end}");
    ensure!(gone["deregistered_timestamp"] == end["at"], "{gone:#}");
    ensure!(between(&gone["last_down_timestamp"], &end["at"])? >= DEREGISTER, "too early: {gone:#}");
    let ended = first.ended().await?;
    ensure!(ended.code() == Some(1), "it ended with {ended}");
    for what in ["request", "cancel", "end"] {
        refused(operator, what, "deregistered").await?;
    }
    let again = operator.run(&["start", "--chain-id", "1406"]).await?;
    ensure!(again.code == Some(1) && again.stderr.contains("deregistered"), "{again:?}");
    let stakers = Stakers::new(&world.devnet, 0, 1).await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    finish(&two, &stakes).await?;
    two.other.stop(second).await
}

#[tokio::test]
async fn ht8_what_was_signed_is_counted_to_the_transaction_and_anew_after_a_reward() -> Result<()> {
    let two = Two::new(options()).await?;
    let (world, operator) = (&two.world, &two.world.operator);
    let stakers = Stakers::new(&world.devnet, 0, 6).await?;
    let (first, second) = two.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    finish(&two, &stakes).await?;
    operator.wait_requests(LIMIT, |rows| rows.iter().all(|row| row.state == "COMPLETE")).await?;
    let (a, b) = (two.first().await?, two.second().await?);
    for (name, operator) in [(&a, operator), (&b, &two.other)] {
        let (one, sent) = (two.of(name).await?, sent(world, operator).await?);
        ensure!(one["txs_signed"] == json!(sent), "{sent} transactions are on the chains: {one:#}");
    }
    let both = stats(operator).await?;
    let signed: u64 = both.iter().filter_map(|one| one["txs_signed"].as_u64()).sum();
    let set = operator.run(&["params", "set", "reward_interval", "1", "--chain-id", "1406"]).await?;
    ensure!(set.code == Some(0), "{set:?}");
    for name in [&a, &b] {
        until(operator, name, |one| one["txs_signed"] == 0).await?;
    }
    let both = stats(operator).await?;
    let ever: u64 = both.iter().filter_map(|one| one["total_txs_signed"].as_u64()).sum();
    ensure!(ever == signed && signed > 0, "{signed}: {both:#?}");
    two.other.stop(second).await?;
    operator.stop(first).await
}

#[tokio::test]
async fn the_keys_of_a_living_instance_serve_no_other() -> Result<()> {
    let two = Two::new(options()).await?;
    let operator = &two.world.operator;
    let first = operator.start().await?;
    let copy = two.other.config.clone();
    std::fs::copy(&operator.config, &copy)?;
    let db = facilitator_tests::database::file(&operator.config);
    two.other.edit_config(|config| {
        config["db"] = json!({ "db_path": db });
        config["heartbeat"]["instance"] = json!("another");
    })?;
    let refused = two.other.run(&["start", "--chain-id", "1406"]).await?;
    ensure!(refused.code == Some(4) && refused.stderr.contains(&first.pid.to_string()), "{refused:?}");
    let both = operator.ask(&["list", "--json"]).await?;
    ensure!(both.as_array().is_some_and(|all| all.len() == 1), "{both:#}");
    operator.stop(first).await
}
