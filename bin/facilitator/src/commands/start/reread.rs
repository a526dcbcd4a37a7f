//! SIGHUP: the configuration is read again, and compared with what the facilitator works by, key by key.

use super::super::{Logging, context};
use super::setup;
use facilitator_config::{Error, Home, Loaded, Names, Scope, Selection, load, table};
use facilitator_roles::parent::{Change, Fate, Reread, Rereader, Tunable};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

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

/// Objects of which everything counts at once.
const SAFE_OBJECTS: [&str; 2] = ["hunter.", "prices."];

/// A configuration, leaf by leaf.
type Leaves = BTreeMap<String, Value>;

/// Who reads the configuration again when the parent is asked to.
pub(super) fn rereader(selection: Selection, home: Home, loaded: &Loaded, logging: Logging) -> Rereader {
    let mut known = leaves_of(&loaded.facilitator.file).unwrap_or_default();
    let pair = context::pair(loaded);
    Box::new(move || {
        let loaded = read(&selection, &home, (pair.origin_chain_id, pair.auxiliary_chain_id))?;
        let found = leaves_of(&loaded.facilitator.file)?;
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

fn leaves_of(file: &Path) -> Result<Leaves, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut leaves = Leaves::new();
    spread("", &value, &mut leaves);
    Ok(leaves)
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
        "gateway_configs" => "gateways are checked at the start",
        key if key.starts_with("encrypted") => "keys are unlocked at the start",
        key if key.starts_with("db.") || key.starts_with("database.") => "the database is open",
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
    if key.starts_with("prices.") {
        return true;
    }
    let (scope, name) = match key.split('.').collect::<Vec<_>>().as_slice() {
        [name] => (Scope::Top, *name),
        ["chains", _, name] => (Scope::Chain, *name),
        ["hunter", name] => (Scope::Hunter, *name),
        ["metrics", name] => (Scope::Metrics, *name),
        ["monitor", name] => (Scope::Monitor, *name),
        _ => return false,
    };
    let hidden = |unit: &str| unit == "secret" || unit == "URL";
    table().iter().any(|row| row.scope == scope && row.key == name && !hidden(&row.unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn leaves(value: &Value) -> Leaves {
        let mut leaves = Leaves::new();
        spread("", value, &mut leaves);
        leaves
    }

    #[test]
    fn differences_are_told_key_by_key_and_no_secret_among_them() {
        let old = json!({
            "log_level": "info", "max_workers": 3, "chains": { "3": { "rpc": ["http://user:old@node"], "poll_interval_ms": 7 } },
            "monitor": { "webhook_secret": "old secret", "interval_s": 60 }, "db": { "url": "postgres://a:old@b" },
        });
        let new = json!({
            "log_level": "debug", "max_workers": 3, "chains": { "3": { "rpc": ["http://user:new@node"], "poll_interval_ms": 8 } },
            "monitor": { "webhook_secret": "new secret", "interval_s": 5 }, "db": { "url": "postgres://a:new@b" },
            "prices": { "3": { "coin": "2" } }, "encrypted_accounts": { "0x1": { "crypto": "new" } },
        });
        let changes = compare(&leaves(&old), &leaves(&new), None);
        let told: Vec<(&str, &str, bool)> = changes
            .iter()
            .map(|change| (change.key.as_str(), change.text.as_str(), change.fate == Fate::Applied))
            .collect();
        assert_eq!(
            told,
            [
                ("chains.3.poll_interval_ms", "chains.3.poll_interval_ms: 7 → 8", false),
                ("chains.3.rpc", "chains.3.rpc is another one", false),
                ("db.url", "db.url is another one", false),
                ("encrypted_accounts.0x1.crypto", "encrypted_accounts.0x1.crypto is another one", false),
                ("log_level", "log_level: \"info\" → \"debug\"", true),
                ("monitor.interval_s", "monitor.interval_s: 60 → 5", true),
                ("monitor.webhook_secret", "monitor.webhook_secret is another one", false),
                ("prices.3.coin", "prices.3.coin: default → \"2\"", true),
            ]
        );
        let said = format!("{changes:?}");
        assert!(["old@", "new@", "old secret", "new secret"].iter().all(|secret| !said.contains(secret)), "{said}");
        let stronger = compare(&leaves(&old), &leaves(&json!({ "log_level": "debug" })), Some("`RUST_LOG` wins"));
        assert!(stronger.iter().any(|change| change.fate == Fate::NextStart("`RUST_LOG` wins")));
    }

    #[test]
    fn everything_that_counts_at_once_is_a_setting() {
        for key in SAFE {
            assert!(may_be_shown(key), "{key}");
        }
    }
}
