//! What becomes of the work, the keys and the accounts of an instance that may not work any more, or that another one
//! replaces.

use crate::support::{Bed, ORIGIN, address, attempt, park, scan_stakes, word};
use facilitator_eth::{Bytes, U256, tx::Fee};
use facilitator_heartbeat::{Event, Params, Status};
use facilitator_protocol::model::{Request, RequestId, Step, Update, Wait};
use facilitator_store::{
    Store, StoreError,
    instances::{InstanceRow, NewInstance},
    journal::{Entry, EntryId, EntryState, NewEntry, Signature, Visibility},
    leases::{Acquired, Lease},
    requests::{Change, Places},
};

const NOW: i64 = 1_000;

fn params() -> Params {
    Params { heartbeat_frequency_ms: 2_000, maintenance_interval_ms: 5_000, ..Params::default() }
}

async fn enroll(store: &Store, name: &str, keys: &[u8]) -> InstanceRow {
    let keys = keys.iter().map(|key| (ORIGIN, address(*key))).collect();
    let new = NewInstance { name: name.to_owned(), host: "here".to_owned(), weight: 1, keys };
    store.enroll(&new, NOW).await.unwrap()
}

async fn event(store: &Store, name: &str, event: Event) {
    store.instance_event(name, event, &params(), NOW).await.unwrap().unwrap();
}

async fn status(store: &Store, name: &str) -> Status {
    store.instance(name).await.unwrap().unwrap().instance.status
}

/// The active instances `a` with key 60 and `b` with key 61.
async fn two(store: &Store) {
    for (name, key) in [("a", 60), ("b", 61)] {
        enroll(store, name, &[key]).await;
        event(store, name, Event::Ready).await;
    }
    assert!(store.tend_instances("a", &params(), NOW).await.unwrap().ticked);
}

async fn tend(store: &Store) -> u64 {
    store.tend_instances("b", &params(), NOW + 1).await.unwrap().freed
}

async fn lease(store: &Store, owner: &str, key: u8) -> Lease {
    match store.acquire_lease(ORIGIN, address(key), owner, 1_000, NOW).await.unwrap() {
        Acquired::Held(lease) => lease,
        Acquired::Refused { owner, .. } => panic!("held by {owner}"),
    }
}

fn intent(name: &str, request: Option<RequestId>, step: Step, key: u8) -> NewEntry {
    NewEntry {
        intent: name.to_owned(),
        request_id: request,
        step,
        account: Some(address(key)),
        to: address(50),
        value: U256::ZERO,
        data: Bytes(vec![1]),
        visibility: Visibility::Public,
        after: None,
        allowance: None,
        expect: None,
    }
}

async fn queue(store: &Store, lease: &Lease, name: &str, request: Option<RequestId>, step: Step) -> Entry {
    let key = lease.account.0[0];
    let entry = intent(name, request, step, key);
    store.journal(ORIGIN).queue(std::slice::from_ref(lease), &[entry], NOW).await.unwrap().remove(0).entry
}

fn signature(id: EntryId, key: u8, nonce: u64, hash: u64) -> Signature {
    let fee = Fee::Legacy { gas_price: U256::ONE };
    Signature { id, account: address(key), nonce, hash: word(hash), raw: Bytes(vec![7]), gas_limit: 21_000, fee }
}

async fn state(store: &Store, id: EntryId) -> EntryState {
    store.journal(ORIGIN).entry(id).await.unwrap().unwrap().state
}

fn leave(request: &Request, update: Update) -> Change {
    Change::Park { id: request.id, park: park(update, Wait::Nothing, request.wakes), retry_at_ms: None }
}

#[tokio::test]
async fn who_may_not_sign_queues_nothing() {
    let bed = Bed::new();
    let store = bed.store().await;
    two(&store).await;
    let held = lease(&store, "a", 60).await;
    event(&store, "a", Event::Tick { in_active_set: false }).await;
    let late = intent("late", None, Step::Confirm, 60);
    let refused = store.journal(ORIGIN).queue(&[held], &[late], NOW).await.unwrap_err();
    assert!(matches!(refused, StoreError::MayNotSign { .. }), "{refused}");
    assert!(refused.passes() && store.journal(ORIGIN).live().await.unwrap().is_empty());
}

