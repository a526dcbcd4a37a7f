//! The way of a transaction when nothing goes wrong.

use crate::{
    chain::{Chain, fine},
    world::{self, World, key, plain, settings, submit},
};
use facilitator_eth::{B256, Bytes, U256, keccak256, tx::Fee};
use facilitator_sender::{Failure, Head, Submit, SubmitAnswer};

#[tokio::test]
async fn an_intent_is_signed_sent_mined_and_final_after_its_confirmations() {
    let mut world = World::new().await;
    assert_eq!(world.submit(vec![plain(1)]).await, [SubmitAnswer::Queued]);
    world.head().await;
    assert!(matches!(world.last("plain:1"), Some(SubmitAnswer::InFlight { nonce: 0, .. })), "{:?}", world.outcomes);
    world.blocks(1).await;
    assert!(matches!(world.last("plain:1"), Some(SubmitAnswer::Mined { block: 1, .. })));
    world.blocks(2).await;
    assert!(!world.is_final("plain:1"), "two blocks on top are not enough");
    world.blocks(1).await;
    assert!(world.is_final("plain:1"));
    assert_eq!(world.node.chain().effects(&fine(1)), 1);
}

#[tokio::test]
async fn without_confirmations_a_receipt_is_the_end() {
    let settings = facilitator_sender::Settings { confirmations: 0, ..settings() };
    let mut world = World::with(Chain::new(Some(100)), settings, 1).await;
    world.submit(vec![plain(1)]).await;
    world.head().await;
    world.blocks(1).await;
    assert!(world.is_final("plain:1"));
}

#[tokio::test]
async fn the_same_intent_causes_one_transaction_however_often_it_is_asked_for() {
    let mut world = World::new().await;
    world.submit(vec![plain(1), plain(1), plain(1)]).await;
    for _ in 0..6 {
        world.blocks(1).await;
        world.submit(vec![plain(1)]).await;
    }
    assert!(matches!(world.submit(vec![plain(1)]).await[..], [SubmitAnswer::Final { block: 2, .. }]));
    world.restart().await;
    assert!(matches!(world.submit(vec![plain(1)]).await[..], [SubmitAnswer::Final { block: 2, .. }]));
    world.blocks(2).await;
    assert_eq!(world.node.chain().seen.len(), 1);
}

#[tokio::test]
async fn a_hundred_transactions_take_few_requests() {
    let mut world = World::new().await;
    world.head().await;
    let counted = |world: &World| {
        let chain = world.node.chain();
        (chain.http_requests, chain.calls.len())
    };
    let before = counted(&world);
    world.submit((0..100).map(plain).collect()).await;
    world.work().await;
    assert_eq!(world.node.chain().pool.len(), 100);
    world.blocks(5).await;
    assert!((0..100).all(|tag| world.is_final(&format!("plain:{tag}"))));
    let after = counted(&world);
    let (requests, calls) = (after.0 - before.0, after.1 - before.1);
    // Survey, estimates, broadcast; then one a block, with the receipts of the first of them.
    assert!(requests <= 3 + 5, "{requests} HTTP requests");
    assert!(calls <= 100 + 100 + 12, "{calls} calls");
    assert_eq!(world.node.chain().method_count("eth_getTransactionReceipt"), 0);
}

/// What is sent is mostly mined in the next block: its receipts come with the counts that call for them.
#[tokio::test]
async fn the_receipts_of_a_block_come_with_the_counts() {
    let mut world = World::new().await;
    world.head().await;
    world.submit((0..20).map(plain).collect()).await;
    world.work().await;
    let before = world.node.chain().http_requests;
    world.blocks(1).await;
    assert!((0..20).all(|tag| matches!(world.last(&format!("plain:{tag}")), Some(SubmitAnswer::Mined { .. }))));
    assert_eq!(world.node.chain().http_requests, before + 1);
    // Nothing more is in flight: nobody's receipts are of interest.
    world.blocks(2).await;
    assert_eq!(world.node.chain().method_count("eth_getBlockReceipts"), 1);
    assert_eq!(world.node.chain().http_requests, before + 3);
}

