//! Stake and mint, end to end: the `facilitator` binary between two nodes with the published contracts.
//!
//! Each scenario is a few lines on top of [`World`]; what must hold afterwards is read from the chains.

use anyhow::{Result, ensure};
use facilitator_eth::{Address, U256};
use facilitator_tests::{
    anchoring,
    anvil::Mining,
    calls::{call, read_uint, word},
    deploy::tokens,
    devnet::{DevnetOptions, Funds, Payment, Side},
    node::Pace,
    operator::RequestRow,
    process,
    stakers::{Ask, Stakers},
    verify,
    world::{World, WorldOptions},
};
use nix::sys::signal::Signal;
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Blocks each quarter of a second: real rhythm, in a hurry.
fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, ..WorldOptions::default() }
}

fn states(requests: &[RequestRow]) -> Vec<&str> {
    requests.iter().map(|request| request.state.as_str()).collect()
}

fn all_in(state: &str) -> impl Fn(&[RequestRow]) -> bool {
    move |requests| !requests.is_empty() && requests.iter().all(|request| request.state == state)
}

/// `count` stakers ask at once; every one of them must end as minted tokens, each step exactly once.
async fn stakes_finish(count: usize, options: WorldOptions) -> Result<()> {
    let world = World::new(options).await?;
    let funds = Funds::default();
    let stakers = Stakers::new(&world.devnet, 0, count).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let ledger = world.finish(&daemon, &stakes, LIMIT).await?;
    verify::one_proof_per_height(&ledger)?;
    let bounties = verify::bounty_balances(&world.devnet, &world.operator.origin_workers).await?;
    assert!(bounties.iter().all(|balance| *balance == funds.bounty), "a bounty did not come back: {bounties:?}");
    for (node, workers) in [
        (&world.devnet.origin, &world.operator.origin_workers),
        (&world.devnet.auxiliary, &world.operator.auxiliary_workers),
    ] {
        let spent = verify::spent(node, workers, 0).await?;
        assert_eq!(spent.reverted, 0, "transactions reverted on chain {}: {spent:?}", node.chain_id);
    }
    let requests = world.operator.wait_requests(LIMIT, all_in("COMPLETE")).await?;
    assert_eq!(requests.len(), count, "{:?}", states(&requests));
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn one_stake_ends_as_minted_tokens() -> Result<()> {
    stakes_finish(1, quick()).await
}

#[tokio::test]
async fn ten_stakes_at_once_through_two_keys_a_chain() -> Result<()> {
    stakes_finish(10, WorldOptions { workers: 2, confirmations: 2, ..quick() }).await
}

#[tokio::test]
async fn a_hundred_stakes_at_once() -> Result<()> {
    stakes_finish(100, quick()).await
}

/// The confirmations of a height go into the block of its proof, so nobody waits a block for it.
#[tokio::test]
async fn confirmations_share_the_block_of_their_proof() -> Result<()> {
    let world = World::new(quick()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 5).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let ledger = world.finish(&daemon, &stakes, LIMIT).await?;
    let confirmed = |block| ledger.lives.values().any(|life| life.confirmed.iter().any(|place| place.block == block));
    let proofs = ledger.proven.values().flat_map(|(new, _)| new);
    ensure!(proofs.map(|place| place.block).any(confirmed), "{ledger:?}");
    world.nothing_reverted().await?;
    world.operator.stop(daemon).await
}

/// Nodes that can't try out sequences of transactions: what relies on another waits until that is mined.
#[tokio::test]
async fn stakes_through_nodes_without_sequences() -> Result<()> {
    let world = World::new(quick()).await?;
    for proxy in [&world.origin_proxy, &world.auxiliary_proxy] {
        proxy.set_edit(|method, _, answer| {
            if method == "eth_simulateV1" {
                let error =
                    json!({ "code": -32601, "message": "the method eth_simulateV1 does not exist/is not available" });
                *answer = json!({ "jsonrpc": "2.0", "id": answer["id"], "error": error });
            }
        });
    }
    let stakers = Stakers::new(&world.devnet, 0, 5).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let ledger = world.finish(&daemon, &stakes, LIMIT).await?;
    verify::one_proof_per_height(&ledger)?;
    world.nothing_reverted().await?;
    for counts in world.counts() {
        let asked = counts.calls.get("eth_simulateV1").copied().unwrap_or(0);
        ensure!(asked <= 3, "asked {asked} times for what the node does not know");
    }
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn a_stake_on_chains_that_make_a_block_for_each_transaction() -> Result<()> {
    stakes_finish(3, WorldOptions::default()).await
}

#[tokio::test]
async fn a_stake_on_chains_without_a_base_fee() -> Result<()> {
    let mut options = quick();
    options.devnet.hardfork = Some("berlin".into());
    stakes_finish(2, options).await
}

#[tokio::test]
async fn two_stakes_of_one_staker_one_after_the_other() -> Result<()> {
    let world = World::new(quick()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 1).await?;
    let daemon = world.operator.start().await?;
    for expected in 1..=2 {
        // Another beneficiary each time, so that each one's balance is what this stake brought.
        let beneficiary = Address([0xb0 + expected; 20]);
        let ask = Ask { beneficiary, ..stakers.ask(&world.devnet, 0) };
        let stakes = stakers.request(&world.devnet, &[(0, ask)], Pace::Natural).await?;
        world.finish(&daemon, &stakes, LIMIT).await?;
    }
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn a_killed_parent_leaves_no_child_and_the_next_start_finishes_everything() -> Result<()> {
    let world = World::new(quick()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 10).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let daemon = world.kill_and_start(daemon).await?;
    let ledger = world.finish(&daemon, &stakes, LIMIT).await?;
    verify::one_proof_per_height(&ledger)?;
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn sigterm_ends_everything_in_order_and_nothing_is_lost() -> Result<()> {
    let world = World::new(quick()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 5).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let children = daemon.children();
    ensure!(children.len() >= 4, "two scanners and two senders at least, not {}", children.len());
    daemon.signal(Signal::SIGTERM)?;
    let status = daemon.ended().await?;
    assert_eq!(status.code(), Some(0));
    ensure!(process::all_gone(&children, Duration::from_secs(1)).await, "a child outlived its parent");

    let daemon = world.operator.start().await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn requests_made_while_nobody_ran_are_found() -> Result<()> {
    let world = World::new(quick()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 3).await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Hurried).await?;
    // A first start where there is no checkpoint begins at the configured block.
    world.operator.set_on_chains("start_block", &json!(1))?;
    let daemon = world.operator.start().await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    world.operator.stop(daemon).await
}

/// After the restart no block comes that would tell what is final: the checkpoint does.
#[tokio::test]
async fn a_root_that_was_anchored_while_nobody_ran_is_used_on_chains_that_stand_still() -> Result<()> {
    let world = World::new(WorldOptions { anchoring: None, ..WorldOptions::default() }).await?;
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Hurried).await?;
    let waits = |row: &RequestRow| row.waiting_for.as_deref().is_some_and(|what| what.contains("state root"));
    world.operator.wait_requests(LIMIT, |rows| rows.len() == 2 && rows.iter().all(waits)).await?;
    daemon.kill().await?;
    anchoring::once(&world.devnet, Side::Origin).await?;
    let daemon = world.operator.start().await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn a_second_start_says_who_runs() -> Result<()> {
    let world = World::new(quick()).await?;
    let daemon = world.operator.start().await?;
    let answer = world.operator.run(&["start", "--chain-id", "1406"]).await?;
    assert_eq!(answer.code, Some(4), "{answer:?}");
    assert!(answer.stderr.contains(&daemon.pid.to_string()), "does not tell who runs: {}", answer.stderr);
    let listed = world.operator.ask(&["list", "--json"]).await?;
    assert_eq!(listed[0]["chain_id"], 1406, "{listed}");
    world.operator.stop(daemon).await?;
    let answer = world.operator.run(&["stop", "--chain-id", "1406"]).await?;
    assert_eq!(answer.code, Some(5), "{answer:?}");
    Ok(())
}

/// Requests that must not be accepted, each for its own reason, beside one that must.
#[tokio::test]
async fn bad_requests_are_left_alone_with_a_reason_and_the_good_one_goes_through() -> Result<()> {
    let world = World::new(quick()).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    operator.edit_config(|config| config["min_gas_price"] = json!("1000"))?;
    let stakers = Stakers::new(devnet, 0, 4).await?;
    let ask = |index| stakers.ask(devnet, index);
    let asks = [
        (0, ask(0)),
        // The whole amount could be the reward: the gateway would refuse to stake.
        (1, Ask { gas_price: tokens(1), ..ask(1) }),
        // Below the price that this operator works for.
        (2, Ask { gas_price: U256::from(999u64), ..ask(2) }),
        (3, ask(3)),
    ];
    operator.set_on_chains("start_block", &json!(1))?;
    let stakes = stakers.request(devnet, &asks, Pace::Hurried).await?;
    let [good, .., revoked] = stakes.as_slice() else { anyhow::bail!("four stakes") };
    stakers.revoke(devnet, 3, revoked, Pace::Hurried).await?;

    let daemon = operator.start().await?;
    let ledger = world.finish(&daemon, std::slice::from_ref(good), LIMIT).await?;
    let settled = |requests: &[RequestRow]| {
        requests.len() == 4 && requests.iter().all(|one| one.state != "REQUESTED" && one.state != "ACCEPTED")
    };
    let requests = operator.wait_requests(LIMIT, settled).await?;
    let of = |index: usize| {
        let hash = stakes.get(index).map(|stake| stake.request_hash.to_string());
        requests.iter().find(|one| Some(&one.request_hash) == hash.as_ref())
    };
    let state = |index| of(index).map(|one| one.state.as_str());
    assert_eq!([state(1), state(2), state(3)], [Some("SKIPPED"), Some("SKIPPED"), Some("REVOKED")], "{requests:#?}");
    for index in [1, 2] {
        let reason = of(index).and_then(|one| one.last_error.clone().or_else(|| one.waiting_for.clone()));
        assert!(reason.is_some_and(|text| !text.is_empty()), "no reason: {requests:#?}");
    }
    assert_eq!(ledger.lives.len(), 1, "only the good request may be declared");
    operator.stop(daemon).await
}

#[tokio::test]
async fn a_request_to_a_gateway_that_is_not_configured_is_never_accepted() -> Result<()> {
    let world = World::new(quick()).await?;
    let devnet = &world.devnet;
    let foreign = devnet.another_gateway().await?;
    let stakers = Stakers::new(devnet, 0, 2).await?;
    let daemon = world.operator.start().await?;
    let asks = [(0, Ask { gateway: foreign, ..stakers.ask(devnet, 0) }), (1, stakers.ask(devnet, 1))];
    let stakes = stakers.request(devnet, &asks, Pace::Natural).await?;
    world.finish(&daemon, &stakes[1..], LIMIT).await?;

    let pending = call("stakeRequests(bytes32)", &[word(stakes[0].request_hash)]);
    let pending = devnet.origin.view(devnet.contracts.origin.composer, pending).await?;
    assert_eq!(read_uint(&pending)?, U256::ONE, "the request must stand untouched");
    let hash = stakes[0].request_hash.to_string();
    for request in world.operator.requests().await?.iter().filter(|one| one.request_hash == hash) {
        assert_eq!(request.state, "SKIPPED", "{request:#?}");
    }
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn a_worker_without_funds_accepts_nothing_until_it_has_them() -> Result<()> {
    let funds = Funds { coin: U256::ZERO, ..Funds::default() };
    let world = World::new(WorldOptions { funds, ..quick() }).await?;
    let stakers = Stakers::new(&world.devnet, 0, 1).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let waits = |requests: &[RequestRow]| requests.iter().any(|one| one.waiting_for.is_some());
    let requests = world.operator.wait_requests(LIMIT, waits).await?;
    assert_eq!(states(&requests), ["REQUESTED"], "{requests:#?}");

    let (origin, auxiliary) = (&world.operator.origin_workers, &world.operator.auxiliary_workers);
    for (side, workers) in [(Side::Origin, origin), (Side::Auxiliary, auxiliary)] {
        let payments: Vec<Payment> = workers.iter().map(|worker| Payment::Coin(*worker, tokens(10))).collect();
        world.devnet.pay(side, &payments).await?;
    }
    world.finish(&daemon, &stakes, LIMIT).await?;
    world.operator.stop(daemon).await
}
