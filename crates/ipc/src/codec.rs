//! Frames as bytes: encode one, and decode a stream that arrives in pieces. No I/O, so it can be fuzzed as it is.
//!
//! Invariant: memory grows with the bytes that arrived, never with the bytes that a length field promises; bytes of
//! a used frame are overwritten at once.

use std::any::type_name;

use bincode::config::{self, Configuration, Limit, LittleEndian, Varint};
use bincode::enc::EncoderImpl;
use bincode::enc::write::SizeWriter;
use bincode::{Decode, Encode, decode_from_slice, encode_into_std_write};
use zeroize::{Zeroize, Zeroizing};

use crate::IpcError;

/// Largest body of a frame, in bytes.
pub const MAX_FRAME: usize = 8 << 20;

/// Most memory, in bytes, that one message's containers may claim while it is decoded. Larger than [`MAX_FRAME`]
/// because a value in memory is wider than its encoding.
pub const MAX_DECODED: usize = 8 * MAX_FRAME;

/// Bytes of the length field.
pub(crate) const PREFIX: usize = 4;

/// Space that is kept free for one read.
const READ_AHEAD: usize = 4 << 10;

/// An empty buffer larger than this is given back.
const KEEP_CAPACITY: usize = 64 << 10;

type FrameConfig = Configuration<LittleEndian, Varint, Limit<MAX_DECODED>>;

const fn frame_config() -> FrameConfig {
    config::standard().with_limit::<MAX_DECODED>()
}

/// What a peer may send: a message, or only a sign that it lives.
#[derive(Debug, PartialEq, Eq)]
pub enum Sign<T> {
    /// A message.
    Message(T),
    /// A frame without a body: a heartbeat. No message of ours is empty.
    Beat,
}

/// One encoded frame with its length field; wiped when dropped.
pub struct Frame(Zeroizing<Vec<u8>>);

impl Frame {
    /// All bytes to write, length field first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A heartbeat.
    pub(crate) fn beat() -> Self {
        Self(Zeroizing::new(vec![0; PREFIX]))
    }

    /// A frame around `body`.
    ///
    /// # Errors
    /// [`IpcError::Oversize`].
    pub(crate) fn around(body: &[u8]) -> Result<Self, IpcError> {
        let mut bytes = start_frame(body.len())?;
        bytes.extend_from_slice(body);
        Ok(Self(bytes))
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({} bytes)", self.0.len())
    }
}

/// A buffer with exactly the room for a body of `length` bytes, so that it never moves and leaves copies behind.
fn start_frame(length: usize) -> Result<Zeroizing<Vec<u8>>, IpcError> {
    let oversize = IpcError::Oversize { length, limit: MAX_FRAME };
    let prefix = match u32::try_from(length) {
        Ok(prefix) if length <= MAX_FRAME => prefix,
        Ok(_) | Err(_) => return Err(oversize),
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(PREFIX + length));
    bytes.extend_from_slice(&prefix.to_le_bytes());
    Ok(bytes)
}

/// Encodes one message as a frame.
///
/// # Errors
/// [`IpcError::Oversize`] if the body is over [`MAX_FRAME`]; [`IpcError::Encode`] if its type refuses.
pub fn encode<T: Encode>(message: &T) -> Result<Frame, IpcError> {
    let refused = |error: bincode::error::EncodeError| IpcError::Encode(error.to_string());
    let mut measure = EncoderImpl::<_, FrameConfig>::new(SizeWriter::default(), frame_config());
    message.encode(&mut measure).map_err(refused)?;
    let mut bytes = start_frame(measure.into_writer().bytes_written)?;
    encode_into_std_write(message, &mut *bytes, frame_config()).map_err(refused)?;
    Ok(Frame(bytes))
}

/// Decodes a body that must be exactly one `T`.
pub(crate) fn decode_body<T: Decode<()>>(body: &[u8]) -> Result<T, IpcError> {
    let garbage = |reason: String| IpcError::Garbage { expected: type_name::<T>(), reason };
    let (message, used) = decode_from_slice(body, frame_config()).map_err(|error| garbage(error.to_string()))?;
    match body.len() - used {
        0 => Ok(message),
        trailing => Err(garbage(format!("{trailing} bytes too many"))),
    }
}

/// Takes bytes as they come and gives out whole messages.
#[derive(Default)]
pub struct Decoder {
    /// Bytes received; those before `start` are used and wiped.
    buffer: Vec<u8>,
    start: usize,
    failed: bool,
}

