//! The seam between the queries of this crate and a database.
//!
//! Every query above it is written once, in SQL that SQLite and PostgreSQL share: 64-bit integer and text columns,
//! `$1` placeholders, `ON CONFLICT`, `RETURNING`. What the two spell differently is [`Dialect`]; each has its arm of
//! [`Backend`] and [`Tx`], and its directory of migrations.

mod dialect;
mod location;
mod postgres;
mod retry;
mod sqlite;
mod value;

pub(crate) use dialect::Dialect;
pub use location::{Location, Server};
pub use retry::Patience;
pub(crate) use sqlite::unavailable;
pub(crate) use value::{Row, ToValue, Value, args, in_list};

use crate::error::{Result, StoreError};
use postgres::{Order, PgTx, Postgres};
use sqlx::SqlitePool;
use std::sync::Arc;

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
    Postgres(Arc<Postgres>),
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
            Location::Postgres(server) => {
                Backend::Postgres(patience.wait(|| Postgres::open(server, access, patience)).await?)
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
            Backend::Postgres(_) => Dialect::Postgres,
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
            Backend::Postgres(server) => {
                let ask = || async move {
                    let found = postgres::read(server, &self.name, sql, args).await;
                    found.map_err(|trouble| trouble.into_error(&self.name))
                };
                self.patience.wait(ask).await
            }
        }
    }

    /// Begins a transaction that may write, each statement of which guards by itself what it relies upon, or locks it:
    /// others may write at the same time. Dropped without [`Tx::commit`] it is undone.
    pub(crate) async fn begin(&self) -> Result<Tx> {
        self.begin_in(Order::Shared).await
    }

    /// Begins a transaction during which nobody else writes: one that looks first and then acts on what it saw.
    pub(crate) async fn begin_alone(&self) -> Result<Tx> {
        self.begin_in(Order::Alone).await
    }

    async fn begin_in(&self, order: Order) -> Result<Tx> {
        let inner = match &*self.backend {
            Backend::Sqlite(pool) => {
                // Immediate: a transaction that reads first and then writes could never get the lock by waiting. There
                // is one writer at a time, so each is alone.
                let begin = || async move {
                    let begun = pool.begin_with("BEGIN IMMEDIATE").await;
                    begun.map_err(|problem| sqlite::error(&self.name, &problem))
                };
                Inner::Sqlite(self.patience.wait(begin).await?)
            }
            Backend::Postgres(server) => {
                let begin = || async move {
                    PgTx::begin(server, order).await.map_err(|trouble| trouble.into_error(&self.name))
                };
                Inner::Postgres(self.patience.wait(begin).await?)
            }
        };
        Ok(Tx { inner, name: Arc::clone(&self.name), dialect: self.dialect() })
    }

    /// Names of all tables.
    pub(crate) async fn tables(&self) -> Result<Vec<String>> {
        self.fetch(self.dialect().tables(), Vec::new()).await?.iter_mut().map(Row::take).collect()
    }

    /// Whether what is committed stays (for SQLite: WAL, which some file systems can't do; for PostgreSQL: `fsync`).
    pub(crate) async fn check_mode(&self) -> Result<()> {
        let said = self.fetch(self.dialect().mode(), Vec::new()).await?.first_mut().map(Row::take).transpose()?;
        let said: Option<String> = said;
        match self.dialect() {
            Dialect::Sqlite if said.as_deref() == Some("wal") => Ok(()),
            Dialect::Sqlite => {
                let problem = "its file system allows no write-ahead log; put it on a local disk".to_owned();
                Err(StoreError::Unavailable { name: self.name.to_string(), problem })
            }
            Dialect::Postgres => postgres::check_durable(&self.name, said.as_deref()),
        }
    }

    /// The first contradiction among its pages, in words. PostgreSQL is made to read every row, which finds pages that
    /// cannot be read, and those with a wrong checksum where the server keeps checksums.
    pub(crate) async fn check_pages(&self) -> Result<Option<String>> {
        match self.dialect() {
            Dialect::Sqlite => {
                let said: Option<String> =
                    self.fetch("PRAGMA quick_check(1)", Vec::new()).await?.first_mut().map(Row::take).transpose()?;
                Ok(said.filter(|said| said != "ok"))
            }
            Dialect::Postgres => {
                for table in self.tables().await? {
                    let sql = format!("SELECT SUM(LENGTH(t::text))::bigint FROM \"{table}\" AS t");
                    self.fetch(sql, Vec::new()).await?;
                }
                Ok(None)
            }
        }
    }

    /// Forgets by which commits long gone writers are known.
    pub(crate) async fn forget_commits(&self) -> Result<()> {
        match &*self.backend {
            Backend::Sqlite(_) => Ok(()),
            Backend::Postgres(server) => {
                postgres::forget_commits(server).await.map_err(|trouble| trouble.into_error(&self.name))
            }
        }
    }

    /// Ends all connections; waits for the last commit.
    pub(crate) async fn close(&self) {
        match &*self.backend {
            Backend::Sqlite(pool) => pool.close().await,
            Backend::Postgres(server) => server.close().await,
        }
    }
}

#[derive(Debug)]
enum Inner {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(PgTx),
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
            Inner::Postgres(tx) => {
                let found = tx.fetch(&self.name, &sql.into(), &args).await;
                found.map_err(|trouble| trouble.into_error(&self.name))
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
            Inner::Postgres(tx) => {
                let done = tx.execute(&sql.into(), &args).await;
                done.map_err(|trouble| trouble.into_error(&self.name))
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
            Inner::Postgres(tx) => tx.script(sql).await.map_err(|trouble| trouble.into_error(&self.name)),
        }
    }

    /// Whether there is a table of this name.
    pub(crate) async fn has_table(&mut self, name: &str) -> Result<bool> {
        let sql = self.dialect.has_table();
        Ok(self.fetch_one(sql, args![name]).await?.is_some())
    }

    /// Makes everything durable at once.
    pub(crate) async fn commit(self) -> Result<()> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await.map_err(|problem| sqlite::error(&self.name, &problem)),
            Inner::Postgres(tx) => tx.commit(&self.name).await,
        }
    }
}
