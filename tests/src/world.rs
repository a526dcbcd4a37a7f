//! A devnet with an operator's facilitator on it, put together: what the demo, the benchmark and most tests begin with.
//!
//! Invariant: the product reaches the nodes through the proxies alone, so that every call of it is counted.

use crate::{
    anchoring::{Anchoring, Policy},
    books::Books,
    daemon::Daemon,
    devnet::{Devnet, DevnetOptions, Funds},
    operator::{InitOptions, Operator, RequestRow},
    postgres::Postgres,
    process,
    requesters::Request,
    rpc_proxy::{Counts, RpcProxy},
    verify::{self, Ledger},
};
use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::{fs, time::Duration};

/// What the facilitator keeps its database in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file in its home.
    Sqlite,
    /// A server of its own.
    Postgres,
}

impl Default for Database {
    /// A file, unless `FACILITATOR_TEST_DATABASE=postgres` has the same tests run on servers.
    fn default() -> Self {
        match std::env::var("FACILITATOR_TEST_DATABASE").as_deref() {
            Ok("postgres") => Self::Postgres,
            Ok(_) | Err(_) => Self::Sqlite,
        }
    }
}

/// How a world is to be.
#[derive(Debug, Clone)]
pub struct WorldOptions {
    /// The nodes and contracts.
    pub devnet: DevnetOptions,
    /// When state roots are anchored; never when not given.
    pub anchoring: Option<Policy>,
    /// Worker keys on each chain.
    pub workers: usize,
    /// Whether their key stores are quickly opened, unlike those of real operators.
    pub light_kdf: bool,
    /// What each worker gets.
    pub funds: Funds,
    /// Blocks until a block counts as final.
    pub confirmations: u64,
    /// How often the product asks for the newest block.
    pub poll: Duration,
    /// What its database is.
    pub database: Database,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            devnet: DevnetOptions::default(),
            anchoring: Some(Policy::default()),
            workers: 1,
            light_kdf: true,
            funds: Funds::default(),
            confirmations: 0,
            poll: Duration::from_millis(100),
            database: Database::default(),
        }
    }
}

/// Nodes, proxies, anchoring, and an operator whose workers are enrolled; the facilitator is not started yet.
#[derive(Debug)]
pub struct World {
    /// The nodes and contracts.
    pub devnet: Devnet,
    /// Before the origin node.
    pub origin_proxy: RpcProxy,
    /// Before the auxiliary node.
    pub auxiliary_proxy: RpcProxy,
    /// The operator.
    pub operator: Operator,
    /// The anchoring service.
    pub anchoring: Option<Anchoring>,
    /// The database server, where there is one.
    pub postgres: Option<Postgres>,
}

impl World {
    /// Makes everything up to the point where `start` is next.
    ///
    /// # Errors
    /// When any part does not come up.
    pub async fn new(options: WorldOptions) -> Result<Self> {
        let devnet = Devnet::start(options.devnet).await?;
        let origin_proxy = RpcProxy::start(&devnet.origin.url).await?;
        let auxiliary_proxy = RpcProxy::start(&devnet.auxiliary.url).await?;
        let init = InitOptions {
            origin_rpc: origin_proxy.url.clone(),
            auxiliary_rpc: auxiliary_proxy.url.clone(),
            workers: options.workers,
            join: None,
            light_kdf: options.light_kdf,
        };
        let operator = Operator::init(&devnet, &init).await?;
        operator.quicken(options.confirmations, options.poll)?;
        let postgres = match options.database {
            Database::Sqlite => None,
            Database::Postgres => Some(Postgres::start()?),
        };
        if let Some(postgres) = &postgres {
            let db = postgres.config()?;
            operator.edit_config(|config| config["db"] = db)?;
        }
        devnet.enroll(&operator.origin_workers, &operator.auxiliary_workers, options.funds).await?;
        let anchoring = options.anchoring.map(|policy| Anchoring::start(&devnet, policy));
        Ok(Self { devnet, origin_proxy, auxiliary_proxy, operator, anchoring, postgres })
    }

    /// A further instance of the operator: keys of its own, which are enrolled, the same database and hash-lock key.
    ///
    /// # Errors
    /// When it can't be made.
    pub async fn instance(&self, options: &WorldOptions) -> Result<Operator> {
        let init = InitOptions {
            origin_rpc: self.origin_proxy.url.clone(),
            auxiliary_rpc: self.auxiliary_proxy.url.clone(),
            workers: options.workers,
            join: None,
            light_kdf: options.light_kdf,
        };
        let other = self.operator.join(&self.devnet, &init).await?;
        other.quicken(options.confirmations, options.poll)?;
        self.devnet.enroll(&other.origin_workers, &other.auxiliary_workers, options.funds).await?;
        Ok(other)
    }

