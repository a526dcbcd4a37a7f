//! Chain ids and names as they stand in JSON: numbers, decimal text, names.

use crate::{ChainRef, ConfigError, node::Node};

/// Longest name of a chain, as in the published schema.
const MAX_NAME: usize = 50;

/// Largest chain id: what EIP-155 signatures and nodes that count in signed 64 bits can carry.
const MAX_ID: u64 = i64::MAX as u64 / 2 - 36;

/// A chain id as a JSON number.
pub(crate) fn number(node: &Node<'_>) -> Result<u64, ConfigError> {
    node.uint(1, MAX_ID)
}

/// A chain id as text without sign or leading zeros, so that one chain has one spelling.
pub(crate) fn digits(node: &Node<'_>, text: &str) -> Result<u64, ConfigError> {
    let id = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    match id {
        Some(id @ 1..=MAX_ID) if !text.starts_with('0') => Ok(id),
        _ => Err(node.error(format!("must be a chain id: a decimal number from 1 to {MAX_ID} without leading zeros"))),
    }
}

/// A chain id as text, or a name.
pub(crate) fn id_or_name(node: &Node<'_>, text: &str) -> Result<ChainRef, ConfigError> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return digits(node, text).map(ChainRef::Id);
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    // The name becomes part of a file name below the home directory.
    if text.is_empty() || text.len() > MAX_NAME || text.starts_with('.') || !text.chars().all(plain) {
        return Err(node.error(format!("must be a chain id or a name of 1 to {MAX_NAME} letters, digits, - or _")));
    }
    Ok(ChainRef::Name(text.to_owned()))
}
