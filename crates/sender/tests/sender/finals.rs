//! Intents that are final in the journal while whoever submits them has just seen that the effect is missing.

use crate::{
    chain::{Chain, TARGET, fine},
    http::Fault,
    world::{CHAIN, World, accept, key, plain, settings},
};
use facilitator_eth::{
    U256,
    tx::{Fee, Transaction},
};
use facilitator_protocol::model::Step;
use facilitator_sender::{Submit, SubmitAnswer, Visibility};
use facilitator_store::journal::EntryState;

fn prove() -> Submit {
    Submit { step: Step::ProveGateway, ..plain(1) }
}

fn sent_and_effects(world: &World) -> (usize, usize) {
    let chain = world.node.chain();
    (chain.seen.len(), chain.effects(&fine(1)))
}

/// The storage root was pushed out of the gateway's ring buffer (protocol.md R18).
#[tokio::test]
async fn a_gateway_proof_whose_root_was_evicted_is_made_once_more_however_many_ask() {
    let mut world = World::new().await;
    world.submit(vec![prove()]).await;
    world.head().await;
    world.blocks(4).await;
    assert!(world.is_final("plain:1"));
    let answer = world.submit(vec![prove()]).await;
    assert!(matches!(answer[..], [SubmitAnswer::Final { .. }]), "whoever asks now may have read before it was final");
    world.blocks(1).await;
    let early = Submit { seen: 4, ..prove() };
    let answer = world.submit(vec![early]).await;
    assert!(matches!(answer[..], [SubmitAnswer::Final { .. }]), "it may have been read before it was final");
    let answers = world.submit(vec![prove(), prove()]).await;
    assert_eq!(answers, [SubmitAnswer::Queued, SubmitAnswer::Queued]);
    assert_eq!(world.submit(vec![prove()]).await, [SubmitAnswer::Queued]);
    world.work().await;
    assert!(matches!(world.submit(vec![prove()]).await[..], [SubmitAnswer::InFlight { nonce: 1, .. }]));
    world.blocks(4).await;
    assert!(matches!(world.last("plain:1"), Some(SubmitAnswer::Final { block: 6, .. })), "{:?}", world.outcomes);
    assert_eq!(sent_and_effects(&world), (2, 2));
    let journal = world.store.journal(CHAIN);
    let newest = journal.by_intent("plain:1").await.unwrap().unwrap();
    let old = journal.holding(world.account(), 0).await.unwrap().unwrap();
    assert_eq!((old.intent, old.state), (format!("plain:1#{}", old.id), EntryState::Final));
    assert!(old.inclusion.is_some() && newest.inclusion.is_some(), "both count in the ledger of gas");
    // A restart changes nothing about it.
    world.restart().await;
    assert!(matches!(world.submit(vec![prove()]).await[..], [SubmitAnswer::Final { block: 6, .. }]));
}

#[tokio::test]
async fn what_waits_for_the_proof_waits_for_the_new_one() {
    let mut world = World::waiting().await;
    world.submit(vec![prove()]).await;
    world.blocks(6).await;
    let confirm = Submit { after: Some("plain:1".to_owned()), ..plain(2) };
    world.submit(vec![prove(), confirm]).await;
    world.work().await;
    assert_eq!(world.node.chain().pool.len(), 1, "the proof alone");
    world.blocks(6).await;
    assert!(world.is_final("plain:2"), "{:?}", world.outcomes);
    assert_eq!(world.node.chain().effects(&fine(1)), 2);
}

#[tokio::test]
async fn what_stands_on_the_chain_stays_final() {
    let mut world = World::new().await;
    world.submit(vec![plain(1), plain(2)]).await;
    world.blocks(8).await;
    let asked = |world: &World| world.node.chain().method_count("eth_getTransactionReceipt");
    let before = asked(&world);
    let answers = world.submit(vec![plain(1), plain(2)]).await;
    assert!(answers.iter().all(|answer| matches!(answer, SubmitAnswer::Final { block: 2, .. })), "{answers:?}");
    assert_eq!(asked(&world), before + 2);
    // A node that is down or has forgotten the receipt proves nothing.
    world.node.chain().break_next("eth_getTransactionReceipt", Fault::Lost);
    assert!(matches!(world.submit(vec![plain(1)]).await[..], [SubmitAnswer::Final { .. }]));
    world.node.chain().forgets_receipts = true;
    world.head().await;
    assert!(matches!(world.submit(vec![plain(1)]).await[..], [SubmitAnswer::Final { .. }]));
    assert_eq!(world.node.chain().seen.len(), 2);
}

