//! Events that need no worker: what comes next is another event.

use crate::support::{
    AUXILIARY, Bed, ME, ORIGIN, attempt, block, claim, claim_and_park, confirmed, declared, entry_of, log, minted,
    park, progressed, root, scan, scan_stakes, set, word,
};
use facilitator_protocol::model::{RequestId, Side, State, Step, Update, Wait, awaited_root};
use facilitator_store::Store;
use facilitator_store::journal::{EntryId, Failed, Failure};
use facilitator_store::requests::Change;

const NOBODY: [i64; 0] = [];

/// A request whose accept is on its way.
async fn accepting(bed: &Bed) -> (Store, EntryId) {
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    let entry = entry_of(&store, ORIGIN, 1, Step::Accept).await;
    claim_and_park(&store, &Update { failures: Some(3), ..attempt(word(500)) }, &Wait::Happening).await;
    (store, entry)
}

async fn declare(store: &Store, block: u64) {
    scan(store, ORIGIN, block, vec![(log(set().gateway, block, 0), declared(0, word(500)))]).await;
}

async fn anchor(store: &Store, block: u64, height: u64) {
    scan(store, AUXILIARY, block, vec![(log(set().co_anchor, block, 0), root(height))]).await;
}

async fn fail(store: &Store, chain: u64, id: EntryId) {
    let failure = Failure { kind: "reverted".to_owned(), message: "no".to_owned(), detail: None };
    store.journal(chain).fail(&[], &[Failed { id, inclusion: None, failure }], 320).await.unwrap();
}

#[tokio::test]
async fn a_declared_message_waits_for_a_root_that_holds_it_and_is_told_as_accepted() {
    let bed = Bed::new();
    let (store, _) = accepting(&bed).await;
    anchor(&store, 5, 19).await;
    declare(&store, 20).await;
    assert_eq!(claim(&store, 310).await, NOBODY);
    let request = store.request(RequestId(1)).await.unwrap().unwrap().request;
    assert_eq!((request.state, request.declared_block), (State::Accepted, Some(20)));
    assert_eq!((request.failures, request.waiting_for), (0, Some(awaited_root(Side::Origin, 20))));
    // A root that does not hold it.
    anchor(&store, 6, 19).await;
    assert_eq!(claim(&store, 320).await, NOBODY);
    anchor(&store, 7, 21).await;
    assert_eq!(claim(&store, 330).await, [1]);
}

#[tokio::test]
async fn a_declared_message_wakes_whose_root_is_there_or_whose_declaration_a_reorg_removes() {
    let bed = Bed::new();
    let (store, _) = accepting(&bed).await;
    anchor(&store, 5, 20).await;
    declare(&store, 20).await;
    assert_eq!(claim(&store, 310).await, [1]);

    let bed = Bed::new();
    let (store, _) = accepting(&bed).await;
    declare(&store, 20).await;
    assert_eq!(claim(&store, 310).await, NOBODY);
    store.rollback_to(ORIGIN, block(19), 320).await.unwrap();
    assert_eq!(claim(&store, 330).await, [1]);
    let request = store.request(RequestId(1)).await.unwrap().unwrap().request;
    assert_eq!((request.state, request.declared_block), (State::Requested, None));
}

/// Its first declaration was lost in a reorg after it had been confirmed: it can go on at once.
#[tokio::test]
async fn a_declared_message_that_the_target_chain_knows_wakes() {
    let bed = Bed::new();
    let (store, _) = accepting(&bed).await;
    declare(&store, 20).await;
    anchor(&store, 5, 20).await;
    scan(&store, AUXILIARY, 6, vec![(log(set().cogateway, 6, 0), confirmed(0, word(500)))]).await;
    store.rollback_to(ORIGIN, block(19), 310).await.unwrap();
    assert_eq!(claim_and_park(&store, &Update::default(), &Wait::Happening).await, [1]);
    declare(&store, 21).await;
    assert_eq!(claim(&store, 320).await, [1]);
}

