//! Both directions at once, through both kinds of gateways, with the same keys.

use anyhow::Result;
use facilitator_tests::{
    anvil::Mining,
    books::Books,
    deploy::DeployOptions,
    devnet::DevnetOptions,
    kind::Kind,
    node::Pace,
    requesters::{Request, Requesters},
    world::{World, WorldOptions},
};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);

/// OSTPrime's gateway and that of a plain token, both served.
async fn world(workers: usize) -> Result<World> {
    let deploy = DeployOptions { second_pair: true, ..DeployOptions::default() };
    let mining = Mining::Every(Duration::from_millis(250));
    let devnet = DevnetOptions { mining, deploy, ..DevnetOptions::default() };
    let world = World::new(WorldOptions { devnet, workers, confirmations: 1, ..WorldOptions::default() }).await?;
    world.serve_second_pair()?;
    Ok(world)
}

/// `each` stakers and `each` redeemers at each of the two pairs.
async fn crowd(world: &World, each: usize) -> Result<Vec<Requesters>> {
    let mut crowd = Vec::new();
    for (number, pair) in world.devnet.contracts.pairs().into_iter().enumerate() {
        for kind in Kind::ALL {
            // No account is in two groups: requests of one account would wait for each other.
            crowd.push(Requesters::at(&world.devnet, kind, pair, 1000 * number, each).await?);
        }
    }
    Ok(crowd)
}

/// All ask at the same time.
async fn ask(world: &World, crowd: &[Requesters]) -> Result<Vec<Request>> {
    let [a, b, c, d] = crowd else { anyhow::bail!("two kinds at two pairs, not {}", crowd.len()) };
    let devnet = &world.devnet;
    let asked = tokio::try_join!(
        a.request_all(devnet, Pace::Natural),
        b.request_all(devnet, Pace::Natural),
        c.request_all(devnet, Pace::Natural),
        d.request_all(devnet, Pace::Natural)
    )?;
    Ok([asked.0, asked.1, asked.2, asked.3].concat())
}

#[tokio::test]
async fn fifty_stakes_and_fifty_redeems_through_both_kinds_of_gateways_end_exact_to_the_wei() -> Result<()> {
    let world = world(2).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let crowd = crowd(&world, 25).await?;
    let doctor = operator.doctor().await?;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    for pair in devnet.contracts.pairs() {
        for gateway in [pair.gateway, pair.cogateway] {
            assert!(doctor.stdout.contains(&gateway.to_string()), "no word of {gateway}: {}", doctor.stdout);
        }
    }
    let books = Books::read(devnet, operator).await?;
    let daemon = operator.start().await?;
    let requests = ask(&world, &crowd).await?;
    world.finish_exactly(&daemon, &requests, &books, LIMIT).await?;
    world.nothing_reverted().await?;
    operator.stop(daemon).await
}

#[tokio::test]
async fn a_killed_parent_finishes_both_directions_at_both_gateways_after_the_next_start() -> Result<()> {
    let world = world(1).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let crowd = crowd(&world, 2).await?;
    let books = Books::read(devnet, operator).await?;
    let daemon = operator.start().await?;
    let requests = ask(&world, &crowd).await?;
    let daemon = world.kill_and_start(daemon).await?;
    world.finish_exactly(&daemon, &requests, &books, LIMIT).await?;
    operator.stop(daemon).await
}
