//! Both directions of one parent-child connection.
//!
//! Invariant: `Out` and `In` are swapped between the two ends, so each side can only send what the other reads.

use bincode::{Decode, Encode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::pipe;

use crate::{FrameReader, FrameSender, Hello, IpcError, WriterOptions, WriterTask, start_writer, stdio};

/// One end of a connection: sends `Out`, receives `In`.
#[derive(Debug)]
pub struct Link<Out, In, R> {
    /// Sends messages to the peer; may be cloned.
    pub sender: FrameSender<Out>,
    /// Receives the peer's messages.
    pub receiver: FrameReader<In, R>,
    /// Writes what was sent; to be finished before the process ends.
    pub writer: WriterTask,
}

/// A child's end of the connection to its parent.
pub type ChildLink<Out, In> = Link<Out, In, pipe::Receiver>;

impl<Out: Encode, In: Decode<()>, R: AsyncRead + Unpin> Link<Out, In, R> {
    /// The parent's end: waits for the child's hello, whose pipes these are. The caller limits the time.
    ///
    /// # Errors
    /// As [`FrameReader::greet`].
    pub async fn to_child<W: AsyncWrite + Unpin + Send + 'static>(
        from_child: R,
        to_child: W,
        version: u32,
        role: &str,
        options: WriterOptions,
    ) -> Result<(Hello, Self), IpcError> {
        let mut receiver = FrameReader::new(from_child);
        let hello = receiver.greet(version, role).await?;
        let (sender, writer) = start_writer(to_child, None, options);
        Ok((hello, Self { sender, receiver, writer }))
    }

    /// The child's end over any two pipes: says hello.
    ///
    /// # Errors
    /// As [`Hello::frame`].
    pub fn to_parent<W: AsyncWrite + Unpin + Send + 'static>(
        from_parent: R,
        to_parent: W,
        version: u32,
        role: &str,
        options: WriterOptions,
    ) -> Result<Self, IpcError> {
        let hello = Hello::own(role).frame(version)?;
        let (sender, writer) = start_writer(to_parent, Some(hello), options);
        Ok(Self { sender, receiver: FrameReader::new(from_parent), writer })
    }
}

impl<Out: Encode, In: Decode<()>> ChildLink<Out, In> {
    /// The child's end over its own standard input and output, which are taken out of everybody else's reach.
    ///
    /// # Errors
    /// [`IpcError::Io`] if they are no pipes: this process was not started by a facilitator.
    pub fn from_stdio(version: u32, role: &str, options: WriterOptions) -> Result<Self, IpcError> {
        let (from_parent, to_parent) = stdio::take()?;
        Self::to_parent(from_parent, to_parent, version, role, options)
    }
}
