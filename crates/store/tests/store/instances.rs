//! Instances: enrolled once, judged by one at a time, and freed of what they may not work on.

use crate::support::{Bed, admit, scan_stakes};
use facilitator_heartbeat::{Event, Params, Refusal, Status, Vote};
use facilitator_protocol::model::Update;
use facilitator_store::{
    Store, StoreError,
    instances::{InstanceRow, NewInstance},
    requests::{Change, Claimed, Lost, Places},
};

const SECOND: i64 = 1_000;

fn params() -> Params {
    Params {
        heartbeat_frequency_ms: 2 * SECOND,
        deregister_time_ms: 20 * SECOND,
        maintenance_interval_ms: 5 * SECOND,
        reward_interval_ms: 60 * SECOND,
        ..Params::default()
    }
}

async fn enroll(store: &Store, name: &str, now_ms: i64) -> InstanceRow {
    let new = NewInstance { name: name.to_owned(), host: "here".to_owned(), weight: 1, keys: Vec::new() };
    store.enroll(&new, now_ms).await.unwrap()
}

async fn event(store: &Store, name: &str, event: Event, now_ms: i64) -> Result<Status, Refusal> {
    store.instance_event(name, event, &params(), now_ms).await.unwrap()
}

async fn of(store: &Store, name: &str) -> InstanceRow {
    let all = store.instances().await.unwrap();
    all.into_iter().find(|row| row.name == name).unwrap()
}

/// Two instances that are active since 1 s.
async fn two_active(store: &Store) {
    for name in ["a", "b"] {
        enroll(store, name, 0).await;
        event(store, name, Event::Ready, SECOND).await.unwrap();
    }
    assert!(store.tend_instances("a", &params(), SECOND).await.unwrap().ticked);
}

#[tokio::test]
async fn a_restart_finds_status_and_statistics_again() {
    let bed = Bed::new();
    let store = bed.store().await;
    two_active(&store).await;
    for _ in 0..3 {
        event(&store, "a", Event::Signed, 2 * SECOND).await.unwrap();
    }
    let before = of(&store, "a").await;
    let again = enroll(&store, "a", 9 * SECOND).await;
    assert_eq!((again.id, again.registered_at_ms), (before.id, 0));
    assert_eq!(again.instance.status, Status::Active);
    assert_eq!(again.instance.statistics, before.instance.statistics);
    assert!(!again.instance.ready, "it says anew that it is ready");
    let unknown = store.instance_event("c", Event::Ready, &params(), 0).await.unwrap_err();
    assert!(matches!(unknown, StoreError::Unknown { .. }), "{unknown}");
}

#[tokio::test]
async fn every_heartbeat_is_remembered_with_what_became_of_it() {
    let bed = Bed::new();
    let store = bed.store().await;
    let row = enroll(&store, "a", 0).await;
    let sent = async |now_ms| store.instance_heartbeat("a", now_ms, &params(), now_ms).await.unwrap();
    assert_eq!(sent(SECOND).await, Err(Refusal::NoHeartbeatDue(Status::Inactive)));
    event(&store, "a", Event::Ready, SECOND).await.unwrap();
    store.tend_instances("a", &params(), SECOND).await.unwrap();
    assert_eq!(sent(3 * SECOND).await, Ok(Status::Active));
    let seen = store.heartbeats(row.id, 10).await.unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(
        (seen[0].received_at_ms, seen[0].status, seen[0].refusal.as_deref()),
        (3 * SECOND, Status::Active, None)
    );
    assert!(seen[1].refusal.as_ref().unwrap().contains("inactive"));
    assert_eq!(of(&store, "a").await.instance.statistics.last_active_ms, Some(3 * SECOND));
    sent(8 * 86_400 * SECOND).await.unwrap();
    assert_eq!(store.heartbeats(row.id, 10).await.unwrap().len(), 1, "those of a week ago are gone");
}

#[tokio::test]
async fn what_one_has_done_is_not_done_again_by_another() {
    let bed = Bed::new();
    let store = bed.store().await;
    two_active(&store).await;
    let again = store.tend_instances("b", &params(), SECOND).await.unwrap();
    assert!(!again.ticked && again.moved.is_empty());
    let row = of(&store, "a").await;
    let moves = store.transitions(row.id, 10).await.unwrap();
    assert_eq!(moves.len(), 1);
    assert_eq!((moves[0].from, moves[0].to, moves[0].at_ms), (Status::Inactive, Status::Active, SECOND));
}

