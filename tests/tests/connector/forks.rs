//! Forks: shallow ones are followed, deep ones wait for an operator.

use super::LIMIT;
use anyhow::{Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    devnet::{DevnetOptions, Side},
    kind::Kind,
    node::Pace,
    requesters::Requesters,
    stakers::Stakers,
    trio::{connector, quicken_connector},
    world::{World, WorldOptions},
};
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

async fn world(confirmations: u64) -> Result<World> {
    let devnet = DevnetOptions { mining: Mining::OnDemand, ..DevnetOptions::default() };
    let world = World::new(WorldOptions { devnet, confirmations, ..WorldOptions::default() }).await?;
    quicken_connector(&world.operator)?;
    Ok(world)
}

/// One account that will ask, and the chain on which it does.
async fn one(world: &World, kind: Kind) -> Result<(Requesters, Side)> {
    let requesters = Requesters::at(&world.devnet, kind, world.devnet.contracts.first(), 0, 1).await?;
    Ok((requesters, kind.source()))
}

/// Waits until a chain is read up to its head.
async fn in_step(world: &World, side: Side) -> Result<()> {
    let start = Instant::now();
    loop {
        let head = world.devnet.node(side).head().await?;
        let found = connector(&world.operator, side).await.unwrap_or_default();
        if found["mode"] == json!("Normal") && found["height"] == json!(head) {
            return Ok(());
        }
        ensure!(start.elapsed() < LIMIT, "not in step with block {head}: {found:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// PT3: the request is known when its block is replaced; asked again, it is done once.
#[tokio::test]
async fn a_request_in_a_block_that_is_replaced_is_forgotten_and_done_once_when_it_is_made_again() -> Result<()> {
    for kind in Kind::ALL {
        replaced_and_made_again(kind).await?;
    }
    Ok(())
}

async fn replaced_and_made_again(kind: Kind) -> Result<()> {
    let world = world(0).await?;
    let (requesters, side) = one(&world, kind).await?;
    // What they have is not to be replaced.
    world.devnet.node(side).mine(6).await?;
    // Nobody accepts what pays too little.
    world.operator.edit_config(|config| config["min_gas_price"] = json!("1000000000000000"))?;
    let daemon = world.operator.start().await?;
    requesters.request_all(&world.devnet, Pace::Hurried).await?;
    let start = Instant::now();
    while world.operator.requests().await?.is_empty() {
        ensure!(start.elapsed() < LIMIT, "the request was never seen: {}", daemon.log_tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.fork(side, 5).await?;
    while !world.operator.requests().await?.is_empty() {
        ensure!(start.elapsed() < LIMIT, "the request is still there: {}", daemon.log_tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    in_step(&world, Side::Origin).await?;
    world.operator.stop(daemon).await?;
    world.operator.edit_config(|config| config["min_gas_price"] = json!("0"))?;
    let daemon = world.operator.start().await?;
    requesters.count_anew(&world.devnet).await?;
    let requests = requesters.request_all(&world.devnet, Pace::Hurried).await?;
    let start = Instant::now();
    while !world.all_complete(1).await? {
        ensure!(start.elapsed() < LIMIT, "{kind:?}: not done: {}", daemon.log_tail());
        world.step().await?;
    }
    facilitator_tests::verify::finished(&world.devnet, &requests).await?;
    world.operator.stop(daemon).await
}

/// PT4.
#[tokio::test]
async fn a_fork_of_59_blocks_is_followed_and_one_of_60_waits_for_the_operator() -> Result<()> {
    let world = world(6).await?;
    let stakers = Stakers::new(&world.devnet, 0, 1).await?;
    world.devnet.origin.mine(140).await?;
    let daemon = world.operator.start().await?;
    in_step(&world, Side::Origin).await?;

    world.fork(Side::Origin, 59).await?;
    let head = world.devnet.origin.head().await?;
    let hash = world.devnet.origin.header(&format!("{head:#x}")).await?.hash;
    let start = Instant::now();
    while !fs::read_to_string(daemon.log())?.contains("followed a fork") {
        ensure!(start.elapsed() < LIMIT, "the fork of 59 was not followed: {}", daemon.log_tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The next fork is measured from the newest block of this one.
    while !world
        .remembered(Side::Origin)
        .await?
        .iter()
        .any(|(number, found, _)| (*number, found) == (head, &hash.to_string()))
    {
        ensure!(start.elapsed() < LIMIT, "the new branch was not read: {}", daemon.log_tail());
        world.devnet.origin.mine(1).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    in_step(&world, Side::Origin).await?;
    let head = world.devnet.origin.head().await?;
    let hash = world.devnet.origin.header(&format!("{head:#x}")).await?.hash;

    // The replaced blocks are empty already: only a transaction makes another branch of them.
    let (from, to) = (world.devnet.parties.anchorer, world.devnet.parties.burner);
    let payment = json!([{ "from": from, "to": to, "value": "0x1", "gas": "0x5208" }, 0]);
    world.devnet.origin.call("anvil_reorg", json!([60, [payment]])).await?;
    let start = Instant::now();
    loop {
        let found = connector(&world.operator, Side::Origin).await?;
        let refused = found["trouble"].as_str().is_some_and(|text| text.contains("fork protection"));
        if refused && found["mode"] == json!("Resynchronise") {
            assert_eq!(found["height"], json!(head), "something was deleted: {found:#}");
            break;
        }
        ensure!(start.elapsed() < LIMIT, "the fork of 60 was not refused: {found:#}\n{}", daemon.log_tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Nothing is claimed, and the old branch is still remembered.
    let stakes = stakers.request_all(&world.devnet, Pace::Hurried).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(daemon.in_role("worker"), [] as [u32; 0], "a worker on a chain that nobody trusts");
    assert_eq!(world.count(Side::Origin, "pending").await?, 0, "a transaction on a chain that nobody trusts");
    let kept = world.remembered(Side::Origin).await?;
    let kept = kept.iter().find(|(number, ..)| *number == head - 10).map(|(_, hash, _)| hash.clone());
    assert!(kept.is_some(), "blocks were deleted");
    assert_ne!(kept, Some(hash.to_string()));

    let below = (head - 70).to_string();
    let origin = world.operator.chains[0].to_string();
    let told = world.operator.ask(&["scanner", "rewind", "--chain-id", &origin, "--to", &below, "--json"]).await?;
    assert_eq!((&told["chain_id"], &told["to"]), (&json!(world.operator.chains[0]), &json!(head - 70)), "{told:#}");
    in_step(&world, Side::Origin).await?;
    let start = Instant::now();
    while !world.all_complete(1).await? {
        ensure!(start.elapsed() < LIMIT, "not done: {}", daemon.log_tail());
        world.step().await?;
    }
    facilitator_tests::verify::finished(&world.devnet, &stakes).await?;
    world.operator.stop(daemon).await
}

/// Forks of every depth at moments of a stake's life: nothing is done twice, everything is done once.
#[tokio::test]
async fn forks_of_any_depth_at_any_moment_of_a_stake_leave_it_complete_once() -> Result<()> {
    forks_leave_it_complete_once(Kind::Stake).await
}

#[tokio::test]
async fn forks_of_any_depth_at_any_moment_of_a_redeem_leave_it_complete_once() -> Result<()> {
    forks_leave_it_complete_once(Kind::Redeem).await
}

async fn forks_leave_it_complete_once(kind: Kind) -> Result<()> {
    for (depth, after) in [(1, 0), (2, 2), (5, 4), (9, 6), (17, 8), (33, 10), (58, 12)] {
        let world = world(1).await?;
        let (requesters, side) = one(&world, kind).await?;
        let node = world.devnet.node(side);
        // So that the deepest fork reaches back to blocks that are not the request's.
        node.mine(70).await?;
        let daemon = world.operator.start().await?;
        let mut requests = requesters.request_all(&world.devnet, Pace::Hurried).await?;
        let asked_at = node.head().await?;
        for _ in 0..after {
            world.step().await?;
        }
        let head = node.head().await?;
        world.fork(side, depth).await?;
        if head - depth < asked_at {
            // The request itself is gone: made again it is the same one.
            requesters.count_anew(&world.devnet).await?;
            requests = requesters.request_all(&world.devnet, Pace::Hurried).await?;
        }
        let start = Instant::now();
        loop {
            // What was complete before the fork is so in the database until the fork is noticed: the chain says more.
            let on_chain = facilitator_tests::verify::finished(&world.devnet, &requests).await;
            if on_chain.is_ok() && world.all_complete(1).await? {
                break;
            }
            let late = || format!("depth {depth} after {after} blocks: not done\n{}", daemon.log_tail());
            ensure!(start.elapsed() < LIMIT, "{}\n{:?}", late(), on_chain.err());
            world.step().await?;
        }
        world.operator.stop(daemon).await?;
    }
    Ok(())
}
