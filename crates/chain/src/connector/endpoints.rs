//! The book of one chain's endpoints: who is well, who is set aside and why, what each said last.
//!
//! Invariant: an endpoint that is set aside is asked nothing before its pause is over, then only for its head; a good
//! answer brings it back. An endpoint of another chain is never connected. Times are the caller's, in milliseconds.

use super::{
    Settings,
    health::{Health, Reason},
};
use crate::{
    rpc::RpcError,
    scan::{Checkpoint, Failed, ScanPlan, Span},
};
use std::fmt;

/// An endpoint's place in the configured list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub usize);

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "endpoint {}", self.0)
    }
}

/// A block that an endpoint said it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// The block.
    pub block: Checkpoint,
    /// When it was said.
    pub at: u64,
}

/// Which questions failed in a row: heads may be fine where logs are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Heads and hashes.
    Block,
    /// Ranges.
    Range,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address without credentials.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// The chain that it says it serves; `None` until it said so, and after each time it was away.
    pub chain: Option<u64>,
    /// The newest block it said it has.
    pub head: Option<Sighting>,
    /// What it last said about the block that was voted on.
    pub vote: Option<Sighting>,
    /// When it last answered.
    pub heard_at: Option<u64>,
    /// Smoothed time of its answers, milliseconds.
    pub latency_ms: u64,
    /// Questions put to it.
    pub calls: u64,
    /// Questions without a usable answer.
    pub errors: u64,
    /// Whether it pushes its heads.
    pub subscribed: bool,
    strikes: [u32; 2],
    level: u32,
    lags_since: Option<u64>,
    dissents_since: Option<u64>,
    ranges: ScanPlan,
}

impl Endpoint {
    /// Whether it may be read and its word counts.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.health == Health::Well
    }

    const fn strikes(&mut self, ask: Ask) -> &mut u32 {
        let [blocks, ranges] = &mut self.strikes;
        match ask {
            Ask::Block => blocks,
            Ask::Range => ranges,
        }
    }
}

/// All endpoints of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    endpoints: Vec<Endpoint>,
    settings: Settings,
}

impl Book {
    /// A book of endpoints by name; none has been heard.
    #[must_use]
    pub fn new(names: Vec<String>, settings: Settings) -> Self {
        let endpoint = |name| Endpoint {
            name,
            health: Health::Unknown,
            chain: None,
            head: None,
            vote: None,
            heard_at: None,
            latency_ms: 0,
            calls: 0,
            errors: 0,
            subscribed: false,
            strikes: [0; 2],
            level: 0,
            lags_since: None,
            dissents_since: None,
            ranges: ScanPlan::new(settings.max_log_range),
        };
        Self { endpoints: names.into_iter().map(endpoint).collect(), settings }
    }

