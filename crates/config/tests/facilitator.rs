//! The facilitator config in both shapes: what it means, and every way to be wrong.
// The lint configuration knows test functions, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Edit, config_error, edited, facilitator, fixture, fixture_json, home, write};
use facilitator_config::{
    Context, Db, Error, Facilitator, Home, KeyError, Names, Passwords, Secret, Selection, Settings, init, load, unlock,
};
use facilitator_eth::{Address, U256, keystore::Kdf};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration, time::UNIX_EPOCH};

const ORIGIN: &str = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F";
const AUXILIARY: &str = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";

/// A complete config in the ticket's shape with the key stores of the published fixture.
fn ticket() -> Value {
    let published = fixture_json("published-facilitator-config.json");
    json!({
        "version": 1, "origin_chain_id": 3, "auxiliary_chain_id": 1406,
        "db": { "db_path": "facilitator.db" },
        "chains": {
            "3": { "rpc": ["http://127.0.0.1:8545"], "workers": [ORIGIN], "confirmations": 2 },
            "1406": { "rpc": "http://127.0.0.1:8546", "workers": [AUXILIARY] },
        },
        "encrypted_accounts": published["encryptedAccounts"],
        "encrypted_hash_lock_key": published["encryptedAccounts"][ORIGIN],
    })
}

#[test]
fn the_tickets_shape_is_read_with_defaults_and_units() {
    let mut document = ticket();
    document["chains"]["1406"]["poll_interval_ms"] = 50.into();
    document["chains"]["1406"]["max_fee_per_gas"] = "1000000000000000000000".into();
    document["worker_timeout_s"] = 7.into();
    let config = facilitator(&document).unwrap();
    assert_eq!((config.origin.chain_id, config.auxiliary.chain_id), (3, 1406));
    assert_eq!((config.origin.settings.confirmations, config.auxiliary.settings.confirmations), (2, 6));
    assert_eq!(config.auxiliary.settings.poll_interval, Duration::from_millis(50));
    assert_eq!(config.auxiliary.settings.max_fee_per_gas, U256::exp10(21));
    assert_eq!(config.settings, Settings { worker_timeout: Duration::from_secs(7), ..Settings::default() });
    assert_eq!(config.workers().iter().map(ToString::to_string).collect::<Vec<_>>(), [ORIGIN, AUXILIARY]);
    assert_eq!(config.db, Db::Sqlite(config.file.with_file_name("facilitator.db")));
    assert_eq!(config.chain(1406), Some(&config.auxiliary));
    assert_eq!(config.chain(1407), None);
}

#[test]
fn what_may_be_left_out_has_its_default() {
    let mut document = ticket();
    for key in ["version", "db", "auxiliary_chain_id"] {
        document.as_object_mut().unwrap().remove(key);
    }
    document["chains"]["3"].as_object_mut().unwrap().remove("rpc");
    let config = facilitator(&document).unwrap();
    assert_eq!(config.auxiliary.chain_id, 1406, "of two chains the one that is not the origin");
    assert_eq!(config.origin.rpc[0].url(), "http://127.0.0.1:8545");
    assert!(matches!(&config.db, Db::Sqlite(path) if path.ends_with("home/1406/facilitator.db")));

    // The source ticket's own example has no chain ids at its top level: the command line or the mosaic config tells.
    document.as_object_mut().unwrap().remove("origin_chain_id");
    assert_eq!(config_error(facilitator(&document).unwrap_err()).path, "origin_chain_id");
    let (directory, home) = home();
    let file = write(&directory.path().join("c.json"), &document);
    let names = Names::default();
    let context = Context { home: &home, names: &names, auxiliary_chain_id: Some(1406), origin_chain_id: None };
    assert_eq!(Facilitator::read(&file, context).unwrap().origin.chain_id, 3);
    let other = Context { auxiliary_chain_id: None, origin_chain_id: Some(3), ..context };
    assert_eq!(Facilitator::read(&file, other).unwrap().auxiliary.chain_id, 1406);
}

