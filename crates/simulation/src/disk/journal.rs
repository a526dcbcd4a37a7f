//! The journal of one chain and the leases of its accounts.

use facilitator_eth::{Address, B256};
use facilitator_protocol::model::{RequestId, Step};
use facilitator_store::StoreError;
use facilitator_store::journal::{
    Attempt, Entry, EntryId, EntryState, Failed, Inclusion, NewEntry, Origin, Queued, Sent, Signature, Visibility,
};
use facilitator_store::leases::{Acquired, Lease};
use std::collections::{BTreeMap, BTreeSet};

type Outcome = Result<(), StoreError>;

/// The tables of one chain.
#[derive(Debug, Default)]
pub(crate) struct JournalTable {
    pub(crate) entries: BTreeMap<EntryId, Entry>,
    pub(crate) waiters: BTreeMap<EntryId, BTreeSet<RequestId>>,
    leases: BTreeMap<Address, Lease>,
    last: i64,
}

/// States of a transaction that is on its way.
pub(crate) const LIVE: [EntryState; 4] =
    [EntryState::Queued, EntryState::Signed, EntryState::Broadcast, EntryState::Mined];
const UNMINED: [EntryState; 3] = [EntryState::Queued, EntryState::Signed, EntryState::Broadcast];

fn wrong(id: EntryId, change: &'static str, state: &str) -> StoreError {
    StoreError::WrongState { entry: id.0, change, state: state.to_owned() }
}

fn all(mut accounts: impl Iterator<Item = Address>, held: impl Fn(Address) -> bool) -> Outcome {
    match accounts.find(|account| !held(*account)) {
        None => Ok(()),
        Some(account) => Err(StoreError::LeaseLost { account, chain_id: 0, owner: "another".to_owned(), token: 0 }),
    }
}

impl JournalTable {
    pub(crate) fn queue(&mut self, new: &NewEntry, chain_id: u64, now_ms: i64, known: bool) -> Queued {
        let alive = |entry: &&Entry| entry.intent == new.intent && entry.state != EntryState::Failed;
        let found = self.entries.values().find(alive).cloned();
        let origin = if found.is_some() { Origin::Existing } else { Origin::New };
        let entry = found.unwrap_or_else(|| self.insert(new, chain_id, now_ms, known));
        if let Some(request) = new.request_id.filter(|_| known) {
            self.waiters.entry(entry.id).or_default().insert(request);
        }
        Queued { entry, origin }
    }

    /// Requests that wait for a transaction of this step in one of these states.
    pub(crate) fn waiting_for(&self, step: Step, states: &[EntryState]) -> impl Iterator<Item = RequestId> {
        let which = move |entry: &&Entry| entry.step == step && states.contains(&entry.state);
        let ids = self.entries.values().filter(which).filter_map(|entry| self.waiters.get(&entry.id));
        ids.flatten().copied()
    }

    fn insert(&mut self, new: &NewEntry, chain_id: u64, now_ms: i64, known: bool) -> Entry {
        self.last += 1;
        let entry = Entry {
            id: EntryId(self.last),
            intent: new.intent.clone(),
            request_id: new.request_id.filter(|_| known),
            request_hash: None,
            chain_id,
            step: new.step,
            account: new.account,
            to: new.to,
            value: new.value,
            data: (new.visibility == Visibility::Public).then(|| new.data.clone()),
            visibility: new.visibility,
            after: new.after.clone(),
            allowance: new.allowance,
            expect: new.expect,
            state: EntryState::Queued,
            nonce: None,
            attempts: Vec::new(),
            inclusion: None,
            failure: None,
            waiting_for: None,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
        };
        self.entries.insert(entry.id, entry.clone());
        entry
    }

    /// Whether a lease is the present one.
    pub(crate) fn holds(&self, lease: &Lease, now_ms: i64) -> bool {
        let held = self.leases.get(&lease.account);
        held.is_some_and(|held| held.token == lease.token && held.owner == lease.owner && held.expires_at_ms > now_ms)
    }

