//! Pools that forget, blocks that are full, prices that rise.

use crate::{
    chain::{Chain, fine, price},
    world::{CHAIN, World, plain, settings},
};
use facilitator_eth::U256;
use facilitator_sender::Settings;

#[tokio::test]
async fn a_pool_that_forgets_gets_the_same_bytes_again() {
    let mut world = World::new().await;
    world.submit((0..3).map(plain).collect()).await;
    world.head().await;
    world.node.chain().pool.clear();
    world.blocks(12).await;
    assert!((0..3).all(|tag| world.is_final(&format!("plain:{tag}"))), "{:?}", world.outcomes);
    assert_eq!(world.node.chain().seen.len(), 3, "no fee was raised");
}

#[tokio::test]
async fn a_tenfold_price_leads_to_replacements_of_the_same_nonces() {
    let mut world = World::new().await;
    world.submit((0..3).map(plain).collect()).await;
    world.head().await;
    world.node.chain().base_fee = Some(1_000);
    world.blocks(2).await;
    assert_eq!(world.node.chain().seen.len(), 3, "patience first");
    world.blocks(6).await;
    assert!((0..3).all(|tag| world.is_final(&format!("plain:{tag}"))), "{:?}", world.outcomes);
    let chain = world.node.chain();
    assert_eq!(chain.seen.len(), 6);
    for (old, new) in chain.seen.iter().zip(&chain.seen[3..]) {
        let (old, new) = (&old.1.transaction, &new.1.transaction);
        assert_eq!((old.nonce, &old.data, old.gas_limit), (new.nonce, &new.data, new.gas_limit));
        assert!(price(new.fee) > price(old.fee) && price(new.fee) <= settings().max_fee_per_gas);
    }
    assert_eq!(chain.mined().len(), 3);
}

#[tokio::test]
async fn full_blocks_are_no_reason_to_pay_more() {
    let mut chain = Chain::new(Some(100));
    chain.capacity = 1;
    let mut world = World::with(chain, settings(), 1).await;
    world.submit((0..20).map(plain).collect()).await;
    world.head().await;
    world.blocks(24).await;
    assert!((0..20).all(|tag| world.is_final(&format!("plain:{tag}"))));
    assert_eq!(world.node.chain().seen.len(), 20);
}

#[tokio::test]
async fn no_fee_is_above_the_cap_and_the_old_one_waits() {
    let mut world = World::new().await;
    world.submit(vec![plain(1)]).await;
    world.head().await;
    world.node.chain().base_fee = Some(50_000);
    world.blocks(40).await;
    let journal = world.store.journal(CHAIN);
    let waiting = journal.live().await.unwrap()[0].waiting_for.clone().unwrap();
    assert!(waiting.contains("max_fee_per_gas"), "{waiting}");
    assert!(world.node.chain().seen.iter().all(|(_, opened)| price(opened.transaction.fee) <= U256::from(10_000u64)));
    world.node.chain().base_fee = Some(100);
    world.blocks(5).await;
    assert!(world.is_final("plain:1"));
}

#[tokio::test]
async fn replacements_have_a_limit_and_a_reason() {
    let settings = Settings { max_replacements: 2, resend_after_blocks: 1, ..settings() };
    let mut world = World::with(Chain::new(Some(100)), settings, 1).await;
    world.submit(vec![plain(1)]).await;
    world.head().await;
    world.node.chain().capacity = 0;
    world.blocks(20).await;
    assert_eq!(world.node.chain().seen.len(), 3);
    let waiting = world.store.journal(CHAIN).live().await.unwrap()[0].waiting_for.clone().unwrap();
    assert!(waiting.contains("the limit"), "{waiting}");
    world.node.chain().capacity = 9;
    world.blocks(5).await;
    assert_eq!(world.node.chain().effects(&fine(1)), 1);
    assert!(world.is_final("plain:1"));
}

#[tokio::test]
async fn a_pool_that_wants_more_gets_more() {
    let mut world = World::new().await;
    world.node.chain().pool_price = 300;
    world.submit(vec![plain(1)]).await;
    world.head().await;
    world.blocks(10).await;
    assert!(world.is_final("plain:1"), "{:?}", world.outcomes);
    assert!(world.node.chain().seen.len() <= 4);
}
