//! Reading single JSON values and fields of objects, with the field's name in every error.
//!
//! Invariant: nothing is guessed: a missing, null, misspelt or oversized value is an error, never a default.

use crate::rpc::RpcError;
use facilitator_eth::{Address, B256, Bytes, U256};
use serde_json::{Map, Value};
use std::str::FromStr;

/// Longest part of a wrong value that an error repeats.
const SHOWN: usize = 80;

fn shown(value: &Value) -> String {
    let text = value.to_string();
    // JSON escapes some control characters, not all.
    let printable = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut shown: String = text.chars().take(SHOWN).map(printable).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

fn wrong(what: &str, value: &Value, why: &str) -> RpcError {
    RpcError::malformed(format!("{what} {why}, but is {}", shown(value)))
}

/// Reads a JSON-RPC quantity; `what` names it in the error.
///
/// # Errors
/// [`RpcError::Malformed`] unless it is `0x` and 1 to 64 hexadecimal digits.
pub fn parse_quantity(what: &str, value: &Value) -> Result<U256, RpcError> {
    value
        .as_str()
        .filter(|text| text.starts_with("0x"))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| wrong(what, value, "must be a hexadecimal quantity of at most 256 bits"))
}

/// Reads a JSON-RPC quantity of at most 64 bits; `what` names it in the error.
///
/// # Errors
/// [`RpcError::Malformed`] when it is none or larger.
pub fn parse_u64(what: &str, value: &Value) -> Result<u64, RpcError> {
    parse_quantity(what, value)?
        .to_u64()
        .ok_or_else(|| wrong(what, value, "must be a hexadecimal quantity of at most 64 bits"))
}

/// Reads bytes of any length; `what` names them in the error.
///
/// # Errors
/// [`RpcError::Malformed`] unless they are `0x` and pairs of hexadecimal digits.
pub fn parse_bytes(what: &str, value: &Value) -> Result<Bytes, RpcError> {
    parse_text(what, value)
}

/// Reads a value that has a text form of its own.
pub(super) fn parse_text<T: FromStr<Err: std::fmt::Display>>(what: &str, value: &Value) -> Result<T, RpcError> {
    let text = value.as_str().ok_or_else(|| wrong(what, value, "must be a text"))?;
    text.parse().map_err(|e: T::Err| wrong(what, value, &e.to_string()))
}

/// An object whose fields are read by name.
pub(super) struct Fields<'a> {
    what: &'static str,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(what: &'static str, value: &'a Value) -> Result<Self, RpcError> {
        let map = value.as_object().ok_or_else(|| wrong(what, value, "must be an object"))?;
        Ok(Self { what, map })
    }

    /// The field, `None` if it is missing or null.
    pub(super) fn optional(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// The names of all fields, null ones included.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.map.keys().map(String::as_str)
    }

    fn read<T>(&self, name: &str, parse: impl Fn(&str, &Value) -> Result<T, RpcError>) -> Result<T, RpcError> {
        let what = format!("{}: `{name}`", self.what);
        let value = self.optional(name).ok_or_else(|| RpcError::malformed(format!("{what} is missing")))?;
        parse(&what, value)
    }

    pub(super) fn u64(&self, name: &str) -> Result<u64, RpcError> {
        self.read(name, parse_u64)
    }

    pub(super) fn uint(&self, name: &str) -> Result<U256, RpcError> {
        self.read(name, parse_quantity)
    }

    pub(super) fn optional_uint(&self, name: &str) -> Result<Option<U256>, RpcError> {
        self.optional(name).map(|_| self.uint(name)).transpose()
    }

    pub(super) fn word(&self, name: &str) -> Result<B256, RpcError> {
        self.read(name, parse_text)
    }

    pub(super) fn address(&self, name: &str) -> Result<Address, RpcError> {
        self.read(name, parse_text)
    }

    pub(super) fn bytes(&self, name: &str) -> Result<Bytes, RpcError> {
        self.read(name, parse_bytes)
    }

    /// A list of at most `limit` elements, each read by `parse`.
    pub(super) fn list<T>(
        &self,
        name: &str,
        limit: usize,
        parse: impl Fn(&str, &Value) -> Result<T, RpcError>,
    ) -> Result<Vec<T>, RpcError> {
        self.read(name, |what, value| {
            let list = value.as_array().ok_or_else(|| wrong(what, value, "must be a list"))?;
            if list.len() > limit {
                return Err(RpcError::malformed(format!("{what} has {} elements, more than {limit}", list.len())));
            }
            list.iter().map(|element| parse(what, element)).collect()
        })
    }

    /// Fails with `why` in the name of this object.
    pub(super) fn refuse(&self, why: impl std::fmt::Display) -> RpcError {
        RpcError::malformed(format!("{}: {why}", self.what))
    }
}
