//! Announced heads of a real node, and of nodes that offer none or break off.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod anvils;
mod stub;

use anvils::Anvil;
use facilitator_chain::{
    heads::{Announced, FeedOptions, HeadFeed},
    rpc::Endpoint,
    scan::fetch_head,
};
use serde_json::json;
use std::time::Duration;
use stub::{Reply, Stub};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);

fn quick() -> FeedOptions {
    FeedOptions {
        first_pause: Duration::from_millis(50),
        longest_pause: Duration::from_millis(200),
        quiet_after: Duration::from_millis(300),
        ..FeedOptions::default()
    }
}

async fn until(feed: &mut HeadFeed, what: &str, done: impl Fn(&Announced) -> bool) -> Announced {
    let wait = async {
        loop {
            let known = feed.announced();
            if done(&known) {
                return known;
            }
            feed.changed().await;
        }
    };
    timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("not within {LIMIT:?}: {what}"))
}

#[tokio::test]
async fn a_new_head_is_announced_whole_and_a_quiet_chain_is_not_taken_for_a_dead_connection() {
    let Some(anvil) = Anvil::start("cancun").await else { return };
    let mut feed = HeadFeed::start(Endpoint::parse(&anvil.url).unwrap(), quick()).unwrap();
    until(&mut feed, "subscribed", |known| known.live).await;
    // Longer than it takes to be given up without a sign of life.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(feed.announced().live, "{:?}", feed.announced());
    anvil.rpc.call("evm_mine", json!([])).await.unwrap();
    let known = until(&mut feed, "a head", |known| known.head.is_some()).await;
    assert_eq!(known.head.unwrap(), fetch_head(&anvil.rpc).await.unwrap());
}

#[tokio::test]
async fn a_node_that_comes_back_is_subscribed_to_again() {
    let Some(mut anvil) = Anvil::start("cancun").await else { return };
    let mut feed = HeadFeed::start(Endpoint::parse(&anvil.url).unwrap(), quick()).unwrap();
    until(&mut feed, "subscribed", |known| known.live).await;
    anvil.stop();
    let known = until(&mut feed, "noticed", |known| !known.live).await;
    assert!(known.reason.is_some());
    anvil.start_again().await;
    until(&mut feed, "subscribed again", |known| known.live).await;
    anvil.rpc.call("evm_mine", json!([])).await.unwrap();
    until(&mut feed, "a head", |known| known.head.as_ref().is_some_and(|head| head.number == 1)).await;
}

#[tokio::test]
async fn a_node_without_subscriptions_is_left_in_peace_and_its_key_stays_hidden() {
    let stub = Stub::start(|_, _| Reply::Status(400, "", "no key 0123456789abcdef".to_owned())).await;
    let url = format!("{}/0123456789abcdef", stub.url());
    let mut feed = HeadFeed::start(Endpoint::parse(&url).unwrap(), quick()).unwrap();
    let known = until(&mut feed, "refused", |known| known.reason.is_some()).await;
    assert!(!known.live);
    let reason = known.reason.unwrap();
    assert!(reason.contains("HTTP 400") && !reason.contains("0123456789abcdef"), "{reason}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stub.requests().len(), 1, "asked again at once");
}
