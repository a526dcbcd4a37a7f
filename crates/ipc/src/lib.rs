//! Typed, length-limited frames between a parent and its children, over pipes.
//!
//! A frame is a `u32` length (little endian) and a body in bincode's native encoding. A child's first frame is its
//! [`Hello`]; all later ones decode as exactly one message enum per direction, so that sending the wrong message
//! does not compile. A frame without a body is a heartbeat.
//!
//! Invariants: a length is checked before anything is allocated for it; a stream that failed once is never read
//! again; a buffer that held a frame is wiped as soon as the frame is used, because frames may carry keys.
//!
//! Left alone: what the messages mean (`roles` owns them), who starts and ends processes (`supervisor`).

mod codec;
mod error;
mod hello;
mod link;
mod reader;
pub mod stdio;
mod writer;

pub use codec::{Decoder, Frame, MAX_DECODED, MAX_FRAME, Sign, encode};
pub use error::IpcError;
pub use hello::{Hello, MAX_HELLO, MAX_ROLE};
pub use link::{ChildLink, Link};
pub use reader::FrameReader;
pub use writer::{FrameSender, MAX_QUEUED_BYTES, WriterOptions, WriterTask, start_writer};
