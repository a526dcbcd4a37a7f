//! What a service manager is told (systemd's `Type=notify` with a watchdog), and the passwords that it hands over.
//!
//! Nothing here is needed where nobody manages: without the variables that a manager sets, nothing is said and nothing is
//! read. None of these variables reaches a child.

use crate::failure::{Exit, Failure};
use facilitator_roles::parent::News;
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

/// How long the start may go on without a word; the unit's `TimeoutStartSec`.
const START: Duration = Duration::from_secs(180);

/// Most that the opening of one key takes, on a slow machine whose memory is full.
const KEY: Duration = Duration::from_secs(30);

/// Most that bringing an older database up to date takes.
const MIGRATION: Duration = Duration::from_secs(15 * 60);

/// What remains to be done once the children are gone: the last changes are stored, others hear of the stop. A busy database
/// is waited for.
const FAREWELL: Duration = Duration::from_secs(120);

const WAITING: &str = "waits for both chains to be in working mode";
const WORKING: &str = "both chains are in working mode";
const STOPPING: &str = "stops: workers hand back, senders finish what they signed";

/// A step of the start, which may take its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Another facilitator is watched for a sign of life.
    Watch,
    /// So many keys are opened.
    Keys(usize),
    /// The database is opened.
    Database,
}

impl Step {
    /// Longest time until the next word.
    fn limit(self) -> Duration {
        match self {
            Self::Watch => START,
            Self::Keys(count) => START.saturating_add(KEY.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))),
            Self::Database => START.saturating_add(MIGRATION),
        }
    }
}

/// Says that the start goes on with a step, so that what takes long is not taken for a standstill.
pub(super) fn begins(step: Step) {
    say(&[more(step.limit())]);
}

/// More time, from now on, for the start or the stop that is under way. It is never made shorter by it.
fn more(time: Duration) -> NotifyState<'static> {
    // It holds 71 minutes.
    NotifyState::ExtendTimeoutUsec(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))
}

/// What the manager knows of the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    Stopping,
}

/// Tells the service manager what becomes of the parent.
#[derive(Debug)]
pub(super) struct Manager {
    phase: Phase,
    /// The limit of its watchdog; `None`: it has none.
    watchdog: Option<Duration>,
    /// The last sign of life.
    said: Option<Instant>,
}

impl Manager {
    /// Says that the parent begins, and what it waits for.
    pub(super) fn begin() -> Self {
        say(&[NotifyState::Status(WAITING), more(START)]);
        Self { phase: Phase::Starting, watchdog: sd_notify::watchdog_enabled(), said: None }
    }

    /// Passes news on.
    pub(super) fn hears(&mut self, news: News) {
        let now = Instant::now();
        let words = self.words(news, now);
        if !words.is_empty() {
            say(&words);
        }
    }

    /// What is to be said.
    fn words(&mut self, news: News, now: Instant) -> Vec<NotifyState<'static>> {
        match news {
            News::Beat => self.sign_of_life(now),
            News::Working(true) => vec![NotifyState::Status(WORKING)],
            News::Working(false) => vec![NotifyState::Status(WAITING)],
            // A stop may begin before the database has been told that it is ready.
            News::Ready if self.phase == Phase::Stopping => Vec::new(),
            News::Ready => {
                self.phase = Phase::Ready;
                vec![NotifyState::Ready]
            }
            News::Stopping { within } => {
                self.phase = Phase::Stopping;
                let whole = within.saturating_add(FAREWELL);
                vec![NotifyState::Stopping, NotifyState::Status(STOPPING), more(whole)]
            }
        }
    }

    /// Now and then, as long as the parent's own loop goes round. Until it is ready, the start takes as long as it takes.
    fn sign_of_life(&mut self, now: Instant) -> Vec<NotifyState<'static>> {
        let is_starting = self.phase == Phase::Starting;
        let limits = self.watchdog.into_iter().chain(is_starting.then_some(START));
        let Some(limit) = limits.min() else { return Vec::new() };
        if self.said.is_some_and(|at| now.saturating_duration_since(at) < pause(limit)) {
            return Vec::new();
        }
        self.said = Some(now);
        let watchdog = self.watchdog.map(|_| NotifyState::Watchdog);
        watchdog.into_iter().chain(is_starting.then(|| more(START))).collect()
    }
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

    /// What is said, as it is sent.
    fn said(manager: &mut Manager, news: News, at: Instant) -> Vec<String> {
        manager.words(news, at).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_start_is_given_time_while_the_loop_goes_round_and_a_stop_what_is_configured() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let watchdog = Some(Duration::from_secs(60));
        let mut manager = Manager { phase: Phase::Starting, watchdog, said: None };
        let (life, start) = ("WATCHDOG=1", "EXTEND_TIMEOUT_USEC=180000000");
        assert_eq!(said(&mut manager, News::Beat, at(0)), [life, start]);
        assert!(said(&mut manager, News::Beat, at(14)).is_empty());
        assert_eq!(said(&mut manager, News::Beat, at(15)), [life, start]);
        assert_eq!(said(&mut manager, News::Working(true), at(16)), ["STATUS=both chains are in working mode"]);
        assert_eq!(said(&mut manager, News::Ready, at(16)), ["READY=1"]);
        assert_eq!(said(&mut manager, News::Beat, at(30)), [life], "a start that is over");
        let waiting = "STATUS=waits for both chains to be in working mode";
        assert_eq!(said(&mut manager, News::Working(false), at(31)), [waiting]);
        let stopping = said(&mut manager, News::Stopping { within: Duration::from_secs(3_600) }, at(32));
        assert_eq!((stopping[0].as_str(), stopping[2].as_str()), ("STOPPING=1", "EXTEND_TIMEOUT_USEC=3720000000"));
        assert!(said(&mut manager, News::Ready, at(33)).is_empty(), "it would run again");
        assert_eq!(said(&mut manager, News::Beat, at(90)), [life]);
    }

    #[test]
    fn without_a_watchdog_a_start_is_given_time_all_the_same() {
        let begin = Instant::now();
        let mut manager = Manager { phase: Phase::Starting, watchdog: None, said: None };
        assert_eq!(said(&mut manager, News::Beat, begin).len(), 1);
        assert!(said(&mut manager, News::Beat, begin + START / 8).is_empty());
        assert_eq!(said(&mut manager, News::Beat, begin + START / 4).len(), 1);
        manager.phase = Phase::Ready;
        assert!(said(&mut manager, News::Beat, begin + START).is_empty());
    }

    #[test]
    fn many_keys_may_take_long_to_open() {
        assert_eq!(Step::Keys(0).limit(), START);
        assert_eq!(Step::Keys(100).limit(), Duration::from_secs(3_180));
        assert_eq!(more(Step::Keys(usize::MAX).limit()).to_string(), format!("EXTEND_TIMEOUT_USEC={}", u32::MAX));
    }

    #[test]
    fn three_signs_of_life_may_be_lost() {
        assert_eq!(pause(Duration::from_secs(60)), Duration::from_secs(15));
    }
}
