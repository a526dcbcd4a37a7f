//! Opens the key stores of a facilitator config. Done once, by the parent: with the written strength each key store
//! takes about 0.65 s and 256 MiB while it is opened.

use crate::{Facilitator, KeyError, KeyStore, Passwords, Secret};
use facilitator_eth::{
    Address,
    keystore::{self, KeystoreError},
    tx::SecretKey,
};
use std::{fmt, thread};
use zeroize::Zeroizing;

/// Key stores opened at one time: bounds the memory to two times 256 MiB.
const AT_ONCE: usize = 2;

/// 32 secret bytes, zeroed when dropped.
pub type Key = Zeroizing<[u8; 32]>;

/// The opened keys. `Debug` shows accounts alone.
pub struct Keys {
    /// The origin workers in the order of the config.
    pub origin: Vec<(Address, Key)>,
    /// The auxiliary workers in the order of the config.
    pub auxiliary: Vec<(Address, Key)>,
    /// The hash-lock key (law 3).
    pub hash_lock_key: Key,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accounts = |keys: &[(Address, Key)]| keys.iter().map(|(account, _)| *account).collect::<Vec<_>>();
        f.debug_struct("Keys")
            .field("origin", &accounts(&self.origin))
            .field("auxiliary", &accounts(&self.auxiliary))
            .finish_non_exhaustive()
    }
}

/// Opens all keys that `facilitator` works with. [`Facilitator::workers`] tells whose passwords are needed.
///
/// # Errors
/// The first account, in the order of the config, whose key does not open, with the reason; or that there is no
/// hash-lock key. What is missing is reported before anything slow is tried.
pub fn unlock(facilitator: &Facilitator, passwords: &Passwords) -> Result<Keys, KeyError> {
    let workers = facilitator.workers();
    let mut jobs = Vec::new();
    for account in &workers {
        jobs.push((*account, store_of(facilitator, *account)?, password_of(passwords, *account)?));
    }
    hash_lock_store(facilitator)?;
    let mut opened = Vec::new();
    for batch in jobs.chunks(AT_ONCE) {
        opened.extend(open_batch(batch)?);
    }
    let of = |accounts: &[Address]| -> Vec<(Address, Key)> {
        opened.iter().filter(|(account, _)| accounts.contains(account)).cloned().collect()
    };
    Ok(Keys {
        origin: of(&facilitator.origin.workers),
        auxiliary: of(&facilitator.auxiliary.workers),
        hash_lock_key: open_hash_lock_key(facilitator, passwords)?,
    })
}

fn open_batch(batch: &[(Address, &KeyStore, &Secret)]) -> Result<Vec<(Address, Key)>, KeyError> {
    thread::scope(|scope| {
        let running: Vec<_> = batch
            .iter()
            .map(|(account, store, password)| (*account, scope.spawn(|| open_worker(*account, store, password))))
            .collect();
        let finish = |(account, handle): (Address, thread::ScopedJoinHandle<'_, Result<Key, KeyError>>)| {
            let stopped = || KeyError::Unreadable { account, reason: "opening it was interrupted".to_owned() };
            handle.join().map_err(|_| stopped())?.map(|key| (account, key))
        };
        running.into_iter().map(finish).collect()
    })
}

/// Opens the key of one worker and checks that it is the worker's.
///
/// # Errors
/// Wrong password, unreadable key store, or the key of another account.
pub(crate) fn open_worker(account: Address, store: &KeyStore, password: &Secret) -> Result<Key, KeyError> {
    let unreadable = |reason: String| KeyError::Unreadable { account, reason };
    let key = keystore::decrypt(store.json(), password.expose()).map_err(|error| match error {
        KeystoreError::WrongPassword if password.expose().is_empty() => KeyError::BlankPassword { account },
        KeystoreError::WrongPassword => KeyError::WrongPassword { account },
        KeystoreError::Unsupported(_) | KeystoreError::Malformed(_) | KeystoreError::Randomness(_) => {
            unreadable(error.to_string())
        }
    })?;
    let found = SecretKey::from_bytes(&key).map_err(|error| unreadable(error.to_string()))?.address();
    if found == account { Ok(key) } else { Err(KeyError::OtherAccount { account, found }) }
}

/// Opens the hash-lock key with the password of the first origin worker.
///
/// # Errors
/// There is none, no password for it, or it does not open.
pub fn open_hash_lock_key(facilitator: &Facilitator, passwords: &Passwords) -> Result<Key, KeyError> {
    let store = hash_lock_store(facilitator)?;
    let account = hash_lock_account(facilitator)?;
    let password = password_of(passwords, account)?;
    keystore::decrypt(store.json(), password.expose())
        .map_err(|error| KeyError::HashLockKey { account, reason: error.to_string() })
}

/// The account whose password protects the hash-lock key: the first origin worker.
///
/// # Errors
/// Never for a checked config, which has a worker on each chain.
pub fn hash_lock_account(facilitator: &Facilitator) -> Result<Address, KeyError> {
    let none = || KeyError::Make("the origin chain has no worker".to_owned());
    facilitator.origin.workers.first().copied().ok_or_else(none)
}

fn hash_lock_store(facilitator: &Facilitator) -> Result<&KeyStore, KeyError> {
    let none = || KeyError::NoHashLockKey { file: facilitator.file.clone() };
    facilitator.encrypted_hash_lock_key.as_ref().ok_or_else(none)
}

fn store_of(facilitator: &Facilitator, account: Address) -> Result<&KeyStore, KeyError> {
    let none = || KeyError::Unreadable { account, reason: "the configuration has none".to_owned() };
    facilitator.encrypted_accounts.get(&account).ok_or_else(none)
}

pub(crate) fn password_of(passwords: &Passwords, account: Address) -> Result<&Secret, KeyError> {
    passwords.get(account).ok_or(KeyError::Missing { account })
}
