//! What ends badly, with a reason that says what to do.

use crate::{
    chain::{Chain, fine, hopeless, unlucky},
    world::{World, plain, settings, submit},
};
use facilitator_eth::{U256, abi::Revert};
use facilitator_protocol::model::{RequestId, Step};
use facilitator_sender::{Failure, Settings, Submit, SubmitAnswer};

fn reason() -> Revert {
    Revert::Reason("Stake request must exists.".to_owned())
}

#[tokio::test]
async fn what_would_revert_is_never_sent() {
    let mut world = World::new().await;
    let dependent = Submit { after: Some("bad".to_owned()), ..plain(2) };
    world.submit(vec![submit("bad", hopeless()), dependent, plain(1)]).await;
    world.head().await;
    assert_eq!(world.failure("bad"), Some(&Failure::WouldRevert(reason())));
    assert!(matches!(world.failure("plain:2"), Some(Failure::DependencyFailed(_))));
    world.blocks(5).await;
    assert!(world.is_final("plain:1"));
    assert_eq!(world.node.chain().seen.len(), 1);
    // A failed intent may be tried again.
    assert_eq!(world.submit(vec![submit("bad", fine(3))]).await, [SubmitAnswer::Queued]);
    world.blocks(5).await;
    assert!(world.is_final("bad"));
}

#[tokio::test]
async fn a_revert_counts_when_it_is_final() {
    let mut world = World::waiting().await;
    let dependent = Submit { after: Some("unlucky".to_owned()), ..plain(2) };
    world.submit(vec![submit("unlucky", unlucky()), dependent, plain(1)]).await;
    world.head().await;
    world.blocks(3).await;
    assert_eq!(world.failure("unlucky"), None, "a reorg may still undo it");
    world.restart().await;
    world.blocks(1).await;
    let expected = Failure::Reverted { hash: world.node.chain().mined()[0].hash, block: 1, reason: reason() };
    assert_eq!(world.failure("unlucky"), Some(&expected));
    assert!(matches!(world.failure("plain:2"), Some(Failure::DependencyFailed(_))));
    // The nonce is used all the same.
    world.submit(vec![plain(3)]).await;
    world.blocks(5).await;
    assert!(world.is_final("plain:3"));
}

/// Protocol.md R22: those who asked for accepts at the same time did not see each other's bounties.
#[tokio::test]
async fn accepts_leave_what_finishing_them_needs() {
    let settings = Settings { min_balance: U256::from(1_000u64), gas_after_accept: 10_000, ..settings() };
    let mut world = World::with(Chain::new(Some(100)), settings, 1).await;
    // 50,000 gas with a fifth on top at 210 wei, a bounty, and 10,000 gas at 210 wei to be kept for each.
    let (gas, bounty, kept) = (12_600_000_u64, 50_000_000_u64, 2_100_000_u64);
    let three = 3 * (gas + bounty + kept);
    world.node.chain().balances.insert(world.account(), U256::from(three - 1));
    let accept = |n: u64| Submit { step: Step::Accept, value: U256::from(bounty), ..plain(n) };
    world.submit((0..3).map(accept).collect()).await;
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 2, "the third would leave too little for all three");
    // What is no accept may use what is kept: it is kept for that.
    world.submit(vec![plain(9)]).await;
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 3);
    // The two are mined, not final: what they leave to be paid is still kept.
    world.node.chain().balances.insert(world.account(), U256::from(gas + bounty + 3 * kept - 1));
    world.blocks(1).await;
    let needed = U256::from(gas + bounty + 3 * kept);
    let has = U256::from(gas + bounty + 3 * kept - 1);
    assert_eq!(world.failure("plain:2"), Some(&Failure::InsufficientFunds { account: world.account(), needed, has }));
}

#[tokio::test]
async fn money_is_counted_for_all_in_flight() {
    let mut world = World::waiting().await;
    // 50,000 gas with a fifth on top at 210 wei: 12,600,000 wei for each.
    let cost = 12_600_000_u64;
    world.node.chain().balances.insert(world.account(), U256::from(2 * cost + 1));
    world.submit((0..3).map(plain).collect()).await;
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 2);
    assert_eq!(world.last("plain:2"), None, "it waits for what the others give back");
    world.node.chain().balances.insert(world.account(), U256::from(cost - 1));
    world.blocks(1).await;
    let failure = world.failure("plain:2").unwrap();
    assert_eq!(
        failure,
        &Failure::InsufficientFunds { account: world.account(), needed: U256::from(cost), has: U256::from(cost - 1) }
    );
}

#[tokio::test]
async fn a_price_above_the_cap_is_not_paid() {
    let mut world = World::new().await;
    world.node.chain().base_fee = Some(10_001);
    world.submit(vec![plain(1)]).await;
    world.head().await;
    let expected = Failure::FeeCap { needed: U256::from(10_001u64), cap: U256::from(10_000u64) };
    assert_eq!(world.failure("plain:1"), Some(&expected));
    assert!(world.node.chain().seen.is_empty());
}

#[tokio::test]
async fn a_node_that_can_not_estimate_is_given_ten_blocks() {
    let mut world = World::new().await;
    world.node.chain().estimate_error = Some("header not found");
    world.submit(vec![plain(1)]).await;
    world.blocks(9).await;
    assert_eq!(world.last("plain:1"), None);
    world.blocks(1).await;
    assert!(matches!(world.failure("plain:1"), Some(Failure::Unreachable(_))), "{:?}", world.outcomes);
}

#[tokio::test]
async fn a_request_that_a_reorg_deleted_harms_nobody() {
    let mut world = World::new().await;
    let gone = Submit { request_id: Some(RequestId(77)), ..plain(1) };
    assert_eq!(world.submit(vec![gone, plain(2)]).await, [SubmitAnswer::Queued, SubmitAnswer::Queued]);
    world.blocks(5).await;
    assert!(world.is_final("plain:1") && world.is_final("plain:2"));
}
