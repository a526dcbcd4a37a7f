//! The facilitator config: endpoints, workers, key stores, database and settings of one chain pair.
//!
//! This file is the model and what holds whatever the shape of the file; `facilitator/shapes.rs` reads the two shapes.

mod prices;
mod shapes;

use crate::{
    ChainRef, ChainSettings, ConfigError, Endpoint, Error, HeartbeatSettings, Home, HunterSettings, MetricsSettings,
    MonitorSettings, Names, Secret, Settings, json,
};
use facilitator_eth::Address;
pub use prices::{ChainPrices, Prices};
use serde_json::Value;
pub(crate) use shapes::check_database_url;
use shapes::{Draft, DraftChain};
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// A checked facilitator config of one chain pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Facilitator {
    /// The file it was read from.
    pub file: PathBuf,
    /// What stands in it.
    pub source: Source,
    /// The origin chain.
    pub origin: Chain,
    /// The auxiliary chain.
    pub auxiliary: Chain,
    /// The database.
    pub db: Db,
    /// The key store of every worker (and maybe of accounts that are not in use).
    pub encrypted_accounts: BTreeMap<Address, KeyStore>,
    /// The hash-lock key (law 3), encrypted under the first origin worker's password. Configurations of earlier
    /// facilitators have none.
    pub encrypted_hash_lock_key: Option<KeyStore>,
    /// What coins and tokens are worth; without it the par values of gas price and gas limit rule.
    pub prices: Option<Prices>,
    /// Optional settings of the top level.
    pub settings: Settings,
    /// Optional settings of the object `hunter`.
    pub hunter: HunterSettings,
    /// Optional settings of the object `metrics`.
    pub metrics: MetricsSettings,
    /// Optional settings of the object `heartbeat`.
    pub heartbeat: HeartbeatSettings,
    /// Optional settings of the monitor.
    pub monitor: MonitorSettings,
}

/// A file's object as it was read, for comparisons with what it says later. Secrets may stand in it: not for logs.
#[derive(Clone, PartialEq)]
pub struct Source(Value);

impl Source {
    /// The JSON object.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[configuration]")
    }
}

/// One chain of the pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its id.
    pub chain_id: u64,
    /// Its nodes, at least one.
    pub rpc: Vec<Endpoint>,
    /// The accounts that send transactions there, at least one; each has a key store.
    pub workers: Vec<Address>,
    /// Its optional settings.
    pub settings: ChainSettings,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Db {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A database server.
    Url {
        /// `postgres://…`; may hold credentials.
        url: Secret,
        /// User name, if not in the URL.
        username: Option<String>,
        /// Password, if not in the URL.
        password: Option<Secret>,
    },
}

/// A Web3 secret storage object, version 3, as it stands in the file. Encrypted, yet not for logs.
#[derive(Clone, PartialEq)]
pub struct KeyStore(pub(crate) Value);

impl KeyStore {
    /// The JSON object.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key store]")
    }
}

/// What is known beside the file when a facilitator config is read.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Where default files are, and the meaning of `~`.
    pub home: &'a Home,
    /// Chain ids of names.
    pub names: &'a Names,
    /// The auxiliary chain asked for. A file that says another one is refused.
    pub auxiliary_chain_id: Option<u64>,
    /// The origin chain by the mosaic config. A file that says another one is refused.
    pub origin_chain_id: Option<u64>,
}

impl Facilitator {
    /// Reads and checks `file`.
    ///
    /// # Errors
    /// [`Error::Config`] with the field; [`Error::UnknownChainName`] when a node has to be asked for a chain id.
    pub fn read(file: &Path, context: Context<'_>) -> Result<Self, Error> {
        Self::from_value(file, &json::read(file)?, context)
    }

    pub(crate) fn from_value(file: &Path, value: &Value, context: Context<'_>) -> Result<Self, Error> {
        let draft = shapes::read(file, value, context.home)?;
        assemble(file, Source(value.clone()), draft, context)
    }

    /// The chain of the pair with this id.
    #[must_use]
    pub fn chain(&self, chain_id: u64) -> Option<&Chain> {
        [&self.origin, &self.auxiliary].into_iter().find(|chain| chain.chain_id == chain_id)
    }

    /// The workers of both chains, each once, origin first.
    #[must_use]
    pub fn workers(&self) -> Vec<Address> {
        let mut workers = self.origin.workers.clone();
        workers.extend(self.auxiliary.workers.iter().filter(|worker| !self.origin.workers.contains(worker)));
        workers
    }
}

fn assemble(file: &Path, source: Source, draft: Draft, context: Context<'_>) -> Result<Facilitator, Error> {
    let said = said(file, &draft, context)?;
    let mut chains = by_id(file, draft.chains, context.names)?;
    let (origin, auxiliary) = pair(file, &said, &chains)?;
    let missing = |id: u64| ConfigError::new(file, format!("chains.{id}"), "missing");
    let mut take = |id: u64| chains.remove(&id).ok_or_else(|| missing(id));
    let prices = draft.prices.map(|draft| prices::of_pair(file, draft, origin, auxiliary)).transpose()?;
    if draft.hunter.enabled && prices.is_none() {
        let message = "needs `prices`: without them nothing says whether finishing a message pays; name the prices of \
            the coins and of the tokens that bounties and rewards are paid in, or set it to false";
        return Err(ConfigError::new(file, "hunter.enabled", message).into());
    }
    let (origin, auxiliary) = (take(origin)?, take(auxiliary)?);
    for chain in [&origin, &auxiliary] {
        check_workers(file, chain, &draft.accounts)?;
    }
    let db = draft.db.unwrap_or_else(|| Db::Sqlite(context.home.database(auxiliary.chain.chain_id)));
    Ok(Facilitator {
        file: file.to_owned(),
        source,
        origin: origin.chain,
        auxiliary: auxiliary.chain,
        db,
        encrypted_accounts: draft.accounts,
        encrypted_hash_lock_key: draft.hash_lock_key,
        prices,
        settings: draft.settings,
        hunter: draft.hunter,
        metrics: draft.metrics,
        heartbeat: draft.heartbeat,
        monitor: draft.monitor,
    })
}

