//! The journal: one live entry an intent, the same bytes for ever, fenced signatures, wake-ups with the outcome.

use crate::support::{Bed, ME, ORIGIN, address, admit, claim, claim_and_park, scan_stakes, word};
use facilitator_eth::{Bytes, U256, tx::Fee};
use facilitator_protocol::model::{RequestId, Step, Update, Wait};
use facilitator_store::{
    Store, StoreError,
    journal::{
        Allowance, Entry, EntryState, Failed, Failure, Inclusion, Journal, NewEntry, Notify, Origin, Sent, Signature,
        Visibility,
    },
    leases::{Acquired, Lease},
};

fn intent(name: &str, request: Option<i64>) -> NewEntry {
    NewEntry {
        intent: name.to_owned(),
        request_id: request.map(RequestId),
        step: Step::Accept,
        account: None,
        to: address(50),
        value: U256::MAX,
        data: Bytes(vec![1, 2, 3]),
        visibility: Visibility::Public,
        after: Some("approve:1".to_owned()),
        allowance: Some(Allowance { token: address(51), spender: address(52), amount: U256::MAX }),
        expect: Some(word(9)),
    }
}

fn signature(entry: &Entry, nonce: u64, hash: u64) -> Signature {
    Signature {
        id: entry.id,
        account: address(60),
        nonce,
        hash: word(hash),
        raw: Bytes(vec![0xaa, 0xbb]),
        gas_limit: 21_000,
        fee: Fee::Dynamic { max_fee: U256::MAX, max_priority: U256::ONE },
    }
}

fn inclusion(hash: u64) -> Inclusion {
    let gas_price = U256::from(5_u64);
    Inclusion { hash: word(hash), block_number: 30, block_hash: word(31), gas_used: 20_000, gas_price }
}

fn failed(entry: &Entry, inclusion: Option<Inclusion>) -> Failed {
    let failure =
        Failure { kind: "reverted".to_owned(), message: "no reason".to_owned(), detail: Some("{}".to_owned()) };
    Failed { id: entry.id, inclusion, failure }
}

async fn lease(store: &Store, owner: &str, now_ms: i64) -> Lease {
    admit(store, owner, now_ms).await;
    match store.acquire_lease(ORIGIN, address(60), owner, 1_000, now_ms).await.unwrap() {
        Acquired::Held(lease) => lease,
        Acquired::Refused { owner, .. } => panic!("held by {owner}"),
    }
}

async fn queue(journal: &Journal, name: &str, request: Option<i64>) -> Entry {
    journal.queue(&[], &[intent(name, request)], 1).await.unwrap().remove(0).entry
}

#[tokio::test]
async fn an_intent_is_queued_once_and_comes_back_as_it_was() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..2).await;
    let journal = store.journal(ORIGIN);
    let queued = journal.queue(&[], &[intent("a", Some(1)), intent("b", None), intent("a", Some(2))], 5).await.unwrap();
    assert_eq!(queued.iter().map(|q| q.origin).collect::<Vec<_>>(), [Origin::New, Origin::New, Origin::Existing]);
    let entry = &queued[2].entry;
    let wanted = intent("a", Some(1));
    assert_eq!((entry.request_id, entry.state, &entry.after), (wanted.request_id, EntryState::Queued, &wanted.after));
    assert_eq!(
        (entry.data.as_ref(), entry.allowance, entry.expect),
        (Some(&wanted.data), wanted.allowance, wanted.expect)
    );
    assert_eq!((entry.value, entry.step, entry.to), (wanted.value, wanted.step, wanted.to));
    assert_eq!(journal.live().await.unwrap().len(), 2);
    assert_eq!(store.journal(1406).live().await.unwrap(), [], "another chain's journal");
    assert_eq!(journal.by_intent("c").await.unwrap(), None);
}

#[tokio::test]
async fn a_secret_is_not_stored_before_it_is_signed() {
    let bed = Bed::new();
    let journal = bed.store().await.journal(ORIGIN);
    let secret = NewEntry { visibility: Visibility::Reveals, ..intent("progress", None) };
    assert_eq!(journal.queue(&[], &[secret], 5).await.unwrap()[0].entry.data, None);
}

