//! The child's side: find out that this process was started as a role, and settle into it.
//!
//! Everything is done after exec, in the child's own `main`: a hook between fork and exec would turn off the cheap
//! way of starting processes and copy the parent's page tables.

use std::ffi::{CString, OsString};

use nix::sys::prctl;
use nix::sys::resource::Resource;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use crate::limits::{self, LimitError, Memory};
use crate::spawn::ROLE_ARGUMENT;

/// What the arguments of a child say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRequest {
    /// Name of the role to play.
    pub role: String,
    /// Process id of the parent.
    pub parent: u32,
    /// What the parent shows in the process list: a chain id, a request.
    pub label: Option<String>,
}

/// Arguments that begin like a child's but do not go on so: somebody typed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{ROLE_ARGUMENT}` is for the facilitator itself: use `facilitator start`")]
pub struct BadRoleRequest;

impl RoleRequest {
    /// Reads the arguments (without the program's name); `None` if this is not a child. Cheap, so that it can come
    /// before any parsing of a command line.
    ///
    /// # Errors
    /// [`BadRoleRequest`].
    pub fn from_args(args: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, BadRoleRequest> {
        let mut args = args.into_iter();
        match args.next() {
            Some(first) if first == ROLE_ARGUMENT => {}
            Some(_) | None => return Ok(None),
        }
        let mut text = || args.next().and_then(|argument| argument.into_string().ok()).ok_or(BadRoleRequest);
        let role = text()?;
        let parent = text()?.parse().map_err(|_| BadRoleRequest)?;
        let label = args.next().and_then(|argument| argument.into_string().ok());
        Ok(Some(Self { role, parent, label }))
    }
}

/// How a child settles in.
#[derive(Debug, Clone, Copy)]
pub struct ChildOptions {
    /// Whether it will hold keys or secrets.
    pub memory: Memory,
    /// Most address space in bytes, if limited. (Stacks of threads and mapped files count.)
    pub address_space: Option<u64>,
    /// Most open files, if limited.
    pub open_files: Option<u64>,
}

/// Why a child cannot settle in; it must end at once.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// The parent died before the death signal was armed.
    #[error("parent {expected} is gone (now {found})")]
    ParentGone {
        /// The parent that started this process.
        expected: u32,
        /// The process that has taken it over.
        found: i32,
    },
    /// The system refused a limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

/// Ties the life of this process to its parent, names it for `ps` and `top`, and sets its limits. To be called first,
/// from the main thread.
///
/// The death signal follows the parent's *thread*, which is why [`crate::Spawner`] starts children from the main
/// thread only. A process that handles no death signal in time (stopped, or in the kernel) is ended by the system.
///
/// # Errors
/// [`EnterError`]: end the process.
pub fn enter(request: &RoleRequest, options: &ChildOptions) -> Result<(), EnterError> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(LimitError::of("life to that of the parent"))?;
    let found = getppid().as_raw();
    // A parent that died before the line above sent no signal.
    if u32::try_from(found) != Ok(request.parent) {
        return Err(EnterError::ParentGone { expected: request.parent, found });
    }
    name_process(&request.role);
    limits::protect(options.memory)?;
    if let Some(bytes) = options.address_space {
        limits::lower(Resource::RLIMIT_AS, bytes, "address space")?;
    }
    if let Some(files) = options.open_files {
        limits::lower(Resource::RLIMIT_NOFILE, files, "open files")?;
    }
    Ok(())
}

/// The system would show "exe" otherwise, from the path that was executed. It keeps 15 bytes. Failure harms nothing.
fn name_process(role: &str) {
    if let Ok(name) = CString::new(format!("fac-{role}")) {
        let _unimportant = prctl::set_name(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arguments() {
        let with = |label: Option<&str>| RoleRequest { role: "worker".into(), parent: 7, label: label.map(Into::into) };
        let ok = |label| Ok(Some(with(label)));
        for (args, expected) in [
            ("", Ok(None)),
            ("start __role worker 7", Ok(None)),
            ("__role worker 7", ok(None)),
            ("__role worker 7 0xabc", ok(Some("0xabc"))),
            ("__role", Err(BadRoleRequest)),
            ("__role worker", Err(BadRoleRequest)),
            ("__role worker -1", Err(BadRoleRequest)),
        ] {
            let got = RoleRequest::from_args(args.split_whitespace().map(OsString::from));
            assert_eq!(got, expected, "{args:?}");
        }
    }
}
