//! What each event does to the requests, that a range is all or nothing, and that a reorg is undone.

use crate::support::{
    AUXILIARY, Bed, ME, ORIGIN, address, attempt, block, claim, claim_and_park, declared, log, minted, park,
    progressed, proven, root, scan, scan_stakes, set, stake_requested, word,
};
use facilitator_eth::U256;
use facilitator_protocol::{
    events::{self, Event},
    model::{RequestId, State, Update, Wait},
};
use facilitator_store::{
    Store, StoreError,
    requests::Change,
    scan::{Block, ScanCommit},
};

async fn state(store: &Store, id: i64) -> State {
    store.request(RequestId(id)).await.unwrap().unwrap().request.state
}

fn in_state(state: State) -> Update {
    Update { state: Some(state), ..Update::default() }
}

#[tokio::test]
async fn a_range_committed_twice_changes_nothing_and_a_moved_checkpoint_is_refused() {
    let bed = Bed::new();
    let store = bed.store().await;
    let events = vec![(log(set().composer, 10, 0), stake_requested(1))];
    let blocks = vec![Block { number: 10, hash: block(10).hash, parent_hash: block(9).hash }];
    let commit = ScanCommit { chain_id: ORIGIN, previous: None, blocks, events, checkpoint: block(10) };
    assert_eq!(store.commit_scan(&commit, 1).await.unwrap().requests, [RequestId(1)]);
    assert!(matches!(store.commit_scan(&commit, 1).await, Err(StoreError::CheckpointMoved { .. })));
    let again = ScanCommit { previous: Some(block(10)), ..commit };
    let committed = store.commit_scan(&again, 1).await.unwrap();
    assert_eq!((committed.requests, committed.woken), (vec![], 0));
    assert_eq!(store.checkpoint(ORIGIN).await.unwrap(), Some(block(10)));
    assert_eq!(store.checkpoint(AUXILIARY).await.unwrap(), None);
    assert_eq!(store.recent_blocks(ORIGIN, 5).await.unwrap().len(), 1);
    assert_eq!(store.prune_blocks(ORIGIN, 11).await.unwrap(), 1);
}

#[tokio::test]
async fn blocks_that_no_reorg_reaches_are_forgotten() {
    let bed = Bed::new();
    let store = bed.store().await;
    let numbers = async || -> Vec<u64> {
        store.recent_blocks(ORIGIN, 100).await.unwrap().iter().map(|block| block.number).collect()
    };
    scan(&store, AUXILIARY, 10, vec![]).await;
    for to in [10, 20, 4_000] {
        scan(&store, ORIGIN, to, vec![(log(set().composer, to, 0), stake_requested(to))]).await;
    }
    assert_eq!(numbers().await, [4_000, 20, 10]);
    scan(&store, ORIGIN, 4_096 + 15, vec![]).await;
    assert_eq!(numbers().await, [4_111, 4_000, 20]);
    scan(&store, ORIGIN, 4_096 + 30, vec![]).await;
    assert_eq!(numbers().await, [4_126, 4_111, 4_000, 20], "not at every commit");
    scan(&store, ORIGIN, 8_192, vec![]).await;
    assert_eq!(numbers().await, [8_192, 4_126, 4_111]);
    assert_eq!(store.recent_blocks(AUXILIARY, 9).await.unwrap().len(), 1, "the other chain's");
    assert_eq!(store.list(&facilitator_store::requests::Filter::default()).await.unwrap().len(), 3, "events stay");
}

#[tokio::test]
async fn events_of_contracts_that_do_not_emit_them_are_ignored() {
    let bed = Bed::new();
    let store = bed.store().await;
    let foreign = [
        (address(99), stake_requested(1)),
        (set().gateway, stake_requested(2)),
        (set().composer, root(3)),
        (set().co_anchor, root(4)),
        (set().cogateway, declared(1, word(1))),
    ];
    let events: Vec<_> =
        foreign.into_iter().zip(0..).map(|((contract, event), index)| (log(contract, 10, index), event)).collect();
    let committed = scan(&store, ORIGIN, 10, events).await;
    assert_eq!((committed.ignored, committed.requests.len()), (5, 0));
    assert_eq!(store.newest_root(ORIGIN, set().co_anchor).await.unwrap(), None);
}

