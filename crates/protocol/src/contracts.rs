//! Calls to the Mosaic contracts of 0.12.0 and what they return: every call that the facilitator makes, and those with
//! which stakers, redeemers and organizations work on a development chain.
//!
//! A transaction's call data is a [`Bytes`]; a view is a [`View`], which carries the type of its answer, so that an answer
//! cannot be read as something else. Each function of a contract stands once, with its signature and selector.

pub mod anchor;
pub mod gateway;
pub mod organization;
pub mod pool;
pub mod token;
pub mod vault;

use crate::model::MessageStatus;
use facilitator_eth::{
    Address, B256, Bytes, U256,
    abi::{self, AbiError, Value, Words},
};
use std::marker::PhantomData;

/// A function of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Name and types, as they are hashed.
    pub signature: &'static str,
    /// The first four bytes of call data.
    pub selector: [u8; 4],
}

impl Function {
    const fn new(signature: &'static str, selector: u32) -> Self {
        Self { signature, selector: selector.to_be_bytes() }
    }

    fn call(self, values: &[Value]) -> Bytes {
        abi::call(self.selector, values)
    }

    fn view<T: Answer>(self, values: &[Value]) -> View<T> {
        View { data: self.call(values), answer: PhantomData }
    }
}

/// What a view returns: how it is read from the words of the answer.
pub trait Answer: Sized {
    /// Reads it, leaving the words after it alone.
    ///
    /// # Errors
    /// [`AbiError`] if the words are none.
    fn read(words: &mut Words<'_>) -> Result<Self, AbiError>;
}

macro_rules! answers {
    ($($type:ty = $read:ident),+) => {
        $(impl Answer for $type {
            fn read(words: &mut Words<'_>) -> Result<Self, AbiError> {
                words.$read()
            }
        })+
    };
}

answers!(U256 = uint, u64 = uint64, Address = address, B256 = word, bool = boolean, Bytes = bytes);

impl Answer for MessageStatus {
    fn read(words: &mut Words<'_>) -> Result<Self, AbiError> {
        let unknown = AbiError::Value { at: words.position(), kind: "message status" };
        Self::from_number(words.uint64()?).ok_or(unknown)
    }
}

/// A call that changes nothing, with the type of its answer.
#[derive(Debug, Clone)]
pub struct View<T> {
    /// Call data for `eth_call`.
    pub data: Bytes,
    answer: PhantomData<fn() -> T>,
}

impl<T: Answer> View<T> {
    /// Reads the answer.
    ///
    /// # Errors
    /// [`AbiError`] if it is not what the function returns; it is empty if there is no contract at the address.
    pub fn decode(&self, answer: &Bytes) -> Result<T, AbiError> {
        T::read(&mut Words::new(answer.as_slice()))
    }
}

/// Defines the functions of a contract and the list of them.
macro_rules! functions {
    ($($name:ident = $signature:literal, $selector:literal;)+) => {
        $(const $name: crate::contracts::Function = crate::contracts::Function::new($signature, $selector);)+
        /// All functions of this module.
        pub const FUNCTIONS: &[crate::contracts::Function] = &[$($name),+];
    };
}
use functions;

fn uint(value: U256) -> Value {
    Value::Uint(value)
}

fn number(value: u64) -> Value {
    Value::Uint(U256::from(value))
}

fn address(value: Address) -> Value {
    Value::Address(value)
}

fn word(value: B256) -> Value {
    Value::Word(value)
}

fn bytes(value: &Bytes) -> Value {
    Value::Bytes(value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_selector_is_that_of_its_signature() {
        let origin = [gateway::FUNCTIONS, anchor::FUNCTIONS, vault::FUNCTIONS];
        let all = [pool::FUNCTIONS, organization::FUNCTIONS, token::FUNCTIONS];
        let all = [&origin, all.as_slice(), gateway::VIEWS].concat();
        for function in all.concat() {
            assert_eq!(
                hex_of(function.selector),
                hex_of(abi::selector(function.signature)),
                "selector of {}",
                function.signature
            );
        }
    }

    fn hex_of(selector: [u8; 4]) -> String {
        Bytes(selector.to_vec()).to_string()
    }
}
