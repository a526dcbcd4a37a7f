//! The devnet itself: the contracts work, and a straight script carries stakes through them.

use anyhow::Result;
use facilitator_eth::U256;
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    anvil::{Anvil, AnvilOptions, Mining},
    devnet::{Devnet, DevnetOptions, Funds},
    kind::Kind,
    node::{Node, Pace},
    requesters::Requesters,
    rpc_proxy::{Fault, RpcProxy},
    straight::{self, Manner, Options, Step, Workers},
    verify,
};
use serde_json::json;
use std::time::Duration;

/// Chooses how state roots are anchored so that both directions end where each transaction makes a block.
const fn policy(kind: Kind) -> Policy {
    Policy { every_blocks: 1, depth: 0, only_from: Some(kind.source()) }
}

/// A node without contracts.
const fn alone(mining: Mining) -> AnvilOptions {
    AnvilOptions { chain_id: 3, mining, hardfork: None, gas_limit: None, slots_in_an_epoch: None, port: None }
}

async fn straight_run(options: DevnetOptions, kind: Kind, count: usize, manner: Manner) -> Result<straight::Outcome> {
    let devnet = Devnet::start(options).await?;
    let workers = Workers::new(&devnet)?;
    let funds = Funds::default();
    devnet.enroll(&[workers.origin.address], &[workers.auxiliary.address], funds).await?;
    let requesters = Requesters::at(&devnet, kind, devnet.contracts.first(), 0, count).await?;
    let _anchoring = Anchoring::start(&devnet, policy(kind));
    let requests = requesters.request_all(&devnet, Pace::Hurried).await?;
    let (nodes, poll) = ([&devnet.origin, &devnet.auxiliary], Duration::from_millis(20));
    let outcome = straight::run(&devnet, nodes, &workers, &requests, Options { poll, manner }).await?;

    let ledger = verify::finished(&devnet, &requests).await?;
    if manner == Manner::OncePerHeight {
        verify::one_proof_per_height(&ledger)?;
    }
    assert_eq!(verify::bounty_balances(&devnet, &[workers.origin.address]).await?, [funds.bounty]);
    assert!(requests.iter().all(|one| ledger.life(one).is_some_and(|(_, life)| life.reward > U256::ZERO)));
    let count = count as u64;
    for step in [Step::Accept, Step::Confirm, Step::ProgressSource, Step::ProgressTarget] {
        assert_eq!(outcome.gas[&step].0, count, "{step:?}");
    }
    Ok(outcome)
}

#[tokio::test]
async fn a_straight_script_finishes_ten_stakes() -> Result<()> {
    straight_run(DevnetOptions::default(), Kind::Stake, 10, Manner::OncePerHeight).await.map(|_| ())
}

/// Blocks each quarter of a second, so that several messages stand at one height.
fn paced() -> DevnetOptions {
    DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() }
}

#[tokio::test]
async fn a_straight_script_finishes_ten_redeems_and_proves_as_often_as_it_is_told() -> Result<()> {
    let once = straight_run(paced(), Kind::Redeem, 10, Manner::OncePerHeight).await?;
    let each = straight_run(paced(), Kind::Redeem, 10, Manner::ForEachMessage).await?;
    assert!(once.gas[&Step::Prove].0 < 10 && each.gas[&Step::Prove].0 == 10, "{once:?} {each:?}");
    assert!(once.total_gas() < each.total_gas(), "{once:?} {each:?}");
    Ok(())
}

#[tokio::test]
async fn stakes_cross_on_a_chain_without_a_base_fee() -> Result<()> {
    let options = DevnetOptions {
        mining: Mining::Every(Duration::from_millis(200)),
        hardfork: Some("berlin".into()),
        ..DevnetOptions::default()
    };
    straight_run(options, Kind::Stake, 2, Manner::OncePerHeight).await.map(|_| ())
}

#[tokio::test]
async fn the_proxy_counts_what_passes_and_makes_trouble_when_told() -> Result<()> {
    let anvil = Anvil::start(&alone(Mining::Auto)).await?;
    let proxy = RpcProxy::start(&anvil.url).await?;
    let node = Node::new(&proxy.url, 3)?;
    node.each("eth_blockNumber", vec![json!([]); 5]).await?;
    node.call("eth_chainId", json!([])).await?;
    let counts = proxy.counts();
    assert_eq!((counts.requests, counts.total()), (2, 6), "{counts:?}");
    assert_eq!((counts.calls["eth_blockNumber"], counts.calls["eth_chainId"]), (5, 1));

    proxy.set_rule(|request| match request.number % 4 {
        0 => Fault::Status(500),
        1 => Fault::Drop,
        2 => Fault::LoseAnswer,
        _ => Fault::None,
    });
    for number in 3..=10 {
        let passed = node.call("eth_chainId", json!([])).await.is_ok();
        assert_eq!(passed, number % 4 == 3, "request {number}");
    }
    assert_eq!(proxy.counts().since(&counts).requests, 8);
    Ok(())
}

/// A node may keep a transaction in wait for one that is mined already; then neither blocks nor sending it again help.
#[tokio::test]
async fn what_a_node_holds_back_forever_is_settled_all_the_same() -> Result<()> {
    let anvil = Anvil::start(&alone(Mining::OnDemand)).await?;
    let node = Node::new(&anvil.url, 3)?;
    let accounts = node.call("eth_accounts", json!([])).await?;
    let (payer, payee) = (&accounts[0], &accounts[1]);
    let pays = |nonce: &str| json!({ "from": payer, "to": payee, "value": "0x1", "gas": "0x5208", "nonce": nonce });
    let transactions = vec![pays("0x1"), pays("0x2")];
    let hashes = node.send_unlocked(transactions.clone()).await?;
    node.call("anvil_setNonce", json!([payer, "0x1"])).await?;
    node.mine(2).await?;
    let mined = node.receipts(&hashes).await?;
    assert!(mined.iter().all(Option::is_none), "they wait for the one with nonce 0: {mined:?}");
    assert!(node.send_unlocked(transactions.clone()).await.is_err(), "it takes what it has for known");

    let receipts = node.settle_sent(&hashes, &transactions).await?;
    assert!(receipts.iter().map(|receipt| receipt.hash).eq(hashes), "{receipts:?}");
    Ok(())
}
