//! What a scanner commits: checkpoint, events and everything that follows from them, and its undoing.

#![expect(clippy::wildcard_enum_match_arm, reason = "few of the events and states are what is looked for")]

use super::requests::{GIVEN_UP, Inserted, Row};
use super::{Disk, Root};
use crate::names;
use facilitator_eth::{B256, U256};
use facilitator_protocol::events::{Event, Log, RedeemRequested, StakeRequested};
use facilitator_protocol::model::{Kind, LogPosition, NewRequest, Request, RequestId, Side, Stage, State, Terms};
use facilitator_store::StoreError;
use facilitator_store::scan::{BlockRef, Committed, RolledBack, ScanCommit};
use std::collections::BTreeSet;

impl Disk {
    /// Stores a range if it begins where the last one ended.
    pub(crate) fn commit_scan(
        &mut self,
        side: Side,
        commit: &ScanCommit,
        now_ms: i64,
    ) -> Result<Committed, StoreError> {
        let found = self.checkpoints[side];
        if found != commit.previous {
            let word = |block: Option<BlockRef>| block.map_or_else(|| "the beginning".to_owned(), |b| b.to_string());
            let (found, expected) = (word(found), word(commit.previous));
            return Err(StoreError::CheckpointMoved { chain_id: commit.chain_id, found, expected });
        }
        let mut committed = Committed::default();
        for (log, event) in &commit.events {
            let known =
                |(stored, _): &(Log, Event)| stored.block_hash == log.block_hash && stored.log_index == log.log_index;
            if self.events[side].iter().any(known) {
                continue;
            }
            self.events[side].push((log.clone(), event.clone()));
            self.derive((side, now_ms), log, event, &mut committed);
        }
        self.blocks[side].extend(commit.blocks.iter().map(|block| (block.number, *block)));
        self.checkpoints[side] = Some(commit.checkpoint);
        Ok(committed)
    }

    fn derive(&mut self, (side, now_ms): (Side, i64), log: &Log, event: &Event, committed: &mut Committed) {
        match event {
            Event::StakeRequested(e) => self.requested((side, now_ms), Kind::Stake, stake_terms(e), log, committed),
            Event::RedeemRequested(e) => self.requested((side, now_ms), Kind::Redeem, redeem_terms(e), log, committed),
            Event::StakeRevoked(e) => self.withdrawn((Kind::Stake, State::Revoked), e.request_hash, log, committed),
            Event::StakeRejected(e) => self.withdrawn((Kind::Stake, State::Rejected), e.request_hash, log, committed),
            Event::RedeemRevoked(e) => self.withdrawn((Kind::Redeem, State::Revoked), e.request_hash, log, committed),
            Event::RedeemRejected(e) => {
                self.withdrawn((Kind::Redeem, State::Rejected), e.request_hash, log, committed);
            }
            Event::StakeIntentDeclared(e) => {
                self.revive(e.message_hash, log, now_ms);
                self.declared(Kind::Stake, e.message_hash, (e.staker, e.nonce), log, committed);
            }
            Event::RedeemIntentDeclared(e) => {
                self.revive(e.message_hash, log, now_ms);
                self.declared(Kind::Redeem, e.message_hash, (e.redeemer, e.nonce), log, committed);
            }
            Event::StakeProgressed(e) => self.source_progressed(e.message_hash, e.unlock_secret, committed),
            Event::RedeemProgressed(e) => self.source_progressed(e.message_hash, e.unlock_secret, committed),
            Event::MintProgressed(e) => {
                let paid = (e.minted_amount, e.reward_amount);
                self.target_progressed(e.message_hash, e.unlock_secret, paid, committed);
            }
            Event::UnstakeProgressed(e) => {
                let paid = (e.unstake_amount, e.reward_amount);
                self.target_progressed(e.message_hash, e.unlock_secret, paid, committed);
            }
            Event::StateRootAvailable(e) => {
                let root = Root { side, height: e.block_height, root: e.state_root, block: log.block_number };
                self.anchored(root, committed);
            }
            Event::GatewayProven(e) => self.proven_at(side, e.block_height, log.block_number, committed),
            Event::StakeIntentConfirmed(_) | Event::RedeemIntentConfirmed(_) => {
                self.each(|row| row.request.message_hash == event.message_hash(), Row::wake, committed);
            }
            Event::RevertStakeIntentDeclared(_)
            | Event::StakeReverted(_)
            | Event::RevertRedeemIntentConfirmed(_)
            | Event::RevertRedeemComplete(_)
            | Event::RevertStakeIntentConfirmed(_)
            | Event::RevertStakeProgressed(_)
            | Event::RevertRedeemDeclared(_)
            | Event::RedeemReverted(_)
            | Event::BountyChangeInitiated(_)
            | Event::BountyChangeConfirmed(_)
            | Event::WorkerSet(_)
            | Event::WorkerUnset(_) => {}
        }
    }

