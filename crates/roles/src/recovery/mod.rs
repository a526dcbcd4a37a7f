//! Rebuilds a lost database from the chains: the scanners' own loop until both chains are read, then the workers' own
//! step for each unfinished request, of which nothing is sent.
//!
//! No path beside the normal one: what is stored here a start would store too, only while sending. So it may be cut off
//! anywhere, and either another recovery or a start goes on with it.

mod desk;
mod judge;
mod read;

pub use judge::Outlook;
pub use read::{Reach, reach};

use crate::parent::{PerSide, Setup};
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::Side;
use facilitator_protocol::secret::HashLockKey;
use facilitator_store::{Store, StoreError};

/// Why it does not go on. What was read until then is kept.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// A node does not answer.
    #[error("{side} chain: {text}; see that the node runs, then recover again: what was read so far is kept")]
    Unreachable {
        /// The chain.
        side: Side,
        /// What its node says.
        text: String,
    },
    /// A node serves another chain.
    #[error("{side} chain: {text}")]
    WrongChain {
        /// The chain.
        side: Side,
        /// Which one it serves.
        text: String,
    },
    /// The contracts contradict the configuration.
    #[error("{0}")]
    Contracts(String),
    /// The database refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A mistake of this program.
    #[error("{0}; please report this")]
    Broken(String),
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A chain is being read.
    Reading {
        /// The chain.
        side: Side,
        /// The last block that is read.
        at: Option<u64>,
        /// The newest final block.
        of: u64,
    },
    /// A chain can't be read at the moment; `None`: it can again.
    Trouble {
        /// The chain.
        side: Side,
        /// What its node says.
        text: Option<String>,
    },
    /// Requests are looked at.
    Judging {
        /// Looked at.
        done: usize,
        /// Found unfinished.
        of: usize,
    },
}

/// Who is told how far it is.
pub type Tell<'a> = &'a dyn Fn(Progress);

/// Reads both chains to their newest final blocks, then looks at every unfinished request; what is found of each, oldest
/// first.
///
/// # Errors
/// [`RecoveryError`].
pub async fn run(
    setup: &Setup,
    store: &Store,
    reach: &PerSide<Reach>,
    gateways: &[GatewaySet],
    tell: Tell<'_>,
) -> Result<Vec<Outlook>, RecoveryError> {
    store.set_gateways(gateways, crate::clock::now_ms()).await?;
    let (origin, auxiliary) = tokio::try_join!(
        read::chain(&setup.scanners.origin, store, &reach.origin, tell),
        read::chain(&setup.scanners.auxiliary, store, &reach.auxiliary, tell)
    )?;
    let heads = PerSide { origin: Some(origin), auxiliary: Some(auxiliary) };
    let key = HashLockKey::new(setup.senders.origin.hash_lock_key.0);
    judge::all(setup, store, reach, gateways, &heads, &key, tell).await
}
