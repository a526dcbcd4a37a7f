//! From the configuration to what the parent works by.

use super::super::monitor::options::{self, Given};
use super::super::{Logging, context};
use crate::failure::{Exit, Failure};
use facilitator_chain::{connector, sync};
use facilitator_config::{Chain, ChainSettings, GatewayAddresses, Keys, Loaded, LogFormat, Settings};
use facilitator_eth::{Address, U256};
use facilitator_heartbeat::Params;
use facilitator_protocol::model::Side;
use facilitator_protocol::transfer::Backoff;
use facilitator_protocol::transfer::accept::Policy;
use facilitator_protocol::transfer::hunt::HuntPolicy;
use facilitator_protocol::transfer::profit::{ChainPrices, Prices};
use facilitator_roles::messages::{
    ChainSetup, ConfiguredGateway, KeyBytes, MetricsSetup, MonitorSetup, ScannerSetup, SenderSetup,
};
use facilitator_roles::parent::{Hunter, PerSide, Setup};
use facilitator_roles::running;
use facilitator_roles::terms::Terms;
use facilitator_store::requests::Hunting;
use facilitator_supervisor::RestartPolicy;
use std::time::Duration;

/// Time between two heartbeats in the database.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Time beyond the limit of one call until a connector gives up on its answer.
const ANSWER_GRACE: Duration = Duration::from_secs(2);

/// What everything is worth, if that is configured.
fn prices(loaded: &Loaded) -> Option<Prices> {
    let chain = |prices: &facilitator_config::ChainPrices| ChainPrices {
        coin: prices.coin,
        tokens: prices.tokens.iter().map(|(token, price)| (*token, *price)).collect(),
    };
    loaded.facilitator.prices.as_ref().map(|prices| Prices {
        origin: chain(&prices.origin),
        auxiliary: chain(&prices.auxiliary),
        min_profit: loaded.facilitator.settings.min_profit,
    })
}

/// The configured form of log lines.
pub(super) fn log_format(loaded: &Loaded) -> facilitator_telemetry::LogFormat {
    match loaded.facilitator.settings.log_format {
        LogFormat::Text => facilitator_telemetry::LogFormat::Text,
        LogFormat::Json => facilitator_telemetry::LogFormat::Json,
    }
}

/// Name of this instance: the same after every restart, so that it finds its own leases again, and another one than that
/// of any other instance, whose keys are others.
pub(super) fn instance(loaded: &Loaded) -> String {
    let facilitator = &loaded.facilitator;
    if let Some(name) = &facilitator.heartbeat.instance {
        return name.clone();
    }
    let key = facilitator.origin.workers.first().map(|key| key.to_lower_hex()).unwrap_or_default();
    let short = key.get(2..10).unwrap_or_default();
    format!("{}:{}:{short}", running::host(), facilitator.auxiliary.chain_id)
}

/// What the life of the instances goes by, as configured.
pub(super) fn params(loaded: &Loaded) -> Params {
    let settings = &loaded.facilitator.heartbeat;
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Params {
        heartbeat_frequency_ms: ms(settings.son_heartbeat_frequency),
        deregister_time_ms: ms(settings.son_deregister_time),
        maintenance_interval_ms: ms(settings.maintenance_interval),
        reward_interval_ms: ms(settings.reward_interval),
        maximum_active: settings.maximum_active,
        tolerance_ms: ms(settings.heartbeat_tolerance),
        proposal_ticks: settings.proposal_ticks,
    }
}

/// The gateways to serve.
///
/// # Errors
/// A mosaic config without a composer: there is nobody who takes stake requests.
pub(super) fn gateways(loaded: &Loaded) -> Result<Vec<ConfiguredGateway>, Failure> {
    loaded.gateways.iter().map(|gateway| configured(loaded, gateway)).collect()
}

fn configured(loaded: &Loaded, gateway: &GatewayAddresses) -> Result<ConfiguredGateway, Failure> {
    let Some(composer) = gateway.composer else {
        let path = "originChain.contractAddresses.stakePoolAddress".to_owned();
        let text = format!(
            "{}: {path}: missing: without the composer (stake pool) there are no stake requests to accept; add its address",
            loaded.mosaic_config.display()
        );
        return Err(Failure { path: Some(path), ..Failure::new(Exit::Config, text) });
    };
    Ok(ConfiguredGateway {
        origin_chain_id: loaded.facilitator.origin.chain_id,
        auxiliary_chain_id: loaded.facilitator.auxiliary.chain_id,
        composer,
        gateway: gateway.gateway,
        anchor: gateway.anchor,
        cogateway: gateway.cogateway,
        co_anchor: gateway.co_anchor,
        redeem_pool: gateway.redeem_pool,
    })
}

