//! One of three endpoints lies in every way that it can, then two do.

use super::LIMIT;
use anyhow::{Context, Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    devnet::{DevnetOptions, Side},
    events::{self, Event},
    node::Pace,
    rpc_proxy::{Length, RpcProxy},
    stakers::Stakers,
    trio::Trio,
    verify,
    world::WorldOptions,
};
use serde_json::json;
use std::time::{Duration, Instant};

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, confirmations: 2, ..WorldOptions::default() }
}

/// A way to lie or fail.
#[derive(Debug, Clone, Copy)]
enum Lie {
    Latency,
    Failing,
    Dropping,
    Truncating,
    Stalling,
    StaleHead,
    OtherChain,
    FalseHashes,
    SealedBranch,
    HiddenLogs,
    SomeHiddenLogs,
    StrangeHeaders,
    RateLimit,
    LimitErrors,
}

impl Lie {
    const ALL: [Self; 14] = [
        Self::Latency,
        Self::Failing,
        Self::Dropping,
        Self::Truncating,
        Self::Stalling,
        Self::StaleHead,
        Self::OtherChain,
        Self::FalseHashes,
        Self::SealedBranch,
        Self::HiddenLogs,
        Self::SomeHiddenLogs,
        Self::StrangeHeaders,
        Self::RateLimit,
        Self::LimitErrors,
    ];

    /// Begins with it, the chain being at this height.
    fn tell(self, proxy: &RpcProxy, head: u64, salt: u8) {
        match self {
            Self::Latency => proxy.set_latency(Some(Duration::from_millis(700))),
            Self::Failing => proxy.set_failing(300, 7),
            Self::Dropping => proxy.set_dropping(true),
            Self::Truncating => proxy.set_truncating(Some(Length::Right)),
            Self::Stalling => proxy.set_stalling(true),
            Self::StaleHead => proxy.freeze_head(Some(head)),
            Self::OtherChain => proxy.pretend_chain(Some(5)),
            Self::FalseHashes => proxy.pretend_branch(head.saturating_sub(3), salt, false),
            Self::SealedBranch => proxy.pretend_branch(head.saturating_sub(3), salt, true),
            Self::HiddenLogs => proxy.hide_logs(1000),
            Self::SomeHiddenLogs => proxy.hide_logs(400),
            Self::StrangeHeaders => {
                proxy.set_strange_headers(true, true);
                proxy.hide_logs(1000);
            }
            Self::RateLimit => proxy.set_rate_limit(Some(Duration::from_secs(1))),
            Self::LimitErrors => proxy.set_limit_errors(true),
        }
    }
}

/// Each endpoint in turn lies in each way, while stakes come: none is missed, none is invented, each is done once.
#[tokio::test]
async fn with_one_of_three_lying_nothing_is_missed_and_nothing_invented() -> Result<()> {
    let trio = Trio::new(quick()).await?;
    let daemon = trio.world.operator.start().await?;
    let mut all = Vec::new();
    for (number, lie) in Lie::ALL.into_iter().enumerate() {
        let stakers = Stakers::new(&trio.world.devnet, number * 2, 2).await?;
        let head = trio.world.devnet.origin.head().await?;
        // Whoever is elected has the most to lie about.
        let found = trio.connector(Side::Origin).await?;
        let elected = trio.proxies.iter().find(|proxy| found["the_client"] == json!(proxy.url));
        let liar = elected.unwrap_or(&trio.proxies[number % 3]);
        lie.tell(liar, head, 1);
        let stakes = stakers.request_all(&trio.world.devnet, Pace::Natural).await?;
        verify::wait_finished(&trio.world.devnet, &stakes, LIMIT)
            .await
            .with_context(|| format!("{lie:?} by {}\n{}", liar.url, daemon.log_tail()))?;
        liar.heal();
        all.extend(stakes);
    }
    verify::finished(&trio.world.devnet, &all).await?;
    let rows = trio.world.operator.requests().await?;
    assert_eq!(rows.len(), all.len(), "requests were invented or missed");
    trio.world.operator.stop(daemon).await
}

/// A request that was never made is told by the endpoint that is read.
#[tokio::test]
async fn an_invented_request_is_not_believed() -> Result<()> {
    let trio = Trio::new(quick()).await?;
    let daemon = trio.world.operator.start().await?;
    let stakers = Stakers::new(&trio.world.devnet, 0, 1).await?;
    let stakes = stakers.request_all(&trio.world.devnet, Pace::Natural).await?;
    let composer = trio.world.devnet.contracts.origin.composer;
    let logs = trio.world.devnet.origin.logs(&[composer], 0).await?;
    let real =
        logs.iter().find(|log| matches!(events::read(log), Ok(Some(Event::Requested { .. })))).context("no request")?;
    for proxy in &trio.proxies[..1] {
        let block = trio.world.devnet.origin.head().await? + 2;
        let mut data = real.data.clone();
        if let Some(byte) = data.0.get_mut(31) {
            *byte ^= 1;
        }
        while trio.world.devnet.origin.head().await? < block {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        proxy.invent_log(block, composer, &real.topics, &data).await?;
    }
    trio.world.finish(&daemon, &stakes, LIMIT).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let rows = trio.world.operator.requests().await?;
    assert_eq!(rows.len(), 1, "{rows:?}");
    trio.world.operator.stop(daemon).await
}

/// Two of three tell the same other branch: nothing is done until one of them tells the truth again.
#[tokio::test]
async fn with_a_majority_lying_nothing_is_signed_or_sent() -> Result<()> {
    let trio = Trio::new(quick()).await?;
    let daemon = trio.world.operator.start().await?;
    let head = trio.world.devnet.origin.head().await?;
    for (salt, proxy) in trio.proxies[..2].iter().enumerate() {
        // Two opinions beside the true one: none of the three has a majority.
        Lie::SealedBranch.tell(proxy, head, u8::try_from(salt)? + 1);
    }
    trio.wait_for("out of step", LIMIT, |found| {
        found["mode"] == json!("Resynchronise") && found["trouble"].is_string()
    })
    .await?;
    let before =
        [trio.world.count(Side::Origin, "pending").await?, trio.world.count(Side::Auxiliary, "pending").await?];
    let stakers = Stakers::new(&trio.world.devnet, 0, 2).await?;
    let stakes = stakers.request_all(&trio.world.devnet, Pace::Natural).await?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        let now =
            [trio.world.count(Side::Origin, "pending").await?, trio.world.count(Side::Auxiliary, "pending").await?];
        ensure!(now == before, "a transaction was sent while the endpoints disagree");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for proxy in &trio.proxies {
        proxy.heal();
    }
    trio.world.finish(&daemon, &stakes, LIMIT).await?;
    trio.world.operator.stop(daemon).await
}
