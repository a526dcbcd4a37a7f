//! The facilitator config as `init` writes it: the source ticket's shape.

use crate::{ChainSettings, ConfigError, Context, Db, Endpoint, Error, Facilitator, Home, Names, json};
use facilitator_eth::Address;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The fields in the order in which they are written.
#[derive(Serialize)]
pub(super) struct Document {
    pub(super) version: u32,
    pub(super) origin_chain_id: u64,
    pub(super) auxiliary_chain_id: u64,
    pub(super) db: Value,
    pub(super) chains: BTreeMap<u64, ChainEntry>,
    pub(super) encrypted_accounts: BTreeMap<Address, Value>,
    pub(super) encrypted_hash_lock_key: Value,
}

/// One entry of `chains`, with the one setting that operators most often change.
#[derive(Serialize)]
pub(super) struct ChainEntry {
    rpc: Vec<String>,
    workers: Vec<Address>,
    confirmations: u64,
}

pub(super) fn chain_entry(rpc: &[Endpoint], workers: &[Address]) -> ChainEntry {
    ChainEntry {
        rpc: rpc.iter().map(|endpoint| endpoint.url().to_owned()).collect(),
        workers: workers.to_vec(),
        confirmations: ChainSettings::default().confirmations,
    }
}

impl Document {
    /// The text of the file, read back and checked, so that `init` never writes what `start` refuses.
    pub(super) fn render(&self, file: &Path, home: &Home) -> Result<String, Error> {
        let failed = |error: serde_json::Error| ConfigError::new(file, "", format!("cannot be written: {error}"));
        let text = serde_json::to_string_pretty(self).map_err(failed)? + "\n";
        let context = Context {
            home,
            names: &Names::default(),
            auxiliary_chain_id: Some(self.auxiliary_chain_id),
            origin_chain_id: Some(self.origin_chain_id),
        };
        Facilitator::from_value(file, &json::parse(file, &text)?, context)?;
        Ok(text)
    }
}

/// The `db` object. The default database is written relative to a config in its default place, so that the directory
/// can be moved, and absolute otherwise.
pub(super) fn database(db: Option<&Db>, config: &Path, default: &Path) -> Result<Value, Error> {
    let path = match db {
        Some(Db::Url { url, username, password }) => {
            let mut object = json!({ "url": url.expose() });
            let extra = [("username", username.as_deref()), ("password", password.as_ref().map(|p| p.expose()))];
            for (key, value) in extra {
                if let Some(value) = value {
                    object[key] = value.into();
                }
            }
            return Ok(object);
        }
        Some(Db::Sqlite(path)) => super::absolute(path)?,
        None if config.parent() == default.parent() => PathBuf::from(default.file_name().unwrap_or_default()),
        None => default.to_owned(),
    };
    let text = path.to_str().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Error::Usage("the path of the database must be UTF-8 and not empty".to_owned()))?;
    Ok(json!({ "db_path": text }))
}
