//! Values that are none of their type, and calls that are given up halfway: named and undone.

use crate::support::{Bed, ME, PAIR, patience, scan_stakes};
use facilitator_store::{Access, Store, StoreError};

#[tokio::test]
async fn a_damaged_value_is_named_and_not_guessed() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    bed.place.tamper("UPDATE requests SET amount = '1e18'").await;
    let error = store.claim_ready(ME, 1, 1).await.unwrap_err();
    assert!(matches!(&error, StoreError::Damaged { problem, .. } if problem.contains("`amount`")), "{error}");
    bed.place.tamper("UPDATE requests SET amount = '1', state = 'DONE'").await;
    let error = store.claim_ready(ME, 1, 1).await.unwrap_err();
    assert!(matches!(&error, StoreError::Damaged { problem, .. } if problem.contains("DONE")), "{error}");
    bed.place.tamper("UPDATE requests SET state = 'REQUESTED'").await;
    assert_eq!(store.claim_ready(ME, 1, 1).await.unwrap().len(), 1, "the failed claims were undone");
}

#[tokio::test]
async fn a_call_given_up_halfway_leaves_nothing_and_locks_nobody_out() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..50).await;
    for polls in 1..40 {
        let mut call = Box::pin(store.claim_ready("given up", 50, 1));
        for _ in 0..polls {
            let polled = std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context))).await;
            if polled.is_ready() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_micros(50)).await;
        }
        drop(call);
        let other = Store::open(&bed.location(), Access::Writer, PAIR, patience(10_000), 1).await.unwrap();
        other.release_all_claims().await.expect("the lock is free again");
        other.close().await;
    }
    assert_eq!(store.claim_ready(ME, 100, 1).await.unwrap().len(), 50);
}