/// The same of few: a transaction takes one request to be sent and seen mined each, beside what is asked before.
#[tokio::test]
async fn the_receipt_of_a_single_transaction_comes_with_the_count() {
    for confirmations in [0, 2] {
        let settings = facilitator_sender::Settings { confirmations, ..settings() };
        let mut world = World::with(Chain::new(Some(100)), settings, 1).await;
        world.head().await;
        world.submit(vec![plain(1)]).await;
        world.work().await;
        for block in 1..=confirmations + 1 {
            let before = world.node.chain().http_requests;
            world.blocks(1).await;
            assert_eq!(world.node.chain().http_requests, before + 1, "block {block} of {confirmations}");
        }
        assert!(world.is_final("plain:1"));
        assert_eq!(world.node.chain().method_count("eth_getTransactionReceipt"), 1);
        let before = world.node.chain().http_requests;
        world.blocks(3).await;
        assert_eq!(world.node.chain().http_requests, before, "a head with nothing in hand costs nothing");
    }
}

/// All receipts of a block are much, and of a chain that takes none of ours none is ours.
#[tokio::test]
async fn receipts_are_not_asked_for_while_nothing_is_mined() {
    let mut world = World::new().await;
    world.head().await;
    world.submit((0..20).map(plain).collect()).await;
    world.work().await;
    world.node.chain().capacity = 0;
    world.blocks(6).await;
    let asked = world.node.chain().method_count("eth_getBlockReceipts");
    assert!(asked <= 2, "{asked} times");
    world.node.chain().capacity = 1000;
    world.blocks(4).await;
    assert!((0..20).all(|tag| world.is_final(&format!("plain:{tag}"))), "{:?}", world.outcomes);
}

#[tokio::test]
async fn a_node_without_receipts_by_block_is_asked_for_single_ones() {
    let mut chain = Chain::new(Some(100));
    chain.knows_block_receipts = false;
    let mut world = World::with(chain, settings(), 1).await;
    world.head().await;
    world.submit((0..20).map(plain).collect()).await;
    world.work().await;
    world.blocks(5).await;
    assert!((0..20).all(|tag| world.is_final(&format!("plain:{tag}"))));
    assert_eq!(world.node.chain().method_count("eth_getTransactionReceipt"), 20);
    assert_eq!(world.node.chain().method_count("eth_getBlockReceipts"), 1, "asked once, refused, not again");
}

#[tokio::test]
async fn a_chain_without_base_fee_gets_legacy_transactions_at_the_nodes_price() {
    let mut world = World::with(Chain::new(None), settings(), 1).await;
    world.submit(vec![plain(1)]).await;
    world.head().await;
    world.blocks(4).await;
    assert!(world.is_final("plain:1"));
    let fee = world.node.chain().mined()[0].opened.transaction.fee;
    assert_eq!(fee, Fee::Legacy { gas_price: U256::from(100u64) });
    let stored = world.store.journal(world::CHAIN).by_intent("plain:1").await.unwrap().unwrap();
    let paid = stored.inclusion.map(|at| at.gas_price);
    assert_eq!(paid, Some(U256::from(100u64)), "what was paid, though the receipt does not say it");
}

/// What funds and profit were judged by: not another answer of a node that is a crowd.
#[tokio::test]
async fn a_price_that_comes_with_the_head_is_the_one_that_is_paid() {
    let mut world = World::with(Chain::new(None), settings(), 1).await;
    world.submit(vec![plain(1)]).await;
    let head = Head { number: world.node.chain().head(), base_fee: None, gas_price: Some(U256::from(70u64)) };
    world.sender.on_head(head, world.now);
    world.work().await;
    world.blocks(1).await;
    let fee = world.node.chain().mined()[0].opened.transaction.fee;
    assert_eq!(fee, Fee::Legacy { gas_price: U256::from(70u64) });
}

