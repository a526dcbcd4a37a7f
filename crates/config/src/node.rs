//! A place in a JSON document that knows its file and path, so that every error says where it is (law 12).
//!
//! The checks here are the only ones that touch raw JSON: kinds of values, unknown keys, ranges, addresses.

use crate::{ConfigError, Endpoint};
use facilitator_eth::{Address, Decimal};
use serde_json::{Map, Value};
use std::{path::Path, str::FromStr};

/// Longest part of a key that is repeated in an error.
const MAX_SHOWN: usize = 60;

/// The path of `key` inside `parent`: `parent.key`, or `parent["key"]` for keys that are no plain word.
pub(crate) fn child_path(parent: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    match (plain && key.len() <= MAX_SHOWN, parent.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{parent}.{key}"),
        (false, _) => format!("{parent}[{:?}]", key.chars().take(MAX_SHOWN).collect::<String>()),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A value with its file and path.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    pub(crate) file: &'a Path,
    pub(crate) path: String,
    pub(crate) value: &'a Value,
}

impl<'a> Node<'a> {
    pub(crate) fn root(file: &'a Path, value: &'a Value) -> Self {
        Self { file, path: String::new(), value }
    }

    pub(crate) fn error(&self, message: impl Into<String>) -> ConfigError {
        ConfigError::new(self.file, self.path.as_str(), message)
    }

    /// An error at the key `key` below this place, whether it is there or not.
    pub(crate) fn error_at(&self, key: &str, message: impl Into<String>) -> ConfigError {
        ConfigError::new(self.file, child_path(&self.path, key), message)
    }

    fn wrong(&self, expected: &str) -> ConfigError {
        self.error(format!("must be {expected}, not {}", kind(self.value)))
    }

    fn map(&self) -> Result<&'a Map<String, Value>, ConfigError> {
        self.value.as_object().ok_or_else(|| self.wrong("an object"))
    }

    fn child(&self, key: &str, value: &'a Value) -> Node<'a> {
        Node { file: self.file, path: child_path(&self.path, key), value }
    }

    /// The object's fields, of which no other than `known` may be there.
    pub(crate) fn fields(&self, known: &[&[&'static str]]) -> Result<Fields<'a>, ConfigError> {
        let map = self.map()?;
        let names = || known.iter().copied().flatten().copied();
        for (key, value) in map {
            if names().all(|name| name != key) {
                let hint = nearest(key, names()).map(|name| format!("; did you mean \"{name}\"?"));
                let hint = hint.unwrap_or_else(|| "; remove it".to_owned());
                return Err(self.child(key, value).error(format!("unknown key{hint}")));
            }
        }
        Ok(Fields { node: self.clone(), map })
    }

    /// The entries of an object with free keys, at most `limit`.
    pub(crate) fn entries(&self, limit: usize) -> Result<Vec<(&'a str, Node<'a>)>, ConfigError> {
        let map = self.map()?;
        if map.len() > limit {
            return Err(self.error(format!("must have at most {limit} entries, not {}", map.len())));
        }
        Ok(map.iter().map(|(key, value)| (key.as_str(), self.child(key, value))).collect())
    }

    /// The items of a list, from 1 to `limit`.
    pub(crate) fn items(&self, limit: usize) -> Result<Vec<Node<'a>>, ConfigError> {
        let items = self.value.as_array().ok_or_else(|| self.wrong("a list"))?;
        if items.is_empty() || items.len() > limit {
            return Err(self.error(format!("must have 1 to {limit} entries, not {}", items.len())));
        }
        let node = |(index, value)| Node { file: self.file, path: format!("{}[{index}]", self.path), value };
        Ok(items.iter().enumerate().map(node).collect())
    }

    /// The one item that stands here, or the items of a list.
    pub(crate) fn one_or_many(&self, limit: usize) -> Result<Vec<Node<'a>>, ConfigError> {
        if self.value.is_string() { Ok(vec![self.clone()]) } else { self.items(limit) }
    }

    pub(crate) fn text(&self) -> Result<&'a str, ConfigError> {
        let text = self.value.as_str().ok_or_else(|| self.wrong("text"))?;
        if text.is_empty() { Err(self.error("must not be empty")) } else { Ok(text) }
    }

    /// A whole number from `min` to `max`.
    pub(crate) fn uint(&self, min: u64, max: u64) -> Result<u64, ConfigError> {
        match self.value.as_u64() {
            Some(number) if (min..=max).contains(&number) => Ok(number),
            _ => {
                let found = self.value.as_number().map_or(kind(self.value).to_owned(), ToString::to_string);
                Err(self.error(format!("must be a whole number from {min} to {max}, not {found}")))
            }
        }
    }

    fn parsed<T: FromStr>(&self) -> Result<T, ConfigError>
    where
        T::Err: std::fmt::Display,
    {
        self.text()?.parse().map_err(|error: T::Err| self.error(error.to_string()))
    }

    /// An address with a right checksum, not zero.
    pub(crate) fn address(&self) -> Result<Address, ConfigError> {
        let address: Address = self.parsed()?;
        if address.is_zero() { Err(self.error("must not be the zero address")) } else { Ok(address) }
    }

    pub(crate) fn decimal(&self) -> Result<Decimal, ConfigError> {
        self.parsed()
    }

    pub(crate) fn endpoint(&self) -> Result<Endpoint, ConfigError> {
        self.parsed()
    }

    /// An object of any content.
    pub(crate) fn any_object(&self) -> Result<&'a Value, ConfigError> {
        self.map().map(|_| self.value)
    }
}

/// The fields of an object whose keys are all known.
pub(crate) struct Fields<'a> {
    pub(crate) node: Node<'a>,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The field under any of `names`, which mean the same; more than one of them is an error.
    pub(crate) fn optional(&self, names: &[&'static str]) -> Result<Option<Node<'a>>, ConfigError> {
        let mut found: Option<Node<'a>> = None;
        for name in names {
            let Some(value) = self.map.get(*name) else { continue };
            let node = self.node.child(name, value);
            if let Some(first) = found {
                return Err(node.error(format!("means the same as {}: remove one", first.path)));
            }
            found = Some(node);
        }
        Ok(found)
    }

    /// As [`Fields::optional`], but one must be there.
    pub(crate) fn required(&self, names: &[&'static str]) -> Result<Node<'a>, ConfigError> {
        let missing = || self.node.error_at(names.first().copied().unwrap_or_default(), "missing");
        self.optional(names)?.ok_or_else(missing)
    }

    pub(crate) fn address(&self, names: &[&'static str]) -> Result<Address, ConfigError> {
        self.required(names)?.address()
    }

    pub(crate) fn optional_address(&self, names: &[&'static str]) -> Result<Option<Address>, ConfigError> {
        self.optional(names)?.map(|node| node.address()).transpose()
    }
}

/// The candidate that `key` is most likely a misspelling of, if any is near.
fn nearest<'n>(key: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if key.len() > MAX_SHOWN {
        return None;
    }
    let flat = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let wanted = flat(key);
    names
        .map(|name| (distance(&wanted, &flat(name)), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein distance: how many letters to add, drop or change.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_keys_get_the_nearest_known_key() {
        let known = ["confirmations", "rpc", "workers", "db_path"];
        for (key, expected) in [
            ("confirmatoins", Some("confirmations")),
            ("Confirmations", Some("confirmations")),
            ("worker", Some("workers")),
            ("dbPath", Some("db_path")),
            ("rcp", None),
            ("rpcs", Some("rpc")),
            ("colour", None),
        ] {
            assert_eq!(nearest(key, known.into_iter()), expected, "{key}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
