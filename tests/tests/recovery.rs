//! What was lost on this side is found again on the chains: config and chains are enough (law 3).

use anyhow::Result;
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    database,
    devnet::DevnetOptions,
    kind::Kind,
    node::Pace,
    operator::RequestRow,
    requesters::Requesters,
    verify,
    world::{World, WorldOptions},
};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(90);

fn without_anchors() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, anchoring: None, confirmations: 1, ..WorldOptions::default() }
}

fn all_in<'a>(state: &'a str, count: usize) -> impl Fn(&[RequestRow]) -> bool + 'a {
    move |rows| rows.len() == count && rows.iter().all(|row| row.state == state)
}

/// A world with three who will ask.
async fn begin(kind: Kind) -> Result<(World, Requesters)> {
    let world = World::new(without_anchors()).await?;
    let requesters = Requesters::at(&world.devnet, kind, world.devnet.contracts.first(), 0, 3).await?;
    Ok((world, requesters))
}

#[tokio::test]
async fn stakes_that_were_accepted_before_the_database_was_lost_are_finished() -> Result<()> {
    accepted_ones_are_finished(Kind::Stake).await
}

#[tokio::test]
async fn redeems_that_were_accepted_before_the_database_was_lost_are_finished() -> Result<()> {
    accepted_ones_are_finished(Kind::Redeem).await
}

async fn accepted_ones_are_finished(kind: Kind) -> Result<()> {
    let (world, requesters) = begin(kind).await?;
    let daemon = world.operator.start().await?;
    let requests = requesters.request_all(&world.devnet, Pace::Natural).await?;
    world.operator.wait_requests(LIMIT, all_in("ACCEPTED", 3)).await?;
    world.operator.stop(daemon).await?;

    database::lose(&world.operator.config)?;
    let daemon = world.operator.start().await?;
    world.operator.wait_requests(LIMIT, all_in("ACCEPTED", 3)).await?;
    let _anchoring = Anchoring::start(&world.devnet, Policy::default());
    let ledger = world.finish(&daemon, &requests, LIMIT).await?;
    verify::one_proof_per_height(&ledger)?;
    world.operator.wait_requests(LIMIT, all_in("COMPLETE", 3)).await?;
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn a_database_lost_between_sending_and_mining_does_not_double_an_accept() -> Result<()> {
    no_accept_is_doubled(Kind::Stake).await
}

#[tokio::test]
async fn a_database_lost_between_sending_and_mining_does_not_double_the_accept_of_a_redeem() -> Result<()> {
    no_accept_is_doubled(Kind::Redeem).await
}

async fn no_accept_is_doubled(kind: Kind) -> Result<()> {
    let (world, requesters) = begin(kind).await?;
    let mut daemon = world.operator.start().await?;
    let requests = requesters.request_all(&world.devnet, Pace::Natural).await?;
    // In the middle of approving and accepting, several times over.
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(350)).await;
        daemon.kill().await?;
        database::lose(&world.operator.config)?;
        daemon = world.operator.start().await?;
    }
    let _anchoring = Anchoring::start(&world.devnet, Policy::default());
    world.finish(&daemon, &requests, LIMIT).await?;
    world.operator.stop(daemon).await
}