#[tokio::test]
async fn several_accounts_take_turns_and_a_named_one_signs_what_it_must() {
    let mut world = World::with(Chain::new(Some(100)), settings(), 3).await;
    world.submit((0..9).map(plain).collect()).await;
    let named = Submit { from: Some(key(2).address()), ..plain(9) };
    let foreign = Submit { from: Some(key(9).address()), ..plain(10) };
    let answers = world.submit(vec![named, foreign]).await;
    assert!(matches!(answers[1], SubmitAnswer::Failed(Failure::NoAccount(_))));
    world.head().await;
    world.blocks(1).await;
    let chain = world.node.chain();
    let counts: Vec<u64> = (1..=3).map(|number| chain.count(key(number).address())).collect();
    assert_eq!(counts, [3, 4, 3]);
}

#[tokio::test]
async fn what_comes_after_is_estimated_once_the_other_is_mined() {
    let mut world = World::waiting().await;
    let after = |intent: &str, tag| Submit { after: Some(intent.to_owned()), ..plain(tag) };
    let answers = world.submit(vec![plain(1), after("plain:1", 2), after("nothing", 3)]).await;
    assert_eq!(answers[..2], [SubmitAnswer::Queued, SubmitAnswer::Queued]);
    assert!(matches!(answers[2], SubmitAnswer::Failed(Failure::DependencyFailed(_))));
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 1);
    world.blocks(1).await;
    assert_eq!(world.node.chain().pool.len(), 1, "sent in the block after");
    world.blocks(4).await;
    assert!(world.is_final("plain:2"));
    // What is final long since is no obstacle either, also for a sender that starts later.
    world.restart().await;
    assert_eq!(world.submit(vec![after("plain:1", 4)]).await, [SubmitAnswer::Queued]);
    world.restart().await;
    world.head().await;
    world.blocks(5).await;
    assert_eq!(world.node.chain().effects(&fine(4)), 1);
}

#[tokio::test]
async fn what_must_return_a_word_is_not_signed_if_it_returns_another() {
    let mut world = World::new().await;
    let expecting = |tag, expect| Submit { expect: Some(expect), ..plain(tag) };
    let right = keccak256(&fine(1).0);
    world.submit(vec![expecting(1, right), expecting(2, B256([9; 32]))]).await;
    world.head().await;
    let got = Bytes(keccak256(&fine(2).0).0.to_vec());
    assert_eq!(world.failure("plain:2"), Some(&Failure::Unexpected { expected: B256([9; 32]), got }));
    world.blocks(4).await;
    assert!(world.is_final("plain:1"));
    assert_eq!(world.node.chain().seen.len(), 1);
}

#[tokio::test]
async fn without_news_of_blocks_the_sender_asks_by_itself() {
    let mut world = World::new().await;
    world.submit(vec![plain(1)]).await;
    for _ in 0..6 {
        world.work().await;
        world.now = world.sender.next_wake().unwrap().max(world.now);
        world.node.chain().mine();
    }
    assert!(world.is_final("plain:1"), "{:?}", world.outcomes);
}

#[tokio::test]
async fn limits_are_kept_and_said() {
    let settings = facilitator_sender::Settings { max_live: 5, max_in_flight: 2, ..settings() };
    let mut world = World::with(Chain::new(Some(100)), settings, 1).await;
    let answers = world.submit((0..6).map(plain).collect()).await;
    assert_eq!(answers[4], SubmitAnswer::Queued);
    assert_eq!(answers[5], SubmitAnswer::Failed(Failure::Busy { limit: 5 }));
    world.head().await;
    assert_eq!(world.node.chain().pool.len(), 2);
    world.blocks(8).await;
    assert!((0..5).all(|tag| world.is_final(&format!("plain:{tag}"))));
    assert_eq!(world.submit(vec![submit("plain:5", fine(5))]).await, [SubmitAnswer::Queued]);
}
