//! A fork server, for the benchmark to compare with: a small process with one thread that forks a child on request, which
//! plays a bare worker.
//!
//! The benchmark writes a byte for each child to the server's standard input. The child makes a runtime as the product's
//! worker does, connects to the Unix socket that the command line names, says its process id in eight bytes and
//! ends when the connection closes. It keeps nothing of the server's: the server holds no connection of a child.

use anyhow::{Context as _, Result};
use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

/// The one unsafe call.
mod fork {
    use nix::unistd::{self, ForkResult};

    /// Forks: whether this is the child.
    #[allow(unsafe_code, reason = "a fork server is what is measured")]
    pub(crate) fn is_child() -> nix::Result<bool> {
        // SAFETY: the process has one thread, so that no lock of another one stays held in the child.
        match unsafe { unistd::fork() }? {
            ForkResult::Child => Ok(true),
            ForkResult::Parent { .. } => Ok(false),
        }
    }
}

fn main() -> Result<ExitCode> {
    let socket: PathBuf = std::env::args_os().nth(1).context("usage: fork-server SOCKET")?.into();
    let mut byte = [0];
    while io::stdin().lock().read(&mut byte)? == 1 {
        if fork::is_child()? {
            worker(&socket)?;
            return Ok(ExitCode::SUCCESS);
        }
        // Those that have ended meanwhile.
        reap();
    }
    Ok(ExitCode::SUCCESS)
}

fn reap() {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}

fn worker(socket: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(&u64::from(std::process::id()).to_le_bytes()).await?;
        // The end of the connection is its end.
        stream.read_u8().await.map(drop).or(Ok(()))
    })
}
