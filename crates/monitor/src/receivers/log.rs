//! The log: always there, for all events.

use super::{Ack, Receiver};
use crate::{EventType, SystemEvent, Task};

/// Handled events that are remembered together; a line twice does no harm.
const TOGETHER: usize = 100;

/// Writes each event into the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Log;

impl Receiver for Log {
    fn id(&self) -> &'static str {
        "Log"
    }

    fn supports(&self, _event: &SystemEvent) -> bool {
        true
    }

    fn handle<'a>(&'a self, event: &'a SystemEvent, _now_ms: i64) -> Task<'a, Result<Ack, String>> {
        let SystemEvent { title, block, .. } = event;
        let chain = event.chain_id();
        let data = serde_json::to_string(&event.data).unwrap_or_default();
        match event.kind {
            EventType::Informational => tracing::info!(chain, block, data, "{title}"),
            EventType::Warning => tracing::warn!(chain, block, data, "{title}"),
            EventType::Critical => tracing::error!(chain, block, data, "{title}"),
        }
        Box::pin(async { Ok(Ack::Handled) })
    }

    fn together(&self) -> usize {
        TOGETHER
    }
}
