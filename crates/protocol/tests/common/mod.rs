//! The vectors of the real contracts, for the tests of this crate.

// Each test binary uses a part of it; whatever cannot be read fails the test.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use serde_json::Value;
use std::{fmt::Debug, str::FromStr};

/// The run of the real contracts named `run`: `e2e` or `revocation`.
pub(crate) fn vectors(run: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../vectors/mosaic-0.12.0.json")).unwrap();
    all[run].clone()
}

/// The text at a JSON pointer.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer}"))
}

/// The value at a JSON pointer, from its text.
pub(crate) fn parsed<T: FromStr<Err: Debug>>(value: &Value, pointer: &str) -> T {
    text(value, pointer).parse().unwrap()
}
