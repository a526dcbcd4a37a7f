//! The devnet itself: the contracts work, and a straight script carries stakes through them.

use anyhow::Result;
use facilitator_eth::U256;
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    anvil::{Anvil, AnvilOptions, Mining},
    devnet::{Devnet, DevnetOptions, Funds},
    node::{Node, Pace},
    rpc_proxy::{Fault, RpcProxy},
    stakers::Stakers,
    straight::{self, Step, Workers},
    verify,
};
use serde_json::json;
use std::time::Duration;

async fn straight_run(options: DevnetOptions, count: usize) -> Result<straight::Outcome> {
    let devnet = Devnet::start(options).await?;
    let workers = Workers::new(&devnet)?;
    let funds = Funds::default();
    devnet.enroll(&[workers.origin.address], &[workers.auxiliary.address], funds).await?;
    let _anchoring = Anchoring::start(&devnet, Policy::default());
    let stakers = Stakers::new(&devnet, 0, count).await?;
    let stakes = stakers.request_all(&devnet, Pace::Hurried).await?;
    let nodes = (&devnet.origin, &devnet.auxiliary);
    let outcome = straight::run(&devnet, nodes, &workers, &stakes, Duration::from_millis(20)).await?;

    let ledger = verify::finished(&devnet, &stakes).await?;
    verify::one_proof_per_height(&ledger)?;
    assert_eq!(verify::bounty_balances(&devnet, &[workers.origin.address]).await?, [funds.bounty]);
    assert!(ledger.lives.values().all(|life| life.reward > U256::ZERO));
    let count = count as u64;
    for step in [Step::Accept, Step::Confirm, Step::ProgressStake, Step::ProgressMint] {
        assert_eq!(outcome.gas[&step].0, count, "{step:?}");
    }
    Ok(outcome)
}

#[tokio::test]
async fn a_straight_script_finishes_ten_stakes() -> Result<()> {
    straight_run(DevnetOptions::default(), 10).await.map(|_| ())
}

#[tokio::test]
async fn stakes_cross_on_a_chain_without_a_base_fee() -> Result<()> {
    let options = DevnetOptions {
        mining: Mining::Every(Duration::from_millis(200)),
        hardfork: Some("berlin".into()),
        ..DevnetOptions::default()
    };
    straight_run(options, 2).await.map(|_| ())
}

#[tokio::test]
async fn the_proxy_counts_what_passes_and_makes_trouble_when_told() -> Result<()> {
    let options = AnvilOptions {
        chain_id: 3,
        mining: Mining::Auto,
        hardfork: None,
        gas_limit: None,
        slots_in_an_epoch: None,
        port: None,
    };
    let anvil = Anvil::start(&options).await?;
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
