//! `init`: whole or not at all, and what it writes is what `start` reads.
// The lint configuration knows test functions, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Edit, config_error, edited, fixture, fixture_json, home, write};
use facilitator_config::{
    ConfigError, Db, Error, Facilitator, Home, KeyError, Loaded, Names, Overwrite, Passwords, Secret, Selection,
    init::{Init, InitPasswords, Source, Summary, plan},
    load, unlock,
};
use facilitator_eth::{Address, keystore::Kdf};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

fn request(source: Source) -> Init {
    Init {
        source,
        auxiliary_chain_id: 1406,
        origin_rpc: vec!["http://127.0.0.1:8545".parse().unwrap()],
        auxiliary_rpc: vec!["http://127.0.0.1:8546".parse().unwrap()],
        db: None,
        config: None,
        join: None,
        workers: 1,
        overwrite: Overwrite::Refuse,
    }
}

fn ropsten() -> Init {
    request(Source::Mosaic(fixture("ropsten.json")))
}

fn passwords() -> InitPasswords {
    InitPasswords { origin: "o".into(), auxiliary: "a".into(), join: Passwords::default() }
}

fn run(init: &Init, home: &Home) -> Result<Summary, Error> {
    plan(init, home, &Names::default())?.write(&passwords(), Kdf::Light, UNIX_EPOCH)
}

fn loaded(home: &Home) -> Loaded {
    let selection = Selection { auxiliary_chain_id: Some(1406), ..Selection::default() };
    load(&selection, home, &Names::default()).unwrap()
}

fn of(accounts: &[Address], password: &str) -> impl Iterator<Item = (Address, Secret)> {
    accounts.iter().map(move |account| (*account, Secret::from(password))).collect::<Vec<_>>().into_iter()
}

fn passwords_of(summary: &Summary, origin: &str, auxiliary: &str) -> Passwords {
    let mut passwords = Passwords::default();
    let all = of(&summary.origin.workers, origin).chain(of(&summary.auxiliary.workers, auxiliary));
    all.for_each(|(account, password)| passwords.insert(account, password));
    passwords
}

fn entries(directory: &Path) -> Vec<String> {
    let Ok(listed) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<_> = listed.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_init_writes_is_what_start_reads_and_unlocks() {
    let (_guard, home) = home();
    let summary = run(&Init { workers: 2, ..ropsten() }, &home).unwrap();
    let Loaded { facilitator, gateways, mosaic_config } = loaded(&home);
    assert_eq!(facilitator.origin.workers, summary.origin.workers);
    assert_eq!(facilitator.auxiliary.workers, summary.auxiliary.workers);
    assert_eq!((facilitator.origin.chain_id, facilitator.auxiliary.chain_id), (3, 1406));
    assert_eq!(facilitator.db, Db::Sqlite(home.database(1406)));
    assert!(gateways[0].composer.is_some());
    assert_eq!(fs::read(mosaic_config).unwrap(), fs::read(fixture("ropsten.json")).unwrap());

    let keys = unlock(&facilitator, &passwords_of(&summary, "o", "a")).unwrap();
    assert_eq!((keys.origin.len(), keys.auxiliary.len()), (2, 2));
    let wrong = unlock(&facilitator, &passwords_of(&summary, "o", "o")).unwrap_err();
    assert_eq!(wrong, KeyError::WrongPassword { account: summary.auxiliary.workers[0] });

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&summary.config), mode(&home.chain_directory(1406)), mode(home.path())), (0o600, 0o700, 0o700));
    assert_eq!(entries(&home.chain_directory(1406)), ["facilitator-config.json", "mosaic-config.json"]);
    assert!(facilitator_config::permission_warning(&summary.config).is_none());
}

#[test]
fn the_summary_is_the_promised_json_and_holds_no_secret() {
    let (_guard, home) = home();
    let summary = run(&ropsten(), &home).unwrap();
    let (origin, auxiliary) = (summary.origin.workers[0].to_string(), summary.auxiliary.workers[0].to_string());
    assert_eq!(
        serde_json::to_value(&summary).unwrap(),
        json!({
            "config": home.facilitator_config(1406),
            "origin": { "chain_id": 3, "workers": [origin] },
            "auxiliary": { "chain_id": 1406, "workers": [auxiliary] },
            "password_variables":
                [format!("MOSAIC_ADDRESS_PASSW_{origin}"), format!("MOSAIC_ADDRESS_PASSW_{auxiliary}")],
        })
    );
}

