//! Events against the real contracts' logs, and what a lying or foreign log becomes.

#![allow(clippy::unwrap_used)]

mod common;

use common::{text, vectors};
use facilitator_eth::{Address, B256, Bytes, U256, abi};
use facilitator_protocol::events::{Event, Log, Part, decode};
use serde_json::Value;

fn log(topics: Vec<B256>, data: Vec<u8>) -> Log {
    Log {
        address: Address([1; 20]),
        topics,
        data: Bytes(data),
        block_number: 7,
        block_hash: B256([2; 32]),
        tx_hash: B256([3; 32]),
        tx_index: 4,
        log_index: 5,
    }
}

/// The types of a signature.
fn types(signature: &str) -> Vec<&str> {
    let (_, rest) = signature.split_once('(').unwrap();
    rest.trim_end_matches(')').split(',').collect()
}

fn value(kind: &str, text: &str) -> abi::Value {
    match kind {
        "uint256" => abi::Value::Uint(text.parse().unwrap()),
        "address" => abi::Value::Address(text.parse().unwrap()),
        "bytes32" => abi::Value::Word(text.parse().unwrap()),
        "bool" => abi::Value::Bool(text == "true"),
        other => unreachable!("{other}"),
    }
}

/// The log of an event as the contracts emitted it: topics as recorded, data from the recorded arguments.
fn recorded(event: &Value, signature: &str) -> Log {
    let topics: Vec<B256> =
        event["topics"].as_array().unwrap().iter().map(|topic| topic.as_str().unwrap().parse().unwrap()).collect();
    let arguments = event["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap());
    let values: Vec<abi::Value> =
        types(signature).into_iter().zip(arguments).map(|(kind, text)| value(kind, text)).collect();
    // The indexed values come first in all of these.
    let data = abi::encode(&values[topics.len() - 1..]);
    log(topics, data)
}

#[test]
fn topics_are_the_hashes_of_the_signatures_and_all_differ() {
    let topics: std::collections::BTreeSet<_> = Event::TOPICS.iter().collect();
    assert_eq!(topics.len(), 28);
    for (topic, signature) in Event::TOPICS.iter().zip(Event::SIGNATURES) {
        assert_eq!(*topic, abi::topic(signature), "{signature}");
    }
}

/// Each word as 1, which every static type can hold: an event has one place for each value of its signature, and at
/// most one of them is indexed.
#[test]
fn every_event_reads_as_many_values_as_its_signature_has() {
    for (topic, signature) in Event::TOPICS.iter().zip(Event::SIGNATURES) {
        let count = types(signature).len();
        let words = |count: usize| U256::ONE.to_be_bytes().repeat(count);
        let read = |indexed: usize| {
            let topics = std::iter::once(*topic).chain(vec![U256::ONE.to_word(); indexed]).collect();
            decode(&log(topics, words(count - indexed)))
        };
        let event = [read(0), read(1)].into_iter().find_map(Result::ok).flatten().unwrap();
        assert_eq!(Some(event.name()), signature.split('(').next());
        let fields = serde_json::to_value(&event).unwrap();
        assert_eq!(fields.as_object().unwrap().len(), count + 1, "{signature}: its values and the name");
    }
}

#[test]
fn recorded_logs_are_read_with_every_value_in_its_place() {
    let run = vectors("e2e");
    let cases = [
        ("gatewayProven", "GatewayProven", vec!["gateway", "block_height", "storage_root", "was_already_proved"]),
        (
            "confirm",
            "StakeIntentConfirmed",
            vec!["message_hash", "staker", "nonce", "beneficiary", "amount", "block_height", "hash_lock"],
        ),
        (
            "stakeProgressed",
            "StakeProgressed",
            vec!["message_hash", "staker", "nonce", "amount", "proof_progress", "unlock_secret"],
        ),
        (
            "mintProgressed",
            "MintProgressed",
            vec![
                "message_hash",
                "staker",
                "beneficiary",
                "stake_amount",
                "minted_amount",
                "reward_amount",
                "proof_progress",
                "unlock_secret",
            ],
        ),
        (
            "redeemProgressed",
            "RedeemProgressed",
            vec!["message_hash", "redeemer", "nonce", "amount", "proof_progress", "unlock_secret"],
        ),
    ];
    for (key, name, fields) in cases {
        let signature = Event::SIGNATURES.iter().find(|signature| signature.starts_with(&format!("{name}("))).unwrap();
        let event = decode(&recorded(&run[key], signature)).unwrap().unwrap();
        assert_eq!(event.name(), name);
        let json = serde_json::to_value(&event).unwrap();
        for (field, argument) in fields.into_iter().zip(run[key]["args"].as_array().unwrap()) {
            let found = json[field].as_str().map_or_else(|| json[field].to_string(), str::to_owned);
            assert_eq!(found, argument.as_str().unwrap(), "{field} of {name}");
        }
        assert_eq!(event.message_hash().is_none(), name == "GatewayProven");
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
    }
}

#[test]
fn a_recorded_request_is_read_with_the_indexed_staker() {
    let run = vectors("e2e");
    let request = &run["stakeReq"];
    let input = |name: &str| text(&request["in"], &format!("/{name}")).to_owned();
    let values = [
        ("uint256", input("am")),
        ("address", input("benef")),
        ("uint256", input("gp")),
        ("uint256", input("gl")),
        ("uint256", input("n")),
        ("address", text(request, "/proxy").to_owned()),
        ("address", input("gateway")),
        ("bytes32", text(request, "/event").to_owned()),
    ];
    let data = abi::encode(&values.map(|(kind, text)| value(kind, &text)));
    let topics = [0, 1].map(|index| text(request, &format!("/topics/{index}")).parse().unwrap());
    let Some(Event::StakeRequested(event)) = decode(&log(topics.to_vec(), data)).unwrap() else {
        unreachable!("another event")
    };
    assert_eq!(event.staker.to_string(), input("staker"));
    assert_eq!(event.staker_proxy.to_string(), text(request, "/proxy"));
    assert_eq!((event.amount.to_string(), event.gas_limit.to_string()), (input("am"), input("gl")));
    assert_eq!(Event::from(event).request_hash().unwrap().to_string(), text(request, "/event"));
}

#[test]
fn foreign_logs_are_passed_over_and_damaged_ones_refused() {
    let run = vectors("e2e");
    assert_eq!(decode(&log(vec![], vec![])), Ok(None));
    let transfer = abi::topic("Transfer(address,address,uint256)");
    assert_eq!(decode(&log(vec![transfer], vec![1, 2, 3])), Ok(None));

    let signature = "StakeProgressed(bytes32,address,uint256,uint256,bool,bytes32)";
    let good = recorded(&run["stakeProgressed"], signature);
    let changed = |change: fn(&mut Log)| {
        let mut log = good.clone();
        change(&mut log);
        decode(&log).unwrap_err()
    };
    // A token contract may emit a log with our topic and any content.
    type Damage = fn(&mut Log);
    let cases: [(Damage, Part, &str); 6] = [
        (|log| log.data.0.truncate(159), Part::Data, "must be 160 bytes, not 159"),
        (|log| log.data.0.extend([0; 32]), Part::Data, "must be 160 bytes, not 192"),
        (|log| log.topics.truncate(1), Part::Topics, "must be 32 bytes, not 0"),
        (|log| log.topics.push(B256::ZERO), Part::Topics, "must be 32 bytes, not 64"),
        (|log| log.data.0[0] = 1, Part::Data, "the word at byte 0 is no address"),
        (|log| log.data.0[127] = 2, Part::Data, "the word at byte 96 is no bool"),
    ];
    for (change, part, reason) in cases {
        let error = changed(change);
        assert_eq!((error.part, error.source.to_string().as_str()), (part, reason));
        let expected =
            format!("log 5 of block 7 from {} is no StakeProgressed: its {part}: {reason}", Address([1; 20]));
        assert_eq!(error.to_string(), expected);
    }
    let huge = abi::encode(&[abi::Value::Uint(U256::MAX), abi::Value::Word(B256::ZERO)]);
    let anchored = log(vec![abi::topic("StateRootAvailable(uint256,bytes32)")], huge);
    assert_eq!(decode(&anchored).unwrap_err().source.to_string(), "the word at byte 0 is no 64-bit number");
}
