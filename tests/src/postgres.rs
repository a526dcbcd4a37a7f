//! A PostgreSQL server of one test, which may be restarted under a running facilitator. `scripts/postgres` makes it.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// A server with one empty database. Removed with all its files when dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    url: String,
}

impl Postgres {
    /// Makes one and starts it.
    ///
    /// # Errors
    /// When PostgreSQL is missing and can't be installed, or does not come up.
    pub fn start() -> Result<Self> {
        // Where `scripts/postgres run` ends whatever a killed test leaves.
        let place = std::env::var_os("FACILITATOR_TEST_POSTGRES_PLACE").map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir_in(place)?;
        open_to_others(folder.path())?;
        let url = script("start", folder.path())?;
        Ok(Self { folder, url })
    }

    /// Ends it as a power cut would, and starts it again.
    ///
    /// # Errors
    /// When it does not end or come up.
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        self.resume()
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&self) -> Result<()> {
        script("stop", self.folder.path()).map(drop)
    }

    /// Starts it again.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn resume(&self) -> Result<()> {
        let url = script("start", self.folder.path())?;
        ensure!(url == self.url, "it answers elsewhere now");
        Ok(())
    }

    /// The `db` object of a facilitator config for it.
    ///
    /// # Errors
    /// When the script has printed something else than a URL.
    pub fn config(&self) -> Result<Json> {
        let (user, password) = self.credentials()?;
        let place = self.url.rsplit_once('@').context("no host")?.1;
        Ok(json!({ "url": format!("postgres://{place}"), "username": user, "password": password }))
    }

    /// Its URL, without the password.
    ///
    /// # Errors
    /// As [`Self::config`].
    pub fn shown_url(&self) -> Result<String> {
        let (user, _) = self.credentials()?;
        Ok(format!("postgres://{user}@{}", self.url.rsplit_once('@').context("no host")?.1))
    }

    /// The password.
    ///
    /// # Errors
    /// As [`Self::config`].
    pub fn password(&self) -> Result<&str> {
        Ok(self.credentials()?.1)
    }

    fn credentials(&self) -> Result<(&str, &str)> {
        let rest = self.url.split_once("://").context("no URL")?.1;
        rest.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).context("no credentials")
    }

    /// Runs SQL in its database; what it prints.
    ///
    /// # Errors
    /// When the client is missing or the server refuses.
    pub fn sql(&self, sql: &str) -> Result<String> {
        let mut client = Command::new("psql");
        let said = client.args(["--no-psqlrc", "-qAt", "--set=ON_ERROR_STOP=1", "-c", sql, &self.url]).output()?;
        ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
    }

    /// Begins to run SQL in its database and does not wait for its end.
    ///
    /// # Errors
    /// When the client is missing.
    pub fn begin(&self, sql: &str) -> Result<Child> {
        let mut client = Command::new("psql");
        client.args(["--no-psqlrc", "-qAt", "-c", sql, &self.url]).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(client.spawn()?)
    }

    /// Loses the database: everything in it is gone.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn lose(&self) -> Result<()> {
        self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").map(drop)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ends_with_the_test = script("remove", self.folder.path());
    }
}

/// The server is not run by root: its user must be able to enter.
fn open_to_others(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))?)
}

fn script(command: &str, folder: &Path) -> Result<String> {
    let script = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/postgres"));
    let said = Command::new(&script).arg(command).arg(folder).output().context("scripts/postgres")?;
    ensure!(said.status.success(), "{command}: {}", String::from_utf8_lossy(&said.stderr));
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}
