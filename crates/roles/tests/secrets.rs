//! No type that holds a key, a secret or call data that reveals one shows it in its debug form, and so neither in a log
//! nor in a panic.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what cannot go wrong by panicking")]

use facilitator_chain::reader::{At, Query};
use facilitator_config::Secret;
use facilitator_eth::tx::{Fee, SecretKey, Signed, Transaction};
use facilitator_eth::{Address, B256, Bytes, U256};
use facilitator_protocol::model::{RequestId, Side, Step};
use facilitator_protocol::secret::{HashLockKey, UnlockSecret};
use facilitator_roles::messages::{
    Ask, ChainSetup, FromSender, FromWorker, KeyBytes, SenderSetup, ToScanner, ToSender, ToWorker,
};
use facilitator_sender::{Submit, Visibility};
use facilitator_store::journal::{Attempt, EntryId, NewEntry, Signature};
use std::fmt::Debug;

/// In every form in which bytes may be written: hexadecimal, decimal, text.
const SECRET: [u8; 32] = [0x5a; 32];

fn address() -> Address {
    Address([1; 20])
}

#[track_caller]
fn hides(value: impl Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        let text = text.to_lowercase();
        let bare: String = text.chars().filter(|one| !one.is_whitespace()).collect();
        for form in ["5a5a", "90,90", "zzzz"] {
            assert!(!bare.contains(form), "{text}");
        }
    }
}

fn submit() -> Submit {
    Submit {
        intent: "progress_source:7".to_owned(),
        request_id: Some(RequestId(7)),
        step: Step::ProgressSource,
        from: None,
        to: address(),
        value: U256::ZERO,
        data: Bytes(SECRET.to_vec()),
        allowance: None,
        after: None,
        expect: None,
        visibility: Visibility::Reveals,
        seen: 0,
    }
}

fn setup() -> SenderSetup {
    SenderSetup {
        chain: ChainSetup {
            side: Side::Origin,
            chain_id: 3,
            pair: (3, 1406),
            rpc: Vec::new(),
            database: String::new(),
            confirmations: 6,
            poll_interval_ms: 1_000,
            rpc_timeout_ms: 10_000,
            max_batch: 100,
        },
        instance: "here:1406".to_owned(),
        keys: vec![(address(), KeyBytes(SECRET))],
        hash_lock_key: KeyBytes(SECRET),
        max_fee_per_gas: U256::ONE,
        max_priority_fee_per_gas: U256::ONE,
        gas_margin_percent: 20,
        resend_after_blocks: 3,
        replace_bump_percent: 15,
        max_replacements: 20,
        min_balance: facilitator_eth::U256::ZERO,
    }
}

#[test]
fn keys_and_secrets() {
    hides(KeyBytes(SECRET));
    hides(HashLockKey::new(SECRET));
    hides(UnlockSecret::public(B256(SECRET)));
    hides(SecretKey::from_bytes(&SECRET).unwrap());
    hides(Secret::new("zzzz".to_owned()));
    hides(facilitator_config::Keys {
        origin: vec![(address(), SECRET.into())],
        auxiliary: vec![(address(), SECRET.into())],
        hash_lock_key: SECRET.into(),
    });
}

#[test]
fn messages_that_carry_them() {
    hides(setup());
    hides(ToSender::Setup(Box::new(setup())));
    hides(ToSender::Submit(Ask(1), Box::new(submit())));
    hides(FromWorker::Submit(Ask(1), Side::Origin, Box::new(submit())));
    hides(FromSender::Secret(Ask(1), UnlockSecret::public(B256(SECRET))));
    hides(ToWorker::Secret(Ask(1), UnlockSecret::public(B256(SECRET))));
    let call = || Query::Call { from: None, to: address(), data: Bytes(SECRET.to_vec()), at: At::Latest };
    hides(FromWorker::Read(Ask(1), Side::Origin, vec![call()]));
    hides(ToScanner::Read(Ask(1), vec![call()]));
    hides(facilitator_ipc::encode(&ToWorker::Secret(Ask(1), UnlockSecret::public(B256(SECRET)))).unwrap());
}

#[test]
fn call_data_on_its_way_into_the_journal_and_out_of_it() {
    let fee = Fee::Legacy { gas_price: U256::ONE };
    let (hash, raw) = (B256([2; 32]), Bytes(SECRET.to_vec()));
    hides(submit());
    hides(NewEntry {
        intent: "progress_source:7".to_owned(),
        request_id: None,
        step: Step::ProgressSource,
        account: None,
        to: address(),
        value: U256::ZERO,
        data: raw.clone(),
        visibility: facilitator_store::journal::Visibility::Reveals,
        after: None,
        allowance: None,
        expect: None,
    });
    let (gas_limit, account, nonce) = (1, address(), 1);
    hides(Signature { id: EntryId(1), account, nonce, hash, raw: raw.clone(), gas_limit, fee });
    hides(Attempt {
        number: 1,
        hash,
        raw: raw.clone(),
        gas_limit,
        fee,
        signed_at_ms: 0,
        broadcast_at_ms: None,
        broadcast_block: None,
    });
    hides(Signed { hash, raw: raw.clone() });
    let to = address();
    hides(Transaction { chain_id: 3, nonce, to, value: U256::ZERO, data: raw, gas_limit, fee });
}
