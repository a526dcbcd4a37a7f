//! Call data, argument by argument, against another encoder.

#![allow(clippy::unwrap_used)]

use facilitator_eth::{Address, B256, Bytes, U256, abi};
use facilitator_protocol::{
    contracts::{
        anchor,
        gateway::{self, Intent, Leg},
        organization, pool, token,
    },
    model::{Kind, MessageStatus, Terms},
    secret::UnlockSecret,
};
use std::collections::BTreeMap;

const SENDER: Address = Address([0x33; 20]);
const BENEFICIARY: Address = Address([0x44; 20]);
const GATEWAY: Address = Address([0x11; 20]);
const LOCK: B256 = B256([0x66; 32]);
const MESSAGE: B256 = B256([0x77; 32]);
const HEIGHT: u64 = 13;

fn amount() -> U256 {
    "123456789012345678901".parse().unwrap()
}

fn terms() -> Terms {
    Terms {
        amount: amount(),
        beneficiary: BENEFICIARY,
        gas_price: U256::from(7u64),
        gas_limit: U256::from(300_000u64),
        nonce: U256::from(5u64),
        sender: SENDER,
        sender_proxy: Address([0xee; 20]),
        gateway: GATEWAY,
        request_hash: B256([0xee; 32]),
    }
}

fn ours() -> Vec<(&'static str, Bytes)> {
    let terms = terms();
    let intent = Intent {
        sender: SENDER,
        nonce: terms.nonce,
        beneficiary: BENEFICIARY,
        amount: terms.amount,
        gas_price: terms.gas_price,
        gas_limit: terms.gas_limit,
        hash_lock: LOCK,
    };
    let secret = UnlockSecret::public(B256([0x88; 32]));
    let nodes = Bytes((0..70).collect());
    let account = Bytes((0..3).collect());
    let with_proof =
        |kind, leg| gateway::progress_with_proof(kind, leg, MESSAGE, &nodes, HEIGHT, MessageStatus::Progressed);
    let (stake, redeem) = (Kind::Stake, Kind::Redeem);
    vec![
        ("requestStake", pool::request(stake, &terms)),
        ("requestRedeem", pool::request(redeem, &terms)),
        ("acceptStakeRequest", pool::accept(stake, &terms, LOCK)),
        ("acceptRedeemRequest", pool::accept(redeem, &terms, LOCK)),
        ("rejectStakeRequest", pool::reject(stake, &terms)),
        ("rejectRedeemRequest", pool::reject(redeem, &terms)),
        ("revokeStakeRequest", pool::revoke(stake, &terms)),
        ("revokeRedeemRequest", pool::revoke(redeem, &terms)),
        ("stakeRequestHashes", pool::request_hash_of(stake, SENDER, GATEWAY).data),
        ("redeemRequestHashes", pool::request_hash_of(redeem, SENDER, GATEWAY).data),
        ("hashRedeemRequest", pool::hash_redeem_request(&terms).data),
        ("stake", gateway::declare(stake, &intent)),
        ("redeem", gateway::declare(redeem, &intent)),
        ("confirmStakeIntent", gateway::confirm(stake, &intent, HEIGHT, &nodes)),
        ("confirmRedeemIntent", gateway::confirm(redeem, &intent, HEIGHT, &nodes)),
        ("proveGateway", gateway::prove_gateway(HEIGHT, &account, &nodes)),
        ("progressStake", gateway::progress(stake, Leg::Source, MESSAGE, &secret)),
        ("progressMint", gateway::progress(stake, Leg::Target, MESSAGE, &secret)),
        ("progressRedeem", gateway::progress(redeem, Leg::Source, MESSAGE, &secret)),
        ("progressUnstake", gateway::progress(redeem, Leg::Target, MESSAGE, &secret)),
        ("progressStakeWithProof", with_proof(stake, Leg::Source)),
        ("progressMintWithProof", with_proof(stake, Leg::Target)),
        ("progressRedeemWithProof", with_proof(redeem, Leg::Source)),
        ("progressUnstakeWithProof", with_proof(redeem, Leg::Target)),
        ("revertStake", gateway::declare_revert(stake, MESSAGE)),
        ("revertRedeem", gateway::declare_revert(redeem, MESSAGE)),
        ("confirmRevertStakeIntent", gateway::confirm_revert(stake, MESSAGE, HEIGHT, &nodes)),
        ("confirmRevertRedeemIntent", gateway::confirm_revert(redeem, MESSAGE, HEIGHT, &nodes)),
        ("progressRevertStake", gateway::progress_revert(stake, MESSAGE, HEIGHT, &nodes)),
        ("progressRevertRedeem", gateway::progress_revert(redeem, MESSAGE, HEIGHT, &nodes)),
        ("anchorStateRoot", anchor::anchor_state_root(HEIGHT, MESSAGE)),
        ("setWorker", organization::set_worker(SENDER, terms.nonce)),
        ("approve", token::approve(SENDER, amount())),
        ("allowance", token::allowance(SENDER, GATEWAY).data),
        ("transfer", token::transfer(SENDER, amount())),
    ]
}

#[test]
fn every_argument_stands_where_the_contract_reads_it() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors/calls.json")).unwrap();
    let theirs: BTreeMap<String, String> = serde_json::from_value(vectors["calls"].clone()).unwrap();
    let ours = ours();
    assert_eq!(ours.len(), theirs.len(), "every call of the vectors is compared");
    for (name, data) in ours {
        assert_eq!(Some(&data.to_string()), theirs.get(name), "{name}");
    }
}

#[test]
fn answers_are_read_or_refused() {
    let answer = |words: &[u64]| Bytes(words.iter().flat_map(|word| U256::from(*word).to_be_bytes()).collect());
    assert_eq!(gateway::outbox_status(MESSAGE).decode(&answer(&[3])), Ok(MessageStatus::DeclaredRevocation));
    assert!(gateway::outbox_status(MESSAGE).decode(&answer(&[5])).is_err());
    let active = gateway::inbox_active_process(SENDER).decode(&answer(&[9, 1])).unwrap();
    assert_eq!((active.message_hash, active.status), (U256::from(9u64).to_word(), MessageStatus::Declared));
    let stored = gateway::messages(MESSAGE).decode(&answer(&[1, 2, 3, 4, 5, 6, 7])).unwrap();
    let numbers = [stored.nonce, stored.gas_price, stored.gas_limit, stored.gas_consumed].map(U256::to_u64);
    assert_eq!(numbers, [Some(2), Some(3), Some(4), Some(7)]);
    assert_eq!((stored.sender.0[19], stored.hash_lock.0[31], stored.intent_hash.0[31]), (5, 6, 1));
    let redeem = gateway::redeems(MESSAGE).decode(&answer(&[1, 2, 3])).unwrap();
    assert_eq!((redeem.amount, redeem.bounty), (U256::ONE, U256::from(3u64)));
    let path = Bytes(abi::encode(&[abi::Value::Bytes(Bytes(vec![7; 32]))]));
    assert_eq!(gateway::encoded_gateway_path().decode(&path), Ok(Bytes(vec![7; 32])));

    // An address without a contract answers with nothing; one with another contract with anything.
    assert!(gateway::bounty().decode(&Bytes(vec![])).is_err());
    assert!(gateway::redeems(MESSAGE).decode(&answer(&[1, 2])).is_err());
    assert!(organization::is_worker(SENDER).decode(&answer(&[2])).is_err());
    assert!(anchor::get_latest_state_root_block_height().decode(&Bytes(vec![0xff; 32])).is_err());
}
