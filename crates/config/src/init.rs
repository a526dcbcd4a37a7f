//! Makes a new facilitator: a key for each worker, the hash-lock key, the facilitator config and the copies of the
//! mosaic and gateway config. [`plan`] reads and checks everything and writes nothing; [`Plan::write`] makes the keys
//! and writes all files or none.

mod document;

use crate::{
    Change, ConfigError, Context, Db, Endpoint, Error, Facilitator, GatewayConfig, Home, KeyError, Mosaic, Names,
    Overwrite, Passwords, Secret, check_database_url, files, json, password_variable, unlock,
};
use document::{Document, chain_entry};
use facilitator_eth::{
    Address,
    keystore::{self, Kdf},
    tx::SecretKey,
};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::SystemTime,
};
use zeroize::Zeroizing;

/// Most workers of one chain that `init` makes.
pub const MAX_WORKERS: u32 = 100;

/// Where the contracts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `--mosaic-config`.
    Mosaic(PathBuf),
    /// `--gateway-config`.
    Gateway(PathBuf),
}

/// What `facilitator init` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Init {
    /// Where the contracts come from.
    pub source: Source,
    /// The auxiliary chain.
    pub auxiliary_chain_id: u64,
    /// Nodes of the origin chain, at least one.
    pub origin_rpc: Vec<Endpoint>,
    /// Nodes of the auxiliary chain, at least one.
    pub auxiliary_rpc: Vec<Endpoint>,
    /// The database; `None` for `facilitator.db` in the chain's directory. A relative path begins at the working
    /// directory.
    pub db: Option<Db>,
    /// The file to write; `None` for the default place.
    pub config: Option<PathBuf>,
    /// The config of another instance of the same operator, whose hash-lock key is taken over.
    pub join: Option<PathBuf>,
    /// Workers of each chain, 1 to [`MAX_WORKERS`].
    pub workers: u32,
    /// What to do with files that are there.
    pub overwrite: Overwrite,
}

/// The passwords for new keys.
#[derive(Debug, Clone)]
pub struct InitPasswords {
    /// Of the origin workers and the hash-lock key.
    pub origin: Secret,
    /// Of the auxiliary workers.
    pub auxiliary: Secret,
    /// Of [`Plan::join_account`], when another instance is joined.
    pub join: Passwords,
}

/// A checked `init` that has not written anything.
#[derive(Debug, Clone)]
pub struct Plan {
    home: Home,
    init: Init,
    config: PathBuf,
    origin_chain_id: u64,
    db: Value,
    /// The files beside the facilitator config.
    copies: Vec<Change>,
    join: Option<Facilitator>,
}

/// What `init` made. Its JSON form is what `init --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The facilitator config.
    pub config: PathBuf,
    /// The origin chain.
    pub origin: SummaryChain,
    /// The auxiliary chain.
    pub auxiliary: SummaryChain,
    /// The environment variables in which `start` looks for the passwords.
    pub password_variables: Vec<String>,
    /// Copies of replaced files. The replaced config holds the earlier hash-lock key, which requests accepted with it
    /// still need.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backups: Vec<PathBuf>,
}

/// The new workers of one chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SummaryChain {
    /// The chain's id.
    pub chain_id: u64,
    /// The new accounts: to be funded and whitelisted.
    pub workers: Vec<Address>,
}

