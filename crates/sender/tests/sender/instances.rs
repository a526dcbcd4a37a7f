//! Instances that share a database: nobody signs who may not, and what one has signed another one sees through.

use crate::{
    chain::{Chain, fine},
    http::Fault,
    world::{CHAIN, World, admit, key, plain, settings, submit},
};
use facilitator_chain::rpc::{Rpc, RpcOptions};
use facilitator_eth::U256;
use facilitator_heartbeat::{Event, Params};
use facilitator_sender::{Failure, Gate, Head, Sender, Settings, Submit, SubmitAnswer};

const SENT: &str = "eth_sendRawTransaction";

/// The instance is silent: nothing of it counts from now on.
async fn retire(world: &World, name: &str) {
    let (params, then) = (Params { heartbeat_frequency_ms: 1, ..Params::default() }, world.now + 1_000);
    for other in world.store.instances().await.unwrap().iter().filter(|other| other.name != name) {
        world.store.instance_heartbeat(&other.name, then, &params, then).await.unwrap().unwrap();
    }
    world.store.tend_instances(name, &params, then).await.unwrap();
    let one = world.store.instance(name).await.unwrap().unwrap();
    assert!(!one.instance.status.may_sign(), "{one:?}");
}

async fn revive(world: &World, name: &str) {
    for event in [Event::Ready, Event::Tick { in_active_set: true }] {
        world.store.instance_event(name, event, &Params::default(), world.now).await.unwrap().unwrap();
    }
}

/// Another instance, with a key of its own.
async fn partner(world: &World) -> Sender {
    admit(&world.store, "two", &[key(7)], world.now).await;
    let rpc = Rpc::new(&world.node.url, RpcOptions::default()).unwrap();
    Sender::new(&world.store, rpc, vec![key(7)], world.settings.clone(), "two", world.now).await.unwrap()
}

async fn blocks(world: &mut World, other: &mut Sender, count: usize) {
    for _ in 0..count {
        world.node.chain().mine();
        world.now += 1_000;
        let head = {
            let chain = world.node.chain();
            Head { number: chain.head(), base_fee: chain.base_fee.map(U256::from), gas_price: None }
        };
        other.on_head(head, world.now);
        other.work(world.now).await.unwrap();
    }
}

/// It may not work from now on, and nobody has looked yet what it leaves.
async fn drop_out(world: &World, name: &str) {
    let dropped = Event::Tick { in_active_set: false };
    let status = world.store.instance_event(name, dropped, &Params::default(), world.now).await.unwrap().unwrap();
    assert!(!status.may_sign());
}

#[tokio::test]
async fn an_instance_that_may_not_work_signs_nothing_and_goes_on_once_it_may() {
    let mut world = World::new().await;
    world.submit(vec![plain(1)]).await;
    drop_out(&world, "one").await;
    world.blocks(3).await;
    assert_eq!(world.node.chain().seen.len(), 0, "signed by an inactive instance");
    assert!(world.sender.trouble().is_some_and(|text| text.contains("inactive")), "{:?}", world.sender.trouble());
    assert_eq!(world.store.instance("one").await.unwrap().unwrap().instance.statistics.txs_signed, 0);
    let refused = world.sender.submit(vec![plain(2)], world.now).await.unwrap_err();
    assert!(refused.passes(), "{refused}");
    revive(&world, "one").await;
    world.sender.set_gate(Gate::Closed);
    world.sender.set_gate(Gate::Open);
    world.blocks(5).await;
    assert!(world.is_final("plain:1"), "{:?}", world.outcomes);
    assert_eq!(world.store.instance("one").await.unwrap().unwrap().instance.statistics.txs_signed, 1);
}

/// A sender that held on to it would try to sign it, and end.
#[tokio::test]
async fn what_was_freed_while_an_instance_might_not_work_is_forgotten_by_its_sender() {
    let mut world = World::new().await;
    world.sender.set_gate(Gate::Closed);
    world.submit(vec![plain(1)]).await;
    world.work().await;
    retire(&world, "one").await;
    revive(&world, "one").await;
    world.sender.set_gate(Gate::Open);
    world.blocks(5).await;
    assert_eq!(world.failure("plain:1"), Some(&Failure::Interrupted), "{:?}", world.outcomes);
    world.submit(vec![plain(1)]).await;
    world.blocks(5).await;
    assert!(world.is_final("plain:1"), "{:?}", world.outcomes);
}

/// Nobody here could ever sign it, and as long as it stood in the journal nobody else would.
#[tokio::test]
async fn what_was_queued_for_another_instances_key_ends_with_who_sees_its_signed_ones_through() {
    let mut world = World::new().await;
    world.node.chain().break_next(SENT, Fault::Lost);
    world.submit(vec![plain(1)]).await;
    world.head().await;
    world.submit(vec![plain(2)]).await;
    let mut other = partner(&world).await;
    drop_out(&world, "one").await;
    world.now += 60_000;
    blocks(&mut world, &mut other, 6).await;
    let freed = world.store.journal(CHAIN).by_intent("plain:2").await.unwrap().unwrap();
    assert_eq!(freed.failure.unwrap().kind, "interrupted");
    other.submit(vec![plain(2)], world.now).await.unwrap();
    blocks(&mut world, &mut other, 5).await;
    let chain = world.node.chain();
    assert_eq!((chain.effects(&fine(1)), chain.effects(&fine(2)), chain.count(key(7).address())), (1, 1, 1));
}

