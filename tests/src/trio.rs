//! A world whose origin chain is read from three endpoints, each a proxy before the same node unless it is told to lie.

use crate::{
    devnet::Side,
    operator::Operator,
    rpc_proxy::RpcProxy,
    world::{World, WorldOptions},
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// A world with three endpoints of the origin chain.
#[derive(Debug)]
pub struct Trio {
    /// Everything else.
    pub world: World,
    /// The endpoints, in the order of the configuration.
    pub proxies: [RpcProxy; 3],
}

impl Trio {
    /// As [`World::new`], with the times of the connector shortened.
    ///
    /// # Errors
    /// When any part does not come up.
    pub async fn new(options: WorldOptions) -> Result<Self> {
        let world = World::new(options).await?;
        let node = &world.devnet.origin.url;
        let proxies = [RpcProxy::start(node).await?, RpcProxy::start(node).await?, RpcProxy::start(node).await?];
        let urls: Vec<&str> = proxies.iter().map(|proxy| proxy.url.as_str()).collect();
        world.operator.set_on(Side::Origin, "rpc", &json!(urls))?;
        quicken_connector(&world.operator)?;
        Ok(Self { world, proxies })
    }

    /// How the connector of a chain stands.
    ///
    /// # Errors
    /// When `connections` fails.
    pub async fn connector(&self, side: Side) -> Result<Json> {
        connector(&self.world.operator, side).await
    }

    /// Waits until the connector of the origin chain is as wanted.
    ///
    /// # Errors
    /// When it isn't within `limit`, with what it is.
    pub async fn wait_for(&self, what: &str, limit: Duration, done: impl Fn(&Json) -> bool) -> Result<Json> {
        let start = Instant::now();
        loop {
            let found = self.connector(Side::Origin).await.unwrap_or_default();
            if done(&found) {
                return Ok(found);
            }
            ensure!(start.elapsed() < limit, "not {what} after {limit:?}: {found:#}");
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Shortens the times of the connector on both chains.
///
/// # Errors
/// When the config can't be read or written.
pub fn quicken_connector(operator: &Operator) -> Result<()> {
    for (key, value) in [
        ("cycle_interval_ms", 500),
        ("connection_timeout_ms", 3_000),
        ("rpc_timeout_ms", 1_000),
        ("lag_ms", 1_500),
        ("endpoint_backoff_ms", 200),
        ("endpoint_backoff_max_ms", 1_000),
    ] {
        operator.set_on_chains(key, &json!(value))?;
    }
    Ok(())
}

/// What `connections` says of a chain: with `trouble` beside the fields of the connector.
///
/// # Errors
/// When the command fails.
pub async fn connector(operator: &Operator, side: Side) -> Result<Json> {
    let chain = operator.chains[1].to_string();
    let told = operator.ask(&["connections", "--chain-id", &chain, "--json"]).await?;
    let name = match side {
        Side::Origin => "origin",
        Side::Auxiliary => "auxiliary",
    };
    let chains = told["chains"].as_array().context("no chains")?;
    let found = chains.iter().find(|chain| chain["side"] == name).context("no such chain")?;
    let mut connector = found["connections"].clone();
    connector["trouble"] = found["trouble"].clone();
    Ok(connector)
}
