//! Many writers at once, and writers killed in the middle. The writers are processes of their own: this test program
//! started again for one test alone, with the place of the database in the environment.

use crate::support::{Bed, PAIR, patience, scan_stakes};
use facilitator_protocol::model::{RequestId, Update};
use facilitator_store::{Access, Location, Store, requests::Change};
use std::{
    collections::BTreeSet,
    env,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
};

const ADDRESS: &str = "FACILITATOR_STORE_TEST_ADDRESS";

fn writer(bed: &Bed) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "writers::claims_until_nothing_is_left", "--nocapture", "--test-threads", "1"])
        .env(ADDRESS, bed.location().address())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The child: claims one after the other, saves a line of its life, and prints what was acknowledged. As a test of its
/// own it does nothing.
#[tokio::test]
async fn claims_until_nothing_is_left() {
    let Ok(address) = env::var(ADDRESS) else { return };
    let location = Location::from_address(&address).unwrap();
    let store = Store::open(&location, Access::Writer, PAIR, patience(20_000), 1).await.unwrap();
    let me = std::process::id().to_string();
    while let Some(request) = store.claim_ready(&me, 1, 1).await.unwrap().pop() {
        let update = Update { log: Some(format!("by {me}")), ..Update::default() };
        store.save(&me, &[Change::Update { id: request.id, update }], 1).await.unwrap();
        println!("\nclaimed {}", request.id);
    }
}

fn acknowledged(text: &str) -> impl Iterator<Item = i64> {
    text.lines().filter_map(|line| line.strip_prefix("claimed ")).filter_map(|id| id.parse().ok())
}

#[tokio::test]
async fn several_processes_share_the_work_without_losing_or_doubling_any() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..200).await;
    let children: Vec<Child> = (0..4).map(|_| writer(&bed)).collect();
    let mut claimed = Vec::new();
    for mut child in children {
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success());
        claimed.extend(acknowledged(&text));
    }
    assert_eq!(claimed.len(), 200);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 200, "claimed twice");
}

#[tokio::test]
async fn what_was_acknowledged_before_a_kill_is_there_and_the_rest_goes_on() {
    let bed = Bed::new();
    let store = bed.store().await;
    scan_stakes(&store, 0..300).await;
    let mut acknowledged_ids = Vec::new();
    for lines in [5, 20, 40] {
        let mut child = writer(&bed);
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        for _ in 0..lines {
            output.read_line(&mut text).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        output.read_to_string(&mut text).unwrap();
        acknowledged_ids.extend(acknowledged(&text));
    }
    assert!(!acknowledged_ids.is_empty());
    for id in acknowledged_ids {
        let life = store.request_log(RequestId(id)).await.unwrap();
        assert_eq!(life.len(), 2, "request {id}: {life:?}");
    }
    store.release_all_claims().await.unwrap();
    assert_eq!(store.claim_ready("after", 1_000, 1).await.unwrap().len(), 300);
}

/// The calls are made from spawned tasks, which need futures that may move between threads.
#[tokio::test]
async fn every_kind_of_call_may_be_spawned() {
    fn spawnable<T: Send>(future: T) {
        drop(future);
    }
    let bed = Bed::new();
    let store = bed.store().await;
    let journal = store.journal(1);
    let commit = facilitator_store::scan::ScanCommit {
        chain_id: 1,
        previous: None,
        blocks: Vec::new(),
        events: Vec::new(),
        checkpoint: crate::support::block(1),
    };
    spawnable(store.commit_scan(&commit, 1));
    spawnable(store.rollback_to(1, crate::support::block(1), 1));
    spawnable(store.save("a", &[], 1));
    spawnable(store.acquire_lease(1, crate::support::address(1), "a", 1, 1));
    spawnable(journal.queue(&[], &[], 1));
    spawnable(journal.sign(&[], &[], 1));
    spawnable(journal.live());
}