/// Reads and checks everything that `init` needs; writes nothing.
///
/// # Errors
/// [`Error::Usage`] for a request without sense, [`Error::Config`] for an invalid input file, [`Error::Exists`] when
/// a file would have to be replaced, [`Error::UnknownChainName`] when the origin node must be asked for its chain id.
pub fn plan(init: &Init, home: &Home, names: &Names) -> Result<Plan, Error> {
    check_request(init)?;
    let default = home.facilitator_config(init.auxiliary_chain_id);
    let config = init.config.as_deref().map_or(Ok(default), absolute)?;
    let (mosaic, copies) = read_source(init, home)?;
    let origin_chain_id = names.id(&mosaic.origin.chain).ok_or_else(|| Error::UnknownChainName {
        file: mosaic.file.clone(),
        path: "originChain.chain".to_owned(),
        name: mosaic.origin.chain.to_string(),
        endpoints: init.origin_rpc.clone(),
    })?;
    if origin_chain_id == init.auxiliary_chain_id {
        let message = format!("is chain {origin_chain_id}, which is also the auxiliary chain");
        return Err(ConfigError::new(&mosaic.file, "originChain", message).into());
    }
    let context = Context {
        home,
        names,
        auxiliary_chain_id: Some(init.auxiliary_chain_id),
        origin_chain_id: Some(origin_chain_id),
    };
    let join = init.join.as_deref().map(|file| Facilitator::read(file, context)).transpose()?;
    if let Some(Facilitator { encrypted_hash_lock_key: None, file, .. }) = &join {
        return Err(KeyError::NoHashLockKey { file: file.clone() }.into());
    }
    let db = document::database(init.db.as_ref(), &config, &home.database(init.auxiliary_chain_id))?;
    let mut targets = copies.clone();
    // Whatever it will hold, it is new: a file in its place is a conflict.
    targets.push(Change { path: config.clone(), content: Some(String::new()) });
    files::check(&targets, init.overwrite)?;
    Ok(Plan { home: home.clone(), init: init.clone(), config, origin_chain_id, db, copies, join })
}

fn check_request(init: &Init) -> Result<(), Error> {
    if !(1..=MAX_WORKERS).contains(&init.workers) {
        return Err(Error::Usage(format!("--workers must be 1 to {MAX_WORKERS}, not {}", init.workers)));
    }
    for (endpoints, flag) in [(&init.origin_rpc, "--origin-rpc"), (&init.auxiliary_rpc, "--aux-rpc")] {
        if endpoints.is_empty() {
            return Err(Error::Usage(format!("{flag} must be given")));
        }
    }
    match &init.db {
        Some(Db::Url { url, .. }) => {
            check_database_url(url.expose()).map_err(|message| Error::Usage(format!("--db-url {message}")))
        }
        Some(Db::Sqlite(_)) | None => Ok(()),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|source| Error::Write { what: "find", path: path.to_owned(), source })
}

/// The mosaic config of the request, and the copies that `start` will look for.
fn read_source(init: &Init, home: &Home) -> Result<(Mosaic, Vec<Change>), Error> {
    let id = init.auxiliary_chain_id;
    let (mosaic_file, gateway_copy) = match &init.source {
        Source::Mosaic(file) => (file.clone(), None),
        Source::Gateway(file) => {
            let text = json::read_text(file)?;
            let mut value = json::parse(file, &text)?;
            let config = GatewayConfig::from_value(file, &value, home)?;
            if config.auxiliary_chain_id != id {
                let message = format!("is {}, but --chain-id is {id}", config.auxiliary_chain_id);
                return Err(ConfigError::new(file, "auxChainId", message).into());
            }
            // The copy stands beside the copy of its mosaic config and refers to that one.
            if let Some(path) = value.get_mut("mosaicConfigFilePath") {
                *path = "mosaic-config.json".into();
            }
            (config.mosaic_config, Some(format!("{value:#}\n")))
        }
    };
    let text = json::read_text(&mosaic_file)?;
    let mosaic = Mosaic::from_value(&mosaic_file, &json::parse(&mosaic_file, &text)?)?;
    mosaic.chain(id)?;
    let copies = vec![
        Change { path: home.mosaic_config(id), content: Some(text) },
        // Without --gateway-config none may be left of an earlier init: `start` would follow it.
        Change { path: home.gateway_config(id), content: gateway_copy },
    ];
    Ok((mosaic, copies))
}

impl Plan {
    /// The facilitator config that will be written.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The account whose password opens the hash-lock key that is taken over.
    #[must_use]
    pub fn join_account(&self) -> Option<Address> {
        self.join.as_ref().and_then(|other| other.origin.workers.first().copied())
    }

