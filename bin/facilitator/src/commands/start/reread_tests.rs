//! What is said of differences, what counts at once, and that the document says the same.
//!
//! `UPDATE_DOCUMENTS=1 cargo test -p facilitator reread` writes the generated part of the document anew.

use super::*;
use facilitator_config::Setting;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::{env, fs};

const BEGIN: &str = "<!-- reload: begin, generated from bin/facilitator/src/commands/start/reread.rs -->\n";
const END: &str = "<!-- reload: end -->\n";

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
        "heartbeat": { "weight": 1 },
    });
    let new = json!({
        "log_level": "debug", "max_workers": 3, "chains": { "3": { "rpc": ["http://user:new@node"], "poll_interval_ms": 8 } },
        "monitor": { "webhook_secret": "new secret", "interval_s": 5 }, "db": { "url": "postgres://a:new@b" },
        "heartbeat": { "weight": 2, "maximum_active": 3 },
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
            ("heartbeat.maximum_active", "heartbeat.maximum_active: default → 3", false),
            ("heartbeat.weight", "heartbeat.weight: 1 → 2", false),
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

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name)
}

/// A folder with the example configurations, of which the facilitator's has prices and a hunter.
struct Examples {
    folder: tempfile::TempDir,
    config: Value,
    mosaic: String,
}

impl Examples {
    fn new() -> Self {
        let read = |name| fs::read_to_string(document(name)).unwrap();
        let mut config: Value = serde_json::from_str(&read("facilitator-config.example.json")).unwrap();
        config["prices"] = json!({ "3": { "coin": "1" }, "1406": { "coin": "1" } });
        config["hunter"]["enabled"] = json!(true);
        let mosaic = read("mosaic-config.example.json");
        Self { folder: tempfile::tempdir().unwrap(), config, mosaic }
    }

    fn selection(&self) -> Selection {
        let file = |name: &str, text: &str| {
            let file = self.folder.path().join(name);
            fs::write(&file, text).unwrap();
            Some(file)
        };
        Selection {
            auxiliary_chain_id: Some(1406),
            facilitator_config: file("facilitator-config.json", &self.config.to_string()),
            mosaic_config: file("mosaic-config.json", &self.mosaic),
        }
    }

    fn home(&self) -> Home {
        Home::new(Some(self.folder.path().into()), None).unwrap()
    }

