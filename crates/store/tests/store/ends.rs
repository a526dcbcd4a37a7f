//! Ends that the chain or the operator takes back, and rows that a reorg leaves without an event.

use crate::support::{
    AUXILIARY, Bed, ME, ORIGIN, attempt, block, claim, claim_and_park, declared, log, minted, park, scan, scan_stakes,
    set, stake_requested, word,
};
use facilitator_protocol::{
    events::{self, Event},
    model::{MessageStatus, Request, RequestId, State, Update, Wait},
};
use facilitator_store::{
    Store,
    requests::{Change, Retry},
};

const OURS: RequestId = RequestId(1);
const MINED_AFTER_ALL: &str = "our own accept was mined after all";
const GIVEN_UP: [State; 4] = [State::Skipped, State::TakenByOther, State::Revoked, State::Rejected];

async fn row(store: &Store, id: RequestId) -> Request {
    store.request(id).await.unwrap().unwrap().request
}

fn ended(state: State) -> Update {
    Update { state: Some(state), failures: Some(0), ..attempt(word(500)) }
}

async fn scan_declared(store: &Store, block: u64) -> facilitator_store::scan::Committed {
    scan(store, ORIGIN, block, vec![(log(set().gateway, block, 0), declared(0, word(500)))]).await
}

fn revoked(number: u64) -> Event {
    events::StakeRevoked { staker: crate::support::address(1), request_hash: word(number) }.into()
}

#[tokio::test]
async fn a_declaration_of_our_own_message_revives_a_request_that_was_given_up() {
    for state in GIVEN_UP {
        let bed = Bed::new();
        let store = bed.store().await;
        scan_stakes(&store, 0..1).await;
        claim_and_park(&store, &ended(state), &Wait::End).await;
        let before = row(&store, OURS).await;
        assert_eq!(claim(&store, i64::MAX).await, Vec::<i64>::new(), "{state:?}");

        assert_eq!(scan_declared(&store, 12).await.woken, 1, "{state:?}");
        let after = row(&store, OURS).await;
        assert_eq!((after.state, after.declared_block), (State::Accepted, Some(12)), "{state:?}");
        assert_eq!(after.wakes, before.wakes + 1);
        let life = store.request_log(OURS).await.unwrap();
        assert_eq!(
            (life.last().unwrap().text.as_str(), life.last().unwrap().state),
            (MINED_AFTER_ALL, State::Accepted)
        );
        assert_eq!(claim(&store, 5).await, [1], "{state:?}");
    }
}

#[tokio::test]
async fn a_declaration_changes_no_state_but_that_of_a_request_that_was_given_up() {
    for state in [State::Requested, State::IntentConfirmed, State::Unknown, State::Complete] {
        let bed = Bed::new();
        let store = bed.store().await;
        scan_stakes(&store, 0..1).await;
        claim_and_park(&store, &ended(state), &Wait::Happening).await;
        scan_declared(&store, 12).await;
        assert_eq!(row(&store, OURS).await.state, state);
        assert!(store.request_log(OURS).await.unwrap().iter().all(|line| line.text != MINED_AFTER_ALL));
    }
}

#[tokio::test]
async fn a_request_made_again_owns_the_message_of_its_revoked_predecessor() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    claim_and_park(&store, &attempt(word(500)), &Wait::Happening).await;
    let composer = set().composer;
    // The same terms: the same request hash, hence the same secret and the same message.
    let again = vec![(log(composer, 11, 0), revoked(0)), (log(composer, 11, 1), stake_requested(0))];
    scan(&store, ORIGIN, 11, again).await;
    scan_declared(&store, 12).await;
    assert_eq!(row(&store, OURS).await.state, State::Revoked, "the pool's request was the second one");
    claim_and_park(&store, &attempt(word(500)), &Wait::Happening).await;
    assert_eq!(row(&store, RequestId(2)).await.declared_block, Some(12));
    assert_eq!(row(&store, OURS).await.state, State::Revoked);

    let back = store.rollback_to(ORIGIN, block(11), 300).await.unwrap();
    assert_eq!(back.reopened, 1);
    assert_eq!(row(&store, OURS).await.state, State::Revoked);
}

