//! How a process ended.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

/// How a Rust program ends that panicked.
const PANICKED: i32 = 101;

/// The end of a process as the system tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It ended by itself with this exit code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// The system could not tell: somebody else waited for the process.
    Unknown,
}

impl Exit {
    /// Whether the process ended by itself and says that all is well.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(PANICKED) => write!(f, "exit code {PANICKED}: a panic, its place is in the log"),
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "ended by {}", signal.as_str()),
                Err(_) => write!(f, "ended by signal {number}"),
            },
            Self::Unknown => f.write_str("unknown end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_statuses_are_told_apart() {
        // Raw wait statuses as waitpid(2) gives them.
        for (raw, exit, text) in [
            (0, Exit::Code(0), "exit code 0"),
            (3 << 8, Exit::Code(3), "exit code 3"),
            (101 << 8, Exit::Code(101), "exit code 101: a panic, its place is in the log"),
            (9, Exit::Signal(9), "ended by SIGKILL"),
            (11 | 0x80, Exit::Signal(11), "ended by SIGSEGV"),
            (40, Exit::Signal(40), "ended by signal 40"),
        ] {
            let got = Exit::from(ExitStatus::from_raw(raw));
            assert_eq!((got, got.to_string().as_str()), (exit, text));
            assert_eq!(got.is_success(), raw == 0);
        }
    }
}
