//! What nodes return, read strictly: block headers, logs, receipts and proofs.
//!
//! Invariant: a value of these types has every field present, in its range and of bounded size, and stands for what
//! was asked (address, keys, height). Whether it is true is checked elsewhere: proofs by hashes, blocks by their
//! parents and their own hash ([`Seal`]), logs by the receipts' root ([`receipts_root`]).

mod block;
mod block_receipts;
mod bloom;
mod fields;
mod proof;
mod receipt;
mod seal;

pub use block::{Header, parse_header, parse_log, parse_logs};
pub use block_receipts::{BareLog, BlockReceipt, Outcome, UnknownType, parse_block_receipts, receipts_root};
pub use bloom::{Bloom, BloomBits};
pub use fields::{parse_bytes, parse_quantity, parse_u64};
pub(crate) use proof::MAX_KEYS;
pub use proof::parse_proof;
pub use receipt::{Execution, Receipt, parse_receipt};
pub use seal::{Seal, SealedHeader, parse_checked_header, parse_sealed_header};

/// A header for tests: hash and parent from one byte each.
#[cfg(test)]
pub(crate) fn test_header(number: u64, hash: u8, parent: u8) -> Header {
    let mut value = block::tests::header_json(number);
    value["hash"] = serde_json::json!(facilitator_eth::B256([hash; 32]));
    value["parentHash"] = serde_json::json!(facilitator_eth::B256([parent; 32]));
    parse_header(&value).unwrap().unwrap()
}
