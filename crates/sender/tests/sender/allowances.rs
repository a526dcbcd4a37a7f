//! The exact allowance for the accepts in flight (protocol.md R13).

use crate::{
    chain::TARGET,
    world::{World, accept},
};
use facilitator_eth::U256;
use facilitator_protocol::model::Step;
use facilitator_sender::{Failure, SubmitAnswer};

#[tokio::test]
async fn one_approval_of_the_exact_sum_serves_all_that_wait() {
    let mut world = World::new().await;
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
    let mut world = World::new().await;
    for round in 0..10 {
        // New ones arrive while approvals and accepts of the earlier rounds are in flight.
        let news = (0..3).map(|n| accept(round * 3 + n, 5 + n)).collect();
        world.submit(news).await;
        world.blocks(1).await;
    }
    world.blocks(8).await;
    for tag in 0..30 {
        assert!(world.is_final(&format!("accept:{tag}")), "accept:{tag}: {:?}", world.last(&format!("accept:{tag}")));
    }
    assert!(world.node.chain().mined().iter().all(|mined| mined.success));
    assert_eq!(world.node.chain().allowance(world.account(), TARGET), U256::ZERO);
}

#[tokio::test]
async fn an_approval_survives_a_restart_at_any_block() {
    for killed_at in 0..6 {
        let mut world = World::new().await;
        world.submit(vec![accept(1, 5), accept(2, 7)]).await;
        for block in 0..8 {
            if block == killed_at {
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
    let steps: Vec<Step> =
        world.store.journal(crate::world::CHAIN).live().await.unwrap().iter().map(|entry| entry.step).collect();
    assert!(steps.is_empty(), "{steps:?}");
}
