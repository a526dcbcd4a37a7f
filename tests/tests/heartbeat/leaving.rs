//! Who leaves without being silent: by an orderly stop, or because its nodes are down. Others have its requests then.

use crate::two::{LIMIT, Two, are_accepted, are_of, change, complete, finish, options, slow_down};
use anyhow::{Result, ensure};
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    node::Pace,
    requesters::Request,
    stakers::Stakers,
    world::WorldOptions,
};
use serde_json::json;

/// The first instance has accepted two stakes that nobody can finish yet; then the second one has become active.
async fn accepted_by_the_first(
    two: &Two,
) -> Result<(facilitator_tests::daemon::Daemon, facilitator_tests::daemon::Daemon, Vec<Request>)> {
    let stakers = Stakers::new(&two.world.devnet, 0, 2).await?;
    let first = two.world.operator.start().await?;
    let stakes = stakers.request_all(&two.world.devnet, Pace::Natural).await?;
    two.world.operator.wait_requests(LIMIT, are_accepted(2)).await?;
    let second = two.other.start().await?;
    two.until(&two.second().await?, "active").await?;
    Ok((first, second, stakes))
}

/// It kept them until it was found silent.
#[tokio::test]
async fn an_instance_that_stops_in_order_leaves_its_requests_to_the_others_at_once() -> Result<()> {
    let two = Two::new(WorldOptions { anchoring: None, ..options() }).await?;
    for operator in [&two.world.operator, &two.other] {
        slow_down(operator, &["son_heartbeat_frequency_ms"])?;
    }
    let (first, second, stakes) = accepted_by_the_first(&two).await?;
    let a = two.first().await?;
    two.world.operator.stop(first).await?;
    let gone = two.of(&a).await?;
    let end = change(&gone, "inactive")?;
    ensure!(end["reason"] == "it was stopped in order", "{end}");
    let _anchoring = Anchoring::start(&two.world.devnet, Policy::default());
    finish(&two, &stakes).await?;
    complete(&two.other).await?;
    are_of(&two.other).await?;
    two.other.stop(second).await
}

/// It kept them for as long as its nodes were down.
#[tokio::test]
async fn an_instance_whose_nodes_are_down_makes_room_for_one_whose_are_not() -> Result<()> {
    let two = Two::new(WorldOptions { anchoring: None, ..options() }).await?;
    let devnet = &two.world.devnet;
    two.other.edit_config(|config| {
        for node in [(3, &devnet.origin), (1406, &devnet.auxiliary)] {
            config["chains"][node.0.to_string()]["rpc"] = json!([node.1.url]);
        }
    })?;
    let (first, second, stakes) = accepted_by_the_first(&two).await?;
    let a = two.first().await?;
    for proxy in [&two.world.origin_proxy, &two.world.auxiliary_proxy] {
        proxy.set_dropping(true);
    }
    let gone = two.until(&a, "inactive").await?;
    let end = change(&gone, "inactive")?;
    ensure!(end["reason"].as_str().is_some_and(|reason| reason.contains("could not work")), "{end}");
    let _anchoring = Anchoring::start(devnet, Policy::default());
    finish(&two, &stakes).await?;
    complete(&two.other).await?;
    for proxy in [&two.world.origin_proxy, &two.world.auxiliary_proxy] {
        proxy.heal();
    }
    two.until(&a, "active").await?;
    two.other.stop(second).await?;
    two.world.operator.stop(first).await
}
