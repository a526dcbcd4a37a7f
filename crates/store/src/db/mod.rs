//! The seam between the queries of this crate and a database.
//!
//! Every query above it is written once, in SQL that SQLite and PostgreSQL share: INTEGER (64 bits) and TEXT columns,
//! `$1` placeholders, `ON CONFLICT`, `RETURNING`. A further database is one more arm of [`Backend`] and [`Tx`], its
//! [`Dialect`] and a directory of migrations; no query is written twice.

mod retry;
mod sqlite;
mod value;

pub use retry::Patience;
pub(crate) use sqlite::unavailable;
pub(crate) use value::{Row, ToValue, Value, args};

use crate::error::{Result, StoreError};
use sqlx::SqlitePool;
use std::{path::PathBuf, sync::Arc};

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An SQLite file. On a local disk: WAL does not work over a network.
    Sqlite(PathBuf),
}

impl Location {
    /// Its name in errors; without credentials.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
        }
    }
}

/// What a caller may do with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Makes it, brings its schema up to date, writes: the parent.
    Owner,
    /// Writes into one that is there and up to date: scanners, senders, `requests retry`.
    Writer,
    /// Only reads, also while others write: `status` and the like.
    Reader,
}

#[derive(Debug)]
enum Backend {
    Sqlite(SqlitePool),
}

/// What the databases spell differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
}

impl Dialect {
    /// Ends a sub-select of rows to claim, so that others who claim at the same time skip them. SQLite has one writer,
    /// nothing to skip.
    pub(crate) const fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
        }
    }
}

/// A statement. Values never stand in its text.
#[derive(Debug, Clone)]
pub(crate) enum Sql {
    /// Kept prepared.
    Fixed(&'static str),
    /// Put together, of varying length: prepared each time, since keeping them would push out the fixed ones.
    Built(String),
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self::Fixed(text)
    }
}

impl From<String> for Sql {
    fn from(text: String) -> Self {
        Self::Built(text)
    }
}

/// A database that is open. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    backend: Arc<Backend>,
    name: Arc<str>,
    patience: Patience,
}

impl Db {
    /// Opens it without looking at its schema.
    pub(crate) async fn open(location: &Location, access: Access, patience: Patience) -> Result<Self> {
        let backend = match location {
            Location::Sqlite(path) => {
                Backend::Sqlite(patience.wait(|| sqlite::open(path, access, patience.limit)).await?)
            }
        };
        Ok(Self { backend: Arc::new(backend), name: location.name().into(), patience })
    }

    /// Its name in errors.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match *self.backend {
            Backend::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// Reads outside any transaction; only for statements that change nothing.
    pub(crate) async fn fetch(&self, sql: impl Into<Sql>, args: Vec<Value>) -> Result<Vec<Row>> {
        let (sql, args) = (&sql.into(), &args);
        match &*self.backend {
            Backend::Sqlite(pool) => {
                let ask = || async move {
                    let found = sqlite::query(sql, args).fetch_all(pool).await;
                    sqlite::rows(&self.name, &found.map_err(|problem| sqlite::error(&self.name, &problem))?)
                };
                self.patience.wait(ask).await
            }
        }
    }

    /// Begins a transaction that may write. Dropped without [`Tx::commit`] it is undone.
    pub(crate) async fn begin(&self) -> Result<Tx> {
        match &*self.backend {
            Backend::Sqlite(pool) => {
                // Immediate: a transaction that reads first and then writes could never get the lock by waiting.
                let begin = || async move {
                    let begun = pool.begin_with("BEGIN IMMEDIATE").await;
                    begun.map_err(|problem| sqlite::error(&self.name, &problem))
                };
                let inner = self.patience.wait(begin).await?;
                Ok(Tx { inner: Inner::Sqlite(inner), name: Arc::clone(&self.name), dialect: Dialect::Sqlite })
            }
        }
    }

    /// Names of all tables.
    pub(crate) async fn tables(&self) -> Result<Vec<String>> {
        let sql = match self.dialect() {
            Dialect::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            }
        };
        self.fetch(sql, Vec::new()).await?.iter_mut().map(Row::take).collect()
    }

    /// Whether writing is safe in the way that this crate needs (for SQLite: WAL, which some file systems can't do).
    pub(crate) async fn check_mode(&self) -> Result<()> {
        match self.dialect() {
            Dialect::Sqlite => {
                let mode: Option<String> =
                    self.fetch("PRAGMA journal_mode", Vec::new()).await?.first_mut().map(Row::take).transpose()?;
                if mode.as_deref() == Some("wal") {
                    return Ok(());
                }
                let problem = "its file system allows no write-ahead log; put it on a local disk".to_owned();
                Err(StoreError::Unavailable { name: self.name.to_string(), problem })
            }
        }
    }

    /// The first contradiction among its pages, in words.
    pub(crate) async fn check_pages(&self) -> Result<Option<String>> {
        match self.dialect() {
            Dialect::Sqlite => {
                let said: Option<String> =
                    self.fetch("PRAGMA quick_check(1)", Vec::new()).await?.first_mut().map(Row::take).transpose()?;
                Ok(said.filter(|said| said != "ok"))
            }
        }
    }

    /// Ends all connections; waits for the last commit.
    pub(crate) async fn close(&self) {
        match &*self.backend {
            Backend::Sqlite(pool) => pool.close().await,
        }
    }
}

#[derive(Debug)]
enum Inner {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
}

/// A transaction that may write. Dropped without [`Tx::commit`] it is undone, also when its future is dropped halfway.
#[derive(Debug)]
pub(crate) struct Tx {
    inner: Inner,
    name: Arc<str>,
    dialect: Dialect,
}

impl Tx {
    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The rows of a statement.
    pub(crate) async fn fetch(&mut self, sql: impl Into<Sql>, args: Vec<Value>) -> Result<Vec<Row>> {
        match &mut self.inner {
            Inner::Sqlite(tx) => {
                let found = sqlite::query(&sql.into(), &args).fetch_all(&mut **tx).await;
                sqlite::rows(&self.name, &found.map_err(|problem| sqlite::error(&self.name, &problem))?)
            }
        }
    }

    /// The first row of a statement.
    pub(crate) async fn fetch_one(&mut self, sql: impl Into<Sql>, args: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.fetch(sql, args).await?.into_iter().next())
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: impl Into<Sql>, args: Vec<Value>) -> Result<u64> {
        match &mut self.inner {
            Inner::Sqlite(tx) => {
                let done = sqlite::query(&sql.into(), &args).execute(&mut **tx).await;
                Ok(done.map_err(|problem| sqlite::error(&self.name, &problem))?.rows_affected())
            }
        }
    }

    /// Runs several statements without values: a migration.
    pub(crate) async fn script(&mut self, sql: &'static str) -> Result<()> {
        match &mut self.inner {
            Inner::Sqlite(tx) => {
                let done = sqlx::raw_sql(sql).execute(&mut **tx).await;
                done.map(drop).map_err(|problem| sqlite::error(&self.name, &problem))
            }
        }
    }

    /// Whether there is a table of this name.
    pub(crate) async fn has_table(&mut self, name: &str) -> Result<bool> {
        let sql = match self.dialect {
            Dialect::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1",
        };
        Ok(self.fetch_one(sql, args![name]).await?.is_some())
    }

    /// Makes everything durable at once.
    pub(crate) async fn commit(self) -> Result<()> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await.map_err(|problem| sqlite::error(&self.name, &problem)),
        }
    }
}
