//! The two shapes of the facilitator config, read into one draft: the source ticket's and the published one
//! (protocol.md §8.3). Optional settings go by the same keys in both.

use super::{Db, KeyStore, prices};
use crate::{
    ChainRef, ChainSettings, ConfigError, Endpoint, HeartbeatSettings, Home, HunterSettings, MetricsSettings,
    MonitorSettings, Secret, Settings, chain_key,
    node::{Fields, Node},
};
use facilitator_eth::Address;
use serde_json::Value;
use std::{collections::BTreeMap, path::Path};

const MAX_CHAINS: usize = 100;
const MAX_ENDPOINTS: usize = 32;
const MAX_WORKERS: usize = 100;
const MAX_ACCOUNTS: usize = 1000;
const VERSION: u64 = 1;
const HASH_LOCK_KEY: &str = "encrypted_hash_lock_key";
const PRICES: &str = "prices";
const HUNTER: &str = "hunter";
const METRICS: &str = "metrics";
const HEARTBEAT: &str = "heartbeat";
const MONITOR: &str = "monitor";
const PUBLISHED: &[&str] = &[
    "originChain",
    "auxChainId",
    "database",
    "chains",
    "encryptedAccounts",
    HASH_LOCK_KEY,
    PRICES,
    HUNTER,
    METRICS,
    HEARTBEAT,
    MONITOR,
];
const TICKET: &[&str] = &[
    "version",
    "origin_chain_id",
    "auxiliary_chain_id",
    "db",
    "chains",
    "encrypted_accounts",
    HASH_LOCK_KEY,
    PRICES,
    HUNTER,
    METRICS,
    HEARTBEAT,
    MONITOR,
];

/// What a file says, before the pair is known. Texts are paths of fields.
pub(super) struct Draft {
    pub(super) origin: Option<(String, ChainRef)>,
    pub(super) auxiliary: Option<(String, u64)>,
    pub(super) db: Option<Db>,
    pub(super) chains: Vec<DraftChain>,
    pub(super) accounts: BTreeMap<Address, KeyStore>,
    pub(super) hash_lock_key: Option<KeyStore>,
    pub(super) prices: Option<prices::Draft>,
    pub(super) settings: Settings,
    pub(super) hunter: HunterSettings,
    pub(super) metrics: MetricsSettings,
    pub(super) heartbeat: HeartbeatSettings,
    pub(super) monitor: MonitorSettings,
}

/// An entry of `chains`.
pub(super) struct DraftChain {
    pub(super) path: String,
    pub(super) chain: ChainRef,
    pub(super) rpc: Vec<Endpoint>,
    pub(super) workers: Vec<(Address, String)>,
    pub(super) settings: ChainSettings,
}

pub(super) fn read(file: &Path, value: &Value, home: &Home) -> Result<Draft, ConfigError> {
    let root = Node::root(file, value);
    let marks = ["originChain", "auxChainId", "database", "encryptedAccounts"];
    if marks.iter().any(|mark| value.get(mark).is_some()) { published(&root, home) } else { ticket(&root, home) }
}

fn ticket(root: &Node<'_>, home: &Home) -> Result<Draft, ConfigError> {
    let fields = root.fields(&[TICKET, Settings::KEYS])?;
    if let Some(version) = fields.optional(&["version"])?
        && version.value.as_u64() != Some(VERSION)
    {
        return Err(version.error(format!("must be {VERSION}: another version of the facilitator wrote this file")));
    }
    let id = |key| -> Result<Option<(String, u64)>, ConfigError> {
        let node = fields.optional(&[key])?;
        node.map(|node| chain_key::number(&node).map(|id| (node.path, id))).transpose()
    };
    let chain = |key: &str, node: &Node<'_>| {
        let own = node.fields(&[&["rpc", "workers"], ChainSettings::KEYS])?;
        let id = ChainRef::Id(chain_key::digits(node, key)?);
        draft_chain(node, id, &own, "rpc", own.required(&["workers"])?.items(MAX_WORKERS)?)
    };
    Ok(Draft {
        origin: id("origin_chain_id")?.map(|(path, id)| (path, ChainRef::Id(id))),
        auxiliary: id("auxiliary_chain_id")?,
        db: fields.optional(&["db"])?.map(|node| database(&node, home)).transpose()?,
        chains: chains(&fields, chain)?,
        accounts: accounts(&fields.required(&["encrypted_accounts"])?)?,
        hash_lock_key: hash_lock_key(&fields)?,
        prices: fields.optional(&[PRICES])?.map(|node| prices::read(&node)).transpose()?,
        settings: Settings::read(&fields)?,
        hunter: hunter(&fields)?,
        metrics: metrics(&fields)?,
        heartbeat: heartbeat(&fields)?,
        monitor: monitor(&fields)?,
    })
}

