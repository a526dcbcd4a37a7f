//! Where SQLite has one writer and PostgreSQL many: two processes that act at the same moment, over and over. Each of
//! these was right because of the one writer, and is kept by a lock here.

use crate::support::{
    AUXILIARY, Bed, ME, ORIGIN, PAIR, address, admit, attempt, block, declared, log, park, patience, root, scan,
    scan_stakes, set, stake_requested, word,
};
use facilitator_eth::{Bytes, U256, tx::Fee};
use facilitator_protocol::model::{RequestId, State, Step, Update, Wait};
use facilitator_store::{
    Access, Store, StoreError,
    journal::{EntryState, Failed, Failure, Inclusion, NewEntry, Notify, Signature, Visibility},
    leases::{Acquired, Lease},
    monitor::Begun,
    processes::{NewProcess, ProcessKind, Registered},
    requests::{Change, Hunting},
    scan::ScanCommit,
};

const ROUNDS: u64 = 25;

async fn another(bed: &Bed) -> Store {
    Store::open(&bed.location(), Access::Writer, PAIR, patience(10_000), 1).await.unwrap()
}

fn intent(name: &str, request: i64) -> NewEntry {
    NewEntry {
        intent: name.to_owned(),
        request_id: Some(RequestId(request)),
        step: Step::Accept,
        account: None,
        to: address(50),
        value: U256::ZERO,
        data: Bytes(vec![1]),
        visibility: Visibility::Public,
        after: None,
        allowance: None,
        expect: None,
    }
}

async fn lease(store: &Store, owner: &str, now_ms: i64) -> Lease {
    admit(store, owner, now_ms).await;
    match store.acquire_lease(ORIGIN, address(60), owner, 1_000, now_ms).await.unwrap() {
        Acquired::Held(lease) => lease,
        Acquired::Refused { owner, .. } => panic!("held by {owner}"),
    }
}

fn signature(id: facilitator_store::journal::EntryId, number: u64) -> Signature {
    let fee = Fee::Legacy { gas_price: U256::ONE };
    let (hash, raw) = (word(9_000 + number), Bytes(vec![1]));
    Signature { id, account: address(60), nonce: number, hash, raw, gas_limit: 1, fee }
}

/// A root that is anchored while a worker parks for it must be seen by the one or by the other.
#[tokio::test]
async fn a_root_that_comes_while_its_worker_parks_is_not_slept_through() {
    let bed = Bed::new();
    let (parent, scanner) = (bed.store().await, another(&bed).await);
    scan_stakes(&parent, 0..ROUNDS).await;
    let claimed = parent.claim_ready(ME, 100, 1).await.unwrap();
    for (round, request) in (1..).zip(&claimed) {
        let wait = Wait::Root { chain_id: AUXILIARY, anchor: set().co_anchor, at_least: round };
        let change =
            Change::Park { id: request.id, park: park(Update::default(), wait, request.wakes), retry_at_ms: None };
        let commit = ScanCommit {
            chain_id: AUXILIARY,
            previous: scanner.checkpoint(AUXILIARY).await.unwrap(),
            blocks: Vec::new(),
            events: vec![(log(set().co_anchor, round, 0), root(round))],
            checkpoint: block(round),
        };
        let changes = [change];
        let (saved, scanned) = tokio::join!(parent.save(ME, &changes, 2), scanner.commit_scan(&commit, 2));
        saved.unwrap();
        scanned.unwrap();
        assert!(parent.request(request.id).await.unwrap().unwrap().ready, "round {round}: it sleeps");
        parent.claim_ready("done", 100, 3).await.unwrap();
    }
}

