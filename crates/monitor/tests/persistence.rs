//! One suite for both places in which things are kept: whatever holds for one holds for the other.
#![allow(clippy::unwrap_used, clippy::panic)]

use facilitator_monitor::{
    Alert, Persistence, Report, SystemEvent,
    persistence::{Checkpoint, Database, File, KeepError},
};
use facilitator_store::{Access, Location, Pair, Patience, Store};
use std::path::Path;

const PAIR: Pair = Pair { origin_chain_id: 3, auxiliary_chain_id: 1406 };

/// Opens the same place once more, as another process would.
async fn open(folder: &Path, as_file: bool) -> Box<dyn Persistence> {
    if as_file {
        return Box::new(File::new(&folder.join("data")));
    }
    let location = Location::Sqlite(folder.join("facilitator.db"));
    let store = Store::open(&location, Access::Owner, PAIR, Patience::default(), 1).await.unwrap();
    Box::new(Database::new(store, "pid 7".to_owned()))
}

fn event(name: &str, chain_id: u64, block: u64) -> SystemEvent {
    SystemEvent::new(Alert::LargeStake, chain_id, block).with("name", name)
}

fn report() -> Report {
    Report::new(Vec::new(), 0, Vec::new())
}

#[tokio::test]
async fn what_is_kept_is_there_for_the_next_process() {
    for as_file in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), as_file).await;
        first.begin(1_000).await.unwrap();
        assert_eq!(first.checkpoint(3).await, Ok(None));
        let (low, high, other) = (event("low", 3, 5), event("high", 3, 9), event("other", 1406, 5));
        first.handle("Discord", &[&low, &high, &other], 1_001).await.unwrap();
        first.handle("Discord", &[&high], 1_002).await.unwrap();
        first.remember("supply", "{}").await.unwrap();
        let moved = [3, 1406].map(|chain_id| Checkpoint { chain_id, block: 20, forget_below: 0 });
        first.move_checkpoints(&moved, 1_003).await.unwrap();
        first.end(&report(), 1_004).await.unwrap();
        let second = open(folder.path(), as_file).await;
        second.begin(1_005).await.unwrap();
        assert_eq!((second.checkpoint(3).await, second.checkpoint(5).await), (Ok(Some(20)), Ok(None)));
        assert_eq!(second.memory("supply").await, Ok(Some("{}".to_owned())));
        assert_eq!(second.memory("stake").await, Ok(None));
        let ids = |events: &[&SystemEvent]| events.iter().map(|event| event.id()).collect();
        assert_eq!(second.handled("Discord").await, Ok(ids(&[&low, &high, &other])));
        assert_eq!(second.handled("Sentry").await, Ok(ids(&[])));
        let moved = [Checkpoint { chain_id: 3, block: 30, forget_below: 9 }];
        second.move_checkpoints(&moved, 1_006).await.unwrap();
        assert_eq!(second.handled("Discord").await, Ok(ids(&[&high, &other])), "the other chain's events stay");
    }
}

#[tokio::test]
async fn one_run_at_a_time() {
    for as_file in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (open(folder.path(), as_file).await, open(folder.path(), as_file).await);
        first.begin(1_000).await.unwrap();
        let refused = second.begin(1_001).await;
        assert!(matches!(refused, Err(KeepError::Busy(_))), "{refused:?}");
        first.prolong(1_002).await.unwrap();
        first.end(&report(), 1_003).await.unwrap();
        second.begin(1_004).await.unwrap();
        assert!(first.begin(1_005).await.is_err());
    }
}

#[tokio::test]
async fn a_run_that_died_is_no_obstacle_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (open(folder.path(), false).await, open(folder.path(), false).await);
    first.begin(1_000).await.unwrap();
    second.begin(1_000 + facilitator_monitor::persistence::RUN_TTL_MS).await.unwrap();
    assert!(matches!(first.prolong(20_000).await, Err(KeepError::Busy(_))), "it learns that it was replaced");
    // A lock on a file ends with its process.
    let first = open(folder.path(), true).await;
    first.begin(1_000).await.unwrap();
    drop(first);
    open(folder.path(), true).await.begin(1_001).await.unwrap();
}

#[tokio::test]
async fn a_damaged_file_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/monitor.json");
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    std::fs::write(&file, "{").unwrap();
    let Err(KeepError::Failed(text)) = open(folder.path(), true).await.begin(1).await else { panic!("it was read") };
    assert!(text.contains("monitor.json"), "{text}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{");
}
