//! The queue: claiming, saving, parking, and that no wake-up is lost in between.

use crate::support::{
    Bed, ME, ORIGIN, attempt, claim, claim_and_park, declared, log, park, redeem_requested, scan, scan_stakes, set,
    word,
};
use facilitator_eth::U256;
use facilitator_protocol::model::{Kind, MessageStatus, RequestId, Stage, State, Update, Wait};
use facilitator_store::requests::{Change, Filter, Lost, Retry};

#[tokio::test]
async fn a_request_comes_back_as_it_was_scanned() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 1..2).await;
    scan(&store, crate::support::AUXILIARY, 5, vec![(log(crate::support::address(6), 5, 0), redeem_requested(9))])
        .await;
    let claimed = store.claim_ready(ME, 10, 5).await.unwrap();
    let (stake, redeem) = (&claimed[0], &claimed[1]);
    assert_eq!((stake.kind, stake.state, stake.pool), (Kind::Stake, State::Requested, set().composer));
    assert_eq!((stake.terms.amount, stake.terms.request_hash), (U256::MAX, word(1)));
    assert_eq!((stake.position.chain_id, stake.position.block_number), (ORIGIN, 10));
    assert_eq!((redeem.kind, redeem.terms.gateway), (Kind::Redeem, set().cogateway));
    assert_eq!(store.request(redeem.id).await.unwrap().unwrap().claimed_by.as_deref(), Some(ME));
}

#[tokio::test]
async fn the_oldest_are_claimed_first_and_nobody_twice() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..10).await;
    let first = store.claim_ready("a", 4, 5).await.unwrap();
    let second = store.claim_ready("b", 100, 5).await.unwrap();
    let ids = |claimed: &[facilitator_protocol::model::Request]| claimed.iter().map(|r| r.id.0).collect::<Vec<_>>();
    assert_eq!((ids(&first), ids(&second)), (vec![1, 2, 3, 4], vec![5, 6, 7, 8, 9, 10]));
    assert_eq!(store.claim_ready("a", 100, 5).await.unwrap(), []);

    assert_eq!(store.release_claims_of("a").await.unwrap(), 4);
    assert_eq!(claim(&store, 5).await, [1, 2, 3, 4]);
    assert_eq!(store.release_all_claims().await.unwrap(), 10);
    assert_eq!(claim(&store, 5).await.len(), 10);
}

#[tokio::test]
async fn those_with_money_locked_are_claimed_before_older_ones() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..6).await;
    let claimed = store.claim_ready(ME, 10, 5).await.unwrap();
    let locked = |index: usize| {
        let update = Update { declared_block: Some(12), ..Update::default() };
        Change::Park { id: claimed[index].id, park: park(update, Wait::Nothing, 0), retry_at_ms: None }
    };
    store.save(ME, &[locked(3), locked(5)], 6).await.unwrap();
    store.release_all_claims().await.unwrap();
    assert_eq!(store.claim_ready("a", 1, 7).await.unwrap()[0].id, claimed[3].id);
    assert_eq!(store.release_all_claims().await.unwrap(), 1);
    let ids: Vec<i64> = store.claim_ready("b", 4, 7).await.unwrap().iter().map(|request| request.id.0).collect();
    assert_eq!(ids, [4, 6, 1, 2]);
    assert_eq!(claim(&store, 8).await, [3, 5]);
}

