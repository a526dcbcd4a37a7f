//! Beginning from the journal, which is the same whether the last sender ended well or was killed.

use super::{Account, Gate, Joint, Sender, Support, end::Ending, intake::Elsewhere, survey::Survey, trouble::Database};
use crate::{
    SenderError, Settings,
    book::{Book, DependencyDone, Flight, answer_of},
    keep::{Keep, Records},
    node::{Ask, Node},
    types::{Failure, SubmitAnswer},
};
use facilitator_chain::rpc::Rpc;
use facilitator_eth::{Address, tx::SecretKey};
use facilitator_protocol::model::Step;
use facilitator_store::{
    Store,
    journal::{Entry, EntryId},
};
use std::collections::{BTreeMap, BTreeSet};

impl Sender {
    /// A sender over a database and a JSON-RPC endpoint; see [`Sender::over`].
    ///
    /// # Errors
    /// [`SenderError::NoKeys`], or [`SenderError::Store`].
    pub async fn new(
        store: &Store,
        rpc: Rpc,
        keys: Vec<SecretKey>,
        settings: Settings,
        owner: &str,
        now_ms: i64,
    ) -> Result<Self, SenderError> {
        let records = Records::new(store, settings.chain_id);
        Self::over(Node::new(rpc), records, keys, settings, owner, now_ms).await
    }
}

impl<N: Ask, K: Keep> Sender<N, K> {
    /// A sender for the accounts of `keys`, with everything that the journal holds for them. `owner` names the process
    /// in the leases: the same for a restarted sender of one instance, different for different instances.
    ///
    /// An account whose lease another process holds is left alone and tried for again; nothing is signed for it.
    ///
    /// # Errors
    /// [`SenderError::NoKeys`], or [`SenderError::Store`]; if that [`SenderError::passes`], try again later.
    pub async fn over(
        node: N,
        journal: K,
        keys: Vec<SecretKey>,
        settings: Settings,
        owner: &str,
        now_ms: i64,
    ) -> Result<Self, SenderError> {
        if keys.is_empty() {
            return Err(SenderError::NoKeys { chain_id: settings.chain_id });
        }
        let last_chosen = journal.last_account().await?;
        let accounts = keys.into_iter().map(|key| (key.address(), account(Some(key)))).collect();
        let mut sender = Self {
            journal,
            node,
            settings,
            owner: owner.to_owned(),
            accounts,
            book: Book::default(),
            survey: Survey::default(),
            database: Database::default(),
            head: None,
            head_at_ms: now_ms,
            now_ms,
            observed: None,
            last_chosen,
            block_receipts: Support::Assumed,
            joint: Joint::default(),
            rehearsals: Support::Assumed,
            unanswered_trials: 0,
            node_failures: 0,
            node_retry_at_ms: None,
            outcomes: Vec::new(),
            gate: Gate::Open,
            gate_moved: false,
            orphans_at_ms: 0,
        };
        let addresses: Vec<Address> = sender.accounts.keys().copied().collect();
        for address in addresses {
            sender.acquire(address, now_ms).await?;
        }
        sender.check_dependencies(now_ms).await?;
        Ok(sender)
    }

