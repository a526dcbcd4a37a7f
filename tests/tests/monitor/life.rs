//! Whole lives of stakes, as a monitor tells them (MT8).

use anyhow::{Result, ensure};
use facilitator_tests::{
    calls::call,
    devnet::Side,
    node::Pace,
    stakers::Stakers,
    watch::Watch,
    world::{World, WorldOptions},
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(120);

/// Waits until the only request is in this state.
pub(crate) async fn reaches(world: &World, state: &str) -> Result<()> {
    let is_there = |rows: &[facilitator_tests::operator::RequestRow]| rows.iter().any(|row| row.state == state);
    world.operator.wait_requests(LIMIT, is_there).await.map(drop)
}

/// MT8, second half: each step once, and the deactivation, which leaves no event.
#[tokio::test]
async fn each_step_of_a_stake_is_told_once_and_a_deactivated_gateway_is_critical() -> Result<()> {
    let watch = Watch::new(WorldOptions::default()).await?;
    watch.run(&[]).await?.good()?;
    let stakers = Stakers::new(&watch.world.devnet, 0, 1).await?;
    let daemon = watch.world.operator.start().await?;
    let stakes = stakers.request_all(&watch.world.devnet, Pace::Natural).await?;
    watch.world.finish(&daemon, &stakes, LIMIT).await?;
    watch.world.operator.stop(daemon).await?;
    watch.run(&[]).await?.good()?;
    let steps = ["Stake requested", "Stake intent declared", "Stake intent confirmed", "Stake progressed", "Minted"];
    let told = steps.map(|title| watch.count_informed(title));
    assert_eq!(told, [1; 5], "{:?}", watch.informed());
    ensure!(watch.count_informed("Gateway proven") >= 1 && watch.count_informed("State root available") >= 1);
    assert_eq!(watch.warned(), [], "nothing was wrong");
    let gateway = watch.world.devnet.contracts.origin.gateway;
    watch.world.devnet.owner_calls(Side::Origin, &[(gateway, call("deactivateGateway()", &[]))]).await?;
    for _ in 0..2 {
        watch.run(&[]).await?.good()?;
        assert_eq!(watch.warned(), [("fatal".to_owned(), "Gateway deactivated".to_owned())]);
    }
    assert_eq!(watch.count_informed("Minted"), 1);
    Ok(())
}

/// MT8, first half.
#[tokio::test]
async fn a_message_that_nobody_finishes_is_warned_of_once() -> Result<()> {
    let watch = Watch::new(WorldOptions { anchoring: None, ..WorldOptions::default() }).await?;
    watch.set_number("unfinished_blocks", 20)?;
    watch.run(&[]).await?.good()?;
    let stakers = Stakers::new(&watch.world.devnet, 0, 1).await?;
    let daemon = watch.world.operator.start().await?;
    stakers.request_all(&watch.world.devnet, Pace::Natural).await?;
    reaches(&watch.world, "ACCEPTED").await?;
    watch.world.operator.stop(daemon).await?;
    watch.run(&[]).await?.good()?;
    watch.world.devnet.origin.mine(15).await?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.count("warning", "Message unfinished"), 0, "it is not time yet");
    for _ in 0..3 {
        watch.world.devnet.origin.mine(6).await?;
        watch.run(&[]).await?.good()?;
    }
    assert_eq!(watch.count("warning", "Message unfinished"), 1);
    Ok(())
}

/// A monitor among the facilitator's children.
#[tokio::test]
async fn a_facilitator_watches_by_itself_and_starts_its_monitor_again() -> Result<()> {
    let mut watch = Watch::new(WorldOptions::default()).await?;
    watch.set_number("interval_s", 1)?;
    // Without nodes of its own it asks those that the facilitator works with.
    watch.world.operator.unset_variable("ETHEREUM_URL");
    watch.world.operator.unset_variable("AUXILIARY_URL");
    let stakers = Stakers::new(&watch.world.devnet, 0, 2).await?;
    let daemon = watch.world.operator.start_with(&["--monitor"]).await?;
    let stakes = stakers.request_all(&watch.world.devnet, Pace::Natural).await?;
    watch.world.finish(&daemon, &stakes, LIMIT).await?;
    let [monitor] = daemon.in_role("monitor")[..] else { anyhow::bail!("no monitor: {}", daemon.log_tail()) };
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(monitor)?), nix::sys::signal::Signal::SIGKILL)?;
    let start = Instant::now();
    // Its run was cut off anywhere; the next one begins once that counts as dead.
    while watch.count_informed("Minted") < 2 || daemon.in_role("monitor").is_empty() {
        ensure!(start.elapsed() < LIMIT, "{:?}\n{}", watch.informed(), daemon.log_tail());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let children = watch.world.operator.status().await?["standing"]["children"].to_string();
    assert!(children.contains("\"monitor\""), "{children}");
    watch.world.operator.stop(daemon).await?;
    // The one event that was on its way when it was killed may have come twice, never two that differ.
    let letters = watch.discord.taken();
    let told = ["Stake requested", "Stake progressed", "Minted"].map(|title| {
        let named = letters.iter().filter(|letter| letter.body.contains(&format!("\"{title}\"")));
        named.map(|letter| letter.body.as_str()).collect::<BTreeSet<_>>().len()
    });
    assert_eq!(told, [2; 3]);
    Ok(())
}
