//! A server that refuses, is not there, or goes away in the middle: a clear word each time, and nothing lost or doubled.

use crate::proxy::{Cut, Proxy};
use crate::support::{Bed, ME, ORIGIN, PAIR, address, patience, scan_stakes};
use facilitator_protocol::model::{RequestId, Update};
use facilitator_store::{Access, Location, Pair, Server, Store, StoreError, requests::Change};
use std::time::Instant;

/// Ends every other connection to the database, as a restart of the server does.
async fn cut_all(bed: &Bed) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid()";
    bed.place.tamper(sql).await;
}

#[tokio::test]
async fn only_the_owner_makes_the_tables_and_a_reader_cannot_write() {
    let bed = Bed::new();
    for access in [Access::Writer, Access::Reader] {
        assert!(matches!(bed.open(access).await, Err(StoreError::Missing { .. })));
    }
    let owner = bed.store().await;
    scan_stakes(&owner, 0..3).await;
    let reader = bed.open(Access::Reader).await.unwrap();
    assert_eq!(reader.counts().await.unwrap()[0].count, 3);
    assert!(matches!(reader.claim_ready(ME, 1, 1).await, Err(StoreError::ReadOnly { .. })));
    owner.check_pages().await.unwrap();
    assert_eq!(owner.contradictions().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn other_programs_versions_and_pairs_are_refused() {
    let foreign = Bed::new();
    foreign.place.tamper("CREATE TABLE notes (id INTEGER)").await;
    let error = foreign.open(Access::Owner).await.unwrap_err();
    assert!(matches!(&error, StoreError::Foreign { table, .. } if table == "notes"), "{error}");
    let bed = Bed::new();
    let known = bed.store().await.version().await.unwrap();
    let other = Pair { auxiliary_chain_id: 1407, ..PAIR };
    let error = Store::open(&bed.location(), Access::Owner, other, patience(100), 1).await.unwrap_err();
    assert!(matches!(&error, StoreError::OtherPair { found, wanted, .. } if found == "3/1406" && wanted == "3/1407"));
    bed.place.tamper("INSERT INTO schema_versions VALUES (99, 'future', 0)").await;
    for access in [Access::Owner, Access::Writer, Access::Reader] {
        assert!(matches!(bed.open(access).await, Err(StoreError::Newer { found: 99, .. })));
    }
    bed.place.tamper("DELETE FROM schema_versions").await;
    let error = bed.open(Access::Writer).await.unwrap_err();
    assert!(matches!(error, StoreError::Older { found: 0, known: of, .. } if of == known), "{error}");
}

#[tokio::test]
async fn two_owners_at_once_make_one_schema() {
    let bed = Bed::new();
    let (first, second) = tokio::join!(bed.open(Access::Owner), bed.open(Access::Owner));
    assert_eq!(first.unwrap().version().await.unwrap(), second.unwrap().version().await.unwrap());
}

#[tokio::test]
async fn whoever_cannot_be_reached_is_named_without_the_password() {
    let bed = Bed::new();
    let url = bed.place.url();
    let (_, host) = url.rsplit_once('@').unwrap();
    let (place, database) = host.split_once('/').unwrap();
    let cases = [
        (format!("postgres://tester:hidden@{host}"), "password"),
        (format!("postgres://tester@{host}"), "password"),
        (url.replace(database.split('?').next().unwrap(), "nowhere"), "createdb"),
        (url.replace(place, "127.0.0.1:1"), "refused"),
    ];
    for (url, says) in cases {
        let location = Location::Postgres(Server::new(&url, None, None).unwrap());
        let start = Instant::now();
        let error = Store::open(&location, Access::Owner, PAIR, patience(500), 1).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable { .. }) && error.passes(), "{error}");
        let text = format!("{error} {error:?}");
        let secret = bed.location().address();
        let secret = secret.split(':').nth(2).unwrap().split('@').next().unwrap();
        assert!(text.contains(says) && !text.contains("hidden") && !text.contains(secret), "{text}");
        assert!(start.elapsed().as_secs() < 20);
    }
    let aside = bed.location().set_aside("now").unwrap_err();
    assert!(aside.to_string().contains("RENAME"), "{aside}");
}

