//! Look-ups for the synchronisation of the pair, each on a task of its own.

use super::{Came, Watched};
use crate::messages::ScannerSetup;
use crate::scanner::Endpoints;
use facilitator_chain::connector::EndpointId;
use facilitator_chain::rpc::{Rpc, RpcError};
use facilitator_chain::scan::fetch_headers;
use facilitator_chain::sync::{AnchoredRoot, BlockFacts, Checkpoint, Finding, LookUp, LookUpNo, Whose};
use facilitator_chain::types::parse_header;
use facilitator_eth::{Address, B256};
use facilitator_protocol::model::Side;
use facilitator_store::{Store, StoreError};
use serde_json::json;
use tokio::sync::mpsc;

/// Most headers asked for in one go.
const BATCH: usize = 200;

/// Asks the database and the elected endpoint.
pub(super) struct Desk {
    store: Store,
    endpoints: Endpoints,
    tell: mpsc::UnboundedSender<Came>,
    /// Anchors of this chain's blocks, which stand on the other chain, and that chain.
    own: (u64, Vec<Address>),
    /// Anchors of the other chain's blocks, which stand on this chain, and this chain.
    other: (u64, Vec<Address>),
    /// An account of this chain.
    account: Address,
}

impl Desk {
    pub(super) fn new(
        setup: &ScannerSetup,
        other_id: u64,
        store: Store,
        endpoints: Endpoints,
        tell: mpsc::UnboundedSender<Came>,
    ) -> Self {
        let anchors = |on: Side| {
            let anchor = |gateway: &crate::messages::ConfiguredGateway| match on {
                Side::Origin => gateway.anchor,
                Side::Auxiliary => gateway.co_anchor,
            };
            let mut all: Vec<Address> = setup.gateways.iter().map(anchor).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let side = setup.chain.side;
        let on_this = anchors(side);
        let account = on_this.first().copied().unwrap_or_default();
        Self {
            store,
            endpoints,
            tell,
            own: (other_id, anchors(side.other())),
            other: (setup.chain.chain_id, on_this),
            account,
        }
    }

    /// Begins a look-up.
    pub(super) fn look_up(&self, no: LookUpNo, look_up: LookUp, follower: &Watched) {
        let client = follower.client().map(|client| self.endpoints.get(client));
        let nobody = || Err("no endpoint is well".to_owned());
        match look_up {
            LookUp::Roots { whose, limit } => {
                let (chain_id, anchors) = match whose {
                    Whose::Own => self.own.clone(),
                    Whose::Other => self.other.clone(),
                };
                let store = self.store.clone();
                self.begin(no, async move {
                    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
                    roots(&store, chain_id, &anchors, limit).await.map_err(|error| error.to_string())
                });
            }
            LookUp::Blocks(numbers) => {
                let known = numbers.into_iter().map(|number| (number, follower.remembered_hash(number))).collect();
                self.begin(no, async move {
                    match client {
                        Some(rpc) => blocks(&rpc, known).await,
                        None => nobody(),
                    }
                });
            }
            LookUp::State(number) => {
                let account = self.account;
                self.begin(no, async move {
                    match client {
                        Some(rpc) => state(&rpc, account, number).await.map_err(|error| error.to_string()),
                        None => nobody(),
                    }
                });
            }
        }
    }

    /// Asks an endpoint for its `finalized` block, under this head.
    pub(super) fn ask_finalized(&self, client: EndpointId, head: u64) {
        let (rpc, tell) = (self.endpoints.get(client), self.tell.clone());
        tokio::spawn(async move {
            let told = finalized(&rpc).await.map_err(|error| error.to_string());
            // Nobody hears it while the process ends.
            let _ended = tell.send(Came::Finalized(head, told));
        });
    }

    fn begin(&self, no: LookUpNo, work: impl Future<Output = Result<Finding, String>> + Send + 'static) {
        let tell = self.tell.clone();
        tokio::spawn(async move {
            let _ended = tell.send(Came::Found(no, work.await));
        });
    }
}

async fn roots(store: &Store, chain_id: u64, anchors: &[Address], limit: u32) -> Result<Finding, StoreError> {
    let found = store.anchored_roots(chain_id, anchors, limit).await?;
    let root = |known: &facilitator_store::scan::PublishedRoot| AnchoredRoot {
        anchor: known.anchor,
        number: known.height,
        root: known.root,
        anchored_in: known.published_in,
    };
    Ok(Finding::Roots(found.iter().map(root).collect()))
}

async fn blocks(rpc: &Rpc, known: Vec<(u64, Option<B256>)>) -> Result<Finding, String> {
    let mut found = Vec::with_capacity(known.len());
    for part in known.chunks(BATCH) {
        let numbers: Vec<u64> = part.iter().map(|(number, _)| *number).collect();
        let headers = fetch_headers(rpc, &numbers).await.map_err(|error| error.to_string())?;
        found.extend(headers.iter().zip(part).map(|(header, (_, stored))| BlockFacts {
            block: Checkpoint { number: header.number, hash: header.hash, state_root: header.state_root },
            stored: *stored,
        }));
    }
    Ok(Finding::Blocks(found))
}

/// A node that has thrown the state away answers with an error of its own.
async fn state(rpc: &Rpc, account: Address, number: u64) -> Result<Finding, RpcError> {
    match rpc.call("eth_getBalance", json!([account, format!("{number:#x}")])).await {
        Ok(_) => Ok(Finding::State(true)),
        Err(RpcError::Server { .. }) => Ok(Finding::State(false)),
        Err(error) => Err(error),
    }
}

/// A node that does not know the tag, or has nothing finalized yet, has none.
async fn finalized(rpc: &Rpc) -> Result<Option<u64>, RpcError> {
    match rpc.call("eth_getBlockByNumber", json!(["finalized", false])).await {
        Ok(value) => Ok(parse_header(&value)?.map(|header| header.number)),
        Err(error) if error.is_transient() => Err(error),
        Err(_) => Ok(None),
    }
}
