//! What others do of the own facilitator's work, and what is nobody's work.

use anyhow::{Context as _, Result, ensure};
use facilitator_eth::B256;
use facilitator_tests::{
    calls::{call, word},
    devnet::{Devnet, Side},
    direct::DirectSender,
    events::{self, Event},
    node::Pace,
    operator::RequestRow,
    rpc_proxy::{Fault, Request},
    stakers::Stakers,
    stranger::Stranger,
    watch::Watch,
    world::WorldOptions,
};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Lets so many transactions through, and then none.
pub(crate) fn only_transactions(most: usize) -> impl FnMut(&Request<'_>) -> Fault + Send + 'static {
    let mut passed = 0;
    move |request| {
        let sent = request.methods.iter().filter(|method| *method == "eth_sendRawTransaction").count();
        if sent > 0 && passed >= most {
            return Fault::Status(503);
        }
        passed += sent;
        Fault::None
    }
}

/// Another facilitator is faster. A message that the hunter has taken up was never ours to accept.
#[tokio::test]
async fn a_request_that_another_worker_accepts_is_warned_of_and_a_message_to_hunt_is_not() -> Result<()> {
    let watch = Watch::new(WorldOptions::default()).await?;
    let (world, devnet) = (&watch.world, &watch.world.devnet);
    world.price_everything_at_one()?;
    world.operator.edit_config(|config| {
        config["hunter"] = json!({ "enabled": true, "after_blocks": 1, "min_profit": "0" });
    })?;
    watch.run(&[]).await?.good()?;
    let stakers = Stakers::new(devnet, 0, 1).await?;
    let stranger = Stranger::new(devnet).await?;
    let left = DirectSender::staker(devnet, 0, stakers.ask(devnet, 0)).await?.declare(devnet).await?;
    devnet.origin.mine(3).await?;
    world.origin_proxy.set_rule(only_transactions(0));
    world.auxiliary_proxy.set_rule(only_transactions(0));
    let stakes = stakers.request_all(devnet, Pace::Natural).await?;
    let daemon = world.operator.start().await?;
    let is_begun = |row: &RequestRow| row.transactions.iter().any(|one| one.hash.is_some());
    world.operator.wait_requests(LIMIT, |rows| rows.len() == 2 && rows.iter().all(is_begun)).await?;
    drop(daemon.kill().await?);
    stranger.accept(devnet, &stakes[0]).await?;
    for _ in 0..2 {
        watch.run(&[]).await?.good()?;
    }
    let told = watch.once("warning", "Accepted by another worker")?;
    assert_ne!(told["message_hash"], left.hash.to_string());
    assert_eq!(told["staker"], stakes[0].proxy.to_string());
    assert_eq!(told["designated_worker"], world.operator.origin_workers[0].to_string());
    assert_ne!(told["worker"], told["designated_worker"]);
    Ok(())
}

/// The secret that a mint has published.
async fn published(devnet: &Devnet) -> Result<Option<(B256, B256)>> {
    for log in devnet.auxiliary.logs(&[devnet.contracts.auxiliary.cogateway], 0).await? {
        if let Some(Event::TargetProgressed { message, .. }) = events::read(&log)? {
            let secret = log.data.as_slice().last_chunk::<32>().context("no secret")?;
            return Ok(Some((message, B256(*secret))));
        }
    }
    Ok(None)
}

/// Somebody else who has seen the secret takes the bounty.
#[tokio::test]
async fn a_message_that_another_worker_progresses_is_warned_of() -> Result<()> {
    let watch = Watch::new(WorldOptions::default()).await?;
    watch.run(&[]).await?.good()?;
    let devnet = &watch.world.devnet;
    let stakers = Stakers::new(devnet, 0, 1).await?;
    // Approve and accept; the progress on this side never arrives.
    watch.world.origin_proxy.set_rule(only_transactions(2));
    let daemon = watch.world.operator.start().await?;
    stakers.request_all(devnet, Pace::Natural).await?;
    let start = std::time::Instant::now();
    let (message, secret) = loop {
        if let Some(found) = published(devnet).await? {
            break found;
        }
        ensure!(start.elapsed() < LIMIT, "never minted: {}", daemon.log_tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let progress = call("progressStake(bytes32,bytes32)", &[word(message), word(secret)]);
    devnet.owner_calls(Side::Origin, &[(devnet.contracts.origin.gateway, progress)]).await?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.warned(), [("warning".to_owned(), "Progressed by another worker".to_owned())]);
    Ok(())
}