#[tokio::test]
async fn what_a_deep_reorg_dropped_is_sent_again_with_the_same_bytes() {
    for visibility in [Visibility::Public, Visibility::Reveals] {
        let mut world = World::new().await;
        let submit = Submit { visibility, ..plain(1) };
        world.submit(vec![submit.clone()]).await;
        world.head().await;
        world.blocks(4).await;
        assert!(world.is_final("plain:1"));
        world.node.chain().undo(4, |_| false);
        (0..2).for_each(|_| world.node.chain().mine());
        world.head().await;
        let answers = world.submit(vec![submit.clone(), submit]).await;
        assert!(answers.iter().all(|a| matches!(a, SubmitAnswer::InFlight { nonce: 0, .. })), "{answers:?}");
        world.outcomes.clear();
        world.work().await;
        world.blocks(5).await;
        assert!(world.is_final("plain:1"), "{:?}", world.outcomes);
        assert_eq!(sent_and_effects(&world), (1, 1));
    }
}

#[tokio::test]
async fn what_a_deep_reorg_dropped_for_another_transaction_gets_a_new_nonce() {
    let mut world = World::new().await;
    world.submit(vec![plain(1)]).await;
    world.head().await;
    world.blocks(4).await;
    world.node.chain().undo(4, |_| false);
    let fee = Fee::Dynamic { max_fee: U256::from(9_000u64), max_priority: U256::from(9u64) };
    let foreign =
        Transaction { chain_id: CHAIN, nonce: 0, to: TARGET, value: U256::ZERO, data: fine(9), gas_limit: 60_000, fee };
    world.node.chain().put(&foreign, &key(1));
    (0..8).for_each(|_| world.node.chain().mine());
    world.head().await;
    assert_eq!(world.submit(vec![plain(1)]).await, [SubmitAnswer::Queued]);
    world.work().await;
    world.blocks(4).await;
    assert!(world.is_final("plain:1"), "{:?}", world.outcomes);
    let chain = world.node.chain();
    assert_eq!((chain.effects(&fine(1)), chain.count(key(1).address())), (1, 2));
}

/// The approval is final when a fork undoes it, and nobody submits approvals but the sender itself.
#[tokio::test]
async fn an_approval_that_a_deep_reorg_dropped_for_another_transaction_is_made_anew() {
    let mut world = World::waiting().await;
    world.submit(vec![accept(1, 5)]).await;
    world.head().await;
    world.blocks(1).await;
    for _ in 0..5 {
        // The accept does not get into a block while the approval becomes final.
        world.node.chain().pool.clear();
        world.blocks(1).await;
    }
    assert_eq!(world.node.chain().count(key(1).address()), 1, "the approval alone");
    world.node.chain().pool.clear();
    world.node.chain().undo(6, |_| false);
    let fee = Fee::Dynamic { max_fee: U256::from(9_000u64), max_priority: U256::from(9u64) };
    for nonce in 0..2 {
        let foreign = Transaction {
            chain_id: CHAIN,
            nonce,
            to: TARGET,
            value: U256::ZERO,
            data: fine(9),
            gas_limit: 60_000,
            fee,
        };
        world.node.chain().put(&foreign, &key(1));
    }
    (0..8).for_each(|_| world.node.chain().mine());
    world.head().await;
    world.blocks(8).await;
    assert!(world.is_final("accept:1"), "{:?}", world.outcomes);
}

/// With instant finality a proof that is mined between a worker's look and its submission must not be made twice.
#[tokio::test]
async fn a_look_that_is_just_outdated_causes_no_second_proof() {
    let settings = facilitator_sender::Settings { confirmations: 0, ..settings() };
    let mut world = World::with(Chain::new(Some(100)), settings, 1).await;
    world.submit(vec![prove()]).await;
    world.head().await;
    world.blocks(1).await;
    assert!(matches!(world.submit(vec![prove()]).await[..], [SubmitAnswer::Final { .. }]));
    world.blocks(3).await;
    assert_eq!(world.node.chain().seen.len(), 1);
}
