//! The schema: which versions there are, and bringing a database to the newest.
//!
//! All missing migrations run in one transaction: a database is of the old version or of the new one, whatever dies in
//! between. Only [`Access::Owner`] migrates, so that a command of a newer program never changes the database of a
//! running older one. A database of a newer version, another program or another chain pair is left as it is.

use crate::{
    Pair, Store,
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
    Migration { version: 6, name: "instances", sql: include_str!("../../../migrations/sqlite/0006_instances.sql") },
    Migration { version: 7, name: "commits", sql: include_str!("../../../migrations/sqlite/0007_commits.sql") },
    Migration { version: 8, name: "unready", sql: include_str!("../../../migrations/sqlite/0008_unready.sql") },
];

const POSTGRES: &[Migration] = &[
    Migration { version: 1, name: "initial", sql: include_str!("../../../migrations/postgres/0001_initial.sql") },
    Migration { version: 2, name: "redeem", sql: include_str!("../../../migrations/postgres/0002_redeem.sql") },
    Migration { version: 3, name: "ledger", sql: include_str!("../../../migrations/postgres/0003_ledger.sql") },
    Migration { version: 4, name: "messages", sql: include_str!("../../../migrations/postgres/0004_messages.sql") },
    Migration { version: 5, name: "monitor", sql: include_str!("../../../migrations/postgres/0005_monitor.sql") },
    Migration { version: 6, name: "instances", sql: include_str!("../../../migrations/postgres/0006_instances.sql") },
    Migration { version: 7, name: "commits", sql: include_str!("../../../migrations/postgres/0007_commits.sql") },
    Migration { version: 8, name: "unready", sql: include_str!("../../../migrations/postgres/0008_unready.sql") },
];

const VERSIONS: &str = "CREATE TABLE schema_versions (
    version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at_ms BIGINT NOT NULL)";

const fn migrations(dialect: Dialect) -> &'static [Migration] {
    match dialect {
        Dialect::Sqlite => SQLITE,
        Dialect::Postgres => POSTGRES,
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

impl Store {
    /// The version of its schema.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn version(&self) -> Result<i64> {
        Ok(version(&self.db).await?.unwrap_or(0))
    }
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
    let mut tx = db.begin_alone().await?;
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

    #[test]
    fn both_databases_have_the_same_versions() {
        let of = |list: &'static [Migration]| list.iter().map(|step| (step.version, step.name)).collect::<Vec<_>>();
        assert_eq!(of(SQLITE), of(POSTGRES));
    }

    /// Statements without comments and line breaks, in PostgreSQL's words.
    fn words(sql: &str) -> String {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        let words = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
        words
            .replace("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY")
            .replace("INTEGER", "BIGINT")
            .replace(") STRICT;", ");")
    }

    /// A step that must differ otherwise may say so here.
    #[test]
    fn each_step_says_the_same_to_both_databases() {
        for (sqlite, postgres) in SQLITE.iter().zip(POSTGRES) {
            assert_eq!(words(sqlite.sql), words(postgres.sql), "migrations/postgres, step {}", postgres.version);
        }
    }
}
