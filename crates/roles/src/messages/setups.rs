//! What each kind of child is told first: part of the messages, so that any change raises the version.

use bincode::{Decode, Encode};
use facilitator_chain::{connector, sync};
use facilitator_eth::{Address, U256};
use facilitator_protocol::model::Side;
use std::fmt;
use std::net::SocketAddr;
use zeroize::Zeroize;

/// What every child that serves one chain is told first.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChainSetup {
    /// Which chain of the pair.
    pub side: Side,
    /// Its id; the node must say the same.
    pub chain_id: u64,
    /// Origin and auxiliary chain id, which the database is about.
    pub pair: (u64, u64),
    /// Endpoints. May contain credentials.
    pub rpc: Vec<String>,
    /// Database as a path or URL. May contain credentials.
    pub database: String,
    /// Blocks behind the head from which on a block is final.
    pub confirmations: u64,
    /// Milliseconds between two looks at the head.
    pub poll_interval_ms: u64,
    /// Milliseconds after which a call is given up.
    pub rpc_timeout_ms: u64,
    /// Most calls in one HTTP request.
    pub max_batch: u64,
}

/// What a scanner is told first.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ScannerSetup {
    /// The chain.
    pub chain: ChainSetup,
    /// How several endpoints are made one. Whether it waits for the other chain is told by `pair`.
    pub connector: connector::Settings,
    /// How it agrees with the other chain before anything is done; `None` reads this chain alone.
    pub pair: Option<sync::Settings>,
    /// Contracts of the configured gateways, as far as the configuration names them.
    pub gateways: Vec<ConfiguredGateway>,
    /// Worker keys whose balances are watched.
    pub workers: Vec<Address>,
}

/// The addresses of one gateway pair that the configuration gives.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ConfiguredGateway {
    /// Chain of the value token.
    pub origin_chain_id: u64,
    /// Chain of the utility token.
    pub auxiliary_chain_id: u64,
    /// OSTComposer.
    pub composer: Address,
    /// EIP20Gateway.
    pub gateway: Address,
    /// Anchor on the origin chain.
    pub anchor: Address,
    /// EIP20CoGateway.
    pub cogateway: Address,
    /// Anchor on the auxiliary chain.
    pub co_anchor: Address,
    /// RedeemPool.
    pub redeem_pool: Option<Address>,
}

/// What a monitor is told first.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct MonitorSetup {
    /// Everything that it works by. Contains credentials.
    pub setup: facilitator_monitor::Setup,
    /// Where the database is.
    pub chain: ChainSetup,
}

/// What the process that serves metrics and pages is told first.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct MetricsSetup {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Names by which it may be asked, beside addresses and the name of this host.
    pub hosts: Vec<String>,
    /// Database as a path or URL. May contain credentials.
    pub database: String,
    /// Origin and auxiliary chain id, which the database is about.
    pub pair: (u64, u64),
    /// Name of the instance whose status is served.
    pub instance: String,
}

/// A private key or the hash-lock key on its way to a sender. Wiped when dropped; never shown.
#[derive(Clone, Encode, Decode)]
pub struct KeyBytes(pub [u8; 32]);

impl Drop for KeyBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a sender is told first.
#[derive(Debug, Clone, Encode, Decode)]
pub struct SenderSetup {
    /// The chain.
    pub chain: ChainSetup,
    /// Name of this instance, the holder of the leases.
    pub instance: String,
    /// Worker keys.
    pub keys: Vec<(Address, KeyBytes)>,
    /// Key that all unlock secrets are derived from (law 3).
    pub hash_lock_key: KeyBytes,
    /// Most wei per gas that is ever offered.
    pub max_fee_per_gas: U256,
    /// Wei per gas offered to the block's producer.
    pub max_priority_fee_per_gas: U256,
    /// Gas limit over the estimate, percent.
    pub gas_margin_percent: u64,
    /// Blocks without inclusion after which a transaction is sent again or replaced.
    pub resend_after_blocks: u64,
    /// Rise of the fee of a replacement, percent.
    pub replace_bump_percent: u64,
    /// Most replacements of one transaction.
    pub max_replacements: u64,
    /// Wei that a worker keeps when it accepts a request.
    pub min_balance: U256,
}
