//! Logs that cannot be true.

use crate::{
    scan::{LogFilter, Span},
    types::Header,
};
use facilitator_eth::{Address, B256};
use facilitator_protocol::events::Log;
use std::fmt;

/// A log by its place, for errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Height of the block.
    pub block: u64,
    /// Index in the block.
    pub index: u64,
    /// The contract.
    pub address: Address,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log {} of block {} from {}", self.index, self.block, self.address)
    }
}

impl From<&Log> for Place {
    fn from(log: &Log) -> Self {
        Self { block: log.block_number, index: log.log_index, address: log.address }
    }
}

/// A log that cannot be on the chain, or was not asked for: the endpoint is to be set aside, and nothing of the answer
/// used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lie {
    /// Of a block that was not asked for.
    #[error("{place} is outside the range {} to {}", span.from, span.to)]
    OutOfRange {
        /// The log.
        place: Place,
        /// The range asked for.
        span: Span,
    },
    /// Of a contract or kind that was not asked for.
    #[error("{0} was not asked for")]
    NotAskedFor(Place),
    /// Two logs at one place.
    #[error("{0} comes twice with different contents")]
    Twice(Place),
    /// Of another block at that height than the elected one.
    #[error("{place} is of block {told}, but the block at that height is {elected}")]
    OtherBlock {
        /// The log.
        place: Place,
        /// Hash in the log.
        told: B256,
        /// Hash of the elected header.
        elected: B256,
    },
    /// Of a block whose filter denies it.
    #[error("{0} is not in the filter of its block")]
    NotInBloom(Place),
}

/// Orders an answer's logs and refuses those that were not asked for. A log that is told twice alike counts once.
///
/// # Errors
/// [`Lie::OutOfRange`], [`Lie::NotAskedFor`], [`Lie::Twice`].
pub(in crate::scan) fn in_order(filter: &LogFilter, span: Span, mut logs: Vec<Log>) -> Result<Vec<Log>, Lie> {
    for log in &logs {
        if !span.contains(log.block_number) {
            return Err(Lie::OutOfRange { place: log.into(), span });
        }
        if !filter.takes(log) {
            return Err(Lie::NotAskedFor(log.into()));
        }
    }
    logs.sort_by_key(|log| (log.block_number, log.log_index));
    logs.dedup();
    let same = logs.windows(2).find(|pair| match pair {
        [a, b] => (a.block_number, a.log_index) == (b.block_number, b.log_index),
        _ => false,
    });
    match same.and_then(<[Log]>::first) {
        Some(log) => Err(Lie::Twice(log.into())),
        None => Ok(logs),
    }
}

/// The logs of an answer to `filter` over `span`, in the order of the chain, if none of them is certainly false.
/// `headers` are elected ones; logs of heights without one are checked only against the question.
///
/// # Errors
/// [`Lie`] with the first such log.
pub fn check_answer(filter: &LogFilter, span: Span, headers: &[Header], logs: Vec<Log>) -> Result<Vec<Log>, Lie> {
    let logs = in_order(filter, span, logs)?;
    for log in &logs {
        let Some(header) = headers.iter().find(|header| header.number == log.block_number) else { continue };
        let (told, elected) = (log.block_hash, header.hash);
        if told != elected {
            return Err(Lie::OtherBlock { place: log.into(), told, elected });
        }
        let bloom = &header.logs_bloom;
        if !bloom.may_contain(log.address.as_ref()) || !log.topics.iter().all(|topic| bloom.may_contain(topic.as_ref()))
        {
            return Err(Lie::NotInBloom(log.into()));
        }
    }
    Ok(logs)
}
