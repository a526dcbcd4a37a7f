//! The Mosaic protocol as the facilitator needs it (mosaic-contracts 0.12.0): pure data and pure functions.
//!
//! Calls and their answers, events, hashes, unlock secrets, proofs, and the state machine of a transfer. No clock, no
//! randomness, no I/O: the same functions serve the daemon, the command line and recovery.

pub mod contracts;
pub mod emitter;
pub mod events;
pub mod gateway;
pub mod hashes;
pub mod ledger;
pub mod model;
pub mod proof;
pub mod secret;
pub mod transfer;

use facilitator_eth::B256;

/// A constant word from its 64 hexadecimal digits, at compile time. A wrong digit counts as zero, which the tests find
/// that compare every constant with what it is the hash of.
const fn word(text: &str) -> B256 {
    let digits = text.as_bytes();
    let mut out = [0; 32];
    let mut at = 0;
    while at < 64 && at < digits.len() {
        let digit = match digits[at] {
            d @ b'0'..=b'9' => d - b'0',
            d @ b'a'..=b'f' => d - b'a' + 10,
            _ => 0,
        };
        out[at / 2] = out[at / 2] * 16 + digit;
        at += 1;
    }
    B256(out)
}