/// Whoever stored it had not seen the change of status that was being committed.
#[tokio::test]
async fn what_was_queued_just_after_its_instance_lost_its_status_is_freed_all_the_same() {
    let bed = Bed::new();
    let store = bed.store().await;
    two(&store).await;
    scan_stakes(&store, 0..1).await;
    event(&store, "a", Event::Tick { in_active_set: false }).await;
    tend(&store).await;
    let held = lease(&store, "one of another time", 60).await;
    let entry = queue(&store, &held, "confirm:1", Some(RequestId(1)), Step::Confirm).await;
    let before = store.request(RequestId(1)).await.unwrap().unwrap().request.wakes;
    assert_eq!(tend(&store).await, 1);
    assert_eq!(state(&store, entry.id).await, EntryState::Failed);
    let woken = store.request(RequestId(1)).await.unwrap().unwrap().request.wakes;
    assert!(woken > before, "whoever works on it hears of it");
    assert_eq!(tend(&store).await, 0, "once");
}

#[tokio::test]
async fn what_was_done_with_a_key_that_is_in_no_config_any_more_is_seen_through_and_freed() {
    let bed = Bed::new();
    let store = bed.store().await;
    two(&store).await;
    let held = [lease(&store, "a", 60).await];
    let (signed, queued) = (
        queue(&store, &held[0], "x", None, Step::Confirm).await,
        queue(&store, &held[0], "y", None, Step::Confirm).await,
    );
    store.journal(ORIGIN).sign(&held, &[signature(signed.id, 60, 0, 1)], NOW).await.unwrap();
    assert!(store.journal(ORIGIN).orphans().await.unwrap().is_empty(), "its instance has it");
    enroll(&store, "a", &[62]).await;
    assert_eq!(store.journal(ORIGIN).orphans().await.unwrap(), [address(60)]);
    assert_eq!(tend(&store).await, 1);
    assert_eq!(state(&store, queued.id).await, EntryState::Failed);
    assert_eq!(state(&store, signed.id).await, EntryState::Signed);
}

#[tokio::test]
async fn a_lost_claim_refuses_its_own_entry_and_names_it() {
    let bed = Bed::new();
    let store = bed.store().await;
    two(&store).await;
    scan_stakes(&store, 0..3).await;
    let claimed = store.claim_ready("a", 3, NOW).await.unwrap();
    let held = [lease(&store, "a", 60).await];
    let mut entries = Vec::new();
    for request in &claimed {
        entries.push(queue(&store, &held[0], &format!("i{}", request.id), Some(request.id), Step::Confirm).await.id);
    }
    let journal = store.journal(ORIGIN);
    journal.sign(&held, &[signature(entries[2], 60, 0, 1)], NOW).await.unwrap();
    store.release_claims_of("a").await.unwrap();
    // One is parked again by the other instance, one is being worked on there.
    let taken = store.claim("b", Places { all: 3, foreign: 0 }, NOW).await.unwrap();
    assert_eq!(taken.len(), 3);
    store.save("b", &[leave(&taken[0], Update::default())], NOW).await.unwrap();
    let batch = [signature(entries[0], 60, 1, 2), signature(entries[1], 60, 2, 3)];
    let lost = journal.sign(&held, &batch, NOW).await.unwrap_err();
    let StoreError::ClaimLost { entries: named, holder, .. } = &lost else { panic!("{lost}") };
    assert_eq!((named.as_slice(), holder.as_str()), (&entries[..2], "b"));
    let own = queue(&store, &held[0], "own", None, Step::Approve).await;
    let mixed = [batch[0].clone(), signature(own.id, 60, 2, 4)];
    let lost = journal.sign(&held, &mixed, NOW).await.unwrap_err();
    assert!(matches!(&lost, StoreError::ClaimLost { entries: named, .. } if *named == [entries[0]]), "{lost}");
    // What is signed already is the same transaction at a higher fee, which the other one waits for.
    journal.sign(&held, &[signature(entries[2], 60, 0, 5)], NOW).await.unwrap();
}

