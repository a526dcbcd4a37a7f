//! Mosaic and gateway configs: the real networks' files as they are, both vintages, and every way to be wrong.
// The lint configuration knows test functions, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Edit, edited, fixture, fixture_json, home, write};
use facilitator_config::{ChainRef, GatewayConfig, Mosaic, Names};
use serde_json::{Value, json};

#[test]
fn the_files_of_the_real_networks_are_read_as_they_are() {
    for (name, id, chains, stake, redeem) in [
        ("ethereum", 1, &[1414][..], false, false),
        ("goerli", 5, &[1405], true, true),
        ("ropsten", 3, &[1406, 1407], true, true),
    ] {
        let mosaic = Mosaic::read(&fixture(&format!("{name}.json"))).unwrap();
        assert_eq!(mosaic.origin.chain, ChainRef::Name(name.to_owned()));
        assert_eq!(Names::default().id(&mosaic.origin.chain), Some(id));
        assert_eq!(mosaic.auxiliary.keys().copied().collect::<Vec<_>>(), chains);
        for chain in chains {
            let gateway = mosaic.gateway(*chain).unwrap();
            assert_eq!((gateway.composer.is_some(), gateway.redeem_pool.is_some()), (stake, redeem), "{name}");
        }
    }
}

#[test]
fn every_address_of_a_gateway_comes_from_its_place() {
    let gateway = Mosaic::read(&fixture("ropsten.json")).unwrap().gateway(1407).unwrap();
    let document = fixture_json("ropsten.json");
    let at = |pointer: &str| document.pointer(pointer).unwrap().as_str().unwrap().to_lowercase();
    let contracts = "/auxiliaryChains/1407/contractAddresses";
    for (address, pointer) in [
        (gateway.composer.unwrap(), "/originChain/contractAddresses/stakePoolAddress".to_owned()),
        (gateway.value_token.unwrap(), "/originChain/contractAddresses/valueTokenAddress".to_owned()),
        (gateway.gateway, format!("{contracts}/origin/eip20GatewayAddress")),
        (gateway.anchor, format!("{contracts}/origin/anchorAddress")),
        (gateway.base_token, format!("{contracts}/origin/baseTokenAddress")),
        (gateway.gateway_organization.unwrap(), format!("{contracts}/origin/gatewayOrganizationAddress")),
        (gateway.cogateway, format!("{contracts}/auxiliary/eip20CoGatewayAddress")),
        (gateway.co_anchor, format!("{contracts}/auxiliary/anchorAddress")),
        (gateway.utility_token, format!("{contracts}/auxiliary/utilityTokenAddress")),
        (gateway.redeem_pool.unwrap(), format!("{contracts}/auxiliary/redeemPoolAddress")),
        (gateway.cogateway_organization.unwrap(), format!("{contracts}/auxiliary/coGatewayOrganizationAddress")),
    ] {
        assert_eq!(address.to_lower_hex(), at(&pointer), "{pointer}");
    }
}

#[test]
fn both_vintages_become_the_same_model() {
    let published = Mosaic::read(&fixture("ropsten.json")).unwrap();
    let ticket = Mosaic::read(&fixture("ticket-mosaic-config.json")).unwrap();
    assert_eq!(ticket.origin.chain, ChainRef::Id(3));
    assert_eq!(ticket.origin.libraries, published.origin.libraries);
    for chain in [1406, 1407] {
        let mut expected = published.gateway(chain).unwrap();
        // The ticket knows stake & mint alone.
        expected.redeem_pool = None;
        assert_eq!(ticket.gateway(chain).unwrap(), expected);
        assert_eq!(
            ticket.chain(chain).unwrap().auxiliary.libraries,
            published.chain(chain).unwrap().auxiliary.libraries
        );
    }
}

#[test]
fn an_auxiliary_chains_own_composer_comes_before_the_shared_one() {
    let own = "0x00000000000000000000000000000000000000aa";
    let pointer = "/auxiliaryChains/1406/contractAddresses/origin/stakePoolAddress";
    let document = edited(fixture_json("ropsten.json"), pointer, &Edit::Set(own.into()));
    let (directory, _) = home();
    let mosaic = Mosaic::read(&write(&directory.path().join("m.json"), &document)).unwrap();
    assert_eq!(mosaic.gateway(1406).unwrap().composer.unwrap().to_lower_hex(), own);
    assert_eq!(mosaic.gateway(1407).unwrap().composer, mosaic.origin.composer);
}

