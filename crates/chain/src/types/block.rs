//! Block headers and logs.
//!
//! Invariant: a log is one of a mined block that was not removed; a header has the fields that every EVM chain since
//! byzantium has. Whether a log lies in the range and belongs to the contracts that were asked for is `scan`'s check.

use super::fields::{Fields, parse_text};
use crate::rpc::RpcError;
use facilitator_eth::{B256, U256, keccak256};
use facilitator_protocol::events::Log;
use serde_json::Value;
use std::fmt;

/// Topics that the EVM allows in a log.
const MAX_TOPICS: usize = 4;

/// The 2048-bit filter over a block's logs: what it doesn't hold, the block has not.
#[derive(Clone, PartialEq, Eq)]
pub struct Bloom(Box<[u8; 256]>);

impl Bloom {
    /// The filter that may contain anything: of a block whose logs are not filtered beforehand.
    #[must_use]
    pub fn of_anything() -> Self {
        Self(Box::new([0xff; 256]))
    }

    /// Whether the block may have a log with `item` as its address (20 bytes) or one of its topics (32 bytes). False
    /// positives occur, false negatives do not.
    #[must_use]
    pub fn may_contain(&self, item: &[u8]) -> bool {
        let hash = keccak256(item).0;
        [0, 2, 4].into_iter().all(|at| {
            let bit = usize::from(u16::from_be_bytes([hash[at], hash[at + 1]]) % 2048);
            self.0[255 - bit / 8] & (1 << (bit % 8)) != 0
        })
    }
}

impl fmt::Debug for Bloom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bloom({} bits)", self.0.iter().map(|b| b.count_ones()).sum::<u32>())
    }
}

/// A block's header, as far as the facilitator needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// Hash of the block before.
    pub parent_hash: B256,
    /// Seconds since 1970, as the block says.
    pub timestamp: u64,
    /// Price of a unit of gas without tip, in wei; `None` on chains before london.
    pub base_fee: Option<U256>,
    /// Root of the state after the block: what anchors hold.
    pub state_root: B256,
    /// Filter over the block's logs.
    pub logs_bloom: Bloom,
    /// Most gas that the block's transactions may use together.
    pub gas_limit: u64,
}

/// Reads the answer of `eth_getBlockByNumber` or `…ByHash`; `None` if the node doesn't have the block.
///
/// # Errors
/// [`RpcError::Malformed`] with the field. Blocks still pending have no hash and are refused.
pub fn parse_header(value: &Value) -> Result<Option<Header>, RpcError> {
    if value.is_null() {
        return Ok(None);
    }
    let block = Fields::of("block", value)?;
    let bloom = block.bytes("logsBloom")?;
    let bloom = bloom.as_slice().try_into().map_err(|_| block.refuse("`logsBloom` must be 256 bytes"))?;
    Ok(Some(Header {
        number: block.u64("number")?,
        hash: block.word("hash")?,
        parent_hash: block.word("parentHash")?,
        timestamp: block.u64("timestamp")?,
        base_fee: block.optional_uint("baseFeePerGas")?,
        state_root: block.word("stateRoot")?,
        logs_bloom: Bloom(Box::new(bloom)),
        gas_limit: block.u64("gasLimit")?,
    }))
}

/// Reads one log.
///
/// # Errors
/// [`RpcError::Malformed`] with the field; also for a log that a reorg removed and for one of a pending block.
pub fn parse_log(value: &Value) -> Result<Log, RpcError> {
    let log = Fields::of("log", value)?;
    if log.optional("removed").is_some_and(|removed| removed != &Value::Bool(false)) {
        return Err(log.refuse("was removed by a reorg"));
    }
    Ok(Log {
        address: log.address("address")?,
        topics: log.list("topics", MAX_TOPICS, parse_text)?,
        data: log.bytes("data")?,
        block_number: log.u64("blockNumber")?,
        block_hash: log.word("blockHash")?,
        tx_hash: log.word("transactionHash")?,
        tx_index: log.u64("transactionIndex")?,
        log_index: log.u64("logIndex")?,
    })
}

