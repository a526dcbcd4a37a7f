//! How a command ends that did not do what it was asked: one exit code a kind, one line for people or one JSON object.

use facilitator_config::{Error as ConfigFault, KeyError};
use facilitator_store::StoreError;
use serde::Serialize;
use std::fmt;
use std::process::ExitCode;

/// Exit codes. Scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Failed, for any reason that has no number of its own.
    Failed = 1,
    /// Wrong usage of the command line.
    Usage = 2,
    /// A configuration or input file is invalid.
    Config = 3,
    /// A facilitator of this chain pair or with these keys runs already.
    AlreadyRunning = 4,
    /// No facilitator of this chain pair runs.
    NotRunning = 5,
    /// A key cannot be unlocked.
    Key = 6,
    /// A node is unreachable or belongs to another chain.
    Node = 7,
    /// The database refuses.
    Database = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed: what, where and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// One line for people.
    pub(crate) message: String,
    /// The field of a configuration file, where one is at fault.
    pub(crate) path: Option<String>,
}

impl Failure {
    /// A failure without a field.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), path: None }
    }

    /// The form that `--json` prints.
    pub(crate) fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Outer<'a> {
            error: Inner<'a>,
        }
        #[derive(Serialize)]
        struct Inner<'a> {
            code: u8,
            message: &'a str,
            path: Option<&'a str>,
        }
        let inner = Inner { code: self.exit as u8, message: &self.message, path: self.path.as_deref() };
        serde_json::to_string(&Outer { error: inner }).unwrap_or_default()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, whatever a system or a node put into its text.
        f.write_str(&self.message.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl From<ConfigFault> for Failure {
    fn from(fault: ConfigFault) -> Self {
        let message = fault.to_string();
        match fault {
            ConfigFault::Config(error) => {
                let path = (!error.path.is_empty()).then_some(error.path);
                Self { exit: Exit::Config, message, path }
            }
            ConfigFault::UnknownChainName { path, .. } => Self { exit: Exit::Config, message, path: Some(path) },
            ConfigFault::Usage(_) => Self::new(Exit::Usage, message),
            ConfigFault::Key(_) => Self::new(Exit::Key, message),
            ConfigFault::Exists(_) | ConfigFault::Write { .. } => Self::new(Exit::Failed, message),
        }
    }
}

impl From<facilitator_config::ConfigError> for Failure {
    fn from(error: facilitator_config::ConfigError) -> Self {
        ConfigFault::Config(error).into()
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::new(Exit::Key, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = if matches!(error, StoreError::Unknown { .. }) { Exit::Failed } else { Exit::Database };
        Self::new(exit, error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, error.to_string())
    }
}

/// Number and meaning of each exit code, as the documentation of [`Exit`] has them.
#[cfg(test)]
pub(crate) fn documented() -> Vec<(u8, &'static str)> {
    let source = include_str!("failure.rs");
    let body = source.split("pub(crate) enum Exit {\n").nth(1).unwrap().split("\n}").next().unwrap();
    let lines: Vec<&str> = body.lines().map(str::trim).collect();
    lines
        .chunks(2)
        .map(|pair| {
            let text = pair[0].strip_prefix("/// ").unwrap().trim_end_matches('.');
            let number = pair[1].split_once(" = ").unwrap().1.trim_end_matches(',');
            (number.parse().unwrap(), text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_and_one_json_object() {
        let failure = Failure { exit: Exit::Config, message: "f.json: a.b:\n must".into(), path: Some("a.b".into()) };
        assert_eq!(failure.to_string(), "f.json: a.b: must");
        let json: serde_json::Value = serde_json::from_str(&failure.to_json()).unwrap();
        assert_eq!(json["error"]["code"], 3);
        assert_eq!(json["error"]["path"], "a.b");
    }

    /// The book's table says of each code what the enum says of it, and has no other.
    #[test]
    fn the_book_has_the_table_of_exit_codes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/exit-codes.md");
        let told = std::fs::read_to_string(path).unwrap();
        let told: Vec<(u8, &str)> = told.lines().filter_map(row).collect();
        assert_eq!(told, documented());
    }

    /// `| code | meaning | what helps |`.
    fn row(line: &str) -> Option<(u8, &str)> {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        Some((cells.next()?.parse().ok()?, cells.next()?))
    }
}
