//! What can go wrong on a pipe, told apart by what the caller must do.
//!
//! Left alone: the contents of a frame. It may hold keys, so no text here ever quotes it.

use std::io;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IpcError {
    /// The frame is larger than the limit. A peer that sends one is broken: end it. An own message must be split.
    #[error("frame of {length} bytes is over the limit of {limit} bytes: split the message")]
    Oversize {
        /// Bytes that the frame has or claims to have.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The frame's bytes are not one whole message of the expected type: the peer is broken, end it.
    #[error("frame is not a valid {expected}: {reason}")]
    Garbage {
        /// Rust name of the expected type.
        expected: &'static str,
        /// What does not fit, without any content.
        reason: String,
    },
    /// The peer died within a frame: as good as its death.
    #[error("pipe ended inside a frame after {got} bytes of it")]
    Torn {
        /// Bytes of the unfinished frame that had arrived, its length field included.
        got: usize,
    },
    /// The peer ended before it said hello.
    #[error("peer ended before its first message")]
    NoHello,
    /// What came first is no hello: the peer is not ours, or wrote something else to its standard output.
    #[error("first bytes are not a hello: something else was written to the pipe")]
    NotHello,
    /// The peer is of another build.
    #[error("peer speaks protocol version {theirs}, this process {ours}: restart the facilitator with one build")]
    Version {
        /// Version of this process.
        ours: u32,
        /// Version that the peer named.
        theirs: u32,
    },
    /// The peer is of ours, but plays another role than the one it was started for.
    #[error("peer plays the role {theirs:?} instead of {ours:?}")]
    Role {
        /// Role that was asked for.
        ours: String,
        /// Role that the peer named.
        theirs: String,
    },
    /// An earlier error left the stream at an unknown position.
    #[error("stream failed before and cannot be read on")]
    Unusable,
    /// The peer has closed its end; messages still queued are lost.
    #[error("peer is gone")]
    PeerGone,
    /// The queue of outgoing frames is full now: the peer reads too slowly.
    #[error("queue of outgoing frames is full")]
    Full,
    /// The peer did not read anything for the time allowed: treat it as hung.
    #[error("peer read nothing for {waited_ms} ms")]
    Stalled {
        /// Time without progress, in milliseconds.
        waited_ms: u64,
    },
    /// The message cannot be encoded: a bug in its type.
    #[error("message cannot be encoded: {0}")]
    Encode(String),
    /// The operating system refused.
    #[error("pipe failed: {0}")]
    Io(io::Error),
}

impl From<io::Error> for IpcError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::PeerGone } else { Self::Io(error) }
    }
}
