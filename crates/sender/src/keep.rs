//! What the sender writes down: the journal of its chain and the leases of its accounts.
//!
//! Behind a trait, so that the same sender runs on the database and on the disk of a simulation. Each call is one
//! commit: all of it or nothing is there after a death. Each change is made under the leases of this process, and refused
//! if another one has taken an account over (law 5).

use facilitator_eth::Address;
use facilitator_store::{
    Store, StoreError,
    journal::{Entry, EntryId, Failed, Inclusion, Journal, NewEntry, Notify, Queued, Sent, Signature},
    leases::{Acquired, Lease},
};

type Result<T> = std::result::Result<T, StoreError>;

/// The journal of one chain with the leases of its accounts; the meanings are those of [`Journal`] and [`Store`].
#[expect(async_fn_in_trait, reason = "a sender is one task: nobody needs the futures to be sent")]
#[expect(missing_docs, reason = "each is the method of the same name of the journal or the store")]
pub trait Keep {
    async fn queue(&self, leases: &[Lease], entries: &[NewEntry], now_ms: i64) -> Result<Vec<Queued>>;
    async fn sign(&self, leases: &[Lease], signed: &[Signature], now_ms: i64) -> Result<()>;
    async fn sent(&self, leases: &[Lease], sent: &[Sent], now_ms: i64) -> Result<()>;
    async fn mined(&self, leases: &[Lease], mined: &[(EntryId, Inclusion)], notify: Notify, now_ms: i64) -> Result<()>;
    async fn finalise(&self, leases: &[Lease], ids: &[EntryId], notify: Notify, now_ms: i64) -> Result<()>;
    async fn reopen(&self, leases: &[Lease], ids: &[EntryId], now_ms: i64) -> Result<()>;
    async fn supersede(&self, leases: &[Lease], ids: &[EntryId], now_ms: i64) -> Result<()>;
    async fn requeue(&self, leases: &[Lease], ids: &[EntryId], now_ms: i64) -> Result<()>;
    async fn fail(&self, leases: &[Lease], failed: &[Failed], now_ms: i64) -> Result<()>;
    async fn note(&self, leases: &[Lease], notes: &[(EntryId, Option<String>)], now_ms: i64) -> Result<()>;
    async fn live(&self) -> Result<Vec<Entry>>;
    async fn by_intent(&self, intent: &str) -> Result<Option<Entry>>;
    async fn highest_nonce(&self, account: Address) -> Result<Option<u64>>;
    async fn holding(&self, account: Address, nonce: u64) -> Result<Option<Entry>>;
    async fn last_account(&self) -> Result<Option<Address>>;
    async fn orphans(&self) -> Result<Vec<Address>>;
    async fn acquire_lease(&self, account: Address, owner: &str, ttl_ms: i64, now_ms: i64) -> Result<Acquired>;
    async fn renew_lease(&self, lease: &Lease, ttl_ms: i64, now_ms: i64) -> Result<Lease>;
    async fn release_lease(&self, lease: &Lease) -> Result<()>;
}

/// In the database.
#[derive(Debug, Clone)]
pub struct Records {
    store: Store,
    journal: Journal,
}

impl Records {
    /// The records of a chain.
    #[must_use]
    pub fn new(store: &Store, chain_id: u64) -> Self {
        Self { store: store.clone(), journal: store.journal(chain_id) }
    }
}

impl Keep for Records {
    async fn queue(&self, leases: &[Lease], entries: &[NewEntry], now_ms: i64) -> Result<Vec<Queued>> {
        self.journal.queue(leases, entries, now_ms).await
    }

    async fn sign(&self, leases: &[Lease], signed: &[Signature], now_ms: i64) -> Result<()> {
        self.journal.sign(leases, signed, now_ms).await
    }

    async fn sent(&self, leases: &[Lease], sent: &[Sent], now_ms: i64) -> Result<()> {
        self.journal.sent(leases, sent, now_ms).await
    }

    async fn mined(&self, leases: &[Lease], mined: &[(EntryId, Inclusion)], notify: Notify, now_ms: i64) -> Result<()> {
        self.journal.mined(leases, mined, notify, now_ms).await
    }

    async fn finalise(&self, leases: &[Lease], ids: &[EntryId], notify: Notify, now_ms: i64) -> Result<()> {
        self.journal.finalise(leases, ids, notify, now_ms).await
    }

    async fn reopen(&self, leases: &[Lease], ids: &[EntryId], now_ms: i64) -> Result<()> {
        self.journal.reopen(leases, ids, now_ms).await
    }

    async fn supersede(&self, leases: &[Lease], ids: &[EntryId], now_ms: i64) -> Result<()> {
        self.journal.supersede(leases, ids, now_ms).await
    }

    async fn requeue(&self, leases: &[Lease], ids: &[EntryId], now_ms: i64) -> Result<()> {
        self.journal.requeue(leases, ids, now_ms).await
    }

    async fn fail(&self, leases: &[Lease], failed: &[Failed], now_ms: i64) -> Result<()> {
        self.journal.fail(leases, failed, now_ms).await
    }

    async fn note(&self, leases: &[Lease], notes: &[(EntryId, Option<String>)], now_ms: i64) -> Result<()> {
        self.journal.note(leases, notes, now_ms).await
    }

    async fn live(&self) -> Result<Vec<Entry>> {
        self.journal.live().await
    }

    async fn by_intent(&self, intent: &str) -> Result<Option<Entry>> {
        self.journal.by_intent(intent).await
    }

    async fn highest_nonce(&self, account: Address) -> Result<Option<u64>> {
        self.journal.highest_nonce(account).await
    }

    async fn holding(&self, account: Address, nonce: u64) -> Result<Option<Entry>> {
        self.journal.holding(account, nonce).await
    }

    async fn last_account(&self) -> Result<Option<Address>> {
        self.journal.last_account().await
    }

    async fn orphans(&self) -> Result<Vec<Address>> {
        self.journal.orphans().await
    }

    async fn acquire_lease(&self, account: Address, owner: &str, ttl_ms: i64, now_ms: i64) -> Result<Acquired> {
        self.store.acquire_lease(self.journal.chain_id(), account, owner, ttl_ms, now_ms).await
    }

    async fn renew_lease(&self, lease: &Lease, ttl_ms: i64, now_ms: i64) -> Result<Lease> {
        self.store.renew_lease(lease, ttl_ms, now_ms).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<()> {
        self.store.release_lease(lease).await
    }
}
