//! Each role's loop, built from the crates below: the parent and its children.
//!
//! The executable is started again in a role by the parent, with [`facilitator_supervisor::ROLE_ARGUMENT`] as its first
//! argument. [`play`] is all that such a process does.

pub mod child;
pub mod clock;
pub mod connections;
pub mod look;
pub mod messages;
pub mod metrics;
pub mod monitor;
pub mod parent;
mod pulse;
pub mod recovery;
pub mod running;
pub mod scanner;
pub mod sender;
pub mod terms;
pub mod views;
pub mod worker;

use facilitator_supervisor::child::{BadRoleRequest, ChildOptions, RoleRequest, enter};
use facilitator_supervisor::limits::{Memory, lock_memory};
use facilitator_telemetry::{Identity, LogFormat};
use std::ffi::OsString;
use std::process::ExitCode;
use terms::Terms;

/// Environment variable in which the parent passes the form of log lines on.
pub const LOG_FORMAT: &str = "FACILITATOR_LOG_FORMAT";

/// Exit code of a role that failed; the parent acts on the end itself.
const FAILED: u8 = 1;

/// Reads the arguments (without the program's name); `None` if this is the command line, not a child.
///
/// # Errors
/// [`BadRoleRequest`] if somebody typed what only the facilitator says.
pub fn role_of(args: impl IntoIterator<Item = OsString>) -> Result<Option<RoleRequest>, BadRoleRequest> {
    RoleRequest::from_args(args)
}

/// Plays a role until its work is done or its parent is gone.
#[must_use]
pub fn play(request: &RoleRequest) -> ExitCode {
    // Senders hold keys, workers a secret, and scanners simulate calls that reveal one.
    let terms = Terms::own();
    let options = ChildOptions {
        memory: Memory::HoldsKeys,
        address_space: terms.address_space(&request.role),
        open_files: terms.open_files,
    };
    if enter(request, &options).is_err() {
        // The parent is gone: there is nobody to tell.
        return ExitCode::from(FAILED);
    }
    log(request);
    if request.role == sender::ROLE
        && let Err(error) = lock_memory()
    {
        // The parent has warned the operator already.
        tracing::debug!(%error, "keys may be swapped out");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::from(FAILED) };
    let result = runtime.block_on(perform(&request.role, &terms));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::warn!(error, "ending");
            ExitCode::from(FAILED)
        }
    }
}

async fn perform(role: &str, terms: &Terms) -> Result<(), String> {
    match role {
        worker::ROLE => Box::pin(worker::run(terms)).await.map_err(|error| error.to_string()),
        scanner::ROLE => Box::pin(scanner::run(terms)).await.map_err(|error| error.to_string()),
        sender::ROLE => Box::pin(sender::run(terms)).await.map_err(|error| error.to_string()),
        monitor::ROLE => Box::pin(monitor::run(terms)).await.map_err(|error| error.to_string()),
        metrics::ROLE => Box::pin(metrics::run(terms)).await.map_err(|error| error.to_string()),
        other => Err(format!("there is no role `{other}`")),
    }
}

fn log(request: &RoleRequest) {
    let format = std::env::var(LOG_FORMAT).ok().and_then(|name| name.parse().ok()).unwrap_or(LogFormat::Text);
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    let chain = request.label.as_deref().and_then(|label| label.parse().ok());
    // The label of a worker is the hash of its request, which so stands on each of its lines.
    let hash = request.label.clone().filter(|_| request.role == worker::ROLE);
    let identity = Identity { role: request.role.clone(), chain, request: hash };
    // The parent has checked the filter; a child without a log still works.
    let _no_log = facilitator_telemetry::init(&filter, format, &identity);
}
