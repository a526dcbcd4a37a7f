//! Everything that a monitor works by, and the manager made of it.

use crate::{
    Manager, Monitor, Persistence, Receiver,
    chains::Endpoints,
    manager::Rules,
    monitors::{FacilitatorMonitor, GatewayMonitor, MessageMonitor, RedeemMonitor, StakeMonitor, SupplyMonitor},
    persistence::{Database, File},
    receivers::{BadDsn, BadUrl, Client, Discord, Log, Sentry, Webhook},
};
use bincode::{Decode, Encode};
use facilitator_chain::rpc::{RpcError, RpcOptions};
use facilitator_eth::{Address, U256};
use facilitator_protocol::{gateway::GatewaySet, model::Side};
use facilitator_store::Store;
use std::{fmt, path::Path, time::Duration};
use zeroize::Zeroize;

/// Which networks are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Environment {
    /// The origin chain is chain 1.
    Mainnet,
    /// It is not.
    Testnet,
}

impl Environment {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Testnet => "testnet",
        }
    }

    /// Whether it may have this origin chain.
    #[must_use]
    pub const fn has(self, origin_chain_id: u64) -> bool {
        match self {
            Self::Mainnet => origin_chain_id == 1,
            Self::Testnet => origin_chain_id != 1,
        }
    }
}

/// A text that is not shown: a URL with credentials, or a key. Overwritten when dropped.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// One chain.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChainSetup {
    /// Its id.
    pub chain_id: u64,
    /// Its nodes; the first that answers is asked.
    pub rpc: Vec<Hidden>,
    /// Blocks that must stand on a declaration before anybody confirms it.
    pub confirmations: u64,
    /// Keys of the own facilitator.
    pub workers: Vec<Address>,
    /// Most blocks asked for at once.
    pub max_log_range: u64,
    /// Milliseconds after which a call is given up.
    pub rpc_timeout_ms: u64,
    /// Most calls in one HTTP request.
    pub max_batch: u64,
}

/// What is too much, too late or too little. Ages and depths are in blocks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Limits {
    /// A stake of more than this is large.
    pub large_stake: U256,
    /// A redeem of more than this is large.
    pub large_redeem: U256,
    /// Looked at again before the checkpoint.
    pub reorg_depth: u64,
    /// A request should be accepted by then.
    pub unaccepted: u64,
    /// A message should be finished by then.
    pub unfinished: u64,
    /// A redeem should have got further than declared by then.
    pub stale_redeem: u64,
    /// A chain should have a root anchored by then.
    pub stale_root: u64,
    /// In which a change of supply is measured.
    pub supply_span: u64,
    /// A change of supply that is too much.
    pub supply_change_percent: u32,
    /// A worker key should have more coin, in wei.
    pub low_balance: U256,
    /// A facilitator should have shown life by then, in milliseconds.
    pub silence_ms: u64,
}

/// Who is told, beside the log.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReceiverSetup {
    /// The webhook of a Discord channel.
    pub discord_webhook_url: Option<Hidden>,
    /// A Sentry project.
    pub sentry_dsn: Option<Hidden>,
    /// Any other program.
    pub webhook_url: Option<Hidden>,
    /// The key under which it is signed to.
    pub webhook_secret: Option<Hidden>,
    /// Milliseconds after which an answer is given up.
    pub timeout_ms: u64,
}

/// Everything that a monitor works by.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Setup {
    /// Which networks.
    pub environment: Environment,
    /// The chain of the value token.
    pub origin: ChainSetup,
    /// The chain of the utility token.
    pub auxiliary: ChainSetup,
    /// The gateways; of each only the configured addresses need to be known.
    pub gateways: Vec<GatewaySet>,
    /// What is too much.
    pub limits: Limits,
    /// Who is told.
    pub receivers: ReceiverSetup,
    /// Folder for a file of its own instead of the database.
    pub data_dir: Option<String>,
    /// The checkpoint of a chain that has none.
    pub from_block: Option<u64>,
    /// Pause between two runs, milliseconds.
    pub interval_ms: u64,
}

/// Why there is no monitor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The environment and the chain contradict each other.
    #[error("network mismatch: environment is {environment}, but the origin chain is {chain}")]
    Mismatch {
        /// The environment.
        environment: &'static str,
        /// The origin chain.
        chain: u64,
    },
    /// A node's URL.
    #[error("{side} chain: {error}")]
    Node {
        /// Which chain.
        side: Side,
        /// What is wrong.
        error: RpcError,
    },
    /// A receiver's URL.
    #[error("{name}: {error}")]
    Url {
        /// Which receiver's.
        name: &'static str,
        /// What is wrong.
        error: BadUrl,
    },
    /// The DSN.
    #[error("SENTRY_DSN: {0}")]
    Dsn(#[from] BadDsn),
    /// There is neither a folder nor a database.
    #[error("there is neither a database nor a folder to keep what was done: set DATA_DIR_PATH")]
    Homeless,
}