#[tokio::test]
async fn signatures_are_kept_and_replacements_have_the_same_nonce() {
    let bed = Bed::new();
    let store = bed.store().await;
    let journal = store.journal(ORIGIN);
    let entry = queue(&journal, "a", None).await;
    let held = [lease(&store, ME, 1).await];
    journal.sign(&held, &[signature(&entry, 7, 100)], 2).await.unwrap();
    journal.sent(&held, &[Sent { id: entry.id, hash: word(100), block: 20 }], 3).await.unwrap();
    journal.sent(&held, &[Sent { id: entry.id, hash: word(100), block: 25 }], 9).await.unwrap();
    let legacy = Fee::Legacy { gas_price: U256::from(3_u64) };
    journal.sign(&held, &[Signature { fee: legacy, ..signature(&entry, 7, 101) }], 4).await.unwrap();
    let wrong = journal.sign(&held, &[signature(&entry, 8, 102)], 4).await.unwrap_err();
    assert!(
        matches!(&wrong, StoreError::WrongState { state, .. } if state.starts_with("signed with nonce 7")),
        "{wrong}"
    );

    let entry = journal.entry(entry.id).await.unwrap().unwrap();
    assert_eq!((entry.state, entry.nonce, entry.account), (EntryState::Signed, Some(7), Some(address(60))));
    let numbers: Vec<_> =
        entry.attempts.iter().map(|a| (a.number, a.hash, a.broadcast_at_ms, a.broadcast_block)).collect();
    assert_eq!(numbers, [(1, word(100), Some(3), Some(20)), (2, word(101), None, None)]);
    assert_eq!((entry.attempts[0].raw.0.as_slice(), entry.attempts[1].fee), ([0xaa, 0xbb].as_slice(), legacy));
    // News of the older attempt says nothing about the newer one.
    journal.sent(&held, &[Sent { id: entry.id, hash: word(100), block: 26 }], 9).await.unwrap();
    assert_eq!(journal.entry(entry.id).await.unwrap().unwrap().state, EntryState::Signed);
    journal.sent(&held, &[Sent { id: entry.id, hash: word(101), block: 27 }], 9).await.unwrap();
    assert_eq!(journal.of_account(address(60)).await.unwrap()[0].state, EntryState::Broadcast);
    assert_eq!(journal.last_account().await.unwrap(), Some(address(60)));
}

#[tokio::test]
async fn two_live_entries_never_have_one_nonce_and_all_signatures_are_stored_or_none() {
    let bed = Bed::new();
    let store = bed.store().await;
    let journal = store.journal(ORIGIN);
    let held = [lease(&store, ME, 1).await];
    let (a, b) = (queue(&journal, "a", None).await, queue(&journal, "b", None).await);
    let both = [signature(&a, 7, 100), signature(&b, 7, 101)];
    assert!(journal.sign(&held, &both, 2).await.is_err());
    assert!(journal.live().await.unwrap().iter().all(|entry| entry.attempts.is_empty() && entry.nonce.is_none()));
    assert_eq!(journal.highest_nonce(address(60)).await.unwrap(), None);

    journal.sign(&held, &[signature(&a, 7, 100), signature(&b, 8, 101)], 2).await.unwrap();
    assert_eq!(journal.highest_nonce(address(60)).await.unwrap(), Some(8));
    journal.fail(&held, &[failed(&b, None)], 3).await.unwrap();
    assert_eq!(journal.highest_nonce(address(60)).await.unwrap(), Some(7), "never mined: the nonce is free");
    let again = queue(&journal, "b", None).await;
    assert_ne!(again.id, b.id);
    journal.sign(&held, &[signature(&again, 8, 102)], 4).await.unwrap();
    journal.fail(&held, &[failed(&again, Some(inclusion(102)))], 5).await.unwrap();
    assert_eq!(journal.highest_nonce(address(60)).await.unwrap(), Some(8), "reverted: the nonce is used");
    let last = journal.by_intent("b").await.unwrap().unwrap();
    assert_eq!((last.state, last.inclusion), (EntryState::Failed, Some(inclusion(102))));
    assert_eq!(last.failure, Some(failed(&again, None).failure));

    journal.requeue(&held, &[a.id], 6).await.unwrap();
    let a = journal.entry(a.id).await.unwrap().unwrap();
    assert_eq!((a.state, a.nonce, a.attempts.len()), (EntryState::Queued, None, 1));
    journal.sign(&held, &[signature(&a, 9, 103)], 7).await.unwrap();
}

#[tokio::test]
async fn nothing_is_signed_under_a_lost_lease() {
    let bed = Bed::new();
    let store = bed.store().await;
    let journal = store.journal(ORIGIN);
    let entry = queue(&journal, "a", None).await;
    let sign = [signature(&entry, 7, 100)];
    assert!(matches!(journal.sign(&[], &sign, 2).await, Err(StoreError::LeaseLost { .. })));
    let old = lease(&store, "old", 1).await;
    assert!(
        matches!(journal.sign(std::slice::from_ref(&old), &sign, 1_001).await, Err(StoreError::LeaseLost { .. })),
        "expired"
    );
    let new = lease(&store, "new", 1_001).await;
    assert!(matches!(journal.sign(&[old], &sign, 1_002).await, Err(StoreError::LeaseLost { .. })), "taken over");
    journal.sign(&[new], &sign, 1_002).await.unwrap();
}

