//! Heads that endpoints announce by themselves, where they do.

use super::{Endpoints, Heard};
use facilitator_chain::connector::EndpointId;
use facilitator_chain::heads::{FeedOptions, HeadFeed};
use tokio::sync::mpsc;

/// Announcements that wait to be heard; more make the feeds wait.
const WAITING: usize = 16;

/// Subscribes at every endpoint. One that offers nothing of the kind costs a try now and then.
pub(super) fn subscribe(endpoints: &Endpoints) -> mpsc::Receiver<Heard> {
    let (tell, heard) = mpsc::channel(WAITING);
    for (index, rpc) in endpoints.iter().enumerate() {
        match HeadFeed::start(rpc.endpoint().clone(), FeedOptions::default()) {
            Ok(feed) => drop(tokio::spawn(forward(EndpointId(index), feed, tell.clone()))),
            Err(error) => tracing::debug!(%error, "no subscription"),
        }
    }
    heard
}

async fn forward(endpoint: EndpointId, mut feed: HeadFeed, tell: mpsc::Sender<Heard>) {
    let (mut live, mut told) = (false, None);
    loop {
        let announced = feed.changed().await;
        if announced.live != live {
            live = announced.live;
            if tell.send(Heard::Subscribed(endpoint, live)).await.is_err() {
                return;
            }
        }
        let Some(header) = announced.head else { continue };
        if told.replace(header.hash) == Some(header.hash) {
            continue;
        }
        let heard = Heard::Head { endpoint, latency_ms: None, answer: Ok((None, header)) };
        if tell.send(heard).await.is_err() {
            return;
        }
    }
}
