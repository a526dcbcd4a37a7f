//! OSTComposer (origin) and RedeemPool (auxiliary): requests (protocol.md 2.1, 2.2).
//!
//! The two are twins; what differs is told by [`Kind`]. All but the proxy goes into the request hash, so any differing
//! argument of an accept is "Stake request must exists." or "Redeem request must exists.".

use super::{Function, View, address, functions, uint, word};
use crate::model::{Kind, Terms};
use facilitator_eth::{Address, B256, Bytes, abi::Value};

functions! {
    REQUEST_STAKE = "requestStake(uint256,address,uint256,uint256,uint256,address)", 0x010c_0a4f;
    ACCEPT_STAKE =
        "acceptStakeRequest(uint256,address,uint256,uint256,uint256,address,address,bytes32)", 0x861d_3962;
    REJECT_STAKE = "rejectStakeRequest(uint256,address,uint256,uint256,uint256,address,address)", 0x0648_eda5;
    REVOKE_STAKE = "revokeStakeRequest(uint256,address,uint256,uint256,uint256,address)", 0xe1f4_642c;
    DESTRUCT_STAKER_PROXY = "destructStakerProxy()", 0xb6f4_8bb9;
    STAKE_REQUESTS = "stakeRequests(bytes32)", 0x18ba_31d8;
    STAKE_REQUEST_HASHES = "stakeRequestHashes(address,address)", 0x3085_5dc7;
    STAKER_PROXIES = "stakerProxies(address)", 0x24f0_7660;
    STAKE_REQUEST_TYPE_HASH = "STAKEREQUEST_INTENT_TYPEHASH()", 0x6592_f111;
    REQUEST_REDEEM = "requestRedeem(uint256,address,uint256,uint256,uint256,address)", 0xdb68_2283;
    ACCEPT_REDEEM =
        "acceptRedeemRequest(uint256,address,uint256,uint256,uint256,address,address,bytes32)", 0x8beb_b5bc;
    REJECT_REDEEM = "rejectRedeemRequest(uint256,address,uint256,uint256,uint256,address,address)", 0xcbc9_fd30;
    REVOKE_REDEEM = "revokeRedeemRequest(uint256,address,uint256,uint256,uint256,address)", 0x9b42_890f;
    DESTRUCT_REDEEMER_PROXY = "destructRedeemerProxy()", 0x35de_eba7;
    REDEEM_REQUEST_HASHES = "redeemRequestHashes(address,address)", 0xf748_e34a;
    REDEEMER_PROXIES = "redeemerProxies(address)", 0x79ad_5b3c;
    HASH_REDEEM_REQUEST =
        "hashRedeemRequest(uint256,address,uint256,uint256,uint256,address,address)", 0x69aa_3039;
    DOMAIN_SEPARATOR = "DOMAIN_SEPARATOR()", 0x3644_e515;
    ORGANIZATION = "organization()", 0x23bd_4d7a;
}

const fn of(kind: Kind, stake: Function, redeem: Function) -> Function {
    match kind {
        Kind::Stake => stake,
        Kind::Redeem => redeem,
    }
}

/// Amount, beneficiary, gas price, gas limit and nonce: the beginning of every call.
fn common(terms: &Terms) -> Vec<Value> {
    vec![
        uint(terms.amount),
        address(terms.beneficiary),
        uint(terms.gas_price),
        uint(terms.gas_limit),
        uint(terms.nonce),
    ]
}

fn with_sender(terms: &Terms) -> Vec<Value> {
    let mut values = common(terms);
    values.extend([address(terms.sender), address(terms.gateway)]);
    values
}

/// The sender's request: takes amount, beneficiary, gas price, gas limit, nonce and gateway of the terms.
#[must_use]
pub fn request(kind: Kind, terms: &Terms) -> Bytes {
    let mut values = common(terms);
    values.push(address(terms.gateway));
    of(kind, REQUEST_STAKE, REQUEST_REDEEM).call(&values)
}

/// A worker accepts a request under a hash lock. A redeem's accept must send exactly the cogateway's bounty along; a
/// stake's needs an allowance of the gateway's bounty to the composer.
#[must_use]
pub fn accept(kind: Kind, terms: &Terms, hash_lock: B256) -> Bytes {
    let mut values = with_sender(terms);
    values.push(word(hash_lock));
    of(kind, ACCEPT_STAKE, ACCEPT_REDEEM).call(&values)
}

/// A worker gives the tokens back.
#[must_use]
pub fn reject(kind: Kind, terms: &Terms) -> Bytes {
    of(kind, REJECT_STAKE, REJECT_REDEEM).call(&with_sender(terms))
}

/// The sender takes the tokens back.
#[must_use]
pub fn revoke(kind: Kind, terms: &Terms) -> Bytes {
    let mut values = common(terms);
    values.push(address(terms.gateway));
    of(kind, REVOKE_STAKE, REVOKE_REDEEM).call(&values)
}

/// The sender destroys its proxy, even with a request pending.
#[must_use]
pub fn destruct_proxy(kind: Kind) -> Bytes {
    of(kind, DESTRUCT_STAKER_PROXY, DESTRUCT_REDEEMER_PROXY).call(&[])
}

/// Composer only: whether a request is pending and may be accepted.
#[must_use]
pub fn stake_request_pending(request_hash: B256) -> View<bool> {
    STAKE_REQUESTS.view(&[word(request_hash)])
}

/// The hash of the sender's present request at a gateway; zero if there is none. At the pool a request is pending if
/// and only if this is its hash.
#[must_use]
pub fn request_hash_of(kind: Kind, sender: Address, gateway: Address) -> View<B256> {
    of(kind, STAKE_REQUEST_HASHES, REDEEM_REQUEST_HASHES).view(&[address(sender), address(gateway)])
}

/// The sender's proxy now; zero if there is none. It may be another than an old event names (protocol.md R10).
#[must_use]
pub fn proxy_of(kind: Kind, sender: Address) -> View<Address> {
    of(kind, STAKER_PROXIES, REDEEMER_PROXIES).view(&[address(sender)])
}

/// Pool only: the contract's own hash of a request.
#[must_use]
pub fn hash_redeem_request(terms: &Terms) -> View<B256> {
    HASH_REDEEM_REQUEST.view(&with_sender(terms))
}

/// Composer only: the type hash of stake requests.
#[must_use]
pub fn stake_request_type_hash() -> View<B256> {
    STAKE_REQUEST_TYPE_HASH.view(&[])
}

/// Pool only: the domain of its request hashes.
#[must_use]
pub fn domain_separator() -> View<B256> {
    DOMAIN_SEPARATOR.view(&[])
}

/// The organization whose workers may accept.
#[must_use]
pub fn organization() -> View<Address> {
    ORGANIZATION.view(&[])
}