    /// Fails unless all accounts are held under these leases.
    pub(crate) fn check_leases(&self, leases: &[Lease], signed: &[Signature], now_ms: i64) -> Outcome {
        let held = |account: Address| leases.iter().any(|lease| lease.account == account && self.holds(lease, now_ms));
        all(signed.iter().map(|signature| signature.account), held)
    }

    /// The same, unless a lease has merely run out.
    pub(crate) fn fence(&self, leases: &[Lease], accounts: impl Iterator<Item = Address>) -> Outcome {
        let present = |lease: &Lease| {
            let held = self.leases.get(&lease.account);
            held.is_some_and(|held| held.token == lease.token && held.owner == lease.owner)
        };
        all(accounts, |account| leases.iter().any(|lease| lease.account == account && present(lease)))
    }

    pub(crate) fn fence_entries(&self, leases: &[Lease], ids: impl Iterator<Item = EntryId>) -> Outcome {
        self.fence(leases, ids.filter_map(|id| self.entries.get(&id)?.account))
    }

    pub(crate) fn sign(&mut self, signed: &[Signature], now_ms: i64) -> Outcome {
        for signature in signed {
            let Signature { id, account, nonce, .. } = *signature;
            let taken = |entry: &Entry| {
                entry.id != id
                    && entry.account == Some(account)
                    && entry.nonce == Some(nonce)
                    && LIVE.contains(&entry.state)
            };
            if self.entries.values().any(taken) {
                let (name, problem) = ("simulated".to_owned(), format!("nonce {nonce} is taken"));
                return Err(StoreError::Statement { name, problem });
            }
            let entry = self.entries.get_mut(&id).ok_or_else(|| wrong(id, "signed", "gone"))?;
            let fits = entry.nonce.is_none_or(|own| own == nonce) && entry.account.is_none_or(|own| own == account);
            if !fits || !UNMINED.contains(&entry.state) {
                return Err(wrong(id, "signed", entry.state.as_str()));
            }
            (entry.state, entry.account, entry.nonce) = (EntryState::Signed, Some(account), Some(nonce));
            let number = entry.attempts.last().map_or(1, |attempt| attempt.number + 1);
            let Signature { hash, raw, gas_limit, fee, .. } = signature.clone();
            let (broadcast_at_ms, broadcast_block) = (None, None);
            let signed_at_ms = now_ms;
            entry.attempts.push(Attempt {
                number,
                hash,
                raw,
                gas_limit,
                fee,
                signed_at_ms,
                broadcast_at_ms,
                broadcast_block,
            });
        }
        Ok(())
    }

    pub(crate) fn sent(&mut self, sent: &[Sent]) {
        for mark in sent {
            let Some(entry) = self.entries.get_mut(&mark.id) else { continue };
            let newest = entry.attempts.last().map(|attempt| attempt.hash) == Some(mark.hash);
            if entry.state == EntryState::Signed && newest {
                entry.state = EntryState::Broadcast;
            }
        }
    }

    fn change(&mut self, id: EntryId, from: &[EntryState], change: &'static str) -> Result<&mut Entry, StoreError> {
        let entry = self.entries.get_mut(&id).ok_or_else(|| wrong(id, change, "gone"))?;
        if from.contains(&entry.state) { Ok(entry) } else { Err(wrong(id, change, entry.state.as_str())) }
    }

    pub(crate) fn mined(&mut self, mined: &[(EntryId, Inclusion)]) -> Outcome {
        for (id, inclusion) in mined {
            let from = [EntryState::Signed, EntryState::Broadcast, EntryState::Mined];
            let entry = self.change(*id, &from, "mined")?;
            (entry.state, entry.inclusion) = (EntryState::Mined, Some(*inclusion));
        }
        Ok(())
    }

    pub(crate) fn finalise(&mut self, ids: &[EntryId]) -> Outcome {
        for id in ids {
            self.change(*id, &[EntryState::Mined, EntryState::Final], "made final")?.state = EntryState::Final;
        }
        Ok(())
    }

