//! Takes the pipes at standard input and output for frames.
//!
//! Invariant: afterwards descriptor 0 reads nothing and descriptor 1 is standard error, so that a stray `println!`
//! of any library lands in the log instead of inside a frame. The taken descriptors are closed on exec.
//! tokio's own `stdin()` is not used: it reads on a thread of its own, which costs start time and outlives `select!`.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use nix::unistd::{dup2_stdin, dup2_stdout};
use tokio::net::unix::pipe;

/// The pipes from and to the parent, non-blocking. Needs a tokio runtime with I/O; works once per process.
///
/// # Errors
/// If standard input or output is not a pipe, or the system is out of descriptors.
pub fn take() -> io::Result<(pipe::Receiver, pipe::Sender)> {
    let from_parent = io::stdin().as_fd().try_clone_to_owned()?;
    let to_parent = io::stdout().as_fd().try_clone_to_owned()?;
    let pipes = (pipe::Receiver::from_owned_fd(from_parent)?, pipe::Sender::from_owned_fd(to_parent)?);
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(io::stderr())?;
    Ok(pipes)
}
