//! Messages that others left: when they become rows, and what a reorg takes back.

use crate::support::*;
use facilitator_eth::U256;
use facilitator_protocol::{
    events::Log,
    model::{FinePrint, RequestId, State, Update, Wait},
};
use facilitator_store::{
    Store,
    requests::{Hunting, Record},
    scan::BlockRef,
};

const HUNTING: Hunting = Hunting { after_blocks: 5, recheck_ms: 1_000, limit: 10 };

fn gateway_log(block: u64, index: u64) -> Log {
    log(set().gateway, block, index)
}

/// A store that has both chains scanned to block 1.
async fn begun(bed: &Bed) -> Store {
    let store = bed.store().await;
    scan(&store, ORIGIN, 1, Vec::new()).await;
    scan(&store, AUXILIARY, 1, Vec::new()).await;
    store
}

async fn hunted(store: &Store) -> Vec<Record> {
    let all = store.list(&Default::default()).await.unwrap();
    all.into_iter().filter(|record| record.request.hunted).collect()
}

#[tokio::test]
async fn a_message_becomes_a_row_once_no_step_followed_for_long_and_only_once() {
    let bed = Bed::new();
    let store = begun(&bed).await;
    let message = word(500);
    scan(&store, ORIGIN, 10, vec![(gateway_log(10, 0), declared(3, message))]).await;
    scan(&store, ORIGIN, 15, Vec::new()).await;
    assert_eq!(store.hunt(&HUNTING, 1_000).await.unwrap(), 0, "not for longer than five blocks");
    scan(&store, ORIGIN, 16, Vec::new()).await;
    assert_eq!(store.hunt(&HUNTING, 1_000).await.unwrap(), 1);
    assert_eq!(store.hunt(&HUNTING, 1_000).await.unwrap(), 0);
    let rows = hunted(&store).await;
    let [Record { request, .. }] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(request.message_hash, Some(message));
    assert_eq!((request.state, request.declared_block), (State::Accepted, Some(10)));
    assert_eq!((request.terms.request_hash, request.terms.nonce), (message, U256::from(3_u64)));
    assert_eq!((request.terms.sender, request.message_sender), (address(21), Some(address(21))));
    assert_eq!((request.terms.gateway, request.pool), (set().gateway, set().gateway));
    assert_eq!(request.hash_lock, None, "no event says it");
    assert_eq!(claim(&store, 2_000).await, [request.id.0]);
}

/// A step on either chain puts it off, counted on the chain of that step.
#[tokio::test]
async fn whoever_is_at_it_is_left_in_peace() {
    let bed = Bed::new();
    let store = begun(&bed).await;
    let (message, secret) = (word(500), word(9));
    scan(&store, ORIGIN, 10, vec![(gateway_log(10, 0), declared(3, message))]).await;
    scan(&store, ORIGIN, 30, Vec::new()).await;
    scan(&store, AUXILIARY, 7, vec![(log(set().cogateway, 7, 0), confirmed(3, message))]).await;
    assert_eq!(store.hunt(&HUNTING, 1_000).await.unwrap(), 0);
    scan(&store, AUXILIARY, 13, Vec::new()).await;
    scan(&store, ORIGIN, 31, vec![(gateway_log(31, 0), progressed(message, secret, false))]).await;
    assert_eq!(store.hunt(&HUNTING, 1_000).await.unwrap(), 0);
    scan(&store, ORIGIN, 37, Vec::new()).await;
    assert_eq!(store.hunt(&HUNTING, 1_000).await.unwrap(), 1);
    let rows = hunted(&store).await;
    assert_eq!(rows[0].request.unlock_secret, Some(secret), "what was published before is known");
}

#[tokio::test]
async fn finished_and_own_messages_and_those_that_may_be_own_are_not_hunted() {
    let bed = Bed::new();
    let store = begun(&bed).await;
    // Of the first request this is our message; of the second it may be, as long as its worker has not looked.
    scan_stakes(&store, 0..2).await;
    claim_and_park(&store, &attempt(word(500)), &Wait::Happening).await;
    let events = vec![
        (gateway_log(11, 0), declared(0, word(500))),
        (gateway_log(11, 1), declared(1, word(501))),
        (gateway_log(11, 2), declared(7, word(502))),
        (gateway_log(11, 3), progressed(word(502), word(9), false)),
    ];
    scan(&store, ORIGIN, 11, events).await;
    let done = vec![
        (log(set().cogateway, 5, 0), confirmed(7, word(502))),
        (log(set().cogateway, 5, 1), minted(word(502), word(9), false)),
    ];
    scan(&store, AUXILIARY, 5, done).await;
    scan(&store, ORIGIN, 40, Vec::new()).await;
    scan(&store, AUXILIARY, 40, Vec::new()).await;
    assert_eq!(store.hunt(&HUNTING, 1_000).await.unwrap(), 0, "{:?}", hunted(&store).await);
    // Somebody else took the second.
    let taken = Update { state: Some(State::TakenByOther), ..Update::default() };
    let claimed = store.claim_ready(ME, 100, 1_000).await.unwrap();
    let second = claimed.iter().find(|request| request.terms.nonce == U256::ONE).unwrap();
    let change = facilitator_store::requests::Change::Park {
        id: second.id,
        park: park(taken, Wait::End, second.wakes),
        retry_at_ms: None,
    };
    store.save(ME, &[change], 1_000).await.unwrap();
    assert_eq!(store.hunt(&HUNTING, 1_000).await.unwrap(), 1);
    let rows = hunted(&store).await;
    assert_eq!(rows[0].request.message_hash, Some(word(501)));
    let asked = second.terms.sender;
    assert_eq!((rows[0].request.terms.sender, rows[0].request.terms.sender_proxy), (asked, address(21)));
    let log = store.request_log(rows[0].request.id).await.unwrap();
    assert!(log.iter().any(|line| line.text.contains(&second.terms.request_hash.to_string())), "{log:?}");
}