#[tokio::test]
async fn outcomes_go_forward_only_and_reorgs_take_them_back() {
    let bed = Bed::new();
    let store = bed.store().await;
    let journal = store.journal(ORIGIN);
    let held = [lease(&store, ME, 1).await];
    let entry = queue(&journal, "a", None).await;
    let mined = [(entry.id, inclusion(100))];
    assert!(
        matches!(journal.mined(&held, &mined, Notify::Nobody, 2).await, Err(StoreError::WrongState { .. })),
        "not signed"
    );
    assert!(matches!(
        journal.finalise(&held, &[entry.id], Notify::Nobody, 2).await,
        Err(StoreError::WrongState { .. })
    ));
    journal.sign(&held, &[signature(&entry, 7, 100)], 2).await.unwrap();
    journal.mined(&held, &mined, Notify::Nobody, 3).await.unwrap();
    assert!(matches!(journal.sign(&held, &[signature(&entry, 7, 101)], 4).await, Err(StoreError::WrongState { .. })));
    journal.reopen(&held, &[entry.id], 4).await.unwrap();
    let again = journal.entry(entry.id).await.unwrap().unwrap();
    assert_eq!((again.state, again.inclusion, again.attempts.len()), (EntryState::Broadcast, None, 1));
    journal.mined(&held, &mined, Notify::Nobody, 5).await.unwrap();
    journal.finalise(&held, &[entry.id], Notify::Nobody, 6).await.unwrap();
    assert!(matches!(journal.fail(&held, &[failed(&entry, None)], 7).await, Err(StoreError::WrongState { .. })));
    assert_eq!(journal.live().await.unwrap(), []);
    assert_eq!(journal.queue(&[], &[intent("a", None)], 8).await.unwrap()[0].origin, Origin::Existing, "done for good");
}

/// What was final may lose its effect (protocol.md R18): the intent is free again, the record stays.
#[tokio::test]
async fn a_superseded_entry_frees_its_intent_and_stays_in_the_record() {
    let bed = Bed::new();
    let store = bed.store().await;
    let journal = store.journal(ORIGIN);
    let held = [lease(&store, ME, 1).await];
    let entry = queue(&journal, "prove", None).await;
    journal.supersede(&held, &[entry.id], 1).await.unwrap();
    assert_eq!(queue(&journal, "prove", None).await.id, entry.id, "one that is alive keeps its intent");
    journal.sign(&held, &[signature(&entry, 1, 100)], 2).await.unwrap();
    journal.mined(&held, &[(entry.id, inclusion(100))], Notify::Nobody, 3).await.unwrap();
    journal.finalise(&held, &[entry.id], Notify::Nobody, 4).await.unwrap();
    // Two who race for it do no more harm than one.
    journal.supersede(&held, &[entry.id], 5).await.unwrap();
    let again = queue(&journal, "prove", None).await;
    journal.supersede(&held, &[entry.id], 6).await.unwrap();
    assert_ne!(again.id, entry.id);
    assert_eq!(journal.by_intent("prove").await.unwrap().unwrap().id, again.id);
    assert_eq!(queue(&journal, "prove", None).await.id, again.id);
    let old = journal.entry(entry.id).await.unwrap().unwrap();
    assert_eq!(old.intent, format!("prove#{}", entry.id));
    assert_eq!((old.state, old.nonce, old.inclusion), (EntryState::Final, Some(1), Some(inclusion(100))));
    assert_eq!(old.attempts.len(), 1);
    assert_eq!(journal.holding(address(60), 1).await.unwrap().unwrap().id, entry.id, "its nonce stays taken");
    // A reorg may still undo it; then it goes out again beside the new one.
    journal.reopen(&held, &[entry.id], 7).await.unwrap();
    assert_eq!(journal.live().await.unwrap().len(), 2);
}

#[tokio::test]
async fn every_request_that_waits_is_woken_with_the_outcome() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..4).await;
    let journal = store.journal(ORIGIN);
    let held = [lease(&store, ME, 1).await];
    let entry = journal
        .queue(&[], &[intent("prove", Some(1)), intent("prove", Some(2)), intent("prove", Some(3))], 1)
        .await
        .unwrap()
        .remove(0)
        .entry;
    claim_and_park(&store, &Update::default(), &Wait::Happening).await;
    journal.sign(&held, &[signature(&entry, 1, 100)], 2).await.unwrap();
    journal.mined(&held, &[(entry.id, inclusion(100))], Notify::Nobody, 3).await.unwrap();
    assert_eq!(claim(&store, 3).await, Vec::<i64>::new());
    journal.finalise(&held, &[entry.id], Notify::Waiting, 4).await.unwrap();
    assert_eq!(claim_and_park(&store, &Update::default(), &Wait::Happening).await, [1, 2, 3]);

    let other = queue(&journal, "accept", Some(4)).await;
    journal.note(&held, &[(other.id, Some("no gas".to_owned()))], 5).await.unwrap();
    journal.fail(&held, &[failed(&other, None)], 5).await.unwrap();
    assert_eq!(claim(&store, 6).await, [4]);
    let shown = store.transactions(&[RequestId(2), RequestId(4)]).await.unwrap();
    let brief: Vec<_> = shown.iter().map(|t| (t.request_id.0, t.state, t.hash, t.nonce, t.gas_used)).collect();
    assert_eq!(
        brief,
        [(2, EntryState::Final, Some(word(100)), Some(1), Some(20_000)), (4, EntryState::Failed, None, None, None),]
    );
    assert_eq!((shown[1].failure.as_deref(), shown[1].waiting_for.as_deref()), (Some("no reason"), None));
}

