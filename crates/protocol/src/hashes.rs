//! The hashes that requests, intents and messages are known by (protocol.md 3).
//!
//! They look like EIP-712 and are not: type hashes cover the ABI encoding of the type string, and the inner hash of a
//! request is packed. Every function here is checked against values of the real contracts.

use crate::{
    model::{Kind, Terms},
    word,
};
use facilitator_eth::{Address, B256, U256, keccak256};

/// Type hash of stake requests, as `STAKEREQUEST_INTENT_TYPEHASH()` of the composer.
pub const STAKE_REQUEST_TYPE: B256 = word("ed428fa087571f4e29c2dca4650fda74cc25e90b66246db2b9aec7fa3bbc8598");
/// Type hash of redeem requests.
pub const REDEEM_REQUEST_TYPE: B256 = word("d520522fd30d9fe6e32c5322662266444995d05b57fdfe488c05fc0935b72612");
/// Type hash of stake intents.
pub const STAKE_INTENT_TYPE: B256 = word("cf62bdacce8f330ac3be2a194883ab7a0b95df33418aa7aa15b30d371fd14147");
/// Type hash of redeem intents.
pub const REDEEM_INTENT_TYPE: B256 = word("18ff6944a9541fb7f707062953626889524f4c551bfe46264f78469355e8d0e4");
/// Type hash of messages.
pub const MESSAGE_TYPE: B256 = word("d817c36cc79a8bbc2d465d4d100850efa54839052f5a44c2aa33c19679c9faa0");
/// Type hash of the domain: the only ordinary EIP-712 one.
pub const DOMAIN_TYPE: B256 = word("035aff83d86937d35b32e04f0ddc6ff469290eef2f1b692d8a815c89404d4749");

/// The domain separator of a composer or pool; it knows no chain id.
#[must_use]
pub fn domain_separator(pool: Address) -> B256 {
    keccak256([DOMAIN_TYPE.0, pool.to_word().0].concat())
}

/// The hash of a request at a composer (stake) or pool (redeem), over all terms but the proxy and the hash itself.
/// The same request made again after a withdrawal has the same hash (protocol.md R6).
#[must_use]
pub fn request_hash(kind: Kind, pool: Address, terms: &Terms) -> B256 {
    let request_type = match kind {
        Kind::Stake => STAKE_REQUEST_TYPE,
        Kind::Redeem => REDEEM_REQUEST_TYPE,
    };
    let mut inner = Vec::with_capacity(220);
    inner.extend_from_slice(request_type.as_ref());
    inner.extend_from_slice(&terms.amount.to_be_bytes());
    inner.extend_from_slice(terms.beneficiary.as_ref());
    inner.extend_from_slice(&terms.gas_price.to_be_bytes());
    inner.extend_from_slice(&terms.gas_limit.to_be_bytes());
    inner.extend_from_slice(&terms.nonce.to_be_bytes());
    inner.extend_from_slice(terms.sender.as_ref());
    inner.extend_from_slice(terms.gateway.as_ref());
    let mut outer = vec![0x19, 0x01];
    outer.extend_from_slice(domain_separator(pool).as_ref());
    outer.extend_from_slice(keccak256(inner).as_ref());
    keccak256(outer)
}

/// The hash of what a message wants: amount, beneficiary and the gateway of the source chain (the gateway for stakes,
/// the cogateway for redeems, on both chains).
#[must_use]
pub fn intent_hash(kind: Kind, amount: U256, beneficiary: Address, gateway: Address) -> B256 {
    let intent_type = match kind {
        Kind::Stake => STAKE_INTENT_TYPE,
        Kind::Redeem => REDEEM_INTENT_TYPE,
    };
    let words = [intent_type.0, amount.to_be_bytes(), beneficiary.to_word().0, gateway.to_word().0];
    keccak256(words.concat())
}

/// What a message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageParts {
    /// See [`intent_hash`].
    pub intent_hash: B256,
    /// The sender's message nonce.
    pub nonce: U256,
    /// Reward per unit of gas, smallest units.
    pub gas_price: U256,
    /// Most units of gas rewarded.
    pub gas_limit: U256,
    /// Proxy of the staker or redeemer, or the account itself if it came without composer and pool.
    pub sender: Address,
    /// Hash of the unlock secret.
    pub hash_lock: B256,
}

/// The hash that outbox and inbox know a message by. It depends on the hash lock: every attempt is another message.
#[must_use]
pub fn message_hash(parts: &MessageParts) -> B256 {
    let MessageParts { intent_hash, nonce, gas_price, gas_limit, sender, hash_lock } = parts;
    let words = [
        MESSAGE_TYPE.0,
        intent_hash.0,
        nonce.to_be_bytes(),
        gas_price.to_be_bytes(),
        gas_limit.to_be_bytes(),
        sender.to_word().0,
        hash_lock.0,
    ];
    keccak256(words.concat())
}

/// The hash of the message that accepting a request declares, with the given proxy as its sender.
#[must_use]
pub fn message_of_request(kind: Kind, terms: &Terms, proxy: Address, hash_lock: B256) -> B256 {
    message_hash(&MessageParts {
        intent_hash: intent_hash(kind, terms.amount, terms.beneficiary, terms.gateway),
        nonce: terms.nonce,
        gas_price: terms.gas_price,
        gas_limit: terms.gas_limit,
        sender: proxy,
        hash_lock,
    })
}

/// The hash lock of a secret: over its 32 raw bytes, neither as text nor as ABI `bytes`.
#[must_use]
pub fn hash_lock(secret: &[u8; 32]) -> B256 {
    keccak256(secret)
}
