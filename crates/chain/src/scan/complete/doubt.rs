//! Blocks about which a node's word is not enough.

use crate::{
    scan::{LogFilter, Span},
    types::Header,
};
use facilitator_eth::B256;
use facilitator_protocol::events::Log;
use std::collections::{BTreeMap, BTreeSet};

/// Why a block must be proven by its receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Logs are told of it: they may be invented, and others of the same contract and kind left out, which no filter
    /// shows.
    Told,
    /// None are told of it, but its filter says that there may be some. Mostly the filter is right by chance alone.
    Silent,
}

/// A block to be proven with [`super::prove_logs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoubtfulBlock {
    /// Height.
    pub number: u64,
    /// Hash of the elected header: what to ask receipts for.
    pub hash: B256,
    /// Why.
    pub doubt: Doubt,
}

/// A block of the range has no header: nothing can be said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header of block {number} is missing, so that nothing can be said about its logs")]
pub struct NoHeader {
    /// Height of the block.
    pub number: u64,
}

/// The blocks of `span`, ascending, whose logs must be proven before an answer to `filter` is believed; all others of
/// the range have no logs that are asked for, as their filters prove. `headers` are elected ones whose seals hold
/// ([`crate::types::Seal::Bound`]), one for each height, in any order.
///
/// # Errors
/// [`NoHeader`] with the lowest height that has none.
pub fn doubts(
    filter: &LogFilter,
    span: Span,
    headers: &[Header],
    logs: &[Log],
) -> Result<Vec<DoubtfulBlock>, NoHeader> {
    let told: BTreeSet<u64> = logs.iter().map(|log| log.block_number).collect();
    let within = headers.iter().filter(|header| span.contains(header.number));
    let by_height: BTreeMap<u64, &Header> = within.map(|header| (header.number, header)).collect();
    let mut expected = span.from;
    let mut doubtful = Vec::new();
    for (number, header) in by_height {
        if number != expected {
            return Err(NoHeader { number: expected });
        }
        expected = expected.saturating_add(1);
        let doubt = match (told.contains(&number), filter.may_be_in(&header.logs_bloom)) {
            (true, _) => Doubt::Told,
            (false, true) => Doubt::Silent,
            (false, false) => continue,
        };
        doubtful.push(DoubtfulBlock { number, hash: header.hash, doubt });
    }
    if expected <= span.to { Err(NoHeader { number: expected }) } else { Ok(doubtful) }
}