#[tokio::test]
async fn the_claims_of_a_silent_instance_are_free_for_the_others() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..2).await;
    two_active(&store).await;
    let claimed = store.claim_ready("a", 10, 2 * SECOND).await.unwrap();
    assert_eq!(claimed.len(), 2);
    assert_eq!(store.instance_heartbeat("b", 4 * SECOND, &params(), 4 * SECOND).await.unwrap(), Ok(Status::Active));
    let early = store.tend_instances("b", &params(), 5 * SECOND).await.unwrap();
    assert_eq!(early.freed, 0, "exactly two intervals are in time");
    let tended = store.tend_instances("b", &params(), 5 * SECOND + 1).await.unwrap();
    assert_eq!((tended.freed, tended.moved.len()), (2, 1));
    let taken = store.claim_ready("b", 10, 6 * SECOND).await.unwrap();
    assert_eq!(taken.len(), 2);
}

#[tokio::test]
async fn what_was_found_out_under_an_earlier_claim_is_not_stored() {
    let bed = Bed::new();
    let store = bed.store().await;
    two_active(&store).await;
    scan_stakes(&store, 0..1).await;
    let first = store.claim_ready("a", 1, 2 * SECOND).await.unwrap().remove(0);
    store.release_claims_of("a").await.unwrap();
    let again = store.claim_ready("a", 1, 3 * SECOND).await.unwrap().remove(0);
    let change = |seq| {
        let update = Update { log: Some("seen".to_owned()), ..Update::default() };
        Claimed { seq: Some(seq), change: Change::Update { id: first.id, update } }
    };
    let late = store.save_claimed("a", &[change(first.claim_seq)], 4 * SECOND).await.unwrap();
    assert_eq!(late.lost, [Lost { request: first.id, seq: Some(first.claim_seq) }]);
    let held = store.save_claimed("a", &[change(again.claim_seq)], 4 * SECOND).await.unwrap();
    assert!(held.lost.is_empty());
}

#[tokio::test]
async fn a_maintenance_that_lasts_too_long_ends_by_a_proposal() {
    let bed = Bed::new();
    let store = bed.store().await;
    two_active(&store).await;
    assert_eq!(event(&store, "a", Event::RequestMaintenance, 2 * SECOND).await, Ok(Status::RequestMaintenance));
    let again = event(&store, "a", Event::RequestMaintenance, 2 * SECOND).await;
    assert_eq!(again, Err(Refusal::NotActive(Status::RequestMaintenance)));
    let mut proposals = Vec::new();
    for second in 3..=27 {
        let now_ms = second * SECOND;
        for name in ["a", "b"] {
            let _refused_in_maintenance = store.instance_heartbeat(name, now_ms, &params(), now_ms).await.unwrap();
        }
        proposals.extend(store.tend_instances("b", &params(), now_ms).await.unwrap().closed);
    }
    assert_eq!(proposals.len(), 1);
    assert_eq!((proposals[0].vote, proposals[0].proposal.proposer.as_str()), (Vote::Approved, "b"));
    let gone = of(&store, "a").await;
    assert_eq!(gone.instance.status, Status::Deregistered);
    assert_eq!(gone.instance.statistics.last_down_ms, Some(6 * SECOND));
    assert_eq!(event(&store, "a", Event::Ready, 30 * SECOND).await, Err(Refusal::Gone));
    assert_eq!(enroll(&store, "a", 31 * SECOND).await.instance.status, Status::Deregistered);
    let reasons = store.transitions(gone.id, 10).await.unwrap();
    assert!(reasons[0].reason.contains("proposed by b"), "{reasons:?}");
}

#[tokio::test]
async fn parameters_are_seeded_once_and_then_the_same_for_all() {
    let bed = Bed::new();
    let store = bed.store().await;
    assert_eq!(store.seed_parameters(&params(), 0).await.unwrap(), params());
    assert_eq!(store.seed_parameters(&Params::default(), 1).await.unwrap(), params(), "the database wins");
    let changed = Params { heartbeat_frequency_ms: 7, ..params() };
    store.set_parameters(&changed, 2).await.unwrap();
    assert_eq!(store.parameters(&Params::default()).await.unwrap(), changed);
}

/// The process itself learns of its status a moment later, and kept from others what it could not sign.
#[tokio::test]
async fn who_may_not_work_claims_nothing() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 1..3).await;
    enroll(&store, "one", 100).await;
    let places = Places { all: 9, foreign: 9 };
    assert!(store.claim("one", places, 100).await.unwrap().is_empty(), "it is inactive");
    admit(&store, "one", 100).await;
    assert_eq!(store.claim("one", places, 100).await.unwrap().len(), 2);
}

/// A recovery looks at requests before any instance works, under the name of the one that it prepares.
#[tokio::test]
async fn who_only_looks_needs_no_status() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 1..3).await;
    enroll(&store, "one", 100).await;
    assert_eq!(store.claim_ready("one", 9, 100).await.unwrap().len(), 2);
}