/// A declaration that is scanned while the worker stores the attempt that it belongs to.
#[tokio::test]
async fn a_declaration_that_comes_while_its_attempt_is_stored_is_seen() {
    let bed = Bed::new();
    let (parent, scanner) = (bed.store().await, another(&bed).await);
    scan_stakes(&parent, 0..ROUNDS).await;
    let claimed = parent.claim_ready(ME, 100, 1).await.unwrap();
    for (round, request) in (11..).zip(&claimed) {
        let message = word(500 + round);
        let changes = [Change::Update { id: request.id, update: attempt(message) }];
        let commit = ScanCommit {
            chain_id: ORIGIN,
            previous: scanner.checkpoint(ORIGIN).await.unwrap(),
            blocks: Vec::new(),
            events: vec![(log(set().gateway, round, 0), declared(round, message))],
            checkpoint: block(round),
        };
        let (saved, scanned) = tokio::join!(parent.save(ME, &changes, 2), scanner.commit_scan(&commit, 2));
        saved.unwrap();
        scanned.unwrap();
        let found = parent.request(request.id).await.unwrap().unwrap().request;
        assert_eq!(found.declared_block, Some(round), "the declaration was overlooked");
    }
}

/// Two scanners of one chain: one range, stored once.
#[tokio::test]
async fn of_two_scanners_one_moves_the_checkpoint() {
    let bed = Bed::new();
    let (one, two) = (bed.store().await, another(&bed).await);
    for round in 1..=ROUNDS {
        let commit = ScanCommit {
            chain_id: ORIGIN,
            previous: one.checkpoint(ORIGIN).await.unwrap(),
            blocks: Vec::new(),
            events: vec![(log(set().composer, round, 0), stake_requested(round))],
            checkpoint: block(round),
        };
        let outcomes = tokio::join!(one.commit_scan(&commit, 2), two.commit_scan(&commit, 2));
        let outcomes = [outcomes.0, outcomes.1];
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        let moved = |outcome: &Result<_, _>| matches!(outcome, Err(StoreError::CheckpointMoved { .. }));
        assert_eq!(outcomes.iter().filter(|outcome| moved(outcome)).count(), 1, "{outcomes:?}");
    }
    assert_eq!(one.counts().await.unwrap()[0].count, ROUNDS);
}

/// A request that begins to wait for an intent while that ends.
#[tokio::test]
async fn an_end_that_comes_while_a_request_begins_to_wait_wakes_it_or_is_told() {
    let bed = Bed::new();
    let (store, other) = (bed.store().await, another(&bed).await);
    scan_stakes(&store, 0..2 * ROUNDS).await;
    let mut claimed = store.claim_ready(ME, 100, 1).await.unwrap().into_iter();
    let held = [lease(&store, ME, 1).await];
    let (journal, second) = (store.journal(ORIGIN), other.journal(ORIGIN));
    for round in 0..ROUNDS {
        let (first, late) = (claimed.next().unwrap(), claimed.next().unwrap());
        let name = format!("prove:{round}");
        let id = journal.queue(&held, &[intent(&name, first.id.0)], 2).await.unwrap()[0].entry.id;
        let failure = Failure { kind: "reverted".to_owned(), message: "no".to_owned(), detail: None };
        let failed = [Failed { id, inclusion: None, failure }];
        let wanted = [intent(&name, late.id.0)];
        let (queued, ended) = tokio::join!(second.queue(&[], &wanted, 3), journal.fail(&held, &failed, 3));
        ended.unwrap();
        let queued = queued.unwrap().remove(0).entry;
        let woken = store.request(late.id).await.unwrap().unwrap().request.wakes > late.wakes;
        assert!(woken || queued.state == EntryState::Failed || queued.id != id, "round {round}: it waits for ever");
    }
}

