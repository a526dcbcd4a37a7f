//! Nonces that jam, and reorgs that undo: healed without a restart.

use crate::{
    chain::{TARGET, fine},
    http::Fault,
    world::{CHAIN, World, key, plain},
};
use facilitator_eth::{
    U256,
    tx::{Fee, Transaction},
};
use facilitator_sender::SubmitAnswer;

fn foreign(nonce: u64) -> Transaction {
    let fee = Fee::Dynamic { max_fee: U256::from(9_000u64), max_priority: U256::from(9u64) };
    Transaction { chain_id: CHAIN, nonce, to: TARGET, value: U256::ZERO, data: fine(999), gas_limit: 60_000, fee }
}

#[tokio::test]
async fn a_foreign_transaction_of_the_same_key_costs_a_new_nonce_once_it_is_final() {
    let mut world = World::new().await;
    world.submit(vec![plain(1), plain(2)]).await;
    world.head().await;
    world.node.chain().put(&foreign(0), &key(1));
    world.blocks(3).await;
    assert_eq!(world.node.chain().seen.len(), 2, "a reorg may still let the first one in");
    world.blocks(8).await;
    assert!(world.is_final("plain:1") && world.is_final("plain:2"));
    let chain = world.node.chain();
    assert_eq!((chain.effects(&fine(1)), chain.effects(&fine(2)), chain.count(key(1).address())), (1, 1, 3));
}

/// The count at the final block is asked for once a head: a call that failed left a wake-up in the past, and the process
/// spun until the next head.
#[tokio::test]
async fn a_call_that_is_not_repeated_leaves_no_wake_up_in_the_past() {
    let mut world = World::new().await;
    world.submit(vec![plain(1)]).await;
    world.head().await;
    world.node.chain().put(&foreign(0), &key(1));
    world.node.chain().mine();
    for fault in [Fault::Spared, Fault::Lost] {
        world.node.chain().break_next("eth_getTransactionCount", fault);
    }
    world.head().await;
    let retry = world.sender.next_wake().unwrap();
    assert!(retry < world.now + 1_000, "the node is left alone for a moment");
    world.now = retry;
    world.work().await;
    assert!(world.sender.next_wake().unwrap() > world.now, "nothing is asked again, so nothing is due");
}

#[tokio::test]
async fn a_gap_is_closed_within_three_blocks() {
    let mut world = World::new().await;
    world.node.chain().put(&foreign(0), &key(1));
    world.blocks(1).await;
    world.submit(vec![plain(1)]).await;
    world.head().await;
    // The foreign transaction vanishes for good: ours with nonce 1 can't be mined any more.
    world.node.chain().undo(1, |_| false);
    world.node.chain().mine();
    world.head().await;
    world.blocks(3).await;
    assert!(matches!(world.last("plain:1"), Some(SubmitAnswer::Mined { .. })), "{:?}", world.outcomes);
    world.blocks(4).await;
    assert!(world.is_final("plain:1"));
    assert!(world.store.journal(CHAIN).live().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reorg_that_moves_a_transaction_is_followed() {
    let mut world = World::new().await;
    world.submit(vec![plain(1), plain(2)]).await;
    world.head().await;
    world.blocks(2).await;
    // The same height, another block, the same transactions two blocks later.
    world.node.chain().undo(2, |_| true);
    let waiting = std::mem::take(&mut world.node.chain().pool);
    world.node.chain().mine();
    world.node.chain().mine();
    world.head().await;
    assert!(matches!(world.last("plain:1"), Some(SubmitAnswer::InFlight { nonce: 0, .. })));
    world.node.chain().pool.extend(waiting);
    world.blocks(4).await;
    assert!(world.is_final("plain:1") && world.is_final("plain:2"));
    assert_eq!(world.node.chain().seen.len(), 2);
}

#[tokio::test]
async fn a_reorg_within_one_head_is_noticed_when_it_counts() {
    let mut world = World::new().await;
    world.submit(vec![plain(1)]).await;
    world.head().await;
    world.blocks(2).await;
    // Back in the pool and mined again before the sender hears of a new head: the count never fell.
    world.node.chain().undo(2, |_| true);
    world.node.chain().mine();
    world.blocks(3).await;
    assert!(world.is_final("plain:1"));
    let stored = world.store.journal(CHAIN).by_intent("plain:1").await.unwrap().unwrap().inclusion.unwrap();
    assert_eq!(Some(&SubmitAnswer::Final { hash: stored.hash, block: 1 }), world.last("plain:1"));
}

#[tokio::test]
async fn a_reorg_that_drops_a_transaction_leads_to_the_same_bytes() {
    let mut world = World::new().await;
    world.submit(vec![plain(1)]).await;
    world.head().await;
    world.blocks(2).await;
    world.node.chain().undo(2, |_| false);
    world.node.chain().mine();
    world.node.chain().mine();
    world.blocks(5).await;
    assert!(world.is_final("plain:1"));
    assert_eq!(world.node.chain().seen.len(), 1);
}

#[tokio::test]
async fn a_reorg_deeper_than_the_confirmations_heals_with_the_next_transaction() {
    let mut world = World::new().await;
    world.submit(vec![plain(1), plain(2)]).await;
    world.head().await;
    world.blocks(4).await;
    assert!(world.is_final("plain:1") && world.is_final("plain:2"));
    world.node.chain().undo(4, |_| false);
    (0..4).for_each(|_| world.node.chain().mine());
    world.submit(vec![plain(3)]).await;
    world.blocks(9).await;
    assert!(world.is_final("plain:3"), "{:?}", world.outcomes);
    let chain = world.node.chain();
    assert_eq!(chain.seen.len(), 3, "what was final is sent again as it was");
    assert_eq!((chain.effects(&fine(1)), chain.effects(&fine(2)), chain.effects(&fine(3))), (1, 1, 1));
}
