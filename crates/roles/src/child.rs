//! What all long-lived children have in common: the connection, the first message, the node, the wish to end.

use crate::messages::{ChainSetup, PROTOCOL_VERSION, Unfit};
use bincode::{Decode, Encode};
use facilitator_chain::rpc::{Rpc, RpcError, RpcOptions};
use facilitator_chain::scan::fetch_chain_id;
use facilitator_ipc::{ChildLink, IpcError, WriterOptions};
use facilitator_store::{Access, Location, Pair, Patience, Store, StoreError};
use std::path::PathBuf;
use std::time::Duration;

/// Longest time in which the parent may read nothing while something waits for it: one that does not read is hung or
/// stopped, and whoever comes after it begins from the database.
const STALL: Duration = Duration::from_secs(120);

/// How children write to their parent.
pub(crate) fn writer() -> WriterOptions {
    WriterOptions { stall: Some(STALL), ..WriterOptions::default() }
}

/// Longest wait for the first message of the parent.
const SETUP_LIMIT: Duration = Duration::from_secs(30);

/// Why a child's process ends otherwise than by a stop.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The connection to the parent broke.
    #[error(transparent)]
    Ipc(#[from] IpcError),
    /// The parent is gone.
    #[error("the parent process is gone")]
    ParentGone,
    /// The parent did not say what to do.
    #[error("the parent process did not say what to do within {} s", SETUP_LIMIT.as_secs())]
    NoSetup,
    /// The parent said something else than what to do.
    #[error("the parent process began with another message than the setup")]
    OutOfTurn,
    /// The database refuses; the next start tries again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Signing can't go on; the next start begins from the journal.
    #[error(transparent)]
    Sender(#[from] facilitator_sender::SenderError),
    /// The node can't be used as configured.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// It said why it is unfit and ends; the parent gives up.
    #[error("unfit: {0:?}")]
    Unfit(Unfit),
    /// Signals can't be received.
    #[error("can't listen for signals: {0}")]
    Signals(std::io::Error),
}

/// Says hello and waits for the first message.
pub(crate) async fn begin<Out: Encode, In: Decode<()>>(role: &str) -> Result<(ChildLink<Out, In>, In), ChildError> {
    let mut link = ChildLink::<Out, In>::from_stdio(PROTOCOL_VERSION, role, writer())?;
    let first = tokio::time::timeout(SETUP_LIMIT, link.receiver.next()).await;
    let first = first.map_err(|_| ChildError::NoSetup)??.ok_or(ChildError::ParentGone)?;
    Ok((link, first))
}

/// A client of the chain's first endpoint.
pub(crate) fn client(chain: &ChainSetup) -> Result<Rpc, RpcError> {
    let url = chain.rpc.first().map_or("", String::as_str);
    let options = RpcOptions {
        timeout: Duration::from_millis(chain.rpc_timeout_ms),
        max_batch: usize::try_from(chain.max_batch).unwrap_or(usize::MAX),
        ..RpcOptions::default()
    };
    Rpc::new(url, options)
}

/// Whether the node serves the chain that is configured.
///
/// `Err`: it could not be asked, try again. `Ok(Some)`: it serves another one.
pub(crate) async fn wrong_chain(rpc: &Rpc, chain: &ChainSetup) -> Result<Option<Unfit>, RpcError> {
    let found = fetch_chain_id(rpc).await?;
    Ok((found != chain.chain_id).then(|| {
        Unfit::WrongChain(format!(
            "the node at {} serves chain {found}, configured is chain {}; correct `chains.{}.rpc`",
            rpc.endpoint(),
            chain.chain_id,
            chain.chain_id
        ))
    }))
}

/// Opens the database for writing.
pub(crate) async fn open_store(chain: &ChainSetup, now_ms: i64) -> Result<Store, StoreError> {
    let location = Location::Sqlite(PathBuf::from(&chain.database));
    let pair = Pair { origin_chain_id: chain.pair.0, auxiliary_chain_id: chain.pair.1 };
    Store::open(&location, Access::Writer, pair, Patience::default(), now_ms).await
}

/// Milliseconds as a duration.
pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
