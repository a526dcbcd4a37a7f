//! What nodes return, read strictly: block headers, logs, receipts and proofs.
//!
//! Invariant: a value of these types has every field present, in its range and of bounded size, and stands for what
//! was asked (address, keys, height). Whether it is true is checked elsewhere: proofs by hashes, blocks by their
//! parents.

mod block;
mod fields;
mod proof;
mod receipt;

pub use block::{Bloom, Header, parse_header, parse_log, parse_logs};
pub use fields::{parse_bytes, parse_quantity, parse_u64};
pub(crate) use proof::MAX_KEYS;
pub use proof::parse_proof;
pub use receipt::{Execution, Receipt, parse_receipt};
