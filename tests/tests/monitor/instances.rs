//! Instances of one operator that don't work (H6, H8, M18).

use super::facilitator::until_told;
use anyhow::{Context as _, Result};
use facilitator_tests::{operator::Operator, watch::Watch, world::WorldOptions};
use serde_json::json;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

async fn until_active(operator: &Operator) -> Result<String> {
    let start = Instant::now();
    loop {
        let status = operator.status().await?;
        if status["status"] == "active" {
            return Ok(status["instance"].as_str().context("no name")?.to_owned());
        }
        anyhow::ensure!(start.elapsed() < LIMIT, "never active: {status:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn an_instance_that_is_silent_in_maintenance_or_gone_is_warned_of() -> Result<()> {
    let options = WorldOptions { anchoring: None, ..WorldOptions::default() };
    let watch = Watch::new(options.clone()).await?;
    let first = &watch.world.operator;
    let second = watch.world.instance(&options).await?;
    for operator in [first, &second] {
        operator.edit_config(|config| {
            config["heartbeat"] = json!({
                "son_heartbeat_frequency_ms": 2_000,
                "maintenance_interval_ms": 1_000,
                "son_deregister_time_ms": 4_000,
            });
        })?;
    }
    let daemon = first.start().await?;
    let other = second.start().await?;
    let (_, name) = (until_active(first).await?, until_active(&second).await?);
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.warned(), [], "a new instance is no reason to worry");
    drop(other.kill().await?);
    until_told(&watch, Some(&daemon), "warning", "Instance inactive").await?;
    let other = second.start().await?;
    until_active(&second).await?;
    watch.run(&[]).await?.good()?;
    second.ask(&["maintenance", "request", "--chain-id", "1406", "--json"]).await?;
    let told = until_told(&watch, Some(&other), "warning", "Instance in maintenance").await;
    told.with_context(|| daemon.log_tail())?;
    until_told(&watch, Some(&other), "warning", "Instance deregistered").await?;
    for title in ["Instance inactive", "Instance in maintenance", "Instance deregistered"] {
        let told = watch.once("warning", title)?;
        assert_eq!(told["instance"], name, "{title}");
        assert!(told["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{told}");
    }
    first.stop(daemon).await
}
