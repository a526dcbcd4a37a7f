//! A database that is put aside, looked through, and rebuilt.

use crate::support::{AUXILIARY, Bed};
use facilitator_store::{Access, StoreError};
use std::fs;

#[tokio::test]
async fn the_mark_of_a_rebuilding_stands_until_it_ends() {
    let bed = Bed::new();
    let store = bed.open(Access::Owner).await.unwrap();
    assert!(!store.is_rebuilding().await.unwrap());
    store.begin_rebuilding().await.unwrap();
    store.begin_rebuilding().await.unwrap();
    store.close().await;
    let store = bed.open(Access::Owner).await.unwrap();
    assert!(store.is_rebuilding().await.unwrap(), "it was cut off");
    store.end_rebuilding().await.unwrap();
    store.end_rebuilding().await.unwrap();
    assert!(!store.is_rebuilding().await.unwrap());
}

/// What is committed may stand in the log alone: it goes along.
#[tokio::test]
async fn a_database_is_put_aside_with_all_that_is_committed() {
    let bed = Bed::new();
    assert_eq!(bed.location().set_aside("now").unwrap(), None);
    let store = bed.open(Access::Owner).await.unwrap();
    store.begin_rebuilding().await.unwrap();
    let aside = bed.location().set_aside("now").unwrap().unwrap();
    assert!(!bed.location().may_exist());
    assert!(fs::metadata(format!("{}-wal", aside.display())).unwrap().len() > 0);
    drop(store);
    let kept = facilitator_store::Location::Sqlite(aside);
    let patience = facilitator_store::Patience::default();
    let kept = facilitator_store::Store::open(&kept, Access::Writer, crate::support::PAIR, patience, 1).await.unwrap();
    assert!(kept.is_rebuilding().await.unwrap());
    assert_eq!(kept.checkpoint(AUXILIARY).await.unwrap(), None);
    let fresh = bed.open(Access::Owner).await.unwrap();
    assert!(!fresh.is_rebuilding().await.unwrap());
    // Never over another one.
    assert!(matches!(bed.location().set_aside("now"), Err(StoreError::Unavailable { .. })));
    assert!(bed.location().may_exist());
}

#[tokio::test]
async fn a_page_that_was_overwritten_is_found() {
    let bed = Bed::new();
    let store = bed.open(Access::Owner).await.unwrap();
    store.check_pages().await.unwrap();
    store.close().await;
    let file = bed.place.dir.path().join("facilitator.db");
    let mut bytes = fs::read(&file).unwrap();
    let page = 4096;
    // All but the first pages, which hold the schema and what opening reads.
    let count = bytes.len() / page;
    for at in count - 4..count {
        bytes[at * page..(at + 1) * page].fill(0xa5);
    }
    fs::write(&file, bytes).unwrap();
    // At the latest when all pages are read.
    let checked = match bed.open(Access::Reader).await {
        Ok(store) => store.check_pages().await,
        Err(error) => Err(error),
    };
    assert!(matches!(checked, Err(StoreError::Damaged { .. })), "{checked:?}");
}
