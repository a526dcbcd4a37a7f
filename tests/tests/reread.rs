//! SIGHUP: the configuration is read again while the facilitator runs.

use anyhow::{Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    daemon::Daemon,
    devnet::DevnetOptions,
    node::Pace,
    pages::Pages,
    stakers::Stakers,
    world::{World, WorldOptions},
};
use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};
use std::{
    fs,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(120);

fn options() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, ..WorldOptions::default() }
}

fn lines(daemon: &Daemon) -> Result<Vec<Json>> {
    let text = fs::read_to_string(daemon.log())?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Waits until a line of the log is as wanted.
async fn until(daemon: &Daemon, what: &str, wanted: impl Fn(&Json) -> bool) -> Result<()> {
    let start = Instant::now();
    while !lines(daemon)?.iter().any(&wanted) {
        ensure!(start.elapsed() < LIMIT, "never {what}:\n{}", daemon.log_tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

fn says(line: &Json, text: &str) -> bool {
    line["message"].as_str().is_some_and(|message| message.contains(text))
}

#[tokio::test]
async fn what_is_safe_counts_at_once_in_all_processes_and_the_rest_is_refused_with_its_reason() -> Result<()> {
    let world = World::new(options()).await?;
    let operator = &world.operator;
    let pages = Pages::configure(operator).await?;
    operator.edit_config(|config| config["log_format"] = json!("json"))?;
    let daemon = operator.start().await?;
    pages.wait(LIMIT).await?;
    daemon.signal(Signal::SIGHUP)?;
    until(&daemon, "nothing has changed", |line| says(line, "nothing has changed")).await?;
    let is_debug = |line: &Json| line["level"] == "DEBUG";
    assert!(!lines(&daemon)?.iter().any(is_debug), "nothing is debugged at the level info");

    operator.edit_config(|config| {
        config["log_level"] = json!("debug");
        config["max_workers"] = json!(5);
        // More than anybody offers.
        config["min_gas_price"] = json!("1000000000000000000000");
        config["child_heartbeat_ms"] = json!(4_000);
    })?;
    operator.set_on_chains("poll_interval_ms", &json!(200))?;
    daemon.signal(Signal::SIGHUP)?;
    for (level, text) in [
        ("INFO", "changed: log_level: default → \"debug\""),
        ("INFO", "changed: max_workers: default → 5"),
        ("INFO", "changed: min_gas_price: default → \"1000000000000000000000\""),
        (
            "WARN",
            "counts from the next start, since processes work by what they were started with: child_heartbeat_ms: default → 4000",
        ),
        (
            "WARN",
            "since scanner and sender of the chain work by what they were started with: chains.3.poll_interval_ms: 100 → 200",
        ),
    ] {
        until(&daemon, text, |line| line["level"] == level && says(line, text)).await?;
    }
    // All long-lived processes debug now.
    for role in ["parent", "scanner", "sender", "metrics"] {
        until(&daemon, role, |line| line["role"] == role && is_debug(line)).await?;
    }
    // The limits count for the next request, whose worker debugs too.
    Stakers::new(&world.devnet, 0, 1).await?.request_all(&world.devnet, Pace::Natural).await?;
    let rows = operator.wait_requests(LIMIT, |rows| rows.iter().any(|row| row.state == "SKIPPED")).await?;
    assert!(rows[0].last_error.as_ref().is_some_and(|error| error.contains("gas price")), "{rows:?}");
    until(&daemon, "a worker that debugs", |line| line["role"] == "worker" && is_debug(line)).await?;
    let start = Instant::now();
    while operator.status().await?["standing"]["max_workers"] != 5 {
        ensure!(start.elapsed() < LIMIT, "never five workers");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // What is not valid changes nothing, and says where it is wrong.
    operator.edit_config(|config| {
        config["max_workers"] = json!(0);
        config["log_level"] = json!("error");
    })?;
    daemon.signal(Signal::SIGHUP)?;
    until(&daemon, "a refusal", |line| line["level"] == "ERROR" && says(line, "max_workers")).await?;
    // Only what is new is told the next time; what waits for the next start is told again.
    operator.edit_config(|config| {
        config["max_workers"] = json!(5);
        config["log_level"] = json!("info");
    })?;
    daemon.signal(Signal::SIGHUP)?;
    until(&daemon, "the level again", |line| says(line, "changed: log_level: \"debug\" → \"info\"")).await?;
    let twice = lines(&daemon)?.iter().filter(|line| says(line, "chains.3.poll_interval_ms")).count();
    let once = lines(&daemon)?.iter().filter(|line| says(line, "changed: max_workers")).count();
    assert_eq!((twice, once), (2, 1));
    operator.stop(daemon).await
}
