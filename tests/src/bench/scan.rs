//! Reading a long chain from its first block, beside a bare loop of the same calls.

use super::{
    LATENCY,
    chapter::{Chapter, told},
    say,
};
use crate::{
    anvil::Mining,
    devnet::{DevnetOptions, Side},
    history,
    node::Node,
    rpc_proxy::Fault,
    table,
    world::{World, WorldOptions},
};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Blocks of one range of `eth_getLogs`.
const RANGE: u64 = 10_000;
/// Blocks below the head whose headers are all read, and how many at once.
const DENSE: u64 = 1_024;
const HEADERS: u64 = 200;
/// Longest time for the whole chain.
const LIMIT: Duration = Duration::from_secs(600);
/// Pause between two looks at how far it has come.
const LOOK: Duration = Duration::from_millis(2);

/// What was measured.
struct Scan {
    blocks: u64,
    facilitator: Duration,
    bare: Duration,
    calls: [u64; 2],
    bare_calls: [u64; 2],
}

impl Scan {
    fn rate(&self, took: Duration) -> f64 {
        self.blocks as f64 / took.as_secs_f64()
    }

    fn chapter(&self) -> Chapter {
        let row = |name: &str, took: Duration, calls: [u64; 2]| {
            let rate = told(self.rate(took));
            let [calls, http] = calls.map(|count| count.to_string());
            vec![name.to_owned(), told(took.as_secs_f64()), rate, calls, http]
        };
        let rows = vec![
            row("facilitator, to the stored checkpoint", self.facilitator, self.calls),
            row("bare loop", self.bare, self.bare_calls),
        ];
        let percent = self.rate(self.facilitator) * 100.0 / self.rate(self.bare);
        Chapter::new("scan", "Reading a long chain")
            .text(format!(
                "{} blocks from the first one on, the node {} ms away: from the first `eth_getLogs` to the stored checkpoint, \
                 beside a bare loop of the same calls, one after the other, which does nothing with the answers. Calls are counted \
                 from the same moment on; what the facilitator asks before it (chain, contracts, keys) is left out of both.",
                table::grouped(self.blocks),
                LATENCY.as_millis()
            ))
            .table(&["", "seconds", "blocks/s", "calls", "HTTP requests"], rows)
            .text(format!("{} % of the bare loop's rate.", told(percent)))
            .figure("blocks", self.blocks as f64)
            .figure("percent", percent)
            .figure("rate", self.rate(self.facilitator))
            .figure("bare", self.rate(self.bare))
    }
}

/// Reads `blocks` blocks twice.
///
/// # Errors
/// When the world fails, or the facilitator does not come to the end.
pub(super) async fn run(blocks: u64) -> Result<Chapter> {
    let devnet = DevnetOptions { mining: Mining::OnDemand, ..DevnetOptions::default() };
    let world =
        World::new(WorldOptions { devnet, confirmations: 6, anchoring: None, ..WorldOptions::default() }).await?;
    let node = world.devnet.process(Side::Origin);
    node.kill().await?;
    history::lengthen(&node.state(), blocks)?;
    node.start_again().await?;
    let head = world.devnet.origin.head().await?;
    let proxy = &world.origin_proxy;
    proxy.set_rule(|_| Fault::Delay(LATENCY));

    say(&format!("the facilitator reads {head} blocks"));
    let first = first_logs(&world);
    let daemon = world.operator.spawn()?;
    let limit = Instant::now() + LIMIT;
    let reached = loop {
        if let Ok(Some(reached)) = world.checkpoint(Side::Origin).await
            && reached >= head - 6
        {
            break Instant::now();
        }
        ensure!(Instant::now() < limit, "not read to the end: {}", daemon.log_tail());
        tokio::time::sleep(LOOK).await;
    };
    let seen = first.lock().unwrap_or_else(PoisonError::into_inner).context("nothing was read")?;
    world.operator.stop(daemon).await?;

    say("a bare loop reads them");
    proxy.set_rule(|_| Fault::Delay(LATENCY));
    let before = proxy.counts();
    let start = Instant::now();
    bare(&Node::new(&proxy.url, world.devnet.origin.chain_id)?, &world, head).await?;
    let bare = start.elapsed();
    let bare_calls = proxy.counts().since(&before);
    let bare_calls = [bare_calls.total(), bare_calls.requests];
    Ok(Scan { blocks: head + 1, facilitator: reached - seen.began, bare, calls: seen.counts, bare_calls }.chapter())
}

/// What was asked of the node from the first logs on.
#[derive(Debug, Clone, Copy)]
struct Seen {
    began: Instant,
    /// Calls and HTTP requests.
    counts: [u64; 2],
}

/// Notes when the first logs are asked for, and counts from then on, that request included.
fn first_logs(world: &World) -> Arc<Mutex<Option<Seen>>> {
    let first = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&first);
    world.origin_proxy.set_rule(move |request| {
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        if request.methods.iter().any(|method| method == "eth_getLogs") {
            noted.get_or_insert_with(|| Seen { began: Instant::now(), counts: [0; 2] });
        }
        if let Some(seen) = noted.as_mut() {
            seen.counts[0] += request.methods.len() as u64;
            seen.counts[1] += 1;
        }
        drop(noted);
        Fault::Delay(LATENCY)
    });
    first
}

/// The same ranges and headers, one after the other, and nothing done with them.
async fn bare(node: &Node, world: &World, head: u64) -> Result<()> {
    let origin = &world.devnet.contracts.origin;
    let contracts = json!([origin.composer, origin.gateway, origin.anchor]);
    let dense = head.saturating_sub(DENSE);
    let block = |number: u64| json!([format!("{number:#x}"), false]);
    for from in (0..dense).step_by(usize::try_from(RANGE)?) {
        let to = (from + RANGE - 1).min(dense - 1);
        let filter =
            json!([{ "address": contracts, "fromBlock": format!("{from:#x}"), "toBlock": format!("{to:#x}") }]);
        node.mixed(vec![
            ("eth_getLogs", filter),
            ("eth_getBlockByNumber", block(from)),
            ("eth_getBlockByNumber", block(to)),
        ])
        .await?;
    }
    for from in (dense..=head).step_by(usize::try_from(HEADERS)?) {
        let to = (from + HEADERS - 1).min(head);
        let calls: Vec<(&'static str, Json)> =
            (from..=to).map(|number| ("eth_getBlockByNumber", block(number))).collect();
        for part in calls.chunks(100) {
            node.mixed(part.to_vec()).await?;
        }
    }
    Ok(())
}
