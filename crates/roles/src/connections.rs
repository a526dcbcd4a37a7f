//! How one chain's endpoints are: what a scanner tells, the process table keeps, and `connections` shows.

use bincode::{Decode, Encode};
use facilitator_chain::connector::{Connector, Endpoint, Health};
use facilitator_chain::rpc::{Rpc, RpcStats};
use serde::{Deserialize, Serialize};

/// The connector of one chain.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Connections {
    /// `Connecting`, `HighestBlock`, `ForkDetect`, `FetchBlocks`, `Rebuild` or `Sampling`.
    pub state: String,
    /// `Resynchronise` or `Normal`.
    pub mode: String,
    /// Endpoints that must be connected to begin.
    pub minimum_connections: u64,
    /// Endpoints that are connected.
    pub connected: u64,
    /// The endpoint that is read.
    pub the_client: Option<String>,
    /// Newest block that is remembered.
    pub height: Option<u64>,
    /// Newest block that a quorum has under its confirmations.
    pub released: Option<u64>,
    /// Newest block whose events are stored.
    pub scanned: Option<u64>,
    /// Rounds in a row that found this chain one block behind.
    pub samples: u32,
    /// What an operator should know of how the chain is read, though nothing is amiss.
    #[serde(default)]
    pub note: Option<String>,
    /// Each endpoint in the order of the configuration.
    pub endpoints: Vec<EndpointStanding>,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EndpointStanding {
    /// Its address without credentials.
    pub endpoint: String,
    /// `unknown`, `well` or `set aside`.
    pub health: String,
    /// Why it is set aside.
    pub reason: Option<String>,
    /// Whether it counts as connected.
    pub connected: bool,
    /// The chain that it says it serves.
    pub chain_id: Option<u64>,
    /// The newest block that it told.
    pub head: Option<u64>,
    /// Smoothed time of its answers.
    pub latency_ms: u64,
    /// Whether it announces its heads by itself.
    pub subscribed: bool,
    /// JSON-RPC calls of the scanner so far.
    pub calls: u64,
    /// HTTP requests of the scanner so far.
    pub requests: u64,
    /// Those of them that were not answered usably, and answers that could not be used.
    pub errors: u64,
}

/// What a process has asked one endpoint since it was started.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EndpointCalls {
    /// Its address without credentials.
    pub endpoint: String,
    /// JSON-RPC calls.
    pub calls: u64,
    /// HTTP requests.
    pub requests: u64,
    /// Those of them that were not answered usably.
    pub errors: u64,
}

impl EndpointCalls {
    /// By the counters of each client, in the order of the configuration.
    #[must_use]
    pub fn of(clients: &[Rpc]) -> Vec<Self> {
        let one = |rpc: &Rpc| {
            let RpcStats { calls, requests, failures } = rpc.stats();
            Self { endpoint: rpc.endpoint().to_string(), calls, requests, errors: failures }
        };
        clients.iter().map(one).collect()
    }
}

impl Connections {
    /// What a connector looks like at `now`, with the calls that were put to each endpoint.
    #[must_use]
    pub fn of(
        connector: &Connector,
        minimum_connections: usize,
        scanned: Option<u64>,
        note: Option<String>,
        stats: &[RpcStats],
        now: u64,
    ) -> Self {
        let book = connector.book();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let name = |id| book.get(id).map(|endpoint: &Endpoint| endpoint.name.clone());
        let standing = |(id, endpoint): (_, &Endpoint)| {
            let stats = stats_of(stats, id);
            EndpointStanding {
                endpoint: endpoint.name.clone(),
                health: endpoint.health.name().to_owned(),
                reason: reason(&endpoint.health),
                connected: book.is_connected(id, now),
                chain_id: endpoint.chain,
                head: endpoint.head.map(|head| head.block.number),
                latency_ms: endpoint.latency_ms,
                subscribed: endpoint.subscribed,
                calls: stats.calls,
                requests: stats.requests,
                errors: endpoint.errors.max(stats.failures),
            }
        };
        Self {
            state: connector.state().name().to_owned(),
            mode: connector.mode().name().to_owned(),
            minimum_connections: count(minimum_connections),
            connected: count(book.connected(now)),
            the_client: connector.the_client().and_then(name),
            height: connector.local().head().map(|head| head.number),
            released: connector.released(),
            scanned,
            samples: connector.samples(),
            note,
            endpoints: book.iter().map(standing).collect(),
        }
    }
}

fn stats_of(stats: &[RpcStats], id: facilitator_chain::connector::EndpointId) -> RpcStats {
    stats.get(id.0).copied().unwrap_or_default()
}

fn reason(health: &Health) -> Option<String> {
    match health {
        Health::SetAside { reason, .. } => Some(reason.to_string()),
        Health::Unknown | Health::Well => None,
    }
}
