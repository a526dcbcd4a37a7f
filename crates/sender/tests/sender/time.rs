//! A wall clock that jumps: what a sender has planned by it stays as far away as it was meant to be.

use crate::{
    http::Fault,
    world::{CHAIN, World, key, plain},
};

const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn a_clock_that_goes_back_does_not_lengthen_the_rest_of_a_failing_node() {
    let mut world = World::new().await;
    world.submit(vec![plain(1)]).await;
    world.node.chain().break_next("eth_getBlockByNumber", Fault::Lost);
    world.work().await;
    let rest = world.sender.next_wake().unwrap() - world.now;
    world.now -= HOUR;
    world.work().await;
    let left = world.sender.next_wake().unwrap() - world.now;
    assert!(left <= rest, "{left} ms instead of {rest} ms");
    world.now += rest;
    world.work().await;
    world.blocks(4).await;
    assert!(world.is_final("plain:1"));
}

#[tokio::test]
async fn a_clock_that_goes_back_or_on_costs_neither_the_lease_nor_a_transaction() {
    for jump in [-HOUR, HOUR] {
        let mut world = World::new().await;
        world.submit(vec![plain(1)]).await;
        world.head().await;
        world.now += jump;
        world.submit(vec![plain(2)]).await;
        world.blocks(5).await;
        assert!(world.is_final("plain:1") && world.is_final("plain:2"), "{jump}: {:?}", world.outcomes);
        assert_eq!(world.node.chain().seen.len(), 2, "{jump}: something was sent anew or replaced");
        // The next sender need not wait for an hour until the lease runs out.
        let ttl = i64::try_from(world.settings.lease_ttl_ms).unwrap();
        let heir = world.store.acquire_lease(CHAIN, key(1).address(), "heir", ttl, world.now + ttl + 1).await.unwrap();
        assert!(matches!(heir, facilitator_store::leases::Acquired::Held(_)), "{jump}: {heir:?}");
    }
}
