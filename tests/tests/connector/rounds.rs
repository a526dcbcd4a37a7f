//! Connecting, electing, fetching.

use super::LIMIT;
use anyhow::{Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    devnet::{DevnetOptions, Side},
    node::Pace,
    stakers::Stakers,
    trio::{Trio, connector, quicken_connector},
    verify,
    world::{World, WorldOptions},
};
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, confirmations: 2, ..WorldOptions::default() }
}

/// PT1.
#[tokio::test]
async fn it_begins_only_once_enough_endpoints_are_connected() -> Result<()> {
    let trio = Trio::new(quick()).await?;
    let operator = &trio.world.operator;
    operator.set_on_chains("minimum_connections", &json!(null))?;
    trio.proxies[2].set_dropping(true);
    operator.edit_config(|config| config["log_level"] = json!("debug"))?;
    let daemon = operator.spawn()?;
    trio.wait_for("told that it is below the minimum", LIMIT, |found| {
        found["trouble"].as_str().is_some_and(|text| text.contains("below minimum client count 3"))
    })
    .await?;
    let stakers = Stakers::new(&trio.world.devnet, 0, 1).await?;
    let stakes = stakers.request_all(&trio.world.devnet, Pace::Natural).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let found = trio.connector(Side::Origin).await?;
    assert_eq!((&found["state"], &found["mode"]), (&json!("Connecting"), &json!("Resynchronise")), "{found:#}");
    assert_eq!(daemon.in_role("worker"), [] as [u32; 0], "a worker before there is a chain");
    assert_eq!(trio.world.count(Side::Origin, "pending").await?, 0, "a transaction before there is a chain");

    trio.proxies[2].set_dropping(false);
    trio.world.finish(&daemon, &stakes, LIMIT).await?;
    let found = trio.connector(Side::Origin).await?;
    assert_eq!((&found["state"], &found["mode"]), (&json!("Sampling"), &json!("Normal")), "{found:#}");
    let log = fs::read_to_string(daemon.log())?;
    let states: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("current state: ") && line.contains("chain=3"))
        .filter_map(|line| line.split("current state: ").nth(1)?.split_whitespace().next())
        .collect();
    let expected = ["HighestBlock", "ForkDetect", "FetchBlocks", "HighestBlock", "ForkDetect", "Rebuild", "Sampling"];
    assert!(states.starts_with(&expected), "{states:?}");
    operator.stop(daemon).await
}