#[tokio::test]
async fn a_declared_message_wakes_who_does_not_wait_for_it_as_for_the_own_accept() {
    // A worker has it, and will not have seen the event when it leaves.
    let bed = Bed::new();
    let (store, _) = accepting(&bed).await;
    store.wake(&[RequestId(1)]).await.unwrap();
    let request = store.claim_ready(ME, 1, 300).await.unwrap().remove(0);
    declare(&store, 20).await;
    let leave = park(Update::default(), Wait::Happening, request.wakes);
    store.save(ME, &[Change::Park { id: request.id, park: leave, retry_at_ms: None }], 310).await.unwrap();
    assert_eq!(claim(&store, 320).await, [1]);

    // The journal says that the accept failed: what is declared is looked at.
    let bed = Bed::new();
    let (store, entry) = accepting(&bed).await;
    fail(&store, ORIGIN, entry).await;
    assert_eq!(claim_and_park(&store, &Update::default(), &Wait::Happening).await, [1], "a failure wakes");
    declare(&store, 20).await;
    assert_eq!(claim(&store, 320).await, [1]);
}

/// A request whose worker has handed in both legs.
async fn revealed(bed: &Bed) -> (Store, EntryId) {
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    let confirmed = Update { state: Some(State::IntentConfirmed), ..attempt(word(500)) };
    claim_and_park(&store, &confirmed, &Wait::Happening).await;
    entry_of(&store, ORIGIN, 1, Step::ProgressSource).await;
    let target = entry_of(&store, AUXILIARY, 1, Step::ProgressTarget).await;
    (store, target)
}

async fn source_leg(store: &Store) {
    scan(store, ORIGIN, 20, vec![(log(set().gateway, 20, 0), progressed(word(500), word(7), false))]).await;
}

async fn target_leg(store: &Store) {
    scan(store, AUXILIARY, 30, vec![(log(set().cogateway, 30, 0), minted(word(500), word(7), false))]).await;
}

#[tokio::test]
async fn the_first_leg_wakes_nobody_while_the_second_is_on_its_way_and_is_told_all_the_same() {
    let bed = Bed::new();
    let (store, _) = revealed(&bed).await;
    source_leg(&store).await;
    assert_eq!(claim(&store, 310).await, NOBODY);
    let request = store.request(RequestId(1)).await.unwrap().unwrap().request;
    assert_eq!((request.state, request.unlock_secret), (State::SourceProgressed, Some(word(7))));
    target_leg(&store).await;
    assert_eq!(claim_and_park(&store, &Update::default(), &Wait::Happening).await, [1]);
    // Its block was replaced, and the leg stands in another one.
    store.rollback_to(ORIGIN, block(19), 320).await.unwrap();
    claim_and_park(&store, &Update::default(), &Wait::Happening).await;
    source_leg(&store).await;
    assert_eq!(claim(&store, 330).await, [1], "nobody else would say that both are done");
}

#[tokio::test]
async fn the_first_leg_wakes_who_waits_for_something_else_or_has_a_worker() {
    let bed = Bed::new();
    let (store, _) = revealed(&bed).await;
    store.wake(&[RequestId(1)]).await.unwrap();
    assert_eq!(claim_and_park(&store, &Update::default(), &Wait::Clock).await, [1]);
    source_leg(&store).await;
    let request = store.claim_ready(ME, 1, 310).await.unwrap().remove(0);
    // Again, while its worker has read the chains before.
    scan(&store, ORIGIN, 21, vec![(log(set().gateway, 21, 0), progressed(word(500), word(7), false))]).await;
    let leave = park(Update::default(), Wait::Happening, request.wakes);
    store.save(ME, &[Change::Park { id: request.id, park: leave, retry_at_ms: None }], 320).await.unwrap();
    assert_eq!(claim(&store, 330).await, [1]);
}

#[tokio::test]
async fn the_first_leg_wakes_where_the_second_has_failed_or_was_done_before() {
    let bed = Bed::new();
    let (store, _) = revealed(&bed).await;
    target_leg(&store).await;
    assert_eq!(claim_and_park(&store, &Update::default(), &Wait::Happening).await, [1]);
    source_leg(&store).await;
    assert_eq!(claim(&store, 310).await, [1]);

    let bed = Bed::new();
    let (store, target) = revealed(&bed).await;
    fail(&store, AUXILIARY, target).await;
    assert_eq!(claim_and_park(&store, &Update::default(), &Wait::Happening).await, [1], "a failure wakes");
    source_leg(&store).await;
    assert_eq!(claim(&store, 330).await, [1]);

    let bed = Bed::new();
    let (store, target) = revealed(&bed).await;
    source_leg(&store).await;
    assert_eq!(claim(&store, 310).await, NOBODY);
    fail(&store, AUXILIARY, target).await;
    assert_eq!(claim(&store, 330).await, [1]);
}