#[tokio::test]
async fn only_the_claimant_changes_a_request() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    let id = RequestId(1);
    store.claim_ready("a", 1, 5).await.unwrap();
    let update = |text: &str| Update { last_error: Some(text.to_owned()), ..Update::default() };
    let change = Change::Update { id, update: update("stolen") };
    assert_eq!(store.save("b", &[change], 6).await.unwrap().lost, [Lost { request: id, seq: None }]);
    let changes = [Change::Started { id, pid: 4711 }, Change::Update { id, update: update("own") }];
    assert_eq!(store.save("a", &changes, 6).await.unwrap(), facilitator_store::requests::Saved::default());
    let record = store.request(id).await.unwrap().unwrap();
    assert_eq!((record.pid, record.request.last_error.as_deref()), (Some(4711), Some("own")));

    let leave = Change::Park { id, park: park(update("left"), Wait::Clock, 0), retry_at_ms: Some(50) };
    store.save("a", std::slice::from_ref(&leave), 7).await.unwrap();
    assert_eq!(store.save("a", &[leave], 7).await.unwrap().lost, [Lost { request: id, seq: None }], "parked already");
    assert_eq!(store.request(id).await.unwrap().unwrap().pid, None);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    store.claim_ready(ME, 1, 5).await.unwrap();
    let id = RequestId(1);
    let all = Update {
        state: Some(State::Failed(Stage::Confirm)),
        message_sender: Some(crate::support::address(33)),
        origin_worker: Some(crate::support::address(34)),
        auxiliary_worker: Some(crate::support::address(35)),
        declared_block: Some(12),
        proof_height: Some(13),
        bounty: Some(U256::MAX),
        outbox: Some(MessageStatus::Declared),
        inbox: Some(MessageStatus::Undeclared),
        failures: Some(3),
        last_error: Some("no gas".to_owned()),
        log: Some("confirmation failed".to_owned()),
        ..attempt(word(500))
    };
    store
        .save(ME, &[Change::Update { id, update: all }, Change::Update { id, update: Update::default() }], 9)
        .await
        .unwrap();
    let record = store.request(id).await.unwrap().unwrap();
    let request = &record.request;
    assert_eq!(request.state, State::Failed(Stage::Confirm));
    assert_eq!((request.hash_lock, request.message_hash), (Some(word(77)), Some(word(500))));
    assert_eq!((request.declared_block, request.proof_height, request.bounty), (Some(12), Some(13), Some(U256::MAX)));
    assert_eq!((record.outbox, record.inbox), (Some(MessageStatus::Declared), Some(MessageStatus::Undeclared)));
    assert_eq!((request.failures, request.last_error.as_deref()), (3, Some("no gas")));
    let life = store.request_log(id).await.unwrap();
    assert_eq!(life.last().unwrap().text, "confirmation failed");
    assert_eq!(life.last().unwrap().state, State::Failed(Stage::Confirm));

    let mut second = attempt(word(501));
    second.attempt.as_mut().unwrap().number = 1;
    store.save(ME, &[Change::Update { id, update: second }], 10).await.unwrap();
    let request = store.request(id).await.unwrap().unwrap().request;
    assert_eq!((request.attempt, request.message_hash), (1, Some(word(501))));
    assert_eq!(
        (request.declared_block, request.message_sender, request.proof_height),
        (None, None, None),
        "other message"
    );
}

#[tokio::test]
async fn what_happens_while_a_worker_parks_is_not_slept_through() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..2).await;
    let claimed = store.claim_ready(ME, 10, 5).await.unwrap();
    let leave =
        |id, wakes| Change::Park { id, park: park(Update::default(), Wait::Happening, wakes), retry_at_ms: None };
    store.wake(&[claimed[0].id]).await.unwrap();
    let changes: Vec<Change> = claimed.iter().map(|request| leave(request.id, request.wakes)).collect();
    assert_eq!(store.save(ME, &changes, 6).await.unwrap().ready, [claimed[0].id]);
    assert_eq!(claim(&store, 6).await, [claimed[0].id.0]);
    store.wake(&[claimed[1].id]).await.unwrap();
    assert_eq!(claim(&store, 6).await, [claimed[1].id.0]);
}

#[tokio::test]
async fn the_clock_and_a_dead_worker_bring_requests_back() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..3).await;
    store.claim_ready(ME, 10, 5).await.unwrap();
    let [first, second, third] = [1, 2, 3].map(RequestId);
    let clock = Change::Park { id: first, park: park(Update::default(), Wait::Clock, 0), retry_at_ms: Some(1_000) };
    let dead = Change::Release { id: second, retry_at_ms: Some(500), error: Some("worker died".to_owned()) };
    let again = Change::Release { id: third, retry_at_ms: None, error: None };
    assert_eq!(store.save(ME, &[clock, dead, again], 6).await.unwrap().ready, [third]);
    assert_eq!(store.next_retry_at().await.unwrap(), Some(500));
    let mut claims = Vec::new();
    for now in [499, 500, 999, 1_000] {
        claims.push(claim(&store, now).await);
    }
    assert_eq!(claims, [vec![3], vec![2], vec![], vec![1]]);
    assert_eq!(store.next_retry_at().await.unwrap(), None);
    assert_eq!(store.request(second).await.unwrap().unwrap().request.last_error.as_deref(), Some("worker died"));
}

/// The end of a transaction is told twice: to the worker that submitted it, and to its row. A step that fails at once
/// must not be tried again for that.
#[tokio::test]
async fn a_pause_is_not_cut_short_by_what_came_before_it_but_by_what_comes_after() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    let request = store.claim_ready(ME, 10, 5).await.unwrap().remove(0);
    store.wake(&[request.id]).await.unwrap();
    let pause = Change::Park {
        id: request.id,
        park: park(Update::default(), Wait::Clock, request.wakes),
        retry_at_ms: Some(1_000),
    };
    assert_eq!(store.save(ME, &[pause], 6).await.unwrap().ready, []);
    assert_eq!(claim(&store, 999).await, Vec::<i64>::new());
    store.wake(&[request.id]).await.unwrap();
    assert_eq!(claim(&store, 999).await, [request.id.0]);
}

