//! What all long-lived children have in common: the connection, the first message, the node, the wish to end.

use crate::clock;
use crate::messages::{ChainSetup, PROTOCOL_VERSION, Unfit};
use bincode::{Decode, Encode};
use facilitator_chain::rpc::{Rpc, RpcError, RpcOptions};
use facilitator_chain::scan::fetch_chain_id;
use facilitator_ipc::{ChildLink, IpcError, WriterOptions};
use facilitator_store::{Access, Location, Pair, Patience, Store, StoreError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longest time in which the parent may read nothing while something waits for it: one that does not read is hung or
/// stopped, and whoever comes after it begins from the database.
const STALL: Duration = Duration::from_secs(120);

/// How children write to their parent.
pub(crate) fn writer() -> WriterOptions {
    WriterOptions { stall: Some(STALL), ..WriterOptions::default() }
}

/// Longest wait of somebody who only looks for a database that is busy.
const LOOK_LIMIT: Duration = Duration::from_millis(800);

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
    /// There is no monitor by what it was told.
    #[error("monitor: {0}")]
    Monitor(String),
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

/// A client for each of the chain's endpoints, in the order of the configuration.
pub(crate) fn clients(chain: &ChainSetup) -> Result<Vec<Rpc>, RpcError> {
    let options = RpcOptions {
        timeout: Duration::from_millis(chain.rpc_timeout_ms),
        max_batch: usize::try_from(chain.max_batch).unwrap_or(usize::MAX),
        ..RpcOptions::default()
    };
    chain.rpc.iter().map(|url| Rpc::new(url, options.clone())).collect()
}

/// What endpoints say of the chain they serve.
pub(crate) enum Serves {
    /// These serve the chain that is configured.
    Ours(Vec<usize>),
    /// All that answered serve another one.
    Another(Unfit),
    /// None answered; why not.
    Unknown(String),
}

/// How long slower endpoints are waited for once one serves the right chain.
const LATECOMERS: Duration = Duration::from_secs(1);

/// Asks all endpoints at once which chain they serve.
pub(crate) async fn who_serves(endpoints: &[Rpc], chain: &ChainSetup) -> Serves {
    let mut asked = JoinSet::new();
    for (index, rpc) in endpoints.iter().enumerate() {
        let rpc = rpc.clone();
        asked.spawn(async move { (index, rpc.endpoint().to_string(), fetch_chain_id(&rpc).await) });
    }
    let (mut ours, mut others, mut silent) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let next = asked.join_next();
        let next = if ours.is_empty() { next.await } else { timeout(LATECOMERS, next).await.unwrap_or(None) };
        match next {
            Some(Ok((index, _, Ok(found)))) if found == chain.chain_id => ours.push(index),
            Some(Ok((_, name, Ok(found)))) => others.push(format!("the node at {name} serves chain {found}")),
            Some(Ok((_, _, Err(error)))) => silent.push(error.to_string()),
            Some(Err(_)) => {}
            None => break,
        }
    }
    ours.sort_unstable();
    let id = chain.chain_id;
    if !ours.is_empty() {
        for other in others {
            tracing::warn!(chain = id, "{other}, expected is chain {id}: it is not used; correct `chains.{id}.rpc`");
        }
        return Serves::Ours(ours);
    }
    if silent.is_empty() && !others.is_empty() {
        let found = others.join(", ");
        return Serves::Another(Unfit::WrongChain(format!(
            "{found}, configured is chain {id}; correct `chains.{id}.rpc`"
        )));
    }
    Serves::Unknown(silent.into_iter().chain(others).collect::<Vec<_>>().join("; "))
}

/// Opens the database for writing.
pub(crate) async fn open_store(chain: &ChainSetup, now_ms: i64) -> Result<Store, StoreError> {
    let location = Location::from_address(&chain.database)?;
    let pair = Pair { origin_chain_id: chain.pair.0, auxiliary_chain_id: chain.pair.1 };
    let store = Store::open(&location, Access::Writer, pair, Patience::default(), now_ms).await?;
    clock::agree(&store).await?;
    clock::follow(store.clone());
    Ok(store)
}

/// Opens the database to look.
pub(crate) async fn open_to_look(database: &str, pair: (u64, u64), now_ms: i64) -> Result<Store, StoreError> {
    let location = Location::from_address(database)?;
    let pair = Pair { origin_chain_id: pair.0, auxiliary_chain_id: pair.1 };
    let store = Store::open(&location, Access::Reader, pair, Patience { limit: LOOK_LIMIT }, now_ms).await?;
    clock::agree(&store).await?;
    Ok(store)
}

/// Logs by another filter from now on. The parent has checked it.
pub(crate) fn log_by(filter: &str) {
    match facilitator_telemetry::set_filter(filter) {
        Ok(()) => tracing::debug!(filter, "log filter"),
        Err(error) => tracing::warn!(%error, "the log filter stays as it was"),
    }
}

/// Milliseconds as a duration.
pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
