//! What a worker needs to know beside its row.

use super::Disk;
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::model::{Kind, Request, RequestId, Side, State, Step};
use facilitator_protocol::transfer::accept::InFlight;
use facilitator_roles::messages::FailedStep;
use facilitator_store::journal::{Entry, EntryState};

/// Roots that a worker is told of.
const MAX: usize = 64;

impl Disk {
    fn told_of_roots(request: &Request) -> bool {
        let is_declared = request.state != State::Requested || request.declared_block.is_some();
        request.message_hash.is_some() && !request.state.is_end() && is_declared
    }

    /// Anchored heights and roots at or above the declaration, newest first.
    pub(crate) fn roots_for(&self, request: &Request) -> Vec<(u64, B256)> {
        if !Self::told_of_roots(request) {
            return Vec::new();
        }
        let lowest = request.declared_block.unwrap_or(request.position.block_number);
        let target = request.kind.target();
        let mut roots: Vec<(u64, B256)> =
            self.roots.iter().filter(|root| root.side == target).map(|root| (root.height, root.root)).collect();
        roots.sort_unstable_by(|a, b| b.cmp(a));
        roots.truncate(MAX);
        roots.retain(|(height, _)| *height >= lowest);
        roots
    }

    /// Heights whose gateway proof is paid for.
    pub(crate) fn proving_for(&self, request: &Request) -> Vec<u64> {
        if !Self::told_of_roots(request) {
            return Vec::new();
        }
        let lowest = request.declared_block.unwrap_or(request.position.block_number);
        let journal = &self.journals[request.kind.target()];
        let proves = |entry: &&Entry| entry.step == Step::ProveGateway && entry.state != EntryState::Failed;
        let height = |entry: &Entry| entry.intent.rsplit(':').next().and_then(|text| text.parse().ok());
        let mut heights: Vec<u64> =
            journal.entries.values().rev().filter(proves).take(MAX).filter_map(height).collect();
        heights.sort_unstable_by(|a, b| b.cmp(a));
        heights.retain(|height| *height >= lowest);
        heights
    }

    /// How often each step of a request failed.
    pub(crate) fn failed_of(&self, request: &Request) -> Vec<FailedStep> {
        let mut found: Vec<FailedStep> = Vec::new();
        for journal in [&self.journals.origin, &self.journals.auxiliary] {
            let since = self.requests.get(&request.id).and_then(|row| row.retried_at_ms);
            let counts = |entry: &Entry| since.is_none_or(|since| entry.updated_at_ms > since);
            let failed = |entry: &Entry| entry.state == EntryState::Failed && counts(entry);
            let own = |entry: &&Entry| entry.request_id == Some(request.id) && failed(entry);
            for entry in journal.entries.values().filter(own) {
                let error = entry.failure.as_ref().map_or_else(String::new, |failure| failure.message.clone());
                let kind = entry.failure.as_ref().map_or("", |failure| failure.kind.as_str());
                let refused = u32::from(["would_revert", "reverted", "unexpected"].contains(&kind));
                match found.iter_mut().find(|known| known.step == entry.step) {
                    Some(known) => {
                        known.count += 1;
                        known.refused += refused;
                        known.error = error;
                    }
                    None => found.push(FailedStep { step: entry.step, count: 1, refused, error }),
                }
            }
        }
        found
    }

    /// Steps of a request whose transaction is on its way.
    pub(crate) fn alive_of(&self, request: &Request) -> Vec<Step> {
        let mut steps = Vec::new();
        for journal in [&self.journals.origin, &self.journals.auxiliary] {
            let own = |entry: &&Entry| entry.request_id == Some(request.id);
            let alive = |entry: &&Entry| !matches!(entry.state, EntryState::Failed | EntryState::Final);
            steps.extend(journal.entries.values().filter(own).filter(alive).map(|entry| entry.step));
        }
        steps.sort_unstable();
        steps.dedup();
        steps
    }

    /// Whether an accept of the request is on its way or has happened.
    fn has_accept(&self, id: RequestId) -> bool {
        let journals = [&self.journals.origin, &self.journals.auxiliary];
        let mut entries = journals.into_iter().flat_map(|journal| journal.entries.values());
        entries.any(|e| e.request_id == Some(id) && e.step == Step::Accept && e.state != EntryState::Failed)
    }

    /// Other requests that reveal their secret at the expense of a key now. Those claimed together have lower numbers.
    pub(crate) fn reveals_of(&self, of: &Request, side: Side, account: Address) -> InFlight {
        let key = |request: &Request| match side {
            Side::Origin => request.origin_worker,
            Side::Auxiliary => request.auxiliary_worker,
        };
        let journal = &self.journals[side];
        let is_sent = |id: RequestId| {
            let steps = [Step::ProgressSource, Step::ProgressTarget];
            let states = [EntryState::Queued, EntryState::Signed, EntryState::Broadcast];
            let mut entries = journal.entries.values().filter(|entry| entry.request_id == Some(id));
            entries.any(|entry| steps.contains(&entry.step) && states.contains(&entry.state))
        };
        let reveals = self.requests.values().filter(|row| {
            let Request { id, declared_block, unlock_secret, .. } = &row.request;
            let in_hand = row.claimed && unlock_secret.is_none() && *id < of.id;
            !row.done && *id != of.id && declared_block.is_some() && (in_hand || is_sent(*id))
        });
        let own = reveals.map(|row| &row.request).filter(|other| key(other) == Some(account));
        own.fold(InFlight::default(), |all, other| all.plus(InFlight::many(other.kind, 1)))
    }

    /// Other unfinished requests that a key has yet to pay steps for, and the bounties that it has yet to pay for them.
    pub(crate) fn in_flight_of(&self, of: &Request, side: Side, account: Address) -> (InFlight, U256) {
        let key = |request: &Request| match side {
            Side::Origin => request.origin_worker,
            Side::Auxiliary => request.auxiliary_worker,
        };
        let open = self.requests.values().filter(|row| {
            let declared = row.request.declared_block.is_some();
            let leaves = !row.orphaned && (row.claimed || self.has_accept(row.request.id));
            !row.done && row.request.hash_lock.is_some() && (declared || leaves)
        });
        let own = open.map(|row| &row.request).filter(|other| other.id != of.id && key(other) == Some(account));
        own.fold((InFlight::default(), U256::ZERO), |(mut all, bounties), other| {
            match other.kind {
                Kind::Stake => all.stakes += 1,
                Kind::Redeem => all.redeems += 1,
            }
            let pays = other.kind.source() == side && other.declared_block.is_none();
            let bounty = other.bounty.filter(|_| pays).unwrap_or(U256::ZERO);
            (all, bounties.saturating_add(bounty))
        })
    }
}
