//! The first frame of a child: who it is and which protocol version it speaks.
//!
//! Invariant: the layout (magic, version, then the rest) never changes, so that any two builds can at least find out
//! that they differ. A hello is small, so stray text on the pipe is recognised from its first four bytes.

use bincode::{Decode, Encode};

use crate::IpcError;
use crate::codec::{Decoder, Frame, decode_body};

/// Largest body of a hello, in bytes.
pub const MAX_HELLO: usize = 256;

/// Longest name of a role, in bytes.
pub const MAX_ROLE: usize = 64;

const MAGIC: [u8; 4] = *b"FCIP";

/// What a child says first.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// Name of the role that it plays; at most [`MAX_ROLE`] bytes.
    pub role: String,
    /// Its process id as it sees it.
    pub pid: u32,
}

impl Hello {
    /// The hello of this process.
    pub fn own(role: &str) -> Self {
        Self { role: role.to_owned(), pid: std::process::id() }
    }

    /// The frame to write first.
    ///
    /// # Errors
    /// [`IpcError::Oversize`] for a role name over [`MAX_ROLE`]; [`IpcError::Encode`].
    pub fn frame(&self, version: u32) -> Result<Frame, IpcError> {
        if self.role.len() > MAX_ROLE {
            return Err(IpcError::Oversize { length: self.role.len(), limit: MAX_ROLE });
        }
        let rest = bincode::encode_to_vec(self, bincode::config::standard())
            .map_err(|error| IpcError::Encode(error.to_string()))?;
        Frame::around(&[&MAGIC[..], &version.to_le_bytes(), &rest].concat())
    }

    /// Takes the hello of a child that was started as `role` from what has arrived, if it is there.
    pub(crate) fn take(decoder: &mut Decoder, version: u32, role: &str) -> Result<Option<Self>, IpcError> {
        let taken = decoder.next_body(MAX_HELLO, |body| Self::read(body, version));
        match taken {
            Ok(Some(hello)) if hello.role != role => Err(IpcError::Role { ours: role.to_owned(), theirs: hello.role }),
            Ok(hello) => Ok(hello),
            // Four letters of some text make a large length.
            Err(IpcError::Oversize { .. }) => Err(IpcError::NotHello),
            Err(error) => Err(error),
        }
    }

    /// Reads a hello's body and compares the version before anything that may differ between versions.
    fn read(body: &[u8], ours: u32) -> Result<Self, IpcError> {
        let after_magic = body.strip_prefix(&MAGIC).ok_or(IpcError::NotHello)?;
        let (version, rest) = after_magic.split_first_chunk::<4>().ok_or(IpcError::NotHello)?;
        let theirs = u32::from_le_bytes(*version);
        if theirs != ours {
            return Err(IpcError::Version { ours, theirs });
        }
        decode_body(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameReader, encode};

    async fn accepted(bytes: Vec<u8>) -> Result<(Hello, Option<String>), IpcError> {
        let mut reader = FrameReader::<String, _>::new(&bytes[..]);
        let hello = reader.greet(3, "worker").await?;
        let next = reader.next().await?;
        Ok((hello, next))
    }

    fn hello(version: u32, role: &str) -> Vec<u8> {
        Hello { role: role.into(), pid: 42 }.frame(version).unwrap().as_bytes().to_vec()
    }

    #[tokio::test]
    async fn what_follows_the_hello_in_the_same_read_is_kept() {
        let mut bytes = hello(3, "worker");
        bytes.extend_from_slice(encode(&"next".to_owned()).unwrap().as_bytes());
        let (hello, next) = accepted(bytes).await.unwrap();
        assert_eq!((hello.pid, next.as_deref()), (42, Some("next")));
    }

    #[tokio::test]
    async fn each_wrong_beginning_has_its_own_error() {
        let newer_layout = Frame::around(&[&MAGIC[..], &4_u32.to_le_bytes(), &[0xff; 40]].concat()).unwrap();
        let trailing = Frame::around(&[&hello(3, "worker")[4..], &[0]].concat()).unwrap();
        let cases: Vec<(&str, Vec<u8>, &str)> = vec![
            ("nothing", vec![], "peer ended before its first message"),
            ("text", b"thread 'main' panicked".to_vec(), "first bytes are not a hello"),
            ("ordinary frame", encode(&"hi".to_owned()).unwrap().as_bytes().to_vec(), "first bytes are not a hello"),
            ("other version", hello(2, "worker"), "peer speaks protocol version 2, this process 3"),
            ("newer, other layout", newer_layout.as_bytes().to_vec(), "peer speaks protocol version 4"),
            ("other role", hello(3, "sender"), "peer plays the role \"sender\" instead of \"worker\""),
            ("trailing byte", trailing.as_bytes().to_vec(), "frame is not a valid"),
            ("torn", hello(3, "worker")[..9].to_vec(), "pipe ended inside a frame after 9 bytes"),
        ];
        for (name, bytes, expected) in cases {
            let text = accepted(bytes).await.unwrap_err().to_string();
            assert!(text.starts_with(expected), "{name}: {text}");
        }
    }

    #[test]
    fn a_role_name_has_a_limit() {
        assert!(Hello::own(&"r".repeat(MAX_ROLE)).frame(u32::MAX).unwrap().as_bytes().len() <= MAX_HELLO);
        assert!(Hello::own(&"r".repeat(MAX_ROLE + 1)).frame(1).is_err());
    }
}
