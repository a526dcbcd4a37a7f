//! Beginning from the journal, which is the same whether the last sender ended well or was killed.

use super::{Account, Sender, Support, end::Ending, survey::Survey};
use crate::{
    SenderError, Settings,
    book::{Book, DependencyDone, Flight},
    node::Node,
    types::Failure,
};
use facilitator_chain::rpc::Rpc;
use facilitator_eth::{Address, tx::SecretKey};
use facilitator_protocol::model::Step;
use facilitator_store::{Store, journal::Entry};

impl Sender {
    /// A sender for the accounts of `keys`, with everything that the journal holds for them. `owner` names the process
    /// in the leases: the same for a restarted sender of one instance, different for different instances.
    ///
    /// An account whose lease another process holds is left alone and tried for again; nothing is signed for it.
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
        if keys.is_empty() {
            return Err(SenderError::NoKeys { chain_id: settings.chain_id });
        }
        let journal = store.journal(settings.chain_id);
        let last_chosen = journal.last_account().await?;
        let accounts = keys.into_iter().map(|key| (key.address(), account(key))).collect();
        let mut sender = Self {
            journal,
            store: store.clone(),
            node: Node::new(rpc),
            settings,
            owner: owner.to_owned(),
            accounts,
            book: Book::default(),
            survey: Survey::default(),
            head: None,
            head_at_ms: now_ms,
            observed: None,
            last_chosen,
            block_receipts: Support::Assumed,
            node_failures: 0,
            node_retry_at_ms: None,
            outcomes: Vec::new(),
        };
        let addresses: Vec<Address> = sender.accounts.keys().copied().collect();
        for address in addresses {
            sender.acquire(address, now_ms).await?;
        }
        Ok(sender)
    }

    /// Takes the living entries of an account into the book. Signed ones are sent again with the same bytes; of the
    /// unsigned those whose content was in memory alone end here, which wakes their requests.
    pub(super) async fn load(&mut self, account: Address, now_ms: i64) -> Result<(), SenderError> {
        let entries: Vec<Entry> =
            self.journal.live().await?.into_iter().filter(|entry| entry.account == Some(account)).collect();
        let mut interrupted = Vec::new();
        for entry in entries {
            let flight = Flight::new(entry, account);
            // The nonce that a queued gap filler was for is found again if it is still missing.
            if flight.is_queued() && (flight.data.is_none() || flight.entry.step == Step::Cancel) {
                interrupted.push(Ending::unmined(flight.id(), Failure::Interrupted));
            }
            self.book.insert(flight);
        }
        if let Some(known) = self.accounts.get_mut(&account) {
            known.highest_final = self.journal.highest_nonce(account).await?;
        }
        self.fail(interrupted, now_ms).await?;
        self.check_dependencies(now_ms).await
    }

    /// Finds out about intents that queued entries come after and that are not alive any more.
    async fn check_dependencies(&mut self, now_ms: i64) -> Result<(), SenderError> {
        let open: Vec<_> = self
            .book
            .iter()
            .filter(|flight| flight.is_queued() && flight.dependency_done == DependencyDone::NotYet)
            .filter_map(|flight| Some((flight.id(), flight.entry.after.clone()?)))
            .filter(|(_, after)| self.book.by_intent(after).is_none())
            .collect();
        let mut failed = Vec::new();
        for (id, after) in open {
            if self.is_done(&after).await? {
                if let Some(flight) = self.book.get_mut(id) {
                    flight.dependency_done = DependencyDone::Yes;
                }
            } else {
                failed.push(Ending::unmined(id, Failure::DependencyFailed(format!("`{after}` has failed"))));
            }
        }
        self.fail(failed, now_ms).await
    }
}

fn account(key: SecretKey) -> Account {
    Account { key, lease: None, retry_at_ms: 0, count: None, progress: 0, highest_final: None, gap_since: None }
}