/// Its request waited for ever: nobody has the key that could raise its fee.
#[tokio::test]
async fn what_no_block_takes_and_nobody_can_raise_is_done_with_another_key() {
    let few = Settings { max_replacements: 2, ..settings() };
    let patience = few.keyless_blocks();
    let mut world = World::with(Chain::new(Some(100)), few, 1).await;
    world.submit(vec![plain(1), plain(2)]).await;
    world.head().await;
    world.node.chain().base_fee = Some(1_000);
    let mut other = partner(&world).await;
    retire(&world, "one").await;
    world.now += 60_000;
    blocks(&mut world, &mut other, usize::try_from(patience).unwrap()).await;
    let again = other.submit(vec![plain(1)], world.now).await.unwrap();
    assert!(matches!(again[0], SubmitAnswer::InFlight { .. }), "its own instance would still try: {again:?}");
    blocks(&mut world, &mut other, 2).await;
    for intent in ["plain:1", "plain:2"] {
        let ended = world.store.journal(CHAIN).by_intent(intent).await.unwrap().unwrap();
        assert_eq!(ended.failure.unwrap().kind, "abandoned", "{intent}");
    }
    other.submit(vec![plain(1), plain(2)], world.now).await.unwrap();
    blocks(&mut world, &mut other, 6).await;
    {
        let chain = world.node.chain();
        assert_eq!((chain.effects(&fine(1)), chain.effects(&fine(2)), chain.count(key(7).address())), (1, 1, 2));
    }
    assert!(world.store.journal(CHAIN).live().await.unwrap().is_empty());
    // Back again, its instance uses the nonces anew.
    revive(&world, "one").await;
    world.restart().await;
    world.submit(vec![plain(3)]).await;
    world.blocks(12).await;
    assert!(world.is_final("plain:3"), "{:?}", world.outcomes);
}

#[tokio::test]
async fn what_a_silent_instance_has_signed_is_sent_and_ended_by_another_with_the_same_bytes() {
    let mut world = World::new().await;
    world.node.chain().break_next(SENT, Fault::Lost);
    world.submit(vec![plain(1)]).await;
    world.head().await;
    assert_eq!(world.node.chain().seen.len(), 0, "it never left");
    let mut other = partner(&world).await;
    blocks(&mut world, &mut other, 3).await;
    assert_eq!(world.node.chain().seen.len(), 0, "the instance works: its transactions are its own");
    retire(&world, "one").await;
    // Whoever judges frees its accounts; it judged itself here.
    world.now += 60_000;
    let again = other.submit(vec![Submit { from: None, ..plain(1) }], world.now).await.unwrap();
    assert!(matches!(again[0], SubmitAnswer::InFlight { .. }), "{again:?}");
    blocks(&mut world, &mut other, 6).await;
    assert_eq!(world.node.chain().effects(&fine(1)), 1);
    assert!(world.store.journal(CHAIN).live().await.unwrap().is_empty(), "seen to its end");
    assert_eq!(world.node.chain().count(world.account()), 1, "by the key that had signed");
    revive(&world, "one").await;
    blocks(&mut world, &mut other, 2).await;
    world.restart().await;
    world.submit(vec![plain(2)]).await;
    world.blocks(6).await;
    assert!(world.is_final("plain:2"), "its account was given back: {:?}", world.outcomes);
}

/// An account that stayed with somebody who may not sign kept its own instance from signing, for as long as that lived.
#[tokio::test]
async fn who_can_not_go_on_gives_back_what_it_sees_through() {
    let mut world = World::new().await;
    world.node.chain().break_next(SENT, Fault::Lost);
    world.submit(vec![plain(1)]).await;
    world.head().await;
    let mut other = partner(&world).await;
    retire(&world, "one").await;
    world.now += 60_000;
    blocks(&mut world, &mut other, 1).await;
    other.set_gate(Gate::Closed);
    other.work(world.now).await.unwrap();
    revive(&world, "one").await;
    world.restart().await;
    world.submit(vec![plain(2)]).await;
    for _ in 0..8 {
        world.blocks(1).await;
        other.work(world.now).await.unwrap();
    }
    assert!(world.is_final("plain:2"), "{:?}", world.outcomes);
}

#[tokio::test]
async fn what_a_silent_instance_has_not_signed_is_signed_by_who_asks_for_it_again() {
    let mut world = World::new().await;
    world.sender.set_gate(Gate::Closed);
    world.submit(vec![plain(1)]).await;
    let mut other = partner(&world).await;
    let still = other.submit(vec![plain(1)], world.now).await.unwrap();
    assert_eq!(still, [SubmitAnswer::Queued]);
    blocks(&mut world, &mut other, 3).await;
    assert_eq!(world.node.chain().seen.len(), 0, "it is the other one's to sign");
    retire(&world, "one").await;
    other.submit(vec![plain(1)], world.now).await.unwrap();
    blocks(&mut world, &mut other, 5).await;
    let chain = world.node.chain();
    assert_eq!((chain.effects(&fine(1)), chain.count(key(7).address())), (1, 1));
}

#[tokio::test]
async fn what_comes_after_another_instances_transaction_waits_for_it() {
    let mut world = World::new().await;
    let mut other = partner(&world).await;
    world.sender.set_gate(Gate::Closed);
    world.submit(vec![plain(1)]).await;
    let after = Submit { after: Some("plain:1".to_owned()), ..submit("after", fine(2)) };
    let answers = other.submit(vec![plain(1), after], world.now).await.unwrap();
    assert_eq!(answers, [SubmitAnswer::Queued, SubmitAnswer::Queued]);
    blocks(&mut world, &mut other, 3).await;
    assert_eq!(world.node.chain().seen.len(), 0, "sent before what it comes after");
    world.sender.set_gate(Gate::Open);
    world.blocks(2).await;
    blocks(&mut world, &mut other, 6).await;
    let chain = world.node.chain();
    assert_eq!((chain.effects(&fine(1)), chain.effects(&fine(2))), (1, 1));
}
