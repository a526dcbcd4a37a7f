//! The receipts of a whole block, and the root that they have together.
//!
//! Invariant: a receipt here has exactly what the root binds: type, outcome, gas so far and logs. The filter in its
//! encoding is made from the logs, so that no false one can be told.

use super::{
    bloom::Bloom,
    fields::{Fields, parse_text},
};
use crate::rpc::RpcError;
use facilitator_eth::{Address, B256, Bytes, U256, rlp, trie};
use serde_json::Value;

/// Topics that the EVM allows in a log.
const MAX_TOPICS: usize = 4;
/// Most receipts of a block that are read: a transaction costs 21,000 gas.
const MAX_RECEIPTS: usize = 65_536;
/// Most logs of a receipt that are read: each costs 375 gas at least.
const MAX_LOGS: usize = 1_000_000;
/// Types of transactions whose receipts have the form known here: legacy, access list, fee market, blobs, set code.
const KNOWN_TYPES: u64 = 4;

/// How a transaction ended, as its receipt encodes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Whether it succeeded.
    Status(bool),
    /// Root of the state after it (before byzantium).
    StateRoot(B256),
}

/// A log as a receipt encodes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BareLog {
    /// The contract that emitted it.
    pub address: Address,
    /// Its topics.
    pub topics: Vec<B256>,
    /// Its data.
    pub data: Bytes,
}

/// A receipt of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockReceipt {
    /// Hash of the transaction: as the node says, since the receipts' root does not bind it.
    pub tx_hash: B256,
    /// Type of the transaction (EIP-2718); 0 for legacy ones.
    pub kind: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Gas used in the block up to and with it.
    pub cumulative_gas: U256,
    /// Its logs in their order.
    pub logs: Vec<BareLog>,
}

/// A receipt of a type of transaction whose encoding is not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the receipt at place {place} is of type {kind}, whose encoding is not known")]
pub struct UnknownType {
    /// Its place in the block, from 0.
    pub place: usize,
    /// The type.
    pub kind: u64,
}

fn bare_log(value: &Value) -> Result<BareLog, RpcError> {
    let log = Fields::of("log of a receipt", value)?;
    if log.optional("removed").is_some_and(|removed| removed != &Value::Bool(false)) {
        return Err(log.refuse("was removed by a reorg"));
    }
    Ok(BareLog {
        address: log.address("address")?,
        topics: log.list("topics", MAX_TOPICS, parse_text)?,
        data: log.bytes("data")?,
    })
}

fn block_receipt(value: &Value) -> Result<BlockReceipt, RpcError> {
    let receipt = Fields::of("receipt", value)?;
    let outcome = if receipt.optional("status").is_some() {
        match receipt.u64("status")? {
            0 => Outcome::Status(false),
            1 => Outcome::Status(true),
            other => return Err(receipt.refuse(format!("`status` must be 0 or 1, but is {other}"))),
        }
    } else {
        Outcome::StateRoot(receipt.word("root")?)
    };
    Ok(BlockReceipt {
        tx_hash: receipt.word("transactionHash")?,
        kind: if receipt.optional("type").is_some() { receipt.u64("type")? } else { 0 },
        outcome,
        cumulative_gas: receipt.uint("cumulativeGasUsed")?,
        logs: receipt.list("logs", MAX_LOGS, |_, log| bare_log(log))?,
    })
}

/// Reads the answer of `eth_getBlockReceipts`, or a list of answers of `eth_getTransactionReceipt` in the order of the
/// block; `None` if the node doesn't have the block.
///
/// # Errors
/// [`RpcError::Malformed`] with the field.
pub fn parse_block_receipts(value: &Value) -> Result<Option<Vec<BlockReceipt>>, RpcError> {
    if value.is_null() {
        return Ok(None);
    }
    let list = value.as_array().ok_or_else(|| RpcError::malformed("receipts of a block: must be a list"))?;
    if list.len() > MAX_RECEIPTS {
        return Err(RpcError::malformed(format!("receipts of a block: {} are more than {MAX_RECEIPTS}", list.len())));
    }
    list.iter().map(block_receipt).collect::<Result<_, _>>().map(Some)
}