/// Everything that the parent works by.
pub(super) fn parent(loaded: &Loaded, keys: &Keys, process: i64, logging: &Logging) -> Result<Setup, Failure> {
    let settings = &loaded.facilitator.settings;
    Ok(Setup {
        auxiliary_chain_id: loaded.facilitator.auxiliary.chain_id,
        origin_chain_id: loaded.facilitator.origin.chain_id,
        instance: instance(loaded),
        process,
        params: params(loaded),
        scanners: PerSide { origin: scanner(loaded, Side::Origin)?, auxiliary: scanner(loaded, Side::Auxiliary)? },
        senders: PerSide {
            origin: sender(loaded, keys, Side::Origin)?,
            auxiliary: sender(loaded, keys, Side::Auxiliary)?,
        },
        policy: policy(loaded),
        hunter: hunter(loaded),
        backoff: Backoff { base_ms: millis(settings.retry_base), max_ms: millis(settings.retry_max) },
        recheck_ms: millis(settings.retry_max).max(millis(Duration::from_secs(60))),
        max_workers: usize::try_from(settings.max_workers).unwrap_or(usize::MAX),
        worker_timeout: settings.worker_timeout,
        shutdown_timeout: settings.shutdown_timeout,
        heartbeat: HEARTBEAT,
        silence: settings.child_silence,
        monitor: None,
        metrics: metrics(loaded)?,
        terms: Terms {
            heartbeat: settings.child_heartbeat,
            scanner_memory: settings.scanner_memory.map(u64::from),
            sender_memory: settings.sender_memory.map(u64::from),
            worker_memory: settings.worker_memory.map(u64::from),
            metrics_memory: settings.metrics_memory.map(u64::from),
            open_files: settings.child_open_files.map(u64::from),
        },
        restart: restart(loaded),
        log_filter: logging.filter(settings.log_level.as_str()),
        log_format: match logging.format(log_format(loaded)) {
            facilitator_telemetry::LogFormat::Text => "text",
            facilitator_telemetry::LogFormat::Json => "json",
        },
    })
}

/// The operator's limits for accepting.
pub(super) fn policy(loaded: &Loaded) -> Policy {
    let settings = &loaded.facilitator.settings;
    Policy {
        prices: prices(loaded),
        min_gas_price: settings.min_gas_price,
        min_gas_limit: settings.min_gas_limit,
        max_bounty: settings.max_bounty.unwrap_or(U256::MAX),
        min_origin_balance: loaded.facilitator.origin.settings.min_balance,
        min_auxiliary_balance: loaded.facilitator.auxiliary.settings.min_balance,
        worker_expiry_margin_blocks: settings.worker_expiry_margin_blocks,
        funds_safety_percent: settings.funds_safety_percent.into(),
    }
}

/// When a child that died is started again.
pub(super) fn restart(loaded: &Loaded) -> RestartPolicy {
    let settings = &loaded.facilitator.settings;
    RestartPolicy {
        base: settings.restart_base,
        max: settings.restart_max,
        limit: settings.restart_limit,
        window: settings.restart_window,
        quarantine: settings.quarantine_retry,
    }
}

/// `None`: what others left is left alone.
pub(super) fn hunter(loaded: &Loaded) -> Option<Hunter> {
    let settings = &loaded.facilitator.hunter;
    // The configuration has prices where the hunter is on.
    let prices = prices(loaded).filter(|_| settings.enabled)?;
    Some(Hunter {
        hunting: Hunting {
            after_blocks: settings.after_blocks,
            recheck_ms: i64::try_from(settings.recheck.as_millis()).unwrap_or(i64::MAX),
            limit: settings.max_at_once,
        },
        policy: HuntPolicy { min_profit: settings.min_profit, prices },
    })
}

const fn chain_of(loaded: &Loaded, side: Side) -> &Chain {
    match side {
        Side::Origin => &loaded.facilitator.origin,
        Side::Auxiliary => &loaded.facilitator.auxiliary,
    }
}

fn chain(loaded: &Loaded, side: Side) -> Result<ChainSetup, Failure> {
    let chain = chain_of(loaded, side);
    Ok(ChainSetup {
        side,
        chain_id: chain.chain_id,
        pair: (loaded.facilitator.origin.chain_id, loaded.facilitator.auxiliary.chain_id),
        rpc: chain.rpc.iter().map(|endpoint| endpoint.url().to_owned()).collect(),
        database: context::location(loaded)?.address(),
        confirmations: chain.settings.confirmations,
        poll_interval_ms: millis(chain.settings.poll_interval),
        rpc_timeout_ms: millis(chain.settings.rpc_timeout),
        max_batch: chain.settings.max_batch.into(),
    })
}

