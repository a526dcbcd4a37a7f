//! What is signed behind others of its account that are not mined yet.

use crate::{
    chain::{Chain, TARGET, TOKEN, fine, hopeless, spend},
    http::Fault,
    world::{CHAIN, World, accept, key, plain, settings, submit},
};
use facilitator_eth::{
    U256, keccak256,
    tx::{Fee, Transaction},
};
use facilitator_sender::{Failure, Settings, Submit, SubmitAnswer, Visibility};

fn after(intent: &str, tag: u64) -> Submit {
    Submit { after: Some(intent.to_owned()), ..plain(tag) }
}

/// Call data of the mined transactions in the order of their nonces.
fn mined(world: &World) -> Vec<facilitator_eth::Bytes> {
    let mut mined = world.node.chain().mined();
    mined.sort_by_key(|mined| mined.opened.transaction.nonce);
    mined.into_iter().map(|mined| mined.opened.transaction.data).collect()
}

#[tokio::test]
async fn accepts_go_into_the_block_of_their_approval() {
    let mut world = World::new().await;
    world.submit((0..100).map(|tag| accept(tag, 5)).collect()).await;
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 101, "the approval and all accepts");
    world.blocks(1).await;
    {
        let chain = world.node.chain();
        assert!(chain.mined().iter().all(|mined| mined.success));
        assert_eq!(chain.mined()[0].opened.transaction.to, TOKEN, "the approval comes first");
        assert_eq!(chain.allowance(key(1).address(), TARGET), U256::ZERO, "it was the exact need");
        assert!(chain.method_count("eth_simulateV1") <= 5, "{}", chain.method_count("eth_simulateV1"));
        assert_eq!(chain.method_count("eth_estimateGas"), 0);
    }
    world.blocks(3).await;
    assert!((0..100).all(|tag| world.is_final(&format!("accept:{tag}"))));
}

#[tokio::test]
async fn accepts_that_come_later_get_an_approval_of_their_own_behind_the_others() {
    let mut world = World::new().await;
    world.head().await;
    for tag in 0..4 {
        world.submit(vec![accept(2 * tag, 5 + tag), accept(2 * tag + 1, 5)]).await;
        world.work().await;
    }
    assert_eq!(world.node.chain().pool.len(), 12, "four approvals, eight accepts");
    world.blocks(1).await;
    assert!(world.node.chain().mined().iter().all(|mined| mined.success));
    assert_eq!(world.node.chain().allowance(world.account(), TARGET), U256::ZERO);
    world.blocks(3).await;
    assert!((0..8).all(|tag| world.is_final(&format!("accept:{tag}"))), "{:?}", world.outcomes);
}

#[tokio::test]
async fn what_comes_after_another_has_the_next_nonce() {
    let mut world = World::new().await;
    let submits = vec![plain(1), after("plain:1", 2), after("plain:2", 3), after("plain:1", 4)];
    world.submit(submits).await;
    world.head().await;
    // Also what is handed over once the other is in flight.
    world.submit(vec![after("plain:3", 5)]).await;
    world.work().await;
    world.blocks(1).await;
    assert_eq!(mined(&world), [1, 2, 3, 4, 5].map(fine));
}

#[tokio::test]
async fn nothing_goes_behind_a_transaction_of_another_account() {
    let mut world = World::with(Chain::new(Some(100)), settings(), 2).await;
    let by = |number: u8, submit: Submit| Submit { from: Some(key(number).address()), ..submit };
    world.submit(vec![by(1, plain(1)), by(2, after("plain:1", 2)), by(2, plain(3))]).await;
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 2, "the two that wait for nothing");
    world.blocks(1).await;
    assert_eq!(world.node.chain().pool.len(), 1, "sent in the block after");
    world.blocks(4).await;
    assert!(world.is_final("plain:2"));
}

#[tokio::test]
async fn no_secret_goes_behind_anything() {
    let mut world = World::new().await;
    let revealing = Submit { visibility: Visibility::Reveals, ..after("plain:1", 2) };
    world.submit(vec![plain(1), revealing, plain(3)]).await;
    world.head().await;
    assert!(world.node.chain().seen.iter().all(|(_, opened)| opened.transaction.data != fine(2)));
    world.blocks(1).await;
    assert!(world.node.chain().seen.iter().any(|(_, opened)| opened.transaction.data == fine(2)));
}

/// That one fails behind others is not believed: they may be to blame, or the node's limits.
#[tokio::test]
async fn what_fails_behind_others_waits_for_them_and_is_judged_alone() {
    let mut world = World::new().await;
    let doomed = Submit { after: Some("plain:1".to_owned()), ..submit("doomed", hopeless()) };
    let wrong = Submit { expect: Some(keccak256(b"another word")), ..after("plain:1", 2) };
    let right = Submit { expect: Some(keccak256(&fine(3).0)), ..after("plain:1", 3) };
    world.submit(vec![plain(1), doomed, wrong, right]).await;
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 2, "the others wait");
    assert_eq!(world.failure("doomed"), None);
    world.blocks(1).await;
    assert!(matches!(world.failure("doomed"), Some(Failure::WouldRevert(_))), "{:?}", world.outcomes);
    assert!(matches!(world.failure("plain:2"), Some(Failure::Unexpected { .. })), "{:?}", world.outcomes);
    world.blocks(3).await;
    assert!(world.is_final("plain:3"));
    assert_eq!(world.node.chain().seen.len(), 2, "nothing is sent in vain");
}

