//! What a worker is told beside its row.

use crate::support::{
    AUXILIARY, Bed, ME, ORIGIN, address, attempt, block, claim_and_park, declared, log, park, redeem_requested, scan,
    scan_stakes, set, word,
};
use facilitator_eth::{Bytes, U256};
use facilitator_protocol::model::{Request, RequestId, State, Step, Update, Wait};
use facilitator_protocol::transfer::accept::InFlight;
use facilitator_store::{
    Store,
    journal::{EntryId, Failed, Failure, Journal, NewEntry, Visibility},
    requests::{Brief, Change},
};

/// What each of these accepts locks.
const BOUNTY: u64 = 50;

async fn brief(store: &Store, id: i64) -> Brief {
    let request = store.request(RequestId(id)).await.unwrap().unwrap().request;
    store.brief(&[request]).await.unwrap().remove(0)
}

fn with_workers(message: u64, origin: u8, auxiliary: u8) -> Update {
    Update {
        origin_worker: Some(address(origin)),
        auxiliary_worker: Some(address(auxiliary)),
        bounty: Some(U256::from(BOUNTY)),
        ..attempt(word(message))
    }
}

/// What both chains' workers have in flight, stakes and redeems together, and the bounties that they have yet to pay.
fn counts(brief: &Brief) -> [(u64, u64); 2] {
    [(ORIGIN, address(60)), (AUXILIARY, address(61))].map(|(chain, account)| {
        let InFlight { stakes, redeems } = brief.in_flight_of(chain, account);
        (stakes + redeems, brief.bounties_of(chain, account, |_| true).to_u64().unwrap())
    })
}

async fn save(store: &Store, requests: &[Request], update: impl Fn(&Request) -> Update, wait: &Wait) {
    let leave = |request: &Request| Change::Park {
        id: request.id,
        park: park(update(request), wait.clone(), request.wakes),
        retry_at_ms: None,
    };
    let changes: Vec<Change> = requests.iter().map(leave).collect();
    store.save(ME, &changes, 6).await.unwrap();
}

#[tokio::test]
async fn what_is_accepted_or_about_to_be_counts_against_the_keys_that_pay_for_it() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..4).await;
    let ready = store.claim_ready(ME, 10, 5).await.unwrap();
    let message = |request: &Request| with_workers(500 + u64::try_from(request.id.0).unwrap(), 60, 61);
    save(&store, &ready[..3], message, &Wait::Happening).await;
    for id in 1..=3 {
        accepting(&store.journal(ORIGIN), id, 6).await;
    }
    // The fourth has no lock yet: nothing of it is reserved.
    assert_eq!(
        counts(&brief(&store, 4).await),
        [(3, 3 * BOUNTY), (3, 0)],
        "the bounty of a stake is paid on the origin chain"
    );
    assert_eq!(counts(&brief(&store, 1).await), [(2, 2 * BOUNTY), (2, 0)], "a request does not stand in its own way");

    scan(&store, ORIGIN, 11, vec![(log(set().gateway, 11, 0), declared(0, word(501)))]).await;
    assert_eq!(counts(&brief(&store, 4).await), [(3, 2 * BOUNTY), (3, 0)]);
    assert_eq!(counts(&brief(&store, 1).await), [(2, 2 * BOUNTY), (2, 0)]);

    store.wake(&[RequestId(1), RequestId(2)]).await.unwrap();
    let again = store.claim_ready(ME, 10, 6).await.unwrap();
    let end = |request: &Request| {
        let state = if request.id.0 == 1 { State::Complete } else { State::Skipped };
        Update { state: Some(state), ..Update::default() }
    };
    save(&store, &again, end, &Wait::End).await;
    assert_eq!(counts(&brief(&store, 4).await), [(1, BOUNTY), (1, 0)]);
    assert_eq!(brief(&store, 4).await.in_flight_of(ORIGIN, address(61)), InFlight::default(), "the other chain's key");
    assert_eq!(brief(&store, 4).await.bounties_of(AUXILIARY, address(60), |_| true), U256::ZERO);
    let of = |gateway| move |taker| taker == gateway;
    let (ours, other) = (of(set().gateway), of(address(99)));
    assert_eq!(brief(&store, 4).await.bounties_of(ORIGIN, address(60), ours), U256::from(BOUNTY));
    assert_eq!(brief(&store, 4).await.bounties_of(ORIGIN, address(60), other), U256::ZERO, "another gateway's token");
}

#[tokio::test]
async fn the_bounty_of_a_redeem_is_paid_on_the_auxiliary_chain() {
    let bed = Bed::new();
    let store = bed.store().await;
    let pool = set().redeem_pool.unwrap();
    let events = vec![(log(pool, 5, 0), redeem_requested(8)), (log(pool, 5, 1), redeem_requested(9))];
    scan(&store, AUXILIARY, 5, events).await;
    claim_and_park(&store, &with_workers(500, 60, 61), &Wait::Happening).await;
    for id in 1..=2 {
        accepting(&store.journal(AUXILIARY), id, 200).await;
    }
    assert_eq!(counts(&brief(&store, 1).await), [(1, 0), (1, BOUNTY)]);
    let redeem = InFlight { stakes: 0, redeems: 1 };
    assert_eq!(brief(&store, 1).await.in_flight_of(AUXILIARY, address(61)), redeem);
}

