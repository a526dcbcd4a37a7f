//! Receipts of mined transactions.
//!
//! Invariant: only receipts with a status are read (byzantium and later). The reason of a revert is not in a receipt;
//! who needs it repeats the call.

use super::fields::{Fields, parse_text};
use crate::rpc::RpcError;
use facilitator_eth::{Address, B256, U256};
use serde_json::Value;

/// How a mined transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// Its effects stand.
    Succeeded,
    /// It paid its gas and changed nothing else.
    Reverted,
}

/// What a block says about one of its transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Hash of the transaction.
    pub tx_hash: B256,
    /// Height of the block.
    pub block_number: u64,
    /// Hash of the block.
    pub block_hash: B256,
    /// How it ended.
    pub execution: Execution,
    /// Gas used.
    pub gas_used: u64,
    /// Price paid for a unit of gas, in wei; `None` where nodes don't tell (before london).
    pub effective_gas_price: Option<U256>,
    /// The signer.
    pub from: Address,
    /// The contract called; `None` for a creation.
    pub to: Option<Address>,
}

/// Reads the answer of `eth_getTransactionReceipt`; `None` while the transaction isn't mined.
///
/// # Errors
/// [`RpcError::Malformed`] with the field.
pub fn parse_receipt(value: &Value) -> Result<Option<Receipt>, RpcError> {
    if value.is_null() {
        return Ok(None);
    }
    let receipt = Fields::of("receipt", value)?;
    let execution = match receipt.u64("status")? {
        0 => Execution::Reverted,
        1 => Execution::Succeeded,
        other => return Err(receipt.refuse(format!("`status` must be 0 or 1, but is {other}"))),
    };
    Ok(Some(Receipt {
        tx_hash: receipt.word("transactionHash")?,
        block_number: receipt.u64("blockNumber")?,
        block_hash: receipt.word("blockHash")?,
        execution,
        gas_used: receipt.u64("gasUsed")?,
        effective_gas_price: receipt.optional_uint("effectiveGasPrice")?,
        from: receipt.address("from")?,
        to: receipt.optional("to").map(|to| parse_text("receipt: `to`", to)).transpose()?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn receipts_tell_success_from_revert_and_refuse_anything_else() {
        let word = |b: u8| B256([b; 32]).to_string();
        let mut receipt = json!({
            "transactionHash": word(1), "blockNumber": "0x2", "blockHash": word(3), "status": "0x1",
            "gasUsed": "0x5208", "effectiveGasPrice": "0x3b9aca00", "from": format!("0x{}", "01".repeat(20)), "to": null,
        });
        let read = parse_receipt(&receipt).unwrap().unwrap();
        assert_eq!((read.execution, read.gas_used, read.to), (Execution::Succeeded, 21_000, None));
        receipt["status"] = json!("0x0");
        assert_eq!(parse_receipt(&receipt).unwrap().unwrap().execution, Execution::Reverted);
        for wrong in [json!("0x2"), json!(true), Value::Null] {
            receipt["status"] = wrong;
            assert!(parse_receipt(&receipt).is_err());
        }
        assert_eq!(parse_receipt(&Value::Null).unwrap(), None);
    }
}
