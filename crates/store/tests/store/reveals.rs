//! Legs that reveal a secret: what the keys pay for them, and whom their events wake.

use crate::support::{
    AUXILIARY, Bed, ME, ORIGIN, address, attempt, block, claim, claim_and_park, declared, log, minted, park,
    progressed, scan, scan_stakes, set, word,
};
use facilitator_eth::Bytes;
use facilitator_protocol::model::{Request, RequestId, State, Step, Update, Wait};
use facilitator_protocol::transfer::accept::InFlight;
use facilitator_store::Store;
use facilitator_store::journal::{EntryId, Failed, Failure, NewEntry, Visibility};
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

async fn leg(store: &Store, chain: u64, request: i64, step: Step) -> EntryId {
    let entry = NewEntry {
        intent: format!("{step}:{request}"),
        request_id: Some(RequestId(request)),
        step,
        account: None,
        to: address(50),
        value: facilitator_eth::U256::ZERO,
        data: Bytes::default(),
        visibility: Visibility::Reveals,
        after: None,
        allowance: None,
        expect: None,
    };
    store.journal(chain).queue(&[], &[entry], 300).await.unwrap().remove(0).entry.id
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
    let target = leg(&store, AUXILIARY, 1, Step::ProgressTarget).await;
    leg(&store, ORIGIN, 1, Step::ProgressSource).await;
    leg(&store, AUXILIARY, 2, Step::Confirm).await;
    assert_eq!(counts(&store, &claimed[3..]).await, [3, 3], "no request is counted twice");
    let release = |request: &Request| Change::Release { id: request.id, retry_at_ms: None, error: None };
    store.save(ME, &claimed.iter().map(release).collect::<Vec<_>>(), 310).await.unwrap();
    assert_eq!(counts(&store, &claimed[3..]).await, [1, 1], "what is on its way stays counted");

    let failure = Failure { kind: "reverted".to_owned(), message: "no".to_owned(), detail: None };
    store.journal(AUXILIARY).fail(&[], &[Failed { id: target, inclusion: None, failure }], 320).await.unwrap();
    assert_eq!(counts(&store, &claimed[3..]).await, [1, 0]);
}

/// A request whose worker has handed in both legs.
async fn revealed(bed: &Bed) -> (Store, EntryId) {
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    let confirmed = Update { state: Some(State::IntentConfirmed), ..attempt(word(500)) };
    claim_and_park(&store, &confirmed, &Wait::Happening).await;
    leg(&store, ORIGIN, 1, Step::ProgressSource).await;
    let target = leg(&store, AUXILIARY, 1, Step::ProgressTarget).await;
    (store, target)
}

async fn source_leg(store: &Store) {
    scan(store, ORIGIN, 20, vec![(log(set().gateway, 20, 0), progressed(word(500), word(7), false))]).await;
}

async fn target_leg(store: &Store) {
    scan(store, AUXILIARY, 30, vec![(log(set().cogateway, 30, 0), minted(word(500), word(7), false))]).await;
}

#[tokio::test]
async fn the_first_leg_wakes_nobody_while_the_second_is_on_its_way_and_is_told_all_the_same() {
    let bed = Bed::new();
    let (store, _) = revealed(&bed).await;
    source_leg(&store).await;
    assert_eq!(claim(&store, 310).await, [] as [i64; 0]);
    let request = store.request(RequestId(1)).await.unwrap().unwrap().request;
    assert_eq!((request.state, request.unlock_secret), (State::SourceProgressed, Some(word(7))));
    target_leg(&store).await;
    assert_eq!(claim_and_park(&store, &Update::default(), &Wait::Happening).await, [1]);
    // Its block was replaced, and the leg stands in another one.
    store.rollback_to(ORIGIN, block(19), 320).await.unwrap();
    claim_and_park(&store, &Update::default(), &Wait::Happening).await;
    source_leg(&store).await;
    assert_eq!(claim(&store, 330).await, [1], "nobody else would say that both are done");
}

#[tokio::test]
async fn the_first_leg_wakes_where_the_second_has_failed_or_was_done_before() {
    let bed = Bed::new();
    let (store, _) = revealed(&bed).await;
    target_leg(&store).await;
    assert_eq!(claim_and_park(&store, &Update::default(), &Wait::Happening).await, [1]);
    source_leg(&store).await;
    assert_eq!(claim(&store, 310).await, [1]);

    let bed = Bed::new();
    let (store, target) = revealed(&bed).await;
    let failure = Failure { kind: "reverted".to_owned(), message: "no".to_owned(), detail: None };
    store.journal(AUXILIARY).fail(&[], &[Failed { id: target, inclusion: None, failure }], 320).await.unwrap();
    assert_eq!(claim_and_park(&store, &Update::default(), &Wait::Happening).await, [1], "a failure wakes");
    source_leg(&store).await;
    assert_eq!(claim(&store, 330).await, [1]);
}