/// Reads the answer of `eth_getLogs`.
///
/// # Errors
/// As [`parse_log`], or when it is no list.
pub fn parse_logs(value: &Value) -> Result<Vec<Log>, RpcError> {
    let list = value.as_array().ok_or_else(|| RpcError::malformed("logs: must be a list"))?;
    list.iter().map(parse_log).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn header_json(number: u64) -> Value {
        let word = |b: u8| B256([b; 32]).to_string();
        json!({
            "number": format!("{number:#x}"), "hash": word(1), "parentHash": word(2), "timestamp": "0x10",
            "stateRoot": word(3), "logsBloom": format!("0x{}", "00".repeat(256)), "gasLimit": "0x1c9c380",
            "baseFeePerGas": "0x7",
        })
    }

    fn log_json() -> Value {
        let word = |b: u8| B256([b; 32]).to_string();
        json!({
            "address": format!("0x{}", "ab".repeat(20)), "topics": [word(9)], "data": "0x01", "blockNumber": "0x5",
            "blockHash": word(1), "transactionHash": word(2), "transactionIndex": "0x0", "logIndex": "0x3",
            "removed": false,
        })
    }

    #[test]
    fn headers_of_both_fee_markets_are_read_and_wrong_fields_named() {
        let header = parse_header(&header_json(258)).unwrap().unwrap();
        assert_eq!((header.number, header.base_fee, header.gas_limit), (258, Some(U256::from(7u64)), 30_000_000));
        let mut legacy = header_json(1);
        legacy.as_object_mut().unwrap().remove("baseFeePerGas");
        assert_eq!(parse_header(&legacy).unwrap().unwrap().base_fee, None);
        assert_eq!(parse_header(&Value::Null).unwrap(), None);
        let cases = [
            ("number", Value::Null, "`number` is missing"),
            ("number", json!(5), "`number` must be a hexadecimal quantity"),
            ("number", json!("5"), "`number` must be a hexadecimal quantity"),
            ("number", json!("0x10000000000000000"), "at most 64 bits"),
            ("hash", json!("0x01"), "`hash` must be 32 bytes"),
            ("hash", Value::Null, "`hash` is missing"),
            ("logsBloom", json!("0x00"), "`logsBloom` must be 256 bytes"),
            ("baseFeePerGas", json!("x"), "`baseFeePerGas`"),
            // Found by fuzzing: control characters that JSON leaves as they are.
            ("hash", json!("\u{7f}\u{9b}2J\n"), "but is \"\u{fffd}\u{fffd}2J\\n\""),
        ];
        for (field, value, expected) in cases {
            let mut wrong = header_json(1);
            wrong[field] = value;
            let error = parse_header(&wrong).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(parse_header(&json!([])).is_err());
    }

    #[test]
    fn logs_that_are_pending_removed_or_oversized_are_refused() {
        let log = parse_log(&log_json()).unwrap();
        assert_eq!((log.block_number, log.log_index, log.topics.len()), (5, 3, 1));
        let five = json!(vec![B256::ZERO.to_string(); 5]);
        let changes = [
            ("removed", json!(true)),
            ("removed", json!("no")),
            ("blockNumber", Value::Null),
            ("blockHash", Value::Null),
            ("topics", five),
            ("topics", json!({})),
            ("data", json!("0x1")),
            ("address", json!("0x01")),
        ];
        for (field, value) in changes {
            let mut wrong = log_json();
            wrong[field] = value;
            assert!(matches!(parse_log(&wrong), Err(RpcError::Malformed { .. })), "{wrong}");
        }
        assert!(parse_logs(&json!({})).is_err());
    }

    #[test]
    fn the_bloom_holds_what_was_put_in_and_denies_the_rest() {
        // Made with the formula of the yellow paper (4.3.1): bits of keccak(address) and keccak(topic).
        let mut bits = [0u8; 256];
        let item = [0xabu8; 20];
        let hash = keccak256(item).0;
        for pair in hash[..6].chunks(2) {
            let bit = (usize::from(pair[0] & 7) << 8) + usize::from(pair[1]);
            bits[255 - bit / 8] |= 1 << (bit % 8);
        }
        let bloom = Bloom(Box::new(bits));
        assert!(bloom.may_contain(&item));
        assert!(!bloom.may_contain(&[0xac; 20]));
        assert!(!Bloom(Box::new([0; 256])).may_contain(&item));
        assert!(Bloom(Box::new([0xff; 256])).may_contain(&item));
    }
}
