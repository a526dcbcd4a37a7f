//! Somebody else who holds the database's write lock: a backup, a shell that was left open, a process that hangs.
//!
//! Plain SQLite; nothing here knows the product's tables.

use anyhow::Result;
use sqlx::{
    Connection as _, Executor as _,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use std::path::Path;

/// A lock that is held until it is released or dropped.
#[derive(Debug)]
pub struct Lock(SqliteConnection);

impl Lock {
    /// Takes the lock for writing; others may still read. Makes an empty file where there is none.
    ///
    /// # Errors
    /// When somebody else holds it for longer than five seconds.
    pub async fn hold(database: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(database).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        connection.execute("BEGIN IMMEDIATE").await?;
        Ok(Self(connection))
    }

    /// Gives it back, having changed nothing.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn release(mut self) -> Result<()> {
        self.0.execute("ROLLBACK").await?;
        Ok(self.0.close().await?)
    }
}
