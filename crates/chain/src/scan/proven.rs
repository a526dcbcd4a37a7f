//! Logs that are proven by the receipts of their blocks.
//!
//! The receipts of a block come with one call, by its hash. A node that does not know that call is asked for each
//! transaction's receipt.

use super::{complete::prove_logs, fetch::FetchError, filter::LogFilter};
use crate::{
    rpc::{Call, Rpc, RpcError},
    types::{Header, Seal, SealedHeader, parse_block_receipts},
};
use facilitator_eth::B256;
use facilitator_protocol::events::Log;
use serde_json::{Value, json};

/// All logs of some blocks that `filter` asks for, in the order of the chain.
pub(super) async fn logs(rpc: &Rpc, filter: &LogFilter, headers: &[Header]) -> Result<Vec<Log>, FetchError> {
    let calls: Vec<Call> =
        headers.iter().map(|header| Call::new("eth_getBlockReceipts", json!([header.hash]))).collect();
    let mut logs = Vec::new();
    for (header, outcome) in headers.iter().zip(rpc.batch(&calls).await?) {
        let receipts = match outcome {
            Ok(receipts) => receipts,
            Err(RpcError::Unsupported { .. } | RpcError::Server { .. }) => one_by_one(rpc, header).await?,
            Err(error) => return Err(error.into()),
        };
        logs.extend(prove(filter, header, &receipts)?);
    }
    Ok(logs)
}

fn prove(filter: &LogFilter, header: &Header, receipts: &Value) -> Result<Vec<Log>, FetchError> {
    let number = header.number;
    let Some(receipts) = parse_block_receipts(receipts)? else { return Err(FetchError::Missing { number }) };
    let root = header.receipts_root.unwrap_or(B256::ZERO);
    let sealed = SealedHeader { header: header.clone(), receipts_root: root, seal: Seal::Bound };
    prove_logs(filter, &sealed, &receipts).map_err(|error| {
        let message = error.to_string();
        if error.is_lie() { FetchError::Lied { message } } else { RpcError::malformed(message).into() }
    })
}

/// The receipts of a block's transactions, in their order.
async fn one_by_one(rpc: &Rpc, header: &Header) -> Result<Value, FetchError> {
    let number = header.number;
    let block = rpc.call("eth_getBlockByHash", json!([header.hash, false])).await?;
    let Some(transactions) = block.get("transactions").and_then(Value::as_array) else {
        return Err(FetchError::Missing { number });
    };
    let calls: Vec<Call> =
        transactions.iter().map(|hash| Call::new("eth_getTransactionReceipt", json!([hash]))).collect();
    if calls.is_empty() {
        return Ok(json!([]));
    }
    let outcomes = rpc.batch(&calls).await?;
    let receipts: Vec<Value> = outcomes.into_iter().collect::<Result<_, _>>()?;
    if receipts.iter().any(Value::is_null) {
        return Err(FetchError::Missing { number });
    }
    Ok(Value::Array(receipts))
}
