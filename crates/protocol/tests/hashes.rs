//! Hashes, hash locks and secrets against the real contracts and against values computed elsewhere.

#![allow(clippy::unwrap_used)]

mod common;

use common::{parsed, text, vectors};
use facilitator_eth::{
    Address, B256, Bytes, U256,
    abi::{Value, encode},
    keccak256,
};
use facilitator_protocol::{
    hashes::{self, MessageParts},
    model::{Kind, Terms},
    secret::{HashLockKey, SecretInput, UnlockSecret, derive},
};

fn b256(text: &str) -> B256 {
    text.parse().unwrap()
}

fn address(text: &str) -> Address {
    text.to_lowercase().parse().unwrap()
}

#[test]
fn type_hashes_cover_the_abi_encoding_of_their_strings() {
    let vectors = vectors("e2e");
    let cases = [
        (
            "StakeRequest(uint256 amount,address beneficiary,uint256 gasPrice,uint256 gasLimit,uint256 nonce,address staker,address gateway)",
            hashes::STAKE_REQUEST_TYPE,
            "/const/stakeReqType",
        ),
        (
            "RedeemRequest(uint256 amount,address beneficiary,uint256 gasPrice,uint256 gasLimit,uint256 nonce,address redeemer,address cogateway)",
            hashes::REDEEM_REQUEST_TYPE,
            "/const/redReqType",
        ),
        (
            "StakeIntent(uint256 amount,address beneficiary,address gateway)",
            hashes::STAKE_INTENT_TYPE,
            "/const/stakeIntentType",
        ),
        (
            "RedeemIntent(uint256 amount,address beneficiary,address gateway)",
            hashes::REDEEM_INTENT_TYPE,
            "/const/redIntentType",
        ),
        (
            "Message(bytes32 intentHash,uint256 nonce,uint256 gasPrice,uint256 gasLimit,address sender,bytes32 hashLock)",
            hashes::MESSAGE_TYPE,
            "/const/msgType",
        ),
    ];
    for (string, constant, on_chain) in cases {
        // The encoding of a string begins with its place; the arguments of a call of one string are just that.
        assert_eq!(keccak256(encode(&[Value::Bytes(Bytes(string.into()))])), constant, "{string}");
        assert_eq!(constant.to_string(), text(&vectors, on_chain));
        assert_ne!(keccak256(string), constant, "not the EIP-712 type hash");
    }
    assert_eq!(hashes::DOMAIN_TYPE, keccak256("EIP712Domain(address verifyingContract)"));
    assert_eq!(hashes::DOMAIN_TYPE.to_string(), text(&vectors, "/const/domTypePool"));
}

fn terms(input: &serde_json::Value, names: [&str; 7]) -> Terms {
    let [amount, beneficiary, gas_price, gas_limit, nonce, sender, gateway] = names.map(|name| format!("/{name}"));
    Terms {
        amount: parsed(input, &amount),
        beneficiary: parsed(input, &beneficiary),
        gas_price: parsed(input, &gas_price),
        gas_limit: parsed(input, &gas_limit),
        nonce: parsed(input, &nonce),
        sender: parsed(input, &sender),
        sender_proxy: Address::ZERO,
        gateway: parsed(input, &gateway),
        request_hash: B256::ZERO,
    }
}

fn stake_terms(run: &serde_json::Value) -> Terms {
    terms(&run["stakeReq"]["in"], ["am", "benef", "gp", "gl", "n", "staker", "gateway"])
}