#[tokio::test]
async fn a_node_without_sequences_is_asked_once_and_others_are_waited_for() {
    let mut chain = Chain::new(Some(100));
    chain.knows_sequences = false;
    let mut world = World::with(chain, settings(), 1).await;
    world.submit(vec![accept(1, 5), accept(2, 7), plain(3), after("plain:3", 4)]).await;
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 2, "the approval, and what needs nothing");
    world.blocks(1).await;
    assert_eq!(world.node.chain().pool.len(), 3, "what needs them, once they are mined");
    world.blocks(4).await;
    assert!([accept(1, 5), accept(2, 7), plain(4)].iter().all(|one| world.is_final(&one.intent)));
    assert_eq!(world.node.chain().method_count("eth_simulateV1"), 1);
    assert!(world.node.chain().mined().iter().all(|mined| mined.success));
}

#[tokio::test]
async fn what_is_behind_another_survives_a_restart_at_any_block() {
    for killed_at in 0..4 {
        let mut world = World::new().await;
        world.node.chain().capacity = 2;
        world.submit(vec![accept(1, 5), accept(2, 7), plain(3), after("plain:3", 4)]).await;
        for block in 0..9 {
            if block == killed_at {
                world.restart().await;
            }
            world.head().await;
            world.blocks(1).await;
        }
        let mined = world.node.chain().mined();
        assert_eq!(mined.len(), 5, "killed at {killed_at}");
        assert!(mined.iter().all(|mined| mined.success), "killed at {killed_at}");
        assert_eq!(world.node.chain().seen.len(), 5, "killed at {killed_at}: never other bytes");
    }
}

/// The worst that can happen: the approval's nonce is taken by a transaction of the same key that is not ours.
#[tokio::test]
async fn a_lost_approval_costs_the_gas_of_those_behind_it_and_no_more() {
    let limits = Settings { max_in_flight: 4, ..settings() };
    let mut world = World::with(Chain::new(Some(100)), limits, 1).await;
    world.submit((0..6).map(|tag| accept(tag, 5)).collect()).await;
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 4, "one approval and three accepts");
    let fee = Fee::Dynamic { max_fee: U256::from(9_000u64), max_priority: U256::from(9u64) };
    let (value, data) = (U256::ZERO, fine(99));
    let theirs = Transaction { chain_id: CHAIN, nonce: 0, to: TARGET, value, data, gas_limit: 60_000, fee };
    world.node.chain().put(&theirs, &key(1));
    world.blocks(4).await;
    let vain = world.node.chain().mined().iter().filter(|mined| !mined.success).count();
    assert_eq!(vain, 3, "no more than are in flight");
    for tag in 0..3 {
        assert!(matches!(world.failure(&format!("accept:{tag}")), Some(Failure::Reverted { .. })));
    }
    assert_eq!(world.submit((0..3).map(|tag| accept(tag, 5)).collect()).await, vec![SubmitAnswer::Queued; 3]);
    world.blocks(16).await;
    assert!((0..6).all(|tag| world.is_final(&format!("accept:{tag}"))), "{:?}", world.outcomes);
    let vain = world.node.chain().mined().iter().filter(|mined| !mined.success).count();
    assert_eq!(vain, 3, "the next ones find their approval");
    assert_eq!(world.node.chain().effects(&spend(5)), 6);
    assert_eq!(world.node.chain().allowance(world.account(), TARGET), U256::ZERO);
}

/// A provider may let everything else through.
#[tokio::test]
async fn a_node_that_answers_no_trials_keeps_nobody_from_being_signed() {
    let mut world = World::new().await;
    for _ in 0..40 {
        world.node.chain().break_next("eth_simulateV1", Fault::Lost);
    }
    world.submit(vec![accept(1, 5), plain(3), after("plain:3", 4)]).await;
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 2, "the approval, and what needs nothing");
    world.blocks(8).await;
    assert!(["accept:1", "plain:3", "plain:4"].iter().all(|intent| world.is_final(intent)), "{:?}", world.outcomes);
    assert!(world.node.chain().mined().iter().all(|mined| mined.success));
}

/// It must not run out of gas, and the guess of a trial might.
#[tokio::test]
async fn what_reveals_a_secret_is_estimated_alone() {
    let mut world = World::new().await;
    let revealing = |tag| Submit { visibility: Visibility::Reveals, ..plain(tag) };
    world.submit(vec![revealing(1), revealing(2), plain(3), after("plain:3", 4)]).await;
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 4);
    assert_eq!(world.node.chain().method_count("eth_estimateGas"), 2);
    assert_eq!(world.node.chain().method_count("eth_simulateV1"), 1);
}

