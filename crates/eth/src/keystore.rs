//! Key stores: Web3 Secret Storage, version 3, as a JSON value.
//!
//! Written with scrypt at the strength of geth's standard; read with every parameter that geth, web3 or foundry write,
//! up to limits that keep a hostile file from taking the machine's memory or time. Passwords and keys never stand in an
//! error. Reading and writing files is the caller's business.

mod cipher;
mod format;

use crate::Address;
use format::{File, Kdf as Parameters};
use serde_json::Value;
use zeroize::Zeroizing;

/// How hard it is to try passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kdf {
    /// scrypt with N = 2^18: 256 MiB and about a second for each try. For keys that hold money.
    Standard,
    /// scrypt with N = 2^12: 4 MiB and some milliseconds for each try. For tests.
    Light,
}

impl Kdf {
    fn log_n(self) -> u8 {
        match self {
            Self::Standard => 18,
            Self::Light => 12,
        }
    }
}

/// Why a key store was not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeystoreError {
    /// The password does not open it (or its cipher text is damaged, which cannot be told apart).
    #[error("wrong password")]
    WrongPassword,
    /// A kind or strength that is not read: the text names it.
    #[error("unsupported key store: {0}")]
    Unsupported(String),
    /// Not the shape of a version 3 key store: the text names the field.
    #[error("no version 3 key store: {0}")]
    Malformed(String),
    /// The operating system gave no random bytes.
    #[error("no randomness from the operating system: {0}")]
    Randomness(String),
}

/// Encrypts 32 secret bytes under a password. `address` is written beside them, so that an account's store can be told
/// without the password; `None` for secrets that are no account.
///
/// # Errors
/// [`KeystoreError::Randomness`] if salt, vector and identifier cannot be drawn.
pub fn encrypt(secret: &[u8; 32], address: Option<Address>, password: &str, kdf: Kdf) -> Result<Value, KeystoreError> {
    let salt = random::<32>()?;
    let iv = random::<16>()?;
    let id = random::<16>()?;
    let parameters = Parameters::Scrypt { log_n: kdf.log_n(), r: 8, p: 1, salt: salt.to_vec() };
    let derived = cipher::derive(&parameters, password)?;
    // The cipher text is made in place of a copy of the secret, so the copy ends as cipher text.
    let mut text = secret.to_vec();
    cipher::apply(&derived, &iv, &mut text);
    let mac = cipher::mac(&derived, &text);
    Ok(File { kdf: parameters, iv, text, mac }.to_json(address, id))
}

/// What it takes to try a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of memory.
    pub memory: u64,
    /// Steps: mixed blocks of 128 bytes for scrypt, rounds for PBKDF2.
    pub work: u64,
}

/// Reads a key store as [`decrypt`] does, up to the point where the slow derivation would begin, and tells what that
/// would take.
///
/// # Errors
/// [`KeystoreError::Unsupported`] or [`KeystoreError::Malformed`], as [`decrypt`] has it.
pub fn cost(store: &Value) -> Result<Cost, KeystoreError> {
    File::from_json(store).map(|file| file.kdf.cost())
}

/// Decrypts a key store. A shorter key than 32 bytes is padded with zeros on the left, as old versions of geth and web3
/// cut leading zeros off.
///
/// # Errors
/// [`KeystoreError`]: a wrong password, a kind that is not read, or not a key store at all.
pub fn decrypt(store: &Value, password: &str) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
    let File { kdf, iv, text, mac } = File::from_json(store)?;
    let derived = cipher::derive(&kdf, password)?;
    if cipher::mac(&derived, &text) != mac {
        return Err(KeystoreError::WrongPassword);
    }
    let mut secret = Zeroizing::new([0; 32]);
    // `from_json` lets no more than 32 bytes through.
    let start = secret.len().saturating_sub(text.len());
    if let Some(room) = secret.get_mut(start..) {
        room.copy_from_slice(&text);
        cipher::apply(&derived, &iv, room);
    }
    Ok(secret)
}

fn random<const N: usize>() -> Result<[u8; N], KeystoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| KeystoreError::Randomness(error.to_string()))?;
    Ok(bytes)
}