#[tokio::test]
async fn the_same_request_hash_in_two_events_is_two_requests() {
    let bed = Bed::new();
    let store = bed.store().await;
    let composer = set().composer;
    let revoked = Event::from(events::StakeRevoked { staker: address(1), request_hash: word(1) });
    let events = vec![
        (log(composer, 10, 0), stake_requested(1)),
        (log(composer, 10, 1), revoked),
        (log(composer, 10, 2), stake_requested(1)),
    ];
    scan(&store, ORIGIN, 10, events).await;
    assert_eq!((state(&store, 1).await, state(&store, 2).await), (State::Revoked, State::Requested));
    assert_eq!(claim(&store, 1).await, [2]);
    let life = store.request_log(RequestId(1)).await.unwrap();
    assert_eq!(life.last().unwrap().text, "revoked by its sender in block 10");
}

#[tokio::test]
async fn a_withdrawn_request_stays_withdrawn_whatever_its_worker_saves_later() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..2).await;
    store.claim_ready(ME, 10, 5).await.unwrap();
    let rejected = Event::from(events::StakeRejected { staker: address(1), request_hash: word(0) });
    scan(&store, ORIGIN, 11, vec![(log(set().composer, 11, 0), rejected)]).await;
    let leave = |id| Change::Park {
        id: RequestId(id),
        park: park(in_state(State::Failed(facilitator_protocol::model::Stage::Accept)), Wait::Clock, 0),
        retry_at_ms: Some(1),
    };
    let saved = store.save(ME, &[leave(1), leave(2)], 6).await.unwrap();
    assert_eq!(saved, facilitator_store::requests::Saved::default());
    assert_eq!(state(&store, 1).await, State::Rejected);
    assert_eq!(claim(&store, 1_000).await, [2]);
}

#[tokio::test]
async fn a_declared_message_wakes_its_request_and_the_one_whose_place_it_took() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..3).await;
    claim_and_park(&store, &attempt(word(500)), &Wait::Happening).await;
    // Only the first has this message; the second's place (proxy and nonce) is taken by a foreign one.
    let mut other = attempt(word(501));
    other.attempt.as_mut().unwrap().message_hash = word(501);
    store.wake(&[RequestId(2), RequestId(3)]).await.unwrap();
    claim_and_park(&store, &other, &Wait::Happening).await;
    let events =
        vec![(log(set().gateway, 12, 0), declared(0, word(500))), (log(set().gateway, 12, 1), declared(1, word(999)))];
    assert_eq!(scan(&store, ORIGIN, 12, events).await.woken, 2);
    let first = store.request(RequestId(1)).await.unwrap().unwrap().request;
    assert_eq!((first.declared_block, first.message_sender), (Some(12), Some(address(21))));
    assert_eq!(claim(&store, 5).await, [1, 2]);
}

