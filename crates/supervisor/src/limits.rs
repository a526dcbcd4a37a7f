//! Limits of the own process: memory that must not leave it, address space, open files, what children inherit.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};

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

/// Keeps the memory of this process out of swap, now and later: keys leave copies behind wherever they pass, so all of it
/// is kept, not single pages.
///
/// Only where locked memory has no limit: with one, a later allocation would end the process.
///
/// # Errors
/// If there is a limit that can't be lifted; nothing is locked then.
pub fn lock_memory() -> Result<(), LimitError> {
    setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY).map_err(LimitError::of("swapping"))?;
    // Pages are locked as they are used: what is only reserved costs nothing.
    let all = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | MlockAllFlags::from_bits_retain(MCL_ONFAULT);
    mlockall(all).map_err(LimitError::of("swapping"))
}

/// `MCL_ONFAULT` of mlock2(2), which nix does not name.
const MCL_ONFAULT: i32 = 4;

/// Keeps what this process was started with to itself: files and sockets that whoever started it had left open would
/// else be open in every child too. Its own are closed on exec anyway.
///
/// # Errors
/// If `/proc` can't be read.
pub fn keep_descriptors() -> io::Result<()> {
    let named = std::fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let open: Vec<RawFd> = named.filter(|descriptor| *descriptor > 2).collect();
    for descriptor in open {
        close_on_exec(descriptor);
    }
    Ok(())
}

/// One that was closed meanwhile needs it no more.
#[allow(unsafe_code, reason = "descriptors of others are known by their number alone")]
fn close_on_exec(descriptor: RawFd) {
    // SAFETY: a flag is set on whatever the number names now; nothing is read, written, closed or owned.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let _closed_meanwhile = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
}

/// From now on a write beyond the limit on the size of files (`RLIMIT_FSIZE`, a quota) is an error like that of a full
/// disk, which is waited out; by default the system ends the process. Children inherit it.
///
/// # Errors
/// If the system refuses.
#[allow(unsafe_code, reason = "what a signal does is the whole process's affair")]
pub fn outlive_file_size() -> Result<(), LimitError> {
    // SAFETY: the signal is ignored; no handler of ours runs.
    let before = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
    before.map(drop).map_err(LimitError::of("the end by a file's size"))
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
