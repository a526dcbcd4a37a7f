//! New heads as the node announces them, where it offers a subscription (`eth_subscribe` over WebSocket).
//!
//! Invariant: an announcement is only a hint to look, and the newest one replaces those before it: whoever follows the
//! chain reads by number, so that a lost, late or repeated announcement neither skips a block nor repeats one. A node
//! that offers no subscription, or whose connection breaks, costs nothing but the hints; polling goes on meanwhile.

mod socket;

use crate::{
    rpc::{Endpoint, RpcError},
    types::Header,
};
use socket::{Broken, Socket};
use std::time::Duration;
use tokio::{sync::watch, task::JoinHandle, time::sleep};

/// When to connect again, and when a connection counts as dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedOptions {
    /// Longest wait for the connection and the subscription together.
    pub connect_within: Duration,
    /// First pause after a connection broke; doubles with each that breaks before a head was announced.
    pub first_pause: Duration,
    /// Longest pause between two tries.
    pub longest_pause: Duration,
    /// Pause before a node that offers no subscription is asked again.
    pub not_offered_pause: Duration,
    /// A connection without any word for so long is asked for a sign of life, and given up after as long again.
    pub quiet_after: Duration,
}

impl Default for FeedOptions {
    fn default() -> Self {
        Self {
            connect_within: Duration::from_secs(10),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            not_offered_pause: Duration::from_secs(600),
            quiet_after: Duration::from_secs(30),
        }
    }
}

/// What the feed knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Announced {
    /// The head announced last, if any was.
    pub head: Option<Header>,
    /// Whether the subscription stands: while it does, heads need no polling.
    pub live: bool,
    /// Why it does not, in words without credentials.
    pub reason: Option<String>,
}

/// A subscription that is kept up; ends when it is dropped.
#[derive(Debug)]
pub struct HeadFeed {
    announced: watch::Receiver<Announced>,
    task: JoinHandle<()>,
}

impl HeadFeed {
    /// Subscribes at `endpoint` and keeps the subscription up. Scheme `http` or `https`, as for calls: nodes that
    /// offer both take a WebSocket at the address of their calls.
    ///
    /// # Errors
    /// [`RpcError::Endpoint`] when no client can be made for it. Everything later is tried again.
    pub fn start(endpoint: Endpoint, options: FeedOptions) -> Result<Self, RpcError> {
        let client = socket::client(&endpoint, options.connect_within)?;
        let (tell, announced) = watch::channel(Announced::default());
        let task = tokio::spawn(keep_up(client, endpoint, options, tell));
        Ok(Self { announced, task })
    }

    /// Waits until something changed since the last look, and gives what is known then. Cancel-safe.
    pub async fn changed(&mut self) -> Announced {
        if self.announced.changed().await.is_err() {
            // The task never ends by itself; without it there is nothing to hear.
            std::future::pending::<()>().await;
        }
        self.announced.borrow_and_update().clone()
    }

    /// What is known now.
    #[must_use]
    pub fn announced(&self) -> Announced {
        self.announced.borrow().clone()
    }
}

impl Drop for HeadFeed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep_up(client: reqwest::Client, endpoint: Endpoint, options: FeedOptions, tell: watch::Sender<Announced>) {
    let mut pause = options.first_pause;
    loop {
        let before = tell.borrow().head.clone();
        let broken = listen(&client, &endpoint, &options, &tell).await;
        let heard = tell.borrow().head != before;
        let (why, wait) = match broken {
            Broken::NotOffered(why) => (why, options.not_offered_pause),
            Broken::Lost(why) => {
                pause = if heard { options.first_pause } else { pause };
                let wait = pause;
                pause = (pause * 2).min(options.longest_pause);
                (why, wait)
            }
        };
        let why = endpoint.scrub(&why);
        tracing::debug!(%endpoint, why, ?wait, "no subscription to new heads; polling");
        tell.send_modify(|announced| {
            announced.live = false;
            announced.reason = Some(why);
        });
        sleep(wait).await;
    }
}

/// Tells of heads until the connection breaks, and why it did.
async fn listen(
    client: &reqwest::Client,
    endpoint: &Endpoint,
    options: &FeedOptions,
    tell: &watch::Sender<Announced>,
) -> Broken {
    let mut socket = match Socket::subscribe(client, endpoint, options.connect_within).await {
        Ok(socket) => socket,
        Err(broken) => return broken,
    };
    tell.send_modify(|announced| {
        announced.live = true;
        announced.reason = None;
    });
    loop {
        match socket.next_head(options.quiet_after).await {
            Ok(head) => tell.send_modify(|announced| announced.head = Some(head)),
            Err(broken) => return broken,
        }
    }
}