impl Setup {
    /// Whether a manager can be made of it.
    ///
    /// # Errors
    /// [`SetupError`]; nobody has been asked or told anything.
    pub fn check(&self) -> Result<(), SetupError> {
        let environment = self.environment;
        if !environment.has(self.origin.chain_id) {
            return Err(SetupError::Mismatch { environment: environment.as_str(), chain: self.origin.chain_id });
        }
        self.endpoints().map(drop)?;
        self.receivers.receivers(environment.as_str()).map(drop)
    }

    fn endpoints(&self) -> Result<[Endpoints; 2], SetupError> {
        Ok([endpoints(Side::Origin, &self.origin)?, endpoints(Side::Auxiliary, &self.auxiliary)?])
    }

    /// The manager. `store` is the facilitator's database, `owner` names this process.
    ///
    /// # Errors
    /// [`SetupError`]; nobody has been asked or told anything.
    pub fn manager(&self, store: Option<Store>, owner: String) -> Result<Manager, SetupError> {
        self.check()?;
        let receivers = self.receivers.receivers(self.environment.as_str())?;
        let monitors = self.monitors(store.as_ref());
        let persistence: Box<dyn Persistence> = match (&self.data_dir, store) {
            (Some(folder), _) => Box::new(File::new(Path::new(folder))),
            (None, Some(store)) => Box::new(Database::new(store, owner)),
            (None, None) => return Err(SetupError::Homeless),
        };
        let limits = &self.limits;
        let ages = [limits.unaccepted, limits.unfinished, limits.stale_redeem];
        let rules = Rules {
            depth: limits.reorg_depth,
            look_back: ages.into_iter().max().unwrap_or(0),
            from_block: self.from_block,
        };
        Ok(Manager::new(self.endpoints()?, self.gateways.clone(), rules, monitors, receivers, persistence))
    }

    fn monitors(&self, store: Option<&Store>) -> Vec<Box<dyn Monitor>> {
        let limits = &self.limits;
        vec![
            Box::new(StakeMonitor { large: limits.large_stake, unaccepted: limits.unaccepted }),
            Box::new(RedeemMonitor {
                large: limits.large_redeem,
                unaccepted: limits.unaccepted,
                stale: limits.stale_redeem,
            }),
            Box::new(MessageMonitor {
                unfinished: limits.unfinished,
                confirmations: [self.origin.confirmations, self.auxiliary.confirmations],
                store: store.cloned(),
            }),
            Box::new(GatewayMonitor { stale_root: limits.stale_root }),
            Box::new(SupplyMonitor { span: limits.supply_span, percent: limits.supply_change_percent }),
            Box::new(FacilitatorMonitor {
                store: store.cloned(),
                workers: [self.origin.workers.clone(), self.auxiliary.workers.clone()],
                low_balance: limits.low_balance,
                silence_ms: limits.silence_ms,
            }),
        ]
    }

    /// Pause between two runs.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }
}

impl ReceiverSetup {
    fn receivers(&self, environment: &'static str) -> Result<Vec<Box<dyn Receiver>>, SetupError> {
        let timeout = Duration::from_millis(self.timeout_ms);
        let client = |name, url: &Hidden| Client::new(&url.0, timeout).map_err(|error| SetupError::Url { name, error });
        let mut receivers: Vec<Box<dyn Receiver>> = vec![Box::new(Log)];
        if let Some(url) = &self.discord_webhook_url {
            receivers.push(Box::new(Discord::new(client("DISCORD_WEBHOOK_URL", url)?)));
        }
        if let Some(dsn) = &self.sentry_dsn {
            receivers.push(Box::new(Sentry::new(&dsn.0, environment, timeout)?));
        }
        if let Some(url) = &self.webhook_url {
            let secret = self.webhook_secret.as_ref().map(|secret| secret.0.clone());
            receivers.push(Box::new(Webhook::new(client("WEBHOOK_URL", url)?, secret, environment)));
        }
        Ok(receivers)
    }
}

fn endpoints(side: Side, chain: &ChainSetup) -> Result<Endpoints, SetupError> {
    let options = RpcOptions {
        timeout: Duration::from_millis(chain.rpc_timeout_ms),
        max_batch: usize::try_from(chain.max_batch).unwrap_or(usize::MAX),
        ..RpcOptions::default()
    };
    let urls: Vec<String> = chain.rpc.iter().map(|url| url.0.clone()).collect();
    let made = Endpoints::new(side, chain.chain_id, &urls, &options, chain.max_log_range);
    made.map_err(|error| SetupError::Node { side, error })
}