#[tokio::test]
async fn a_request_without_an_event_reserves_nothing_unless_its_message_is_declared() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    claim_and_park(&store, &with_workers(500, 60, 61), &Wait::Happening).await;
    store.rollback_to(ORIGIN, block(9), 7).await.unwrap();
    scan_stakes(&store, 1..2).await;
    assert_eq!(counts(&brief(&store, 2).await), [(0, 0), (0, 0)]);
    assert_eq!(counts(&brief(&store, 1).await), [(0, 0), (0, 0)], "takes nothing away that is not counted");
    scan(&store, ORIGIN, 11, vec![(log(set().gateway, 11, 0), declared(0, word(500)))]).await;
    assert_eq!(counts(&brief(&store, 2).await), [(1, 0), (1, 0)]);
}

/// Hands the accept of a request over.
async fn accepting(journal: &Journal, id: i64, now_ms: i64) -> EntryId {
    let entry = NewEntry {
        intent: format!("accept:{id}"),
        request_id: Some(RequestId(id)),
        step: Step::Accept,
        account: None,
        to: address(50),
        value: U256::ZERO,
        data: Bytes::default(),
        visibility: Visibility::Public,
        after: None,
        allowance: None,
        expect: None,
    };
    journal.queue(&[], &[entry], now_ms).await.unwrap().remove(0).entry.id
}

/// Else they would hold each other up for ever, though there is money for one after the other.
#[tokio::test]
async fn a_lock_whose_accept_is_neither_on_its_way_nor_about_to_leave_reserves_nothing() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..4).await;
    claim_and_park(&store, &with_workers(500, 60, 61), &Wait::Clock).await;
    assert_eq!(counts(&brief(&store, 4).await), [(0, 0), (0, 0)], "put off before anything was handed over");
    fail(&store, 1, 210).await;
    accepting(&store.journal(ORIGIN), 2, 210).await;
    assert_eq!(counts(&brief(&store, 4).await), [(1, BOUNTY), (1, 0)], "the failed one asks for nothing");
    store.wake(&[RequestId(3)]).await.unwrap();
    // The failure has woken the first one too.
    assert_eq!(store.claim_ready(ME, 10, 220).await.unwrap().len(), 2);
    assert_eq!(counts(&brief(&store, 4).await), [(3, 3 * BOUNTY), (3, 0)], "workers may be handing them over");
}

async fn fail(store: &Store, request: i64, now_ms: i64) {
    let journal = store.journal(ORIGIN);
    let id = accepting(&journal, request, now_ms).await;
    let failure = Failure { kind: "reverted".to_owned(), message: format!("at {now_ms}"), detail: None };
    journal.fail(&[], &[Failed { id, inclusion: None, failure }], now_ms).await.unwrap();
}

async fn failures(store: &Store, id: i64) -> Option<(u32, String)> {
    let failed = brief(store, id).await.failed;
    assert!(failed.len() <= 1);
    failed.into_iter().next().map(|one| (one.count, one.error))
}

#[tokio::test]
async fn what_failed_before_a_retry_counts_no_more() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..2).await;
    for (id, at) in [(1, 10), (1, 20), (2, 15)] {
        fail(&store, id, at).await;
    }
    assert_eq!(failures(&store, 1).await, Some((2, "at 20".to_owned())));
    store.retry(RequestId(1), 30).await.unwrap();
    assert_eq!(failures(&store, 1).await, None);
    assert_eq!(failures(&store, 2).await, Some((1, "at 15".to_owned())), "another request's retry");
    fail(&store, 1, 40).await;
    assert_eq!(failures(&store, 1).await, Some((1, "at 40".to_owned())));
}

#[tokio::test]
async fn what_failed_before_the_event_moved_counts_no_more() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    claim_and_park(&store, &attempt(word(500)), &Wait::Happening).await;
    fail(&store, 1, 10).await;
    store.rollback_to(ORIGIN, block(9), 50).await.unwrap();
    assert_eq!(failures(&store, 1).await, Some((1, "at 10".to_owned())));
    // Scanned at 100.
    scan_stakes(&store, 0..1).await;
    assert_eq!(failures(&store, 1).await, None);
}

/// Addresses follow from deployer and nonce, so that two chains may have the same one for different contracts.
#[tokio::test]
async fn a_proof_on_the_other_chain_is_not_one_of_this_request() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    claim_and_park(&store, &attempt(word(500)), &Wait::Happening).await;
    scan(&store, ORIGIN, 11, vec![(log(set().gateway, 11, 0), declared(0, word(500)))]).await;
    store.wake(&[RequestId(1)]).await.unwrap();
    let accepted = Update { state: Some(State::Accepted), ..Update::default() };
    claim_and_park(&store, &accepted, &Wait::Happening).await;
    for (chain, height) in [(ORIGIN, 70), (AUXILIARY, 71)] {
        let entry = NewEntry {
            intent: format!("prove:{}:{height}", set().cogateway.to_lower_hex()),
            request_id: None,
            step: Step::ProveGateway,
            account: None,
            to: set().cogateway,
            value: U256::ZERO,
            data: Bytes::default(),
            visibility: Visibility::Public,
            after: None,
            allowance: None,
            expect: None,
        };
        store.journal(chain).queue(&[], &[entry], 7).await.unwrap();
    }
    assert_eq!(brief(&store, 1).await.proving, [71]);
}
