//! Unlock secrets, derived from the operator's hash-lock key and the request they are for.
//!
//! Invariant: the same key and input give the same secret for ever, in any process, instance and version, because a
//! declared message can be progressed with its secret alone. The layout below is therefore frozen; another one is a new
//! domain. Neither key nor secret is shown, and both are overwritten when dropped.

use crate::hashes;
use bincode::{Decode, Encode};
use facilitator_eth::{Address, B256, U256};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Keeps these secrets apart from anything else that the key may ever be used for.
const DOMAIN: &[u8] = b"mosaic-unlock-secret-v1";

/// The operator's hash-lock key: 32 random bytes, the same for all instances of one operator. Only senders hold it.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Zeroize, ZeroizeOnDrop)]
pub struct HashLockKey([u8; 32]);

impl HashLockKey {
    /// From its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for HashLockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashLockKey([secret])")
    }
}

/// The secret that unlocks one message on both chains.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Zeroize, ZeroizeOnDrop)]
pub struct UnlockSecret([u8; 32]);

impl UnlockSecret {
    /// A secret that is public already: read from the chain.
    #[must_use]
    pub const fn public(word: B256) -> Self {
        Self(word.0)
    }

    /// The secret as an ABI word, for the call data that reveals it (law 4: never before the target inbox is final).
    #[must_use]
    pub const fn reveal(&self) -> B256 {
        B256(self.0)
    }

    /// The hash lock that it opens.
    #[must_use]
    pub fn hash_lock(&self) -> B256 {
        hashes::hash_lock(&self.0)
    }
}

impl fmt::Debug for UnlockSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnlockSecret([secret])")
    }
}

/// What a secret belongs to. All of it can be read from the chains and the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct SecretInput {
    /// Chain of the request: the message's source.
    pub chain_id: u64,
    /// Composer or redeem pool.
    pub pool: Address,
    /// Gateway (stake) or cogateway (redeem) that the request names.
    pub gateway: Address,
    /// Hash of the request.
    pub request_hash: B256,
    /// Proxy of the staker or redeemer.
    pub proxy: Address,
    /// Message nonce of the proxy.
    pub nonce: U256,
    /// 0 unless a secret became public and its message did not survive a reorg.
    pub attempt: u32,
}

/// Derives the secret (law 3): HMAC-SHA256 under the key over, without separators,
///
/// | bytes | content |
/// |---|---|
/// | 23 | `mosaic-unlock-secret-v1` in ASCII |
/// | 8 | chain id, big-endian |
/// | 20 | composer or pool |
/// | 20 | gateway or cogateway |
/// | 32 | request hash |
/// | 20 | proxy |
/// | 32 | nonce, big-endian |
/// | 4 | attempt, big-endian |
#[must_use]
pub fn derive(key: &HashLockKey, input: &SecretInput) -> UnlockSecret {
    let SecretInput { chain_id, pool, gateway, request_hash, proxy, nonce, attempt } = input;
    // HMAC pads a key shorter than its block with zeros; doing so here makes a wrong length impossible.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(&key.0);
    let mac = <Hmac<Sha256> as Mac>::new((&*block).into())
        .chain_update(DOMAIN)
        .chain_update(chain_id.to_be_bytes())
        .chain_update(pool)
        .chain_update(gateway)
        .chain_update(request_hash)
        .chain_update(proxy)
        .chain_update(nonce.to_be_bytes())
        .chain_update(attempt.to_be_bytes());
    UnlockSecret(mac.finalize().into_bytes().into())
}