#[test]
fn request_hashes_are_those_of_the_contracts() {
    let run = vectors("e2e");
    let (composer, pool) = (parsed(&run, "/addr/composer"), parsed(&run, "/addr/redeemPool"));
    assert_eq!(hashes::domain_separator(composer).to_string(), text(&run, "/stakeReq/dom"));
    assert_eq!(hashes::domain_separator(pool).to_string(), text(&run, "/const/domPool"));

    let stake = stake_terms(&run);
    let hash = hashes::request_hash(Kind::Stake, composer, &stake).to_string();
    assert_eq!(hash, text(&run, "/stakeReq/event"));
    assert_ne!(hash, text(&run, "/stakeReq/encoded/h"), "padded as EIP-712 would");
    assert_ne!(hash, hashes::request_hash(Kind::Stake, pool, &stake).to_string());

    let small =
        Terms { amount: U256::from(5_000_000_000_000_000_000u64), gas_price: U256::ONE, gas_limit: U256::ONE, ..stake };
    let hash = hashes::request_hash(Kind::Stake, composer, &small);
    assert_eq!(hash.to_string(), text(&vectors("revocation"), "/sameHash/0"));

    let redeem = terms(&run["redeemReq"]["in"], ["am", "ben2", "gp", "gl", "n", "redeemer", "cogateway"]);
    let hash = hashes::request_hash(Kind::Redeem, pool, &redeem);
    assert_eq!(hash.to_string(), text(&run, "/redeemReq/onchain"));
    // What the hash does not cover does not change it.
    let other = Terms { sender_proxy: composer, request_hash: hash, ..redeem };
    assert_eq!(hashes::request_hash(Kind::Redeem, pool, &other), hash);
}

#[test]
fn hashes_of_symbolic_values_are_those_computed_by_ethers_js() {
    let amount: U256 = "123456789012345678901".parse().unwrap();
    let symbolic = |byte: u8| Address([byte; 20]);
    let (gateway, cogateway, sender, beneficiary, pool) =
        (symbolic(0x11), symbolic(0x22), symbolic(0x33), symbolic(0x44), symbolic(0x55));
    let terms = Terms {
        amount,
        beneficiary,
        gas_price: U256::from(7u64),
        gas_limit: U256::from(300_000u64),
        nonce: U256::from(5u64),
        sender,
        sender_proxy: Address::ZERO,
        gateway: cogateway,
        request_hash: B256::ZERO,
    };
    assert_eq!(
        hashes::request_hash(Kind::Redeem, pool, &terms),
        b256("0x2527e0fbf06664298d54bed3f60cf20e8147019027e3ac4c87597ad98484e7a6")
    );
    assert_eq!(
        hashes::intent_hash(Kind::Stake, amount, beneficiary, gateway),
        b256("0x2b163afe54eff0a13f16e4f7601b60b79ca5958638b6e44fbda13d2116fb6d16")
    );
    assert_eq!(
        hashes::intent_hash(Kind::Redeem, amount, beneficiary, cogateway),
        b256("0xf6b0ea5fa47ec3e1b504e5fc6127b306eb15d1ee464f1cd8ba1ca991ce052bb4")
    );
}

#[test]
fn message_hashes_are_those_of_the_contracts() {
    let run = vectors("e2e");
    let stake = stake_terms(&run);
    let intent = hashes::intent_hash(Kind::Stake, stake.amount, stake.beneficiary, stake.gateway);
    assert_eq!(intent.to_string(), text(&run, "/msg/ih"));
    let (proxy, hash_lock) = (parsed(&run, "/stakeReq/proxy"), parsed(&run, "/secret/hl"));
    let message = hashes::message_of_request(Kind::Stake, &stake, proxy, hash_lock);
    assert_eq!(message.to_string(), text(&run, "/msg/event"));

    // A direct staker's message and a redeem's, from protocol.md 3.5.
    let direct = MessageParts {
        intent_hash: intent,
        nonce: U256::ZERO,
        gas_price: U256::from(10u64),
        gas_limit: U256::from(1_000_000u64),
        sender: stake.sender,
        hash_lock: hashes::hash_lock(&[0x44; 32]),
    };
    assert_eq!(
        hashes::message_hash(&direct),
        b256("0x017b991708abeb8ad20bfd0d0781ac296d06a7544f513e095751006e89329df2")
    );
    let redeem = terms(&run["redeemReq"]["in"], ["am", "ben2", "gp", "gl", "n", "redeemer", "cogateway"]);
    let lock = hashes::hash_lock(&[0x22; 32]);
    let proxy = address(text(&run, "/redeemReq/proxy"));
    assert_eq!(
        hashes::message_of_request(Kind::Redeem, &redeem, proxy, lock).to_string(),
        text(&run, "/redeemProgressed/args/0")
    );
}

