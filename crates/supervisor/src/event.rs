//! What a watched child's task tells: events, and the end with its causes.

use std::time::Duration;

use facilitator_ipc::IpcError;

use crate::Exit;

/// What happens to a child. `K` is the caller's name for it.
#[derive(Debug)]
pub enum Event<K, In> {
    /// It said hello.
    Ready {
        /// Which child.
        key: K,
        /// Its process id.
        pid: u32,
    },
    /// It sent a message.
    Message {
        /// Which child.
        key: K,
        /// The message.
        message: In,
    },
    /// It is dead and buried. The last event of this child.
    Ended {
        /// Which child.
        key: K,
        /// How and why.
        end: End,
    },
}

/// The end of a child.
#[derive(Debug)]
pub struct End {
    /// Its process id.
    pub pid: u32,
    /// How the process ended.
    pub exit: Exit,
    /// Who or what brought it about.
    pub cause: Cause,
    /// How its stream of messages ended.
    pub stream: StreamEnd,
    /// How long it ran.
    pub lived: Duration,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}, after {} ms)", self.cause, self.exit, self.lived.as_millis())
    }
}

/// Why a child ended.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// Nobody asked it to: it ended or was killed from outside.
    #[error("ended by itself")]
    Itself,
    /// An order: [`crate::ChildHandle::stop`].
    #[error("stopped")]
    Stopped,
    /// Its handle, or the receiver of its events, was dropped.
    #[error("no longer wanted")]
    Dropped,
    /// It did not say hello in time.
    #[error("did not start in time")]
    NoHello,
    /// It sent nothing for too long.
    #[error("hung: sent nothing in time")]
    Silent,
    /// It closed its pipe and lived on.
    #[error("closed its pipe without ending")]
    ClosedPipe,
    /// What it sent was no message, or it read nothing for too long.
    #[error("broke the protocol: {0}")]
    Protocol(IpcError),
}

/// How a child's stream of messages ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// After a whole message.
    Clean,
    /// Within a message, which is lost.
    Torn,
    /// With something that is no message.
    Broken,
    /// Not at all: some other process still holds the pipe.
    HeldOpen,
}
