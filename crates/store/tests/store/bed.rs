//! A file for one database.

use facilitator_store::Location;

pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn location(&self) -> Location {
        Location::Sqlite(self.dir.path().join("facilitator.db"))
    }

    /// Changes the database behind the store's back.
    pub(crate) async fn tamper(&self, sql: &'static str) {
        let url = format!("sqlite://{}", self.dir.path().join("facilitator.db").display());
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
        pool.close().await;
    }

    /// All columns with their tables, as the engine lists them.
    pub(crate) async fn columns(&self) -> Vec<(String, String)> {
        let url = format!("sqlite://{}", self.dir.path().join("facilitator.db").display());
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        let sql = "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
            WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
        let found = sqlx::query_as(sql).fetch_all(&pool).await.unwrap();
        pool.close().await;
        found
    }
}