#[tokio::test]
async fn a_request_made_after_the_declaration_does_not_own_its_message() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    let later =
        vec![(log(set().gateway, 11, 0), declared(0, word(500))), (log(set().composer, 11, 1), stake_requested(0))];
    scan(&store, ORIGIN, 11, later).await;
    let first = store.claim_ready(ME, 1, 5).await.unwrap().remove(0);
    let end = Change::Park { id: OURS, park: park(ended(State::Revoked), Wait::End, first.wakes), retry_at_ms: None };
    assert_eq!(store.save(ME, &[end], 6).await.unwrap().ready, [OURS]);
    assert_eq!(row(&store, OURS).await.state, State::Accepted);
}

#[tokio::test]
async fn a_declaration_scanned_before_the_attempt_revives_a_request_that_was_given_up_meanwhile() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    scan_declared(&store, 11).await;
    claim_and_park(&store, &ended(State::TakenByOther), &Wait::End).await;
    let after = row(&store, OURS).await;
    assert_eq!((after.state, after.declared_block), (State::Accepted, Some(11)));
    assert_eq!(store.request_log(OURS).await.unwrap().last().unwrap().text, MINED_AFTER_ALL);
    assert_eq!(claim(&store, 5).await, [1]);
}

#[tokio::test]
async fn a_worker_that_gives_up_does_not_bury_a_declaration_that_it_has_not_seen() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    claim_and_park(&store, &attempt(word(500)), &Wait::Happening).await;
    store.wake(&[OURS]).await.unwrap();
    let claimed = store.claim_ready(ME, 1, 5).await.unwrap().remove(0);
    scan_declared(&store, 12).await;
    let give_up = |wakes| Change::Park {
        id: OURS,
        park: park(Update { state: Some(State::TakenByOther), ..Update::default() }, Wait::End, wakes),
        retry_at_ms: None,
    };
    assert_eq!(store.save(ME, &[give_up(claimed.wakes)], 6).await.unwrap().ready, [OURS]);
    let again = store.claim_ready(ME, 1, 7).await.unwrap().remove(0);
    assert_eq!((again.state, again.declared_block), (State::Accepted, Some(12)));
    // Who has seen it may say that it is over: the message itself was revoked.
    assert!(store.save(ME, &[give_up(again.wakes)], 8).await.unwrap().ready.is_empty());
    assert_eq!(row(&store, OURS).await.state, State::TakenByOther);
    assert_eq!(claim(&store, 9).await, Vec::<i64>::new());
}

#[tokio::test]
async fn a_reorg_reopens_a_declared_request_as_accepted() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    claim_and_park(&store, &attempt(word(500)), &Wait::Happening).await;
    scan_declared(&store, 11).await;
    let taken = Update { state: Some(State::TakenByOther), ..Update::default() };
    claim_and_park(&store, &taken, &Wait::End).await;
    // Another message of the same gateway vanishes: the end may rest on it.
    scan(&store, ORIGIN, 12, vec![(log(set().gateway, 12, 0), declared(7, word(999)))]).await;
    assert_eq!(store.rollback_to(ORIGIN, block(11), 300).await.unwrap().reopened, 1);
    assert_eq!(row(&store, OURS).await.state, State::Accepted);
    assert_eq!(claim(&store, 5).await, [1]);
}

#[tokio::test]
async fn the_operator_may_retry_all_but_what_is_complete_or_rejected() {
    for (state, next) in [
        (State::Skipped, Some(State::Requested)),
        (State::TakenByOther, Some(State::Requested)),
        (State::Revoked, Some(State::Requested)),
        (State::Unknown, Some(State::Requested)),
        (State::IntentConfirmed, Some(State::IntentConfirmed)),
        (State::Complete, None),
        (State::Rejected, None),
    ] {
        let bed = Bed::new();
        let store = bed.store().await;
        scan_stakes(&store, 0..2).await;
        let update = |message, declared_block| Update {
            state: Some(state),
            outbox: Some(MessageStatus::Undeclared),
            declared_block,
            ..attempt(message)
        };
        let requests = store.claim_ready(ME, 2, 5).await.unwrap();
        let leave = |index: usize, update| Change::Park {
            id: requests[index].id,
            park: park(update, Wait::End, requests[index].wakes),
            retry_at_ms: None,
        };
        let changes = [leave(0, update(word(500), None)), leave(1, update(word(501), Some(12)))];
        store.save(ME, &changes, 6).await.unwrap();
        let declared = if next == Some(State::Requested) { Some(State::Accepted) } else { next };
        for (id, next) in [(1, next), (2, declared)] {
            let retried = store.retry(RequestId(id), 7).await.unwrap();
            assert_eq!(retried, next.map_or(Retry::Ended(state), |_| Retry::Woken), "{state:?}");
            assert_eq!(row(&store, RequestId(id)).await.state, next.unwrap_or(state), "{state:?}");
        }
        assert_eq!(claim(&store, 8).await.len(), if next.is_some() { 2 } else { 0 }, "{state:?}");
    }
}

