//! The documents in `config/` against the table of settings: what is written there is what the program does.
//!
//! `UPDATE_DOCUMENTS=1 cargo test -p facilitator-config --test documents` writes the generated parts anew.
// The lint configuration knows test functions, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{facilitator, fixture_json};
use facilitator_config::{
    ChainSettings, GatewayConfig, HeartbeatSettings, Home, HunterSettings, MetricsSettings, MonitorSettings, Mosaic,
    Scope, Settings, table,
};
use serde_json::{Map, Value};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

const BEGIN: &str = "<!-- settings: begin, generated from crates/config/src/settings.rs -->\n";
const END: &str = "<!-- settings: end -->\n";

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name)
}

fn rows(scope: Scope) -> String {
    let mut text = "| key | default | unit | allowed | meaning |\n|---|---|---|---|---|\n".to_owned();
    for row in table().into_iter().filter(|row| row.scope == scope) {
        let line =
            format!("| `{}` | `{}` | {} | {} | {} |\n", row.key, row.default, row.unit, row.allowed, row.meaning);
        text.push_str(&line);
    }
    text
}

fn generated() -> String {
    let (chain, top) = (rows(Scope::Chain), rows(Scope::Top));
    let (hunter, heartbeat) = (rows(Scope::Hunter), rows(Scope::Heartbeat));
    let (metrics, monitor) = (rows(Scope::Metrics), rows(Scope::Monitor));
    format!(
        "### In each entry of `chains`\n\n{chain}\n### At the top level\n\n{top}\n### In the object `hunter`\n\n{hunter}\n### In the object `heartbeat`\n\n{heartbeat}\n### In the object `metrics`\n\n{metrics}\n### In the object `monitor`\n\n{monitor}"
    )
}

#[test]
fn the_readme_has_the_table_of_settings() {
    let file = document("README.md");
    let text = fs::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once(BEGIN).expect("the mark where the table begins");
    let (found, tail) = rest.split_once(END).expect("the mark where the table ends");
    let wanted = generated();
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&file, format!("{head}{BEGIN}{wanted}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(found, wanted, "run with UPDATE_DOCUMENTS=1 to write it anew");
}

fn defaults(scope: Scope) -> Map<String, Value> {
    table().into_iter().filter(|row| row.scope == scope).map(|row| (row.key.to_owned(), row.default)).collect()
}

#[test]
fn the_example_config_is_valid_and_complete_and_every_setting_has_its_default() {
    let file = document("facilitator-config.example.json");
    let mut example: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        let top = example.as_object_mut().unwrap();
        top.extend(defaults(Scope::Top));
        top.insert("hunter".to_owned(), defaults(Scope::Hunter).into());
        top.insert("heartbeat".to_owned(), defaults(Scope::Heartbeat).into());
        top.insert("metrics".to_owned(), defaults(Scope::Metrics).into());
        top.insert("monitor".to_owned(), Value::Object(defaults(Scope::Monitor)));
        for entry in top["chains"].as_object_mut().unwrap().values_mut() {
            entry.as_object_mut().unwrap().extend(defaults(Scope::Chain));
        }
        fs::write(&file, format!("{example:#}\n")).unwrap();
    }
    let config = facilitator(&example).unwrap();
    assert_eq!(config.settings, Settings::default());
    assert!(config.encrypted_hash_lock_key.is_some());
    let has = |object: &Value, scope| {
        for (key, value) in defaults(scope) {
            assert_eq!(object.get(&key), Some(&value), "{key}");
        }
    };
    has(&example, Scope::Top);
    assert_eq!(config.hunter, HunterSettings::default());
    has(&example["hunter"], Scope::Hunter);
    assert_eq!(config.heartbeat, HeartbeatSettings::default());
    has(&example["heartbeat"], Scope::Heartbeat);
    assert_eq!(config.metrics, MetricsSettings::default());
    has(&example["metrics"], Scope::Metrics);
    assert_eq!(config.monitor, MonitorSettings::default());
    has(&example["monitor"], Scope::Monitor);
    for chain in [&config.origin, &config.auxiliary] {
        assert_eq!(chain.settings, ChainSettings::default());
        has(&example["chains"][chain.chain_id.to_string()], Scope::Chain);
    }
}

#[test]
fn the_other_examples_are_valid() {
    let mosaic = Mosaic::read(&document("mosaic-config.example.json")).unwrap();
    let home = Home::new(Some("/nowhere".into()), None).unwrap();
    let gateway = GatewayConfig::read(&document("gateway-config.example.json"), &home).unwrap();
    assert_eq!(gateway.mosaic_config, document("mosaic-config.example.json"));
    let addresses = gateway.gateway(&mosaic).unwrap();
    assert!(addresses.composer.is_some() && addresses.redeem_pool.is_some());
}

#[test]
fn every_key_of_the_example_and_of_the_published_shape_is_explained() {
    let text = fs::read_to_string(document("README.md")).unwrap();
    let example =
        serde_json::from_str(&fs::read_to_string(document("facilitator-config.example.json")).unwrap()).unwrap();
    for (config, chain) in [(example, "3"), (fixture_json("published-facilitator-config.json"), "ropsten")] {
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        for key in keys(&config).into_iter().chain(keys(&config["chains"][chain])) {
            let named = ["`", "chains.<id>."].iter().any(|before| text.contains(&format!("{before}{key}`")));
            assert!(named, "{key}");
        }
    }
}
