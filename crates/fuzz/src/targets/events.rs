//! Logs with a topic of ours and any content, as any contract may emit them.

use crate::{Outcome, Target, Verdict, mutate, promise};
use facilitator_dice::Rng;
use facilitator_eth::{Address, B256, Bytes, U256, abi};
use facilitator_protocol::events::{Event, Log, decode};

pub(super) fn target() -> Target {
    Target { name: "events", memory: 4 << 20, case: Box::new(one) }
}

/// A value of a type of a signature, small enough for every narrower reading of it.
fn value(rng: &mut Rng, kind: &str) -> abi::Value {
    let byte = rng.next().to_le_bytes()[0];
    match kind {
        "address" => abi::Value::Address(Address([byte; 20])),
        "bytes32" => abi::Value::Word(B256([byte; 32])),
        "bool" => abi::Value::Bool(byte > 127),
        _ => abi::Value::Uint(U256::from(rng.next())),
    }
}

/// A log as the contracts would emit it: at most the first value is indexed.
fn genuine(rng: &mut Rng) -> Option<Log> {
    let number = rng.index(Event::TOPICS.len());
    let (topic, signature) = (Event::TOPICS.get(number)?, Event::SIGNATURES.get(number)?);
    let types = signature.split_once('(')?.1.trim_end_matches(')').split(',');
    let values: Vec<abi::Value> = types.map(|kind| value(rng, kind)).collect();
    let logs = [0, 1].map(|indexed| {
        let (first, rest) = values.split_at(indexed.min(values.len()));
        let first: Vec<B256> =
            abi::encode(first).chunks_exact(32).filter_map(|word| word.try_into().ok()).map(B256).collect();
        log([vec![*topic], first].concat(), abi::encode(rest))
    });
    logs.into_iter().find(|log| decode(log).is_ok())
}

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

fn one(rng: &mut Rng) -> Outcome {
    let good = genuine(rng).ok_or("a genuine log is refused")?;
    let event = decode(&good).ok().flatten().ok_or("a genuine log is passed over")?;
    let mut bad = good.clone();
    match rng.below(4) {
        0 => mutate::bytes(rng, &mut bad.data.0),
        1 => {
            let mut topics: Vec<u8> = bad.topics.iter().flat_map(|topic| topic.0).collect();
            mutate::bytes(rng, &mut topics);
            bad.topics = topics.chunks_exact(32).filter_map(|word| word.try_into().ok()).map(B256).collect();
        }
        2 => bad.topics.push(B256([1; 32])),
        _ => bad.data.0.push(0),
    }
    if (&bad.topics, &bad.data) == (&good.topics, &good.data) {
        return Ok(Verdict::Taken);
    }
    match decode(&bad) {
        Ok(Some(other)) => {
            // Every bit of a log is part of what it says.
            promise(other != event, || format!("two logs are the same {}", event.name()))?;
            promise(bad.data.0.len().is_multiple_of(32), || "half a word is taken".to_owned())?;
            let json = serde_json::to_value(&other).map_err(|error| error.to_string())?;
            let back: Event =
                serde_json::from_value(json).map_err(|error| format!("its own JSON is refused: {error}"))?;
            promise(back == other, || "it comes back from JSON as another".to_owned())?;
            Ok(Verdict::Taken)
        }
        Ok(None) => {
            promise(bad.topics.first() != good.topics.first(), || "a log with our topic is passed over".to_owned())?;
            Ok(Verdict::Refused)
        }
        Err(error) => {
            promise(error.to_string().len() < 300, || format!("a long error: {error}"))?;
            Ok(Verdict::Refused)
        }
    }
}