/// Pointer, edit, path in the error, part of its message.
type Case = (&'static str, Edit, &'static str, &'static str);

fn check(document: &Value, cases: Vec<Case>, read: impl Fn(&Value) -> Option<facilitator_config::ConfigError>) {
    assert!(read(document).is_none());
    for (pointer, edit, path, message) in cases {
        let error = read(&edited(document.clone(), pointer, &edit)).unwrap_or_else(|| panic!("{pointer} was accepted"));
        assert_eq!(error.path, path, "{error}");
        assert!(error.message.contains(message), "{error}");
    }
}

#[test]
fn a_wrong_mosaic_config_is_refused_with_the_path_of_the_field() {
    let (directory, _) = home();
    let chain = "/auxiliaryChains/1406";
    let set = |value: Value| Edit::Set(value);
    let cases = vec![
        ("/originChain", Edit::Remove, "originChain", "missing"),
        ("/auxiliaryChains", set(json!({})), "auxiliaryChains", "at least one"),
        ("/auxiliaryChains", set(json!([])), "auxiliaryChains", "must be an object, not a list"),
        ("/originChains", set(json!({})), "originChains", "did you mean \"originChain\"?"),
        ("/originChain/chain", Edit::Remove, "originChain.chain", "missing"),
        ("/originChain/chain", set(json!("")), "originChain.chain", "name of 1 to 50"),
        ("/originChain/chain", set(json!("../x")), "originChain.chain", "name of 1 to 50"),
        ("/originChain/chain", set(json!("03")), "originChain.chain", "without leading zeros"),
        ("/originChain/chain", set(json!(0)), "originChain.chain", "from 1 to"),
        ("/originChain/chain", set(json!(1406)), "auxiliaryChains.1406.chainId", "must not be the origin chain's"),
        ("/originChain/chainId", set(json!(3)), "originChain.chainId", "means the same as originChain.chain"),
        (
            "/originChain/contractAddresses/valueTokenAddress",
            set(json!("0xAe96D2acd01ab795e5942591100f9f23adbe2a2e")),
            "originChain.contractAddresses.valueTokenAddress",
            "checksum",
        ),
        ("/auxiliaryChains/1406/chainId", set(json!("1406")), "auxiliaryChains.1406.chainId", "not text"),
        ("/auxiliaryChains/1406/chainId", set(json!(1407)), "auxiliaryChains.1406.chainId", "must be 1406"),
        ("/auxiliaryChains/1406/genesis", set(json!([])), "auxiliaryChains.1406.genesis", "must be an object"),
        ("/auxiliaryChains/1406/bootNodes", set(json!([1])), "auxiliaryChains.1406.bootNodes", "enode"),
        (
            "/auxiliaryChains/1406/contractAddresses/origin/eip20GatewayAddress",
            Edit::Remove,
            "auxiliaryChains.1406.contractAddresses.origin.eip20GatewayAddress",
            "missing",
        ),
        (
            "/auxiliaryChains/1406/contractAddresses/origin/eip20GatewayAddress",
            set(json!("0x04df90efbedf393361cdf498234af818da14f56")),
            "auxiliaryChains.1406.contractAddresses.origin.eip20GatewayAddress",
            "hexadecimal",
        ),
        (
            "/auxiliaryChains/1406/contractAddresses/origin/anchorAddress",
            set(json!("0x0000000000000000000000000000000000000000")),
            "auxiliaryChains.1406.contractAddresses.origin.anchorAddress",
            "zero address",
        ),
        (
            "/auxiliaryChains/1406/contractAddresses/auxiliary/utilityTokenAddress",
            set(json!("")),
            "auxiliaryChains.1406.contractAddresses.auxiliary.utilityTokenAddress",
            "must not be empty",
        ),
        (
            "/auxiliaryChains/1406/contractAddresses/auxiliary/eip20CogatewayAddress",
            set(json!("0x02cffaa1e06c28021fff6b36d9e418a97b3de2fc")),
            "auxiliaryChains.1406.contractAddresses.auxiliary.eip20CogatewayAddress",
            "did you mean \"eip20CoGatewayAddress\"?",
        ),
        ("/auxiliaryChains/x", set(json!({})), "auxiliaryChains.x", "must be a chain id"),
    ];
    let document = edited(fixture_json("ropsten.json"), &format!("{chain}/genesis"), &Edit::Set(json!({})));
    check(&document, cases, |document| Mosaic::read(&write(&directory.path().join("m.json"), document)).err());
}

#[test]
fn a_gateway_config_takes_anchors_and_missing_pools_from_its_mosaic_config() {
    let (directory, home) = home();
    let address = |n: u8| format!("0x{}", format!("{n:02x}").repeat(20));
    let document = json!({
        "mosaicConfigFilePath": "~/ropsten.json",
        "auxChainId": 1406,
        "originContracts": {
            "baseTokenAddress": address(1), "valueTokenAddress": address(2),
            "gatewayOrganizationAddress": address(3), "eip20GatewayAddress": address(4),
        },
        "auxiliaryContracts": {
            "coGatewayOrganizationAddress": address(5), "eip20CoGatewayAddress": address(6),
            "utilityTokenAddress": address(7), "redeemPoolAddress": address(8),
        },
    });
    let file = directory.path().join("g.json");
    let config = GatewayConfig::read(&write(&file, &document), &home).unwrap();
    assert_eq!(config.mosaic_config, directory.path().join("ropsten.json"));
    let mosaic = Mosaic::read(&fixture("ropsten.json")).unwrap();
    let (base, gateway) = (mosaic.gateway(1406).unwrap(), config.gateway(&mosaic).unwrap());
    assert_eq!((gateway.anchor, gateway.co_anchor, gateway.composer), (base.anchor, base.co_anchor, base.composer));
    assert_eq!(gateway.gateway.to_lower_hex(), address(4));
    assert_eq!(gateway.redeem_pool.unwrap().to_lower_hex(), address(8));
    let relative = edited(document.clone(), "/mosaicConfigFilePath", &Edit::Set("sub/m.json".into()));
    let config = GatewayConfig::read(&write(&file, &relative), &home).unwrap();
    assert_eq!(config.mosaic_config, directory.path().join("sub/m.json"));

    let cases = vec![
        ("/auxChainId", Edit::Remove, "auxChainId", "missing"),
        ("/auxChainId", Edit::Set(json!("1406")), "auxChainId", "whole number"),
        ("/originContracts/valueTokenAddress", Edit::Remove, "originContracts.valueTokenAddress", "missing"),
        (
            "/originContracts/stakePoolAddress",
            Edit::Set(json!("x")),
            "originContracts.stakePoolAddress",
            "begin with 0x",
        ),
        ("/auxiliaryContracts/anchorAddress", Edit::Set(json!("x")), "auxiliaryContracts.anchorAddress", "unknown key"),
    ];
    check(&document, cases, |document| GatewayConfig::read(&write(&file, document), &home).err());
}