#[test]
fn a_database_server_is_read_and_its_secrets_are_not_shown() {
    let mut document = ticket();
    document["db"] = json!({ "url": "postgres://u:hidden@host/db", "username": "u", "password": "hidden" });
    document["chains"]["3"]["rpc"] = json!(["https://user:hidden@node/hidden?key=hidden"]);
    let config = facilitator(&document).unwrap();
    assert!(matches!(&config.db, Db::Url { password: Some(password), .. } if password.expose() == "hidden"));
    let shown = format!("{config:?}");
    assert!(!shown.contains("hidden") && !shown.contains("ciphertext"), "{shown}");
}

#[test]
fn a_wrong_config_is_refused_with_the_path_of_the_field() {
    let set = |value: Value| Edit::Set(value);
    let store = ticket()["encrypted_accounts"][ORIGIN].clone();
    let account = format!("/encrypted_accounts/{ORIGIN}");
    let cases: Vec<(String, Edit, String, &str)> = [
        ("/version", set(json!(2)), "version", "must be 1"),
        ("/confirmations", set(json!(6)), "confirmations", "unknown key"),
        ("/encrypted_account", set(json!({})), "encrypted_account", "did you mean \"encrypted_accounts\"?"),
        ("/origin_chain_id", set(json!("3")), "origin_chain_id", "whole number"),
        ("/origin_chain_id", set(json!(1406)), "auxiliary_chain_id", "must be another chain"),
        ("/auxiliary_chain_id", set(json!(1407)), "chains.1407", "missing"),
        ("/chains", Edit::Remove, "chains", "missing"),
        ("/chains/1406", Edit::Remove, "chains.1406", "missing"),
        ("/chains/03", set(json!({ "workers": [ORIGIN] })), "chains.03", "leading zeros"),
        ("/chains/3/confirmatoins", set(json!(6)), "chains.3.confirmatoins", "did you mean \"confirmations\"?"),
        ("/chains/3/confirmations", set(json!(-1)), "chains.3.confirmations", "from 0 to 100000, not -1"),
        ("/chains/3/rpc", set(json!([])), "chains.3.rpc", "1 to 32"),
        ("/chains/3/rpc", set(json!(8545)), "chains.3.rpc", "a list"),
        ("/chains/1406/rpc", set(json!("ws://x")), "chains.1406.rpc", "http://"),
        ("/chains/3/rpc", set(json!(["http://a", "b"])), "chains.3.rpc[1]", "http://"),
        ("/chains/3/rpc", set(json!(["http://a", "http://a"])), "chains.3.rpc[1]", "stands twice"),
        ("/chains/3/workers", Edit::Remove, "chains.3.workers", "missing"),
        ("/chains/3/workers", set(json!([])), "chains.3.workers", "1 to 100"),
        (
            "/chains/3/workers/0",
            set(json!(AUXILIARY.to_lowercase().replace('e', "E"))),
            "chains.3.workers[0]",
            "checksum",
        ),
        ("/chains/3/workers", set(json!([ORIGIN, ORIGIN.to_lowercase()])), "chains.3.workers[1]", "stands twice"),
        (
            "/chains/3/workers/0",
            set(json!("0x00000000000000000000000000000000000000aa")),
            "chains.3.workers[0]",
            "has no key store",
        ),
        (
            "/chains/3/max_priority_fee_per_gas",
            set(json!("500000000001")),
            "chains.3.max_priority_fee_per_gas",
            "above",
        ),
        ("/db", set(json!({})), "db.db_path", "missing"),
        ("/db/url", set(json!("postgres://h/d")), "db.db_path", "stands beside url"),
        ("/db/db_path", set(json!("postgres://u:hidden@h/d")), "db.db_path", "not a URL"),
        ("/db/password", set(json!("hidden")), "db.password", "needs url"),
        ("/db", set(json!({ "url": "mysql://hidden" })), "db.url", "postgres://"),
        ("/encrypted_hash_lock_key", set(json!("x")), "encrypted_hash_lock_key", "must be an object"),
        ("/encrypted_hash_lock_key/version", set(json!(1)), "encrypted_hash_lock_key.version", "must be 3"),
        ("/encrypted_hash_lock_key/crypto", Edit::Remove, "encrypted_hash_lock_key.crypto", "missing"),
        ("/encrypted_accounts/0x12", set(store.clone()), "encrypted_accounts.0x12", "20 bytes"),
    ]
    .map(|(pointer, edit, path, message)| (pointer.to_owned(), edit, path.to_owned(), message))
    .into_iter()
    .chain([
        (
            format!("{account}/address"),
            set(json!(AUXILIARY)),
            format!("encrypted_accounts.{ORIGIN}.address"),
            "must be 0x9d8A",
        ),
        (
            format!("/encrypted_accounts/{}", ORIGIN.to_lowercase()),
            set(store),
            format!("encrypted_accounts.{}", ORIGIN.to_lowercase()),
            "stands twice",
        ),
    ])
    .collect();
    for (pointer, edit, path, message) in cases {
        let error = config_error(facilitator(&edited(ticket(), &pointer, &edit)).expect_err(&pointer));
        assert_eq!(error.path, path, "{error}");
        assert!(error.message.contains(message), "{error}");
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
}

#[test]
fn the_published_shape_is_read_as_it_is() {
    let config = facilitator(&fixture_json("published-facilitator-config.json")).unwrap();
    assert_eq!((config.origin.chain_id, config.auxiliary.chain_id), (3, 1406));
    assert_eq!(config.origin.rpc[0].url(), "http://127.0.0.1:8545");
    assert_eq!(config.origin.workers[0].to_string(), ORIGIN);
    assert!(config.encrypted_hash_lock_key.is_none());
    assert!(matches!(&config.db, Db::Sqlite(path) if path.ends_with("mosaic_facilitator.db")));

    for (pointer, edit, path) in [
        ("/database", Edit::Remove, "database"),
        ("/database/path", Edit::Set(json!("postgres://u:hidden@h/d")), "database.path"),
        ("/chains/ropsten/rpc", Edit::Set(json!("http://a")), "chains.ropsten.rpc"),
        ("/chains/ropsten/worker", Edit::Set(json!([ORIGIN])), "chains.ropsten.worker"),
        ("/chains/3", Edit::Set(json!({ "worker": ORIGIN })), "chains.ropsten"),
        ("/chains/1406", Edit::Remove, "chains.1406"),
        ("/encrypted_accounts", Edit::Set(json!({})), "encrypted_accounts"),
        ("/auxChainId", Edit::Set(json!("1406")), "auxChainId"),
    ] {
        let document = edited(fixture_json("published-facilitator-config.json"), pointer, &edit);
        assert_eq!(config_error(facilitator(&document).expect_err(pointer)).path, path);
    }
}

#[test]
fn an_unknown_chain_name_is_asked_for_and_learnt() {
    let mut document = fixture_json("published-facilitator-config.json");
    let entry = document["chains"].as_object_mut().unwrap().remove("ropsten").unwrap();
    document["chains"]["dev-origin"] = entry;
    document["originChain"] = "dev-origin".into();
    let Error::UnknownChainName { name, path, endpoints, .. } = facilitator(&document).unwrap_err() else { panic!() };
    assert_eq!((name.as_str(), path.as_str()), ("dev-origin", "chains.dev-origin"));
    assert_eq!(endpoints[0].url(), "http://127.0.0.1:8545");
    let (directory, home) = home();
    let file = write(&directory.path().join("c.json"), &document);
    let mut names = Names::default();
    names.learn("dev-origin", 12_346);
    names.learn("ropsten", 7);
    let context = Context { home: &home, names: &names, auxiliary_chain_id: None, origin_chain_id: None };
    assert_eq!(Facilitator::read(&file, context).unwrap().origin.chain_id, 12_346);
    assert_eq!(names.id(&facilitator_config::ChainRef::Name("ropsten".to_owned())), Some(3));
}

fn passwords(pairs: &[(&str, &str)]) -> Passwords {
    let mut passwords = Passwords::default();
    for (account, password) in pairs {
        passwords.insert(account.parse().unwrap(), Secret::from(*password));
    }
    passwords
}

#[test]
fn a_config_of_the_earlier_facilitator_gets_a_hash_lock_key_and_then_unlocks() {
    let (directory, home) = home();
    let file = directory.path().join("facilitator-config.json");
    fs::copy(fixture("published-facilitator-config.json"), &file).unwrap();
    let names = Names::default();
    let context = Context { home: &home, names: &names, auxiliary_chain_id: Some(1406), origin_chain_id: Some(3) };
    let config = Facilitator::read(&file, context).unwrap();
    let right = passwords(&[(ORIGIN, "origin password"), (AUXILIARY, "auxiliary password")]);
    assert_eq!(unlock(&config, &right).unwrap_err(), KeyError::NoHashLockKey { file: file.clone() });

    let wrong = passwords(&[(ORIGIN, "auxiliary password")]);
    let error = init::add_hash_lock_key(&config, &wrong, Kdf::Light, UNIX_EPOCH).unwrap_err();
    assert!(matches!(error, Error::Key(KeyError::WrongPassword { .. })), "{error}");
    let backups = init::add_hash_lock_key(&config, &right, Kdf::Light, UNIX_EPOCH).unwrap();
    assert_eq!(fs::read(&backups[0]).unwrap(), fs::read(fixture("published-facilitator-config.json")).unwrap());

    let config = Facilitator::read(&file, context).unwrap();
    let again = init::add_hash_lock_key(&config, &right, Kdf::Light, UNIX_EPOCH).unwrap_err();
    assert!(matches!(again, Error::Usage(_)), "a hash-lock key must never be replaced: {again}");
    let keys = unlock(&config, &right).unwrap();
    assert_eq!((*keys.origin[0].1, *keys.auxiliary[0].1), ([0x46; 32], [0x11; 32]));
    assert_ne!(*keys.hash_lock_key, [0; 32]);
    assert!(!format!("{keys:?}").contains("70, 70"));
}

#[test]
fn keys_that_do_not_open_name_the_account_and_never_the_password() {
    let config = facilitator(&ticket()).unwrap();
    let good = [(ORIGIN, "origin password"), (AUXILIARY, "auxiliary password")];
    assert!(unlock(&config, &passwords(&good)).is_ok());
    let error = unlock(&config, &passwords(&good[..1])).unwrap_err();
    assert_eq!(error, KeyError::Missing { account: AUXILIARY.parse().unwrap() });
    assert!(error.to_string().contains(&format!("MOSAIC_ADDRESS_PASSW_{AUXILIARY}")));
    let error = unlock(&config, &passwords(&[good[0], (AUXILIARY, "tell nobody")])).unwrap_err();
    assert_eq!(error, KeyError::WrongPassword { account: AUXILIARY.parse().unwrap() });
    assert!(!error.to_string().contains("tell nobody"));
    let error = unlock(&config, &passwords(&[good[0], (AUXILIARY, "")])).unwrap_err();
    assert_eq!(error, KeyError::BlankPassword { account: AUXILIARY.parse().unwrap() });

    let mut swapped = ticket();
    let mut store = swapped["encrypted_accounts"][ORIGIN].clone();
    store.as_object_mut().unwrap().remove("address");
    swapped["encrypted_accounts"][AUXILIARY] = store;
    let config = facilitator(&swapped).unwrap();
    let error = unlock(&config, &passwords(&[good[0], (AUXILIARY, "origin password")])).unwrap_err();
    let (account, found) = (AUXILIARY.parse().unwrap(), ORIGIN.parse().unwrap());
    assert_eq!(error, KeyError::OtherAccount { account, found });

    let mut other = ticket();
    other["encrypted_hash_lock_key"] = other["encrypted_accounts"][AUXILIARY].clone();
    let error = unlock(&facilitator(&other).unwrap(), &passwords(&good)).unwrap_err();
    assert!(matches!(error, KeyError::HashLockKey { .. }), "{error}");
}

fn selection(chain: Option<u64>) -> Selection {
    Selection { auxiliary_chain_id: chain, ..Selection::default() }
}

#[test]
fn loading_finds_files_in_their_order_and_compares_them() {
    let (_guard, home) = home();
    let names = Names::default();
    let load = |selection: &Selection, home: &Home| load(selection, home, &names);
    assert!(matches!(load(&selection(None), &home), Err(Error::Usage(_))));
    let missing = config_error(load(&selection(Some(1406)), &home).unwrap_err());
    assert_eq!(missing.file, home.facilitator_config(1406));
    assert!(missing.message.contains("facilitator init"));

    write(&home.facilitator_config(1406), &ticket());
    assert_eq!(home.configured_chains().unwrap(), [1406]);
    let missing = config_error(load(&selection(Some(1406)), &home).unwrap_err());
    assert_eq!(missing.file, home.mosaic_config(1406));
    assert!(missing.message.contains("ropsten.json"));

    // The network's own file, among others that do not hold the chain.
    let copy = |name: &str| fs::copy(fixture(name), home.path().join(name)).unwrap();
    copy("goerli.json");
    copy("ropsten.json");
    let loaded = load(&selection(Some(1406)), &home).unwrap();
    assert_eq!(loaded.mosaic_config, home.path().join("ropsten.json"));
    let by_file = Selection { facilitator_config: Some(home.facilitator_config(1406)), ..Selection::default() };
    assert_eq!(load(&by_file, &home).unwrap(), loaded);

    // The chain's own copy comes first, a given file before it; both must hold the chain and have the same origin.
    fs::copy(fixture("ticket-mosaic-config.json"), home.mosaic_config(1406)).unwrap();
    let loaded = load(&selection(Some(1406)), &home).unwrap();
    assert_eq!((loaded.mosaic_config, loaded.gateways[0].redeem_pool), (home.mosaic_config(1406), None));
    let given = |file: &Path| Selection { mosaic_config: Some(file.to_owned()), ..selection(Some(1406)) };
    assert_eq!(load(&given(&fixture("ropsten.json")), &home).unwrap().mosaic_config, fixture("ropsten.json"));
    let error = config_error(load(&given(&fixture("goerli.json")), &home).unwrap_err());
    assert_eq!((error.path.as_str(), error.file), ("auxiliaryChains.1406", fixture("goerli.json")));
    let mainnet = edited(fixture_json("ropsten.json"), "/originChain/chain", &Edit::Set("ethereum".into()));
    let mainnet = write(&home.path().join("other.json"), &mainnet);
    let error = config_error(load(&given(&mainnet), &home).unwrap_err());
    assert_eq!(error.path, "origin_chain_id");
    assert!(error.message.contains("is 3, but the mosaic config has 1"), "{error}");
}

/// Without prices nobody could tell whether a message pays.
#[test]
fn the_hunter_needs_prices() {
    let mut document = ticket();
    document["hunter"] = json!({ "enabled": true });
    let error = facilitator(&document).unwrap_err().to_string();
    assert!(error.contains("hunter.enabled: needs `prices`") && error.contains("set it to false"), "{error}");
    document["prices"] = json!({ "3": { "coin": "1" }, "1406": { "coin": "1" } });
    assert!(facilitator(&document).unwrap().hunter.enabled);
    let off = json!({ "enabled": false, "after_blocks": 5 });
    document.as_object_mut().unwrap().remove("prices");
    document["hunter"] = off;
    assert!(facilitator(&document).is_ok(), "what is off needs none");
}

#[test]
fn prices_are_read_by_chain_and_both_chains_must_have_them() {
    assert_eq!(facilitator(&ticket()).unwrap().prices, None);
    let token = "0xd426b22f3960d01189a3d548b45a7202489ff4de";
    let prices = json!({ "3": { "coin": "1800.5", "tokens": { token: "0.05" } }, "1406": { "coin": "0" } });
    let with = |prices: &Value| {
        let mut document = ticket();
        document["prices"] = prices.clone();
        document["min_profit"] = "0.1".into();
        facilitator(&document)
    };
    let config = with(&prices).unwrap();
    let read = config.prices.unwrap();
    assert_eq!(read.origin.coin.to_string(), "1800.5");
    assert_eq!(read.origin.tokens.get(&token.parse().unwrap()).map(ToString::to_string), Some("0.05".to_owned()));
    assert_eq!((read.auxiliary.coin.to_string(), read.auxiliary.tokens.len()), ("0".to_owned(), 0));
    assert_eq!(config.settings.min_profit.to_string(), "0.1");
    for (pointer, edit, path) in [
        ("/1406", Edit::Remove, "prices.1406".to_owned()),
        ("/3/coin", Edit::Remove, "prices.3.coin".to_owned()),
        ("/3/coin", Edit::Set(json!(1800)), "prices.3.coin".to_owned()),
        ("/3/coin", Edit::Set(json!("-1")), "prices.3.coin".to_owned()),
        ("/3/coins", Edit::Set(json!("1")), "prices.3.coins".to_owned()),
        ("/3/tokens/0x12", Edit::Set(json!("1")), "prices.3.tokens.0x12".to_owned()),
        ("/5", Edit::Set(json!({ "coin": "1" })), "prices".to_owned()),
    ] {
        assert_eq!(config_error(with(&edited(prices.clone(), pointer, &edit)).unwrap_err()).path, path, "{pointer}");
    }
    let other = json!({ "3": { "coin": "1" }, "5": { "coin": "1" } });
    assert_eq!(config_error(with(&other).unwrap_err()).path, "prices.1406");
}

fn gateway_document(numbers: [u8; 2]) -> Value {
    let address = |n: u8| format!("0x{}", format!("{n:02x}").repeat(20));
    json!({
        "mosaicConfigFilePath": "ropsten.json", "auxChainId": 1406,
        "originContracts": {
            "baseTokenAddress": address(1), "valueTokenAddress": address(2),
            "gatewayOrganizationAddress": address(3), "eip20GatewayAddress": address(numbers[0]),
        },
        "auxiliaryContracts": {
            "coGatewayOrganizationAddress": address(5), "eip20CoGatewayAddress": address(numbers[1]),
            "utilityTokenAddress": address(7),
        },
    })
}

#[test]
fn further_gateways_are_served_beside_the_first_and_none_twice() {
    let (_guard, home) = home();
    fs::create_dir_all(home.path()).unwrap();
    fs::copy(fixture("ropsten.json"), home.path().join("ropsten.json")).unwrap();
    let file = home.facilitator_config(1406);
    let place = |name: &str| home.path().join(name);
    for (name, numbers) in [("a.json", [0xa1, 0xa2]), ("b.json", [0xb1, 0xb2]), ("same.json", [0xc1, 0xa2])] {
        write(&place(name), &gateway_document(numbers));
    }
    let other_chain = edited(gateway_document([0xd1, 0xd2]), "/auxChainId", &Edit::Set(1407.into()));
    write(&place("1407.json"), &other_chain);
    let loaded = |paths: Value| {
        write(&file, &edited(ticket(), "/gateway_configs", &Edit::Set(paths)));
        load(&selection(Some(1406)), &home, &Names::default())
    };
    let served = loaded(json!(["../a.json", place("b.json")])).unwrap().gateways;
    let first = [0xa1, 0xb1].map(|n| Address([n; 20]));
    assert_eq!(served.iter().skip(1).map(|gateway| gateway.gateway).collect::<Vec<_>>(), first);
    assert_eq!(served.len(), 3);
    let pools = served.iter().all(|gateway| gateway.redeem_pool == served[0].redeem_pool);
    assert!(pools && served[2].anchor == served[0].anchor, "what they do not give comes from the mosaic config");

    let cases = [
        (json!(["../a.json", "../a.json"]), "gateway_configs[1]", "are served already"),
        (json!(["../a.json", "../b.json", "../same.json"]), "gateway_configs[2]", "are served already"),
        (json!(["../none.json"]), "gateway_configs[0]", "there is no file"),
        (json!([7]), "gateway_configs[0]", "must be text"),
        (json!("../a.json"), "gateway_configs", "must be a list"),
        (json!(["../1407.json"]), "auxChainId", "is 1407, but asked for was 1406"),
    ];
    for (paths, path, words) in cases {
        let error = config_error(loaded(paths).unwrap_err());
        assert_eq!(error.path, path, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}
