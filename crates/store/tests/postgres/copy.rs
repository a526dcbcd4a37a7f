//! Everything from a file to a server and back.

use crate::support::{
    AUXILIARY, Bed, ME, ORIGIN, PAIR, attempt, claim_and_park, declared, log, patience, proven, root, scan,
    scan_stakes, set, word,
};
use facilitator_protocol::model::{RequestId, Wait};
use facilitator_store::{Access, Location, Store, StoreError};

async fn open(location: &Location, access: Access) -> Store {
    Store::open(location, access, PAIR, patience(2_000), 1).await.unwrap()
}

/// All that can be asked for, in words.
async fn all_of(store: &Store) -> String {
    let mut told = String::new();
    for record in store.list(&facilitator_store::requests::Filter::default()).await.unwrap() {
        let log = store.request_log(record.request.id).await.unwrap();
        told.push_str(&format!("{record:?} {log:?}\n"));
    }
    let roots = store.newest_root(AUXILIARY, set().co_anchor).await.unwrap();
    let proof = store.proof(ORIGIN, set().gateway, 0).await.unwrap();
    let checkpoints = (store.checkpoint(ORIGIN).await.unwrap(), store.checkpoint(AUXILIARY).await.unwrap());
    let blocks = store.recent_blocks(ORIGIN, 100).await.unwrap();
    format!("{told}{roots:?}{proof:?}{checkpoints:?}{blocks:?}{:?}", store.gateways().await.unwrap())
}

#[tokio::test]
async fn everything_arrives_on_the_server_and_comes_back() {
    let (dir, bed) = (tempfile::tempdir().unwrap(), Bed::new());
    let file = Location::Sqlite(dir.path().join("facilitator.db"));
    let source = open(&file, Access::Owner).await;
    source.set_gateways(&[set()], 1).await.unwrap();
    // More than one page of a table.
    scan_stakes(&source, 0..1_100).await;
    claim_and_park(&source, &attempt(word(7)), &Wait::Happening).await;
    scan(&source, ORIGIN, 11, vec![(log(set().gateway, 11, 0), declared(1, word(7)))]).await;
    let there = vec![(log(set().co_anchor, 5, 0), root(3)), (log(set().cogateway, 5, 1), proven(3))];
    scan(&source, AUXILIARY, 5, there).await;
    let before = all_of(&source).await;

    let target = bed.open(Access::Owner).await.unwrap();
    let mut told = 0;
    let copied = source.copy_to(&target, &mut |_, _| told += 1).await.unwrap();
    assert!(told >= copied.iter().filter(|one| one.rows > 0).count());
    let rows = |table: &str| copied.iter().find(|one| one.table == table).unwrap().rows;
    assert_eq!((rows("requests"), rows("checkpoints"), rows("gateways")), (1_100, 2, 1));
    assert_eq!(all_of(&target).await, before);
    assert_eq!(all_of(&source).await, before, "the source is as it was");
    assert_eq!(target.contradictions().await.unwrap(), Vec::<String>::new());
    let refused = source.copy_to(&target, &mut |_, _| {}).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotEmpty { .. }), "{refused}");

    // The next row has the next number.
    scan(&target, ORIGIN, 12, vec![(log(set().composer, 12, 0), crate::support::stake_requested(5_000))]).await;
    assert!(target.request(RequestId(1_101)).await.unwrap().is_some());

    let back = open(&Location::Sqlite(dir.path().join("back.db")), Access::Owner).await;
    let expected = all_of(&target).await;
    target.copy_to(&back, &mut |_, _| {}).await.unwrap();
    assert_eq!(all_of(&back).await, expected);
    assert_eq!(back.contradictions().await.unwrap(), Vec::<String>::new());
    back.check_pages().await.unwrap();
    assert!(back.claim_ready(ME, 1, 1).await.unwrap().len() == 1, "and work goes on");
}
