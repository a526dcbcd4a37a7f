//! The living journal entries in memory.
//!
//! Invariant: an image of the journal, changed only after the journal was; whatever else a [`Flight`] holds may be
//! forgotten without harm. Entries of accounts that this process holds no key for are not in it.

use crate::types::{Failure, SubmitAnswer};
use facilitator_eth::{Address, B256, Bytes, abi::Revert, tx::Fee};
use facilitator_protocol::model::RequestId;
use facilitator_store::journal::{Attempt, Entry, EntryId, EntryState, Inclusion};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A living entry with what this process knows about it beyond the journal. Without `Debug`: it may hold a secret.
pub(crate) struct Flight {
    /// The journal's entry.
    pub(crate) entry: Entry,
    /// Who signs; chosen when it is queued.
    pub(crate) account: Address,
    /// Call data. `None` only for a revealing one that was signed before a restart.
    pub(crate) data: Option<Bytes>,
    /// Requests that submitted it to this process.
    pub(crate) waiters: BTreeSet<RequestId>,
    /// The nonce it must take: set for those that fill a gap.
    pub(crate) fixed_nonce: Option<u64>,
    /// Whether the intent it comes after has ended successfully already.
    pub(crate) dependency_done: DependencyDone,
    /// Head when the newest attempt was last handed to the node by this process.
    pub(crate) sent_at: Option<u64>,
    /// Head at which the last attempt to send was refused: not again at the same head.
    pub(crate) refused_at: Option<u64>,
    /// Head at which receipts were asked for and none was found.
    pub(crate) missing_at: Option<u64>,
    /// Mined and reverted, not yet final.
    pub(crate) reverted: Option<(Inclusion, Revert)>,
    /// Estimates in a row that the node could not answer.
    pub(crate) unjudged: u32,
}

/// Whether the intent that an entry comes after is over and well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DependencyDone {
    /// It is, or there is none.
    Yes,
    /// It lives.
    NotYet,
}

/// The hash of the request that wanted an entry first, for log lines.
pub(crate) fn request_of(entry: &Entry) -> Option<tracing::field::DisplayValue<B256>> {
    entry.request_hash.map(tracing::field::display)
}

impl Flight {
    /// As [`request_of`].
    pub(crate) fn request(&self) -> Option<tracing::field::DisplayValue<B256>> {
        request_of(&self.entry)
    }

    pub(crate) fn new(entry: Entry, account: Address) -> Self {
        let dependency_done = if entry.after.is_some() { DependencyDone::NotYet } else { DependencyDone::Yes };
        let waiters = entry.request_id.into_iter().collect();
        Self {
            data: entry.data.clone(),
            entry,
            account,
            waiters,
            fixed_nonce: None,
            dependency_done,
            sent_at: None,
            refused_at: None,
            missing_at: None,
            reverted: None,
            unjudged: 0,
        }
    }

    /// The same as the journal has it now, with what is known beyond it. Whatever is about the node is forgotten, so that
    /// signed bytes go out again and receipts are asked for anew.
    pub(crate) fn resumed(self, entry: Entry) -> Self {
        let fresh = Self::new(entry, self.account);
        Self {
            data: self.data.or(fresh.data),
            waiters: self.waiters.into_iter().chain(fresh.waiters).collect(),
            fixed_nonce: self.fixed_nonce,
            dependency_done: self.dependency_done,
            unjudged: self.unjudged,
            ..fresh
        }
    }

    pub(crate) fn id(&self) -> EntryId {
        self.entry.id
    }

    pub(crate) fn newest(&self) -> Option<&Attempt> {
        self.entry.attempts.last()
    }

    /// Fee, gas limit and nonce of the newest attempt.
    pub(crate) fn signed(&self) -> Option<(u64, u64, Fee)> {
        let attempt = self.newest()?;
        Some((self.entry.nonce?, attempt.gas_limit, attempt.fee))
    }

    /// Whether its nonce is in use but not seen in a block as far as the journal knows.
    pub(crate) fn is_in_flight(&self) -> bool {
        match self.entry.state {
            EntryState::Signed | EntryState::Broadcast => true,
            EntryState::Queued | EntryState::Mined | EntryState::Final | EntryState::Failed => false,
        }
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.entry.state == EntryState::Queued
    }

    /// How far it is, for whoever asks.
    pub(crate) fn answer(&self) -> SubmitAnswer {
        answer_of(&self.entry)
    }
}

/// How far an entry is.
pub(crate) fn answer_of(entry: &Entry) -> SubmitAnswer {
    let attempt = entry.attempts.last();
    let in_flight = || match (entry.account, attempt, entry.nonce) {
        (Some(account), Some(attempt), Some(nonce)) => SubmitAnswer::InFlight { account, hash: attempt.hash, nonce },
        _ => SubmitAnswer::Queued,
    };
    match (entry.state, entry.inclusion) {
        (EntryState::Queued, _) => SubmitAnswer::Queued,
        (EntryState::Mined, Some(at)) => SubmitAnswer::Mined { hash: at.hash, block: at.block_number },
        (EntryState::Final, Some(at)) => SubmitAnswer::Final { hash: at.hash, block: at.block_number },
        (EntryState::Signed | EntryState::Broadcast | EntryState::Mined | EntryState::Final, _) => in_flight(),
        (EntryState::Failed, _) => {
            let text = entry.failure.as_ref().map_or_else(|| "unknown".to_owned(), |failure| failure.message.clone());
            SubmitAnswer::Failed(Failure::DependencyFailed(text))
        }
    }
}

/// All living entries.
#[derive(Default)]
pub(crate) struct Book {
    flights: BTreeMap<EntryId, Flight>,
    by_intent: HashMap<String, EntryId>,
}

impl Book {
    pub(crate) fn insert(&mut self, flight: Flight) {
        self.by_intent.insert(flight.entry.intent.clone(), flight.id());
        self.flights.insert(flight.id(), flight);
    }

    pub(crate) fn remove(&mut self, id: EntryId) -> Option<Flight> {
        let flight = self.flights.remove(&id)?;
        self.by_intent.remove(&flight.entry.intent);
        Some(flight)
    }

    pub(crate) fn len(&self) -> usize {
        self.flights.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    pub(crate) fn get(&self, id: EntryId) -> Option<&Flight> {
        self.flights.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: EntryId) -> Option<&mut Flight> {
        self.flights.get_mut(&id)
    }

    pub(crate) fn by_intent(&self, intent: &str) -> Option<&Flight> {
        self.by_intent.get(intent).and_then(|id| self.flights.get(id))
    }

    pub(crate) fn by_intent_mut(&mut self, intent: &str) -> Option<&mut Flight> {
        self.by_intent.get(intent).and_then(|id| self.flights.get_mut(id))
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Flight> {
        self.flights.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Flight> {
        self.flights.values_mut()
    }

    pub(crate) fn of(&self, account: Address) -> impl Iterator<Item = &Flight> {
        self.iter().filter(move |flight| flight.account == account)
    }

    /// The nonces that an account's living entries hold.
    pub(crate) fn nonces(&self, account: Address) -> BTreeSet<u64> {
        self.of(account).filter_map(|flight| flight.entry.nonce.or(flight.fixed_nonce)).collect()
    }

    /// An account's transactions that are signed and not in a block, lowest nonce first.
    pub(crate) fn in_flight(&self, account: Address) -> Vec<&Flight> {
        let mut flights: Vec<&Flight> = self.of(account).filter(|flight| flight.is_in_flight()).collect();
        flights.sort_by_key(|flight| flight.entry.nonce);
        flights
    }
}