    /// The endpoints with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (EndpointId, &Endpoint)> {
        self.endpoints.iter().enumerate().map(|(index, endpoint)| (EndpointId(index), endpoint))
    }

    /// One endpoint.
    #[must_use]
    pub fn get(&self, id: EndpointId) -> Option<&Endpoint> {
        self.endpoints.get(id.0)
    }

    fn change(&mut self, id: EndpointId) -> Option<&mut Endpoint> {
        self.endpoints.get_mut(id.0)
    }

    /// Whether it was heard lately, serves the right chain and lets us in. It may be set aside all the same.
    #[must_use]
    pub fn is_connected(&self, id: EndpointId, now: u64) -> bool {
        let Some(endpoint) = self.get(id) else { return false };
        let barred = match &endpoint.health {
            Health::SetAside { reason: Reason::WrongChain { .. } | Reason::Denied { .. }, .. } => true,
            Health::SetAside { .. } | Health::Unknown | Health::Well => false,
        };
        !barred
            && endpoint.chain == Some(self.settings.chain_id)
            && endpoint.heard_at.is_some_and(|at| now.saturating_sub(at) <= self.settings.connection_timeout_ms)
    }

    /// How many are connected.
    #[must_use]
    pub fn connected(&self, now: u64) -> usize {
        self.iter().filter(|(id, _)| self.is_connected(*id, now)).count()
    }

    /// Those whose word counts: well, connected, with a head not older than the connection time-out.
    pub fn voters(&self, now: u64) -> impl Iterator<Item = (EndpointId, &Endpoint, Checkpoint)> {
        self.iter().filter_map(move |(id, endpoint)| {
            let head = endpoint.head?;
            let active = now.saturating_sub(head.at) <= self.settings.connection_timeout_ms;
            (active && endpoint.is_well() && self.is_connected(id, now)).then_some((id, endpoint, head.block))
        })
    }

    /// Whether it may be asked for its head: not before a pause is over.
    #[must_use]
    pub fn may_ask(&self, id: EndpointId, now: u64) -> bool {
        self.get(id).is_some_and(|endpoint| match &endpoint.health {
            Health::Unknown | Health::Well => true,
            Health::SetAside { until, .. } => *until <= now,
        })
    }

    /// A question was put to it.
    pub fn asked(&mut self, id: EndpointId) {
        if let Some(endpoint) = self.change(id) {
            endpoint.calls = endpoint.calls.saturating_add(1);
        }
    }

    /// It answered within `latency_ms` and the answer can be used.
    pub fn answered(&mut self, id: EndpointId, ask: Ask, latency_ms: u64, now: u64) {
        let Some(endpoint) = self.change(id) else { return };
        endpoint.heard_at = Some(now);
        // Ranges take long because they are large: heads alone tell how far away an endpoint is.
        if ask == Ask::Block {
            let before = if endpoint.latency_ms == 0 { latency_ms } else { endpoint.latency_ms };
            endpoint.latency_ms = before.saturating_mul(7).saturating_add(latency_ms) / 8;
        }
        *endpoint.strikes(ask) = 0;
        endpoint.level = endpoint.level.saturating_sub(1);
    }

    /// It says which chain it serves. Whether that is ours.
    pub fn identified(&mut self, id: EndpointId, actual: u64, now: u64) -> bool {
        let expected = self.settings.chain_id;
        let Some(endpoint) = self.change(id) else { return false };
        endpoint.chain = Some(actual);
        if actual == expected {
            return true;
        }
        self.set_aside(id, Reason::WrongChain { expected, actual }, None, now);
        false
    }

    /// It says that `block` is its newest. Brings it back unless it still lags behind `reference`, the height that the
    /// others have reached.
    pub fn saw_head(&mut self, id: EndpointId, block: Checkpoint, reference: Option<u64>, now: u64) {
        let (lag_blocks, chain_id) = (self.settings.lag_blocks, self.settings.chain_id);
        let Some(endpoint) = self.change(id) else { return };
        endpoint.head = Some(Sighting { block, at: now });
        let behind = reference.map_or(0, |reference| reference.saturating_sub(block.number));
        let back = match &endpoint.health {
            Health::Well => false,
            Health::Unknown => true,
            Health::SetAside { reason: Reason::Lags { .. }, .. } => behind < lag_blocks,
            Health::SetAside { until, .. } => *until <= now,
        };
        if back && endpoint.chain == Some(chain_id) {
            endpoint.health = Health::Well;
            endpoint.dissents_since = None;
            endpoint.lags_since = None;
            endpoint.strikes = [0; 2];
        }
    }

    /// Its answer to the vote at `block.number`.
    pub fn voted(&mut self, id: EndpointId, block: Checkpoint, now: u64) {
        if let Some(endpoint) = self.change(id) {
            endpoint.vote = Some(Sighting { block, at: now });
        }
    }

    /// It pushes its heads from now on, or does so no longer.
    pub fn subscribed(&mut self, id: EndpointId, subscribed: bool) {
        if let Some(endpoint) = self.change(id) {
            endpoint.subscribed = subscribed;
        }
    }

    /// A question failed. Sets the endpoint aside when the error says so, or after several in a row.
    pub fn failed(&mut self, id: EndpointId, ask: Ask, error: &RpcError, now: u64) {
        let (limit, longest) = (self.settings.strikes, self.settings.backoff_max_ms);
        let Some(endpoint) = self.change(id) else { return };
        endpoint.errors = endpoint.errors.saturating_add(1);
        let (reason, takes_several) = Reason::of(error);
        let strikes = endpoint.strikes(ask).saturating_add(1);
        *endpoint.strikes(ask) = strikes;
        let pause = match error {
            RpcError::RateLimited { retry_after, .. } => {
                // Who limits us is there.
                endpoint.heard_at = Some(now);
                retry_after.and_then(|wait| u64::try_from(wait.as_millis()).ok())
            }
            RpcError::Denied { .. } | RpcError::Endpoint { .. } => Some(longest),
            RpcError::Transport { .. }
            | RpcError::Timeout { .. }
            | RpcError::TooManyResults { .. }
            | RpcError::RangeTooWide { .. }
            | RpcError::TooLarge { .. }
            | RpcError::Unsupported { .. }
            | RpcError::Malformed { .. }
            | RpcError::Server { .. } => None,
        };
        // One that fails its probe is set aside for longer at once.
        if !takes_several || strikes >= limit || !endpoint.is_well() {
            self.set_aside(id, reason, pause, now);
        }
    }

    /// Sets an endpoint aside for `pause_ms`, or a pause that doubles each time; one caught lying for the longest one.
    pub fn set_aside(&mut self, id: EndpointId, reason: Reason, pause_ms: Option<u64>, now: u64) {
        let (first, longest) = (self.settings.backoff_ms, self.settings.backoff_max_ms);
        let Some(endpoint) = self.change(id) else { return };
        let doubled = first.saturating_mul(1u64.checked_shl(endpoint.level).unwrap_or(u64::MAX)).min(longest);
        let pause = pause_ms.unwrap_or(if reason.is_lie() { longest } else { doubled });
        endpoint.level = endpoint.level.saturating_add(1).min(32);
        let since = match &endpoint.health {
            Health::SetAside { since, reason: before, .. } if *before == reason => *since,
            Health::SetAside { .. } | Health::Unknown | Health::Well => now,
        };
        endpoint.health = Health::SetAside { reason, since, until: now.saturating_add(pause) };
    }

    /// Compares every voter with the height that a quorum has reached, after a round: one that lags too long is set
    /// aside.
    pub fn judge_lags(&mut self, reached: u64, now: u64) {
        let settings = &self.settings;
        let (lag_blocks, lag_ms, pause) = (settings.lag_blocks, settings.lag_ms, settings.cycle_interval_ms);
        let lagging: Vec<(EndpointId, u64)> = self
            .voters(now)
            .map(|(id, _, head)| (id, reached.saturating_sub(head.number)))
            .filter(|(_, behind)| *behind >= lag_blocks)
            .collect();
        for (index, endpoint) in self.endpoints.iter_mut().enumerate() {
            if !lagging.iter().any(|(id, _)| id.0 == index) {
                endpoint.lags_since = None;
            }
        }
        for (id, behind) in lagging {
            let Some(endpoint) = self.change(id) else { continue };
            let since = *endpoint.lags_since.get_or_insert(now);
            if now.saturating_sub(since) > lag_ms {
                self.set_aside(id, Reason::Lags { behind }, Some(pause), now);
            }
        }
    }

    /// A settled election was about `agreed`: a voter that keeps saying another hash is set aside.
    pub fn judge_votes(&mut self, agreed: Checkpoint, votes: &[(EndpointId, facilitator_eth::B256)], now: u64) {
        let lag_ms = self.settings.lag_ms;
        for &(id, said) in votes {
            let Some(endpoint) = self.change(id) else { continue };
            if said == agreed.hash {
                endpoint.dissents_since = None;
                continue;
            }
            // An honest one may hear of a fork late.
            let since = *endpoint.dissents_since.get_or_insert(now);
            if now.saturating_sub(since) > lag_ms {
                let Checkpoint { number, hash: agreed } = agreed;
                self.set_aside(id, Reason::WrongHash { number, said, agreed }, None, now);
            }
        }
    }

    /// The range to read from this endpoint when `next` is the first block and `last` the last one wanted: as many as it
    /// allows.
    #[must_use]
    pub fn range(&self, id: EndpointId, next: u64, last: u64) -> Option<Span> {
        self.get(id)?.ranges.next(next, last)
    }

    /// It gave a range.
    pub fn range_read(&mut self, id: EndpointId, span: Span) {
        if let Some(endpoint) = self.change(id) {
            endpoint.ranges.succeeded(span);
        }
    }

    /// A range that was to be read from an endpoint was not given `by` it or by its witness: whether to ask for a smaller
    /// one. If not, the failure counts against whoever failed.
    pub fn range_failed(&mut self, id: EndpointId, by: EndpointId, span: Span, error: &RpcError, now: u64) -> Failed {
        let Some(endpoint) = self.change(id) else { return Failed::Stuck };
        let failed = endpoint.ranges.failed(span, error);
        match failed {
            // Not its fault but the question's, unless it says nothing but that it is slow.
            Failed::Smaller if !matches!(error, RpcError::Timeout { .. }) => {
                if let Some(failed) = self.change(by) {
                    failed.errors = failed.errors.saturating_add(1);
                    failed.heard_at = Some(now);
                }
            }
            Failed::Smaller | Failed::Same | Failed::Stuck => self.failed(by, Ask::Range, error, now),
        }
        failed
    }
}