#[tokio::test]
async fn a_database_that_stays_locked_is_an_error_at_the_limit_and_no_harm() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    let mut other = bed.place.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE requests IN EXCLUSIVE MODE").execute(&mut other).await.unwrap();
    let impatient = Store::open(&bed.location(), Access::Writer, PAIR, patience(150), 1).await.unwrap();
    let start = Instant::now();
    let error = impatient.claim_ready(ME, 1, 1).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }) && error.passes(), "{error}");
    assert!(start.elapsed().as_millis() >= 150);
    assert_eq!(impatient.counts().await.unwrap()[0].count, 1, "reading goes on");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(impatient.claim_ready(ME, 1, 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn connections_that_were_cut_are_made_again_and_what_was_open_is_undone() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..4).await;
    for _ in 0..3 {
        cut_all(&bed).await;
        assert_eq!(store.counts().await.unwrap()[0].count, 4);
        cut_all(&bed).await;
        assert_eq!(store.claim_ready(ME, 4, 1).await.unwrap().len(), 4);
        assert_eq!(store.release_all_claims().await.unwrap(), 4);
    }
    // In the middle of a transaction, which waits for a lock.
    let mut other = bed.place.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE requests IN EXCLUSIVE MODE").execute(&mut other).await.unwrap();
    let claiming = tokio::spawn({
        let store = store.clone();
        async move { store.claim_ready(ME, 4, 1).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    cut_all(&bed).await;
    let error = claiming.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert_eq!(store.claim_ready(ME, 9, 1).await.unwrap().len(), 4, "nothing was claimed");
}

async fn through(proxy: &Proxy, bed: &Bed, access: Access) -> Store {
    let url = bed.place.url();
    let (user, host) = url.rsplit_once('@').unwrap();
    let (_, database) = host.split_once('/').unwrap();
    let url = format!("{user}@127.0.0.1:{}/{database}", proxy.port);
    let location = Location::Postgres(Server::new(&url, None, None).unwrap());
    Store::open(&location, access, PAIR, patience(5_000), 1).await.unwrap()
}

/// Were it told as not stored, it would be done twice: a claim taken by nobody, a range scanned again.
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_asked_about() {
    let bed = Bed::new();
    let owner = bed.store().await;
    scan_stakes(&owner, 0..3).await;
    let url = bed.place.url();
    let host = url.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
    let (host, port) = host.split_once(':').unwrap();
    let proxy = Proxy::start((host.to_owned(), port.parse().unwrap())).await;
    let store = through(&proxy, &bed, Access::Writer).await;
    proxy.cut(Cut::After);
    assert_eq!(store.claim_ready(ME, 2, 1).await.unwrap().len(), 2, "the server had carried it out");
    assert_eq!(owner.claim_ready("other", 9, 1).await.unwrap().len(), 1);
    proxy.cut(Cut::Before);
    let error = store.release_claims_of(ME).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }) && error.passes(), "{error}");
    assert_eq!(store.release_claims_of(ME).await.unwrap(), 2, "it had never been heard of");
    proxy.cut(Cut::Nothing);
}

/// A contract may put one into the reason of a revert.
#[tokio::test]
async fn a_text_with_a_zero_byte_is_stored_all_the_same() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    store.claim_ready(ME, 1, 1).await.unwrap();
    let update = Update { log: Some("re\0verted".to_owned()), ..Update::default() };
    store.save(ME, &[Change::Update { id: RequestId(1), update }], 2).await.unwrap();
    assert_eq!(store.request_log(RequestId(1)).await.unwrap()[1].text, "re\u{fffd}verted");
    assert!(store.journal(ORIGIN).of_account(address(1)).await.unwrap().is_empty());
}
