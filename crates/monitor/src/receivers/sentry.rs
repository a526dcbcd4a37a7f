//! Sentry: warnings and critical events, as envelopes to the address that the DSN names.

use super::{Ack, BadUrl, Client, Receiver};
use crate::{EventType, SystemEvent, Task};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// A text that is no DSN. Does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a DSN: https://<key>@<host>/<project>")]
pub struct BadDsn;

impl From<BadUrl> for BadDsn {
    fn from(_: BadUrl) -> Self {
        Self
    }
}

/// Posts to a project.
#[derive(Clone)]
pub struct Sentry {
    client: Client,
    /// What lets us in.
    authorization: String,
    environment: &'static str,
}

impl std::fmt::Debug for Sentry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sentry([hidden])")
    }
}

impl Sentry {
    /// Posts to the project of a DSN.
    ///
    /// # Errors
    /// [`BadDsn`].
    pub fn new(dsn: &str, environment: &'static str, timeout: Duration) -> Result<Self, BadDsn> {
        let (url, key) = envelope_url(dsn).ok_or(BadDsn)?;
        let client = concat!("facilitator/", env!("CARGO_PKG_VERSION"));
        let authorization = format!("Sentry sentry_version=7, sentry_client={client}, sentry_key={key}");
        Ok(Self { client: Client::new(&url, timeout)?, authorization, environment })
    }
}

/// Where envelopes go, and the public key.
fn envelope_url(dsn: &str) -> Option<(String, String)> {
    let mut url = Url::parse(dsn).ok()?;
    let key = url.username().to_owned();
    let (base, project) = url.path().trim_end_matches('/').rsplit_once('/')?;
    if key.is_empty() || project.is_empty() {
        return None;
    }
    let path = format!("{base}/api/{project}/envelope/");
    url.set_path(&path);
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some((url.into(), key))
}

/// The lines of an envelope: its header, the header of the one item, and that.
fn envelope(event: &SystemEvent, environment: &str, now_ms: i64) -> String {
    let level = match event.kind {
        EventType::Informational => "info",
        EventType::Warning => "warning",
        EventType::Critical => "fatal",
    };
    let digest = event.digest();
    // Named after what it says: should it ever be sent twice, it is still one.
    let id = hex::encode(digest.get(..16).unwrap_or_default());
    let mut extra = json!(event.data);
    extra["block"] = json!(event.block);
    let payload = json!({
        "event_id": id,
        "timestamp": f64::from(u32::try_from(now_ms / 1000).unwrap_or(u32::MAX)),
        "platform": "other",
        "logger": "facilitator.monitor",
        "level": level,
        // Else events of equal titles would become one.
        "message": format!("{} [{}]", event.title, base64(&digest)),
        "environment": environment,
        "extra": extra,
    })
    .to_string();
    let item: Value = json!({ "type": "event", "content_type": "application/json", "length": payload.len() });
    format!("{}\n{item}\n{payload}\n", json!({ "event_id": id }))
}

/// Base64 with its usual letters and padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |group: u32, place: u32| {
        let index = usize::try_from((group >> (18 - 6 * place)) & 63).unwrap_or_default();
        LETTERS.get(index).copied().map_or('=', char::from)
    };
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        let filled = chunk.len() + 1;
        text.extend((0..4u32).zip(0..4usize).map(|(place, n)| if n < filled { letter(group, place) } else { '=' }));
    }
    text
}

impl Receiver for Sentry {
    fn id(&self) -> &'static str {
        "Sentry"
    }

    fn supports(&self, event: &SystemEvent) -> bool {
        match event.kind {
            EventType::Informational => false,
            EventType::Warning | EventType::Critical => true,
        }
    }

    fn handle<'a>(&'a self, event: &'a SystemEvent, now_ms: i64) -> Task<'a, Result<Ack, String>> {
        Box::pin(async move {
            let headers = [
                ("content-type", "application/x-sentry-envelope".to_owned()),
                ("x-sentry-auth", self.authorization.clone()),
            ];
            self.client.post(&headers, &envelope(event, self.environment, now_ms)).await.map(|()| Ack::Handled)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says what cannot go wrong by panicking")]
mod tests {
    use super::*;
    use crate::Alert;

    #[test]
    fn a_dsn_names_address_and_key() {
        for (dsn, url) in [
            ("https://key@o1.ingest.sentry.io/42", "https://o1.ingest.sentry.io/api/42/envelope/"),
            ("http://key:old@localhost:9000/under/42/", "http://localhost:9000/under/api/42/envelope/"),
        ] {
            assert_eq!(envelope_url(dsn), Some((url.to_owned(), "key".to_owned())), "{dsn}");
        }
        for dsn in ["", "nonsense", "https://sentry.io/42", "https://key@sentry.io", "https://key@sentry.io/"] {
            assert_eq!(envelope_url(dsn), None, "{dsn}");
        }
    }

    #[test]
    fn an_envelope_is_three_lines_and_the_message_ends_in_the_hash() {
        let event = SystemEvent::new(Alert::GatewayDeactivated, 3, 7).with("gateway", "0x1");
        let text = envelope(&event, "testnet", 1_700_000_000_123);
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [head, item, payload] = lines.as_slice() else { panic!("{text}") };
        assert_eq!(head["event_id"], payload["event_id"]);
        assert_eq!(item["length"], text.lines().nth(2).unwrap().len());
        assert_eq!(payload["message"], format!("Gateway deactivated [{}]", base64(&event.digest())));
        assert_eq!((&payload["level"], &payload["extra"]["block"]), (&json!("fatal"), &json!(7)));
        assert_eq!(payload["extra"]["gateway"], "0x1");
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
