//! What nodes return: headers, logs, receipts, proofs.

use crate::{Outcome, Target, Verdict, corpus, mutate, promise};
use facilitator_chain::{
    rpc::RpcError,
    types::{parse_header, parse_log, parse_logs, parse_proof, parse_receipt},
};
use facilitator_dice::Rng;
use facilitator_eth::{Address, B256, U256};
use serde_json::{Value, json};

/// Longest words of an error, whatever the node says: it stands in log lines.
const MAX_ERROR: usize = 1024;

pub(super) fn target() -> Target {
    Target { name: "node-values", memory: 32 << 20, case: Box::new(one) }
}

fn word(byte: u8) -> String {
    B256([byte; 32]).to_string()
}

fn header() -> Value {
    json!({
        "number": "0x5", "hash": word(1), "parentHash": word(2), "timestamp": "0x10", "stateRoot": word(3),
        "logsBloom": format!("0x{}", "00".repeat(256)), "gasLimit": "0x1c9c380", "baseFeePerGas": "0x7",
        "transactions": [], "uncles": [], "miner": Address([9; 20]),
    })
}

pub(super) fn log() -> Value {
    let run = &corpus::VECTORS["e2e"];
    json!({
        "address": corpus::text(run, "/addr/gateway"), "topics": run["stakeProgressed"]["topics"], "data": "0x01",
        "blockNumber": "0x5", "blockHash": word(1), "transactionHash": word(2), "transactionIndex": "0x0",
        "logIndex": "0x3", "removed": false,
    })
}

fn receipt() -> Value {
    json!({
        "transactionHash": word(1), "blockNumber": "0x2", "blockHash": word(3), "status": "0x1", "gasUsed": "0x5208",
        "effectiveGasPrice": "0x3b9aca00", "from": Address([1; 20]), "to": Address([2; 20]), "logs": [log()],
    })
}

fn proof() -> Value {
    let proof = &corpus::VECTORS["e2e"]["proof"];
    let quantity = |at| corpus::read::<U256>(proof, at).to_quantity();
    json!({
        "address": corpus::text(&corpus::VECTORS["e2e"], "/addr/gateway"), "balance": quantity("/balance"),
        "nonce": quantity("/nonce"), "codeHash": proof["codeHash"], "storageHash": proof["storageHash"],
        "accountProof": proof["accountProof"],
        "storageProof": [{ "key": proof["key"], "value": quantity("/value"), "proof": proof["storageProof"] }],
    })
}

fn one(rng: &mut Rng) -> Outcome {
    let (kind, damaged) = (rng.below(5), !rng.chance(100));
    let mut value = match kind {
        0 => header(),
        1 => log(),
        2 => json!([log(), log()]),
        3 => receipt(),
        _ => proof(),
    };
    if damaged {
        mutate::json(rng, &mut value);
    }
    let outcome = match kind {
        0 => parse_header(&value).map(|header| {
            header.is_none_or(|header| {
                quantity(&value, "number") == Some(header.number) && same(&value, "stateRoot", header.state_root)
            })
        }),
        1 => parse_log(&value).map(|log| log_is(&value, &log)),
        2 => parse_logs(&value).map(|logs| {
            let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
            list.len() == logs.len() && list.iter().zip(&logs).all(|(value, log)| log_is(value, log))
        }),
        3 => parse_receipt(&value).map(|receipt| {
            receipt.is_none_or(|receipt| {
                quantity(&value, "blockNumber") == Some(receipt.block_number)
                    && same(&value, "transactionHash", receipt.tx_hash)
            })
        }),
        _ => {
            let run = &corpus::VECTORS["e2e"];
            let (address, key): (Address, B256) = (corpus::read(run, "/addr/gateway"), corpus::read(run, "/proof/key"));
            parse_proof(&value, address, &[key], 13).map(|proof| {
                let asked: Vec<B256> = proof.storage.iter().map(|part| part.key).collect();
                let small =
                    proof.account_nodes.iter().all(|node| node.0.len() <= 1024) && proof.account_nodes.len() <= 65;
                proof.address == address && asked == [key] && small
            })
        }
    };
    judge(outcome, damaged)
}

pub(super) fn judge(outcome: Result<bool, RpcError>, damaged: bool) -> Outcome {
    match outcome {
        Ok(true) => Ok(Verdict::Taken),
        Ok(false) => Err("taken, but it says something else".to_owned()),
        Err(error) => {
            promise(damaged, || format!("a right value is refused: {error}"))?;
            let words = error.to_string();
            promise(words.len() <= MAX_ERROR, || format!("an error of {} bytes: {words:.200}", words.len()))?;
            promise(!words.chars().any(char::is_control), || format!("control characters in {words:?}"))?;
            Ok(Verdict::Refused)
        }
    }
}

/// The quantity as another reader sees it.
fn quantity(value: &Value, key: &str) -> Option<u64> {
    u64::from_str_radix(value.get(key)?.as_str()?.strip_prefix("0x")?, 16).ok()
}

fn same(value: &Value, key: &str, found: B256) -> bool {
    value.get(key).and_then(Value::as_str).is_some_and(|text| text.to_lowercase() == found.to_string())
}

fn log_is(value: &Value, log: &facilitator_protocol::events::Log) -> bool {
    let topics = value["topics"].as_array().map(Vec::as_slice).unwrap_or_default();
    let topics = topics.iter().filter_map(Value::as_str).map(str::to_lowercase);
    quantity(value, "blockNumber") == Some(log.block_number)
        && quantity(value, "logIndex") == Some(log.log_index)
        && same(value, "blockHash", log.block_hash)
        && topics.eq(log.topics.iter().map(ToString::to_string))
        && value["data"].as_str().map(str::to_lowercase) == Some(log.data.to_string())
}
