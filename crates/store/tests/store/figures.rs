//! Figures about everything at once, counted from the rows.

use crate::support::{Bed, ME, ORIGIN, admit, claim_and_park, scan_stakes, set};
use facilitator_eth::{
    Address, B256, Bytes, U256,
    tx::{self, Fee, SecretKey, Transaction},
};
use facilitator_protocol::model::{Kind, RequestId, State, Step, Update, Wait};
use facilitator_store::{
    Store,
    journal::{EntryId, EntryState, Inclusion, NewEntry, Notify, Sent, Signature, Visibility},
    leases::{Acquired, Lease},
};

const WORKER: Address = Address([60; 20]);

fn hash(number: u8) -> B256 {
    B256([number; 32])
}

async fn lease(store: &Store) -> Lease {
    match store.acquire_lease(ORIGIN, WORKER, ME, 1_000_000, 1).await.unwrap() {
        Acquired::Held(lease) => lease,
        Acquired::Refused { owner, .. } => panic!("held by {owner}"),
    }
}

fn entry(request: i64) -> NewEntry {
    NewEntry {
        intent: format!("confirm:{request}"),
        request_id: Some(RequestId(request)),
        step: Step::Confirm,
        account: Some(WORKER),
        to: set().gateway,
        value: U256::ZERO,
        data: Bytes::default(),
        visibility: Visibility::Public,
        after: None,
        allowance: None,
        expect: None,
    }
}

/// Queues and signs; every further hash is a replacement.
async fn sign(store: &Store, leases: &[Lease], request: i64, nonce: u64, hashes: &[u8], at_ms: i64) -> EntryId {
    let journal = store.journal(ORIGIN);
    let queued = journal.queue(leases, &[entry(request)], at_ms).await.unwrap();
    let id = queued[0].entry.id;
    for (place, number) in hashes.iter().enumerate() {
        let at_ms = at_ms + i64::try_from(place).unwrap() * 10;
        journal.sign(leases, &[signature(id, nonce, *number)], at_ms).await.unwrap();
    }
    id
}

/// With the bytes of a real one: the nonce stands in them.
fn signature(id: EntryId, nonce: u64, number: u8) -> Signature {
    let fee = Fee::Legacy { gas_price: U256::from(u64::from(number)) };
    let (to, value, data, gas_limit) = (set().gateway, U256::ZERO, Bytes::default(), 21_000);
    let transaction = Transaction { chain_id: ORIGIN, nonce, to, value, data, gas_limit, fee };
    let raw = tx::sign(&transaction, &SecretKey::from_bytes(&[7; 32]).unwrap()).unwrap().raw;
    Signature { id, account: WORKER, nonce, hash: hash(number), raw, gas_limit, fee }
}

#[tokio::test]
async fn keys_and_transactions_are_counted_from_the_journal() {
    let bed = Bed::new();
    let store = bed.store().await;
    assert_eq!(store.key_figures().await.unwrap(), []);
    scan_stakes(&store, 1..4).await;
    admit(&store, ME, 100).await;
    let leases = [lease(&store).await];
    let mined = sign(&store, &leases, 1, 7, &[1], 1_000).await;
    let stuck = sign(&store, &leases, 2, 8, &[2, 3, 4], 2_000).await;
    store.journal(ORIGIN).queue(&leases, &[entry(3)], 3_000).await.unwrap();
    let journal = store.journal(ORIGIN);
    let sent = [Sent { id: mined, hash: hash(1), block: 20 }, Sent { id: stuck, hash: hash(4), block: 20 }];
    journal.sent(&leases, &sent, 4_000).await.unwrap();
    let inclusion =
        Inclusion { hash: hash(1), block_number: 21, block_hash: hash(21), gas_used: 5, gas_price: U256::from(3_u64) };
    journal.mined(&leases, &[(mined, inclusion)], Notify::Nobody, 5_000).await.unwrap();

    let [key] = &store.key_figures().await.unwrap()[..] else { panic!("one key") };
    assert_eq!((key.chain_id, key.account, key.next_nonce), (ORIGIN, WORKER, Some(9)));
    assert_eq!((key.pending, key.pending_since_ms), (1, Some(2_000)), "since the first signature of the stuck one");
    assert_eq!((key.signed, key.replacements), (4, 2));
    let counts = store.transaction_counts().await.unwrap();
    let told: Vec<(Step, EntryState, u64)> = counts.iter().map(|one| (one.step, one.state, one.count)).collect();
    let confirm = Step::Confirm;
    assert_eq!(
        told,
        [(confirm, EntryState::Broadcast, 1), (confirm, EntryState::Mined, 1), (confirm, EntryState::Queued, 1)]
    );
    // Each entry names the request that wanted it.
    let entry = journal.entry(stuck).await.unwrap().unwrap();
    let request = store.request(RequestId(2)).await.unwrap().unwrap();
    assert_eq!(entry.request_hash, Some(request.request.terms.request_hash));
}

