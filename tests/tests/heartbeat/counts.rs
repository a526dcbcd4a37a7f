//! What is counted: heartbeats (HT1) and signatures (HT8).

use crate::two::{FREQUENCY, LIMIT, Two, between, finish, name_of, options, quicken, sent, stats, until};
use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{node::Pace, stakers::Stakers, world::World};
use serde_json::json;

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
    let counted = |line: &&str| line.contains("txs_signed") && line.contains("total_downtime");
    ensure!(log.lines().filter(|line| line.contains("heartbeat sent")).all(|line| counted(&line)), "{log}");
    for child in operator.status().await?["standing"]["children"].as_array().context("no children")? {
        ensure!(child["silent_ms"].as_u64().is_some_and(|silent| silent < 30_000), "{child}");
    }
    for worker in one["workers"].as_array().context("no keys")? {
        ensure!(!worker["last_active_timestamp"].is_null(), "{worker}");
    }
    operator.stop(daemon).await
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
