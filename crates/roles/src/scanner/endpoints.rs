//! The clients of one chain's endpoints, in the order of the configuration.

use crate::child;
use crate::messages::ChainSetup;
use facilitator_chain::connector::EndpointId;
use facilitator_chain::rpc::{Rpc, RpcError};
use std::sync::Arc;

/// A client for each endpoint. Clones share connections and counters.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    first: Rpc,
    all: Arc<[Rpc]>,
}

impl Endpoints {
    /// Clients for all configured endpoints; connects to none.
    ///
    /// # Errors
    /// [`RpcError::Endpoint`] of the first URL that can't be used.
    pub(crate) fn new(chain: &ChainSetup) -> Result<Self, RpcError> {
        let all = child::clients(chain)?;
        let first = all.first().cloned().ok_or_else(|| RpcError::Endpoint { message: "no endpoint".to_owned() })?;
        Ok(Self { first, all: all.into() })
    }

    /// One endpoint's client; the first one's for an endpoint that is not configured.
    pub(crate) fn get(&self, id: EndpointId) -> Rpc {
        self.all.get(id.0).unwrap_or(&self.first).clone()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rpc> {
        self.all.iter()
    }

    /// Their addresses without credentials.
    pub(crate) fn names(&self) -> Vec<String> {
        self.all.iter().map(|rpc| rpc.endpoint().to_string()).collect()
    }
}
