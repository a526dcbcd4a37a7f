//! Fetching heads, headers and the events of a range of blocks.
//!
//! Invariant: what [`fetch_range`] returns lies in the range, comes from the contracts asked for, is ordered, has no
//! log twice, and every log's block is the one whose header is returned with it. Whether the range continues what was
//! read before is the caller's to see.

use super::{
    Checkpoint, Span,
    complete::in_order,
    filter::{LogFilter, quantity},
    proven,
};
use crate::{
    rpc::{Call, Rpc, RpcError},
    types::{Header, parse_checked_header, parse_logs, parse_quantity, parse_u64},
};
use facilitator_eth::{B256, U256};
use facilitator_protocol::events::{DecodeError, Event, Log, decode};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Why a range or header could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The call failed: see [`super::ScanPlan::failed`].
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The node doesn't have the block (yet, or any more): ask again later, or elsewhere.
    #[error("the node does not have block {number}")]
    Missing {
        /// Height of the block.
        number: u64,
    },
    /// Logs and headers are of different branches: the chain was reorganised between, or the node is several. Ask
    /// again.
    #[error("block {number} has hash {header} by its header and {log} by its logs")]
    Inconsistent {
        /// Height of the block.
        number: u64,
        /// Hash of the header.
        header: B256,
        /// Hash in the logs.
        log: B256,
    },
    /// The answer is false, whatever the reason: another endpoint or a hash contradicts it.
    #[error("{message}")]
    Lied {
        /// What is wrong with it.
        message: String,
    },
}

/// An event with the log it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The log as the node returned it.
    pub log: Log,
    /// What it says.
    pub event: Event,
}

/// Everything of interest in a range of blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedRange {
    /// The range.
    pub span: Span,
    /// The first and the last block and those with logs, ascending.
    pub headers: Vec<Header>,
    /// The events in the order of the chain.
    pub entries: Vec<Entry>,
    /// Logs with the topic of a known event and another content: to be noted, and passed over.
    pub refused: Vec<DecodeError>,
}

impl FetchedRange {
    /// The block to remember once this range is stored.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.headers.last().map(|header| Checkpoint { number: header.number, hash: header.hash })
    }
}

fn header_call(number: u64) -> Call {
    Call::new("eth_getBlockByNumber", json!([quantity(number), false]))
}

fn read_header(number: u64, value: &Value) -> Result<Header, FetchError> {
    let header = parse_checked_header(value)?.ok_or(FetchError::Missing { number })?;
    if header.number != number {
        return Err(RpcError::malformed(format!("block {} in answer to block {number}", header.number)).into());
    }
    Ok(header)
}

/// The chain id that the node serves.
///
/// # Errors
/// As the call.
pub async fn fetch_chain_id(rpc: &Rpc) -> Result<u64, RpcError> {
    parse_u64("chain id", &rpc.call("eth_chainId", json!([])).await?)
}

/// What the node suggests to pay for a unit of gas, wei.
///
/// # Errors
/// As the call.
pub async fn fetch_gas_price(rpc: &Rpc) -> Result<U256, RpcError> {
    parse_quantity("gas price", &rpc.call("eth_gasPrice", json!([])).await?)
}

/// The newest block.
///
/// # Errors
/// As the call; [`FetchError::Missing`] if the node has no block at all.
pub async fn fetch_head(rpc: &Rpc) -> Result<Header, FetchError> {
    let value = rpc.call("eth_getBlockByNumber", json!(["latest", false])).await?;
    parse_checked_header(&value)?.ok_or(FetchError::Missing { number: 0 })
}

/// The headers at `numbers`, in their order, in one batch.
///
/// # Errors
/// The first one's that could not be had.
pub async fn fetch_headers(rpc: &Rpc, numbers: &[u64]) -> Result<Vec<Header>, FetchError> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let calls: Vec<Call> = numbers.iter().map(|number| header_call(*number)).collect();
    let outcomes = rpc.batch(&calls).await?;
    numbers.iter().zip(outcomes).map(|(number, outcome)| read_header(*number, &outcome?)).collect()
}

/// The hash of the block at a height; `None` if the node does not have it.
///
/// # Errors
/// As the call.
pub async fn fetch_hash(rpc: &Rpc, number: u64) -> Result<Option<B256>, RpcError> {
    match fetch_headers(rpc, &[number]).await {
        Ok(headers) => Ok(headers.first().map(|header| header.hash)),
        Err(FetchError::Missing { .. }) => Ok(None),
        Err(FetchError::Rpc(error)) => Err(error),
        Err(error @ (FetchError::Inconsistent { .. } | FetchError::Lied { .. })) => {
            Err(RpcError::malformed(error.to_string()))
        }
    }
}

