//! The database: a journal of what was sent, a calendar of what is to do, and a cache of what the chains said.
//!
//! One module a theme; every query is written once for all databases (see `db`). Invariants: what belongs together is
//! committed together (a checkpoint with its events, a signature with its nonce, a wake-up with its reason); nothing is
//! lost that was acknowledged, also in a power cut; a database of a newer version, another program or another chain
//! pair is never touched. Time is an argument (Unix milliseconds); decisions are made elsewhere.

mod copy;
mod db;
mod error;
pub mod figures;
pub mod gateways;
pub mod instances;
pub mod journal;
pub mod leases;
mod ledger;
mod migrate;
pub mod monitor;
mod names;
pub mod processes;
pub mod proofs;
mod rebuild;
pub mod requests;
pub mod scan;

pub use copy::Copied;
pub use db::{Access, Location, Patience, Server};
pub use error::{Result, StoreError};

use db::Db;
use std::fmt;

/// The two chains that a database is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Chain of the value token.
    pub origin_chain_id: u64,
    /// Chain of the utility token.
    pub auxiliary_chain_id: u64,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.origin_chain_id, self.auxiliary_chain_id)
    }
}

/// An open database. Cheap to clone; one connection a process. Not to be carried across a fork.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) db: Db,
    pair: Pair,
}

impl Store {
    /// Opens the database of a chain pair.
    ///
    /// [`Access::Owner`] makes it and brings its schema up to date; the others find it ready or fail.
    ///
    /// # Errors
    /// Every variant of [`StoreError`] that concerns the database as a whole: busy for longer than `patience`, missing,
    /// not a database, foreign, of another pair, newer, older, read-only, full, damaged, unavailable.
    pub async fn open(
        location: &Location,
        access: Access,
        pair: Pair,
        patience: Patience,
        now_ms: i64,
    ) -> Result<Self> {
        let db = Db::open(location, access, patience).await?;
        if access == Access::Owner {
            db.check_mode().await?;
        }
        migrate::prepare(&db, access, pair, now_ms).await?;
        if access == Access::Owner {
            db.forget_commits().await?;
        }
        Ok(Self { db, pair })
    }

    /// The chains that it is about.
    #[must_use]
    pub const fn pair(&self) -> Pair {
        self.pair
    }

    /// The journal of transactions of one chain.
    #[must_use]
    pub fn journal(&self, chain_id: u64) -> journal::Journal {
        journal::Journal { db: self.db.clone(), chain_id }
    }

    /// Whether it is a file, which the processes of one machine share.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.db.dialect() == db::Dialect::Sqlite
    }

    /// The time of the database server, Unix milliseconds; `None` where there is no server and so no other clock.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn server_time_ms(&self) -> Result<Option<i64>> {
        let Some(sql) = self.db.dialect().time() else { return Ok(None) };
        self.db.fetch(sql, Vec::new()).await?.first_mut().map(db::Row::take).transpose()
    }

    /// Ends the connection; everything committed stays.
    pub async fn close(&self) {
        self.db.close().await;
    }
}