fn published(root: &Node<'_>, home: &Home) -> Result<Draft, ConfigError> {
    let fields = root.fields(&[PUBLISHED, Settings::KEYS])?;
    let place = fields.required(&["originChain"])?;
    let origin = chain_key::id_or_name(&place, place.text()?)?;
    let auxiliary = fields.optional(&["auxChainId"])?;
    let database = fields.required(&["database"])?;
    let path = database.fields(&[&["path"]])?.required(&["path"])?;
    let chain = |key: &str, node: &Node<'_>| {
        let own = node.fields(&[&["worker", "nodeRpc", "subGraphWs", "subGraphRpc"], ChainSettings::KEYS])?;
        for unused in ["subGraphWs", "subGraphRpc"] {
            // Events come from the node itself; the graph nodes of the earlier facilitator are not asked.
            own.optional(&[unused])?.map(|node| node.text()).transpose()?;
        }
        draft_chain(node, chain_key::id_or_name(node, key)?, &own, "nodeRpc", vec![own.required(&["worker"])?])
    };
    Ok(Draft {
        origin: Some((place.path, origin)),
        auxiliary: auxiliary.map(|node| chain_key::number(&node).map(|id| (node.path, id))).transpose()?,
        db: Some(sqlite(&path, home)?),
        chains: chains(&fields, chain)?,
        accounts: accounts(&fields.required(&["encryptedAccounts"])?)?,
        hash_lock_key: hash_lock_key(&fields)?,
        prices: fields.optional(&[PRICES])?.map(|node| prices::read(&node)).transpose()?,
        settings: Settings::read(&fields)?,
        hunter: hunter(&fields)?,
        metrics: metrics(&fields)?,
        heartbeat: heartbeat(&fields)?,
        monitor: monitor(&fields)?,
    })
}

fn heartbeat(fields: &Fields<'_>) -> Result<HeartbeatSettings, ConfigError> {
    let node = fields.optional(&[HEARTBEAT])?;
    node.map_or_else(|| Ok(HeartbeatSettings::default()), |node| HeartbeatSettings::read(&node))
}

fn hunter(fields: &Fields<'_>) -> Result<HunterSettings, ConfigError> {
    fields.optional(&[HUNTER])?.map_or_else(|| Ok(HunterSettings::default()), |node| HunterSettings::read(&node))
}

fn chains<'a>(
    fields: &Fields<'a>,
    read: impl Fn(&str, &Node<'a>) -> Result<DraftChain, ConfigError>,
) -> Result<Vec<DraftChain>, ConfigError> {
    let entries = fields.required(&["chains"])?.entries(MAX_CHAINS)?;
    entries.iter().map(|(key, node)| read(key, node)).collect()
}

fn draft_chain(
    node: &Node<'_>,
    chain: ChainRef,
    fields: &Fields<'_>,
    rpc: &'static str,
    workers: Vec<Node<'_>>,
) -> Result<DraftChain, ConfigError> {
    let mut seen: Vec<(Address, String)> = Vec::new();
    for place in workers {
        let worker = place.address()?;
        if seen.iter().any(|(other, _)| *other == worker) {
            return Err(place.error(format!("{worker} stands twice: remove one")));
        }
        seen.push((worker, place.path));
    }
    let rpc = match fields.optional(&[rpc])? {
        Some(place) => endpoints(&place)?,
        None => vec![Endpoint::localhost()],
    };
    Ok(DraftChain { path: node.path.clone(), chain, rpc, workers: seen, settings: ChainSettings::read(fields)? })
}

