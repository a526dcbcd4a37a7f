//! Every optional setting, once: key, unit, default, range and meaning. The structs, the reader, `config/README.md`
//! and the example file all come from, or are compared with, the tables below and in `settings/`.

use crate::{
    ConfigError,
    kinds::{Choice, Fraction, Kind, Maybe, Millis, Name, Paths, Seconds, Small, Switch, Wei, count},
    node::{Fields, Node},
};
use facilitator_eth::{Decimal, U256};
use serde_json::Value;
use std::time::Duration;

/// Where a setting stands in the facilitator config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// At the top level.
    Top,
    /// In each entry of `chains`.
    Chain,
    /// In the object `hunter`.
    Hunter,
    /// In the object `heartbeat`.
    Heartbeat,
    /// In the object `metrics`.
    Metrics,
    /// In the object `monitor`.
    Monitor,
}

/// One row of the table of settings, for documentation.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Where it stands.
    pub scope: Scope,
    /// Its key.
    pub key: &'static str,
    /// Its default as JSON.
    pub default: Value,
    /// Its unit.
    pub unit: String,
    /// What values are allowed.
    pub allowed: String,
    /// Its meaning.
    pub meaning: String,
}

/// How much is logged, from nothing but failures to everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Failures that need an operator.
    Error,
    /// And what heals itself but should not happen.
    Warn,
    /// And the steps of each request.
    Info,
    /// And decisions and calls.
    Debug,
    /// And frames and queries.
    Trace,
}