#[test]
fn hash_locks_cover_the_raw_bytes_of_the_secret() {
    let run = vectors("e2e");
    let lock = UnlockSecret::public(parsed(&run, "/secret/secret")).hash_lock();
    assert_eq!(lock.to_string(), text(&run, "/secret/hl"));
    for wrong in ["/secret/stringHl", "/secret/dynHl"] {
        assert_ne!(lock.to_string(), text(&run, wrong));
    }
    let mut forty_two = [0; 32];
    forty_two[31] = 0x2a;
    let cases = [
        ([0x22; 32], "0xc4bd59e1394781d1c7bf20a2c0b30c2acc9fbdd52dc5e0d76917de4034ebdf59"),
        ([0x44; 32], "0x4033fb2e6fa5cf816f87a9a40e8ce681fb6d8aa53c5302e72b80f654141a0e65"),
        (forty_two, "0xbeced09521047d05b8960b7e7bcc1d1292cf3e4b2a6b63f48335cbde5f7545d2"),
    ];
    for (secret, lock) in cases {
        assert_eq!(hashes::hash_lock(&secret), b256(lock));
    }
}

fn secret_input() -> SecretInput {
    let run = vectors("e2e");
    SecretInput {
        chain_id: 3,
        pool: parsed(&run, "/addr/composer"),
        gateway: parsed(&run, "/addr/gateway"),
        request_hash: parsed(&run, "/stakeReq/event"),
        proxy: parsed(&run, "/stakeReq/proxy"),
        nonce: U256::from(7u64),
        attempt: 1,
    }
}

fn key() -> HashLockKey {
    HashLockKey::new(std::array::from_fn(|index| u8::try_from(index + 1).unwrap()))
}

/// Frozen: computed with Python's hmac and hashlib. If this fails, no declared message could be progressed any more.
#[test]
fn derived_secrets_never_change() {
    let input = secret_input();
    assert_eq!(
        derive(&key(), &input).reveal(),
        b256("0x7d75357d0b849b7d10789622b3cfe1a1e0f948560946409351b48025ff769940")
    );
    // 2^255 + 9: all 32 bytes of the nonce count.
    let mut nonce = [0; 32];
    (nonce[0], nonce[31]) = (0x80, 9);
    let large = SecretInput { nonce: U256::from_be_bytes(nonce), attempt: 0, ..input };
    assert_eq!(
        derive(&key(), &large).reveal(),
        b256("0xb7f5303f816e4adc21c852923f303bf8e5c5b5f70ab48397468a19c04d4e55b7")
    );
}

#[test]
fn every_part_of_the_input_makes_another_secret() {
    let input = secret_input();
    let other = Address([9; 20]);
    let inputs = [
        input,
        SecretInput { chain_id: 4, ..input },
        SecretInput { pool: other, ..input },
        SecretInput { gateway: other, ..input },
        SecretInput { request_hash: B256([9; 32]), ..input },
        SecretInput { proxy: other, ..input },
        SecretInput { nonce: U256::from(8u64), ..input },
        SecretInput { attempt: 2, ..input },
    ];
    let mut secrets: Vec<B256> = inputs.iter().map(|input| derive(&key(), input).reveal()).collect();
    secrets.push(derive(&HashLockKey::new([1; 32]), &input).reveal());
    secrets.sort();
    secrets.dedup();
    assert_eq!(secrets.len(), inputs.len() + 1);
}

#[test]
fn neither_key_nor_secret_is_shown() {
    let shown = format!("{:?} {:?}", HashLockKey::new([0xab; 32]), UnlockSecret::public(B256([0xab; 32])));
    assert_eq!(shown, "HashLockKey([secret]) UnlockSecret([secret])");
}
