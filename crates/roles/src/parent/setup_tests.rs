//! What two chains say of one gateway pair, put together or refused.

use super::*;
use facilitator_eth::Address;
use facilitator_protocol::gateway::Mints;

const fn address(number: u8) -> Address {
    Address([number; 20])
}

fn configured(number: u8) -> ConfiguredGateway {
    ConfiguredGateway {
        origin_chain_id: 3,
        auxiliary_chain_id: 1406,
        composer: address(1),
        gateway: address(number),
        anchor: address(3),
        cogateway: address(number + 1),
        co_anchor: address(5),
        redeem_pool: Some(address(6)),
    }
}

fn on_origin(number: u8, message_box_offset: u8) -> Discovered {
    Discovered::Origin {
        gateway: address(number),
        value_token: address(11),
        base_token: address(12),
        composer_organization: address(13),
        stake_vault: address(15),
        message_box_offset,
    }
}

fn on_auxiliary(number: u8, message_box_offset: u8) -> Discovered {
    Discovered::Auxiliary {
        cogateway: address(number + 1),
        utility_token: address(14),
        mints: Mints::Token,
        pool_organization: Some(address(16)),
        message_box_offset,
    }
}

#[test]
fn a_gateway_pair_is_what_is_configured_and_what_both_chains_say() {
    // Another pair stands first on both chains, and is passed over.
    let (origin, auxiliary) = ([on_origin(60, 7), on_origin(40, 9)], [on_auxiliary(60, 7), on_auxiliary(40, 9)]);
    let set = combine(&configured(40), &origin, &auxiliary).unwrap();
    let ConfiguredGateway { origin_chain_id, auxiliary_chain_id, composer, gateway, anchor, cogateway, .. } =
        configured(40);
    let expected = GatewaySet {
        origin_chain_id,
        auxiliary_chain_id,
        composer,
        gateway,
        anchor,
        cogateway,
        co_anchor: address(5),
        redeem_pool: Some(address(6)),
        composer_organization: address(13),
        pool_organization: Some(address(16)),
        stake_vault: address(15),
        value_token: address(11),
        base_token: address(12),
        utility_token: address(14),
        mints: Mints::Token,
        message_box_offset: 9,
    };
    assert_eq!(set, expected);
}

#[test]
fn what_one_chain_alone_says_or_both_contradict_is_refused_in_words() {
    let cases = [
        (vec![], vec![on_auxiliary(40, 9)], "was not checked on both chains"),
        (vec![on_origin(40, 9)], vec![], "was not checked on both chains"),
        // An answer of the wrong chain is none.
        (vec![on_auxiliary(40, 9)], vec![on_origin(40, 9)], "was not checked on both chains"),
        (vec![on_origin(60, 9)], vec![on_auxiliary(40, 9)], "was not checked on both chains"),
        (vec![on_origin(40, 9)], vec![on_auxiliary(40, 7)], "at slot 9, its cogateway"),
    ];
    for (origin, auxiliary, words) in cases {
        let error = combine(&configured(40), &origin, &auxiliary).unwrap_err();
        assert!(error.contains(words), "{error}");
        assert!(error.contains(&address(40).to_string()), "does not name the gateway: {error}");
    }
}

#[test]
fn each_side_has_its_own_value() {
    let mut each = PerSide { origin: 1, auxiliary: 2 };
    each[Side::Auxiliary] += 40;
    assert_eq!((each[Side::Origin], each[Side::Auxiliary]), (1, 42));
    assert_eq!(each.iter().copied().collect::<Vec<_>>(), [1, 42]);
}
