//! What can go wrong with configuration files and keys, sorted by what the caller decides: show and exit, ask a node
//! for a chain id, ask for a password, add `--force`.
//!
//! No text here holds a password, a key or the credentials of an endpoint.

use crate::Endpoint;
use facilitator_eth::Address;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// A wrong, missing or unreadable place in one configuration file (law 12). Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file, as it was named or found.
    pub file: PathBuf,
    /// The field, e.g. `chains.1406.rpc[0]`; empty when the whole file is meant.
    pub path: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl ConfigError {
    pub(crate) fn new(file: &Path, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), path: path.into(), message: message.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything this crate reports, one variant for each decision of the caller.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is invalid: tell the operator the field.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The chain has a name without a well-known id: ask one of the endpoints for `eth_chainId`, tell
    /// [`Names::learn`](crate::Names::learn) and read again.
    #[error("{}: {path}: the chain id of \"{name}\" is not known: its node must be asked, or the id written instead of the name", file.display())]
    UnknownChainName {
        /// The file with the name.
        file: PathBuf,
        /// The field with the name.
        path: String,
        /// The name of the chain.
        name: String,
        /// Endpoints of that chain in the same file; none in a mosaic config.
        endpoints: Vec<Endpoint>,
    },
    /// A file that would be written is there already; nothing was written.
    #[error("{} exists already: nothing was written; --force replaces it and keeps a backup, but makes new keys, which are to be funded and whitelisted anew", .0.display())]
    Exists(PathBuf),
    /// A file or directory could not be written; what was written before has been undone.
    #[error("{}: cannot {what}: {source}", path.display())]
    Write {
        /// What was tried.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The request itself makes no sense, whatever the files say.
    #[error("{0}")]
    Usage(String),
    /// A key cannot be unlocked or made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Why a key of the configuration cannot be used. The texts name accounts and variables, never a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No password for the account is known: ask for it, or set the variable.
    #[error("no password for {account}: set {variable}", variable = crate::password_variable(*account))]
    Missing {
        /// The worker whose password is missing.
        account: Address,
    },
    /// The password does not open the account's key store.
    #[error("the password of {account} is wrong: check {variable}, or the file of that name where a service gets it from one, or what you typed", variable = crate::password_variable(*account))]
    WrongPassword {
        /// The worker whose password is wrong.
        account: Address,
    },
    /// The password is empty, and does not open the account's key store.
    #[error("the password of {account} is empty: set {variable} to the password, or write it into the file of that name where a service gets it from one", variable = crate::password_variable(*account))]
    BlankPassword {
        /// The worker whose password is empty.
        account: Address,
    },
    /// The key store holds the key of another account than its entry says.
    #[error("the key store of {account} holds the key of {found}: restore the right key store from a backup")]
    OtherAccount {
        /// The account the configuration names.
        account: Address,
        /// The account the key belongs to.
        found: Address,
    },
    /// The key store cannot be read.
    #[error("the key store of {account} cannot be read: {reason}")]
    Unreadable {
        /// The account the configuration names.
        account: Address,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration has no hash-lock key, as those of earlier facilitators.
    #[error(
        "{} has no encrypted_hash_lock_key: `facilitator adopt` adds one, or `facilitator init --join` takes over that \
         of another instance of this operator", file.display()
    )]
    NoHashLockKey {
        /// The facilitator config.
        file: PathBuf,
    },
    /// The hash-lock key cannot be opened with the password of the first origin worker.
    #[error("encrypted_hash_lock_key does not open with the password of {account}, the first origin worker: {reason}")]
    HashLockKey {
        /// The first origin worker.
        account: Address,
        /// What is wrong with it.
        reason: String,
    },
    /// Two variables give different passwords for one account.
    #[error("two environment variables give different passwords for {account}: remove one")]
    Ambiguous {
        /// The account.
        account: Address,
    },
    /// A new password is empty.
    #[error("the password of the {chain} worker is empty: give one, it alone protects the key")]
    EmptyPassword {
        /// `origin` or `auxiliary`.
        chain: &'static str,
    },
    /// The system gave no randomness, or a key could not be made or encrypted.
    #[error("cannot make a key: {0}")]
    Make(String),
}