    /// Has the operator serve the second pair of gateways beside the first, from the next start on.
    ///
    /// # Errors
    /// When there is none, or a file can't be written.
    pub fn serve_second_pair(&self) -> Result<()> {
        let folder = self.operator.config.parent().context("the config is in no folder")?;
        let config = self.devnet.gateway_config("mosaic-config.json")?;
        fs::write(folder.join("second-gateway.json"), serde_json::to_vec_pretty(&config)?)?;
        self.operator.edit_config(|config| config["gateway_configs"] = json!(["second-gateway.json"]))
    }

    /// Gives the coins and tokens of both chains the price of one each.
    ///
    /// # Errors
    /// When the config can't be written.
    pub fn price_everything_at_one(&self) -> Result<()> {
        let [origin, auxiliary] = self.operator.chains.map(|chain| chain.to_string());
        let contracts = &self.devnet.contracts;
        self.operator.edit_config(|config| {
            let coin = json!({ "coin": "1", "tokens": {} });
            config["prices"] = json!({ &origin: coin, &auxiliary: coin });
            config["prices"][&origin]["tokens"][contracts.origin.base_token.to_string()] = json!("1");
            for pair in contracts.pairs() {
                config["prices"][&origin]["tokens"][pair.value_token.to_string()] = json!("1");
                config["prices"][&auxiliary]["tokens"][pair.utility_token.to_string()] = json!("1");
            }
        })
    }

    /// What passed the proxies so far: origin, auxiliary.
    #[must_use]
    pub fn counts(&self) -> [Counts; 2] {
        [self.origin_proxy.counts(), self.auxiliary_proxy.counts()]
    }

    /// As [`World::finish`]; then also every row is COMPLETE, no height was proven twice, and all money is where it must
    /// be since `books` were read.
    ///
    /// # Errors
    /// As [`World::finish`], or the first thing that is not so.
    pub async fn finish_exactly(
        &self,
        daemon: &Daemon,
        requests: &[Request],
        books: &Books,
        limit: Duration,
    ) -> Result<Vec<RequestRow>> {
        let ledger = self.finish(daemon, requests, limit).await?;
        verify::one_proof_per_height(&ledger)?;
        let complete =
            |rows: &[RequestRow]| rows.len() == requests.len() && rows.iter().all(|row| row.state == "COMPLETE");
        let rows = self.operator.wait_requests(limit, complete).await?;
        books.check(&self.devnet, &self.operator, requests).await?;
        Ok(rows)
    }

    /// Checks that no transaction of the workers has reverted.
    ///
    /// # Errors
    /// When one has.
    pub async fn nothing_reverted(&self) -> Result<()> {
        let workers = [&self.operator.origin_workers, &self.operator.auxiliary_workers];
        for (node, workers) in [&self.devnet.origin, &self.devnet.auxiliary].into_iter().zip(workers) {
            let spent = verify::spent(node, workers, 0).await?;
            ensure!(spent.reverted == 0, "transactions reverted on chain {}: {spent:?}", node.chain_id);
        }
        Ok(())
    }

    /// Kills the daemon in the middle of everything, several times over, and starts it again each time.
    ///
    /// # Errors
    /// When a child outlives it, or it does not start again.
    pub async fn kill_and_start(&self, mut daemon: Daemon) -> Result<Daemon> {
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let children = daemon.kill().await?;
            ensure!(process::all_gone(&children, Duration::from_secs(1)).await, "a child outlived its killed parent");
            daemon = self.operator.start().await?;
        }
        Ok(daemon)
    }

    /// Waits until all requests have both legs done, then checks that they ended as they must.
    ///
    /// # Errors
    /// When they don't within `limit`, with the end of the daemon's log.
    pub async fn finish(&self, daemon: &Daemon, requests: &[Request], limit: Duration) -> Result<Ledger> {
        if let Err(error) = verify::wait_finished(&self.devnet, requests, limit).await {
            let status = self.operator.status().await.map(|status| format!("{status:#}"));
            let status = status.unwrap_or_else(|error| format!("no status: {error:#}"));
            return Err(error.context(format!("{}\n{status}", daemon.log_tail())));
        }
        verify::finished(&self.devnet, requests).await
    }
}
