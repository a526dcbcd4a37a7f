//! The exact allowance for the accepts in flight (protocol.md R13).

use crate::{
    chain::{TARGET, TOKEN, spend},
    world::{CHAIN, World, accept, key},
};
use facilitator_eth::{
    U256,
    tx::{Fee, Transaction},
};
use facilitator_protocol::model::Step;
use facilitator_sender::{Failure, SubmitAnswer};

#[tokio::test]
async fn one_approval_of_the_exact_sum_serves_all_that_wait() {
    let mut world = World::waiting().await;
    world.submit((0..100).map(|tag| accept(tag, 5)).collect()).await;
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 1, "the approval alone");
    world.blocks(1).await;
    assert_eq!(world.node.chain().allowance(world.account(), TARGET), U256::from(500u64));
    assert_eq!(world.node.chain().pool.len(), 100);
    world.blocks(4).await;
    assert!((0..100).all(|tag| world.is_final(&format!("accept:{tag}"))));
    assert_eq!(world.node.chain().seen.len(), 101);
    assert_eq!(world.node.chain().allowance(world.account(), TARGET), U256::ZERO);
}

#[tokio::test]
async fn later_accepts_never_take_the_allowance_of_earlier_ones() {
    for mut world in [World::new().await, World::waiting().await] {
        world.node.chain().capacity = 4;
        for round in 0..10 {
            // New ones arrive while approvals and accepts of the earlier rounds are in flight.
            let news = (0..3).map(|n| accept(round * 3 + n, 5 + n)).collect();
            world.submit(news).await;
            world.blocks(1).await;
        }
        world.blocks(16).await;
        for tag in 0..30 {
            let last = world.last(&format!("accept:{tag}"));
            assert!(world.is_final(&format!("accept:{tag}")), "accept:{tag}: {last:?}");
        }
        assert!(world.node.chain().mined().iter().all(|mined| mined.success));
        assert_eq!(world.node.chain().allowance(world.account(), TARGET), U256::ZERO);
    }
}

#[tokio::test]
async fn an_approval_survives_a_restart_at_any_block() {
    for killed_at in 0..12 {
        let mut world = if killed_at < 6 { World::new().await } else { World::waiting().await };
        world.submit(vec![accept(1, 5), accept(2, 7)]).await;
        for block in 0..8 {
            if block == killed_at % 6 {
                world.restart().await;
            }
            world.blocks(1).await;
        }
        let mined = world.node.chain().mined();
        assert_eq!(mined.len(), 3, "killed at {killed_at}: one approval, two accepts");
        assert!(mined.iter().all(|mined| mined.success));
    }
}

#[tokio::test]
async fn accepts_fail_with_the_reason_of_their_approval() {
    let mut world = World::new().await;
    world.node.chain().balances.insert(world.account(), U256::from(7u64));
    world.submit(vec![accept(1, 5)]).await;
    world.head().await;
    match world.failure("accept:1") {
        Some(Failure::DependencyFailed(reason)) => assert!(reason.contains("send base coin"), "{reason}"),
        other => panic!("{other:?}"),
    }
    // Once the account has money, asking again works.
    world.node.chain().balances.clear();
    assert_eq!(world.submit(vec![accept(1, 5)]).await, [SubmitAnswer::Queued]);
    world.blocks(6).await;
    assert!(world.is_final("accept:1"));
    let steps: Vec<Step> = world.store.journal(CHAIN).live().await.unwrap().iter().map(|entry| entry.step).collect();
    assert!(steps.is_empty(), "{steps:?}");
}

/// Each accept alone would succeed when estimated, but the account can't pay for all of them.
#[tokio::test]
async fn only_as_many_accepts_are_signed_as_the_tokens_cover_oldest_first() {
    let mut world = World::new().await;
    let account = world.account();
    world.node.chain().set_tokens(account, 12);
    world.submit(vec![accept(1, 5), accept(2, 5), accept(3, 5), accept(4, 2)]).await;
    world.blocks(6).await;
    let (needed, has) = (U256::from(5u64), U256::from(2u64));
    let short = Failure::InsufficientTokens { account, token: TOKEN, needed, has };
    assert_eq!(world.failure("accept:3"), Some(&short));
    assert!([1, 2, 4].iter().all(|tag| world.is_final(&format!("accept:{tag}"))), "{:?}", world.outcomes);
    let chain = world.node.chain();
    assert!(chain.mined().iter().all(|mined| mined.success), "nothing is mined in vain");
    assert_eq!(chain.seen.len(), 4, "one approval, three accepts");
    assert_eq!(chain.allowance(account, TARGET), U256::ZERO, "nothing is approved that is not taken");
}

#[tokio::test]
async fn accepts_in_flight_have_taken_their_tokens_already() {
    let mut world = World::waiting().await;
    let account = world.account();
    world.node.chain().set_tokens(account, 10);
    world.submit(vec![accept(1, 5), accept(2, 5)]).await;
    world.head().await;
    world.blocks(1).await;
    assert_eq!(world.node.chain().pool.len(), 2, "two accepts after their approval");
    world.submit(vec![accept(3, 5)]).await;
    world.work().await;
    let short = Failure::InsufficientTokens { account, token: TOKEN, needed: U256::from(5u64), has: U256::ZERO };
    assert_eq!(world.failure("accept:3"), Some(&short));
    world.blocks(5).await;
    world.node.chain().set_tokens(account, 5);
    assert_eq!(world.submit(vec![accept(3, 5)]).await, [SubmitAnswer::Queued]);
    world.blocks(6).await;
    assert!((1..4).all(|tag| world.is_final(&format!("accept:{tag}"))), "{:?}", world.outcomes);
}

#[tokio::test]
async fn tokens_are_asked_for_only_while_accepts_wait() {
    let mut world = World::new().await;
    world.submit(vec![accept(1, 5), accept(2, 5)]).await;
    world.head().await;
    let calls = world.node.chain().method_count("eth_call");
    assert_eq!(calls, 2, "one allowance, one balance");
    world.blocks(1).await;
    let calls = world.node.chain().method_count("eth_call");
    world.blocks(5).await;
    assert_eq!(world.node.chain().method_count("eth_call"), calls);
}

/// The approval is named after the accept that needs it, and the journal knows that name as done: another approval, under
/// the same name, has to be possible.
#[tokio::test]
async fn an_allowance_that_somebody_else_used_up_is_approved_again() {
    let mut world = World::waiting().await;
    world.submit(vec![accept(1, 5)]).await;
    world.head().await;
    world.blocks(1).await;
    assert_eq!(world.node.chain().pool.len(), 1, "the accept, after its approval");
    let fee = Fee::Dynamic { max_fee: U256::from(9_000u64), max_priority: U256::from(9u64) };
    let (value, data) = (U256::ZERO, spend(5));
    let theirs = Transaction { chain_id: CHAIN, nonce: 1, to: TARGET, value, data, gas_limit: 60_000, fee };
    world.node.chain().put(&theirs, &key(1));
    world.blocks(14).await;
    assert!(world.is_final("accept:1"), "{:?}", world.outcomes);
    {
        let chain = world.node.chain();
        assert!(chain.mined().iter().all(|mined| mined.success));
        assert_eq!(chain.allowance(world.account(), TARGET), U256::ZERO);
        assert_eq!(chain.count(world.account()), 4, "two approvals, theirs, and the accept");
    }
    assert!(world.store.journal(CHAIN).live().await.unwrap().is_empty());
}
