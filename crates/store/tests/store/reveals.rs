//! What the keys pay for legs that reveal a secret.

use crate::support::{
    AUXILIARY, Bed, ME, ORIGIN, address, attempt, declared, entry_of, log, park, scan, scan_stakes, set, word,
};
use facilitator_protocol::model::{Request, Step, Update, Wait};
use facilitator_protocol::transfer::accept::InFlight;
use facilitator_store::Store;
use facilitator_store::journal::{Failed, Failure};
use facilitator_store::requests::Change;

/// Those of the key on the origin chain and of that on the auxiliary one, beside `requests`.
async fn counts(store: &Store, requests: &[Request]) -> [u64; 2] {
    let reveals = store.reveals(requests).await.unwrap();
    let of = |chain, account| {
        let InFlight { stakes, redeems } = reveals.of(chain, address(account));
        assert_eq!(redeems, 0);
        stakes
    };
    assert_eq!((of(ORIGIN, 61), of(AUXILIARY, 60)), (0, 0), "another chain's key");
    [of(ORIGIN, 60), of(AUXILIARY, 61)]
}

/// Each of those that reveal at the same time would see the same balance (protocol.md R4).
#[tokio::test]
async fn legs_on_their_way_and_requests_in_hand_are_counted_for_those_that_are_claimed_next() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..4).await;
    let claimed = store.claim_ready(ME, 10, 200).await.unwrap();
    let leave = |request: &Request| {
        let keys = (Some(address(60)), Some(address(61)));
        let message = word(500 + u64::try_from(request.id.0).unwrap());
        let update = Update { origin_worker: keys.0, auxiliary_worker: keys.1, ..attempt(message) };
        Change::Park { id: request.id, park: park(update, Wait::Happening, request.wakes), retry_at_ms: None }
    };
    store.save(ME, &claimed.iter().map(leave).collect::<Vec<_>>(), 200).await.unwrap();
    let others = &claimed[3..];
    assert_eq!(counts(&store, others).await, [0, 0]);
    let declarations = (1..=4).map(|id| (log(set().gateway, 11, id), declared(id - 1, word(500 + id)))).collect();
    scan(&store, ORIGIN, 11, declarations).await;
    assert_eq!(counts(&store, others).await, [0, 0], "declared, and in nobody's hands");

    // The declarations have woken all four.
    let claimed = store.claim_ready(ME, 10, 210).await.unwrap();
    assert_eq!(claimed.len(), 4);
    assert_eq!(counts(&store, &claimed).await, [0, 0], "they are told of each other one by one");
    assert_eq!(counts(&store, &claimed[3..]).await, [3, 3]);
    let target = entry_of(&store, AUXILIARY, 1, Step::ProgressTarget).await;
    entry_of(&store, ORIGIN, 1, Step::ProgressSource).await;
    entry_of(&store, AUXILIARY, 2, Step::Confirm).await;
    assert_eq!(counts(&store, &claimed[3..]).await, [3, 3], "no request is counted twice");
    let release = |request: &Request| Change::Release { id: request.id, retry_at_ms: None, error: None };
    store.save(ME, &claimed.iter().map(release).collect::<Vec<_>>(), 310).await.unwrap();
    assert_eq!(counts(&store, &claimed[3..]).await, [1, 1], "what is on its way stays counted");

    let failure = Failure { kind: "reverted".to_owned(), message: "no".to_owned(), detail: None };
    store.journal(AUXILIARY).fail(&[], &[Failed { id: target, inclusion: None, failure }], 320).await.unwrap();
    assert_eq!(counts(&store, &claimed[3..]).await, [1, 0]);
}