    pub(crate) fn reopen(&mut self, ids: &[EntryId]) -> Outcome {
        for id in ids {
            let entry = self.change(*id, &[EntryState::Mined, EntryState::Final], "sent again")?;
            (entry.state, entry.inclusion) = (EntryState::Broadcast, None);
        }
        Ok(())
    }

    /// The effect of final entries vanished: their intents are free again.
    pub(crate) fn supersede(&mut self, ids: &[EntryId]) {
        for id in ids {
            let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.state == EntryState::Final) else {
                continue;
            };
            let mark = format!("#{}", id.0);
            if !entry.intent.ends_with(&mark) {
                entry.intent.push_str(&mark);
            }
        }
    }

    pub(crate) fn requeue(&mut self, ids: &[EntryId]) -> Outcome {
        for id in ids {
            let entry = self.change(*id, &UNMINED, "queued again")?;
            (entry.state, entry.nonce) = (EntryState::Queued, None);
        }
        Ok(())
    }

    /// Ends entries; the requests to wake.
    pub(crate) fn fail(&mut self, failed: &[Failed], now_ms: i64) -> Result<Vec<RequestId>, StoreError> {
        let mut woken = Vec::new();
        for Failed { id, inclusion, failure } in failed {
            let entry = self.change(*id, &LIVE, "failed")?;
            (entry.state, entry.inclusion, entry.failure) = (EntryState::Failed, *inclusion, Some(failure.clone()));
            entry.updated_at_ms = now_ms;
            woken.extend(self.waiters.get(id).into_iter().flatten().copied());
        }
        Ok(woken)
    }

    pub(crate) fn live(&self) -> Vec<Entry> {
        self.entries.values().filter(|entry| LIVE.contains(&entry.state)).cloned().collect()
    }

    pub(crate) fn by_intent(&self, intent: &str) -> Option<Entry> {
        self.entries.values().rev().find(|entry| entry.intent == intent).cloned()
    }

    pub(crate) fn highest_nonce(&self, account: Address) -> Option<u64> {
        let counts = |entry: &&Entry| entry.state != EntryState::Failed || entry.inclusion.is_some();
        let own = self.entries.values().filter(|entry| entry.account == Some(account));
        own.filter(counts).filter_map(|entry| entry.nonce).max()
    }

    pub(crate) fn holding(&self, account: Address, nonce: u64) -> Option<Entry> {
        let held = |entry: &&Entry| entry.account == Some(account) && entry.nonce == Some(nonce);
        self.entries.values().filter(held).find(|entry| entry.state != EntryState::Failed).cloned()
    }

    pub(crate) fn last_account(&self) -> Option<Address> {
        self.entries.values().rev().find_map(|entry| entry.account)
    }

    /// Whether a signed attempt is on disk.
    pub(crate) fn has_signed(&self, hash: B256) -> bool {
        self.entries.values().any(|entry| entry.attempts.iter().any(|attempt| attempt.hash == hash))
    }

    pub(crate) fn acquire(&mut self, chain_id: u64, account: Address, owner: &str, ttl: i64, now_ms: i64) -> Acquired {
        let held = self.leases.get(&account);
        if let Some(held) = held.filter(|held| held.expires_at_ms > now_ms && held.owner != owner) {
            return Acquired::Refused { owner: held.owner.clone(), expires_at_ms: held.expires_at_ms };
        }
        let token = held.map_or(1, |held| held.token + 1);
        let lease = Lease { chain_id, account, owner: owner.to_owned(), token, expires_at_ms: now_ms + ttl };
        self.leases.insert(account, lease.clone());
        Acquired::Held(lease)
    }

    pub(crate) fn renew(&mut self, lease: &Lease, ttl: i64, now_ms: i64) -> Result<Lease, StoreError> {
        let held = self.leases.get_mut(&lease.account).filter(|held| held.token == lease.token);
        let Some(held) = held else {
            let (account, chain_id, owner) = (lease.account, lease.chain_id, lease.owner.clone());
            return Err(StoreError::LeaseLost { account, chain_id, owner, token: lease.token });
        };
        held.expires_at_ms = now_ms + ttl;
        Ok(held.clone())
    }
}
