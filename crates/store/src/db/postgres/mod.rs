//! The PostgreSQL arm: how it is reached, asked, and how a commit whose answer was lost is found out about.
//!
//! One connection a process, made when it is needed and given up as soon as anything goes wrong with it: whatever
//! transaction was open on it, the server undoes. So a restart of the server, a cut network and a future that is dropped
//! halfway are the same case, and the next call begins on a new connection.
//!
//! **Writers.** SQLite has one writer at a time, and this crate was written for that. Here many write, each statement
//! sees what is committed when it begins (READ COMMITTED), and the order is kept by two means:
//!
//! - An advisory lock for the length of the transaction: [`Order::Shared`] for changes of single rows that each
//!   statement guards itself, [`Order::Alone`] for those that first look and then act on what they saw in other rows
//!   (a checkpoint that is compared, events and the requests they are about, messages that others left, the registration
//!   of a process, the beginning of a monitor's run, the schema).
//!   Whoever is alone may touch rows in any order.
//! - Row locks, among those who share: the lease under which something is written (`leases.rs`), the entry whose end is
//!   waited for (`journal/queue.rs`), the requests that a transaction will change, in the order of their numbers
//!   (`requests/mod.rs`), and rows to claim, which others skip (`requests/claim.rs`).

mod connection;
mod error;
mod mark;

pub(super) use connection::{Postgres, check_durable};
pub(super) use error::Trouble;
pub(super) use mark::forget as forget_commits;

use connection::Held;
use mark::Mark;

use super::{Sql, Value, value::Row};
use crate::error::Result;
use sqlx::{
    AssertSqlSafe, Column as _, PgConnection, Row as _, TypeInfo as _, ValueRef as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Number of the advisory lock of all writers of one database. Any number that no other program is likely to use.
const WRITERS: i64 = 0x6661_6369_6c69;

/// What came of one statement.
type Asked<T> = std::result::Result<T, Trouble>;

/// Whom a transaction shares the database with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Others may write at the same time.
    Shared,
    /// Nobody else writes.
    Alone,
}

/// A transaction on the connection of this process. Dropped without [`PgTx::commit`] it ends with its connection, and
/// the server undoes it.
#[derive(Debug)]
pub(super) struct PgTx {
    server: Arc<Postgres>,
    held: Held,
}

impl PgTx {
    pub(super) async fn begin(server: &Arc<Postgres>, order: Order) -> Asked<Self> {
        let lock = match order {
            Order::Shared => "pg_advisory_xact_lock_shared",
            Order::Alone => "pg_advisory_xact_lock",
        };
        // In one message to the server. READ COMMITTED whatever the server's default is: a stricter level would fail
        // where this crate waits.
        let sql = format!("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT {lock}({WRITERS})");
        let begun = Self::begin_once(server, &sql).await;
        // A connection that was closed while nobody looked, as by a restart of the server: nothing was asked yet.
        if let Err(Trouble::Lost(_)) = begun { Self::begin_once(server, &sql).await } else { begun }
    }

    async fn begin_once(server: &Arc<Postgres>, sql: &str) -> Asked<Self> {
        let mut held = server.take().await?;
        run(&mut held.connection, sql.to_owned(), server.answer).await?;
        Ok(Self { server: Arc::clone(server), held })
    }

    pub(super) async fn fetch(&mut self, name: &Arc<str>, sql: &Sql, args: &[Value]) -> Asked<Vec<Row>> {
        fetch(&mut self.held.connection, name, sql, args, self.server.answer).await
    }

    pub(super) async fn execute(&mut self, sql: &Sql, args: &[Value]) -> Asked<u64> {
        let done = query(sql, args).execute(&mut self.held.connection);
        Ok(within(self.server.answer, done).await?.rows_affected())
    }

    pub(super) async fn script(&mut self, sql: &'static str) -> Asked<()> {
        run(&mut self.held.connection, sql.to_owned(), self.server.answer).await
    }

