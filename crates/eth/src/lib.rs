//! Ethereum primitives: the one room that touches the `ethers` crates.
//!
//! Everything here is pure: bytes, numbers, hashes, ABI, RLP, tries, signatures and key-store files. No type of
//! `ethers` leaves this crate, so that replacing it is a change of this crate alone. No I/O, no clock; randomness only
//! where a key or a salt is made.

pub mod abi;
mod bytes;
mod decimal;
pub mod keystore;
pub mod rlp;
pub mod trie;
pub mod tx;
mod uint;

pub use bytes::{Address, B256, Bytes, ParseHexError};
pub use decimal::{Decimal, ParseDecimalError};
pub use uint::{ParseUintError, U256};

/// Keccak-256 of `data`.
#[must_use]
pub fn keccak256(data: impl AsRef<[u8]>) -> B256 {
    B256(ethers_core::utils::keccak256(data))
}
