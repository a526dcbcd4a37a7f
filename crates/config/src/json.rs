//! Reads a JSON file with the strictness that serde_json leaves out: limited size, and no key twice in one object
//! (of which serde_json would silently keep the last).

use crate::{ConfigError, node::child_path};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::{cell::RefCell, fmt, fs::File, io::Read, path::Path};

/// Largest file that is read, in bytes. A genesis with a thousand accounts takes about 100 KiB.
const MAX_FILE: u64 = 4 << 20;

/// Reads and parses `file`. Errors name the file, and line and column, or the key that stands twice.
pub(crate) fn read(file: &Path) -> Result<Value, ConfigError> {
    parse(file, &read_text(file)?)
}

/// Reads `file` as text of limited size.
pub(crate) fn read_text(file: &Path) -> Result<String, ConfigError> {
    let fail = |message: String| ConfigError::new(file, "", message);
    let mut text = String::new();
    File::open(file)
        .and_then(|open| open.take(MAX_FILE + 1).read_to_string(&mut text))
        .map_err(|error| fail(format!("cannot be read: {error}")))?;
    if text.len() as u64 > MAX_FILE {
        return Err(fail(format!("is larger than {MAX_FILE} bytes: not a configuration file")));
    }
    Ok(text)
}

/// Parses `text` as the content of `file`.
pub(crate) fn parse(file: &Path, text: &str) -> Result<Value, ConfigError> {
    let duplicate = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Seed { place: &Place::Root, duplicate: &duplicate };
    let parsed = seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    parsed.map_err(|error| match duplicate.take() {
        Some(path) => ConfigError::new(file, path, "stands twice in the same object: remove one"),
        None => ConfigError::new(file, "", format!("is no valid JSON: {error}")),
    })
}

/// Where the parser is: a list of steps on the stack, made into text only for an error.
enum Place<'p> {
    Root,
    Key(&'p Place<'p>, &'p str),
    Index(&'p Place<'p>, usize),
}

impl Place<'_> {
    fn path(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(parent, key) => child_path(&parent.path(), key),
            Self::Index(parent, index) => format!("{}[{index}]", parent.path()),
        }
    }
}

struct Seed<'p> {
    place: &'p Place<'p>,
    duplicate: &'p RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let place = Place::Index(self.place, items.len());
            match access.next_element_seed(Seed { place: &place, duplicate: self.duplicate })? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let place = Place::Key(self.place, &key);
            if entries.contains_key(&key) {
                *self.duplicate.borrow_mut() = Some(place.path());
                return Err(de::Error::custom("duplicate key"));
            }
            let value = access.next_value_seed(Seed { place: &place, duplicate: self.duplicate })?;
            entries.insert(key, value);
        }
        Ok(Value::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_values_and_refuses_keys_that_stand_twice_and_broken_text() {
        let text = r#"{"a": [1, -2, 1.5, "x", null, true, {"b": {}}]}"#;
        assert_eq!(parse(Path::new("f"), text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        for (text, path, message) in [
            (r#"{"a": 1, "a": 1}"#, "a", "stands twice"),
            (r#"{"a": [0, {"b": 1, "c.d": {"e": 1, "e": 2}}]}"#, "a[1][\"c.d\"].e", "stands twice"),
            (r#"{"a": 1"#, "", "is no valid JSON: EOF"),
            (r#"{"a": 1} x"#, "", "line 1 column 10"),
            ("", "", "is no valid JSON"),
        ] {
            let error = parse(Path::new("f"), text).unwrap_err();
            assert_eq!(error.path, path, "{text}");
            assert!(error.message.contains(message), "{text}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(Path::new("f"), &deep).unwrap_err().message.contains("recursion limit"));
    }
}