impl BareLog {
    fn encoded(&self) -> Vec<u8> {
        let topics: Vec<u8> = self.topics.iter().flat_map(|topic| rlp::string(topic.as_ref())).collect();
        let data = rlp::string(self.data.as_slice());
        rlp::list(&[rlp::string(self.address.as_ref()), rlp::list(&topics), data].concat())
    }
}

impl BlockReceipt {
    /// Its encoding in the trie (EIP-2718, EIP-658); `None` for a type that is not known here.
    fn encoded(&self) -> Option<Vec<u8>> {
        let kind = u8::try_from(self.kind).ok().filter(|kind| u64::from(*kind) <= KNOWN_TYPES)?;
        let outcome = match self.outcome {
            Outcome::Status(success) => rlp::uint(U256::from(u64::from(success))),
            Outcome::StateRoot(root) => rlp::string(root.as_ref()),
        };
        let bloom = Bloom::of_logs(self.logs.iter().map(|log| (&log.address, log.topics.as_slice())));
        let logs: Vec<u8> = self.logs.iter().flat_map(BareLog::encoded).collect();
        let gas = rlp::uint(self.cumulative_gas);
        let body = rlp::list(&[outcome, gas, rlp::string(bloom.as_bytes()), rlp::list(&logs)].concat());
        Some(if kind == 0 { body } else { [vec![kind], body].concat() })
    }
}

/// The root over the receipts of a block, given in its order.
///
/// # Errors
/// [`UnknownType`] with the first one that can't be encoded.
pub fn receipts_root(receipts: &[BlockReceipt]) -> Result<B256, UnknownType> {
    let encoded = receipts
        .iter()
        .enumerate()
        .map(|(place, receipt)| receipt.encoded().ok_or(UnknownType { place, kind: receipt.kind }));
    Ok(trie::ordered_root(&encoded.collect::<Result<Vec<_>, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The receipt of the first transaction on Ethereum's mainnet, in block 46147.
    fn first() -> Value {
        json!({
            "transactionHash": "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060",
            "root": "0x96a8e009d2b88b1483e6941e6812e32263b05683fac202abc622a3e31aed1957",
            "cumulativeGasUsed": "0x5208", "gasUsed": "0x5208", "logs": [],
        })
    }

    #[test]
    fn the_first_receipt_of_mainnet_has_its_root() {
        let receipts = parse_block_receipts(&json!([first()])).unwrap().unwrap();
        let root = "0xfe2bf2a941abf41d72637e5b91750332a30283efd40c424dc522b77e6f0ed8c4";
        assert_eq!(receipts_root(&receipts).unwrap(), root.parse().unwrap());
    }

    #[test]
    fn receipts_are_read_strictly_and_unknown_types_told() {
        let log = json!({ "address": Address([1; 20]), "topics": [], "data": "0x" });
        let mut receipt = first();
        receipt["logs"] = json!([log]);
        assert_eq!(parse_block_receipts(&json!([receipt])).unwrap().unwrap()[0].logs.len(), 1);
        for (field, value) in [
            ("root", Value::Null),
            ("status", json!("0x2")),
            ("cumulativeGasUsed", json!("1")),
            ("logs", Value::Null),
            ("logs", json!([{ "address": Address([1; 20]), "topics": [], "data": "0x", "removed": true }])),
            ("transactionHash", Value::Null),
            ("type", json!("x")),
        ] {
            let mut wrong = receipt.clone();
            wrong[field] = value;
            assert!(parse_block_receipts(&json!([wrong])).is_err(), "{field}");
        }
        receipt["type"] = json!("0x7e");
        let receipts = parse_block_receipts(&json!([first(), receipt])).unwrap().unwrap();
        assert_eq!(receipts_root(&receipts), Err(UnknownType { place: 1, kind: 0x7e }));
        assert_eq!(parse_block_receipts(&Value::Null).unwrap(), None);
        assert!(parse_block_receipts(&json!({})).is_err());
    }
}