#[test]
fn the_written_file_has_the_tickets_shape() {
    let (guard, home) = home();
    let out = guard.path().join("elsewhere/my.json");
    let summary = run(&Init { config: Some(out.clone()), ..ropsten() }, &home).unwrap();
    assert_eq!(summary.config, out);
    let text = fs::read_to_string(&out).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let (origin, auxiliary) = (summary.origin.workers[0].to_string(), summary.auxiliary.workers[0].to_string());
    assert_eq!(
        document["chains"],
        json!({
            "3": { "rpc": ["http://127.0.0.1:8545"], "workers": [origin], "confirmations": 6 },
            "1406": { "rpc": ["http://127.0.0.1:8546"], "workers": [auxiliary], "confirmations": 6 },
        })
    );
    assert_eq!(document["db"], json!({ "db_path": home.database(1406) }), "a config elsewhere keeps the default place");
    assert_eq!(document["encrypted_accounts"].as_object().unwrap().len(), 2);
    let order = ["\"version\"", "\"origin_chain_id\"", "\"chains\"", "\"encrypted_accounts\"", "_hash_lock_key\""];
    let places: Vec<_> = order.iter().map(|key| text.find(key).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn the_database_of_the_request_is_written() {
    for (db, expected) in [
        (Db::Sqlite("/x/y.db".into()), json!({ "db_path": "/x/y.db" })),
        (
            Db::Url { url: "postgres://h/d".into(), username: Some("u".into()), password: Some("p".into()) },
            json!({ "url": "postgres://h/d", "username": "u", "password": "p" }),
        ),
    ] {
        let (_guard, home) = home();
        let summary = run(&Init { db: Some(db.clone()), ..ropsten() }, &home).unwrap();
        let document: Value = serde_json::from_str(&fs::read_to_string(summary.config).unwrap()).unwrap();
        assert_eq!(document["db"], expected);
        assert_eq!(loaded(&home).facilitator.db, db);
    }
}

#[test]
fn an_existing_file_stays_unless_forced_and_then_has_a_backup() {
    let (_guard, home) = home();
    let first = run(&ropsten(), &home).unwrap();
    let before = fs::read(&first.config).unwrap();
    let error = plan(&ropsten(), &home, &Names::default()).unwrap_err();
    assert!(matches!(error, Error::Exists(path) if path == first.config), "told before any password is asked for");
    assert_eq!(fs::read(&first.config).unwrap(), before);

    let second = run(&Init { overwrite: Overwrite::Backup, ..ropsten() }, &home).unwrap();
    assert_ne!(second.origin.workers, first.origin.workers);
    assert_eq!(second.backups, [first.config.with_file_name("facilitator-config.json.19700101T000000Z.bak")]);
    assert_eq!(fs::read(&second.backups[0]).unwrap(), before);
    assert_eq!(loaded(&home).facilitator.origin.workers, second.origin.workers);
}

#[test]
fn a_failing_init_writes_nothing() {
    let (guard, home) = home();
    let bad = |pointer: &str, edit: Edit| -> PathBuf {
        write(&guard.path().join("bad.json"), &edited(fixture_json("ropsten.json"), pointer, &edit))
    };
    let mosaic = |file: PathBuf| request(Source::Mosaic(file));
    let path_of = |init: &Init| -> ConfigError { config_error(run(init, &home).unwrap_err()) };
    assert_eq!(path_of(&mosaic(bad("/originChain", Edit::Remove))).path, "originChain");
    assert_eq!(path_of(&Init { auxiliary_chain_id: 9, ..ropsten() }).path, "auxiliaryChains.9");
    assert!(path_of(&mosaic(guard.path().join("none.json"))).message.contains("cannot be read"));
    for init in [
        Init { workers: 0, ..ropsten() },
        Init { workers: 101, ..ropsten() },
        Init { origin_rpc: Vec::new(), ..ropsten() },
        Init { db: Some(Db::Url { url: "x".into(), username: None, password: None }), ..ropsten() },
    ] {
        assert!(matches!(run(&init, &home), Err(Error::Usage(_))), "{init:?}");
    }
    let planned = plan(&ropsten(), &home, &Names::default()).unwrap();
    let empty = InitPasswords { auxiliary: "".into(), ..passwords() };
    let error = planned.write(&empty, Kdf::Light, UNIX_EPOCH).unwrap_err();
    assert!(matches!(error, Error::Key(KeyError::EmptyPassword { chain: "auxiliary" })), "{error}");
    // A file where the directory should be: the last step fails, and what went before is gone again.
    fs::create_dir(home.path()).unwrap();
    fs::write(home.chain_directory(1406), "in the way").unwrap();
    assert!(matches!(run(&ropsten(), &home), Err(Error::Write { .. })));
    assert_eq!(entries(home.path()), ["1406"]);
}

#[test]
fn an_unknown_origin_name_is_left_to_the_node() {
    let (guard, home) = home();
    let document = edited(fixture_json("ropsten.json"), "/originChain/chain", &Edit::Set("dev-origin".into()));
    let init = request(Source::Mosaic(write(&guard.path().join("m.json"), &document)));
    let mut names = Names::default();
    let Err(Error::UnknownChainName { name, endpoints, .. }) = plan(&init, &home, &names) else { panic!() };
    assert_eq!(endpoints, init.origin_rpc);
    names.learn(&name, 1406);
    assert_eq!(config_error(plan(&init, &home, &names).unwrap_err()).path, "originChain");
    let mut names = Names::default();
    names.learn(&name, 31_337);
    let summary = plan(&init, &home, &names).unwrap().write(&passwords(), Kdf::Light, UNIX_EPOCH).unwrap();
    assert_eq!(summary.origin.chain_id, 31_337);
    // What was learnt stands in the config: later no node is needed.
    assert_eq!(loaded(&home).facilitator.origin.chain_id, 31_337);
}

#[test]
fn joining_takes_the_hash_lock_key_over_and_makes_new_workers() {
    let (guard, home) = home();
    let first = run(&ropsten(), &home).unwrap();
    let init = Init { join: Some(first.config.clone()), config: Some(guard.path().join("second.json")), ..ropsten() };
    let planned = plan(&init, &home, &Names::default()).unwrap();
    assert_eq!(planned.join_account(), Some(first.origin.workers[0]));
    let error = planned.clone().write(&passwords(), Kdf::Light, UNIX_EPOCH).unwrap_err();
    assert!(matches!(error, Error::Key(KeyError::Missing { .. })), "{error}");
    let new = InitPasswords { origin: "o2".into(), auxiliary: "a2".into(), join: passwords_of(&first, "o", "a") };
    let second = planned.write(&new, Kdf::Light, UNIX_EPOCH).unwrap();

    let keys = |summary: &Summary, origin, auxiliary| {
        let selection = Selection {
            auxiliary_chain_id: Some(1406),
            facilitator_config: Some(summary.config.clone()),
            ..Selection::default()
        };
        let facilitator: Facilitator = load(&selection, &home, &Names::default()).unwrap().facilitator;
        unlock(&facilitator, &passwords_of(summary, origin, auxiliary)).unwrap()
    };
    let (a, b) = (keys(&first, "o", "a"), keys(&second, "o2", "a2"));
    assert_eq!(a.hash_lock_key, b.hash_lock_key);
    assert_ne!(a.origin[0].0, b.origin[0].0);

    let third = run(&Init { config: Some(guard.path().join("third.json")), ..ropsten() }, &home).unwrap();
    assert_ne!(keys(&third, "o", "a").hash_lock_key, a.hash_lock_key, "without --join every init has its own");
    let old =
        Init { join: Some(fixture("published-facilitator-config.json")), overwrite: Overwrite::Backup, ..ropsten() };
    let error = plan(&old, &home, &Names::default()).unwrap_err();
    assert!(matches!(error, Error::Key(KeyError::NoHashLockKey { .. })), "{error}");
}

#[test]
fn a_gateway_config_is_copied_with_its_mosaic_config_and_goes_with_a_later_plain_init() {
    let (guard, home) = home();
    fs::copy(fixture("ropsten.json"), guard.path().join("network.json")).unwrap();
    let address = |n: u8| format!("0x{}", format!("{n:02x}").repeat(20));
    let document = json!({
        "mosaicConfigFilePath": "network.json", "auxChainId": 1406,
        "originContracts": {
            "baseTokenAddress": address(1), "valueTokenAddress": address(2),
            "gatewayOrganizationAddress": address(3), "eip20GatewayAddress": address(4),
        },
        "auxiliaryContracts": {
            "coGatewayOrganizationAddress": address(5), "eip20CoGatewayAddress": address(6),
            "utilityTokenAddress": address(7),
        },
    });
    let file = write(&guard.path().join("gateway.json"), &document);
    let error =
        plan(&Init { auxiliary_chain_id: 1407, ..request(Source::Gateway(file.clone())) }, &home, &Names::default());
    assert_eq!(config_error(error.unwrap_err()).path, "auxChainId");
    run(&request(Source::Gateway(file.clone())), &home).unwrap();
    fs::remove_file(file).unwrap();
    fs::remove_file(guard.path().join("network.json")).unwrap();
    let Loaded { gateways, mosaic_config, .. } = loaded(&home);
    assert_eq!(gateways[0].gateway.to_lower_hex(), address(4));
    assert_eq!(mosaic_config, home.mosaic_config(1406));

    let error = plan(&ropsten(), &home, &Names::default()).unwrap_err();
    assert!(matches!(error, Error::Exists(_)), "{error}");
    let again = run(&Init { overwrite: Overwrite::Backup, ..ropsten() }, &home).unwrap();
    assert_eq!(again.backups.len(), 2, "facilitator and gateway config: {again:?}");
    assert_ne!(loaded(&home).gateways[0].gateway.to_lower_hex(), address(4));
}
