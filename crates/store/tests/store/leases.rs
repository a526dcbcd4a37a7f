//! Leases: one holder, tokens that only grow.

use crate::support::{Bed, ORIGIN, address};
use facilitator_store::{
    StoreError,
    leases::{Acquired, Lease},
};

#[tokio::test]
async fn one_holder_at_a_time_and_tokens_only_grow() {
    let bed = Bed::new();
    let store = bed.store().await;
    let acquire =
        async |owner: &str, now_ms| store.acquire_lease(ORIGIN, address(1), owner, 100, now_ms).await.unwrap();
    let held = |acquired: Acquired| -> Lease {
        match acquired {
            Acquired::Held(lease) => lease,
            Acquired::Refused { owner, .. } => panic!("held by {owner}"),
        }
    };
    let first = held(acquire("a", 0).await);
    assert_eq!(acquire("b", 99).await, Acquired::Refused { owner: "a".to_owned(), expires_at_ms: 100 });
    let renewed = store.renew_lease(&first, 100, 50).await.unwrap();
    assert_eq!((renewed.token, renewed.expires_at_ms), (first.token, 150));
    assert_eq!(acquire("b", 100).await, Acquired::Refused { owner: "a".to_owned(), expires_at_ms: 150 });
    let restarted = held(acquire("a", 100).await);
    assert!(restarted.token > first.token, "a restarted child fences off its former self");
    assert!(matches!(store.check_lease(&renewed, 101).await, Err(StoreError::LeaseLost { .. })));
    store.check_lease(&restarted, 199).await.unwrap();
    let taken = held(acquire("b", 200).await);
    assert!(taken.token > restarted.token);
    assert!(matches!(store.renew_lease(&restarted, 100, 201).await, Err(StoreError::LeaseLost { .. })));
    store.release_lease(&restarted).await.unwrap();
    store.check_lease(&taken, 201).await.unwrap();
    store.release_lease(&taken).await.unwrap();
    assert!(held(acquire("a", 201).await).token > taken.token);
    store.acquire_lease(ORIGIN, address(2), "b", 100, 0).await.map(held).unwrap();
}
