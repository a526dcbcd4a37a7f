//! A server that crashes before a commit reached it, so that it has forgotten the whole transaction and gives its number
//! to another one.

use crate::proxy::{Cut, Proxy};
use crate::support::{ME, PAIR, patience, scan_stakes, set};
use facilitator_store::{Access, Location, Server, Store, StoreError};
use sqlx::{Connection as _, PgConnection};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

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

/// What it had written of the transaction was in its memory alone.
#[tokio::test]
async fn a_transaction_that_a_crash_swallowed_counts_as_undone_whoever_has_its_number_now() {
    let own = Own::start();
    let mut beside = own.connect().await;
    // Nothing is written out but by commits.
    for sql in ["ALTER SYSTEM SET wal_writer_delay = '10s'", "ALTER SYSTEM SET wal_writer_flush_after = 0"] {
        sqlx::query(sql).execute(&mut beside).await.unwrap();
    }
    drop(beside);
    own.crash();
    let proxy = Proxy::start(own.host()).await;
    let store = Store::open(&own.behind(proxy.port), Access::Owner, PAIR, patience(5_000), 1).await.unwrap();
    store.set_gateways(&[set()], 1).await.unwrap();
    scan_stakes(&store, 0..3).await;
    for taken_by_others in [0, 20] {
        proxy.cut(Cut::Off);
        let claimant = store.clone();
        let claiming = tokio::spawn(async move { claimant.claim_ready(ME, 2, 1).await });
        while !proxy.is_off() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        own.crash();
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
