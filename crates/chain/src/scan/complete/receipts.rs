//! Logs that are true whoever tells them.

use crate::{
    scan::LogFilter,
    types::{BlockReceipt, Seal, SealedHeader, UnknownType, receipts_root},
};
use facilitator_eth::B256;
use facilitator_protocol::events::Log;

/// Why receipts do not prove the logs of a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// The header's form is not known, so that its roots are as the node says. Not a lie: decide by votes.
    #[error("the header of block {number} cannot be checked: {reason}")]
    UnknownHeader {
        /// Height of the block.
        number: u64,
        /// What is unusual about it.
        reason: String,
    },
    /// A receipt's form is not known. Not a lie: decide by votes.
    #[error("block {number}: {source}")]
    UnknownReceipt {
        /// Height of the block.
        number: u64,
        /// Which one.
        source: UnknownType,
    },
    /// The header is false: the node lies.
    #[error("the header of block {number} has hash {computed}, but is said to have {told}")]
    FalseHeader {
        /// Height of the block.
        number: u64,
        /// Hash that is told.
        told: B256,
        /// Hash of the fields.
        computed: B256,
    },
    /// Receipts are false, missing or invented: the node lies, or its receipts are of another block.
    #[error("the {count} receipts of block {number} have root {computed}, but its header says {told}")]
    FalseReceipts {
        /// Height of the block.
        number: u64,
        /// How many are told.
        count: usize,
        /// Root in the header.
        told: B256,
        /// Root of the receipts.
        computed: B256,
    },
}

impl NotProven {
    /// Whether somebody lied, rather than that the form of the block is not known.
    #[must_use]
    pub const fn is_lie(&self) -> bool {
        match self {
            Self::UnknownHeader { .. } | Self::UnknownReceipt { .. } => false,
            Self::FalseHeader { .. } | Self::FalseReceipts { .. } => true,
        }
    }
}

/// All logs of a block that `filter` asks for, in their order, taken from its receipts. Each log's place is counted
/// from the receipts and its block is the header's, whatever the node says; its transaction's hash is as the node says.
///
/// # Errors
/// [`NotProven`] unless the header's hash is that of its fields and the receipts have its root.
pub fn prove_logs(filter: &LogFilter, block: &SealedHeader, receipts: &[BlockReceipt]) -> Result<Vec<Log>, NotProven> {
    let (number, told) = (block.header.number, block.header.hash);
    match &block.seal {
        Seal::Bound => {}
        Seal::Unknown { reason } => return Err(NotProven::UnknownHeader { number, reason: reason.clone() }),
        Seal::Broken { computed } => return Err(NotProven::FalseHeader { number, told, computed: *computed }),
    }
    let computed = receipts_root(receipts).map_err(|source| NotProven::UnknownReceipt { number, source })?;
    if computed != block.receipts_root {
        let (count, told) = (receipts.len(), block.receipts_root);
        return Err(NotProven::FalseReceipts { number, count, told, computed });
    }
    let placed =
        (0u64..).zip(receipts).flat_map(|(at, receipt)| receipt.logs.iter().map(move |log| (at, receipt, log)));
    let asked = (0u64..).zip(placed).filter(|(_, (_, _, log))| filter.matches(&log.address, &log.topics));
    let logs = asked.map(|(log_index, (tx_index, receipt, log))| Log {
        address: log.address,
        topics: log.topics.clone(),
        data: log.data.clone(),
        block_number: number,
        block_hash: told,
        tx_hash: receipt.tx_hash,
        tx_index,
        log_index,
    });
    Ok(logs.collect())
}
