//! Configuration files of both vintages, damaged as text or as a tree.

use crate::{Outcome, Target, Verdict, corpus, mutate, promise};
use facilitator_config::{ConfigError, Context, Db, Error, Facilitator, GatewayConfig, Home, Mosaic, Names};
use facilitator_dice::Rng;
use serde_json::{Value, json};
use std::{fs, path::Path};
use tempfile::TempDir;

/// Stands in every URL, where no error may show it.
const SECRET: &str = "hunter2-S3CRET";
/// A key that no object has.
const UNKNOWN: &str = "no_such_key_anywhere";
/// What a reader may hold: some copies of a small file and its tree.
const MEMORY: usize = 16 << 20;
/// Longest path and message of an error.
const MAX_ERROR: usize = 4096;

type Reader = fn(&Path, &Home) -> Result<String, Error>;

fn target(name: &'static str, documents: fn() -> Vec<Value>, read: Reader, free: fn(&str) -> bool) -> Target {
    // Without a folder every case fails with its reason.
    let folder = TempDir::new().map_err(|error| error.to_string());
    let case = move |rng: &mut Rng| {
        let folder = folder.as_ref().map_err(Clone::clone)?.path();
        let documents = documents();
        let document = documents.get(rng.index(documents.len())).cloned().unwrap_or_default();
        one(rng, folder, document, read, free)
    };
    Target { name, memory: MEMORY, case: Box::new(case) }
}

/// What is done to a document.
enum Damage {
    /// Nothing: it must be taken.
    None,
    /// A key that nobody knows was put where only known ones may be: it must be refused.
    Unknown(String),
    /// Anything: it must be refused well or be right by chance.
    Any,
}

fn one(rng: &mut Rng, folder: &Path, mut document: Value, read: Reader, free: fn(&str) -> bool) -> Outcome {
    let damage = match rng.below(20) {
        0 => Damage::None,
        1..=3 => unknown(rng, &mut document, free).map_or(Damage::None, Damage::Unknown),
        _ => Damage::Any,
    };
    let mut text = match damage {
        Damage::None | Damage::Unknown(_) => document.to_string(),
        Damage::Any => {
            mutate::json(rng, &mut document);
            document.to_string()
        }
    };
    if matches!(damage, Damage::Any) && rng.chance(250) {
        mutate::text(rng, &mut text);
    }
    let file = folder.join("config.json");
    fs::write(&file, &text).map_err(|error| error.to_string())?;
    let home = Home::new(Some(folder.join("home").into()), Some(folder.into())).map_err(|error| error.to_string())?;
    let outcome = read(&file, &home);
    let after = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let files = fs::read_dir(folder).map_err(|error| error.to_string())?.count();
    promise(after == text && files == 1, || "reading changed a file".to_owned())?;
    match (outcome, damage) {
        (Ok(shown), Damage::None | Damage::Any) => {
            promise(!shown.contains(SECRET), || format!("the model shows a credential: {shown}"))?;
            let again = read(&file, &home).map_err(|error| format!("taken once, refused then: {error}"))?;
            promise(again == shown, || "read twice, it is another".to_owned())?;
            Ok(Verdict::Taken)
        }
        (Ok(_), Damage::Unknown(at)) => Err(format!("an unknown key is taken at {at:?}")),
        (Err(error), Damage::None) => Err(format!("a right document is refused: {error}")),
        (Err(error), damage @ (Damage::Unknown(_) | Damage::Any)) => refused(&error, &file, &document, &text, &damage),
    }
}

/// A refusal names the file and the field, and repeats no credential.
fn refused(error: &Error, file: &Path, document: &Value, text: &str, damage: &Damage) -> Outcome {
    let shown = format!("{error} {error:?}");
    promise(!shown.contains(SECRET), || format!("the error shows a credential: {error}"))?;
    promise(shown.len() < 2 * MAX_ERROR, || format!("an error of {} bytes", shown.len()))?;
    promise(!shown.contains('\0'), || "the error has control characters".to_owned())?;
    match error {
        Error::Config(ConfigError { file: named, path, message }) => {
            promise(named == file, || format!("the error names {}", named.display()))?;
            promise(!message.is_empty(), || "the error says nothing".to_owned())?;
            if let Damage::Unknown(at) = damage {
                promise(path.contains(UNKNOWN), || format!("an unknown key at {at:?} is found at {path:?}"))?;
            }
            let whole = serde_json::from_str::<Value>(text).is_err() || !document.is_object();
            promise(whole || !path.is_empty(), || format!("the error names no field: {error}"))?;
        }
        Error::UnknownChainName { file: named, path, .. } => {
            promise(named == file && !path.is_empty(), || format!("the error names no field: {error}"))?;
        }
        Error::Exists(_) | Error::Write { .. } | Error::Usage(_) | Error::Key(_) => {
            return Err(format!("reading fails like something else: {error}"));
        }
    }
    Ok(Verdict::Refused)
}