    pub(super) fn each(&mut self, which: impl Fn(&Row) -> bool, change: impl Fn(&mut Row), committed: &mut Committed) {
        for row in self.requests.values_mut().filter(|row| which(row)) {
            change(row);
            committed.woken += 1;
        }
    }

    fn requested(
        &mut self,
        (side, now_ms): (Side, i64),
        kind: Kind,
        terms: Terms,
        log: &Log,
        committed: &mut Committed,
    ) {
        let set = names::gateways();
        let position = LogPosition {
            chain_id: set.chain_id(side),
            block_number: log.block_number,
            block_hash: log.block_hash,
            tx_hash: log.tx_hash,
            log_index: log.log_index,
        };
        let (origin_chain_id, auxiliary_chain_id) = (set.origin_chain_id, set.auxiliary_chain_id);
        let new = NewRequest { kind, origin_chain_id, auxiliary_chain_id, pool: log.address, terms, position };
        match self.insert(&new, now_ms) {
            Inserted::New(id) => committed.requests.push(id),
            Inserted::Moved => committed.woken += 1,
            Inserted::Known => {}
        }
    }

    fn withdrawn(&mut self, (kind, as_what): (Kind, State), request_hash: B256, log: &Log, committed: &mut Committed) {
        let which = |row: &Row| {
            let request = &row.request;
            let before =
                (request.position.block_number, request.position.log_index) < (log.block_number, log.log_index);
            let open = matches!(
                request.state,
                State::Requested | State::Failed(Stage::Accept) | State::Skipped | State::TakenByOther
            );
            let same = request.kind == kind && request.terms.request_hash == request_hash;
            same && open && request.declared_block.is_none() && before
        };
        let end = |row: &mut Row| {
            row.request.state = as_what;
            row.request.wakes += 1;
            row.request.waiting_for = None;
            (row.done, row.ready, row.retry_at_ms) = (true, false, None);
        };
        self.each(which, end, committed);
    }

    /// Our own accept of a request that was given up was on its way all the time.
    fn revive(&mut self, hash: B256, log: &Log, now_ms: i64) {
        let at = (log.block_number, log.log_index);
        let given_up = |row: &Row| row.request.message_hash == Some(hash) && GIVEN_UP.contains(&row.request.state);
        let ids: Vec<_> = self.requests.values().filter(|row| given_up(row)).map(|row| row.request.id).collect();
        for id in ids {
            let Some(hash) = self.requests.get(&id).map(|row| row.request.terms.request_hash) else { continue };
            let later = |row: &Row| {
                let place = (row.request.position.block_number, row.request.position.log_index);
                row.request.terms.request_hash == hash && row.request.id > id && !row.orphaned && place < at
            };
            if self.requests.values().any(later) {
                continue;
            }
            if let Some(row) = self.requests.get_mut(&id) {
                (row.request.state, row.done) = (State::Accepted, false);
                row.begin_anew(now_ms);
            }
        }
    }

    fn target_progressed(&mut self, hash: B256, secret: B256, paid: (U256, U256), committed: &mut Committed) {
        let note = |row: &mut Row| {
            row.request.unlock_secret = row.request.unlock_secret.or(Some(secret));
            (row.request.paid_out, row.request.reward) = (Some(paid.0), Some(paid.1));
            row.wake();
        };
        self.each(|row| row.request.message_hash == Some(hash), note, committed);
    }

    fn anchored(&mut self, root: Root, committed: &mut Committed) {
        self.roots.retain(|known| (known.side, known.height) != (root.side, root.height));
        self.roots.push(root);
        let waits = |row: &Row| match row.wait {
            facilitator_protocol::model::Wait::Root { at_least, .. } => {
                !row.done && row.request.kind.target() == root.side && at_least <= root.height
            }
            _ => false,
        };
        self.each(waits, Row::wake, committed);
    }

    fn proven_at(&mut self, side: Side, height: u64, block: u64, committed: &mut Committed) {
        let kind = crate::state::incoming(side);
        self.proven[side.other()].entry(height).or_insert(block);
        let which = |row: &Row| {
            let Row { request, done, .. } = row;
            let waits = matches!(request.state, State::Accepted | State::Failed(Stage::Prove));
            request.kind == kind && request.proof_height == Some(height) && !done && waits
        };
        let change = |row: &mut Row| {
            if row.request.state == State::Failed(Stage::Prove) {
                row.wake();
            }
            row.request.state = State::AccountProven;
        };
        self.each(which, change, committed);
    }

    /// Applies the stored events of a message that a request has just learnt of.
    pub(super) fn catch_up(&mut self, message: B256, now_ms: i64) {
        let mut committed = Committed::default();
        for side in [Side::Origin, Side::Auxiliary] {
            let of_message = |(_, event): &&(Log, Event)| event.message_hash() == Some(message);
            let stored: Vec<(Log, Event)> = self.events[side].iter().filter(of_message).cloned().collect();
            for (log, event) in stored {
                self.derive((side, now_ms), &log, &event, &mut committed);
            }
        }
    }

