//! What the processes tell their operator while they run: log lines on standard error, metrics, and a page to look at.
//!
//! Invariants: one event is one line, written with one system call, whatever its fields contain; each line names the
//! role, the process and the chain; standard output is never written to. URLs are logged through [`redact`] only.
//!
//! Left alone: what is worth a line, at which level; where the lines go from standard error; where numbers come from.

mod filter;
pub mod http;
mod line;
pub mod metrics;
pub mod page;
pub mod redact;

use std::any::Any;
use std::io;
use std::str::FromStr;
use std::sync::OnceLock;

use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Registry, reload};

pub use filter::FilterError;
pub use line::MAX_LINE;

/// The filter of this process, once it logs.
static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people: time, level, role and process, chain, place, message, fields.
    #[default]
    Text,
    /// For machines: one JSON object each.
    Json,
}

impl FromStr for LogFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(UnknownFormat(other.to_owned())),
        }
    }
}

/// A name of no log format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log format {0:?} is unknown: use \"text\" or \"json\"")]
pub struct UnknownFormat(String);

/// Who writes the lines. The process id is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Role of the process, such as `parent` or `sender`.
    pub role: String,
    /// Chain id that it is concerned with, if it is one.
    pub chain: Option<u64>,
    /// Hash of the request that it is concerned with, if it is one.
    pub request: Option<String>,
}

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is no filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Logging has begun already in this process.
    #[error("logging has been set up already")]
    AlreadySet,
    /// Logging has not begun in this process.
    #[error("logging has not been set up")]
    NotSet,
}

/// Begins to log to standard error, panics included. Once per process; cheap enough for a short-lived one.
///
/// `filter` is a list of `level` and `target=level`, such as `info,facilitator_sender=debug`.
///
/// # Errors
/// [`TelemetryError`].
pub fn init(filter: &str, format: LogFormat, identity: &Identity) -> Result<(), TelemetryError> {
    let (filter, handle) = reload::Layer::new(filter::parse(filter)?);
    let subscriber = tracing_subscriber::registry().with(filter).with(lines(format, identity, io::stderr));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::AlreadySet)?;
    let _only_once = FILTER.set(handle);
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Logs by another filter from now on.
///
/// # Errors
/// [`TelemetryError::Filter`] for what is no filter; [`TelemetryError::NotSet`] before [`init`].
pub fn set_filter(filter: &str) -> Result<(), TelemetryError> {
    let targets = filter::parse(filter)?;
    let handle = FILTER.get().ok_or(TelemetryError::NotSet)?;
    handle.reload(targets).map_err(|_| TelemetryError::NotSet)
}

/// Whether a text is a filter.
///
/// # Errors
/// [`FilterError`].
pub fn check_filter(filter: &str) -> Result<(), FilterError> {
    filter::parse(filter).map(drop)
}

/// What [`init`] sets up, with another place to write to.
///
/// # Errors
/// [`FilterError`].
pub fn subscriber<W>(
    filter: &str,
    format: LogFormat,
    identity: &Identity,
    writer: W,
) -> Result<impl Subscriber + Send + Sync, FilterError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    Ok(tracing_subscriber::registry().with(filter::parse(filter)?).with(lines(format, identity, writer)))
}

fn lines<S, W>(format: LogFormat, identity: &Identity, writer: W) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .with_ansi(false)
        // A reader of the log that is gone must not make the process talk about it.
        .log_internal_errors(false)
        .fmt_fields(line::FieldFormat(format))
        .event_format(line::LineFormat::new(format, identity, std::process::id()))
        .with_writer(writer)
}

fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, reason = reason(panic.payload()), "panic: this is a bug, please report it");
}

/// What a panic says, if it says so in the source. A text made while it ran may show any value of a process that holds
/// keys, so the place must do.
fn reason(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("not shown: it may hold a secret")
}

#[cfg(test)]
#[path = "panic_tests.rs"]
mod panic_tests;