/// The chain ids of the pair as far as file and context tell, with the fields for errors.
struct Said {
    origin: (String, Option<u64>),
    auxiliary: (String, Option<u64>),
}

fn said(file: &Path, draft: &Draft, context: Context<'_>) -> Result<Said, Error> {
    // The entry of `chains` goes first: it has the endpoints to ask when the origin's name is unknown.
    for chain in &draft.chains {
        resolve(file, &chain.path, &chain.chain, &chain.rpc, context.names)?;
    }
    let origin = match &draft.origin {
        Some((path, chain)) => (path.clone(), Some(resolve(file, path, chain, &[], context.names)?)),
        None => ("origin_chain_id".to_owned(), None),
    };
    let auxiliary = match &draft.auxiliary {
        Some((path, id)) => (path.clone(), Some(*id)),
        None => ("auxiliary_chain_id".to_owned(), None),
    };
    let merge = |(field, said): (String, Option<u64>), wanted: Option<u64>, by: &str| match (said, wanted) {
        (Some(said), Some(wanted)) if said != wanted => {
            Err(ConfigError::new(file, field, format!("is {said}, but {by} {wanted}")))
        }
        (said, wanted) => Ok((field, said.or(wanted))),
    };
    Ok(Said {
        origin: merge(origin, context.origin_chain_id, "the mosaic config has")?,
        auxiliary: merge(auxiliary, context.auxiliary_chain_id, "asked for was")?,
    })
}

/// Origin and auxiliary chain id. With two chains, knowing one tells the other.
fn pair(file: &Path, said: &Said, chains: &BTreeMap<u64, Placed>) -> Result<(u64, u64), ConfigError> {
    let other = |known: Option<u64>| {
        let mut rest = chains.keys().copied().filter(|id| Some(*id) != known);
        known.and(rest.next()).filter(|_| chains.len() == 2 && rest.next().is_none())
    };
    let find = |(field, id): &(String, Option<u64>), partner: Option<u64>| {
        let message = "missing: say which of the chains it is, or give --chain-id";
        id.or_else(|| other(partner)).ok_or_else(|| ConfigError::new(file, field.as_str(), message))
    };
    let origin = find(&said.origin, said.auxiliary.1)?;
    let auxiliary = find(&said.auxiliary, Some(origin))?;
    if origin == auxiliary {
        let message = format!("must be another chain than the origin chain {origin}");
        return Err(ConfigError::new(file, said.auxiliary.0.as_str(), message));
    }
    Ok((origin, auxiliary))
}

/// A chain with its paths in the file, for errors found later.
struct Placed {
    chain: Chain,
    worker_paths: Vec<String>,
}

fn by_id(file: &Path, drafts: Vec<DraftChain>, names: &Names) -> Result<BTreeMap<u64, Placed>, Error> {
    let mut chains: BTreeMap<u64, Placed> = BTreeMap::new();
    for draft in drafts {
        let chain_id = resolve(file, &draft.path, &draft.chain, &draft.rpc, names)?;
        if chains.contains_key(&chain_id) {
            let message = format!("is chain {chain_id}, which stands there already: remove one");
            return Err(ConfigError::new(file, draft.path, message).into());
        }
        if let Some(minimum) =
            draft.settings.minimum_connections.map(|minimum| usize::try_from(minimum).unwrap_or(usize::MAX))
            && minimum > draft.rpc.len()
        {
            let message = format!("must not be above the number of endpoints in `rpc`, {}", draft.rpc.len());
            return Err(ConfigError::new(file, format!("{}.minimum_connections", draft.path), message).into());
        }
        let (workers, worker_paths) = draft.workers.into_iter().unzip();
        let chain = Chain { chain_id, rpc: draft.rpc, workers, settings: draft.settings };
        chains.insert(chain_id, Placed { chain, worker_paths });
    }
    Ok(chains)
}

fn resolve(file: &Path, path: &str, chain: &ChainRef, endpoints: &[Endpoint], names: &Names) -> Result<u64, Error> {
    names.id(chain).ok_or_else(|| Error::UnknownChainName {
        file: file.to_owned(),
        path: path.to_owned(),
        name: chain.to_string(),
        endpoints: endpoints.to_vec(),
    })
}

fn check_workers(file: &Path, placed: &Placed, accounts: &BTreeMap<Address, KeyStore>) -> Result<(), ConfigError> {
    for (worker, path) in placed.chain.workers.iter().zip(&placed.worker_paths) {
        if !accounts.contains_key(worker) {
            let message = format!("{worker} has no key store among the encrypted accounts");
            return Err(ConfigError::new(file, path.as_str(), message));
        }
    }
    Ok(())
}
