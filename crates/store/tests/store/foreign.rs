//! What others left, beside own requests: who comes first, who counts against whom, and what ends with the hunter.

use crate::support::*;
use facilitator_eth::{Address, Bytes, U256, tx::Fee};
use facilitator_protocol::{
    model::{FinePrint, Request, RequestId, Step, Update, Wait},
    transfer::accept::InFlight,
};
use facilitator_store::{
    Store,
    journal::{EntryId, EntryState, Failed, Failure, NewEntry, Signature, Visibility},
    leases::{Acquired, Lease},
    requests::{Change, Hunting, Places},
};

const HUNTING: Hunting = Hunting { after_blocks: 5, recheck_ms: 1_000, limit: 10 };

/// A store with messages that others left, declared in block 10, after this many stakes that nobody has accepted.
async fn left(own: u64, foreign: u64) -> (Bed, Store) {
    let bed = Bed::new();
    let store = bed.store().await;
    scan(&store, AUXILIARY, 1, Vec::new()).await;
    let messages = (0..foreign).map(|n| (log(set().gateway, 9, n), declared(100 + n, word(500 + n)))).collect();
    scan(&store, ORIGIN, 9, messages).await;
    scan_stakes(&store, 0..own).await;
    scan(&store, ORIGIN, 40, Vec::new()).await;
    (bed, store)
}

async fn claimed(store: &Store, all: u32, foreign: u32) -> Vec<Request> {
    store.claim(ME, Places { all, foreign }, 2_000).await.unwrap()
}

fn hunted(requests: &[Request]) -> Vec<bool> {
    requests.iter().map(|request| request.hunted).collect()
}

async fn leave(store: &Store, request: &Request, update: Update, wait: Wait) {
    let change = Change::Park { id: request.id, park: park(update, wait, request.wakes), retry_at_ms: None };
    store.save(ME, &[change], 2_000).await.unwrap();
}

/// What a worker commits before it hands anything over.
fn taken_up() -> Update {
    let print = FinePrint { hash_lock: word(77), gas_price: U256::ONE, gas_limit: U256::ONE };
    Update {
        fine_print: Some(print),
        origin_worker: Some(address(60)),
        auxiliary_worker: Some(address(61)),
        ..Update::default()
    }
}

async fn lease(store: &Store, account: Address) -> Lease {
    crate::support::admit(store, ME, 1).await;
    match store.acquire_lease(AUXILIARY, account, ME, 1_000_000, 1).await.unwrap() {
        Acquired::Held(lease) => lease,
        Acquired::Refused { owner, .. } => panic!("held by {owner}"),
    }
}

fn entry(intent: &str, request: RequestId, account: Address, after: Option<&str>) -> NewEntry {
    NewEntry {
        intent: intent.to_owned(),
        request_id: Some(request),
        step: if intent.starts_with("prove") { Step::ProveGateway } else { Step::Confirm },
        account: Some(account),
        to: address(50),
        value: U256::ZERO,
        data: Bytes::default(),
        visibility: Visibility::Public,
        after: after.map(str::to_owned),
        allowance: None,
        expect: None,
    }
}

async fn queue(store: &Store, entry: NewEntry) -> EntryId {
    let lease = lease(store, entry.account.unwrap()).await;
    store.journal(AUXILIARY).queue(&[lease], &[entry], 2_000).await.unwrap().remove(0).entry.id
}

#[tokio::test]
async fn own_requests_are_claimed_before_what_others_left() {
    let (_bed, store) = left(2, 3).await;
    assert_eq!(store.hunt(&HUNTING, 1_000).await.unwrap(), 3);
    assert_eq!(hunted(&claimed(&store, 3, 10).await), [false, false, true]);
    assert_eq!(hunted(&claimed(&store, 10, 10).await), [true, true]);
}

#[tokio::test]
async fn no_more_messages_of_others_are_worked_on_at_a_time_than_wanted() {
    let (_bed, store) = left(0, 5).await;
    store.hunt(&HUNTING, 1_000).await.unwrap();
    let first = claimed(&store, 10, 2).await;
    assert_eq!(first.len(), 2);
    assert!(claimed(&store, 10, 2).await.is_empty(), "two are claimed");
    // One has a transaction under way, the other waits for a root.
    queue(&store, entry("confirm:a", first[0].id, address(61), None)).await;
    leave(&store, &first[0], taken_up(), Wait::Happening).await;
    let root = Wait::Root { chain_id: ORIGIN, anchor: set().anchor, at_least: 50 };
    leave(&store, &first[1], Update::default(), root).await;
    let second = claimed(&store, 10, 2).await;
    assert_eq!(second.len(), 1, "one is under way");
    leave(&store, &second[0], Update::default(), Wait::Happening).await;
    // What is under way comes first among those that are ready.
    store.wake(&[first[0].id]).await.unwrap();
    let ids: Vec<RequestId> = claimed(&store, 10, 1).await.iter().map(|request| request.id).collect();
    assert_eq!(ids, [first[0].id]);
}

