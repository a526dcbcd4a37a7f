//! Call data and return values, spelled out from the contracts' signatures.
//!
//! Kept apart from the product's own builders on purpose: a wrong selector there must fail a test here.

use anyhow::{Context as _, Result};
use facilitator_eth::{
    Address, B256, Bytes, U256,
    abi::{self, Value, Words},
};

/// A `uint256` argument.
pub fn uint(value: impl Into<U256>) -> Value {
    Value::Uint(value.into())
}

/// An `address` argument.
#[must_use]
pub fn address(value: Address) -> Value {
    Value::Address(value)
}

/// A `bytes32` argument.
#[must_use]
pub fn word(value: B256) -> Value {
    Value::Word(value)
}

/// A `bytes` or `string` argument.
pub fn bytes(value: impl Into<Vec<u8>>) -> Value {
    Value::Bytes(Bytes(value.into()))
}

/// An empty `address[]`: in the ABI the same as empty `bytes`.
#[must_use]
pub fn no_addresses() -> Value {
    bytes([])
}

/// The call of the function with this signature, e.g. `approve(address,uint256)`.
#[must_use]
pub fn call(signature: &str, arguments: &[Value]) -> Bytes {
    abi::call(abi::selector(signature), arguments)
}

/// Reads a returned number.
///
/// # Errors
/// When the data is no single number, for example empty because no contract is there.
pub fn read_uint(data: &Bytes) -> Result<U256> {
    Words::new(data.as_slice()).uint().with_context(|| format!("{data} is no number"))
}

/// Reads a returned address.
///
/// # Errors
/// When the data is no single address.
pub fn read_address(data: &Bytes) -> Result<Address> {
    Words::new(data.as_slice()).address().with_context(|| format!("{data} is no address"))
}
