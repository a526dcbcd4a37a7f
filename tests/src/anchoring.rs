//! The anchoring service: carries state roots from each chain into the other chain's anchor.
//!
//! It is the only one to use the anchorer's account. Like the real service it knows nothing of requests.

use crate::{
    anvil::Mining,
    calls::{call, uint, word},
    devnet::{Devnet, Side},
    node::Node,
};
use anyhow::{Context as _, Result};
use facilitator_eth::{Address, B256};
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Gas for anchoring a state root.
const ANCHOR_GAS: u64 = 150_000;

/// When the service anchors.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// A root for each that many blocks of the chain it comes from.
    pub every_blocks: u64,
    /// Blocks that must stand on top of an anchored one.
    pub depth: u64,
    /// The chain whose roots it anchors on the other one. When not given: both; but the origin alone where each
    /// transaction makes a block, since two such chains would anchor each other's anchors for ever.
    pub only_from: Option<Side>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { every_blocks: 1, depth: 0, only_from: None }
    }
}

/// One direction's source and target.
#[derive(Debug, Clone)]
struct Road {
    from: Node,
    to: Node,
    anchor: Address,
    anchorer: Address,
}

impl Road {
    fn new(devnet: &Devnet, from: Side) -> Self {
        let (origin, auxiliary) = (devnet.origin.clone(), devnet.auxiliary.clone());
        let anchorer = devnet.parties.anchorer;
        match from {
            Side::Origin => Self { from: origin, to: auxiliary, anchor: devnet.contracts.auxiliary.anchor, anchorer },
            Side::Auxiliary => Self { from: auxiliary, to: origin, anchor: devnet.contracts.origin.anchor, anchorer },
        }
    }

    /// Sends the root of `height`; does not wait until it is mined.
    async fn anchor(&self, height: u64) -> Result<B256> {
        let header = self.from.header(&format!("{height:#x}")).await?;
        self.publish(height, header.state_root).await
    }

    async fn publish(&self, height: u64, root: B256) -> Result<B256> {
        let data = call("anchorStateRoot(uint256,bytes32)", &[uint(height), word(root)]);
        let transaction =
            json!({ "from": self.anchorer, "to": self.anchor, "data": data, "gas": format!("{ANCHOR_GAS:#x}") });
        self.to.send_unlocked(vec![transaction]).await?.pop().context("no transaction")
    }

    async fn serve(self, policy: Policy, rhythm: Duration) {
        let mut next = self.from.head().await.unwrap_or(0) + 1;
        loop {
            let ready = self.from.head().await.ok().and_then(|head| head.checked_sub(policy.depth));
            if let Some(height) = ready.filter(|height| *height >= next)
                && self.anchor(height).await.is_ok()
            {
                next = height + policy.every_blocks;
            }
            tokio::time::sleep(rhythm).await;
        }
    }
}

/// Anchors the root of the newest block of `from` on the other chain at once, and tells its height.
///
/// # Errors
/// When the transaction is refused.
pub async fn once(devnet: &Devnet, from: Side) -> Result<u64> {
    let road = Road::new(devnet, from);
    let height = road.from.head().await?;
    road.anchor(height).await?;
    Ok(height)
}

/// Anchors this root for a block of `from` on the other chain at once, whatever the block's own root is.
///
/// # Errors
/// When the transaction is refused.
pub async fn lie(devnet: &Devnet, from: Side, height: u64, root: B256) -> Result<()> {
    let road = Road::new(devnet, from);
    road.publish(height, root).await.map(drop)
}

/// The running service; ends when it is dropped.
#[derive(Debug)]
pub struct Anchoring(Vec<JoinHandle<()>>);

impl Anchoring {
    /// Starts the service beside whatever else runs.
    #[must_use]
    pub fn start(devnet: &Devnet, policy: Policy) -> Self {
        let rhythm = match devnet.options.mining {
            Mining::Auto | Mining::OnDemand => Duration::from_millis(20),
            Mining::Every(time) => (time / 10).clamp(Duration::from_millis(20), Duration::from_millis(200)),
        };
        let sides = [Side::Origin, Side::Auxiliary];
        let only = match devnet.options.mining {
            Mining::Auto => policy.only_from.or(Some(Side::Origin)),
            Mining::Every(_) | Mining::OnDemand => policy.only_from,
        };
        let wanted = sides.into_iter().filter(|side| only.is_none_or(|only| only == *side));
        Self(wanted.map(|side| tokio::spawn(Road::new(devnet, side).serve(policy, rhythm))).collect())
    }
}

impl Drop for Anchoring {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