impl Decoder {
    /// An empty decoder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, or nothing yet.
    ///
    /// # Errors
    /// [`IpcError::Oversize`] from the length field alone, [`IpcError::Garbage`], and after any of them
    /// [`IpcError::Unusable`].
    pub fn decode<T: Decode<()>>(&mut self) -> Result<Option<T>, IpcError> {
        self.next_body(MAX_FRAME, decode_body::<T>)
    }

    /// As [`Self::decode`], where heartbeats may stand between the messages.
    ///
    /// # Errors
    /// Those of [`Self::decode`].
    pub fn decode_sign<T: Decode<()>>(&mut self) -> Result<Option<Sign<T>>, IpcError> {
        self.next_body(MAX_FRAME, |body| {
            if body.is_empty() { Ok(Sign::Beat) } else { decode_body::<T>(body).map(Sign::Message) }
        })
    }

    /// The end of the stream: fine on the boundary of a frame.
    ///
    /// # Errors
    /// [`IpcError::Torn`] within a frame; [`IpcError::Unusable`] after an earlier error.
    pub fn finish(&self) -> Result<(), IpcError> {
        match (self.failed, self.pending()) {
            (true, _) => Err(IpcError::Unusable),
            (false, 0) => Ok(()),
            (false, got) => Err(IpcError::Torn { got }),
        }
    }

    /// Bytes that wait for the rest of their frame.
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// As [`Self::decode`], with the caller's limit and reading of the body.
    pub(crate) fn next_body<T>(
        &mut self,
        limit: usize,
        read: impl FnOnce(&[u8]) -> Result<T, IpcError>,
    ) -> Result<Option<T>, IpcError> {
        if self.failed {
            return Err(IpcError::Unusable);
        }
        let taken = self.take_body(limit, read);
        self.failed = taken.is_err();
        taken
    }

    fn take_body<T>(
        &mut self,
        limit: usize,
        read: impl FnOnce(&[u8]) -> Result<T, IpcError>,
    ) -> Result<Option<T>, IpcError> {
        let unread = &mut self.buffer[self.start..];
        let Some((prefix, rest)) = unread.split_first_chunk_mut::<PREFIX>() else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
        if length > limit {
            return Err(IpcError::Oversize { length, limit });
        }
        let Some(body) = rest.get_mut(..length) else { return Ok(None) };
        let message = read(body);
        body.zeroize();
        self.start += PREFIX + length;
        self.release_when_empty();
        message.map(Some)
    }

    /// The buffer with room for one read, for a reader that appends to it.
    pub(crate) fn space(&mut self) -> &mut Vec<u8> {
        self.make_room(READ_AHEAD);
        &mut self.buffer
    }

    /// Makes sure that `more` bytes fit without `Vec` moving by itself, which would leave unwiped copies.
    fn make_room(&mut self, more: usize) {
        if self.buffer.capacity() - self.buffer.len() >= more {
            return;
        }
        let pending = self.pending();
        if self.start >= more && self.start >= pending {
            self.buffer.copy_within(self.start.., 0);
            // What lies behind the moved bytes is an old copy of them.
            self.buffer[pending..].zeroize();
            self.buffer.truncate(pending);
        } else {
            let mut larger = Vec::with_capacity((2 * pending).max(pending + more));
            larger.extend_from_slice(&self.buffer[self.start..]);
            self.buffer.zeroize();
            self.buffer = larger;
        }
        self.start = 0;
    }

    fn release_when_empty(&mut self) {
        if self.pending() > 0 {
            return;
        }
        self.buffer.clear();
        self.start = 0;
        if self.buffer.capacity() > KEEP_CAPACITY {
            self.buffer = Vec::new();
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("pending", &self.pending()).field("failed", &self.failed).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Encode, Decode)]
    enum Message {
        Unit,
        Text(String),
        Many(Vec<[u8; 32]>),
    }

    fn samples() -> Vec<Message> {
        vec![Message::Unit, Message::Text("läuft".into()), Message::Many(vec![[7; 32]; 9]), Message::Text("".into())]
    }

    fn bytes_of(messages: &[Message]) -> Vec<u8> {
        messages.iter().flat_map(|m| encode(m).unwrap().as_bytes().to_vec()).collect()
    }

    fn drain(decoder: &mut Decoder) -> Vec<Message> {
        std::iter::from_fn(|| decoder.decode().unwrap()).collect()
    }

    #[test]
    fn messages_survive_any_cut_into_pieces() {
        let stream = bytes_of(&samples());
        for piece in 1..=stream.len() {
            let mut decoder = Decoder::new();
            let mut got = Vec::new();
            for part in stream.chunks(piece) {
                decoder.push(part);
                got.extend(drain(&mut decoder));
            }
            assert_eq!(got, samples(), "pieces of {piece} bytes");
            decoder.finish().unwrap();
        }
    }