    /// Undoes everything above a block.
    pub(crate) fn rollback_to(&mut self, side: Side, to: BlockRef) -> RolledBack {
        let chain_id = names::gateways().chain_id(side);
        let above = to.number;
        let here = |row: &Row| row.request.position.chain_id == chain_id;
        let before = self.requests.len();
        self.requests.retain(|_, row| {
            !(here(row) && row.request.position.block_number > above && row.request.hash_lock.is_none())
        });
        let forgotten = (before - self.requests.len()) as u64;
        let removed: Vec<(Log, Event)> =
            self.events[side].iter().filter(|(log, _)| log.block_number > above).cloned().collect();
        let messages: Vec<B256> = removed.iter().filter_map(|(_, event)| event.message_hash()).collect();
        let owners = self.owners(&messages);
        for row in self.requests.values_mut() {
            let at_source = here(row);
            if at_source && row.request.position.block_number > above {
                row.orphaned = true;
                row.wake();
            }
            if owners.contains(&row.request.id) {
                step_back(row, at_source, above);
            }
            if at_source && ended_by(row, &removed) {
                let stands = row.request.declared_block.is_some();
                row.request.state = if stands { State::Accepted } else { State::Requested };
                row.done = false;
                row.wake();
            }
        }
        self.unprove(side, above);
        self.roots.retain(|root| !(root.side == side && root.block > above));
        self.events[side].retain(|(log, _)| log.block_number <= above);
        self.blocks[side].retain(|number, _| *number <= above);
        self.checkpoints[side] = Some(to);
        RolledBack { events: removed.len() as u64, forgotten, reopened: 0 }
    }

    /// The requests that messages belong to: of those that were made twice, the later ones.
    fn owners(&self, messages: &[B256]) -> BTreeSet<RequestId> {
        let owner = |message: &B256| {
            let of = |request: &&Request| request.message_hash == Some(*message);
            self.all().filter(of).map(|request| request.id).max()
        };
        messages.iter().filter_map(owner).collect()
    }

    /// Proofs of the other chain's heights that stood in removed blocks of this one.
    fn unprove(&mut self, side: Side, above: u64) {
        let proven = &mut self.proven[side.other()];
        let gone: Vec<u64> = proven.iter().filter(|(_, block)| **block > above).map(|(height, _)| *height).collect();
        proven.retain(|_, block| *block <= above);
        for row in self.requests.values_mut() {
            let by = row.request.proof_height.is_some_and(|height| gone.contains(&height));
            if row.request.kind.target() == side && row.request.state == State::AccountProven && by {
                row.request.state = State::Accepted;
                row.wake();
            }
        }
    }
}

fn step_back(row: &mut Row, at_source: bool, above: u64) {
    let request = &mut row.request;
    let undeclared = request.declared_block.is_none_or(|block| at_source && block > above);
    request.state = if undeclared { State::Requested } else { State::Accepted };
    if undeclared {
        request.declared_block = None;
        request.message_sender = None;
    }
    if !at_source {
        (request.reward, request.paid_out) = (None, None);
    }
    row.done = false;
    row.wake();
}

fn ended_by(row: &Row, removed: &[(Log, Event)]) -> bool {
    let request = &row.request;
    let takes_back = |event: &Event| match event {
        Event::StakeRevoked(_) | Event::RedeemRevoked(_) | Event::StakeRejected(_) | Event::RedeemRejected(_) => {
            event.request_hash() == Some(request.terms.request_hash)
        }
        _ => false,
    };
    let declares = |log: &Log, event: &Event| {
        matches!(event, Event::StakeIntentDeclared(_) | Event::RedeemIntentDeclared(_))
            && log.address == request.terms.gateway
    };
    removed.iter().any(|(log, event)| match request.state {
        State::Revoked | State::Rejected => takes_back(event),
        State::TakenByOther => declares(log, event),
        _ => false,
    })
}

fn stake_terms(asked: &StakeRequested) -> Terms {
    Terms {
        amount: asked.amount,
        beneficiary: asked.beneficiary,
        gas_price: asked.gas_price,
        gas_limit: asked.gas_limit,
        nonce: asked.nonce,
        sender: asked.staker,
        sender_proxy: asked.staker_proxy,
        gateway: asked.gateway,
        request_hash: asked.request_hash,
    }
}

fn redeem_terms(asked: &RedeemRequested) -> Terms {
    Terms {
        amount: asked.amount,
        beneficiary: asked.beneficiary,
        gas_price: asked.gas_price,
        gas_limit: asked.gas_limit,
        nonce: asked.nonce,
        sender: asked.redeemer,
        sender_proxy: asked.redeemer_proxy,
        gateway: asked.cogateway,
        request_hash: asked.request_hash,
    }
}
