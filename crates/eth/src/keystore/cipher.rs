//! The cryptography of a key store: key derivation, AES-128-CTR and the Keccak checksum.

use super::{KeystoreError, format::Kdf};
use crate::{B256, keccak256};
use aes::Aes128;
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a password and a salt give: sixteen bytes of cipher key, sixteen of checksum key.
pub(super) type Derived = Zeroizing<[u8; 32]>;

/// Derives the keys, which is slow on purpose. The parameters' limits were checked when they were read.
pub(super) fn derive(kdf: &Kdf, password: &str) -> Result<Derived, KeystoreError> {
    let mut out = Zeroizing::new([0; 32]);
    match kdf {
        Kdf::Scrypt { log_n, r, p, salt } => {
            let refuse = || KeystoreError::Unsupported(format!("scrypt with N = 2^{log_n}, r = {r}, p = {p}"));
            let parameters = scrypt::Params::new(*log_n, *r, *p).map_err(|_| refuse())?;
            scrypt::scrypt(password.as_bytes(), salt, &parameters, out.as_mut_slice()).map_err(|_| refuse())?;
        }
        Kdf::Pbkdf2 { rounds, salt } => {
            pbkdf2::pbkdf2::<Hmac<Sha256>>(password.as_bytes(), salt, *rounds, out.as_mut_slice());
        }
    }
    Ok(out)
}

/// Encrypts or decrypts in place.
pub(super) fn apply(derived: &Derived, iv: &[u8; 16], data: &mut [u8]) {
    let mut key = Zeroizing::new([0; 16]);
    key.copy_from_slice(&derived[..16]);
    Ctr128BE::<Aes128>::new((&*key).into(), iv.into()).apply_keystream(data);
}

/// The checksum by which a wrong password is noticed.
pub(super) fn mac(derived: &Derived, text: &[u8]) -> B256 {
    let mut input = Zeroizing::new(derived[16..].to_vec());
    input.extend_from_slice(text);
    keccak256(&*input)
}
