//! A server that crashes before a commit reached it, so that it has forgotten the whole transaction and gives its number
//! to another one.

use crate::proxy::{Cut, Proxy};
use crate::support::{ME, PAIR, patience, scan_stakes, set};
use facilitator_protocol::model::Request;
use facilitator_store::{Access, Location, Server, Store, StoreError};
use sqlx::{Connection as _, PgConnection};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// A server of this test alone.
struct Own {
    folder: TempDir,
    url: String,
}

impl Own {
    fn start() -> Self {
        let place = std::env::var_os("FACILITATOR_TEST_POSTGRES_PLACE").map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = tempfile::Builder::new().prefix("crash-").tempdir_in(place).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), mode).unwrap();
        let url = script("start", folder.path());
        Self { folder, url }
    }

    /// Ends it as a power cut would, and starts it again.
    fn crash(&self) {
        script("stop", self.folder.path());
        script("start", self.folder.path());
    }

    /// Kills one of its processes, which has the server forget what it had not written, and go on.
    async fn stumble(&self) {
        let mut victim = self.connect().await;
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut victim).await.unwrap();
        assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
        let start = Instant::now();
        // All connections end with it, this one too.
        while sqlx::query("SELECT 1").execute(&mut victim).await.is_ok() {
            assert!(start.elapsed() < Duration::from_secs(10), "it lives");
        }
        while PgConnection::connect(&self.url).await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "it does not recover");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Changes settings for good, with a restart.
    async fn set(&self, settings: &[&'static str]) {
        let mut connection = self.connect().await;
        for sql in settings {
            sqlx::query(*sql).execute(&mut connection).await.unwrap();
        }
        drop(connection);
        self.crash();
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    fn host(&self) -> (String, u16) {
        let (host, _) = self.url.rsplit_once('@').unwrap().1.split_once('/').unwrap();
        let (host, port) = host.split_once(':').unwrap();
        (host.to_owned(), port.parse().unwrap())
    }

    fn behind(&self, port: u16) -> Location {
        let (user, _) = self.url.rsplit_once('@').unwrap();
        Location::Postgres(Server::new(&format!("{user}@127.0.0.1:{port}/postgres"), None, None).unwrap())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        script("stop", self.folder.path());
    }
}

fn script(verb: &str, folder: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres");
    let said = Command::new(script).arg(verb).arg(folder).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

/// A claim whose commit is cut; still under way.
async fn cut_off(proxy: &Proxy, at: Cut, store: &Store) -> JoinHandle<Result<Vec<Request>, StoreError>> {
    proxy.cut(at);
    let claimant = store.clone();
    let claiming = tokio::spawn(async move { claimant.claim_ready(ME, 2, 1).await });
    while !proxy.has_cut() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    claiming
}

/// Were it told as not stored, it would be done twice.
#[tokio::test]
async fn a_commit_that_is_still_under_way_is_waited_for() {
    let own = Own::start();
    own.set(&["ALTER SYSTEM SET wal_level = 'replica'", "ALTER SYSTEM SET max_wal_senders = 2"]).await;
    let proxy = Proxy::start(own.host()).await;
    let store = Store::open(&own.behind(proxy.port), Access::Owner, PAIR, patience(5_000), 1).await.unwrap();
    store.set_gateways(&[set()], 1).await.unwrap();
    scan_stakes(&store, 0..3).await;
    let mut beside = own.connect().await;
    // From now on commits wait for a standby that is not there.
    for sql in ["ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()"] {
        sqlx::query(sql).execute(&mut beside).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let claiming = cut_off(&proxy, Cut::Under, &store).await;
    proxy.cut(Cut::Nothing);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!claiming.is_finished(), "{:?}", claiming.await.unwrap());
    for sql in ["ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"] {
        sqlx::query(sql).execute(&mut beside).await.unwrap();
    }
    assert_eq!(claiming.await.unwrap().unwrap().len(), 2, "it was carried out in the end");
}

/// What it had written of the transaction was in its memory alone.
#[tokio::test]
async fn a_transaction_that_a_crash_swallowed_counts_as_undone_whoever_has_its_number_now() {
    let own = Own::start();
    // Nothing is written out but by commits.
    own.set(&["ALTER SYSTEM SET wal_writer_delay = '10s'", "ALTER SYSTEM SET wal_writer_flush_after = 0"]).await;
    let proxy = Proxy::start(own.host()).await;
    let store = Store::open(&own.behind(proxy.port), Access::Owner, PAIR, patience(5_000), 1).await.unwrap();
    store.set_gateways(&[set()], 1).await.unwrap();
    scan_stakes(&store, 0..3).await;
    for (stumbles, taken_by_others) in [(false, 0), (false, 20), (true, 20)] {
        let claiming = cut_off(&proxy, Cut::Off, &store).await;
        if stumbles {
            own.stumble().await;
        } else {
            own.crash();
        }
        let mut beside = own.connect().await;
        for _ in 0..taken_by_others {
            sqlx::query("SELECT pg_current_xact_id()").execute(&mut beside).await.unwrap();
        }
        proxy.cut(Cut::Nothing);
        let error = claiming.await.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }) && error.passes(), "{error}");
        assert_eq!(store.claim_ready(ME, 2, 1).await.unwrap().len(), 2, "nothing was claimed");
        assert_eq!(store.release_claims_of(ME).await.unwrap(), 2);
    }
}
