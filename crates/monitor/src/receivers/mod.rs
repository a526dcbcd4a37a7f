//! Who is told. A receiver decides for each event whether it handles or ignores it.

mod discord;
mod http;
mod log;
mod sentry;
mod webhook;

pub use discord::Discord;
pub use http::{BadUrl, Client};
pub use log::Log;
pub use sentry::{BadDsn, Sentry};
pub use webhook::Webhook;

use crate::{SystemEvent, Task};

/// What a receiver did with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// It has it, and is not to get it again.
    Handled,
    /// It does not want it.
    Ignored,
}

/// Takes system events.
pub trait Receiver: Send + Sync {
    /// Its name: what it has handled is remembered under it.
    fn id(&self) -> &'static str;

    /// Whether it wants this event.
    fn supports(&self, event: &SystemEvent) -> bool;

    /// Takes an event. The error is for the log and the report: no URL, no key.
    fn handle<'a>(&'a self, event: &'a SystemEvent, now_ms: i64) -> Task<'a, Result<Ack, String>>;

    /// How many handled events are remembered together: should the process die before, it gets so many again.
    fn together(&self) -> usize {
        1
    }
}
