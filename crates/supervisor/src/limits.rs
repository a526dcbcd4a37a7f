//! Limits of the own process: memory that must not leave it, address space, open files.

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A limit that the system refused to set.
#[derive(Debug, thiserror::Error)]
#[error("cannot limit {what}: {source}")]
pub struct LimitError {
    what: &'static str,
    source: Errno,
}

impl LimitError {
    pub(crate) fn of(what: &'static str) -> impl Fn(Errno) -> Self {
        move |source| Self { what, source }
    }
}

/// Whether the process holds keys or secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Nothing that a core dump could betray.
    Ordinary,
    /// Keys or secrets: no core dumps, and no other process of the same user may read its memory.
    HoldsKeys,
}

/// Shuts the memory of a process that holds keys.
///
/// # Errors
/// If the system refuses.
pub fn protect(memory: Memory) -> Result<(), LimitError> {
    match memory {
        Memory::Ordinary => Ok(()),
        Memory::HoldsKeys => {
            setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(LimitError::of("core dumps"))?;
            prctl::set_dumpable(false).map_err(LimitError::of("access to memory"))
        }
    }
}

/// Raises the number of files that may be open to `wanted`, or as near as the hard limit allows, and returns it.
/// A parent needs three for each child; the usual default is 1024.
///
/// # Errors
/// If the system refuses.
pub fn raise_open_files(wanted: u64) -> Result<u64, LimitError> {
    let failed = LimitError::of("open files");
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(&failed)?;
    let raised = wanted.min(hard);
    if raised <= soft {
        return Ok(soft);
    }
    setrlimit(Resource::RLIMIT_NOFILE, raised, hard).map_err(&failed)?;
    Ok(raised)
}

/// Lowers a limit for good, or to the hard limit if that is lower.
pub(crate) fn lower(resource: Resource, limit: u64, what: &'static str) -> Result<(), LimitError> {
    let failed = LimitError::of(what);
    let (_, hard) = getrlimit(resource).map_err(&failed)?;
    let limit = limit.min(hard);
    setrlimit(resource, limit, limit).map_err(&failed)
}
