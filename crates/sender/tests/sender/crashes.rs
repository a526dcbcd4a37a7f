//! Killed anywhere: the same bytes are sent again, and nothing happens twice.

use crate::{
    chain::fine,
    http::Fault,
    world::{World, accept, plain, submit},
};
use facilitator_eth::U256;
use facilitator_sender::{Failure, SenderError, Submit, SubmitAnswer, Visibility};
use facilitator_store::StoreError;

const SENT: &str = "eth_sendRawTransaction";

fn secret(tag: u64) -> Submit {
    Submit { visibility: Visibility::Reveals, ..submit(&format!("secret:{tag}"), fine(tag)) }
}

#[tokio::test]
async fn killed_before_or_after_the_broadcast_the_same_bytes_go_out_again() {
    for fault in [Fault::Lost, Fault::AnswerLost] {
        for visibility in [Visibility::Public, Visibility::Reveals] {
            let mut world = World::new().await;
            world.node.chain().break_next(SENT, fault);
            world.submit(vec![Submit { visibility, ..plain(1) }, Submit { visibility, ..plain(2) }]).await;
            world.head().await;
            world.restart().await;
            world.head().await;
            world.blocks(5).await;
            let chain = world.node.chain();
            assert_eq!(chain.seen.len(), 2, "{fault:?} {visibility:?}: two transactions, never others");
            assert_eq!((chain.effects(&fine(1)), chain.effects(&fine(2))), (1, 1));
            drop(chain);
            assert!(world.is_final("plain:1") && world.is_final("plain:2"));
        }
    }
}

#[tokio::test]
async fn killed_at_every_block_everything_still_happens_once() {
    let mut world = World::new().await;
    world.submit((0..5).map(plain).chain((0..5).map(|tag| accept(tag, 3))).collect()).await;
    for round in 0..12 {
        world.restart().await;
        let fault = [None, Some(Fault::Lost), Some(Fault::AnswerLost)][round % 3];
        if let Some(fault) = fault {
            world.node.chain().break_next(SENT, fault);
        }
        world.blocks(1).await;
    }
    world.blocks(6).await;
    let mined = world.node.chain().mined();
    assert_eq!(mined.len(), 11);
    assert!(mined.iter().all(|mined| mined.success));
    assert!(world.store.journal(crate::world::CHAIN).live().await.unwrap().is_empty());
}

#[tokio::test]
async fn mined_while_the_sender_was_dead() {
    let mut world = World::new().await;
    world.submit(vec![plain(1)]).await;
    world.node.chain().break_next(SENT, Fault::AnswerLost);
    world.head().await;
    (0..10).for_each(|_| world.node.chain().mine());
    world.restart().await;
    world.head().await;
    assert!(world.is_final("plain:1"));
    assert_eq!(world.node.chain().method_count(SENT), 1, "what is mined is not sent again");
}

#[tokio::test]
async fn a_secret_is_not_in_the_journal_before_it_is_signed() {
    let mut world = World::new().await;
    let journal = world.store.journal(crate::world::CHAIN);
    world.submit(vec![secret(1)]).await;
    assert_eq!(journal.live().await.unwrap()[0].data, None);
    // Unsigned it is lost with the process, so its worker submits it again.
    world.restart().await;
    world.head().await;
    assert_eq!(world.failure("secret:1"), Some(&Failure::Interrupted));
    assert_eq!(world.submit(vec![secret(1)]).await, [SubmitAnswer::Queued]);
    world.head().await;
    assert_eq!(journal.live().await.unwrap()[0].data, None);
    // Signed before a restart it can still be replaced: the bytes hold the call data.
    world.restart().await;
    world.node.chain().base_fee = Some(1000);
    world.blocks(8).await;
    let chain = world.node.chain();
    assert_eq!(chain.seen.len(), 2);
    assert_eq!(chain.effects(&fine(1)), 1);
}

#[tokio::test]
async fn a_node_that_is_down_delays_and_loses_nothing() {
    let mut world = World::new().await;
    for method in ["eth_getTransactionCount", "eth_estimateGas", SENT, "eth_getTransactionReceipt"] {
        world.node.chain().break_next(method, Fault::Lost);
    }
    world.submit(vec![plain(1)]).await;
    for _ in 0..4 {
        world.head().await;
    }
    world.blocks(8).await;
    assert!(world.is_final("plain:1"));
    assert_eq!(world.node.chain().seen.len(), 1);
}

#[tokio::test]
async fn a_failing_node_is_left_alone_for_longer_and_longer() {
    let mut world = World::new().await;
    world.submit(vec![plain(1)]).await;
    let mut waits = Vec::new();
    for _ in 0..4 {
        world.node.chain().break_next("eth_getBlockByNumber", Fault::Lost);
        world.work().await;
        waits.push(world.sender.next_wake().unwrap() - world.now);
        world.now += waits.last().unwrap();
    }
    assert_eq!(waits, [500, 1000, 2000, 4000]);
    let before = world.node.chain().http_requests;
    world.now -= 100;
    world.work().await;
    assert_eq!(world.node.chain().http_requests, before, "not before its time");
}

#[tokio::test]
async fn an_account_has_one_signer() {
    let mut world = World::new().await;
    let mut second = world.another("two").await.unwrap();
    let answers = second.submit(vec![plain(1)], world.now).await.unwrap();
    assert!(matches!(answers[..], [SubmitAnswer::Failed(Failure::NoAccount(_))]), "{answers:?}");
    // The first one sleeps beyond its lease; the second takes over what is in the journal.
    world.submit(vec![plain(2)]).await;
    world.head().await;
    world.now += 31_000;
    second.work(world.now).await.unwrap();
    assert_eq!(second.submit(vec![plain(2)], world.now).await.unwrap().len(), 1);
    assert_eq!(second.accounts()[0].live, 1);
    let error = world.sender.work(world.now).await.unwrap_err();
    assert!(matches!(error, SenderError::Store(StoreError::LeaseLost { .. })), "{error}");
    // At a clean end the account is free at once.
    second.close().await.unwrap();
    world.restart().await;
    assert_eq!(world.submit(vec![plain(3)]).await, [SubmitAnswer::Queued]);
    assert_eq!(world.sender.accounts()[0].balance, None::<U256>);
}

/// What it would queue then, nobody would ever sign: the new holder has read the journal already.
#[tokio::test]
async fn a_sender_that_slept_through_a_takeover_queues_nothing() {
    let mut world = World::new().await;
    let mut second = world.another("two").await.unwrap();
    world.now += 31_000;
    second.work(world.now).await.unwrap();
    let error = world.sender.submit(vec![plain(1)], world.now).await.unwrap_err();
    assert!(matches!(error, SenderError::Store(StoreError::LeaseLost { .. })), "{error}");
    assert!(world.store.journal(crate::world::CHAIN).live().await.unwrap().is_empty());
    assert_eq!(second.submit(vec![plain(1)], world.now).await.unwrap(), [SubmitAnswer::Queued]);
    assert_eq!(second.accounts()[0].live, 1);
}
