//! Looking at the database, not more often than it can bear.
//!
//! What is cheap is asked anew for everybody who comes a second later; what goes through whole tables is kept for twenty
//! times as long as it took, so that whoever asks for it too often costs a twentieth of one core at most. Pages about single
//! requests, and what is made of a look for each answer, are not kept.

use crate::child;
use crate::clock::now_ms;
use crate::views::status::{self, Status};
use facilitator_protocol::ledger::{Assets, Ledger};
use facilitator_store::figures::{KeyFigures, Took, TransactionCount, Unfinished};
use facilitator_store::requests::Count;
use facilitator_store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// For how long the quick look serves.
const FRESH: Duration = Duration::from_secs(1);

/// For how long the thorough one serves at least, and how many times as long as it took.
const THOROUGH_FRESH: Duration = Duration::from_secs(2);
const SPARE: u32 = 20;

/// What a glance shows.
#[derive(Debug)]
pub(super) struct Quick {
    pub(super) at_ms: i64,
    pub(super) status: Status,
    pub(super) counts: Vec<Count>,
    pub(super) unfinished: Vec<Unfinished>,
    pub(super) waits: Vec<(String, u64)>,
}

/// What only a pass over journal and ledger shows.
#[derive(Debug)]
pub(super) struct Thorough {
    pub(super) at_ms: i64,
    pub(super) ledger: Ledger,
    pub(super) assets: Vec<Assets>,
    pub(super) keys: Vec<KeyFigures>,
    pub(super) transactions: Vec<TransactionCount>,
    pub(super) took: Vec<Took>,
}

/// Something that was looked up, and until when it serves.
type Kept<T> = Mutex<Option<(Instant, Arc<T>)>>;

/// Looks at one database.
pub(super) struct Looker {
    database: String,
    pair: (u64, u64),
    instance: String,
    store: Mutex<Option<Store>>,
    quick: Kept<Quick>,
    thorough: Kept<Thorough>,
}

impl Looker {
    pub(super) fn new(database: String, pair: (u64, u64), instance: String) -> Self {
        Self { database, pair, instance, store: Mutex::default(), quick: Mutex::default(), thorough: Mutex::default() }
    }

    /// The database, opened when it is needed first.
    pub(super) async fn store(&self) -> Result<Store, StoreError> {
        let mut open = self.store.lock().await;
        if let Some(store) = &*open {
            return Ok(store.clone());
        }
        let store = child::open_to_look(&self.database, self.pair, now_ms()).await?;
        *open = Some(store.clone());
        Ok(store)
    }

    pub(super) async fn quick(&self) -> Result<Arc<Quick>, StoreError> {
        let mut kept = self.quick.lock().await;
        if let Some((_, quick)) = kept.as_ref().filter(|(until, _)| Instant::now() < *until) {
            return Ok(Arc::clone(quick));
        }
        let store = self.store().await?;
        let at_ms = now_ms();
        let quick = Arc::new(Quick {
            at_ms,
            status: status::look(&store, Some(&self.instance), at_ms).await?,
            counts: store.counts().await?,
            unfinished: store.unfinished().await?,
            waits: store.waits().await?,
        });
        *kept = Some((Instant::now() + FRESH, Arc::clone(&quick)));
        Ok(quick)
    }

    pub(super) async fn thorough(&self) -> Result<Arc<Thorough>, StoreError> {
        let mut kept = self.thorough.lock().await;
        if let Some((_, thorough)) = kept.as_ref().filter(|(until, _)| Instant::now() < *until) {
            return Ok(Arc::clone(thorough));
        }
        let store = self.store().await?;
        let began = Instant::now();
        let thorough = Arc::new(Thorough {
            at_ms: now_ms(),
            ledger: store.ledger().await?,
            assets: store.gateway_assets().await?,
            keys: store.key_figures().await?,
            transactions: store.transaction_counts().await?,
            took: store.took().await?,
        });
        let fresh = began.elapsed().saturating_mul(SPARE).max(THOROUGH_FRESH);
        *kept = Some((Instant::now() + fresh, Arc::clone(&thorough)));
        Ok(thorough)
    }
}