impl LogLevel {
    const WORDS: [(&'static str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];

    /// The word in the configuration, which is also a filter of the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

const GWEI: u64 = 1_000_000_000;
/// Block numbers stay within what a database column of 64 signed bits can count.
const MAX_BLOCK: u64 = 1_000_000_000_000_000;

macro_rules! settings {
    ($(#[$outer:meta])* $name:ident, $scope:expr; $($(#[doc = $doc:expr])+ $key:literal $field:ident: $type:ty = $default:expr, $kind:expr;)+) => {
        $(#[$outer])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $name {
            pub(crate) const KEYS: &'static [&'static str] = &[$($key),+];

            fn read_fields(fields: &Fields<'_>) -> Result<Self, ConfigError> {
                let default = Self::default();
                Ok(Self { $($field: read(fields, $key, &$kind, default.$field)?,)+ })
            }

            pub(crate) fn rows(rows: &mut Vec<Setting>) {
                let default = Self::default();
                $(rows.push(Setting {
                    scope: $scope,
                    key: $key,
                    default: $kind.show(&default.$field),
                    unit: $kind.unit(),
                    allowed: $kind.allowed(),
                    meaning: concat!($($doc),+).trim().to_owned(),
                });)+
            }
        }
    };
}

mod metrics;
mod monitor;

pub use metrics::MetricsSettings;
pub use monitor::{Environment, MonitorSettings};

fn read<K: Kind>(fields: &Fields<'_>, key: &'static str, kind: &K, default: K::Value) -> Result<K::Value, ConfigError> {
    fields.optional(&[key])?.map_or(Ok(default), |node| kind.read(&node))
}

settings! {
    /// Optional settings of one chain, in its entry of `chains`.
    ChainSettings, Scope::Chain;
    /// Blocks on top of a block before anything in it is acted upon; 0 trusts the newest block.
    "confirmations" confirmations: u64 = 6, count("blocks", 0, 100_000);
    /// Pause between two looks at the newest block.
    "poll_interval_ms" poll_interval: Duration = Duration::from_secs(1), Millis(10, 600_000);
    /// First block that is scanned when the database is new. Null begins at block 0, so that no request is missed; on a long chain set it to the block in which the gateway was deployed, or a little before.
    "start_block" start_block: Option<u64> = None, Maybe(count("block number", 0, MAX_BLOCK));
    /// Most blocks asked for in one `eth_getLogs`; ranges shrink below by themselves where an endpoint allows less.
    "max_log_range" max_log_range: u64 = 10_000, count("blocks", 1, 1_000_000);
    /// Endpoints that must be connected before anything begins; null for all of them, at most 3. More than half of them must agree from then on.
    "minimum_connections" minimum_connections: Option<u32> = None, Maybe(Small("endpoints", 1, 100));
    /// Pause between two rounds in which every endpoint is asked for its newest block.
    "cycle_interval_ms" cycle_interval: Duration = Duration::from_secs(15), Millis(50, 3_600_000);
    /// An endpoint counts as connected for so long after its last answer.
    "connection_timeout_ms" connection_timeout: Duration = Duration::from_secs(60), Millis(100, 3_600_000);
    /// Rounds in a row one block behind after which the chain is synchronised again.
    "sampling_limit" sampling_limit: u32 = 10, Small("rounds", 1, 100_000);
    /// Blocks behind at which the chain is synchronised again at once.
    "behind_limit" behind_limit: u64 = 2, count("blocks", 1, 100_000);
    /// Most blocks near the head that are read in one go, each with its header.
    "blocks_per_fetch" blocks_per_fetch: u64 = 200, count("blocks", 1, 10_000);
    /// Pause between two of them, to spare an endpoint.
    "fetch_pause_ms" fetch_pause: Duration = Duration::ZERO, Millis(0, 600_000);
    /// A fork of so many blocks or more is not followed: nothing is undone, and an operator must decide.
    "fork_protection" fork_protection: u64 = 60, count("blocks", 1, 100_000);
    /// An endpoint so many blocks behind the others, for longer than `lag_ms`, is set aside until it has come near.
    "lag_blocks" lag_blocks: u64 = 3, count("blocks", 1, 100_000);
    /// How long an endpoint may lag, or say another hash than the others.
    "lag_ms" lag: Duration = Duration::from_secs(30), Millis(100, 3_600_000);
    /// Failures in a row before an endpoint is set aside.
    "endpoint_strikes" endpoint_strikes: u32 = 3, Small("failures", 1, 1_000);
    /// First pause of an endpoint that was set aside; doubles each time that it fails again.
    "endpoint_backoff_ms" endpoint_backoff: Duration = Duration::from_secs(1), Millis(10, 3_600_000);
    /// Longest pause of an endpoint, and the pause of one that was caught with a false answer.
    "endpoint_backoff_max_ms" endpoint_backoff_max: Duration = Duration::from_secs(30), Millis(10, 3_600_000);
    /// Blocks of one epoch: in epochs is counted how far a chain may fall behind, and what is final on a node that has no `finalized` block.
    "slots_per_epoch" slots_per_epoch: u64 = 32, count("blocks", 1, 1_000_000);
    /// Whether the node's `finalized` block is asked for; otherwise, and where a node has none, the block two epochs back counts as finalized.
    "use_finalized_tag" use_finalized_tag: bool = true, Switch;
    /// Cap of the gas price, or of the fee per gas with EIP-1559, that is ever paid.
    "max_fee_per_gas" max_fee_per_gas: U256 = U256::from(500 * GWEI), Wei("wei per gas");
    /// Tip per gas with EIP-1559.
    "max_priority_fee_per_gas" max_priority_fee_per_gas: U256 = U256::from(GWEI), Wei("wei per gas");
    /// Added to the estimated gas of a transaction.
    "gas_margin_percent" gas_margin_percent: u32 = 20, Small("percent", 0, 500);
    /// Blocks a transaction may wait before it is replaced at a higher fee.
    "resend_after_blocks" resend_after_blocks: u64 = 3, count("blocks", 1, 10_000);
    /// Raise of the fee of a replacement; nodes refuse less than 10.
    "replace_bump_percent" replace_bump_percent: u32 = 15, Small("percent", 10, 1_000);
    /// Most replacements of one transaction.
    "max_replacements" max_replacements: u32 = 20, Small("replacements", 0, 1_000);
    /// Longest wait for an answer of the node.
    "rpc_timeout_ms" rpc_timeout: Duration = Duration::from_secs(10), Millis(50, 600_000);
    /// Most calls in one HTTP request.
    "max_batch" max_batch: u32 = 100, Small("calls", 1, 1_000);
    /// What an accept must leave of the chain's coin on a worker; one with less takes no new request.
    "min_balance" min_balance: U256 = U256::ZERO, Wei("wei");
}

settings! {
    /// Optional settings at the top level.
    Settings, Scope::Top;
    /// Gateway configs of further gateways that are served on the same chain pair, with the same keys.
    "gateway_configs" gateway_configs: Vec<String> = Vec::new(), Paths(100);
    /// Most worker processes at one time; further requests wait as rows, oldest first.
    "max_workers" max_workers: u32 = 128, Small("processes", 1, 10_000);
    /// Largest bounty that is put up for one request, in base token on the origin and in coin on the auxiliary chain; null for no cap.
    "max_bounty" max_bounty: Option<U256> = None, Maybe(Wei("smallest unit"));
    /// Requests that offer a lower gas price are skipped as unprofitable; 0 takes all. Says nothing where `prices` are given.
    "min_gas_price" min_gas_price: U256 = U256::ZERO, Wei("smallest unit per gas");
    /// Requests that offer a lower gas limit are skipped as unprofitable; 0 takes all. Says nothing where `prices` are given.
    "min_gas_limit" min_gas_limit: U256 = U256::ZERO, Wei("gas");
    /// Least profit of a request: what its reward is worth at most, less what its gas on both chains is expected to cost at present. One that gas is too dear for waits for lower fees; one that could not bring it even if gas were free is skipped. Only where `prices` are given.
    "min_profit" min_profit: Decimal = Decimal::ZERO, Fraction("unit of prices");
    /// Balance that a worker must have to take a request, of what the request is expected to cost.
    "funds_safety_percent" funds_safety_percent: u32 = 150, Small("percent", 100, 10_000);
    /// A worker whose whitelisting ends within so many blocks takes no new request.
    "worker_expiry_margin_blocks" worker_expiry_margin_blocks: u64 = 10, count("blocks", 0, 1_000_000);
    /// How long children may take to finish the step in hand after SIGTERM before they are killed.
    "shutdown_timeout_s" shutdown_timeout: Duration = Duration::from_secs(20), Seconds(1, 3_600);
    /// Longest life of a worker process; then it is ended and its request resumed. One that hangs is found sooner, by `child_silence_ms`.
    "worker_timeout_s" worker_timeout: Duration = Duration::from_secs(120), Seconds(1, 86_400);
    /// How often each child process shows that its loop runs.
    "child_heartbeat_ms" child_heartbeat: Duration = Duration::from_secs(5), Millis(10, 600_000);
    /// A child process that shows no life for so long hangs or is stopped: it is killed and replaced. At least two heartbeats; the time in which the facilitator itself was stopped does not count.
    "child_silence_ms" child_silence: Duration = Duration::from_secs(30), Millis(20, 3_600_000);
    /// Most address space of each scanner; one that needs more ends (SIGABRT in the log) and is started again. Null for no limit.
    "scanner_memory_mib" scanner_memory: Option<u32> = Some(2_048), Maybe(Small("MiB", 256, 1_048_576));
    /// Most address space of each sender, in the same way.
    "sender_memory_mib" sender_memory: Option<u32> = Some(1_024), Maybe(Small("MiB", 256, 1_048_576));
    /// Most address space of each worker, in the same way.
    "worker_memory_mib" worker_memory: Option<u32> = Some(512), Maybe(Small("MiB", 64, 1_048_576));
    /// Most address space of the process that serves metrics and the status page, in the same way.
    "metrics_memory_mib" metrics_memory: Option<u32> = Some(1_024), Maybe(Small("MiB", 256, 1_048_576));
    /// Most open files of each child process; null for what the facilitator itself was started with.
    "child_open_files" child_open_files: Option<u32> = Some(256), Maybe(Small("files", 32, 1_048_576));
    /// First wait before a failed step of a request is tried again; doubles with each failure.
    "retry_base_ms" retry_base: Duration = Duration::from_secs(1), Millis(10, 3_600_000);
    /// Longest wait before a failed step is tried again.
    "retry_max_ms" retry_max: Duration = Duration::from_secs(300), Millis(10, 86_400_000);
    /// First wait before a child that died is started again; doubles with each death.
    "restart_base_ms" restart_base: Duration = Duration::from_millis(200), Millis(1, 3_600_000);
    /// Longest wait before a child is started again.
    "restart_max_ms" restart_max: Duration = Duration::from_secs(30), Millis(1, 3_600_000);
    /// Deaths within `restart_window_s` after which a child is quarantined: reported, and tried once each `quarantine_retry_s` alone.
    "restart_limit" restart_limit: u32 = 10, Small("deaths", 1, 1_000);
    /// The time in which `restart_limit` counts deaths.
    "restart_window_s" restart_window: Duration = Duration::from_secs(60), Seconds(1, 86_400);
    /// Pause until a child in quarantine is tried again; once it lives as long as `restart_window_s`, all is forgiven.
    "quarantine_retry_s" quarantine_retry: Duration = Duration::from_secs(300), Seconds(1, 86_400);
    /// Pause between two attempts of the origin chain to agree with the auxiliary chain that both are synchronised.
    "head_sync_ready_interval_ms" head_sync_ready_interval: Duration = Duration::from_secs(1), Millis(50, 600_000);
    /// Time after which a step of that agreement lapses that nobody goes on with; then it starts over.
    "head_sync_timeout_s" head_sync_timeout: Duration = Duration::from_secs(120), Seconds(1, 86_400);
    /// Epochs that a chain may fall behind its head before both stop working and synchronise again.
    "resync_epochs" resync_epochs: u64 = 2, count("epochs", 1, 1_000_000);
    /// How much is logged; `RUST_LOG` and `--log-level` win.
    "log_level" log_level: LogLevel = LogLevel::Info, Choice(&LogLevel::WORDS);
    /// The form of log lines; `--log-format` wins.
    "log_format" log_format: LogFormat = LogFormat::Text, Choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);
}

settings! {
    /// Optional settings of the object `hunter`: on what terms messages are finished that others left.
    HunterSettings, Scope::Hunter;
    /// Whether messages that another facilitator or a direct staker or redeemer declared and left unfinished are finished by proof, for their bounty and reward. Needs `prices`.
    "enabled" enabled: bool = false, Switch;
    /// Blocks without a further step after which a message counts as left, on the chain of its last step.
    "after_blocks" after_blocks: u64 = 1_000, count("blocks", 0, 100_000_000);
    /// What the steps that are left must bring beyond their gas at the present fees; a message that brings less is left alone.
    "min_profit" min_profit: Decimal = Decimal::ZERO, Fraction("unit of `prices`");
    /// Pause until a message that was left alone is judged anew at present prices; what happens to it meanwhile is judged at once.
    "recheck_s" recheck: Duration = Duration::from_secs(3_600), Seconds(1, 31_536_000);
    /// Most such messages that are worked on at one time; the others wait, and own requests come before all of them.
    "max_at_once" max_at_once: u32 = 16, Small("messages", 1, 1_000);
}

impl HunterSettings {
    /// Reads the object `hunter` at `node`, default for what is not there.
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        Self::read_fields(&node.fields(&[Self::KEYS])?)
    }
}

settings! {
    /// Optional settings of the object `heartbeat`: the life of the instances that share a database. The first start stores all but `instance` and `weight` there, and from then on what is stored counts (`facilitator params`).
    HeartbeatSettings, Scope::Heartbeat;
    /// Name of this instance; null makes one of host, auxiliary chain and first worker key of the origin chain. It must stay the same.
    "instance" instance: Option<String> = None, Maybe(Name);
    /// Where more instances are ready than may be active, the heaviest are.
    "weight" weight: u32 = 1, Small("weight", 0, 1_000_000);
    /// Time between two heartbeats of an instance. One that is silent for more than two of them becomes inactive, and others take its requests over.
    "son_heartbeat_frequency_ms" son_heartbeat_frequency: Duration = Duration::from_secs(180), Millis(2_000, 86_400_000);
    /// An instance that is in maintenance for so long is proposed to be deregistered.
    "son_deregister_time_ms" son_deregister_time: Duration = Duration::from_secs(43_200), Millis(100, 31_536_000_000);
    /// Time between two maintenance ticks, at which ready instances become active and requested maintenance begins. Where nobody is active the first that is ready becomes so at once.
    "maintenance_interval_ms" maintenance_interval: Duration = Duration::from_secs(300), Millis(100, 31_536_000_000);
    /// Time after which the count of signed transactions begins anew.
    "reward_interval_ms" reward_interval: Duration = Duration::from_secs(86_400), Millis(100, 31_536_000_000);
    /// Most instances that are active at one time.
    "maximum_active" maximum_active: u32 = 15, Small("instances", 1, 1_000);
    /// How far the time of a heartbeat may lie beside the time at which it is stored.
    "heartbeat_tolerance_ms" heartbeat_tolerance: Duration = Duration::from_secs(15), Millis(0, 3_600_000);
    /// Ticks after which a proposal that found no majority lapses.
    "proposal_ticks" proposal_ticks: u32 = 3, Small("ticks", 1, 1_000);
}

impl HeartbeatSettings {
    /// Reads the object `heartbeat` at `node`, default for what is not there.
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        Self::read_fields(&node.fields(&[Self::KEYS])?)
    }
}

