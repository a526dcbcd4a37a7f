//! An account with its key, which signs for itself and counts its own nonces.
//!
//! For parties that are alone with their key: stakers and the straight script. One price of gas serves every hard fork.

use anyhow::Result;
use facilitator_eth::{
    Address, Bytes, U256, keccak256,
    tx::{self, Fee, SecretKey, Signed, Transaction},
};
use std::sync::atomic::{AtomicU64, Ordering};

/// Price of a unit of gas in wei that anvil takes for many full blocks: 100 gwei.
pub const GAS_PRICE: u64 = 100_000_000_000;

/// One account on one chain.
#[derive(Debug)]
pub struct Account {
    key: SecretKey,
    chain_id: u64,
    nonce: AtomicU64,
    /// Its address.
    pub address: Address,
}

impl Account {
    /// The account whose key is the hash of `name`: the same one in every run.
    ///
    /// # Errors
    /// When the hash is no key, which no name has met.
    pub fn named(name: &str, chain_id: u64) -> Result<Self> {
        let key = SecretKey::from_bytes(keccak256(name).as_bytes())?;
        Ok(Self { address: key.address(), key, chain_id, nonce: AtomicU64::new(0) })
    }

    /// Counts on from a nonce, e.g. after a fork that took transactions out.
    pub fn count_from(&self, nonce: u64) {
        self.nonce.store(nonce, Ordering::Relaxed);
    }

    /// Signs the account's next transaction.
    ///
    /// # Errors
    /// When signing fails, which a valid key does not.
    pub fn sign(&self, to: Address, data: Bytes, gas_limit: u64) -> Result<Signed> {
        self.sign_paying(to, data, gas_limit, U256::ZERO)
    }

    /// As [`Account::sign`], with base coin sent along, in wei.
    ///
    /// # Errors
    /// When signing fails, which a valid key does not.
    pub fn sign_paying(&self, to: Address, data: Bytes, gas_limit: u64, value: U256) -> Result<Signed> {
        let transaction = Transaction {
            chain_id: self.chain_id,
            nonce: self.nonce.fetch_add(1, Ordering::Relaxed),
            to,
            value,
            data,
            gas_limit,
            fee: Fee::Legacy { gas_price: U256::from(GAS_PRICE) },
        };
        Ok(tx::sign(&transaction, &self.key)?)
    }
}
