//! Logs left out and invented.

use super::{
    calls::{method, number, quantity},
    http::Upstream,
};
use anyhow::{Result, ensure};
use facilitator_eth::{Address, B256, Bytes, keccak256};
use serde_json::{Value as Json, json};

/// Index of invented logs: beyond any true one.
const INVENTED_INDEX: u64 = 1_000_000;

/// Whether a call asks for the logs of more blocks than this; one up to the newest does.
pub(super) fn is_wider(call: &Json, widest: u64) -> bool {
    let filter = &call["params"][0];
    if method(call) != "eth_getLogs" || !filter["blockHash"].is_null() {
        return false;
    }
    match (number(&filter["fromBlock"]), number(&filter["toBlock"])) {
        (Some(from), Some(to)) => to.saturating_sub(from) >= widest,
        (_, _) => true,
    }
}

/// Leaves out logs.
pub(super) fn hide(call: &Json, result: &mut Json, permille: u64) {
    let hidden = |log: &Json| {
        let place = format!("{}{}", log["blockHash"], log["logIndex"]);
        let [a, b, c, d, ..] = keccak256(place).0;
        u64::from(u32::from_be_bytes([a, b, c, d])) % 1000 < permille
    };
    let thin_out = |logs: &mut Json| {
        if let Some(logs) = logs.as_array_mut() {
            logs.retain(|log| !hidden(log));
        }
    };
    match method(call) {
        "eth_getLogs" => thin_out(result),
        "eth_getTransactionReceipt" if result.is_object() => thin_out(&mut result["logs"]),
        "eth_getBlockReceipts" => {
            result.as_array_mut().into_iter().flatten().for_each(|receipt| thin_out(&mut receipt["logs"]));
        }
        _ => {}
    }
}

/// A log that nobody emitted.
#[derive(Debug, Clone)]
pub(super) struct Invented {
    block: u64,
    hash: Json,
    log: Json,
}

impl Invented {
    pub(super) async fn new(
        node: &mut Upstream,
        block: u64,
        address: Address,
        topics: &[B256],
        data: &Bytes,
    ) -> Result<Self> {
        let header = node.call("eth_getBlockByNumber", json!([quantity(block), false])).await?;
        ensure!(header["hash"].is_string(), "the node has no block {block}");
        let hash = header["hash"].clone();
        let log = json!({
            "address": address, "topics": topics, "data": data, "blockNumber": quantity(block), "blockHash": hash,
            "transactionHash": keccak256(data), "transactionIndex": "0x0", "logIndex": quantity(INVENTED_INDEX),
            "removed": false,
        });
        Ok(Self { block, hash, log })
    }

    pub(super) fn tell(&self, call: &Json, result: &mut Json) {
        let asked = &call["params"][0];
        let Some(list) = result.as_array_mut() else { return };
        match method(call) {
            "eth_getLogs" if self.is_asked_for(asked) => list.push(self.log.clone()),
            "eth_getBlockReceipts" if *asked == self.hash || number(asked) == Some(self.block) => {
                list.push(self.receipt());
            }
            _ => {}
        }
    }

    fn is_asked_for(&self, filter: &Json) -> bool {
        let from = number(&filter["fromBlock"]).unwrap_or(0);
        let to = number(&filter["toBlock"]).unwrap_or(u64::MAX);
        let hash = &filter["blockHash"];
        let in_range = if hash.is_null() { (from..=to).contains(&self.block) } else { *hash == self.hash };
        in_range
            && allows(&filter["address"], &self.log["address"])
            && allows(&filter["topics"][0], &self.log["topics"][0])
    }

    fn receipt(&self) -> Json {
        let log = &self.log;
        json!({
            "type": "0x0", "status": "0x1", "cumulativeGasUsed": "0x5208", "gasUsed": "0x5208", "logs": [log],
            "effectiveGasPrice": "0x1", "from": Address::ZERO, "to": log["address"], "contractAddress": null,
            "transactionHash": log["transactionHash"], "transactionIndex": "0x0", "blockHash": self.hash,
            "blockNumber": log["blockNumber"], "logsBloom": format!("0x{}", "ff".repeat(256)),
        })
    }
}

/// Whether a filter's address or topic allows a value: none allows all, a list each of its items.
fn allows(filter: &Json, value: &Json) -> bool {
    let same = |one: &Json| match (one.as_str(), value.as_str()) {
        (Some(one), Some(value)) => one.eq_ignore_ascii_case(value),
        (_, _) => false,
    };
    filter.is_null() || same(filter) || filter.as_array().is_some_and(|list| list.iter().any(same))
}