#[tokio::test]
async fn a_locked_secret_alone_ties_a_request_to_nobody_and_an_accept_under_way_does() {
    let bed = Bed::new();
    let store = bed.store().await;
    two(&store).await;
    scan_stakes(&store, 0..1).await;
    let places = Places { all: 9, foreign: 9 };
    let first = store.claim("a", places, NOW).await.unwrap().remove(0);
    store.save("a", &[leave(&first, attempt(word(5)))], NOW).await.unwrap();
    let second = store.claim("b", places, NOW).await.unwrap();
    assert_eq!(second.len(), 1, "the one that locked it may lack what the other one has");
    store.save("b", &[leave(&second[0], Update::default())], NOW).await.unwrap();

    let held = [lease(&store, "b", 61).await];
    let accept = queue(&store, &held[0], "accept:1:0", Some(first.id), Step::Accept).await;
    assert!(store.claim("a", places, NOW).await.unwrap().is_empty(), "its keys are about to pay");
    store.journal(ORIGIN).sign(&held, &[signature(accept.id, 61, 0, 1)], NOW).await.unwrap();
    assert!(store.claim("a", places, NOW).await.unwrap().is_empty(), "its keys pay");
    event(&store, "b", Event::Stopped).await;
    assert_eq!(store.claim("a", places, NOW).await.unwrap().len(), 1, "it may not work any more");
}

#[tokio::test]
async fn who_comes_back_under_another_name_with_a_key_of_a_dead_one_replaces_it_at_once() {
    let bed = Bed::new();
    let store = bed.store().await;
    two(&store).await;
    scan_stakes(&store, 0..1).await;
    assert_eq!(store.claim_ready("a", 1, NOW).await.unwrap().len(), 1);
    let former = lease(&store, "a", 60).await;
    let renamed = enroll(&store, "c", &[60, 63]).await;
    assert_eq!((renamed.instance.status, status(&store, "a").await), (Status::Inactive, Status::Inactive));
    assert_eq!(status(&store, "b").await, Status::Active, "it has other keys");
    let moves = store.transitions(1, 9).await.unwrap();
    assert!(moves[0].reason.contains("its keys"), "{moves:?}");
    assert!(store.instance_keys(1).await.unwrap().is_empty(), "a key is of one instance");
    assert!(tend(&store).await >= 1, "its claim is free");
    lease(&store, "c", 60).await;
    let late = intent("late", None, Step::Confirm, 60);
    let lost = store.journal(ORIGIN).queue(&[former], &[late], NOW).await.unwrap_err();
    assert!(matches!(lost, StoreError::MayNotSign { .. } | StoreError::LeaseLost { .. }), "{lost}");
}

/// Where nobody else works, its next tick is at once.
#[tokio::test]
async fn an_only_instance_works_at_once_under_a_new_name() {
    let bed = Bed::new();
    let store = bed.store().await;
    enroll(&store, "old host", &[60]).await;
    event(&store, "old host", Event::Ready).await;
    store.tend_instances("old host", &params(), NOW).await.unwrap();
    assert_eq!(status(&store, "old host").await, Status::Active);
    enroll(&store, "new host", &[60]).await;
    event(&store, "new host", Event::Ready).await;
    store.tend_instances("new host", &params(), NOW + 1).await.unwrap();
    assert_eq!(status(&store, "new host").await, Status::Active);
}

#[tokio::test]
async fn who_was_stopped_in_order_keeps_nobody_waiting() {
    let bed = Bed::new();
    let store = bed.store().await;
    two(&store).await;
    scan_stakes(&store, 0..2).await;
    store.claim_ready("a", 2, NOW).await.unwrap();
    event(&store, "a", Event::Stopped).await;
    assert_eq!(status(&store, "a").await, Status::Inactive);
    assert_eq!(tend(&store).await, 2);
    assert_eq!(store.claim("b", Places { all: 9, foreign: 0 }, NOW).await.unwrap().len(), 2);
}

#[tokio::test]
async fn who_can_not_work_for_two_heartbeats_makes_room_for_one_that_can() {
    let bed = Bed::new();
    let store = bed.store().await;
    two(&store).await;
    event(&store, "a", Event::NotReady).await;
    for now_ms in [NOW + 2_000, NOW + 4_000] {
        for name in ["a", "b"] {
            store.instance_heartbeat(name, now_ms, &params(), now_ms).await.unwrap().unwrap();
        }
    }
    store.tend_instances("b", &params(), NOW + 4_000).await.unwrap();
    assert_eq!(status(&store, "a").await, Status::Active, "two intervals to the moment");
    store.tend_instances("b", &params(), NOW + 4_001).await.unwrap();
    assert_eq!((status(&store, "a").await, status(&store, "b").await), (Status::Inactive, Status::Active));
}
