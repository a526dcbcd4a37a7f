//! Discord: informational events, as embeds of a channel's webhook.

use super::{Ack, Client, Receiver};
use crate::{EventType, SystemEvent, Task};
use serde_json::{Value, json};

/// The colour of the bar beside an event.
const COLOR: u32 = 0x00_3399;

/// Most fields of an embed.
const MAX_FIELDS: usize = 25;

/// Posts to a channel.
#[derive(Debug, Clone)]
pub struct Discord(Client);

impl Discord {
    /// Posts to the webhook of this client.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self(client)
    }
}

fn body(event: &SystemEvent) -> Value {
    let field = |name: &str, value: &str| json!({ "name": name, "value": if value.is_empty() { "-" } else { value } });
    let mut fields: Vec<Value> = event.data.iter().map(|(name, value)| field(name, value)).collect();
    fields.truncate(MAX_FIELDS - 1);
    fields.push(field("block", &event.block.to_string()));
    json!({ "embeds": [{ "title": event.title, "color": COLOR, "fields": fields }] })
}

impl Receiver for Discord {
    fn id(&self) -> &'static str {
        "Discord"
    }

    fn supports(&self, event: &SystemEvent) -> bool {
        event.kind == EventType::Informational
    }

    fn handle<'a>(&'a self, event: &'a SystemEvent, _now_ms: i64) -> Task<'a, Result<Ack, String>> {
        Box::pin(async move {
            let headers = [("content-type", "application/json".to_owned())];
            self.0.post(&headers, &body(event).to_string()).await.map(|()| Ack::Handled)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Alert;

    #[test]
    fn an_embed_has_title_color_all_values_and_the_block() {
        let event = SystemEvent::new(Alert::StakeRequested, 3, 7).with("amount", 5);
        let wanted = json!({ "embeds": [{
            "title": "Stake requested",
            "color": 0x003399,
            "fields": [
                { "name": "amount", "value": "5" },
                { "name": "chain", "value": "3" },
                { "name": "block", "value": "7" },
            ],
        }] });
        assert_eq!(body(&event), wanted);
        let crowded = (0..40).fold(event, |event, i| event.with(&format!("x{i}"), ""));
        let fields = &body(&crowded)["embeds"][0]["fields"];
        assert_eq!(fields.as_array().map(Vec::len), Some(MAX_FIELDS));
        assert_eq!(fields[24]["name"], "block");
    }
}
