//! Opening what is not a good database, or not ours, or not now: a clear refusal each time, and nothing changed.

use crate::support::{Bed, ME, PAIR, patience, scan_stakes};
use facilitator_store::{Access, Pair, Store, StoreError};
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Instant};

fn path(bed: &Bed) -> PathBuf {
    bed.place.dir.path().join("facilitator.db")
}

async fn refused(bed: &Bed, access: Access) -> StoreError {
    let before = fs::read(path(bed)).ok();
    let error = bed.open(access).await.expect_err("should be refused");
    assert_eq!(fs::read(path(bed)).ok(), before, "the file was changed");
    error
}

#[tokio::test]
async fn only_the_owner_makes_a_database_and_keeps_it_private() {
    let bed = Bed::new();
    for access in [Access::Writer, Access::Reader] {
        assert!(matches!(bed.open(access).await, Err(StoreError::Missing { .. })));
    }
    assert!(!path(&bed).exists());
    fs::write(path(&bed), "").unwrap();
    assert!(matches!(refused(&bed, Access::Writer).await, StoreError::Missing { .. }), "empty");
    fs::remove_file(path(&bed)).unwrap();
    bed.store().await.close().await;
    assert_eq!(fs::metadata(path(&bed)).unwrap().permissions().mode() & 0o777, 0o600);
    for access in [Access::Owner, Access::Writer, Access::Reader] {
        bed.open(access).await.unwrap().close().await;
    }
}

#[tokio::test]
async fn a_reader_reads_while_others_write_and_cannot_write() {
    let bed = Bed::new();
    let owner = bed.store().await;
    let reader = bed.open(Access::Reader).await.unwrap();
    scan_stakes(&owner, 0..3).await;
    assert_eq!(reader.counts().await.unwrap()[0].count, 3);
    assert!(matches!(reader.claim_ready(ME, 1, 1).await, Err(StoreError::ReadOnly { .. })));
    owner.close().await;
    reader.close().await;
    assert_eq!(bed.open(Access::Reader).await.unwrap().counts().await.unwrap()[0].count, 3, "with nobody else");
}

#[tokio::test]
async fn files_that_are_no_database_of_ours_are_left_alone() {
    for content in ["not a database at all, just some text\n".repeat(200), "{}".to_owned()] {
        let bed = Bed::new();
        fs::write(path(&bed), content).unwrap();
        for access in [Access::Owner, Access::Reader] {
            let error = refused(&bed, access).await;
            assert!(matches!(error, StoreError::NotADatabase { .. }), "{error}");
        }
    }
    let bed = Bed::new();
    fs::write(path(&bed), "").unwrap();
    bed.place.tamper("CREATE TABLE notes (id INTEGER)").await;
    let error = bed.open(Access::Owner).await.unwrap_err();
    assert!(matches!(&error, StoreError::Foreign { table, .. } if table == "notes"), "{error}");
}

#[tokio::test]
async fn a_truncated_file_is_recognised() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..200).await;
    store.close().await;
    let whole = fs::read(path(&bed)).unwrap();
    for cut in [50, 4_000, 4_096, whole.len() / 2, whole.len() - 1] {
        fs::write(path(&bed), &whole[..cut]).unwrap();
        let opened = bed.open(Access::Owner).await;
        let outcome = match opened {
            Ok(store) => store.counts().await.map(drop),
            Err(error) => Err(error),
        };
        let Err(error) = outcome else { panic!("{cut} bytes were taken for a database") };
        assert!(matches!(error, StoreError::Damaged { .. } | StoreError::NotADatabase { .. }), "{cut}: {error}");
    }
}

#[tokio::test]
async fn other_versions_and_other_pairs_are_refused() {
    let bed = Bed::new();
    bed.store().await.close().await;
    let other = Pair { auxiliary_chain_id: 1407, ..PAIR };
    let error = Store::open(&bed.location(), Access::Owner, other, patience(100), 1).await.unwrap_err();
    assert!(matches!(&error, StoreError::OtherPair { found, wanted, .. } if found == "3/1406" && wanted == "3/1407"));
    bed.place.tamper("INSERT INTO schema_versions VALUES (99, 'future', 0)").await;
    for access in [Access::Owner, Access::Writer, Access::Reader] {
        let error = refused(&bed, access).await;
        assert!(matches!(error, StoreError::Newer { found: 99, known: 1.., .. }), "{error}");
    }
    bed.place.tamper("DELETE FROM schema_versions").await;
    for access in [Access::Writer, Access::Reader] {
        assert!(matches!(refused(&bed, access).await, StoreError::Older { found: 0, known: 1.., .. }));
    }
}

#[tokio::test]
async fn a_database_that_stays_locked_is_an_error_at_the_limit_and_no_harm() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..1).await;
    let url = format!("sqlite://{}", path(&bed).display());
    let other = sqlx::SqlitePool::connect(&url).await.unwrap();
    let lock = other.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let impatient = Store::open(&bed.location(), Access::Writer, PAIR, patience(150), 1).await.unwrap();
    let start = Instant::now();
    let error = impatient.claim_ready(ME, 1, 1).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { waited_ms: 150.., .. }), "{error}");
    assert!(start.elapsed().as_millis() >= 150);
    assert_eq!(impatient.counts().await.unwrap()[0].count, 1, "reading goes on");
    let patient = tokio::spawn({
        let store = store.clone();
        async move { store.claim_ready(ME, 1, 1).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    drop(lock);
    assert_eq!(patient.await.unwrap().unwrap().len(), 1);
}