fn scanner(loaded: &Loaded, side: Side) -> Result<ScannerSetup, Failure> {
    let configured = chain_of(loaded, side);
    Ok(ScannerSetup {
        chain: chain(loaded, side)?,
        connector: connector(configured),
        pair: Some(pair(&loaded.facilitator.settings, &configured.settings)),
        gateways: gateways(loaded)?,
        workers: configured.workers.clone(),
    })
}

/// `None`: nothing is served.
fn metrics(loaded: &Loaded) -> Result<Option<MetricsSetup>, Failure> {
    let settings = &loaded.facilitator.metrics;
    let Some(listen) = settings.listen else { return Ok(None) };
    let ChainSetup { database, pair, .. } = chain(loaded, Side::Origin)?;
    Ok(Some(MetricsSetup { listen, hosts: settings.hosts.clone(), database, pair, instance: instance(loaded) }))
}

/// What a monitor among the children works by, and where it finds the database.
///
/// # Errors
/// What `facilitator monitor` would refuse.
pub(super) fn monitor(loaded: &Loaded) -> Result<MonitorSetup, Failure> {
    let given = Given { interval: None, from_block: None, data_dir: None, own_nodes: false };
    let setup = options::setup(loaded, &|name| std::env::var(name).ok(), &given)?;
    // What it would refuse is said before anything begins.
    setup.check().map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    Ok(MonitorSetup { setup, chain: chain(loaded, Side::Origin)? })
}

fn pair(settings: &Settings, chain: &ChainSettings) -> sync::Settings {
    sync::Settings {
        slots_per_epoch: chain.slots_per_epoch,
        use_finalized_tag: chain.use_finalized_tag,
        head_sync_ready_interval_ms: millis(settings.head_sync_ready_interval),
        head_sync_timeout_secs: settings.head_sync_timeout.as_secs(),
        resync_epochs: settings.resync_epochs,
        ..sync::Settings::default()
    }
}

fn connector(chain: &Chain) -> connector::Settings {
    let (settings, endpoints) = (&chain.settings, chain.rpc.len());
    let start_block = settings.start_block.unwrap_or(0);
    let usual = connector::Settings::new(chain.chain_id, start_block, settings.confirmations, endpoints);
    let minimum = settings.minimum_connections.and_then(|minimum| usize::try_from(minimum).ok());
    connector::Settings {
        minimum_connections: minimum.unwrap_or(usual.minimum_connections),
        cycle_interval_ms: millis(settings.cycle_interval),
        poll_interval_ms: millis(settings.poll_interval),
        answer_timeout_ms: millis(settings.rpc_timeout.saturating_add(ANSWER_GRACE)),
        connection_timeout_ms: millis(settings.connection_timeout),
        sampling_limit: settings.sampling_limit,
        behind_limit: settings.behind_limit,
        blocks_per_fetch: settings.blocks_per_fetch,
        max_log_range: settings.max_log_range,
        dense_blocks: usual.dense_blocks.max(settings.confirmations.saturating_add(settings.fork_protection)),
        fetch_pause_ms: millis(settings.fetch_pause),
        fork_protection: settings.fork_protection,
        lag_blocks: settings.lag_blocks,
        lag_ms: millis(settings.lag),
        strikes: settings.endpoint_strikes,
        backoff_ms: millis(settings.endpoint_backoff),
        backoff_max_ms: millis(settings.endpoint_backoff_max),
        ..usual
    }
}

fn sender(loaded: &Loaded, keys: &Keys, side: Side) -> Result<SenderSetup, Failure> {
    let settings = &chain_of(loaded, side).settings;
    let own = match side {
        Side::Origin => &keys.origin,
        Side::Auxiliary => &keys.auxiliary,
    };
    let keys_of = |(address, key): &(Address, facilitator_config::Key)| (*address, KeyBytes(**key));
    Ok(SenderSetup {
        chain: chain(loaded, side)?,
        instance: instance(loaded),
        keys: own.iter().map(keys_of).collect(),
        hash_lock_key: KeyBytes(*keys.hash_lock_key),
        max_fee_per_gas: settings.max_fee_per_gas,
        max_priority_fee_per_gas: settings.max_priority_fee_per_gas,
        gas_margin_percent: settings.gas_margin_percent.into(),
        resend_after_blocks: settings.resend_after_blocks,
        replace_bump_percent: settings.replace_bump_percent.into(),
        max_replacements: settings.max_replacements.into(),
        min_balance: settings.min_balance,
    })
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
