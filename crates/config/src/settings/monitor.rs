//! The optional settings of the monitor.

use super::{Scope, Setting, read};
use crate::{
    ConfigError, Secret,
    kinds::{Choice, HiddenText, HttpUrl, Kind as _, Maybe, Millis, PathText, Seconds, Small, Wei, count},
    node::Fields,
};
use facilitator_eth::U256;
use std::time::Duration;

/// Which networks are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// The origin chain is Ethereum's main network.
    Mainnet,
    /// It is any other.
    Testnet,
}

impl Environment {
    /// The words for them.
    pub const WORDS: [(&'static str, Self); 2] = [("mainnet", Self::Mainnet), ("testnet", Self::Testnet)];
}

settings! {
    /// Optional settings of the monitor, in the object `monitor`.
    MonitorSettings, Scope::Monitor;
    /// Which networks are watched: mainnet if the origin chain is chain 1, else testnet. `ENVIRONMENT` wins; one of both is needed.
    "environment" environment: Option<Environment> = None, Maybe(Choice(&Environment::WORDS));
    /// The node by which the origin chain is watched, best another one than the facilitator works with. `ETHEREUM_URL` wins; one of both is needed.
    "ethereum_url" ethereum_url: Option<Secret> = None, Maybe(HttpUrl);
    /// The same for the auxiliary chain; `AUXILIARY_URL` wins.
    "auxiliary_url" auxiliary_url: Option<Secret> = None, Maybe(HttpUrl);
    /// Folder in which the monitor keeps what it has done, in one JSON file; null keeps it in the database. `DATA_DIR_PATH` and `--data-dir` win.
    "data_dir_path" data_dir_path: Option<String> = None, Maybe(PathText);
    /// Where informational events go; null for nowhere. `DISCORD_WEBHOOK_URL` wins.
    "discord_webhook_url" discord_webhook_url: Option<Secret> = None, Maybe(HttpUrl);
    /// Where warnings and critical events go; null for nowhere. `SENTRY_DSN` wins.
    "sentry_dsn" sentry_dsn: Option<Secret> = None, Maybe(HttpUrl);
    /// Where all events go as JSON; null for nowhere. `WEBHOOK_URL` wins.
    "webhook_url" webhook_url: Option<Secret> = None, Maybe(HttpUrl);
    /// The key by which what goes to `webhook_url` is signed; null sends it unsigned. `WEBHOOK_SECRET` wins.
    "webhook_secret" webhook_secret: Option<Secret> = None, Maybe(HiddenText);
    /// A stake request of more than this is a warning. `LARGE_STAKE_THRESHOLD` wins.
    "large_stake_threshold" large_stake_threshold: U256 = U256::exp10(19), Wei("smallest unit");
    /// A redeem of more than this is a warning. `LARGE_REDEEM_THRESHOLD` wins.
    "large_redeem_threshold" large_redeem_threshold: U256 = U256::exp10(19), Wei("smallest unit");
    /// Pause between two runs; `--interval` wins.
    "interval_s" interval: Duration = Duration::from_secs(60), Seconds(1, 86_400);
    /// Blocks before the checkpoint that each run looks at again, because forks may have replaced them.
    "reorg_depth_blocks" reorg_depth_blocks: u64 = 12, count("blocks", 0, 100_000);
    /// A request that nobody accepted for so long is a warning.
    "unaccepted_blocks" unaccepted_blocks: u64 = 600, count("blocks", 1, 1_000_000);
    /// A message that is not progressed on both sides so long after its declaration is a warning.
    "unfinished_blocks" unfinished_blocks: u64 = 600, count("blocks", 1, 1_000_000);
    /// A redeem that is still only declared after so long is a warning.
    "stale_redeem_blocks" stale_redeem_blocks: u64 = 2_400, count("blocks", 1, 1_000_000);
    /// A chain that grew by so much since its last anchored state root is a warning.
    "stale_root_blocks" stale_root_blocks: u64 = 600, count("blocks", 1, 1_000_000);
    /// The time in which `supply_change_percent` is measured.
    "supply_span_blocks" supply_span_blocks: u64 = 3_600, count("blocks", 1, 1_000_000);
    /// A supply of utility tokens that changes by so much within `supply_span_blocks` is critical; by half of it since such an event.
    "supply_change_percent" supply_change_percent: u32 = 10, Small("percent", 1, 1_000);
    /// A worker key with less of its chain's coin than this is a warning; 0 for never.
    "low_balance" low_balance: U256 = U256::exp10(17), Wei("wei");
    /// Longest wait for one receiver's answer.
    "receiver_timeout_ms" receiver_timeout: Duration = Duration::from_secs(10), Millis(50, 600_000);
}

impl MonitorSettings {
    /// Reads the settings among `fields`, default for those that are not there.
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, ConfigError> {
        Self::read_fields(fields)
    }
}
