//! The knobs of one sender, in units of the chain.

use facilitator_eth::U256;

/// Settings of one chain's sender. Times in milliseconds, prices in wei per unit of gas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The chain signed for.
    pub chain_id: u64,
    /// Blocks on top of a block that make it final.
    pub confirmations: u64,
    /// Highest price of a unit of gas that is ever signed.
    pub max_fee_per_gas: U256,
    /// Tip offered on a chain with a base fee.
    pub max_priority_fee_per_gas: U256,
    /// Gas added to an estimate, in percent of it.
    pub gas_margin_percent: u32,
    /// Blocks without progress of an account after which its lowest transaction is sent again or replaced.
    pub resend_after_blocks: u64,
    /// Least raise of a replacement, in percent; nodes ask for 10.
    pub replace_bump_percent: u32,
    /// Most replacements of one transaction.
    pub max_replacements: u32,
    /// How often a new block is expected: without news for three of these the sender asks for the head by itself.
    pub poll_interval_ms: u64,
    /// How long a lease on an account lasts without renewal.
    pub lease_ttl_ms: u64,
    /// Wait after the first failed contact with the node; doubles up to [`Settings::retry_max_ms`].
    pub retry_base_ms: u64,
    /// Longest wait between contacts with a failing node.
    pub retry_max_ms: u64,
    /// Most transactions of one account in flight at once: nodes keep only so many of an account.
    pub max_in_flight: usize,
    /// Most intents alive at once; more are refused until some have ended.
    pub max_live: usize,
    /// Wei that an account keeps when it accepts something: what it needs for the rest of its work.
    pub min_balance: U256,
    /// Gas that each accept leaves its account to pay on this chain later; the coin for it is kept too.
    pub gas_after_accept: u64,
}

impl Settings {
    /// Blocks in which an account gets nowhere until what it has signed is given up, where nobody has its key: as many as
    /// all replacements of one transaction take.
    #[must_use]
    pub fn keyless_blocks(&self) -> u64 {
        let attempts = u64::from(self.max_replacements).saturating_add(1);
        self.resend_after_blocks.max(1).saturating_mul(attempts).max(self.confirmations)
    }

    /// The defaults of the configuration for a chain.
    #[must_use]
    pub fn new(chain_id: u64) -> Self {
        let gwei = U256::exp10(9);
        Self {
            chain_id,
            confirmations: 6,
            max_fee_per_gas: gwei.saturating_mul(U256::from(500u64)),
            max_priority_fee_per_gas: gwei,
            gas_margin_percent: 20,
            resend_after_blocks: 3,
            replace_bump_percent: 15,
            max_replacements: 20,
            poll_interval_ms: 1_000,
            lease_ttl_ms: 30_000,
            retry_base_ms: 500,
            retry_max_ms: 30_000,
            max_in_flight: 200,
            max_live: 50_000,
            min_balance: U256::ZERO,
            gas_after_accept: 0,
        }
    }
}
