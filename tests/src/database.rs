//! The product's database as files: found, lost, waited for. Nothing here looks into it.

use anyhow::{Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The database beside a facilitator config.
#[must_use]
pub fn file(config: &Path) -> PathBuf {
    config.with_file_name("facilitator.db")
}

/// Removes the database with all that belongs to it.
///
/// # Errors
/// When there is none, or it can't be removed.
pub fn lose(config: &Path) -> Result<()> {
    let folder = config.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut lost = 0;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("facilitator.db")) {
            fs::remove_file(&path)?;
            lost += 1;
        }
    }
    ensure!(lost > 0, "no database in {}", folder.display());
    Ok(())
}

/// Waits until the file is there.
///
/// # Errors
/// When it isn't after `limit`.
pub async fn wait_for(config: &Path, limit: Duration) -> Result<()> {
    let start = Instant::now();
    while !file(config).exists() {
        ensure!(start.elapsed() < limit, "no database after {limit:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}
