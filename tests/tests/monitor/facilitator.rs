//! The operator's own facilitator, when it is unwell.

use super::life::reaches;
use anyhow::{Result, ensure};
use facilitator_eth::B256;
use facilitator_tests::{
    anchoring,
    daemon::Daemon,
    devnet::Side,
    node::Pace,
    operator::{InitOptions, Operator},
    stakers::Stakers,
    trio::quicken_connector,
    watch::Watch,
    world::WorldOptions,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs until Sentry has this event.
pub(crate) async fn until_told(watch: &Watch, daemon: Option<&Daemon>, level: &str, title: &str) -> Result<()> {
    let start = Instant::now();
    while watch.count(level, title) == 0 {
        watch.run(&[]).await?.good()?;
        let log = || daemon.map_or_else(String::new, Daemon::log_tail);
        ensure!(start.elapsed() < LIMIT, "never told of {title}: {:?}\n{}", watch.warned(), log());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    watch.run(&[]).await?.good()?;
    ensure!(watch.count(level, title) == 1, "told more than once: {:?}", watch.warned());
    Ok(())
}

#[tokio::test]
async fn a_facilitator_that_died_and_keys_with_little_coin_are_warned_of() -> Result<()> {
    let watch = Watch::new(WorldOptions::default()).await?;
    watch.world.operator.edit_config(|config| config["child_silence_ms"] = json!(5_000))?;
    let daemon = watch.world.operator.start().await?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.warned(), []);
    daemon.kill().await?;
    until_told(&watch, None, "warning", "Facilitator silent").await?;
    // More than the workers were given.
    watch.set("low_balance", &json!("1000000000000000000001"))?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.count("warning", "Worker balance low"), 2);
    Ok(())
}

#[tokio::test]
async fn a_process_that_keeps_dying_is_warned_of() -> Result<()> {
    let watch = Watch::new(WorldOptions::default()).await?;
    watch.world.operator.edit_config(|config| {
        config["restart_limit"] = json!(2);
        config["restart_base_ms"] = json!(1);
    })?;
    let daemon = watch.world.operator.start().await?;
    let start = Instant::now();
    for _ in 0..2 {
        let scanner = loop {
            // Always that of the same chain.
            if let Some(scanner) = daemon.in_role("scanner").into_iter().find(|pid| is_of(*pid, "1406")) {
                break scanner;
            }
            ensure!(start.elapsed() < LIMIT, "{}", daemon.log_tail());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        kill(Pid::from_raw(i32::try_from(scanner)?), Signal::SIGKILL)?;
        while facilitator_tests::process::alive(scanner) && daemon.in_role("scanner").contains(&scanner) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    until_told(&watch, Some(&daemon), "warning", "Process quarantined").await?;
    watch.world.operator.stop(daemon).await
}

fn is_of(pid: u32, chain: &str) -> bool {
    facilitator_tests::process::command_line(pid).contains(chain)
}

#[tokio::test]
async fn a_fork_that_is_too_deep_is_critical() -> Result<()> {
    let watch = Watch::new(WorldOptions { anchoring: None, ..WorldOptions::default() }).await?;
    quicken_connector(&watch.world.operator)?;
    watch.world.operator.set_on(Side::Origin, "fork_protection", &json!(4))?;
    watch.world.devnet.origin.mine(20).await?;
    let daemon = watch.world.operator.start().await?;
    watch.run(&[]).await?.good()?;
    watch.world.fork(Side::Origin, 10).await?;
    until_told(&watch, Some(&daemon), "fatal", "Fork protection hit").await?;
    watch.world.operator.stop(daemon).await
}

/// The anchor's organization has anchored a root that no block has, and nothing may begin.
#[tokio::test]
async fn chains_that_contradict_each_other_are_critical() -> Result<()> {
    let watch = Watch::new(WorldOptions { anchoring: None, ..WorldOptions::default() }).await?;
    let (operator, devnet) = (&watch.world.operator, &watch.world.devnet);
    operator.edit_config(|config| config["head_sync_ready_interval_ms"] = json!(50))?;
    let height = devnet.origin.head().await?;
    anchoring::lie(devnet, Side::Origin, height, B256([0xbd; 32])).await?;
    devnet.auxiliary.mine(3).await?;
    watch.run(&[]).await?.good()?;
    let daemon = operator.spawn()?;
    let title = "Chains contradict each other";
    let start = Instant::now();
    // One chain sees the root, the other one that they fail to agree again and again.
    while watch.count("fatal", title) < 2 {
        watch.run(&[]).await?.good()?;
        ensure!(start.elapsed() < LIMIT, "{:?}\n{}", watch.warned(), daemon.log_tail());
    }
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.count("fatal", title), 2);
    let reason = |chain: &str| {
        let told = watch.events(title).into_iter().map(|event| event["data"].clone());
        let mut told = told.filter(|data| data["on_chain"] == chain);
        told.next().map(|data| data["reason"].to_string()).unwrap_or_default()
    };
    assert!(
        reason("1406").contains(&format!("block {height} of the origin chain has state root")),
        "{}",
        reason("1406")
    );
    assert!(reason("3").contains("failed to agree"), "{}", reason("3"));
    drop(daemon.kill().await?);
    Ok(())
}

/// The operator has put the hash-lock key of another facilitator into the config: the secret can't be had any more.
#[tokio::test]
async fn a_request_that_fails_is_warned_of() -> Result<()> {
    let watch = Watch::new(WorldOptions { anchoring: None, ..WorldOptions::default() }).await?;
    let (operator, devnet) = (&watch.world.operator, &watch.world.devnet);
    watch.run(&[]).await?.good()?;
    let stakers = Stakers::new(devnet, 0, 1).await?;
    let stakes = stakers.request_all(devnet, Pace::Natural).await?;
    let daemon = operator.start().await?;
    reaches(&watch.world, "ACCEPTED").await?;
    operator.stop(daemon).await?;
    let other = Operator::init(devnet, &InitOptions::direct(devnet)).await?;
    let other: Value = serde_json::from_slice(&std::fs::read(&other.config)?)?;
    operator.edit_config(|config| config["encrypted_hash_lock_key"] = other["encrypted_hash_lock_key"].clone())?;
    // Only now can it be confirmed, and then progressed.
    anchoring::once(devnet, Side::Origin).await?;
    let daemon = operator.start().await?;
    until_told(&watch, Some(&daemon), "warning", "Request failed").await?;
    let told = watch.once("warning", "Request failed")?;
    assert_eq!((&told["kind"], &told["request_hash"]), (&json!("stake"), &json!(stakes[0].request_hash.to_string())));
    assert!(told["reason"].as_str().is_some_and(|reason| reason.contains("another key")), "{told}");
    operator.stop(daemon).await
}
