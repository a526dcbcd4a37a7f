//! Looking at the database for metrics, pages and whoever watches, not more often than it can bear.
//!
//! What is cheap is asked anew for everybody who comes a second later; what goes through whole tables is kept for twenty
//! times as long as it took, and if it failed not tried again for as long, so that whoever asks for it too often costs a twentieth of one core at most. Whether a
//! facilitator lives is asked over a connection of its own, and what is thorough over another one, on a thread of its own:
//! none of them waits for a slower one. A look goes on when those who wait for it hang up. Pages about single requests are
//! not kept.

mod kept;
pub(crate) mod thorough;

use crate::child;
use crate::clock::now_ms;
use crate::views::status::{self, Status};
use facilitator_store::figures::Unfinished;
use facilitator_store::requests::Count;
use facilitator_store::{Store, StoreError};
use kept::{Kept, Patience};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

pub use thorough::Thorough;

/// For how long a quick look serves.
const FRESH: Duration = Duration::from_secs(1);

/// How long an answer waits for a look: whoever asks for metrics usually gives up after ten seconds.
const PATIENCE: Patience = Patience { for_the_first: Duration::from_secs(6), for_a_newer: Duration::from_secs(2) };

/// What a glance shows.
#[derive(Debug)]
pub struct Quick {
    pub(crate) at_ms: i64,
    /// How the facilitator is doing.
    pub status: Status,
    pub(crate) counts: Vec<Count>,
    pub(crate) unfinished: Vec<Unfinished>,
    pub(crate) waits: Vec<(String, u64)>,
}

/// Why there is nothing to show.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LookError {
    /// The database refuses.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The first look lasts.
    #[error("the database has not answered yet; ask again")]
    Late,
    /// The ledger does not fit into JSON.
    #[error("the ledger of this period can't be written as JSON; `facilitator ledger` shows it")]
    Unwritten,
}

impl From<StoreError> for LookError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// Where the database is, and whose status is looked at.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its address.
    pub database: String,
    /// Origin and auxiliary chain.
    pub pair: (u64, u64),
    /// The instance.
    pub instance: String,
}

/// A connection that is opened when it is needed first.
#[derive(Clone, Default)]
struct Line(Arc<Mutex<Option<Store>>>);

impl Line {
    async fn open(&self, place: &Place) -> Result<Store, StoreError> {
        let mut open = self.0.lock().await;
        if let Some(store) = &*open {
            return Ok(store.clone());
        }
        let store = child::open_to_look(&place.database, place.pair, now_ms()).await?;
        *open = Some(store.clone());
        Ok(store)
    }
}

/// Looks at one database.
pub struct Looker {
    place: Place,
    line: Line,
    pulse_line: Line,
    pulse: Kept<Status>,
    quick: Kept<Quick>,
    thorough: Kept<Thorough>,
}

impl Looker {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self {
            place,
            line: Line::default(),
            pulse_line: Line::default(),
            pulse: Kept::new(),
            quick: Kept::new(),
            thorough: Kept::resting(thorough::SPARE),
        }
    }

    /// The database, for single questions.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn store(&self) -> Result<Store, StoreError> {
        self.line.open(&self.place).await
    }

    /// Whether the facilitator lives and works, requests left out.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn pulse(&self) -> Result<Arc<Status>, LookError> {
        let (line, place) = (self.pulse_line.clone(), self.place.clone());
        let look = || async move {
            let store = line.open(&place).await?;
            Ok((status::pulse(&store, Some(&place.instance), now_ms()).await?, FRESH))
        };
        self.pulse.get(PATIENCE, look).await.map_err(LookError::Store)?.ok_or(LookError::Late)
    }

    /// What a glance shows.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn quick(&self) -> Result<Arc<Quick>, LookError> {
        let (line, place) = (self.line.clone(), self.place.clone());
        let look = || async move {
            let store = line.open(&place).await?;
            let at_ms = now_ms();
            let quick = Quick {
                at_ms,
                status: status::look(&store, Some(&place.instance), at_ms).await?,
                counts: store.counts().await?,
                unfinished: store.unfinished().await?,
                waits: store.waits().await?,
            };
            Ok((quick, FRESH))
        };
        self.quick.get(PATIENCE, look).await.map_err(LookError::Store)?.ok_or(LookError::Late)
    }

    /// What a pass over journal and ledger shows; `None` while the first one lasts.
    ///
    /// # Errors
    /// [`LookError::Store`]: it failed, or the last one did and the next one has not begun yet or lasts.
    pub async fn thorough(&self) -> Result<Option<Arc<Thorough>>, LookError> {
        self.thorough_within(PATIENCE).await
    }

    /// The newest of them that is known, and `None` before the first one: nothing is waited for, only begun.
    ///
    /// # Errors
    /// [`LookError::Store`]: the last one failed, and there is none before it.
    pub async fn thorough_so_far(&self) -> Result<Option<Arc<Thorough>>, LookError> {
        self.thorough_within(Patience { for_the_first: Duration::ZERO, for_a_newer: Duration::ZERO }).await
    }

    async fn thorough_within(&self, patience: Patience) -> Result<Option<Arc<Thorough>>, LookError> {
        let place = self.place.clone();
        let look = || thorough::look(place.database, place.pair);
        self.thorough.get(patience, look).await.map_err(LookError::Store)
    }
}