    /// Takes the living entries of an account into the book. Signed ones are sent again with the same bytes; of the
    /// unsigned those whose content was in memory alone end here, which wakes their requests.
    ///
    /// Also brings the book up to the journal after the fate of a commit was unknown: what is in memory beside the
    /// entries stays.
    pub(super) async fn load(&mut self, account: Address, now_ms: i64) -> Result<(), SenderError> {
        let entries: Vec<Entry> =
            self.journal.live().await?.into_iter().filter(|entry| entry.account == Some(account)).collect();
        let highest = self.journal.highest_nonce(account).await?;
        let alive: BTreeSet<EntryId> = entries.iter().map(|entry| entry.id).collect();
        let mut ended = BTreeMap::new();
        for flight in self.book.of(account).filter(|flight| !alive.contains(&flight.id())) {
            let entry = self.journal.by_intent(&flight.entry.intent).await?;
            ended.extend(entry.filter(|entry| entry.id == flight.id()).map(|entry| (entry.id, answer_of(&entry))));
        }
        // All is read: from here on nothing fails until the book is whole.
        let known: Vec<EntryId> = self.book.of(account).map(Flight::id).collect();
        let mut known: BTreeMap<EntryId, Flight> =
            known.into_iter().filter_map(|id| self.book.remove(id)).map(|flight| (flight.id(), flight)).collect();
        // What is seen through for another instance is never signed here.
        let has_key = self.accounts.get(&account).is_some_and(|account| account.key.is_some());
        let mut interrupted = Vec::new();
        for entry in entries {
            let flight = match known.remove(&entry.id) {
                Some(flight) => flight.resumed(entry),
                None => Flight::new(entry, account),
            };
            // The nonce that a queued gap filler was for is found again if it is still missing.
            let is_forgotten = flight.entry.step == Step::Cancel && flight.fixed_nonce.is_none();
            if flight.is_queued() && (flight.data.is_none() || is_forgotten || !has_key) {
                interrupted.push(Ending::unmined(flight.id(), Failure::Interrupted));
            }
            self.book.insert(flight);
        }
        for (id, flight) in known {
            if let Some(answer) = ended.remove(&id) {
                self.tell(&flight, &answer);
            }
        }
        if let Some(known) = self.accounts.get_mut(&account) {
            known.highest_final = highest;
        }
        self.fail(interrupted, now_ms).await
    }

    /// Forgets what was queued and has been ended in the database since: while this instance might not work, whoever
    /// judges the instances frees what it had not signed.
    pub(super) async fn forget_freed(&mut self) -> Result<(), SenderError> {
        let queued: Vec<EntryId> = self.book.iter().filter(|flight| flight.is_queued()).map(Flight::id).collect();
        if queued.is_empty() {
            return Ok(());
        }
        let alive: BTreeSet<EntryId> = self.journal.live().await?.into_iter().map(|entry| entry.id).collect();
        for id in queued.into_iter().filter(|id| !alive.contains(id)) {
            if let Some(flight) = self.book.remove(id) {
                self.tell(&flight, &SubmitAnswer::Failed(Failure::Interrupted));
            }
        }
        Ok(())
    }

    /// Finds out about intents that queued entries come after and that are not alive any more.
    pub(super) async fn check_dependencies(&mut self, now_ms: i64) -> Result<(), SenderError> {
        let open: Vec<_> = self
            .book
            .iter()
            .filter(|flight| flight.is_queued() && flight.dependency_done == DependencyDone::NotYet)
            .filter_map(|flight| Some((flight.id(), flight.entry.after.clone()?)))
            .filter(|(_, after)| self.book.by_intent(after).is_none())
            .collect();
        let mut failed = Vec::new();
        for (id, after) in open {
            match self.elsewhere(&after).await? {
                Elsewhere::Done => {
                    if let Some(flight) = self.book.get_mut(id) {
                        flight.dependency_done = DependencyDone::Yes;
                    }
                }
                Elsewhere::UnderWay => {}
                Elsewhere::Nowhere => {
                    failed.push(Ending::unmined(id, Failure::DependencyFailed(format!("`{after}` has failed"))));
                }
            }
        }
        self.fail(failed, now_ms).await
    }

    /// Whether a queued entry comes after one that is not in the book.
    pub(super) fn waits_for_others(&self) -> bool {
        let waits = |flight: &Flight| flight.is_queued() && flight.dependency_done == DependencyDone::NotYet;
        let absent =
            |flight: &Flight| flight.entry.after.as_deref().is_some_and(|after| self.book.by_intent(after).is_none());
        self.book.iter().any(|flight| waits(flight) && absent(flight))
    }
}

pub(super) fn account(key: Option<SecretKey>) -> Account {
    Account { key, lease: None, retry_at_ms: 0, count: None, progress: 0, highest_final: None, gap_since: None }
}