#[tokio::test]
async fn a_clock_that_goes_back_strands_nobody() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..2).await;
    let (hour, pause) = (3_600_000, 60_000);
    let now = 10 * hour;
    let claimed = store.claim_ready(ME, 10, now).await.unwrap();
    let parks: Vec<Change> = claimed
        .iter()
        .map(|request| Change::Park {
            id: request.id,
            park: park(Update::default(), Wait::Clock, request.wakes),
            retry_at_ms: Some(now + pause),
        })
        .collect();
    store.save(ME, &parks, now).await.unwrap();
    assert_eq!(store.mend_calendar(pause, now).await.unwrap(), 0, "the clock is right");
    let now = now - hour;
    assert_eq!(claim(&store, now).await, Vec::<i64>::new());
    assert_eq!(store.mend_calendar(pause, now).await.unwrap(), 2);
    assert_eq!(claim(&store, now + pause).await, [1, 2]);
    assert_eq!(store.mend_calendar(pause, now).await.unwrap(), 0);
}

#[tokio::test]
async fn an_end_is_an_end_unless_the_operator_retries_a_skipped_one() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..2).await;
    store.claim_ready(ME, 10, 5).await.unwrap();
    let end = |id, state| {
        let update = Update { state: Some(state), ..Update::default() };
        Change::Park { id, park: park(update, Wait::End, 0), retry_at_ms: None }
    };
    let [skipped, complete] = [1, 2].map(RequestId);
    store.save(ME, &[end(skipped, State::Skipped), end(complete, State::Complete)], 6).await.unwrap();
    store.wake(&[skipped, complete]).await.unwrap();
    assert_eq!(claim(&store, i64::MAX).await, Vec::<i64>::new());
    assert_eq!(store.oldest_unfinished().await.unwrap(), None);

    assert_eq!(store.retry(skipped, 7).await.unwrap(), Retry::Woken);
    assert_eq!(store.retry(complete, 7).await.unwrap(), Retry::Ended(State::Complete));
    assert_eq!(store.retry(RequestId(99), 7).await.unwrap(), Retry::Missing);
    assert_eq!(claim(&store, 7).await, [1]);
    assert_eq!(store.oldest_unfinished().await.unwrap().unwrap().request.state, State::Requested);
}

#[tokio::test]
async fn requests_are_found_counted_and_listed() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 1..30).await;
    claim_and_park(&store, &attempt(word(0xabcd)), &Wait::Happening).await;
    let hash = word(0x1d).to_string();
    assert_eq!(store.find(&hash).await.unwrap().len(), 1);
    assert_eq!(store.find(&hash[2..].to_uppercase()).await.unwrap().len(), 1);
    assert_eq!(store.find(&word(0xabcd).to_string()).await.unwrap().len(), 29, "by message hash");
    for nothing in ["", "0x", "%", "0x00%", "zz"] {
        assert_eq!(store.find(nothing).await.unwrap(), [], "{nothing}");
    }
    let counts = store.counts().await.unwrap();
    assert_eq!(
        counts.iter().map(|c| (c.kind, c.state, c.count)).collect::<Vec<_>>(),
        [(Kind::Stake, State::Requested, 29)]
    );
    let page = Filter { after: Some(RequestId(20)), limit: 5, states: vec![State::Requested], kind: Some(Kind::Stake) };
    let ids: Vec<i64> = store.list(&page).await.unwrap().iter().map(|record| record.request.id.0).collect();
    assert_eq!(ids, [21, 22, 23, 24, 25]);
    let other = Filter { states: vec![State::Complete, State::Skipped], ..Filter::default() };
    assert_eq!(store.list(&other).await.unwrap(), []);
}

#[tokio::test]
async fn a_declaration_scanned_before_the_attempt_was_stored_is_applied_with_it() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    let secret = word(4242);
    scan(&store, ORIGIN, 11, vec![(log(set().gateway, 11, 0), declared(0, word(500)))]).await;
    let minted = crate::support::minted(word(500), secret, false);
    scan(&store, crate::support::AUXILIARY, 20, vec![(log(set().cogateway, 20, 0), minted)]).await;
    let request = store.claim_ready(ME, 1, 5).await.unwrap().remove(0);
    assert_eq!((request.declared_block, request.unlock_secret), (None, None));
    let change = Change::Update { id: request.id, update: attempt(word(500)) };
    store.save(ME, &[change], 6).await.unwrap();
    let after = store.request(request.id).await.unwrap().unwrap().request;
    assert_eq!(
        (after.declared_block, after.unlock_secret, after.paid_out),
        (Some(11), Some(secret), Some(U256::from(8_u64)))
    );
    assert!(after.wakes > request.wakes, "the worker that parks now is woken");
}
