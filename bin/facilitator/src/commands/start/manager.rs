//! What a service manager is told (systemd's `Type=notify` with a watchdog), and the passwords that it hands over.
//!
//! Nothing here is needed where nobody manages: without the variables that a manager sets, nothing is said and nothing is
//! read. None of these variables reaches a child.

use crate::failure::{Exit, Failure};
use facilitator_roles::parent::OnBeat;
use sd_notify::NotifyState;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, io};

/// Where systemd puts what a unit's `LoadCredential` names.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// A password is shorter; a longer file is something else.
const LONGEST: u64 = 4_096;

/// Says that the facilitator does its work.
pub(super) fn ready() {
    say(&[NotifyState::Ready, NotifyState::Status("both chains are in working mode")]);
}

/// Says that it began, and what it waits for before it is ready.
pub(super) fn starting() {
    say(&[NotifyState::Status("waits for both chains to be in working mode")]);
}

/// Says that it ends.
pub(super) fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// Gives the manager's watchdog a sign of life now and then, as long as the parent's own loop goes round.
pub(super) fn watchdog() -> OnBeat {
    let Some(limit) = sd_notify::watchdog_enabled() else { return Box::new(|| {}) };
    let pause = pause(limit);
    let mut said: Option<Instant> = None;
    Box::new(move || {
        if said.is_none_or(|at| at.elapsed() >= pause) {
            said = Some(Instant::now());
            say(&[NotifyState::Watchdog]);
        }
    })
}

/// A sign that is lost must not be the last one before the limit.
fn pause(limit: Duration) -> Duration {
    limit / 4
}

fn say(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, ?state, "the service manager was not told");
    }
}

/// Names and contents of the credentials that the service manager has loaded for this service; none without it.
///
/// # Errors
/// [`Exit::Key`] with the file that can't be read.
pub(super) fn credentials() -> Result<Vec<(OsString, OsString)>, Failure> {
    let Some(directory) = env::var_os(CREDENTIALS).map(PathBuf::from) else { return Ok(Vec::new()) };
    read(&directory).map_err(|(path, error)| {
        let text = format!("can't read the credential {}: {error}", path.display());
        Failure::new(Exit::Key, text)
    })
}

fn read(directory: &Path) -> Result<Vec<(OsString, OsString)>, (PathBuf, io::Error)> {
    let of = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(of(directory))? {
        let entry = entry.map_err(of(directory))?;
        let path = entry.path();
        let metadata = fs::metadata(&path).map_err(of(&path))?;
        if !metadata.is_file() || metadata.len() > LONGEST {
            continue;
        }
        let mut bytes = fs::read(&path).map_err(of(&path))?;
        // An editor ends the last line; no password does.
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        found.push((entry.file_name(), OsString::from_vec(bytes)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_files_by_name_without_their_last_line_end() {
        let directory = env::temp_dir().join(format!("facilitator-credentials-{}", std::process::id()));
        fs::create_dir_all(directory.join("a folder")).unwrap();
        fs::write(directory.join("MOSAIC_ADDRESS_PASSW_0x1"), " pass word \r\n").unwrap();
        fs::write(directory.join("large"), vec![b'x'; 4_097]).unwrap();
        let found = read(&directory).unwrap();
        assert_eq!(found, [("MOSAIC_ADDRESS_PASSW_0x1".into(), " pass word ".into())]);
        fs::remove_dir_all(&directory).unwrap();
        let (path, error) = read(&directory).unwrap_err();
        assert_eq!((path, error.kind()), (directory, io::ErrorKind::NotFound));
    }

    #[test]
    fn three_signs_of_life_may_be_lost() {
        assert_eq!(pause(Duration::from_secs(60)), Duration::from_secs(15));
    }
}
