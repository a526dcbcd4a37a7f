//! What the parent is given: everything that was configured, checked and unlocked before any child is started.

use crate::messages::{
    ConfiguredGateway, Discovered, MetricsSetup, MonitorSetup, PROTOCOL_VERSION, ScannerSetup, SenderSetup,
};
use crate::terms::{Terms, VARIABLE};
use facilitator_eth::Address;
use facilitator_heartbeat::Params;
use facilitator_protocol::gateway::{GatewaySet, Mints};
use facilitator_protocol::model::Side;
use facilitator_protocol::transfer::Backoff;
use facilitator_protocol::transfer::accept::Policy;
use facilitator_protocol::transfer::hunt::HuntPolicy;
use facilitator_store::requests::Hunting;
use facilitator_supervisor::{DEFAULT_ENVIRONMENT, RestartPolicy, Spawner, WatchOptions};
use std::ffi::OsString;
use std::ops::{Index, IndexMut};
use std::path::PathBuf;
use std::time::Duration;

/// One value for each chain of the pair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerSide<T> {
    /// For the origin chain.
    pub origin: T,
    /// For the auxiliary chain.
    pub auxiliary: T,
}

impl<T> PerSide<T> {
    /// Both values.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        [&self.origin, &self.auxiliary].into_iter()
    }
}

impl<T> Index<Side> for PerSide<T> {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        match side {
            Side::Origin => &self.origin,
            Side::Auxiliary => &self.auxiliary,
        }
    }
}

impl<T> IndexMut<Side> for PerSide<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Origin => &mut self.origin,
            Side::Auxiliary => &mut self.auxiliary,
        }
    }
}

/// On what terms messages are finished that others left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunter {
    /// When a message counts as left.
    pub hunting: Hunting,
    /// When it pays.
    pub policy: HuntPolicy,
}

/// Everything that a parent works by.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Chain of the utility token: the name of this facilitator.
    pub auxiliary_chain_id: u64,
    /// Chain of the value token.
    pub origin_chain_id: u64,
    /// Name of this instance.
    pub instance: String,
    /// Its row in the process table.
    pub process: i64,
    /// What the life of the instances goes by, where the database does not say otherwise.
    pub params: Params,
    /// What the scanners are told.
    pub scanners: PerSide<ScannerSetup>,
    /// What the senders are told, keys included: kept to start a sender again.
    pub senders: PerSide<SenderSetup>,
    /// The operator's limits for accepting.
    pub policy: Policy,
    /// On what terms others' messages are finished; `None`: they are not.
    pub hunter: Option<Hunter>,
    /// Waits after failures of a request.
    pub backoff: Backoff,
    /// Milliseconds after which a waiting request is looked at all the same.
    pub recheck_ms: u64,
    /// Most worker processes at a time.
    pub max_workers: usize,
    /// Longest life of a worker.
    pub worker_timeout: Duration,
    /// Time for an orderly end.
    pub shutdown_timeout: Duration,
    /// Time between two heartbeats in the database.
    pub heartbeat: Duration,
    /// Longest time without a sign of life of a child.
    pub silence: Duration,
    /// What the monitor is told, if there is to be one: kept to start it again.
    pub monitor: Option<MonitorSetup>,
    /// What the process that serves metrics and pages is told, if there is to be one.
    pub metrics: Option<MetricsSetup>,
    /// On what terms children live.
    pub terms: Terms,
    /// When a child that died is started again.
    pub restart: RestartPolicy,
    /// What the children log.
    pub log_filter: String,
    /// `text` or `json`.
    pub log_format: &'static str,
}

impl Setup {
    /// Starts children with their part of the environment: no password reaches them.
    pub(super) fn spawner(&self) -> Spawner {
        let terms = self.terms.to_text();
        let own =
            [("RUST_LOG", self.log_filter.as_str()), (crate::LOG_FORMAT, self.log_format), (VARIABLE, terms.as_str())];
        let inherited = DEFAULT_ENVIRONMENT.iter().chain(facilitator_kill::VARIABLES).copied();
        let names: Vec<&str> = inherited.chain([crate::LOG_FORMAT, VARIABLE]).collect();
        let inherited = std::env::vars_os().filter(|(name, _)| own.iter().all(|(own, _)| name != own));
        let own = own.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Spawner::new(PathBuf::from("/proc/self/exe"), &names, inherited.chain(own))
    }

    /// How children are watched.
    pub(super) fn watching(&self) -> WatchOptions {
        WatchOptions { silence: Some(self.silence), ..WatchOptions::new(PROTOCOL_VERSION) }
    }

    /// What the sender of a chain is told; wiped when dropped.
    pub(super) fn brief_sender(&self, side: Side) -> SenderSetup {
        self.senders[side].clone()
    }
}

/// A gateway pair of which only the configured addresses are known: enough to tell which events are genuine, and for
/// nothing else.
#[must_use]
pub fn addresses(configured: &ConfiguredGateway) -> GatewaySet {
    GatewaySet {
        origin_chain_id: configured.origin_chain_id,
        auxiliary_chain_id: configured.auxiliary_chain_id,
        composer: configured.composer,
        gateway: configured.gateway,
        anchor: configured.anchor,
        cogateway: configured.cogateway,
        co_anchor: configured.co_anchor,
        redeem_pool: configured.redeem_pool,
        composer_organization: Address::ZERO,
        pool_organization: None,
        stake_vault: Address::ZERO,
        value_token: Address::ZERO,
        base_token: Address::ZERO,
        utility_token: Address::ZERO,
        mints: Mints::Token,
        message_box_offset: 0,
    }
}

/// One gateway pair from what is configured and what its contracts say on both chains.
///
/// # Errors
/// In words, if a chain said nothing of the gateway or the two chains contradict each other (protocol.md §1.2).
pub(crate) fn combine(
    configured: &ConfiguredGateway,
    origin: &[Discovered],
    auxiliary: &[Discovered],
) -> Result<GatewaySet, String> {
    let of_pair = |found: &&Discovered| match found {
        Discovered::Origin { gateway, .. } => *gateway == configured.gateway,
        Discovered::Auxiliary { cogateway, .. } => *cogateway == configured.cogateway,
    };
    let found = (origin.iter().find(of_pair), auxiliary.iter().find(of_pair));
    let (
        Some(Discovered::Origin {
            gateway: _,
            value_token,
            base_token,
            composer_organization,
            stake_vault,
            message_box_offset: offset,
        }),
        Some(Discovered::Auxiliary {
            cogateway: _,
            utility_token,
            mints,
            pool_organization,
            message_box_offset: other,
        }),
    ) = found
    else {
        return Err(format!("gateway {} was not checked on both chains", configured.gateway));
    };
    if offset != other {
        return Err(format!(
            "gateway {} keeps its messages at slot {offset}, its cogateway {} at slot {other}: \
             they are of different generations and can't prove to each other",
            configured.gateway, configured.cogateway
        ));
    }
    Ok(GatewaySet {
        composer_organization: *composer_organization,
        pool_organization: *pool_organization,
        stake_vault: *stake_vault,
        value_token: *value_token,
        base_token: *base_token,
        utility_token: *utility_token,
        mints: *mints,
        message_box_offset: *offset,
        ..addresses(configured)
    })
}

#[cfg(test)]
#[path = "setup_tests.rs"]
mod tests;