#[tokio::test]
async fn no_more_rows_are_made_than_can_be_worked_on_soon() {
    let (_bed, store) = left(0, 5).await;
    let hunting = Hunting { limit: 2, ..HUNTING };
    assert_eq!(store.hunt(&hunting, 1_000).await.unwrap(), 2);
    assert_eq!(store.hunt(&hunting, 1_000).await.unwrap(), 0, "those still wait");
    assert_eq!(claimed(&store, 10, 10).await.len(), 2);
    assert_eq!(store.hunt(&hunting, 1_000).await.unwrap(), 2);
}

/// Own requests don't wait for money that is meant for others' messages; these wait for each other.
#[tokio::test]
async fn what_others_left_counts_apart_and_only_while_a_transaction_is_under_way() {
    let (_bed, store) = left(1, 2).await;
    store.hunt(&HUNTING, 1_000).await.unwrap();
    let all = claimed(&store, 10, 10).await;
    for request in &all[1..] {
        leave(&store, request, taken_up(), Wait::Happening).await;
    }
    let counts = |briefs: &[facilitator_store::requests::Brief]| -> Vec<(InFlight, InFlight)> {
        let key = (AUXILIARY, address(61));
        briefs.iter().map(|brief| (brief.in_flight_of(key.0, key.1), brief.foreign_of(key.0, key.1))).collect()
    };
    let (none, one) = (InFlight::default(), InFlight { stakes: 1, redeems: 0 });
    let briefs = store.brief(&all).await.unwrap();
    assert_eq!(counts(&briefs), [(none, none); 3], "nothing is under way");
    queue(&store, entry("confirm:a", all[1].id, address(61), None)).await;
    let briefs = store.brief(&all).await.unwrap();
    assert_eq!(counts(&briefs), [(none, one), (none, none), (none, one)]);
}

/// The gas of a leg behind a confirmation that failed was never spent.
#[tokio::test]
async fn a_leg_behind_a_confirmation_that_failed_was_not_tried() {
    let (_bed, store) = left(0, 1).await;
    store.hunt(&HUNTING, 1_000).await.unwrap();
    let rows = claimed(&store, 10, 10).await;
    let journal = store.journal(AUXILIARY);
    for (intent, after) in [("confirm:a", "prove:b:1"), ("progress_target:a", "confirm:a")] {
        let id = queue(&store, entry(intent, rows[0].id, address(61), Some(after))).await;
        let failure = Failure { kind: "dependency_failed".to_owned(), message: after.to_owned(), detail: None };
        let lease = lease(&store, address(61)).await;
        journal.fail(&[lease], &[Failed { id, inclusion: None, failure }], 2_100).await.unwrap();
    }
    let failed = store.brief(&rows).await.unwrap().remove(0).failed;
    assert_eq!(failed.iter().map(|step| (step.count, step.error.as_str())).collect::<Vec<_>>(), [(1, "prove:b:1")]);
}

/// The operator has turned the hunter off: nothing that is not signed leaves any more, but for what others wait for.
#[tokio::test]
async fn with_the_hunter_off_what_is_queued_for_others_messages_ends() {
    let (_bed, store) = left(1, 2).await;
    store.hunt(&HUNTING, 1_000).await.unwrap();
    let all = claimed(&store, 10, 10).await;
    let (own, first, second) = (all[0].id, all[1].id, all[2].id);
    let (ours, theirs) = (address(61), address(62));
    let signed = queue(&store, entry("confirm:signed", first, ours, None)).await;
    let queued = queue(&store, entry("confirm:queued", second, ours, Some("prove:c:1"))).await;
    let shared = queue(&store, entry("prove:c:1", second, ours, None)).await;
    let another = queue(&store, entry("confirm:theirs", second, theirs, None)).await;
    let of_own = queue(&store, entry("confirm:own", own, ours, Some("prove:c:1"))).await;
    assert_eq!(queue(&store, entry("prove:c:1", own, ours, None)).await, shared, "an own request waits for it too");
    let journal = store.journal(AUXILIARY);
    let lease = lease(&store, ours).await;
    let signature = Signature {
        id: signed,
        account: ours,
        nonce: 1,
        hash: word(1),
        raw: Bytes(vec![1]),
        gas_limit: 21_000,
        fee: Fee::Legacy { gas_price: U256::ONE },
    };
    journal.sign(&[lease], &[signature], 2_050).await.unwrap();
    for request in &all {
        leave(&store, request, Update::default(), Wait::Happening).await;
    }
    assert_eq!(store.end_queued_hunts(&[(ORIGIN, ours), (AUXILIARY, ours)], 2_100).await.unwrap(), 1);
    let state = async |id| journal.entry(id).await.unwrap().unwrap().state;
    assert_eq!(state(queued).await, EntryState::Failed);
    assert_eq!(state(signed).await, EntryState::Signed);
    for kept in [shared, another, of_own] {
        assert_eq!(state(kept).await, EntryState::Queued, "{kept}");
    }
    let woken: Vec<RequestId> = claimed(&store, 10, 10).await.iter().map(|request| request.id).collect();
    assert_eq!(woken, [second], "its worker says that the hunter is off");
    assert_eq!(store.end_queued_hunts(&[(AUXILIARY, ours)], 2_200).await.unwrap(), 0);
}