    /// Commits. If the connection breaks while the answer is awaited, the server is asked on another one what became of
    /// the transaction: telling a caller that nothing was stored, when it was, would have the same done twice.
    pub(super) async fn commit(mut self, name: &Arc<str>) -> Result<()> {
        let refused = |trouble: Trouble| trouble.into_error(name);
        let mark = Mark::of(&mut self).await.map_err(refused)?;
        let sql = mark.as_ref().map_or_else(|| "COMMIT".to_owned(), Mark::commit);
        match run(&mut self.held.connection, sql, self.server.answer).await {
            Ok(()) => {
                self.held.give_back();
                Ok(())
            }
            Err(Trouble::Lost(problem)) => {
                let Self { server, held } = self;
                let turn = held.keep_turn();
                match mark {
                    None => Err(Trouble::Lost(problem).into_error(name)),
                    Some(mark) => mark.settle(&server, &turn, name, &problem).await,
                }
            }
            Err(trouble) => Err(trouble.into_error(name)),
        }
    }
}

/// Reads outside any transaction.
pub(super) async fn read(server: &Arc<Postgres>, name: &Arc<str>, sql: &Sql, args: &[Value]) -> Asked<Vec<Row>> {
    let found = read_once(server, name, sql, args).await;
    if let Err(Trouble::Lost(_)) = found { read_once(server, name, sql, args).await } else { found }
}

async fn read_once(server: &Arc<Postgres>, name: &Arc<str>, sql: &Sql, args: &[Value]) -> Asked<Vec<Row>> {
    let mut held = server.take().await?;
    let rows = fetch(&mut held.connection, name, sql, args, server.answer).await?;
    held.give_back();
    Ok(rows)
}

async fn fetch(
    connection: &mut PgConnection,
    name: &Arc<str>,
    sql: &Sql,
    args: &[Value],
    limit: Duration,
) -> Asked<Vec<Row>> {
    let found = within(limit, query(sql, args).fetch_all(connection)).await?;
    let Some(first) = found.first() else { return Ok(Vec::new()) };
    let columns: Arc<[String]> = first.columns().iter().map(|column| column.name().to_owned()).collect();
    found.iter().map(|row| read_row(name, &columns, row)).collect()
}

/// Runs statements without values in one message.
async fn run(connection: &mut PgConnection, sql: String, limit: Duration) -> Asked<()> {
    within(limit, sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection)).await.map(drop)
}

/// Nothing is waited for for ever: a server that vanished without a word says nothing any more.
async fn within<T>(limit: Duration, asked: impl Future<Output = sqlx::Result<T>>) -> Asked<T> {
    match timeout(limit, asked).await {
        Ok(answer) => answer.map_err(Trouble::from),
        Err(_) => Err(Trouble::Lost(format!("no answer within {} s", limit.as_secs()))),
    }
}

fn query(sql: &Sql, args: &[Value]) -> Query<'static, sqlx::Postgres, PgArguments> {
    let mut query = match sql {
        Sql::Fixed(text) => sqlx::query(*text),
        // Of varying length; keeping each would push the fixed ones out of the cache.
        Sql::Built(text) => sqlx::query(AssertSqlSafe(text.clone())).persistent(false),
    };
    for value in args {
        query = match value {
            Value::Integer(number) => query.bind(*number),
            Value::Text(text) => query.bind(text.as_deref().map(storable)),
        };
    }
    query
}

/// PostgreSQL takes no zero byte in a text, and a contract may put one into the reason of a revert: a text that could
/// not be stored would stop whoever has to store it.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn read_row(name: &Arc<str>, columns: &Arc<[String]>, row: &PgRow) -> Asked<Row> {
    let mut values = Vec::with_capacity(columns.len());
    for at in 0..columns.len() {
        let raw = row.try_get_raw(at)?;
        values.push(match raw.type_info().name() {
            _ if raw.is_null() => Value::Integer(None),
            "INT8" => Value::Integer(row.try_get_unchecked(at)?),
            "INT4" => Value::Integer(row.try_get_unchecked::<Option<i32>, _>(at)?.map(i64::from)),
            _ => Value::Text(row.try_get::<Option<String>, _>(at)?),
        });
    }
    Ok(Row { name: Arc::clone(name), columns: Arc::clone(columns), values: values.into_iter() })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_zero_byte_does_not_stop_a_text() {
        assert_eq!(super::storable("re\0vert"), "re\u{fffd}vert");
        assert_eq!(super::storable("plain"), "plain");
    }
}
