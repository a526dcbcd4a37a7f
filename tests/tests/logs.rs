//! JSON logs: one request can be followed through all processes by its hash.

use anyhow::Result;
use facilitator_tests::{
    anvil::Mining,
    devnet::DevnetOptions,
    node::Pace,
    stakers::Stakers,
    world::{World, WorldOptions},
};
use serde_json::{Value as Json, json};
use std::{collections::BTreeSet, fs, time::Duration};

const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn one_request_is_followed_through_all_processes_by_its_hash() -> Result<()> {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    let world = World::new(WorldOptions { devnet, ..WorldOptions::default() }).await?;
    let operator = &world.operator;
    operator.edit_config(|config| {
        config["log_format"] = json!("json");
        config["log_level"] = json!("debug");
    })?;
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let daemon = operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    let rows = operator.wait_requests(LIMIT, |rows| rows.iter().all(|row| row.state == "COMPLETE")).await?;
    let text = fs::read_to_string(daemon.log())?;
    operator.stop(daemon).await?;

    let all: Vec<Json> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    for line in &all {
        assert!(line["role"].is_string() && line["pid"].is_u64() && line["time"].is_string(), "{line}");
        // A worker has one request, and no line of it leaves open which.
        assert!(line["role"] != "worker" || line["request"].is_string(), "{line}");
        // What a sender does, it does for a request or says why not.
        let done = ["transaction sent", "transaction mined"].iter().any(|done| line["message"] == *done);
        let own = line["intent"].as_str().is_some_and(|intent| intent.starts_with("approve:"));
        assert!(!done || own || line["request"].is_string(), "{line}");
    }
    for row in &rows {
        let followed: Vec<&Json> = all.iter().filter(|line| line["request"] == row.request_hash.as_str()).collect();
        let roles: BTreeSet<&str> = followed.iter().filter_map(|line| line["role"].as_str()).collect();
        assert_eq!(roles, BTreeSet::from(["parent", "scanner", "sender", "worker"]), "{followed:#?}");
        let sent = |line: &&&Json| line["role"] == "sender" && line["message"] == "transaction sent";
        let chains: BTreeSet<u64> = followed.iter().filter(sent).filter_map(|line| line["chain"].as_u64()).collect();
        assert_eq!(chains, BTreeSet::from(operator.chains), "{followed:#?}");
        let has = |role: &str, text: &str| {
            let said =
                |line: &&&Json| line["role"] == role && line["message"].as_str().is_some_and(|m| m.contains(text));
            followed.iter().filter(said).count()
        };
        assert!(has("scanner", "StakeRequested") == 1 && has("worker", "leaving it") >= 2, "{followed:#?}");
        let without = followed
            .iter()
            .filter(|line| line["role"] == "worker" && line["message"] == "leaving it" && line["chain"].is_null());
        assert_eq!(without.count(), 0, "a worker's line names the chain of its request");
    }
    Ok(())
}
