//! Any other program: all events as JSON, signed.
//!
//! The header `X-Facilitator-Signature` is `v1=` and the hexadecimal HMAC-SHA256, under the shared secret, of the value of
//! `X-Facilitator-Timestamp` (Unix seconds), a dot, and the body as it was sent.

use super::{Ack, Client, Receiver};
use crate::{SystemEvent, Task};
use hmac::{Hmac, Mac as _};
use serde_json::json;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Posts every event.
#[derive(Clone)]
pub struct Webhook {
    client: Client,
    secret: Option<Zeroizing<String>>,
    environment: &'static str,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Webhook([hidden])")
    }
}

impl Webhook {
    /// Posts by this client, signed under `secret` if there is one.
    #[must_use]
    pub fn new(client: Client, secret: Option<String>, environment: &'static str) -> Self {
        Self { client, secret: secret.map(Zeroizing::new), environment }
    }
}

/// The value of the signature's header.
fn signature(secret: &str, timestamp: &str, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    for part in [timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    Some(format!("v1={}", hex::encode(mac.finalize().into_bytes())))
}

impl Receiver for Webhook {
    fn id(&self) -> &'static str {
        "Webhook"
    }

    fn supports(&self, _event: &SystemEvent) -> bool {
        true
    }

    fn handle<'a>(&'a self, event: &'a SystemEvent, now_ms: i64) -> Task<'a, Result<Ack, String>> {
        Box::pin(async move {
            let mut body = json!(event);
            body["id"] = json!(event.id());
            body["environment"] = json!(self.environment);
            let (body, timestamp) = (body.to_string(), (now_ms / 1000).to_string());
            let mut headers = vec![("content-type", "application/json".to_owned())];
            if let Some(secret) = &self.secret {
                let signed = signature(secret, &timestamp, &body).ok_or("the webhook's secret can't sign")?;
                headers.push(("x-facilitator-signature", signed));
            }
            headers.push(("x-facilitator-timestamp", timestamp));
            self.client.post(&headers, &body).await.map(|()| Ack::Handled)
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_signature_is_over_time_and_body() {
        // printf '%s' '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key
        let wanted = "v1=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03";
        assert_eq!(super::signature("key", "1700000000", "{\"a\":1}").as_deref(), Some(wanted));
    }
}