#[tokio::test]
async fn a_root_wakes_those_who_wait_for_its_height_before_and_after_parking() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..3).await;
    let wait = |at_least| Wait::Root { chain_id: AUXILIARY, anchor: set().co_anchor, at_least };
    let claimed = store.claim_ready(ME, 10, 5).await.unwrap();
    let leave = |index: usize, at_least| Change::Park {
        id: claimed[index].id,
        park: park(Update::default(), wait(at_least), claimed[index].wakes),
        retry_at_ms: None,
    };
    store.save(ME, &[leave(0, 100), leave(1, 101)], 6).await.unwrap();
    scan(&store, AUXILIARY, 50, vec![(log(set().co_anchor, 50, 0), root(100))]).await;
    assert_eq!(claim(&store, 6).await, [1]);
    assert_eq!(store.newest_root(AUXILIARY, set().co_anchor).await.unwrap(), Some((100, word(100))));
    let anchors = [set().co_anchor, set().anchor];
    let known = store.anchored_roots(AUXILIARY, &anchors, 10).await.unwrap();
    assert_eq!(known.first().map(|known| (known.anchor, known.height, known.root)), Some((anchors[0], 100, word(100))));
    assert!(known.is_sorted_by(|a, b| a.height >= b.height) && known.iter().all(|known| known.anchor == anchors[0]));
    assert_eq!(store.anchored_roots(AUXILIARY, &anchors, 1).await.unwrap(), known[..1]);
    assert_eq!(store.anchored_roots(ORIGIN, &anchors, 10).await.unwrap(), []);
    assert_eq!(store.save(ME, &[leave(2, 100)], 7).await.unwrap().ready, [RequestId(3)], "anchored already");
    scan(&store, AUXILIARY, 51, vec![(log(set().co_anchor, 51, 0), root(200))]).await;
    assert_eq!(claim(&store, 8).await, [2, 3]);
}

#[tokio::test]
async fn a_proven_gateway_moves_every_request_that_uses_its_height() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..3).await;
    let accepted = |height| Update { proof_height: Some(height), ..in_state(State::Accepted) };
    claim_and_park(&store, &accepted(70), &Wait::Happening).await;
    store.wake(&[RequestId(3)]).await.unwrap();
    claim_and_park(&store, &accepted(71), &Wait::Happening).await;
    let proof = (log(set().cogateway, 60, 0), proven(70));
    assert_eq!(scan(&store, AUXILIARY, 60, vec![proof]).await.woken, 2);
    assert_eq!(state(&store, 1).await, State::AccountProven);
    assert_eq!(state(&store, 3).await, State::Accepted);
    assert!(claim(&store, 5).await.is_empty(), "their confirmation follows the proof without another step");
    assert_eq!(store.proof(ORIGIN, set().gateway, 69).await.unwrap().unwrap().proven_block, Some(60));

    // One that chooses the height only now has missed the event, but not the fact.
    store.wake(&[RequestId(3)]).await.unwrap();
    let request = store.claim_ready(ME, 1, 6).await.unwrap().remove(0);
    let leave =
        |wakes| Change::Park { id: request.id, park: park(accepted(70), Wait::Happening, wakes), retry_at_ms: None };
    assert!(store.save(ME, &[leave(request.wakes)], 6).await.unwrap().ready.is_empty());
    assert_eq!(state(&store, 3).await, State::AccountProven);
}

#[tokio::test]
async fn progress_publishes_the_secret_once_and_what_was_paid() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    claim_and_park(&store, &attempt(word(500)), &Wait::Happening).await;
    let request = async || store.request(RequestId(1)).await.unwrap().unwrap().request;
    scan(&store, AUXILIARY, 20, vec![(log(set().cogateway, 20, 0), minted(word(500), word(0), true))]).await;
    let after = request().await;
    assert_eq!(
        (after.unlock_secret, after.reward, after.paid_out),
        (None, Some(U256::from(2_u64)), Some(U256::from(8_u64)))
    );
    scan(&store, ORIGIN, 20, vec![(log(set().gateway, 20, 0), progressed(word(500), word(7), false))]).await;
    scan(&store, ORIGIN, 21, vec![(log(set().gateway, 21, 0), progressed(word(500), word(0), true))]).await;
    assert_eq!(request().await.unlock_secret, Some(word(7)));
    assert_eq!(claim(&store, 5).await, [1]);
}