    /// Makes the keys and writes all files, or none. Takes about 0.7 s a key with [`Kdf::Standard`]. `now` names the
    /// backups.
    ///
    /// # Errors
    /// [`Error::Key`] for an empty or wrong password; [`Error::Exists`] and [`Error::Write`] for the files.
    pub fn write(self, passwords: &InitPasswords, kdf: Kdf, now: SystemTime) -> Result<Summary, Error> {
        for (password, chain) in [(&passwords.origin, "origin"), (&passwords.auxiliary, "auxiliary")] {
            if password.is_empty() {
                return Err(KeyError::EmptyPassword { chain }.into());
            }
        }
        let hash_lock_key = match &self.join {
            Some(other) => unlock::open_hash_lock_key(other, &passwords.join)?,
            None => random_key()?,
        };
        let mut accounts = BTreeMap::new();
        let origin = make_workers(self.init.workers, &passwords.origin, kdf, &mut accounts)?;
        let auxiliary = make_workers(self.init.workers, &passwords.auxiliary, kdf, &mut accounts)?;
        let document = Document {
            version: 1,
            origin_chain_id: self.origin_chain_id,
            auxiliary_chain_id: self.init.auxiliary_chain_id,
            db: self.db,
            chains: BTreeMap::from([
                (self.origin_chain_id, chain_entry(&self.init.origin_rpc, &origin)),
                (self.init.auxiliary_chain_id, chain_entry(&self.init.auxiliary_rpc, &auxiliary)),
            ]),
            encrypted_accounts: accounts,
            encrypted_hash_lock_key: encrypt(&hash_lock_key, None, &passwords.origin, kdf)?,
        };
        let content = document.render(&self.config, &self.home)?;
        let mut changes = self.copies;
        changes.push(Change { path: self.config.clone(), content: Some(content) });
        let backups = files::write(&changes, self.init.overwrite, now)?;
        Ok(Summary {
            config: self.config,
            password_variables: origin.iter().chain(&auxiliary).map(|worker| password_variable(*worker)).collect(),
            origin: SummaryChain { chain_id: self.origin_chain_id, workers: origin },
            auxiliary: SummaryChain { chain_id: self.init.auxiliary_chain_id, workers: auxiliary },
            backups,
        })
    }
}

fn random_key() -> Result<unlock::Key, KeyError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(|error| KeyError::Make(error.to_string()))?;
    Ok(key)
}

fn make_workers(
    number: u32,
    password: &Secret,
    kdf: Kdf,
    accounts: &mut BTreeMap<Address, Value>,
) -> Result<Vec<Address>, KeyError> {
    let mut workers = Vec::new();
    for _ in 0..number {
        let key = SecretKey::random().map_err(|error| KeyError::Make(error.to_string()))?;
        let address = key.address();
        accounts.insert(address, encrypt(&key.to_bytes(), Some(address), password, kdf)?);
        workers.push(address);
    }
    Ok(workers)
}

fn encrypt(key: &[u8; 32], address: Option<Address>, password: &Secret, kdf: Kdf) -> Result<Value, KeyError> {
    keystore::encrypt(key, address, password.expose(), kdf).map_err(|error| KeyError::Make(error.to_string()))
}

/// Adds a new hash-lock key to a config that has none, as those of earlier facilitators, and keeps a backup of the
/// file, which is returned. `password` is the one of the first origin worker; it is checked.
///
/// # Errors
/// [`Error::Usage`] when there is a key already; [`Error::Key`] for a wrong password; errors of reading and writing.
pub fn add_hash_lock_key(
    facilitator: &Facilitator,
    passwords: &Passwords,
    kdf: Kdf,
    now: SystemTime,
) -> Result<Vec<PathBuf>, Error> {
    let file = &facilitator.file;
    let present = || Error::Usage(format!("{} has an encrypted_hash_lock_key already", file.display()));
    if facilitator.encrypted_hash_lock_key.is_some() {
        return Err(present());
    }
    let account = unlock::hash_lock_account(facilitator)?;
    let password = unlock::password_of(passwords, account)?;
    let none = || KeyError::Unreadable { account, reason: "the configuration has none".to_owned() };
    unlock::open_worker(account, facilitator.encrypted_accounts.get(&account).ok_or_else(none)?, password)?;
    let mut value = json::read(file)?;
    let not_object = || ConfigError::new(file, "", "must be an object");
    let map = value.as_object_mut().ok_or_else(not_object)?;
    let key = encrypt(&*random_key()?, None, password, kdf)?;
    // The file may have changed since it was read: a key that came in between stays.
    if map.insert("encrypted_hash_lock_key".to_owned(), key).is_some() {
        return Err(present());
    }
    let change = Change { path: file.clone(), content: Some(format!("{value:#}\n")) };
    files::write(&[change], Overwrite::Backup, now)
}