/// All optional settings, those of the top level first.
#[must_use]
pub fn table() -> Vec<Setting> {
    let mut rows = Vec::new();
    Settings::rows(&mut rows);
    ChainSettings::rows(&mut rows);
    HunterSettings::rows(&mut rows);
    HeartbeatSettings::rows(&mut rows);
    MetricsSettings::rows(&mut rows);
    MonitorSettings::rows(&mut rows);
    rows
}

/// Keeps `value` at or below `limit`, which is the setting `limit_key`: a value that was given above is refused at its
/// key, a default gives way, so that an operator who lowers a maximum alone gets what was meant.
fn at_most<T: PartialOrd>(
    fields: &Fields<'_>,
    key: &'static str,
    value: T,
    limit_key: &str,
    limit: T,
) -> Result<T, ConfigError> {
    if value <= limit {
        return Ok(value);
    }
    let given = fields.optional(&[key])?;
    given.map_or(Ok(limit), |node| Err(node.error(format!("must not be above {limit_key}"))))
}

impl ChainSettings {
    /// Reads the settings among `fields`, default for those that are not there.
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, ConfigError> {
        let mut settings = Self::read_fields(fields)?;
        let (priority, cap) = (settings.max_priority_fee_per_gas, settings.max_fee_per_gas);
        settings.max_priority_fee_per_gas =
            at_most(fields, "max_priority_fee_per_gas", priority, "max_fee_per_gas", cap)?;
        let (longest, connected) = (settings.endpoint_backoff_max, settings.connection_timeout);
        settings.endpoint_backoff_max =
            at_most(fields, "endpoint_backoff_max_ms", longest, "connection_timeout_ms", connected)?;
        let (first, longest) = (settings.endpoint_backoff, settings.endpoint_backoff_max);
        settings.endpoint_backoff = at_most(fields, "endpoint_backoff_ms", first, "endpoint_backoff_max_ms", longest)?;
        Ok(settings)
    }
}

