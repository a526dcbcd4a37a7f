//! A small file system that one test has for itself, to be filled up.
//!
//! The test runs itself again in a mount namespace of its own, in which the folder for temporary files is a file system
//! in memory; it goes away with the last process in it, however that ends. Needs root or user namespaces.

use crate::skipped;
use anyhow::{Context as _, Result, ensure};
use nix::unistd::Uid;
use std::{
    env,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::Command;

/// Names the folder to the test that runs within.
const VARIABLE: &str = "FACILITATOR_SMALL_DISK";
const BALLAST: &str = "ballast";
/// `$1`: the folder; `$2`: its size in bytes; then the command.
const SCRIPT: &str = r#"mount -t tmpfs -o "size=$2,mode=0700" small-disk "$1" && shift 2 && exec "$@""#;

/// The file system from within.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Where it is mounted.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes all room that is left.
    ///
    /// # Errors
    /// When something else than the room ends it.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.folder.join(BALLAST))?;
        for size in [1 << 16, 1 << 12, 1] {
            let piece = vec![0; size];
            loop {
                match ballast.write(&piece) {
                    Ok(_) => {}
                    Err(problem) if problem.kind() == ErrorKind::StorageFull => break,
                    Err(problem) => return Err(problem).context("the disk can't be filled"),
                }
            }
        }
        Ok(())
    }

    /// Gives back what [`SmallDisk::fill`] took.
    ///
    /// # Errors
    /// When it can't.
    pub fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.folder.join(BALLAST))?)
    }
}

/// Runs the body of the test `name` on a file system of `bytes`, or says loudly why this machine can't.
///
/// # Errors
/// What the body returns, or that the test can't be started again.
pub async fn on_its_own(name: &str, bytes: u64, body: impl AsyncFnOnce(SmallDisk) -> Result<()>) -> Result<()> {
    if let Some(folder) = env::var_os(VARIABLE) {
        return body(SmallDisk { folder: folder.into() }).await;
    }
    let mount_point = tempfile::Builder::new().prefix("small-disk-").tempdir()?;
    let within = |command: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--propagation", "private"]);
        if !Uid::effective().is_root() {
            unshare.arg("--map-root-user");
        }
        unshare.args(["sh", "-c", SCRIPT, "sh"]).arg(mount_point.path()).arg(bytes.to_string()).args(command);
        unshare
    };
    let probe = within(&["true"]).output().await.context("no unshare: install util-linux")?;
    if !probe.status.success() {
        let why = String::from_utf8_lossy(&probe.stderr).trim().to_owned();
        skipped::say(&format!("{name}: this machine allows no file system of its own to a test: {why}"));
        return Ok(());
    }
    let this = env::current_exe()?;
    let mut again = within(&[&*this.to_string_lossy(), "--exact", name, "--nocapture"]);
    again.env(VARIABLE, mount_point.path()).env("TMPDIR", mount_point.path()).stdin(Stdio::null()).kill_on_drop(true);
    let output = again.output().await?;
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    ensure!(output.status.success() && told.contains("1 passed"), "within: {}\n{told}", output.status);
    Ok(())
}