/// What a transaction may cost at most.
fn most(transaction: &Transaction) -> U256 {
    let price = match transaction.fee {
        Fee::Dynamic { max_fee, .. } => max_fee,
        Fee::Legacy { gas_price } => gas_price,
    };
    U256::from(transaction.gas_limit).checked_mul(price).unwrap()
}

/// An approval that is not signed holds those behind it back, however well they were tried out.
#[tokio::test]
async fn without_its_approval_no_accept_is_signed() {
    let mut rich = World::new().await;
    rich.submit(vec![accept(1, 5)]).await;
    rich.head().await;
    let costs: Vec<U256> = rich.node.chain().seen.iter().map(|(_, opened)| most(&opened.transaction)).collect();
    let [approval, accepting] = costs[..] else { panic!("{costs:?}") };
    assert!(approval > accepting);
    let mut world = World::new().await;
    // Enough for an accept, if it were for that alone.
    world.node.chain().balances.insert(world.account(), accepting);
    world.submit(vec![accept(1, 5), accept(2, 5)]).await;
    world.head().await;
    assert!(world.node.chain().seen.is_empty());
    assert!(matches!(world.failure("accept:1"), Some(Failure::DependencyFailed(_))), "{:?}", world.outcomes);
}

/// Limits of gas of what waits to be mined, in the order of nonces.
fn limits(world: &World) -> Vec<u64> {
    world.node.chain().pool.values().map(|(_, opened)| opened.transaction.gas_limit).collect()
}

/// Else a block without room for one may have room for a smaller one behind it, whose nonce is wrong then.
#[tokio::test]
async fn in_a_crowd_nobody_asks_for_less_room_than_those_before() {
    let mut world = World::new().await;
    world.submit((0..30).map(|tag| accept(tag, 5)).collect()).await;
    world.head().await;
    let limits = limits(&world);
    let (approval, accepts) = limits.split_first().unwrap();
    let (few, crowd) = accepts.split_at(15);
    assert!(few.iter().all(|limit| limit < approval), "{limits:?}");
    assert_eq!(crowd, [*approval; 15]);
}

/// All have the coin for what they need, and are signed in one round.
#[tokio::test]
async fn room_that_is_only_asked_for_keeps_nobody_back() {
    let mut rich = World::new().await;
    rich.submit(vec![accept(1, 5)]).await;
    rich.head().await;
    let costs: Vec<U256> = rich.node.chain().seen.iter().map(|(_, opened)| most(&opened.transaction)).collect();
    let [approval, accepting] = costs[..] else { panic!("{costs:?}") };
    let mut world = World::new().await;
    let account = world.account();
    let sum = (0..30).fold(approval, |sum, _| sum.saturating_add(accepting));
    world.node.chain().balances.insert(account, sum);
    world.submit((0..30).map(|tag| accept(tag, 5)).collect()).await;
    world.head().await;
    let limits = limits(&world);
    assert_eq!(limits.len(), 31, "{limits:?}");
    assert!(limits[1..].iter().all(|limit| *limit == limits[1]), "{limits:?}");
}

/// A node answers nothing about a sequence whose coin is not there as a whole, each of which may be paid for.
#[tokio::test]
async fn what_brings_coin_along_is_estimated_alone() {
    let mut world = World::new().await;
    let paying = |tag| Submit { value: U256::ONE, expect: Some(keccak256(&fine(tag).0)), ..plain(tag) };
    world.submit((0..4).map(paying).chain([plain(8), after("plain:8", 9)]).collect()).await;
    world.head().await;
    let calls = |method| world.node.chain().method_count(method);
    assert_eq!([calls("eth_simulateV1"), calls("eth_estimateGas"), calls("eth_call")], [1, 4, 4]);
    assert_eq!(world.node.chain().pool.len(), 6);
}

/// By itself each takes an estimate and a call.
#[tokio::test]
async fn those_that_must_return_something_are_tried_out_together() {
    let mut world = World::new().await;
    let telling = |tag| Submit { expect: Some(keccak256(&fine(tag).0)), ..plain(tag) };
    world.submit((0..10).map(telling).collect()).await;
    world.head().await;
    let calls = |method| world.node.chain().method_count(method);
    assert_eq!([calls("eth_simulateV1"), calls("eth_estimateGas"), calls("eth_call")], [1, 0, 0]);
    assert_eq!(world.node.chain().pool.len(), 10);
    world.submit(vec![telling(11)]).await;
    world.work().await;
    let calls = |method| world.node.chain().method_count(method);
    assert_eq!(
        [calls("eth_simulateV1"), calls("eth_estimateGas"), calls("eth_call")],
        [1, 1, 1],
        "one alone is estimated"
    );
}