fn endpoints(place: &Node<'_>) -> Result<Vec<Endpoint>, ConfigError> {
    let mut endpoints = Vec::new();
    for item in place.one_or_many(MAX_ENDPOINTS)? {
        let endpoint = item.endpoint()?;
        if endpoints.contains(&endpoint) {
            return Err(item.error("stands twice: remove one"));
        }
        endpoints.push(endpoint);
    }
    Ok(endpoints)
}

fn database(node: &Node<'_>, home: &Home) -> Result<Db, ConfigError> {
    let fields = node.fields(&[&["db_path", "url", "username", "password"]])?;
    let Some(url) = fields.optional(&["url"])? else {
        if let Some(stray) = fields.optional(&["username"])?.or(fields.optional(&["password"])?) {
            return Err(stray.error("needs url: an SQLite file has no users"));
        }
        let path = fields.required(&["db_path"])?;
        return sqlite(&path, home);
    };
    if let Some(path) = fields.optional(&["db_path"])? {
        return Err(path.error("stands beside url: give one of them"));
    }
    check_database_url(url.text()?).map_err(|message| url.error(message))?;
    let text = |key| fields.optional(&[key])?.map(|node| node.text().map(str::to_owned)).transpose();
    Ok(Db::Url { url: url.text()?.into(), username: text("username")?, password: text("password")?.map(Secret::new) })
}

/// The file of an SQLite database. A URL in its place would become the name of a file, credentials included.
fn sqlite(path: &Node<'_>, home: &Home) -> Result<Db, ConfigError> {
    let text = path.text()?;
    if text.contains("://") {
        return Err(path.error("must be the path of a file, not a URL: a database server goes into db.url"));
    }
    Ok(Db::Sqlite(home.resolve(path.file, text)))
}

/// Whether `url` is one of a database server that is known.
pub(crate) fn check_database_url(url: &str) -> Result<(), String> {
    let known =
        ["postgres://", "postgresql://"].iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme));
    if known { Ok(()) } else { Err("must begin with postgres:// or postgresql://".to_owned()) }
}

fn accounts(node: &Node<'_>) -> Result<BTreeMap<Address, KeyStore>, ConfigError> {
    let mut accounts = BTreeMap::new();
    for (key, place) in node.entries(MAX_ACCOUNTS)? {
        let address: Address = key.parse().map_err(|error| place.error(format!("as an address, the key {error}")))?;
        let store = key_store(&place)?;
        if let Some(inner) = store.0.get("address") {
            let same = inner.as_str().is_some_and(|text| strip(text) == strip(&address.to_lower_hex()));
            if !same {
                return Err(place.error_at("address", format!("must be {address}, as the key of this entry")));
            }
        }
        if accounts.insert(address, store).is_some() {
            return Err(place.error("stands twice in different case: remove one"));
        }
    }
    Ok(accounts)
}

fn strip(address: &str) -> String {
    let lower = address.to_ascii_lowercase();
    lower.strip_prefix("0x").map_or(lower.clone(), str::to_owned)
}

fn metrics(fields: &Fields<'_>) -> Result<MetricsSettings, ConfigError> {
    fields.optional(&[METRICS])?.map_or_else(|| Ok(MetricsSettings::default()), |node| MetricsSettings::read(&node))
}

fn monitor(fields: &Fields<'_>) -> Result<MonitorSettings, ConfigError> {
    let Some(node) = fields.optional(&[MONITOR])? else { return Ok(MonitorSettings::default()) };
    MonitorSettings::read(&node.fields(&[MonitorSettings::KEYS])?)
}

fn hash_lock_key(fields: &Fields<'_>) -> Result<Option<KeyStore>, ConfigError> {
    fields.optional(&[HASH_LOCK_KEY])?.map(|node| key_store(&node)).transpose()
}

/// Checks the outline of a key store; whether it opens is found when it is unlocked. Wallets add keys of their own.
fn key_store(node: &Node<'_>) -> Result<KeyStore, ConfigError> {
    let value = node.any_object()?;
    if value.get("version").and_then(Value::as_u64) != Some(3) {
        return Err(node.error_at("version", "must be 3: a Web3 secret storage object"));
    }
    if !["crypto", "Crypto"].iter().any(|key| value.get(key).is_some_and(Value::is_object)) {
        return Err(node.error_at("crypto", "missing: a Web3 secret storage object has it"));
    }
    Ok(KeyStore(value.clone()))
}