impl Settings {
    /// Reads the settings among `fields`, default for those that are not there.
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, ConfigError> {
        let mut settings = Self::read_fields(fields)?;
        let (retry, restart) = (settings.retry_max, settings.restart_max);
        settings.retry_base = at_most(fields, "retry_base_ms", settings.retry_base, "retry_max_ms", retry)?;
        let most = settings.child_silence / 2;
        settings.child_heartbeat =
            at_most(fields, "child_heartbeat_ms", settings.child_heartbeat, "half of child_silence_ms", most)?;
        settings.restart_base = at_most(fields, "restart_base_ms", settings.restart_base, "restart_max_ms", restart)?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Node;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn every_default_is_read_back_from_its_own_json_and_its_key_tells_its_unit() {
        let rows = table();
        let scopes = [
            (Scope::Top, Settings::KEYS),
            (Scope::Chain, ChainSettings::KEYS),
            (Scope::Hunter, HunterSettings::KEYS),
            (Scope::Heartbeat, HeartbeatSettings::KEYS),
            (Scope::Metrics, MetricsSettings::KEYS),
            (Scope::Monitor, MonitorSettings::KEYS),
        ];
        for (scope, keys) in scopes {
            let object: serde_json::Map<_, _> =
                rows.iter().filter(|row| row.scope == scope).map(|row| (row.key.into(), row.default.clone())).collect();
            assert_eq!(object.len(), keys.len(), "a key stands twice");
            let value = Value::Object(object);
            let fields = Node::root(Path::new("f"), &value).fields(&[keys]).unwrap();
            match scope {
                Scope::Top => assert_eq!(Settings::read(&fields).unwrap(), Settings::default()),
                Scope::Chain => assert_eq!(ChainSettings::read(&fields).unwrap(), ChainSettings::default()),
                Scope::Hunter => {
                    let node = Node::root(Path::new("f"), &value);
                    assert_eq!(HunterSettings::read(&node).unwrap(), HunterSettings::default());
                }
                Scope::Heartbeat => {
                    let node = Node::root(Path::new("f"), &value);
                    assert_eq!(HeartbeatSettings::read(&node).unwrap(), HeartbeatSettings::default());
                }
                Scope::Metrics => {
                    let node = Node::root(Path::new("f"), &value);
                    assert_eq!(MetricsSettings::read(&node).unwrap(), MetricsSettings::default());
                }
                Scope::Monitor => assert_eq!(MonitorSettings::read(&fields).unwrap(), MonitorSettings::default()),
            }
        }
        for row in rows {
            assert_eq!(row.key.ends_with("_ms"), row.unit == "milliseconds", "{}", row.key);
            assert_eq!(row.key.ends_with("_s"), row.unit == "seconds", "{}", row.key);
            assert!(row.meaning.ends_with('.') && row.meaning.len() > 20, "{}: {}", row.key, row.meaning);
        }
    }

    #[test]
    fn wrong_values_are_refused_at_their_key() {
        for (key, value, message) in [
            ("max_workers", json!(0), "must be a whole number from 1 to 10000, not 0"),
            ("max_workers", json!("8"), "not text"),
            ("max_workers", json!(1.5), "not 1.5"),
            ("max_workers", json!(-1), "not -1"),
            ("max_workers", json!(null), "not null"),
            ("max_bounty", json!(5), "decimal text"),
            ("max_bounty", json!("0x10"), "decimal text"),
            ("max_bounty", json!(""), "decimal text"),
            ("min_gas_price", json!("9".repeat(79)), "at most 2^256-1"),
            ("log_level", json!("loud"), "must be error, warn, info, debug, trace"),
            ("retry_base_ms", json!(3_600_000), "must not be above retry_max_ms"),
            ("child_heartbeat_ms", json!(15_001), "must not be above half of child_silence_ms"),
            ("restart_base_ms", json!(30_001), "must not be above restart_max_ms"),
        ] {
            let value = json!({ key: value });
            let fields = Node::root(Path::new("f"), &value).fields(&[Settings::KEYS]).unwrap();
            let error = Settings::read(&fields).unwrap_err();
            assert_eq!(error.path, key);
            assert!(error.message.contains(message), "{error}");
        }
    }

    #[test]
    fn a_switch_is_true_or_false() {
        for (value, read) in [(json!(false), Some(false)), (json!("no"), None), (json!(0), None), (json!(null), None)] {
            let value = json!({ "use_finalized_tag": value });
            let fields = Node::root(Path::new("f"), &value).fields(&[ChainSettings::KEYS]).unwrap();
            match (ChainSettings::read(&fields), read) {
                (Ok(settings), Some(read)) => assert_eq!(settings.use_finalized_tag, read),
                (Err(error), None) => assert!(error.message.contains("must be true or false"), "{error}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_default_gives_way_to_a_lowered_maximum() {
        let value = json!({ "retry_max_ms": 100 });
        let fields = Node::root(Path::new("f"), &value).fields(&[Settings::KEYS]).unwrap();
        assert_eq!(Settings::read(&fields).unwrap().retry_base, Duration::from_millis(100));
        let value = json!({ "child_silence_ms": 400 });
        let fields = Node::root(Path::new("f"), &value).fields(&[Settings::KEYS]).unwrap();
        assert_eq!(Settings::read(&fields).unwrap().child_heartbeat, Duration::from_millis(200));
    }
}