fn print() -> Update {
    let print = FinePrint { hash_lock: word(77), gas_price: U256::from(4_u64), gas_limit: U256::from(5_u64) };
    Update { fine_print: Some(print), ..Update::default() }
}

async fn left_alone(store: &Store, now_ms: i64) -> RequestId {
    let claimed = store.claim_ready(ME, 100, now_ms).await.unwrap();
    let [request] = claimed.as_slice() else { panic!("{claimed:?}") };
    let update = Update { state: Some(State::Skipped), ..print() };
    let change = facilitator_store::requests::Change::Park {
        id: request.id,
        park: park(update, Wait::End, request.wakes),
        retry_at_ms: None,
    };
    store.save(ME, &[change], now_ms).await.unwrap();
    request.id
}

#[tokio::test]
async fn what_was_left_alone_is_judged_anew_after_a_while_or_when_something_happens_to_it() {
    let bed = Bed::new();
    let store = begun(&bed).await;
    let message = word(500);
    scan(&store, ORIGIN, 10, vec![(gateway_log(10, 0), declared(3, message))]).await;
    scan(&store, ORIGIN, 16, Vec::new()).await;
    store.hunt(&HUNTING, 1_000).await.unwrap();
    let id = left_alone(&store, 2_000).await;
    let terms = store.request(id).await.unwrap().unwrap().request.terms;
    assert_eq!((terms.gas_price, terms.gas_limit), (U256::from(4_u64), U256::from(5_u64)));
    assert_eq!(store.hunt(&HUNTING, 2_999).await.unwrap(), 0);
    assert!(claim(&store, 2_999).await.is_empty());
    assert_eq!(store.hunt(&HUNTING, 3_000).await.unwrap(), 1);
    assert_eq!(left_alone(&store, 3_000).await, id);
    scan(&store, ORIGIN, 17, vec![(gateway_log(17, 0), progressed(message, word(9), false))]).await;
    assert_eq!(claim(&store, 3_001).await, [id.0]);
}

#[tokio::test]
async fn a_reorg_takes_messages_and_their_rows_back_with_the_blocks() {
    let bed = Bed::new();
    let store = begun(&bed).await;
    let message = word(500);
    scan(&store, ORIGIN, 9, Vec::new()).await;
    scan(&store, ORIGIN, 10, vec![(gateway_log(10, 0), declared(3, message))]).await;
    scan(&store, AUXILIARY, 5, vec![(log(set().cogateway, 5, 0), confirmed(3, message))]).await;
    scan(&store, AUXILIARY, 30, Vec::new()).await;
    scan(&store, ORIGIN, 30, Vec::new()).await;
    assert_eq!(store.hunt(&HUNTING, 1_000).await.unwrap(), 1);
    left_alone(&store, 1_000).await;
    let to: BlockRef = block(9);
    store.rollback_to(ORIGIN, to, 2_000).await.unwrap();
    assert!(hunted(&store).await.is_empty(), "nothing was sent for it");
    assert_eq!(store.hunt(&HUNTING, 2_000).await.unwrap(), 0);
    // Declared again elsewhere, it is found again, with what the other chain still has.
    scan(&store, ORIGIN, 12, vec![(gateway_log(12, 4), declared(3, message))]).await;
    scan(&store, ORIGIN, 30, Vec::new()).await;
    assert_eq!(store.hunt(&HUNTING, 3_000).await.unwrap(), 1);
    let rows = hunted(&store).await;
    assert_eq!((rows[0].request.declared_block, rows[0].request.position.block_number), (Some(12), 12));
    let claimed = store.claim_ready(ME, 100, 3_000).await.unwrap();
    let briefs = store.brief(&claimed).await.unwrap();
    assert_eq!(briefs[0].back.as_ref().and_then(|back| back.confirmed_block), Some(5));
}

/// Whoever is first finishes such a message: it was nobody's task, also once keys of ours are meant to.
#[tokio::test]
async fn a_message_to_hunt_is_designated_to_nobody() {
    let bed = Bed::new();
    let store = begun(&bed).await;
    let message = word(500);
    scan(&store, ORIGIN, 10, vec![(gateway_log(10, 0), declared(3, message))]).await;
    scan(&store, ORIGIN, 16, Vec::new()).await;
    assert_eq!(store.hunt(&HUNTING, 1_000).await.unwrap(), 1);
    let claimed = store.claim_ready(ME, 100, 1_000).await.unwrap();
    let [request] = claimed.as_slice() else { panic!("{claimed:?}") };
    let taken_up = Update { origin_worker: Some(address(1)), auxiliary_worker: Some(address(2)), ..Update::default() };
    let change = facilitator_store::requests::Change::Park {
        id: request.id,
        park: park(taken_up, Wait::Happening, request.wakes),
        retry_at_ms: None,
    };
    store.save(ME, &[change], 1_000).await.unwrap();
    assert_eq!(hunted(&store).await[0].request.origin_worker, Some(address(1)));
    let nonce = U256::from(3_u64);
    assert_eq!(store.designated_workers(set().gateway, address(21), nonce).await.unwrap(), None);
    assert_eq!(store.designated_workers_of(message).await.unwrap(), None);
}
