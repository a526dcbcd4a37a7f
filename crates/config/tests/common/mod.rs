//! Files and edits that the tests of the configuration share.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use facilitator_config::{ConfigError, Context, Error, Facilitator, Home, Names};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A change of a document, by JSON pointer.
pub enum Edit {
    /// Puts a value there.
    Set(Value),
    /// Takes the value away.
    Remove,
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub fn fixture_json(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

pub fn edited(mut document: Value, pointer: &str, edit: &Edit) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    match (parent, edit) {
        (Value::Object(map), Edit::Set(value)) => drop(map.insert(key, value.clone())),
        (Value::Object(map), Edit::Remove) => drop(map.remove(&key).unwrap_or_else(|| panic!("{pointer}"))),
        (Value::Array(items), Edit::Set(value)) => items[key.parse::<usize>().unwrap()] = value.clone(),
        _ => panic!("{pointer}"),
    }
    document
}

/// A home below a temporary directory, which is removed with the returned guard.
pub fn home() -> (tempfile::TempDir, Home) {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::new(Some(directory.path().join("home").into()), Some(directory.path().into())).unwrap();
    (directory, home)
}

pub fn write(path: &Path, document: &Value) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, document.to_string()).unwrap();
    path.to_owned()
}

/// Reads `document` as a facilitator config, with nothing known beside it.
pub fn facilitator(document: &Value) -> Result<Facilitator, Error> {
    let (directory, home) = home();
    let file = write(&directory.path().join("facilitator-config.json"), document);
    let names = Names::default();
    Facilitator::read(&file, Context { home: &home, names: &names, auxiliary_chain_id: None, origin_chain_id: None })
}

pub fn config_error(error: Error) -> ConfigError {
    let Error::Config(error) = error else { panic!("{error:?}") };
    error
}