    fn load(&self) -> Loaded {
        let mut names = Names::default();
        loop {
            match load(&self.selection(), &self.home(), &names) {
                Ok(loaded) => return loaded,
                Err(Error::UnknownChainName { name, .. }) => names.learn(&name, 3),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn tunable(&self) -> String {
        format!("{:?}", tunable(&self.load(), &Logging { level: None, format: None }))
    }
}

/// A value beside the default of a setting.
fn another(setting: &Setting) -> Value {
    match &setting.default {
        Value::Number(number) => json!(number.as_u64().unwrap() + 1),
        Value::Bool(truth) => json!(!truth),
        Value::String(word) if setting.key == "log_level" => json!(if word == "info" { "debug" } else { "info" }),
        Value::String(_) | Value::Null => json!("7"),
        Value::Array(_) | Value::Object(_) => panic!("{} is no single value", setting.key),
    }
}

/// Where a setting stands; of chains any one.
fn key_of(setting: &Setting) -> String {
    let object = match setting.scope {
        Scope::Top => return setting.key.to_owned(),
        Scope::Chain => "chains.3",
        Scope::Hunter => "hunter",
        Scope::Heartbeat => "heartbeat",
        Scope::Metrics => "metrics",
        Scope::Monitor => "monitor",
    };
    format!("{object}.{}", setting.key)
}

#[test]
fn what_is_said_to_count_at_once_is_taken_over() {
    // What the environment says of the level would hide a difference in it.
    let ours = |setting: &&Setting| setting.key != "log_level" || env::var_os("RUST_LOG").is_none();
    let before = Examples::new().tunable();
    let settings = table();
    for setting in settings.iter().filter(|setting| fate(&key_of(setting), None) == Fate::Applied).filter(ours) {
        let mut examples = Examples::new();
        let place = format!("/{}", key_of(setting).replace('.', "/"));
        *examples.config.pointer_mut(&place).unwrap() = another(setting);
        assert_ne!(examples.tunable(), before, "{place}");
    }
    let mut examples = Examples::new();
    examples.config["prices"]["3"]["coin"] = json!("2");
    assert_ne!(examples.tunable(), before, "prices");
    for key in SAFE {
        assert!(may_be_shown(key), "{key}");
    }
}

#[test]
fn every_difference_is_said_also_in_the_files_of_the_contracts_and_each_file_is_read_once() {
    let mut examples = Examples::new();
    let loaded = examples.load();
    let logging = Logging { level: Some("info".to_owned()), format: None };
    let mut reread = rereader(examples.selection(), examples.home(), &loaded, logging);
    assert_eq!(reread().unwrap().changes, []);

    // A mosaic config that differs in an address that is worked by.
    let old = loaded.gateways[0].cogateway.to_string();
    let new = format!("0x{}", "5".repeat(40));
    let from = examples.mosaic.to_lowercase().find(&old.to_lowercase()).unwrap();
    examples.mosaic.replace_range(from..from + old.len(), &new);
    examples.config["heartbeat"]["weight"] = json!(9);
    examples.selection();
    let changes = reread().unwrap().changes;
    let told: Vec<(&str, bool)> =
        changes.iter().map(|change| (change.text.as_str(), change.fate == Fate::Applied)).collect();
    let contract = format!("contracts[0].cogateway: \"{old}\" → \"{new}\"");
    assert_eq!(told, [(contract.as_str(), false), ("heartbeat.weight: 1 → 9", false)]);
    // What waits for the next start is told each time.
    assert_eq!(reread().unwrap().changes, changes);
}

/// What the document says of all settings.
fn generated() -> String {
    let settings = table();
    let name = |setting: &Setting| format!("`{}`", key_of(setting).replace("chains.3.", "chains.<id>."));
    let list = |fate_is: &dyn Fn(Fate) -> bool| {
        let of = settings.iter().filter(|setting| fate_is(fate(&key_of(setting), None)));
        of.map(name).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!("Counts at once: {}, `prices`.\n\n", list(&|fate| fate == Fate::Applied));
    text.push_str("Counts from the next start, and why:\n\n| keys | because |\n|---|---|\n");
    let mut reasons = Vec::new();
    for setting in &settings {
        if let Fate::NextStart(why) = fate(&key_of(setting), None)
            && !reasons.contains(&why)
        {
            reasons.push(why);
        }
    }
    for why in reasons {
        text.push_str(&format!("| {} | {why} |\n", list(&|fate| fate == Fate::NextStart(why))));
    }
    for (keys, key) in [
        ("`chains.<id>.rpc`, `chains.<id>.workers`", "chains.3.rpc"),
        ("`encrypted_accounts`, `encrypted_hash_lock_key`", "encrypted_accounts.0x1"),
        ("`db`", "db.url"),
        ("the addresses in mosaic and gateway configs", "contracts[0].gateway"),
    ] {
        let Fate::NextStart(why) = fate(key, None) else { panic!("{key}") };
        text.push_str(&format!("| {keys} | {why} |\n"));
    }
    text
}

#[test]
fn the_document_lists_what_counts_at_once() {
    let file = document("README.md");
    let text = fs::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once(BEGIN).expect("the mark where the list begins");
    let (found, tail) = rest.split_once(END).expect("the mark where the list ends");
    let wanted = generated();
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&file, format!("{head}{BEGIN}{wanted}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(found, wanted, "run with UPDATE_DOCUMENTS=1 to write it anew");
}
