//! The SQLite arm: how it is opened, asked and how its errors are read.
//!
//! WAL so that readers and the one writer don't hinder each other; `synchronous = FULL` because a commit must survive a
//! power cut (law 2); no busy handler of SQLite's own (see [`super::retry`]); one connection a process, since there is
//! one writer at a time anyway. Never carried across a fork: children open their own.

use super::{Access, Sql, Value, value::Row};
use crate::error::{Result, StoreError};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Row as _, Sqlite, SqlitePool, TypeInfo as _,
    ValueRef as _,
    query::Query,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use std::{fs, io, os::unix::fs::OpenOptionsExt as _, path::Path, sync::Arc, time::Duration};

/// SQLite's result codes that mean a decision; the low byte of an extended code.
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
    /// The file is shorter than its header says.
    pub(super) const IOERR_SHORT_READ: i32 = 522;
    /// A write that failed otherwise than for want of room on the disk.
    pub(super) const IOERR_WRITE: i32 = 778;
    /// No room for the index of the write-ahead log.
    pub(super) const IOERR_SHMSIZE: i32 = 4874;
}

/// Statements kept prepared: more than there are in this crate.
const PREPARED: usize = 256;

/// Opens the file; for [`Access::Owner`] makes it, readable by its owner alone.
pub(super) async fn open(path: &Path, access: Access, limit: Duration) -> Result<SqlitePool> {
    let name = path.display().to_string();
    if access == Access::Owner {
        create(path).map_err(|problem| unavailable(path, &problem))?;
    } else if !path.exists() {
        return Err(StoreError::Missing { name });
    }
    let mut options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(access == Access::Reader)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::ZERO)
        .statement_cache_capacity(PREPARED)
        .disable_statement_logging();
    if access == Access::Owner {
        options = options.journal_mode(SqliteJournalMode::Wal);
    }
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // A commit that fails for want of room is undone by SQLite itself. sqlx still counts it as open and would begin
        // nothing on this connection any more.
        .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
        .acquire_timeout(limit.max(Duration::from_millis(1)));
    let pool = pool.connect_with(options).await.map_err(|problem| error(&name, &problem))?;
    if access == Access::Owner {
        check_size(&pool, path, &name).await?;
    }
    Ok(pool)
}

/// An empty file is an empty database; made beforehand so that its mode (and that of its companions) is ours.
fn create(path: &Path) -> io::Result<()> {
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(problem) if problem.kind() != io::ErrorKind::AlreadyExists => Err(problem),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// SQLite fills up a last page that is cut off with zeros, without a word; everything else that is missing it notices.
/// The length is asked of the file system: opening and closing the file here would drop the locks that other connections
/// of this process hold on it.
async fn check_size(pool: &SqlitePool, path: &Path, name: &str) -> Result<()> {
    let page = sqlx::query_scalar::<_, i64>("PRAGMA page_size").fetch_one(pool).await;
    let page = page.map_err(|problem| error(name, &problem))?;
    let length = fs::metadata(path).map_err(|problem| unavailable(path, &problem))?.len();
    match u64::try_from(page).ok().and_then(|page| length.checked_rem(page)) {
        Some(0) => Ok(()),
        Some(_) | None => Err(cut_off(name)),
    }
}

fn cut_off(name: &str) -> StoreError {
    StoreError::Damaged { name: name.to_owned(), problem: "the file is shorter than it was".to_owned() }
}

/// Which decision a refusal of the file system asks for.
pub(crate) fn unavailable(path: &Path, problem: &io::Error) -> StoreError {
    let name = path.display().to_string();
    let kind = problem.kind();
    if matches!(kind, io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied) {
        StoreError::ReadOnly { name }
    } else if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        StoreError::Full { name }
    } else {
        StoreError::Unavailable { name, problem: problem.to_string() }
    }
}

/// A prepared statement with its values.
pub(super) fn query(sql: &Sql, args: &[Value]) -> Query<'static, Sqlite, SqliteArguments> {
    let mut query = match sql {
        Sql::Fixed(text) => sqlx::query(*text),
        // Of varying length; keeping each would push the fixed ones out of the cache.
        Sql::Built(text) => sqlx::query(AssertSqlSafe(text.clone())).persistent(false),
    };
    for value in args {
        query = match value {
            Value::Integer(number) => query.bind(*number),
            Value::Text(text) => query.bind(text.clone()),
        };
    }
    query
}

