//! SIGHUP: the configuration is read again, and compared with what the facilitator works by, key by key.
//!
//! Each file is read once: what is compared is what was checked and is taken over. `config/README.md` has the list of what
//! counts at once, compared with this by a test.

use super::super::{Logging, context};
use super::setup;
use facilitator_config::{Error, GatewayAddresses, Home, Loaded, Names, Scope, Selection, load, table};
use facilitator_eth::Address;
use facilitator_roles::parent::{Change, Fate, Reread, Rereader, Tunable};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Keys of the top level that count at once.
const SAFE: [&str; 13] = [
    "funds_safety_percent",
    "max_bounty",
    "max_workers",
    "min_gas_limit",
    "min_gas_price",
    "min_profit",
    "quarantine_retry_s",
    "restart_base_ms",
    "restart_limit",
    "restart_max_ms",
    "restart_window_s",
    "shutdown_timeout_s",
    "worker_timeout_s",
];

/// Why gateways stay as they are.
const GATEWAYS: &str = "gateways are checked at the start";

/// Objects of which everything counts at once.
const SAFE_OBJECTS: [&str; 2] = ["hunter.", "prices."];

/// A configuration, leaf by leaf.
type Leaves = BTreeMap<String, Value>;

/// Who reads the configuration again when the parent is asked to.
pub(super) fn rereader(selection: Selection, home: Home, loaded: &Loaded, logging: Logging) -> Rereader {
    let mut known = leaves_of(loaded);
    let pair = context::pair(loaded);
    Box::new(move || {
        let loaded = read(&selection, &home, (pair.origin_chain_id, pair.auxiliary_chain_id))?;
        let found = leaves_of(&loaded);
        let changes = compare(&known, &found, logging.decided_by());
        for change in changes.iter().filter(|change| change.fate == Fate::Applied) {
            // What waits for the next start is a difference until then.
            match found.get(&change.key) {
                Some(value) => known.insert(change.key.clone(), value.clone()),
                None => known.remove(&change.key),
            };
        }
        Ok(Reread { changes, tunable: tunable(&loaded, &logging) })
    })
}

/// Chains that the configuration knows by name alone are still those that were found at the start.
fn read(selection: &Selection, home: &Home, pair: (u64, u64)) -> Result<Loaded, String> {
    let mut names = Names::default();
    for id in [pair.0, pair.1] {
        match load(selection, home, &names) {
            Err(Error::UnknownChainName { name, .. }) => names.learn(&name, id),
            Err(error) => return Err(error.to_string()),
            Ok(loaded) => {
                let found = context::pair(&loaded);
                let same = (found.origin_chain_id, found.auxiliary_chain_id) == pair;
                return if same { Ok(loaded) } else { Err(format!("it is of another chain pair, {found}")) };
            }
        }
    }
    load(selection, home, &names).map_err(|error| error.to_string())
}

fn tunable(loaded: &Loaded, logging: &Logging) -> Tunable {
    let settings = &loaded.facilitator.settings;
    Tunable {
        log_filter: logging.filter(settings.log_level.as_str()),
        policy: setup::policy(loaded),
        hunter: setup::hunter(loaded),
        max_workers: usize::try_from(settings.max_workers).unwrap_or(usize::MAX),
        worker_timeout: settings.worker_timeout,
        shutdown_timeout: settings.shutdown_timeout,
        restart: setup::restart(loaded),
        monitor_interval_ms: setup::millis(loaded.facilitator.monitor.interval),
    }
}

/// The facilitator config as it stands in its file, and the contracts that the mosaic and gateway configs come to.
fn leaves_of(loaded: &Loaded) -> Leaves {
    let mut leaves = Leaves::new();
    spread("", loaded.facilitator.source.json(), &mut leaves);
    for (place, gateway) in loaded.gateways.iter().enumerate() {
        for (name, address) in contracts(gateway) {
            if let Some(address) = address {
                leaves.insert(format!("{CONTRACTS}{place}].{name}"), address.to_string().into());
            }
        }
    }
    leaves
}

/// How the keys of contracts begin: the gateway of the mosaic config is the first, those of `gateway_configs` follow.
const CONTRACTS: &str = "contracts[";

