//! Names and keys: each serves one process, whatever it is called.

use crate::two::{
    LIMIT, Two, are_accepted, change, instance, name_of, on_a_server, options, quicken, slow_down, until,
};
use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    node::Pace,
    stakers::Stakers,
    world::{World, WorldOptions},
};
use serde_json::json;

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

/// As a container that was killed and comes back under another host's name. It waited for its former self to be found
/// silent, and for the tick after that.
#[tokio::test]
async fn an_only_instance_goes_on_at_once_under_another_name() -> Result<()> {
    let world = World::new(WorldOptions { anchoring: None, ..options() }).await?;
    let operator = &world.operator;
    slow_down(operator, &["son_heartbeat_frequency_ms", "maintenance_interval_ms"])?;
    let stakers = Stakers::new(&world.devnet, 0, 1).await?;
    let first = operator.start().await?;
    stakers.request_all(&world.devnet, Pace::Natural).await?;
    operator.wait_requests(LIMIT, are_accepted(1)).await?;
    let old = name_of(operator).await?;
    first.kill().await?;
    operator.edit_config(|config| config["heartbeat"]["instance"] = json!("renamed"))?;
    let again = operator.start().await?;
    let new = until(operator, "renamed", |one| one["status"] == "active").await?;
    let former = instance(operator, &old).await?;
    let gone = change(&former, "inactive")?;
    ensure!(gone["reason"].as_str().is_some_and(|reason| reason.contains("its keys")), "{gone}");
    ensure!(
        former["workers"] == json!([]) && new["workers"].as_array().is_some_and(|keys| keys.len() == 2),
        "{former:#}"
    );
    operator.stop(again).await
}

/// Another host took it for dead, e.g. while it was cut off from the database for long. As long as that one lives, a start
/// under the same name is refused.
#[tokio::test]
async fn a_process_whose_place_was_taken_says_so_and_ends_and_the_name_is_taken() -> Result<()> {
    let world = World::new(on_a_server()).await?;
    let operator = &world.operator;
    quicken(operator)?;
    let first = operator.start().await?;
    let postgres = world.postgres.as_ref().context("no server")?;
    let name = name_of(operator).await?;
    postgres.sql(
        "INSERT INTO processes (kind, instance, host, pid, pid_started, started_at_ms, heartbeat_at_ms)
            SELECT kind, instance, 'elsewhere', pid, 'another-boot:1', started_at_ms, heartbeat_at_ms FROM processes;
        DELETE FROM processes WHERE host <> 'elsewhere'",
    )?;
    let log = first.log().to_owned();
    let ended = first.ended().await?;
    ensure!(ended.code() == Some(4), "it ended with {ended}");
    let told = std::fs::read_to_string(log)?;
    ensure!(told.contains("has taken the place of instance"), "{told}");
    // The other one is heard now and then.
    postgres.sql("UPDATE processes SET heartbeat_at_ms = EXTRACT(EPOCH FROM now()) * 1000")?;
    let refused = operator.run(&["start", "--chain-id", "1406"]).await?;
    let says = |text: &str| refused.stderr.contains(text);
    ensure!(
        refused.code == Some(4) && says(&name) && says("on host elsewhere") && says("heartbeat.instance"),
        "{refused:?}"
    );
    postgres.sql("DELETE FROM processes")?;
    let again = operator.start().await?;
    operator.stop(again).await
}

/// Its clock is a minute ahead: by that the other one is silent for long, whatever it does.
#[tokio::test]
async fn a_host_with_a_wrong_clock_goes_by_the_servers() -> Result<()> {
    let mut two = Two::new(on_a_server()).await?;
    let clock = two.other.home().join("clock");
    std::fs::write(&clock, "60000")?;
    two.other.use_binary(facilitator_tests::kill_points::armed_binary()?);
    two.other.set_variable("FACILITATOR_CLOCK_SHIFT", &clock.to_string_lossy());
    let (first, second) = two.start().await?;
    let (a, b) = (two.first().await?, two.second().await?);
    for name in [&a, &b] {
        let beats = |one: &serde_json::Value| one["heartbeats"].as_array().map_or(0, Vec::len);
        let one = until(&two.world.operator, name, |one| beats(one) >= 4).await?;
        ensure!(one["transitions"].as_array().is_some_and(|moves| moves.len() == 1), "found silent: {one:#}");
        for beat in one["heartbeats"].as_array().into_iter().flatten() {
            ensure!(beat["refusal"].is_null(), "{beat}");
        }
    }
    two.other.stop(second).await?;
    two.world.operator.stop(first).await
}
