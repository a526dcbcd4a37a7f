//! One WebSocket with one subscription.
//!
//! The handshake goes through the HTTP client of the calls, so that TLS, certificates and credentials are the same.

use crate::{
    rpc::{Endpoint, RpcError, builder, no_client},
    types::{Header, parse_checked_header},
};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Client, StatusCode, Upgraded, header};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{
    Message,
    handshake::{client::generate_key, derive_accept_key},
    protocol::{Role, WebSocketConfig},
};

/// Largest message that is read, in bytes: a header has a few thousand.
const MAX_MESSAGE: usize = 1024 * 1024;

/// Why there are no announcements.
#[derive(Debug)]
pub(super) enum Broken {
    /// The node speaks, but offers no subscription.
    NotOffered(String),
    /// The connection failed or ended.
    Lost(String),
}

/// A client for handshakes: HTTP/1.1 alone, since only that has upgrades, and no limit on the whole answer's time.
pub(super) fn client(endpoint: &Endpoint, connect_within: Duration) -> Result<Client, RpcError> {
    let builder = builder(endpoint, connect_within).http1_only();
    builder.build().map_err(|error| no_client(endpoint, error))
}

/// A subscribed connection.
pub(super) struct Socket {
    stream: WebSocketStream<Upgraded>,
}

impl Socket {
    /// Connects and subscribes to new heads.
    pub(super) async fn subscribe(client: &Client, endpoint: &Endpoint, within: Duration) -> Result<Self, Broken> {
        let late = |_| Broken::Lost(format!("no subscription within {} ms", within.as_millis()));
        timeout(within, Self::begin(client, endpoint)).await.map_err(late)?
    }

    async fn begin(client: &Client, endpoint: &Endpoint) -> Result<Self, Broken> {
        let mut socket = Self { stream: upgrade(client, endpoint).await? };
        let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]});
        socket.send(Message::text(ask.to_string())).await?;
        loop {
            let answer = socket.read().await?;
            if answer.get("id").and_then(Value::as_u64) != Some(1) {
                continue;
            }
            if answer.get("result").is_some_and(Value::is_string) {
                return Ok(socket);
            }
            let why = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("no subscription was given");
            return Err(Broken::NotOffered(format!("eth_subscribe: {why}")));
        }
    }

    /// The next head. A connection that says nothing for `quiet_after` is asked for a sign of life, once.
    pub(super) async fn next_head(&mut self, quiet_after: Duration) -> Result<Header, Broken> {
        let mut asked = false;
        loop {
            match timeout(quiet_after, self.stream.next()).await {
                Ok(message) => {
                    asked = false;
                    let Some(value) = parse(message)? else { continue };
                    let Some(header) = value.pointer("/params/result") else { continue };
                    match parse_checked_header(header) {
                        Ok(Some(header)) => return Ok(header),
                        Ok(None) => {}
                        Err(error) => return Err(Broken::NotOffered(format!("an announced head: {error}"))),
                    }
                }
                Err(_) if asked => return Err(Broken::Lost("the connection fell silent".to_owned())),
                Err(_) => {
                    asked = true;
                    self.send(Message::Ping(Vec::new().into())).await?;
                }
            }
        }
    }

    async fn read(&mut self) -> Result<Value, Broken> {
        loop {
            if let Some(value) = parse(self.stream.next().await)? {
                return Ok(value);
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Broken> {
        self.stream.send(message).await.map_err(|error| Broken::Lost(error.to_string()))
    }
}

type Incoming = Option<Result<Message, tokio_tungstenite::tungstenite::Error>>;

/// The JSON in a message; `None` for a sign of life.
fn parse(message: Incoming) -> Result<Option<Value>, Broken> {
    let text = match message {
        Some(Ok(Message::Text(text))) => text,
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => return Ok(None),
        Some(Ok(Message::Close(_))) | None => return Err(Broken::Lost("the node ended the connection".to_owned())),
        Some(Err(error)) => return Err(Broken::Lost(error.to_string())),
    };
    serde_json::from_str(&text).map(Some).map_err(|_| Broken::Lost("an announcement is not JSON".to_owned()))
}

async fn upgrade(client: &Client, endpoint: &Endpoint) -> Result<WebSocketStream<Upgraded>, Broken> {
    let key = generate_key();
    let request = client
        .get(endpoint.url().clone())
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, &key);
    let response = request.send().await.map_err(|error| Broken::Lost(error.without_url().to_string()))?;
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let why = format!("the node takes no WebSocket at the address of its calls (HTTP {})", status.as_u16());
        // Overload passes; any other refusal is the node's choice.
        let passing = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        return Err(if passing { Broken::Lost(why) } else { Broken::NotOffered(why) });
    }
    let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT).map(|value| value.as_bytes());
    if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err(Broken::NotOffered("the answer to the WebSocket handshake does not fit the question".to_owned()));
    }
    let stream = response.upgrade().await.map_err(|error| Broken::Lost(error.without_url().to_string()))?;
    let limits = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    Ok(WebSocketStream::from_raw_socket(stream, Role::Client, Some(limits)).await)
}