/// Whoever takes an account over sees all that was written under the former lease, or it is refused.
#[tokio::test]
async fn nothing_is_signed_while_the_lease_goes_to_another() {
    let bed = Bed::new();
    let (store, other) = (bed.store().await, another(&bed).await);
    let (journal, second) = (store.journal(ORIGIN), other.journal(ORIGIN));
    scan_stakes(&store, 0..1).await;
    for round in 0..ROUNDS {
        let now = i64::try_from(round).unwrap() * 10_000;
        let held = [lease(&store, "a", now).await];
        let id = journal.queue(&[], &[intent(&format!("i{round}"), 1)], 2).await.unwrap()[0].entry.id;
        let signed = [signature(id, round)];
        let takes_over = async {
            let acquired = other.acquire_lease(ORIGIN, address(60), "b", 1_000, now + 5_000).await.unwrap();
            let Acquired::Held(taken) = acquired else { panic!("it has expired") };
            (taken, second.entry(id).await.unwrap().unwrap().state)
        };
        let signs = journal.sign(&held, &signed, now);
        let (signed, (taken, seen)) = tokio::join!(signs, takes_over);
        match signed {
            Ok(()) => assert_eq!(seen, EntryState::Signed, "it was signed unseen by the new holder"),
            Err(StoreError::LeaseLost { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        other.release_lease(&taken).await.unwrap();
    }
}

/// An entry that is nobody's yet is signed for by one sender while another gives it up.
#[tokio::test]
async fn what_another_signs_at_this_moment_is_not_given_up() {
    let bed = Bed::new();
    let (store, other) = (bed.store().await, another(&bed).await);
    let (journal, second) = (store.journal(ORIGIN), other.journal(ORIGIN));
    scan_stakes(&store, 0..1).await;
    let held = [lease(&store, ME, 1).await];
    for round in 0..ROUNDS {
        let id = journal.queue(&[], &[intent(&format!("i{round}"), 1)], 2).await.unwrap()[0].entry.id;
        let signed = [signature(id, round)];
        let failure = Failure { kind: "refused".to_owned(), message: "no".to_owned(), detail: None };
        let failed = [Failed { id, inclusion: None, failure }];
        let outcomes = tokio::join!(second.fail(&[], &failed, 3), journal.sign(&held, &signed, 3));
        assert!(outcomes.0.is_ok() != outcomes.1.is_ok(), "round {round}: {outcomes:?}");
        let state = store.journal(ORIGIN).entry(id).await.unwrap().unwrap().state;
        assert_eq!(state == EntryState::Signed, outcomes.1.is_ok(), "round {round}: {state:?}");
    }
}

#[tokio::test]
async fn of_two_that_register_with_one_key_one_is_refused() {
    let bed = Bed::new();
    let (one, two) = (bed.store().await, another(&bed).await);
    for round in 0..ROUNDS {
        let new = |instance: &str| NewProcess {
            kind: ProcessKind::Facilitator,
            instance: format!("{instance}{round}"),
            chain_id: None,
            host: "h".to_owned(),
            pid: 1,
            pid_started: "1".to_owned(),
            config: None,
            keys: vec![(ORIGIN, address(u8::try_from(round).unwrap()))],
        };
        let (a, b) = (new("a"), new("b"));
        let outcomes = tokio::join!(one.register(&a, &|_| true, 1), two.register(&b, &|_| true, 1));
        let outcomes = [outcomes.0.unwrap(), outcomes.1.unwrap()];
        assert_eq!(outcomes.iter().filter(|one| matches!(one, Registered::As(_))).count(), 1, "{outcomes:?}");
        let sets = [set()];
        let (first, second) = tokio::join!(one.set_gateways(&sets, 1), two.set_gateways(&sets, 1));
        first.unwrap();
        second.unwrap();
    }
}

/// Parks in one order, ends that wake the same requests in the other: nobody waits for each other in a circle.
#[tokio::test]
async fn those_who_change_the_same_requests_in_different_orders_never_block_each_other() {
    let bed = Bed::new();
    let (parent, sender) = (bed.store().await, another(&bed).await);
    scan_stakes(&parent, 0..20).await;
    let held = [lease(&sender, ME, 1).await];
    let journal = sender.journal(ORIGIN);
    let entries: Vec<NewEntry> = (1..=20).map(|id| intent(&format!("i{id}"), id)).collect();
    let queued = journal.queue(&held, &entries, 1).await.unwrap();
    let signed: Vec<Signature> = (0..).zip(&queued).map(|(number, one)| signature(one.entry.id, number)).collect();
    journal.sign(&held, &signed, 2).await.unwrap();
    let mined: Vec<_> = signed.iter().rev().map(|one| (one.id, inclusion(one))).collect();
    for _ in 0..ROUNDS {
        let claimed = parent.claim_ready(ME, 100, 3).await.unwrap();
        let parked = |request: &facilitator_protocol::model::Request| Change::Park {
            id: request.id,
            park: park(Update::default(), Wait::Nothing, request.wakes),
            retry_at_ms: None,
        };
        let changes: Vec<Change> = claimed.iter().map(parked).collect();
        let (saved, marked) =
            tokio::join!(parent.save(ME, &changes, 3), journal.mined(&held, &mined, Notify::Waiting, 3));
        saved.unwrap();
        marked.unwrap();
    }
}

fn inclusion(signed: &Signature) -> Inclusion {
    Inclusion { hash: signed.hash, block_number: 1, block_hash: word(1), gas_used: 1, gas_price: U256::ONE }
}

/// More claimants than rows: each row once, nobody waits for another.
#[tokio::test]
async fn several_claim_at_once_and_skip_what_others_take() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..60).await;
    let stores = [another(&bed).await, another(&bed).await, another(&bed).await];
    let mut all = Vec::new();
    for _ in 0..10 {
        let [a, b, c] = &stores;
        let claims = tokio::join!(a.claim_ready("a", 2, 1), b.claim_ready("b", 2, 1), c.claim_ready("c", 2, 1));
        for claimed in [claims.0.unwrap(), claims.1.unwrap(), claims.2.unwrap()] {
            assert!(claimed.len() <= 2, "more than the limit");
            all.extend(claimed.iter().map(|request| request.id));
        }
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!((all.len(), count), (60, 60));
}

#[tokio::test]
async fn of_two_monitors_that_begin_at_once_one_runs() {
    let bed = Bed::new();
    let (one, two) = (bed.store().await, another(&bed).await);
    for round in 0..ROUNDS {
        let outcomes = tokio::join!(one.begin_monitor_run("a", 100, 1), two.begin_monitor_run("b", 100, 1));
        let running = match (outcomes.0.unwrap(), outcomes.1.unwrap()) {
            (Begun::As(run), Begun::Refused { .. }) | (Begun::Refused { .. }, Begun::As(run)) => run,
            both => panic!("round {round}: {both:?}"),
        };
        one.end_monitor_run(running, "{}", 2).await.unwrap();
    }
}

/// Found first, and taken up again after they were left alone.
#[tokio::test]
async fn of_two_that_hunt_at_once_one_takes_up_each_message() {
    const LEFT: u64 = 10;
    let hunting = Hunting { after_blocks: 5, recheck_ms: 1_000, limit: 100 };
    let bed = Bed::new();
    let (one, two) = (bed.store().await, another(&bed).await);
    scan(&one, AUXILIARY, 1, Vec::new()).await;
    let all = (0..LEFT).map(|number| (log(set().gateway, 10, number), declared(number, word(500 + number))));
    scan(&one, ORIGIN, 10, all.collect()).await;
    scan(&one, ORIGIN, 16, Vec::new()).await;
    for round in 0..i64::try_from(ROUNDS).unwrap() {
        let now = 10_000 * (round + 1);
        let found = tokio::join!(one.hunt(&hunting, now), two.hunt(&hunting, now));
        assert_eq!(found.0.unwrap() + found.1.unwrap(), LEFT, "round {round}");
        let claimed = one.claim_ready(ME, 100, now).await.unwrap();
        assert_eq!(claimed.len(), usize::try_from(LEFT).unwrap());
        let skipped = || Update { state: Some(State::Skipped), ..Update::default() };
        let parked = |request: &facilitator_protocol::model::Request| Change::Park {
            id: request.id,
            park: park(skipped(), Wait::End, request.wakes),
            retry_at_ms: None,
        };
        let changes: Vec<Change> = claimed.iter().map(parked).collect();
        one.save(ME, &changes, now).await.unwrap();
    }
}