/// Puts an unknown key into an object that has no free keys; its JSON pointer.
fn unknown(rng: &mut Rng, document: &mut Value, free: fn(&str) -> bool) -> Option<String> {
    let mut places = Vec::new();
    objects(document, String::new(), &mut places);
    places.retain(|place| !free(place));
    let place = places.get(rng.index(places.len()))?.clone();
    document.pointer_mut(&place)?.as_object_mut()?.insert(UNKNOWN.to_owned(), json!("?"));
    Some(place)
}

fn objects(value: &Value, at: String, places: &mut Vec<String>) {
    let Some(map) = value.as_object() else { return };
    for (key, child) in map {
        objects(child, format!("{at}/{key}"), places);
    }
    places.push(at);
}

fn mosaic_documents() -> Vec<Value> {
    [&corpus::MOSAIC_TICKET, &corpus::MOSAIC_GOERLI, &corpus::MOSAIC_ROPSTEN, &corpus::MOSAIC_ETHEREUM]
        .map(|document| {
            let mut document = (**document).clone();
            // The genesis is most of a document and nobody reads it: damage belongs elsewhere.
            for chain in document["auxiliaryChains"].as_object_mut().into_iter().flatten() {
                chain.1["genesis"] = json!({});
            }
            document
        })
        .to_vec()
}

/// The mosaic config.
pub(super) fn mosaic() -> Target {
    fn read(file: &Path, _home: &Home) -> Result<String, Error> {
        Ok(Mosaic::read(file).map(|mosaic| format!("{mosaic:?}"))?)
    }
    // A key of `auxiliaryChains` is a chain, whose error is another one.
    target("mosaic", mosaic_documents, read, |place| place.ends_with("/auxiliaryChains") || place.contains("/genesis"))
}

fn gateway_documents() -> Vec<Value> {
    let address = |digit: &str| format!("0x{}", digit.repeat(40));
    vec![json!({
        "mosaicConfigFilePath": "~/mosaic-config.json",
        "auxChainId": 1406,
        "originContracts": {
            "baseTokenAddress": address("1"), "valueTokenAddress": address("2"),
            "gatewayOrganizationAddress": address("3"), "eip20GatewayAddress": address("4"),
            "stakePoolAddress": address("5"), "messageBusAddress": address("6"),
        },
        "auxiliaryContracts": {
            "coGatewayOrganizationAddress": address("7"), "eip20CoGatewayAddress": address("8"),
            "utilityTokenAddress": address("9"), "redeemPoolAddress": address("a"),
            "merklePatriciaLibAddress": address("b"),
        },
    })]
}

/// The gateway config.
pub(super) fn gateway() -> Target {
    fn read(file: &Path, home: &Home) -> Result<String, Error> {
        Ok(GatewayConfig::read(file, home).map(|gateway| format!("{gateway:?}"))?)
    }
    target("gateway", gateway_documents, read, |_| false)
}

fn facilitator_documents() -> Vec<Value> {
    let mut published = corpus::FACILITATOR_PUBLISHED.clone();
    let stores = published["encryptedAccounts"].clone();
    let workers: Vec<String> = stores.as_object().into_iter().flatten().map(|(address, _)| address.clone()).collect();
    let url = |host: &str| format!("https://user:{SECRET}@{host}:8545/v3/{SECRET}?key={SECRET}");
    for (_, chain) in published["chains"].as_object_mut().into_iter().flatten() {
        chain["nodeRpc"] = json!(url("node.example"));
    }
    let ticket = json!({
        "version": 1, "origin_chain_id": 3, "auxiliary_chain_id": 1406,
        "db": { "url": format!("postgres://user:{SECRET}@db.example/mosaic"), "username": "mosaic", "password": SECRET },
        "chains": {
            "3": { "rpc": [url("a.example"), url("b.example")], "workers": workers.first(), "confirmations": 2 },
            "1406": { "rpc": url("c.example"), "workers": workers.get(1), "max_fee_per_gas": "1000000000000" },
        },
        "encrypted_accounts": stores,
        "encrypted_hash_lock_key": published["encryptedAccounts"].as_object().and_then(|map| map.values().next()),
        "retry_base_ms": 100, "max_workers": 4,
    });
    let ticket = listed(ticket);
    vec![published, ticket, corpus::FACILITATOR_EXAMPLE.clone()]
}

/// Workers are a list in the ticket's shape.
fn listed(mut ticket: Value) -> Value {
    for (_, chain) in ticket["chains"].as_object_mut().into_iter().flatten() {
        chain["workers"] = json!([chain["workers"]]);
    }
    ticket
}

/// The facilitator config.
pub(super) fn facilitator() -> Target {
    fn read(file: &Path, home: &Home) -> Result<String, Error> {
        let names = Names::default();
        let context = Context { home, names: &names, auxiliary_chain_id: None, origin_chain_id: None };
        let mut config = Facilitator::read(file, context)?;
        // A user name is shown; what is written into its place by mistake as well.
        if let Db::Url { username, .. } = &mut config.db {
            *username = None;
        }
        Ok(format!("{config:?}"))
    }
    let free = |place: &str| {
        let place = place.to_lowercase();
        // Wallets add keys of their own to key stores; the keys of `chains` are chains, those of accounts addresses.
        place.contains("encrypted") || place == "/chains"
    };
    target("facilitator", facilitator_documents, read, free)
}