    #[test]
    fn an_end_inside_a_frame_is_torn_at_every_byte() {
        let frame = bytes_of(&[Message::Text("cut me anywhere".into())]);
        for cut in 0..=frame.len() {
            let mut decoder = Decoder::new();
            decoder.push(&frame[..cut]);
            let whole = drain(&mut decoder).len();
            match decoder.finish() {
                Ok(()) => assert!(cut == 0 || whole == 1, "cut at {cut} passes for a clean end"),
                Err(IpcError::Torn { got }) => assert_eq!((got, whole), (cut, 0)),
                Err(other) => panic!("cut at {cut}: {other}"),
            }
        }
    }

    #[test]
    fn an_oversize_length_is_refused_before_anything_is_allocated() {
        for length in [MAX_FRAME + 1, u32::MAX as usize] {
            let mut decoder = Decoder::new();
            decoder.push(&u32::try_from(length).unwrap().to_le_bytes());
            assert!(matches!(decoder.decode::<Message>(), Err(IpcError::Oversize { length: l, .. }) if l == length));
            assert!(decoder.buffer.capacity() < 1 << 10);
            assert!(matches!(decoder.decode::<Message>(), Err(IpcError::Unusable)), "a failed stream stays failed");
            assert!(matches!(decoder.finish(), Err(IpcError::Unusable)));
        }
    }

    #[test]
    fn a_promised_length_alone_takes_no_memory() {
        let mut decoder = Decoder::new();
        decoder.push(&u32::try_from(MAX_FRAME).unwrap().to_le_bytes());
        assert_eq!(decoder.decode::<Message>().unwrap(), None);
        assert!(decoder.space().capacity() <= 2 * READ_AHEAD);
    }

    #[test]
    fn the_limit_holds_for_own_messages_and_is_reachable() {
        let fits = Message::Text("x".repeat(MAX_FRAME - 6));
        let mut decoder = Decoder::new();
        decoder.push(encode(&fits).unwrap().as_bytes());
        assert_eq!(decoder.decode::<Message>().unwrap(), Some(fits));
        assert!(decoder.buffer.capacity() <= KEEP_CAPACITY, "a large buffer is given back");
        let over = Message::Text("x".repeat(MAX_FRAME));
        assert!(matches!(encode(&over), Err(IpcError::Oversize { .. })));
    }

    #[test]
    fn a_body_is_exactly_one_message() {
        let good = encode(&Message::Text("abc".into())).unwrap().as_bytes()[PREFIX..].to_vec();
        let with = |f: fn(&mut Vec<u8>)| {
            let mut body = good.clone();
            f(&mut body);
            body
        };
        let claims_much = [&[2, 253][..], &(u64::MAX / 64).to_le_bytes()].concat();
        let bad: Vec<(&str, Vec<u8>)> = vec![
            ("empty", Vec::new()),
            ("trailing byte", with(|b| b.push(0))),
            ("short", with(|b| b.truncate(b.len() - 1))),
            ("unknown variant", with(|b| b[0] = 9)),
            ("not UTF-8", with(|b| b[2] = 0xff)),
            ("list that claims more than memory allows", claims_much),
        ];
        for (name, body) in bad {
            let mut decoder = Decoder::new();
            decoder.push(Frame::around(&body).unwrap().as_bytes());
            assert!(matches!(decoder.decode::<Message>(), Err(IpcError::Garbage { .. })), "{name}");
        }
    }

    #[test]
    fn garbage_never_panics_nor_grows() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..20_000 {
            let mut decoder = Decoder::new();
            let length = random() % 64;
            // A plausible length field lets half of the cases reach the body's decoder.
            if random() % 2 == 0 {
                decoder.push(&u32::try_from(length).unwrap().to_le_bytes());
            }
            let bytes: Vec<u8> = (0..length).map(|_| random().to_le_bytes()[0] >> (random() % 7)).collect();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.decode::<Message>() {}
            assert!(decoder.buffer.capacity() < 1 << 10);
        }
    }

    #[test]
    fn used_bytes_are_wiped() {
        let mut decoder = Decoder::new();
        decoder.push(&bytes_of(&[Message::Text("secret".into()), Message::Text("secret".into())]));
        decoder.decode::<Message>().unwrap().unwrap();
        let used = &decoder.buffer[..decoder.start];
        assert!(used[PREFIX..].iter().all(|byte| *byte == 0));
        assert!(decoder.pending() > 0);
        assert_eq!(format!("{decoder:?}"), "Decoder { pending: 12, failed: false }");
    }
}
