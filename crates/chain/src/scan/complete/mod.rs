//! Whether what a node says about logs is true and whole. Pure.
//!
//! The endpoints vote on block hashes, and everything else follows from an elected hash:
//!
//! 1. [`crate::types::parse_sealed_header`] binds a header's filter and receipts' root to its hash.
//! 2. [`check_answer`] refuses logs that cannot be true, and [`doubts`] names the blocks about which a node's word is
//!    not enough: those it tells logs of, and those it tells none of although the filter says that there may be some.
//!    About all other blocks of the range the filter itself proves that there are none.
//! 3. [`prove_logs`] takes a doubtful block's logs from its receipts, which must have the header's root.
//! 4. [`Ledger`] notices, without any of these proofs, that the messages of a gateway do not follow each other. It
//!    also stands where headers are of a form that cannot be checked.
//!
//! Invariant: a log that passed 1 and 3 is on the chain with that hash, and no log asked for is missing from the
//! blocks that 2 did not name. Only the hash of its transaction is not bound by receipts: it is as the node says.

mod answer;
mod doubt;
mod nonces;
mod receipts;

#[cfg(test)]
mod tests;

pub(super) use answer::in_order;
pub use answer::{Lie, check_answer};
pub use doubt::{Doubt, DoubtfulBlock, NoHeader, doubts};
pub use nonces::{Channel, Gap, Ledger, Mark, MessageBox, Missing};
pub use receipts::{NotProven, prove_logs};
