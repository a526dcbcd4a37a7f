//! Starts the own executable again in a role.
//!
//! Invariants: only from the main thread, because the death signal of a child follows the thread that started it;
//! no hook between fork and exec, so that `posix_spawn` is used and the cost does not grow with the parent's memory;
//! a cleared environment with an allow-list, so that no password reaches a child.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use nix::errno::Errno;
use nix::unistd::{getpid, gettid};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// First argument of a process that plays a role.
pub const ROLE_ARGUMENT: &str = "__role";

/// Environment variables that children may see.
pub const DEFAULT_ENVIRONMENT: [&str; 13] = [
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LC_ALL",
    "MOSAIC_HOME",
    "NO_PROXY",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
];

/// Why a child could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A bug of the caller: children started from a thread die with that thread.
    #[error("children are started from the main thread only")]
    NotMainThread,
    /// Out of processes, memory or descriptors: try again later, with fewer children.
    #[error("no room for another child process: {0}; raise the limits on processes or open files")]
    Resources(io::Error),
    /// The program cannot be executed: no retry helps.
    #[error("cannot execute {}: {error}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Knows how to start children.
#[derive(Debug, Clone)]
pub struct Spawner {
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
}

/// A child that was just started, with its pipes. Killed when dropped.
#[derive(Debug)]
pub struct Spawned {
    /// The process.
    pub process: Child,
    /// To the child's standard input.
    pub to_child: ChildStdin,
    /// From the child's standard output.
    pub from_child: ChildStdout,
    /// When it was started.
    pub started: Instant,
}

impl Spawner {
    /// Starts the program that runs now, even if its file was replaced meanwhile: parent and children are always of
    /// one build.
    pub fn own() -> Self {
        Self::new(PathBuf::from("/proc/self/exe"), &DEFAULT_ENVIRONMENT, std::env::vars_os())
    }

    /// Starts `program` (a path) with those variables of `environment` that are `allowed`.
    pub fn new(
        program: PathBuf,
        allowed: &[&str],
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let environment =
            environment.into_iter().filter(|(name, _)| allowed.iter().any(|allowed| OsStr::new(allowed) == name));
        Self { program, environment: environment.collect() }
    }

    /// Starts a child in `role`. `label` is shown by `ps` (a chain id, a request) and not read by anybody.
    ///
    /// # Errors
    /// [`SpawnError`].
    pub fn spawn(&self, role: &str, label: Option<&str>) -> Result<Spawned, SpawnError> {
        if gettid() != getpid() {
            return Err(SpawnError::NotMainThread);
        }
        let started = Instant::now();
        let mut process = self.command(role, label).spawn().map_err(|error| self.refused(error))?;
        match (process.stdin.take(), process.stdout.take()) {
            (Some(to_child), Some(from_child)) => Ok(Spawned { process, to_child, from_child, started }),
            (_, _) => Err(self.refused(io::Error::other("child without pipes"))),
        }
    }

    fn command(&self, role: &str, label: Option<&str>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg0("facilitator")
            .args([ROLE_ARGUMENT, role, &std::process::id().to_string()])
            .args(label)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            // Ctrl-C in a terminal is for the parent alone, which then ends its children in order.
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    fn refused(&self, error: io::Error) -> SpawnError {
        let out_of = [Errno::EAGAIN, Errno::ENOMEM, Errno::EMFILE, Errno::ENFILE];
        match error.raw_os_error().map(Errno::from_raw) {
            Some(errno) if out_of.contains(&errno) => SpawnError::Resources(error),
            Some(_) | None => SpawnError::Program { program: self.program.clone(), error },
        }
    }
}
