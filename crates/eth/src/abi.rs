//! The contract ABI as far as contracts without nested types need it: call data, return data, event data, reverts.
//!
//! Writing cannot fail. Reading trusts nothing: every length and every padding byte is checked, and whatever a node or
//! a contract returns, the answer is a value or an [`AbiError`], never a panic. Signatures and names of particular
//! contracts are not this module's business.

mod revert;
mod words;

pub use revert::Revert;
pub use words::{AbiError, Words};

use crate::{Address, B256, Bytes, U256, keccak256};

/// One argument of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `uint256` and every smaller unsigned integer.
    Uint(U256),
    /// `address`.
    Address(Address),
    /// `bytes32`.
    Word(B256),
    /// `bytes`, of any length.
    Bytes(Bytes),
    /// `bool`.
    Bool(bool),
}

impl Value {
    /// The word of a static value; `None` for `bytes`, which live in the tail.
    fn head(&self) -> Option<B256> {
        match self {
            Self::Uint(value) => Some(value.to_word()),
            Self::Address(value) => Some(value.to_word()),
            Self::Word(value) => Some(*value),
            Self::Bool(value) => Some(U256::from(u64::from(*value)).to_word()),
            Self::Bytes(_) => None,
        }
    }
}

/// The ABI encoding of the arguments (Solidity's `abi.encode`): a head of one word each, then the tails of `bytes`.
#[must_use]
pub fn encode(values: &[Value]) -> Vec<u8> {
    let head_len = values.len() * 32;
    let mut head = Vec::with_capacity(head_len);
    let mut tail = Vec::new();
    for value in values {
        if let Value::Bytes(bytes) = value {
            head.extend_from_slice(word_of(head_len + tail.len()).as_bytes());
            tail.extend_from_slice(word_of(bytes.0.len()).as_bytes());
            tail.extend_from_slice(&bytes.0);
            tail.resize(tail.len().next_multiple_of(32), 0);
        } else if let Some(word) = value.head() {
            head.extend_from_slice(word.as_bytes());
        }
    }
    head.extend_from_slice(&tail);
    head
}

/// Call data: the four bytes of the function, then the encoded arguments.
#[must_use]
pub fn call(selector: [u8; 4], values: &[Value]) -> Bytes {
    let mut data = selector.to_vec();
    data.extend_from_slice(&encode(values));
    Bytes(data)
}

/// The first four bytes of the hash of a function's signature, e.g. `selector("approve(address,uint256)")`.
#[must_use]
pub fn selector(signature: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = keccak256(signature).0;
    [a, b, c, d]
}

/// The first topic of an event: the hash of its signature, e.g. `topic("WorkerUnset(address)")`.
#[must_use]
pub fn topic(signature: &str) -> B256 {
    keccak256(signature)
}

fn word_of(length: usize) -> B256 {
    U256::from(length as u64).to_word()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_encoded_as_in_the_abi_specification() {
        // From the specification: f(uint256,uint32[],bytes10,bytes) without its array, and the call of approve.
        let data = call(
            selector("approve(address,uint256)"),
            &[Value::Address(Address([0x11; 20])), Value::Uint(U256::from(10u64))],
        );
        assert_eq!(
            data.to_string(),
            format!("0x095ea7b3{:0>64}{:0>64}", "11".repeat(20), "a"),
            "four bytes, then one left-padded word each"
        );

        let mixed = encode(&[
            Value::Bytes(Bytes(b"dave".to_vec())),
            Value::Bool(true),
            Value::Bytes(Bytes(vec![])),
            Value::Word(B256([7; 32])),
        ]);
        let words: Vec<String> = mixed.chunks(32).map(hex::encode).collect();
        let expected = [
            format!("{:0>64}", "80"),
            format!("{:0>64}", "1"),
            format!("{:0>64}", "c0"),
            "07".repeat(32),
            format!("{:0>64}", "4"),
            format!("{:0<64}", "64617665"),
            "0".repeat(64),
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn selectors_and_topics_are_hashes_of_signatures() {
        assert_eq!(selector("Error(string)"), [0x08, 0xc3, 0x79, 0xa0]);
        assert_eq!(
            topic("Transfer(address,address,uint256)").to_string(),
            "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let values = [
            Value::Uint(U256::MAX),
            Value::Bytes(Bytes(vec![9; 33])),
            Value::Address(Address([3; 20])),
            Value::Bool(false),
        ];
        let data = encode(&values);
        let mut words = Words::new(&data);
        assert_eq!(words.uint().unwrap(), U256::MAX);
        assert_eq!(words.bytes().unwrap(), Bytes(vec![9; 33]));
        assert_eq!(words.address().unwrap(), Address([3; 20]));
        assert!(!words.boolean().unwrap());
    }
}