#[tokio::test]
async fn a_nonce_that_somebody_else_took_is_no_replacement_and_begins_the_wait_anew() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 1..4).await;
    admit(&store, ME, 100).await;
    let leases = [lease(&store).await];
    let journal = store.journal(ORIGIN);
    let id = sign(&store, &leases, 1, 7, &[1, 2], 1_000).await;
    // A foreign transaction took nonce 7: it is queued again, and is no longer pending.
    journal.requeue(&leases, &[id], 2_000).await.unwrap();
    let [key] = &store.key_figures().await.unwrap()[..] else { panic!("one key") };
    assert_eq!((key.pending, key.pending_since_ms, key.signed, key.replacements), (0, None, 2, 1));
    for (number, at_ms) in [(3, 3_000), (4, 4_000), (5, 5_000)] {
        journal.sign(&leases, &[signature(id, 8, number)], at_ms).await.unwrap();
    }
    let [key] = &store.key_figures().await.unwrap()[..] else { panic!("one key") };
    assert_eq!((key.pending, key.pending_since_ms), (1, Some(3_000)), "since the first signature with nonce 8");
    assert_eq!((key.signed, key.replacements), (5, 3), "one of nonce 7, two of nonce 8");
}

#[tokio::test]
async fn requests_are_counted_by_what_is_left_of_them() {
    let bed = Bed::new();
    let store = bed.store().await;
    assert_eq!((store.unfinished().await.unwrap(), store.took().await.unwrap()), (Vec::new(), Vec::new()));
    scan_stakes(&store, 1..4).await;
    let failing = Update { failures: Some(2), ..Update::default() };
    claim_and_park(&store, &failing, &Wait::Happening).await;
    let [unfinished] = store.unfinished().await.unwrap()[..] else { panic!("one kind") };
    assert_eq!((unfinished.kind, unfinished.count, unfinished.failing), (Kind::Stake, 3, 3));
    assert_eq!(unfinished.oldest_ms, 100, "when the scan was stored");
    assert_eq!(store.waits().await.unwrap(), [("happening".to_owned(), 3)]);
    for id in 1..=3 {
        store.retry(RequestId(id), 150).await.unwrap();
    }
    let done = Update { state: Some(State::Complete), log: Some("both legs are progressed".to_owned()), ..failing };
    claim_and_park(&store, &done, &Wait::End).await;
    assert_eq!(store.unfinished().await.unwrap(), []);
    let [took] = store.took().await.unwrap()[..] else { panic!("one kind") };
    assert_eq!((took.kind, took.count, took.total_ms), (Kind::Stake, 3, 3 * 100), "stored at 100, complete at 200");

    let happenings = store.happenings(2).await.unwrap();
    assert_eq!(happenings.len(), 2, "not more than asked for");
    assert!(happenings.iter().all(|one| one.state == State::Complete && one.at_ms == 200), "{happenings:?}");
    let newest = store.newest(&[State::Complete], 2).await.unwrap();
    assert_eq!(newest.iter().map(|record| record.request.id.0).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(store.newest(&[State::Requested], 9).await.unwrap(), []);
    assert_eq!(store.newest(&[], 9).await.unwrap().len(), 3);
}