#[tokio::test]
async fn a_reorg_forgets_what_only_it_knew_and_reopens_what_was_built_on_it() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    claim_and_park(&store, &attempt(word(500)), &Wait::Happening).await;
    scan(&store, ORIGIN, 11, vec![(log(set().gateway, 11, 0), declared(0, word(500)))]).await;
    claim_and_park(&store, &in_state(State::Complete), &Wait::End).await;
    let late = vec![(log(set().composer, 12, 0), stake_requested(5)), (log(set().anchor, 12, 1), root(9))];
    scan(&store, ORIGIN, 12, late).await;

    let back = store.rollback_to(ORIGIN, block(10), 300).await.unwrap();
    assert_eq!((back.events, back.forgotten, back.reopened), (3, 1, 1));
    assert_eq!(store.checkpoint(ORIGIN).await.unwrap(), Some(block(10)));
    assert_eq!(store.recent_blocks(ORIGIN, 9).await.unwrap().len(), 1);
    assert_eq!(store.newest_root(ORIGIN, set().anchor).await.unwrap(), None);
    let request = store.request(RequestId(1)).await.unwrap().unwrap().request;
    assert_eq!((request.state, request.declared_block), (State::Requested, None));
    assert_eq!(request.hash_lock, Some(word(77)), "accepted again with the same secret");
    assert_eq!(claim(&store, 5).await, [1]);
}

#[tokio::test]
async fn a_request_whose_event_moves_in_a_reorg_stays_the_same_request() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..2).await;
    store.claim_ready(ME, 1, 5).await.unwrap();
    let change = Change::Update { id: RequestId(1), update: attempt(word(500)) };
    store.save(ME, &[change], 6).await.unwrap();
    let back = store.rollback_to(ORIGIN, block(9), 7).await.unwrap();
    assert_eq!((back.forgotten, back.reopened), (1, 1));
    assert!(store.request(RequestId(1)).await.unwrap().unwrap().orphaned);
    let moved =
        vec![(log(set().composer, 10, 8), stake_requested(0)), (log(set().composer, 10, 9), stake_requested(1))];
    let committed = scan(&store, ORIGIN, 10, moved).await;
    assert_eq!(committed.requests, [RequestId(3)], "row numbers are not used twice");
    let record = store.request(RequestId(1)).await.unwrap().unwrap();
    assert_eq!((record.orphaned, record.request.position.log_index), (false, 8));
    assert_eq!(record.request.message_hash, Some(word(500)));
}

#[tokio::test]
async fn a_reorg_takes_back_ends_and_proofs() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..3).await;
    let taken = store.claim_ready(ME, 1, 5).await.unwrap().remove(0);
    let end = Change::Park {
        id: taken.id,
        park: park(in_state(State::TakenByOther), Wait::End, taken.wakes),
        retry_at_ms: None,
    };
    store.save(ME, &[end], 6).await.unwrap();
    let accepted = Update { proof_height: Some(70), ..in_state(State::Accepted) };
    let revoked = Event::from(events::StakeRevoked { staker: address(1), request_hash: word(1) });
    let events = vec![(log(set().composer, 11, 0), revoked), (log(set().gateway, 11, 1), declared(0, word(999)))];
    scan(&store, ORIGIN, 11, events).await;
    claim_and_park(&store, &accepted, &Wait::Happening).await;
    scan(&store, AUXILIARY, 59, vec![]).await;
    scan(&store, AUXILIARY, 60, vec![(log(set().cogateway, 60, 0), proven(70))]).await;
    let states = async || [state(&store, 1).await, state(&store, 2).await, state(&store, 3).await];
    assert_eq!(states().await, [State::TakenByOther, State::Revoked, State::AccountProven]);

    store.rollback_to(AUXILIARY, block(59), 8).await.unwrap();
    assert_eq!(states().await, [State::TakenByOther, State::Revoked, State::Accepted]);
    store.rollback_to(ORIGIN, block(10), 8).await.unwrap();
    assert_eq!(states().await, [State::Requested, State::Requested, State::Accepted]);
    assert_eq!(claim(&store, 9).await, [1, 2, 3]);
}
