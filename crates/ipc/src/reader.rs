//! Reads messages of one type from a pipe.
//!
//! Invariant: all that was read is kept in the decoder, so a dropped `next` (in `select!`) loses nothing.

use std::marker::PhantomData;

use bincode::Decode;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{Decoder, Hello, IpcError, Sign};

/// The receiving end of a pipe that carries messages of type `T`.
pub struct FrameReader<T, R> {
    pipe: R,
    decoder: Decoder,
    message: PhantomData<fn() -> T>,
}

impl<T: Decode<()>, R: AsyncRead + Unpin> FrameReader<T, R> {
    /// A reader at the beginning of a stream.
    pub fn new(pipe: R) -> Self {
        Self { pipe, decoder: Decoder::new(), message: PhantomData }
    }

    /// The hello of a child that was started as `role`; to be read before anything else, once. Safe to cancel.
    ///
    /// # Errors
    /// [`IpcError::NoHello`], [`IpcError::NotHello`], [`IpcError::Version`], [`IpcError::Role`], [`IpcError::Torn`],
    /// [`IpcError::Garbage`], [`IpcError::Io`]. After any of them the child is of no use.
    pub async fn greet(&mut self, version: u32, role: &str) -> Result<Hello, IpcError> {
        loop {
            if let Some(hello) = Hello::take(&mut self.decoder, version, role)? {
                return Ok(hello);
            }
            if self.fill().await? == 0 {
                self.decoder.finish()?;
                return Err(IpcError::NoHello);
            }
        }
    }

    /// The next message; `None` after the peer closed its end on the boundary of a frame. Safe to cancel.
    ///
    /// # Errors
    /// [`IpcError::Torn`] if the peer ended within a frame, [`IpcError::Oversize`] and [`IpcError::Garbage`] if it
    /// is broken, [`IpcError::Io`]. The stream is of no use after an error.
    pub async fn next(&mut self) -> Result<Option<T>, IpcError> {
        loop {
            match self.next_sign().await? {
                Some(Sign::Message(message)) => return Ok(Some(message)),
                Some(Sign::Beat) => {}
                None => return Ok(None),
            }
        }
    }

    /// As [`Self::next`], but tells of heartbeats too. Safe to cancel.
    ///
    /// # Errors
    /// Those of [`Self::next`].
    pub async fn next_sign(&mut self) -> Result<Option<Sign<T>>, IpcError> {
        loop {
            if let Some(sign) = self.decoder.decode_sign()? {
                return Ok(Some(sign));
            }
            if self.fill().await? == 0 {
                return self.decoder.finish().map(|()| None);
            }
        }
    }

    /// Reads once into the decoder; 0 means end of file.
    async fn fill(&mut self) -> Result<usize, IpcError> {
        Ok(self.pipe.read_buf(self.decoder.space()).await?)
    }
}

impl<T, R> std::fmt::Debug for FrameReader<T, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameReader").field("decoder", &self.decoder).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;
    use crate::{Frame, encode};

    #[tokio::test]
    async fn a_cancelled_read_loses_nothing() {
        let (near, mut far) = duplex(1024);
        let mut reader = FrameReader::<String, _>::new(near);
        let frame = encode(&"whole".to_owned()).unwrap();
        for byte in frame.as_bytes() {
            // Reads what is there, then is dropped in the middle of the frame.
            tokio::select! {
                biased;
                got = reader.next() => panic!("too early: {got:?}"),
                () = tokio::task::yield_now() => {}
            }
            far.write_all(&[*byte]).await.unwrap();
        }
        assert_eq!(reader.next().await.unwrap().as_deref(), Some("whole"));
        drop(far);
        assert_eq!(reader.next().await.unwrap(), None);
        assert_eq!(reader.next().await.unwrap(), None, "the end stays the end");
    }

    #[tokio::test]
    async fn heartbeats_stand_between_messages_and_are_told_only_to_who_asks() {
        let bytes: Vec<u8> = [Frame::beat(), encode(&7_u32).unwrap(), Frame::beat(), Frame::beat()]
            .iter()
            .flat_map(|frame| frame.as_bytes().to_vec())
            .collect();
        let mut reader = FrameReader::<u32, _>::new(&bytes[..]);
        assert_eq!(reader.next().await.unwrap(), Some(7));
        assert_eq!(reader.next().await.unwrap(), None);
        let mut reader = FrameReader::<u32, _>::new(&bytes[..]);
        let mut signs = Vec::new();
        while let Some(sign) = reader.next_sign().await.unwrap() {
            signs.push(sign);
        }
        assert_eq!(signs, [Sign::Beat, Sign::Message(7), Sign::Beat, Sign::Beat]);
    }

    #[tokio::test]
    async fn a_frame_much_larger_than_one_read_arrives_whole() {
        let (near, mut far) = duplex(1000);
        let text = "0123456789".repeat(100_000);
        let frame = encode(&text).unwrap();
        let send = tokio::spawn(async move { far.write_all(frame.as_bytes()).await });
        let mut reader = FrameReader::<String, _>::new(near);
        assert_eq!(reader.next().await.unwrap(), Some(text));
        send.await.unwrap().unwrap();
    }
}