/// A process that slept while another took its account over may wake up before any of these.
#[tokio::test]
async fn a_former_holder_writes_nothing_any_more() {
    former_writes_nothing("new").await;
}

/// The next process of the same instance has the same name: the token alone tells them apart.
#[tokio::test]
async fn a_former_process_of_the_same_owner_writes_nothing_any_more() {
    former_writes_nothing("old").await;
}

async fn former_writes_nothing(next: &str) {
    let bed = Bed::new();
    let store = bed.store().await;
    let journal = store.journal(ORIGIN);
    let account = Some(address(60));
    let old = [lease(&store, "old", 1).await];
    let names = ["queued", "sent", "mined", "final"].map(|name| NewEntry { account, ..intent(name, None) });
    let entries: Vec<Entry> =
        journal.queue(&old, &names, 1).await.unwrap().into_iter().map(|queued| queued.entry).collect();
    let signed: Vec<Signature> = (1..).zip(&entries[1..]).map(|(nonce, e)| signature(e, nonce, 100 + nonce)).collect();
    journal.sign(&old, &signed, 2).await.unwrap();
    let mined: Vec<_> = entries[2..].iter().map(|entry| (entry.id, inclusion(100))).collect();
    journal.mined(&old, &mined, Notify::Nobody, 3).await.unwrap();
    journal.finalise(&old, &[entries[3].id], Notify::Nobody, 3).await.unwrap();
    // Run out, but nobody else's: what it finds out is still worth writing down.
    journal.note(&old, &[(entries[0].id, Some("patience".to_owned()))], 5_000).await.unwrap();

    let new = [lease(&store, next, 5_000).await];
    let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    let before = journal.entries(&ids).await.unwrap();
    for leases in [&old[..], &[]] {
        let news = [NewEntry { account, ..intent("another", None) }];
        let sent = [Sent { id: ids[1], hash: word(101), block: 20 }];
        let tried = [
            journal.queue(leases, &news, 6).await.map(drop),
            journal.queue(leases, &names[..1], 6).await.map(drop),
            journal.sign(leases, &[signature(&entries[0], 9, 109)], 6).await,
            journal.sent(leases, &sent, 6).await,
            journal.mined(leases, &[(ids[1], inclusion(101))], Notify::Waiting, 6).await,
            journal.finalise(leases, &[ids[2]], Notify::Waiting, 6).await,
            journal.reopen(leases, &[ids[2]], 6).await,
            journal.supersede(leases, &[ids[3]], 6).await,
            journal.requeue(leases, &[ids[1]], 6).await,
            journal.fail(leases, &[failed(&entries[0], None)], 6).await,
            journal.note(leases, &[(ids[0], None)], 6).await,
        ];
        for (number, done) in tried.into_iter().enumerate() {
            assert!(matches!(done, Err(StoreError::LeaseLost { .. })), "write {number}: {done:?}");
        }
    }
    assert_eq!(journal.entries(&ids).await.unwrap(), before);
    assert_eq!(journal.by_intent("another").await.unwrap(), None);
    journal.fail(&new, &[failed(&entries[0], None)], 6).await.unwrap();
    assert_eq!(journal.queue(&new, &names[..1], 7).await.unwrap()[0].origin, Origin::New);
}

#[tokio::test]
async fn an_entry_is_signed_by_its_account() {
    let bed = Bed::new();
    let store = bed.store().await;
    let journal = store.journal(ORIGIN);
    let other = match store.acquire_lease(ORIGIN, address(61), ME, 1_000, 1).await.unwrap() {
        Acquired::Held(lease) => lease,
        Acquired::Refused { owner, .. } => panic!("held by {owner}"),
    };
    let held = [lease(&store, ME, 1).await, other];
    let chosen = NewEntry { account: Some(address(61)), ..intent("a", None) };
    let entry = journal.queue(&held, &[chosen], 1).await.unwrap().remove(0).entry;
    let wrong = journal.sign(&held, &[signature(&entry, 1, 100)], 3).await;
    assert!(matches!(wrong, Err(StoreError::WrongState { .. })), "given to another account");
}
