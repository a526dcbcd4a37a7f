//! The schema: which versions there are, and bringing a database to the newest.
//!
//! All missing migrations run in one transaction: a database is of the old version or of the new one, whatever dies in
//! between. Only [`Access::Owner`] migrates, so that a command of a newer program never changes the database of a
//! running older one. A database of a newer version, another program or another chain pair is left as it is.

use crate::{
    Pair,
    db::{Access, Db, Dialect, Row, args},
    error::{Result, StoreError},
};

/// One step of the schema; the numbers are the same for every database.
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

const SQLITE: &[Migration] = &[
    Migration { version: 1, name: "initial", sql: include_str!("../../../migrations/sqlite/0001_initial.sql") },
    Migration { version: 2, name: "redeem", sql: include_str!("../../../migrations/sqlite/0002_redeem.sql") },
    Migration { version: 3, name: "ledger", sql: include_str!("../../../migrations/sqlite/0003_ledger.sql") },
    Migration { version: 4, name: "messages", sql: include_str!("../../../migrations/sqlite/0004_messages.sql") },
    Migration { version: 5, name: "monitor", sql: include_str!("../../../migrations/sqlite/0005_monitor.sql") },
];

const VERSIONS: &str = "CREATE TABLE schema_versions (
    version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at_ms BIGINT NOT NULL)";

const fn migrations(dialect: Dialect) -> &'static [Migration] {
    match dialect {
        Dialect::Sqlite => SQLITE,
    }
}

fn newest(dialect: Dialect) -> i64 {
    migrations(dialect).iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Checks the schema, or makes it; then that the database is of this chain pair.
pub(crate) async fn prepare(db: &Db, access: Access, pair: Pair, now_ms: i64) -> Result<()> {
    let known = newest(db.dialect());
    let found = version(db).await?;
    let name = db.name().to_owned();
    match (found, access) {
        (Some(found), _) if found > known => return Err(StoreError::Newer { name, found, known }),
        (Some(found), _) if found == known => {}
        (Some(_) | None, Access::Owner) => migrate(db, pair, now_ms).await?,
        (Some(found), Access::Writer | Access::Reader) => return Err(StoreError::Older { name, found, known }),
        (None, Access::Writer | Access::Reader) => return Err(StoreError::Missing { name }),
    }
    check_pair(db, pair).await
}

/// The version of the schema; `None` for an empty database.
async fn version(db: &Db) -> Result<Option<i64>> {
    let tables = db.tables().await?;
    if tables.iter().any(|table| table == "schema_versions") {
        let sql = "SELECT COALESCE(MAX(version), 0) FROM schema_versions";
        return db.fetch(sql, Vec::new()).await?.first_mut().map(Row::take).transpose();
    }
    match tables.into_iter().next() {
        Some(table) => Err(StoreError::Foreign { name: db.name().to_owned(), table }),
        None => Ok(None),
    }
}

async fn migrate(db: &Db, pair: Pair, now_ms: i64) -> Result<()> {
    let mut tx = db.begin().await?;
    // Read again behind the lock: another owner may have migrated meanwhile.
    let exists = tx.has_table("schema_versions").await?;
    if !exists {
        tx.script(VERSIONS).await?;
    }
    let at = tx.fetch_one("SELECT COALESCE(MAX(version), 0) FROM schema_versions", Vec::new()).await?;
    let at: i64 = at.map_or(Ok(0), |mut row| row.take())?;
    for migration in migrations(tx.dialect()).iter().filter(|migration| migration.version > at) {
        tx.script(migration.sql).await?;
        let sql = "INSERT INTO schema_versions (version, name, applied_at_ms) VALUES ($1, $2, $3)";
        tx.execute(sql, args![migration.version, migration.name, now_ms]).await?;
    }
    let sql = "INSERT INTO settings (name, value) VALUES ('pair', $1) ON CONFLICT (name) DO NOTHING";
    tx.execute(sql, args![pair.to_string()]).await?;
    tx.commit().await
}

async fn check_pair(db: &Db, pair: Pair) -> Result<()> {
    let found = db.fetch("SELECT value FROM settings WHERE name = 'pair'", Vec::new()).await?;
    let found: Option<String> = found.into_iter().next().map(|mut row| row.take()).transpose()?;
    let (found, wanted) = (found.unwrap_or_default(), pair.to_string());
    if found == wanted {
        return Ok(());
    }
    Err(StoreError::OtherPair { name: db.name().to_owned(), found, wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbered_without_gaps() {
        let versions: Vec<i64> = SQLITE.iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=newest(Dialect::Sqlite)).collect::<Vec<_>>());
    }
}
