//! Why a call was reverted, as far as its revert data tells.
//!
//! The text comes from a contract and may be hostile: it is shortened and shown without control characters, so that it
//! can stand in a log line, a database column and a terminal.

use super::{Words, selector};
use crate::{Bytes, U256};
use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest reason kept, in characters. The longest of the Mosaic contracts has 84.
const MAX_REASON: usize = 256;
/// Most bytes of unknown revert data kept.
const MAX_OTHER: usize = 256;

/// The meaning of revert data.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum Revert {
    /// `Error(string)`: a `require` or `revert` with a text, e.g. "Stake request must exists.".
    Reason(String),
    /// `Panic(uint256)`: a failed check of the compiler (Solidity 0.8 and later), with its code.
    Panic(U256),
    /// No data: `require` without a text, SafeMath, an invalid opcode, or out of gas.
    Empty,
    /// Anything else, such as a custom error; at most the first 256 bytes.
    Other(Bytes),
}

impl Revert {
    /// Reads revert data. Data that looks like a known shape but is damaged is [`Revert::Other`].
    #[must_use]
    pub fn decode(data: &[u8]) -> Self {
        if data.is_empty() {
            return Self::Empty;
        }
        Self::known(data).unwrap_or_else(|| Self::Other(Bytes(data.iter().take(MAX_OTHER).copied().collect())))
    }

    fn known(data: &[u8]) -> Option<Self> {
        let (head, body) = data.split_at_checked(4)?;
        if head == selector("Error(string)") {
            let bytes = Words::new(body).bytes().ok()?;
            let text = String::from_utf8_lossy(&bytes.0);
            Some(Self::Reason(text.chars().take(MAX_REASON).map(printable).collect()))
        } else if head == selector("Panic(uint256)") {
            Words::new(body).uint().ok().map(Self::Panic)
        } else {
            None
        }
    }
}

/// A reason must not move the cursor of a terminal or end a log line.
fn printable(c: char) -> char {
    if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }
}

impl fmt::Display for Revert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reason(text) => f.write_str(text),
            Self::Panic(code) => write!(f, "panic with code {}", code.to_quantity()),
            Self::Empty => f.write_str("no reason given (empty revert data)"),
            Self::Other(data) => write!(f, "unknown revert data {data}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Value, call};

    fn error(text: &[u8]) -> Vec<u8> {
        call(selector("Error(string)"), &[Value::Bytes(Bytes(text.to_vec()))]).as_slice().to_vec()
    }

    #[test]
    fn revert_data_is_understood_or_kept() {
        let panic = call(selector("Panic(uint256)"), &[Value::Uint(U256::from(0x11u64))]).as_slice().to_vec();
        let damaged = error(b"Stake request must exists.")[..80].to_vec();
        let cases = [
            (error(b"Stake request must exists."), "Stake request must exists.".to_owned()),
            (error(b"a\x1b[2J\n\xff"), "a\u{fffd}[2J\u{fffd}\u{fffd}".to_owned()),
            (error(&[b'x'; 5000]), "x".repeat(MAX_REASON)),
            (panic, "panic with code 0x11".to_owned()),
            (vec![], "no reason given (empty revert data)".to_owned()),
            (vec![1, 2], "unknown revert data 0x0102".to_owned()),
            (damaged.clone(), format!("unknown revert data {}", Bytes(damaged))),
        ];
        for (data, text) in cases {
            assert_eq!(Revert::decode(&data).to_string(), text);
        }
        assert_eq!(Revert::decode(&[7; 5000]), Revert::Other(Bytes(vec![7; MAX_OTHER])));
    }
}