/// PT2.
#[tokio::test]
async fn blocks_are_fetched_in_batches_and_remembered_without_a_gap() -> Result<()> {
    let options =
        WorldOptions { devnet: DevnetOptions { mining: Mining::OnDemand, ..DevnetOptions::default() }, ..quick() };
    let world = World::new(options).await?;
    quicken_connector(&world.operator)?;
    let head = world.devnet.origin.head().await?;
    world.devnet.origin.mine(450).await?;
    let before = world.counts();
    let daemon = world.operator.start().await?;
    let start = Instant::now();
    let found = loop {
        let found = connector(&world.operator, Side::Origin).await?;
        if found["state"] == json!("Sampling") {
            break found;
        }
        ensure!(start.elapsed() < LIMIT, "{found:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(found["scanned"], json!(head + 450 - 2), "{found:#}");
    let calls = world.counts()[0].since(&before[0]);
    let headers = calls.calls.get("eth_getBlockByNumber").copied().unwrap_or(0);
    ensure!(headers >= 450 && headers < head + 450 + 30, "{headers} headers for {} blocks", head + 450);
    world.operator.stop(daemon).await?;
    let blocks = world.remembered(Side::Origin).await?;
    let (numbers, links): (Vec<u64>, Vec<(String, String)>) =
        blocks.into_iter().map(|(number, hash, parent)| (number, (hash, parent))).unzip();
    assert_eq!(numbers, (0..=head + 450).collect::<Vec<_>>(), "a gap");
    assert!(links.windows(2).all(|pair| pair[0].0 == pair[1].1), "blocks that don't link");
    Ok(())
}

/// PT5: two of three go away while blocks are fetched.
#[tokio::test]
async fn a_majority_that_goes_away_is_waited_for_and_nothing_is_read_twice() -> Result<()> {
    let trio = Trio::new(quick()).await?;
    let operator = &trio.world.operator;
    let stakers = Stakers::new(&trio.world.devnet, 0, 3).await?;
    trio.world.devnet.origin.mine(300).await?;
    operator.set_on(Side::Origin, "blocks_per_fetch", &json!(10))?;
    operator.set_on(Side::Origin, "fetch_pause_ms", &json!(50))?;
    let daemon = operator.spawn()?;
    trio.wait_for("fetching", LIMIT, |found| found["height"].as_u64().is_some_and(|height| height > 50)).await?;
    for proxy in &trio.proxies[..2] {
        proxy.set_dropping(true);
    }
    let stakes = stakers.request_all(&trio.world.devnet, Pace::Natural).await?;
    trio.wait_for("out of step", LIMIT, |found| {
        found["mode"] == json!("Resynchronise") && found["trouble"].is_string()
    })
    .await?;
    for proxy in &trio.proxies[..2] {
        proxy.set_dropping(false);
    }
    trio.world.finish(&daemon, &stakes, LIMIT).await?;
    verify::finished(&trio.world.devnet, &stakes).await?;
    operator.stop(daemon).await
}

/// PT6.
#[tokio::test]
async fn an_endpoint_of_another_chain_never_counts() -> Result<()> {
    let trio = Trio::new(quick()).await?;
    let operator = &trio.world.operator;
    operator.set_on(Side::Origin, "minimum_connections", &json!(2))?;
    trio.proxies[0].pretend_chain(Some(5));
    let stakers = Stakers::new(&trio.world.devnet, 0, 1).await?;
    let daemon = operator.start().await?;
    let stakes = stakers.request_all(&trio.world.devnet, Pace::Natural).await?;
    trio.world.finish(&daemon, &stakes, LIMIT).await?;
    let found = trio.connector(Side::Origin).await?;
    let wrong = &found["endpoints"][0];
    assert_eq!((&wrong["connected"], &wrong["chain_id"]), (&json!(false), &json!(5)), "{found:#}");
    let reason = wrong["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("serves chain 5") && reason.contains("expected is chain 3"), "{reason}");
    assert_ne!(found["the_client"], json!(trio.proxies[0].url), "{found:#}");
    operator.stop(daemon).await
}

/// PT7.
#[tokio::test]
async fn an_endpoint_that_lags_is_not_read_and_undoes_nothing() -> Result<()> {
    let trio = Trio::new(quick()).await?;
    let operator = &trio.world.operator;
    let stakers = Stakers::new(&trio.world.devnet, 0, 2).await?;
    let daemon = operator.start().await?;
    trio.proxies[0].freeze_head(Some(trio.world.devnet.origin.head().await?));
    let stakes = stakers.request_all(&trio.world.devnet, Pace::Natural).await?;
    trio.world.finish(&daemon, &stakes, LIMIT).await?;
    let found =
        trio.wait_for("set aside", LIMIT, |found| found["endpoints"][0]["health"] == json!("set aside")).await?;
    assert_ne!(found["the_client"], json!(trio.proxies[0].url), "{found:#}");
    assert!(found["endpoints"][0]["reason"].as_str().is_some_and(|text| text.contains("lags")), "{found:#}");
    trio.proxies[0].freeze_head(None);
    trio.wait_for("back", LIMIT, |found| found["endpoints"][0]["health"] == json!("well")).await?;
    let log = fs::read_to_string(daemon.log())?;
    assert!(!log.contains("followed a fork"), "something was undone: {}", daemon.log_tail());
    operator.stop(daemon).await
}

/// An idle chain whose node announces its heads costs next to nothing; one that must be polled, two calls a block at most.
#[tokio::test]
async fn an_idle_chain_costs_at_most_two_calls_a_block() -> Result<()> {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(500)), ..DevnetOptions::default() };
    let world =
        World::new(WorldOptions { devnet, confirmations: 2, anchoring: None, ..WorldOptions::default() }).await?;
    let daemon = world.operator.start().await?;
    let (head, before) = (world.devnet.origin.head().await?, world.counts());
    while world.devnet.origin.head().await? < head + 30 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let blocks = world.devnet.origin.head().await? - head;
    let counts = world.counts();
    for (counts, before) in counts.iter().zip(&before) {
        let calls = counts.since(before);
        ensure!(calls.total() <= 2 * blocks, "{} calls in {blocks} blocks: {:?}", calls.total(), calls.calls);
    }
    world.operator.stop(daemon).await
}
