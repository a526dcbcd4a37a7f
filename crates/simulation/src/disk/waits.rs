//! Events that need no worker, since what comes next is another event.

use super::Disk;
use super::journal::LIVE;
use super::requests::{GIVEN_UP, Row};
use crate::names;
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::events::{Event, Log};
use facilitator_protocol::model::{Kind, RequestId, Side, State, Step, Wait, awaited_root};
use facilitator_store::journal::EntryState;
use facilitator_store::scan::Committed;
use std::collections::BTreeSet;

impl Disk {
    pub(super) fn declared(
        &mut self,
        kind: Kind,
        hash: B256,
        by: (Address, U256),
        log: &Log,
        committed: &mut Committed,
    ) {
        let which = |row: &Row| row.request.message_hash == Some(hash) && !GIVEN_UP.contains(&row.request.state);
        for row in self.requests.values_mut().filter(|row| which(row)) {
            row.request.declared_block = Some(log.block_number);
            row.request.message_sender = Some(by.0);
        }
        let waits = self.await_root(kind, hash, log.block_number);
        self.each(|row| which(row) && Some(row.request.id) != waits, Row::wake, committed);
        let others = |row: &Row| {
            let Row { request, done, .. } = row;
            let place = (request.terms.sender_proxy, request.terms.nonce) == by;
            let same = request.kind == kind && request.terms.gateway == log.address && place;
            same && !done && request.declared_block.is_none() && request.message_hash != Some(hash)
        };
        self.each(others, Row::wake, committed);
    }

    /// The request whose own accept was mined, if it now waits for a state root that is not there yet.
    fn await_root(&mut self, kind: Kind, hash: B256, declared: u64) -> Option<RequestId> {
        let (set, target) = (names::gateways(), kind.target());
        let unfailed = [&LIVE[..], &[EntryState::Final]].concat();
        let accepting = self.waiting_for(Step::Accept, &unfailed);
        let is_anchored = self.roots.iter().any(|root| root.side == target && root.height >= declared);
        if is_anchored || self.target_knows(kind, hash) {
            return None;
        }
        let fits = |row: &&mut Row| {
            let is_parked = !row.ready && row.wait == Wait::Happening && !row.orphaned;
            let is_own = row.request.message_hash == Some(hash) && accepting.contains(&row.request.id);
            is_parked && is_own && row.request.state == State::Requested
        };
        let row = self.requests.values_mut().find(fits)?;
        row.request.state = State::Accepted;
        (row.request.failures, row.request.holds) = (0, 0);
        let (chain_id, anchor) = (set.chain_id(target), set.anchor_on(target));
        row.wait = Wait::Root { chain_id, anchor, at_least: declared };
        row.request.waiting_for = Some(awaited_root(kind.source(), declared));
        Some(row.request.id)
    }

    /// Whether the message was confirmed or progressed on its target chain: a former declaration of it was there before.
    fn target_knows(&self, kind: Kind, hash: B256) -> bool {
        self.events[kind.target()].iter().any(|(_, event)| event.message_hash() == Some(hash) && is_of_inbox(event))
    }

    pub(super) fn source_progressed(&mut self, hash: B256, secret: B256, committed: &mut Committed) {
        let under_way = self.waiting_for(Step::ProgressTarget, &LIVE);
        let which = |row: &Row| row.request.message_hash == Some(hash);
        for row in self.requests.values_mut().filter(|row| which(row)) {
            row.request.unlock_secret = row.request.unlock_secret.or(Some(secret));
            if row.request.state == State::IntentConfirmed {
                row.request.state = State::SourceProgressed;
            }
        }
        // The others are woken by how that transaction ends.
        let waits = |row: &Row| {
            let pays = row.request.paid_out.is_none() && under_way.contains(&row.request.id);
            row.wait == Wait::Happening && pays
        };
        self.each(|row| which(row) && !waits(row), Row::wake, committed);
    }

    fn waiting_for(&self, step: Step, states: &[EntryState]) -> BTreeSet<RequestId> {
        let journals = [Side::Origin, Side::Auxiliary].map(|side| &self.journals[side]);
        journals.into_iter().flat_map(|journal| journal.waiting_for(step, states)).collect()
    }
}

const fn is_of_inbox(event: &Event) -> bool {
    matches!(
        event,
        Event::StakeIntentConfirmed(_)
            | Event::RedeemIntentConfirmed(_)
            | Event::MintProgressed(_)
            | Event::UnstakeProgressed(_)
    )
}