/// The rows as the seam knows them.
pub(super) fn rows(name: &Arc<str>, found: &[SqliteRow]) -> Result<Vec<Row>> {
    let Some(first) = found.first() else { return Ok(Vec::new()) };
    let columns: Arc<[String]> = first.columns().iter().map(|column| column.name().to_owned()).collect();
    found.iter().map(|row| read(name, &columns, row).map_err(|problem| error(name, &problem))).collect()
}

fn read(name: &Arc<str>, columns: &Arc<[String]>, row: &SqliteRow) -> sqlx::Result<Row> {
    let mut values = Vec::with_capacity(columns.len());
    for at in 0..columns.len() {
        let raw = row.try_get_raw(at)?;
        let integer = raw.type_info().name() == "INTEGER" || raw.type_info().name() == "BOOLEAN";
        values.push(if raw.is_null() {
            Value::Integer(None)
        } else if integer {
            Value::Integer(row.try_get_unchecked(at)?)
        } else {
            Value::Text(row.try_get_unchecked(at)?)
        });
    }
    Ok(Row { name: Arc::clone(name), columns: Arc::clone(columns), values: values.into_iter() })
}

/// Which decision an error of SQLite or sqlx asks for.
pub(super) fn error(name: &str, problem: &sqlx::Error) -> StoreError {
    let name = name.to_owned();
    let text = problem.to_string();
    if let sqlx::Error::Io(inner) = problem {
        return unavailable(Path::new(&name), inner);
    }
    if matches!(problem, sqlx::Error::PoolTimedOut) {
        return StoreError::Busy { name, waited_ms: 0 };
    }
    if matches!(problem, sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed) {
        return StoreError::Unavailable { name, problem: text };
    }
    let code = problem.as_database_error().and_then(|inner| inner.code()).and_then(|code| code.parse::<i32>().ok());
    let Some(code) = code else { return StoreError::Statement { name, problem: text } };
    match code {
        code::IOERR_SHORT_READ => return cut_off(&name),
        code::IOERR_SHMSIZE => return StoreError::Full { name },
        code::IOERR_WRITE => {
            let problem =
                "writing fails: a quota or a limit on the size of files may be reached, or the disk be damaged";
            return StoreError::Unavailable { name, problem: format!("{problem} ({text})") };
        }
        _ => {}
    }
    match code & 0xff {
        code::BUSY | code::LOCKED => StoreError::Busy { name, waited_ms: 0 },
        code::READONLY => StoreError::ReadOnly { name },
        code::FULL => StoreError::Full { name },
        code::CORRUPT => StoreError::Damaged { name, problem: text },
        code::NOTADB => StoreError::NotADatabase { name },
        code::IOERR | code::CANTOPEN => StoreError::Unavailable { name, problem: text },
        _ => StoreError::Statement { name, problem: text },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location, Patience, args};

    /// As after a commit for which there was no room.
    #[tokio::test]
    async fn after_a_transaction_that_the_database_ended_itself_another_one_begins() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("facilitator.db"));
        let db = Db::open(&location, Access::Owner, Patience::default()).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.script("CREATE TABLE numbers (number INTEGER)").await.unwrap();
        tx.commit().await.unwrap();
        for round in 0..3_i64 {
            let mut tx = db.begin().await.unwrap();
            tx.execute("INSERT INTO numbers VALUES (-1)", Vec::new()).await.unwrap();
            tx.script("ROLLBACK").await.unwrap();
            assert!(tx.commit().await.is_err(), "there is nothing to commit");
            let mut tx = db.begin().await.unwrap();
            tx.execute("INSERT INTO numbers VALUES ($1)", insert(round).unwrap()).await.unwrap();
            tx.commit().await.unwrap();
        }
        let rows = db.fetch("SELECT number FROM numbers ORDER BY number", Vec::new()).await.unwrap();
        let numbers: Vec<i64> = rows.into_iter().map(|mut row| row.take().unwrap()).collect();
        assert_eq!(numbers, [0, 1, 2]);
    }

    fn insert(number: i64) -> Result<Vec<crate::db::Value>> {
        Ok(args![number])
    }
}