fn contracts(of: &GatewayAddresses) -> [(&'static str, Option<Address>); 11] {
    // Named one by one: what is added to them is to be thought about here.
    let GatewayAddresses {
        composer,
        gateway,
        anchor,
        base_token,
        value_token,
        gateway_organization,
        cogateway,
        co_anchor,
        utility_token,
        redeem_pool,
        cogateway_organization,
    } = *of;
    [
        ("composer", composer),
        ("gateway", Some(gateway)),
        ("anchor", Some(anchor)),
        ("base_token", Some(base_token)),
        ("value_token", value_token),
        ("gateway_organization", gateway_organization),
        ("cogateway", Some(cogateway)),
        ("co_anchor", Some(co_anchor)),
        ("utility_token", Some(utility_token)),
        ("redeem_pool", redeem_pool),
        ("cogateway_organization", cogateway_organization),
    ]
}

/// Lists count as one.
fn spread(path: &str, value: &Value, leaves: &mut Leaves) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                spread(&path, value, leaves);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            leaves.insert(path.to_owned(), value.clone());
        }
    }
}

/// Every difference, and what becomes of it. `decided_by` is what wins over `log_level`, if anything does.
fn compare(known: &Leaves, found: &Leaves, decided_by: Option<&'static str>) -> Vec<Change> {
    let keys: BTreeSet<&String> = known.keys().chain(found.keys()).collect();
    let differ = keys.into_iter().filter(|key| known.get(*key) != found.get(*key));
    let change = |key: &String| Change {
        key: key.clone(),
        text: difference(key, known.get(key), found.get(key)),
        fate: fate(key, decided_by),
    };
    differ.map(change).collect()
}

fn fate(key: &str, decided_by: Option<&'static str>) -> Fate {
    let why = match key {
        "log_level" => match decided_by {
            None => return Fate::Applied,
            Some(winner) => winner,
        },
        "monitor.interval_s" => return Fate::Applied,
        "hunter.enabled" => "what a hunter has queued is ended at the start",
        key if SAFE.contains(&key) || SAFE_OBJECTS.iter().any(|object| key.starts_with(object)) => {
            return Fate::Applied;
        }
        "log_format" => "all processes write in the form that they began with",
        "gateway_configs" => GATEWAYS,
        key if key.starts_with(CONTRACTS) => GATEWAYS,
        key if key.starts_with("encrypted") => "keys are unlocked at the start",
        key if key.starts_with("db.") || key.starts_with("database.") => "the database is open",
        "heartbeat.instance" | "heartbeat.weight" => "an instance is enrolled at the start",
        key if key.starts_with("heartbeat.") => "the parameters that are stored count: use `facilitator params set`",
        key if key.starts_with("metrics.") => "the place where metrics are served is open",
        key if key.starts_with("monitor.") => "the monitor works by what it was started with",
        key if key.starts_with("chains.") => "scanner and sender of the chain work by what they were started with",
        _ => "processes work by what they were started with",
    };
    Fate::NextStart(why)
}

/// Values are shown where they are settings and no secrets.
fn difference(key: &str, old: Option<&Value>, new: Option<&Value>) -> String {
    if !may_be_shown(key) {
        return format!("{key} is another one");
    }
    let show = |value: Option<&Value>| value.map_or_else(|| "default".to_owned(), Value::to_string);
    format!("{key}: {} → {}", show(old), show(new))
}

fn may_be_shown(key: &str) -> bool {
    if key.starts_with("prices.") || key.starts_with(CONTRACTS) {
        return true;
    }
    let (scope, name) = match key.split('.').collect::<Vec<_>>().as_slice() {
        [name] => (Scope::Top, *name),
        ["chains", _, name] => (Scope::Chain, *name),
        ["hunter", name] => (Scope::Hunter, *name),
        ["heartbeat", name] => (Scope::Heartbeat, *name),
        ["metrics", name] => (Scope::Metrics, *name),
        ["monitor", name] => (Scope::Monitor, *name),
        _ => return false,
    };
    let hidden = |unit: &str| unit == "secret" || unit == "URL";
    table().iter().any(|row| row.scope == scope && row.key == name && !hidden(&row.unit))
}

#[cfg(test)]
#[path = "reread_tests.rs"]
mod tests;
