//! A database for one test, on the server that `scripts/postgres` runs.

use facilitator_store::{Location, Server};
use sqlx::{Connection as _, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::Builder;

/// Where the server is: a URL of its maintenance database, with a user who may create databases.
pub(crate) const VARIABLE: &str = "FACILITATOR_TEST_POSTGRES";

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Place {
    server: String,
    name: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let server = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} names no PostgreSQL server: run this through `scripts/test` or `scripts/postgres run …`")
        });
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let place = Self { server, name: format!("t{}_{number}", std::process::id()) };
        place.manage(format!("CREATE DATABASE {}", place.name));
        place
    }

    /// Its URL, with the password.
    pub(crate) fn url(&self) -> String {
        let (server, query) =
            self.server.split_once('?').map_or((self.server.as_str(), ""), |(url, query)| (url, query));
        let (server, _) = server.rsplit_once('/').unwrap();
        format!("{server}/{}?{query}", self.name)
    }

    pub(crate) fn location(&self) -> Location {
        Location::Postgres(Server::new(&self.url(), None, None).unwrap())
    }

    /// Changes the database behind the store's back.
    pub(crate) async fn tamper(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&mut self.connect().await).await.unwrap();
    }

    /// All columns with their tables, as the engine lists them.
    pub(crate) async fn columns(&self) -> Vec<(String, String)> {
        let sql = "SELECT table_name::text, column_name::text FROM information_schema.columns
            WHERE table_schema = current_schema()";
        sqlx::query_as(sql).fetch_all(&mut self.connect().await).await.unwrap()
    }

    /// A connection beside the store.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }

    /// On a thread of its own: a test drops its place within its runtime.
    fn manage(&self, sql: String) {
        let server = self.server.clone();
        let work = move || {
            Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let mut connection = PgConnection::connect(&server).await.unwrap();
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            });
        };
        std::thread::spawn(work).join().unwrap();
    }
}

impl Drop for Place {
    /// Not on a server that ends with the tests: dropping a database has the server write out all it holds.
    fn drop(&mut self) {
        if std::env::var_os("FACILITATOR_TEST_POSTGRES_PLACE").is_some() {
            return;
        }
        self.manage(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}