/// The events of `span` with the headers that prove where they stand.
///
/// One HTTP request, and a second one only for blocks with logs between the ends of the range.
///
/// # Errors
/// [`FetchError`]; nothing of the range is to be used then.
pub async fn fetch_range(rpc: &Rpc, filter: &LogFilter, span: Span) -> Result<FetchedRange, FetchError> {
    let mut ends = vec![span.from, span.to];
    ends.dedup();
    let mut calls = vec![filter.call(span, None)];
    calls.extend(ends.iter().map(|number| header_call(*number)));
    let mut outcomes = rpc.batch(&calls).await?.into_iter();
    let mut next = || outcomes.next().unwrap_or_else(|| Err(RpcError::malformed("an outcome is missing")));
    let logs = next()?;
    let mut headers = BTreeMap::new();
    for number in ends {
        headers.insert(number, read_header(number, &next()?)?);
    }
    let logs = in_order(filter, span, parse_logs(&logs)?).map_err(|lie| RpcError::malformed(lie.to_string()))?;
    let mut between: Vec<u64> = logs.iter().map(|log| log.block_number).collect();
    between.dedup();
    between.retain(|number| !headers.contains_key(number));
    for header in fetch_headers(rpc, &between).await? {
        headers.insert(header.number, header);
    }
    assemble(span, headers, logs)
}

/// The events of the blocks with these headers, ascending, whose hashes are agreed on.
///
/// Where the hashes bind the receipts' roots, the events are proven by the receipts: none is missing and none invented,
/// whatever the node says. Elsewhere the node is believed.
///
/// # Errors
/// [`FetchError`]; nothing of the answer is to be used then.
pub async fn fetch_events(rpc: &Rpc, filter: &LogFilter, headers: Vec<Header>) -> Result<FetchedRange, FetchError> {
    let (Some(first), Some(last)) = (headers.first(), headers.last()) else {
        return Err(RpcError::malformed("no blocks to read").into());
    };
    let span = Span { from: first.number, to: last.number };
    let logs = if headers.iter().all(|header| header.receipts_root.is_some()) {
        proven::logs(rpc, filter, &headers).await?
    } else {
        told_logs(rpc, filter, &headers, span).await?
    };
    assemble(span, headers.into_iter().map(|header| (header.number, header)).collect(), logs)
}

/// As the node tells.
async fn told_logs(rpc: &Rpc, filter: &LogFilter, headers: &[Header], span: Span) -> Result<Vec<Log>, FetchError> {
    let exact = match headers {
        [only] => Some(only.hash),
        _ => None,
    };
    let call = filter.call(span, exact);
    let logs = match rpc.call(call.method().to_owned(), call.params().clone()).await {
        // The node doesn't know the block by its hash any more, or doesn't know this form of the filter.
        Err(RpcError::Server { .. }) if exact.is_some() => by_range(rpc, filter, span).await?,
        answer => answer?,
    };
    let lied = |message: String| FetchError::Lied { message };
    let logs = in_order(filter, span, parse_logs(&logs)?).map_err(|lie| lied(lie.to_string()))?;
    let denied = logs.iter().find(|log| !headers.iter().any(|header| header.number == log.block_number));
    match denied {
        Some(log) => Err(lied(format!("block {} has events that its own filter denies", log.block_number))),
        None => Ok(logs),
    }
}

async fn by_range(rpc: &Rpc, filter: &LogFilter, span: Span) -> Result<Value, RpcError> {
    let call = filter.call(span, None);
    rpc.call(call.method().to_owned(), call.params().clone()).await
}

fn assemble(span: Span, headers: BTreeMap<u64, Header>, logs: Vec<Log>) -> Result<FetchedRange, FetchError> {
    let mut entries = Vec::with_capacity(logs.len());
    let mut refused = Vec::new();
    for log in logs {
        let number = log.block_number;
        let header = headers.get(&number).ok_or(FetchError::Missing { number })?;
        if header.hash != log.block_hash {
            return Err(FetchError::Inconsistent { number, header: header.hash, log: log.block_hash });
        }
        match decode(&log) {
            Ok(Some(event)) => entries.push(Entry { log, event }),
            Ok(None) => {}
            Err(error) => refused.push(error),
        }
    }
    Ok(FetchedRange { span, headers: headers.into_values().collect(), entries, refused })
}
