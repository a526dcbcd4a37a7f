//! System events: what happened, how bad it is, and what names it.

use crate::Alert;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Longest text of one value; whatever is told goes through receivers that have limits of their own.
const MAX_VALUE: usize = 500;

/// How bad an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    /// As it should be.
    Informational,
    /// Somebody should look.
    Warning,
    /// Money may be at stake: look now.
    Critical,
}

impl EventType {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something that happened in the system. As JSON it is its own name: the same event, found again, is the same text, so
/// no value of it may depend on when it is looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SystemEvent {
    /// What happened, in a few words.
    pub title: String,
    /// How bad it is.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// What else there is to say; `chain` is always there.
    pub data: BTreeMap<String, String>,
    /// The block in which it happened, or was first seen.
    pub block: u64,
}

/// The key of the chain in [`SystemEvent::data`].
const CHAIN: &str = "chain";

impl SystemEvent {
    /// An alert on a chain.
    #[must_use]
    pub fn new(alert: Alert, chain_id: u64, block: u64) -> Self {
        let data = BTreeMap::from([(CHAIN.to_owned(), chain_id.to_string())]);
        Self { title: alert.title().to_owned(), kind: alert.level(), data, block }
    }

    /// With a value.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "numbers and texts are handed over alike")]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        let mut text = value.to_string();
        if let Some((cut, _)) = text.char_indices().nth(MAX_VALUE) {
            text.truncate(cut);
            text.push('…');
        }
        self.data.insert(name.to_owned(), text);
        self
    }

    /// Its chain.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.data.get(CHAIN).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The whole event as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// SHA-256 of the whole event.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.to_json()).into()
    }

    /// Its name among those that were handled.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(self.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_named_by_all_that_it_says() {
        let event = || SystemEvent::new(Alert::LargeStake, 3, 7).with("b", 1).with("a", 2);
        let json =
            r#"{"title":"Large stake requested","type":"warning","data":{"a":"2","b":"1","chain":"3"},"block":7}"#;
        assert_eq!(event().to_json(), json);
        assert_eq!(event().id(), event().id());
        for other in [
            SystemEvent { block: 8, ..event() },
            SystemEvent { title: Alert::StakeRequested.title().to_owned(), ..event() },
            SystemEvent { kind: EventType::Critical, ..event() },
            event().with("a", 3),
        ] {
            assert_ne!(other.id(), event().id());
        }
        assert_eq!(event().chain_id(), 3);
    }

    #[test]
    fn long_values_are_cut_between_letters() {
        let event = SystemEvent::new(Alert::LargeStake, 1, 1).with("x", "ä".repeat(600));
        assert_eq!(event.data["x"].chars().count(), MAX_VALUE + 1);
    }
}