#[tokio::test]
async fn a_request_without_an_event_is_not_worked_on_unless_its_message_is_declared() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    claim_and_park(&store, &attempt(word(500)), &Wait::Clock).await;
    store.rollback_to(ORIGIN, block(9), 7).await.unwrap();
    assert_eq!(claim(&store, i64::MAX).await, Vec::<i64>::new());
    store.wake(&[OURS]).await.unwrap();
    assert_eq!(claim(&store, i64::MAX).await, Vec::<i64>::new());
    assert_eq!(store.next_retry_at().await.unwrap(), None);

    // The accept was on its way: its declaration is worked on even if the request's event was missed.
    scan_declared(&store, 10).await;
    assert_eq!(claim(&store, 8).await, [1]);
}

#[tokio::test]
async fn a_request_whose_event_appears_again_begins_anew_with_the_same_secret() {
    for state in GIVEN_UP.into_iter().chain([State::Unknown]) {
        let bed = Bed::new();
        let store = bed.store().await;
        scan_stakes(&store, 0..1).await;
        let update = Update { failures: Some(4), holds: Some(3), ..ended(state) };
        claim_and_park(&store, &update, &Wait::Happening).await;
        store.rollback_to(ORIGIN, block(9), 7).await.unwrap();
        scan(&store, ORIGIN, 10, vec![(log(set().composer, 10, 8), stake_requested(0))]).await;
        let again = row(&store, OURS).await;
        let next = if state == State::Unknown { State::Unknown } else { State::Requested };
        assert_eq!((again.state, again.failures, again.holds), (next, 0, 0));
        assert_eq!((again.waiting_for, again.hash_lock), (None, Some(word(77))));
        assert_eq!(claim(&store, 8).await, [1], "{state:?}");
    }
}

#[tokio::test]
async fn a_request_that_appears_again_only_to_be_revoked_ends_again() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    claim_and_park(&store, &ended(State::Skipped), &Wait::End).await;
    store.rollback_to(ORIGIN, block(9), 7).await.unwrap();
    let composer = set().composer;
    let events = vec![(log(composer, 10, 3), stake_requested(0)), (log(composer, 10, 4), revoked(0))];
    scan(&store, ORIGIN, 10, events).await;
    assert_eq!(row(&store, OURS).await.state, State::Revoked);
    assert_eq!(claim(&store, 8).await, Vec::<i64>::new());
}

#[tokio::test]
async fn what_is_complete_stays_complete_when_the_events_of_its_message_are_applied_again() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    scan_declared(&store, 11).await;
    let events = vec![(log(set().cogateway, 20, 0), minted(word(500), word(7), false))];
    scan(&store, AUXILIARY, 20, events).await;
    claim_and_park(&store, &ended(State::Complete), &Wait::End).await;
    assert_eq!(row(&store, OURS).await.state, State::Complete);
    assert_eq!(claim(&store, i64::MAX).await, Vec::<i64>::new());
}

/// A worker reads the chain before the scan does, and sees only that the nonce is used.
#[tokio::test]
async fn a_withdrawal_corrects_a_worker_that_took_it_for_accepted_by_somebody_else() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    let taken = Update { state: Some(State::TakenByOther), ..Update::default() };
    claim_and_park(&store, &taken, &Wait::End).await;
    scan(&store, ORIGIN, 11, vec![(log(set().composer, 11, 0), revoked(0))]).await;
    let record = store.request(RequestId(1)).await.unwrap().unwrap();
    assert_eq!(record.request.state, State::Revoked);
}
