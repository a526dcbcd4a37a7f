//! As much HTTP/1.1 as JSON-RPC clients and nodes speak.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// Largest message that is passed on.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// An HTTP request or answer: its lines up to the empty one, and its body.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Replaces the body, and the length that the head tells.
    pub(crate) fn set_body(&mut self, body: Vec<u8>) {
        self.body = body;
        self.tell_length(self.body.len());
    }

    /// Lets the head tell this length, whatever the body has.
    pub(crate) fn tell_length(&mut self, length: usize) {
        let head = String::from_utf8_lossy(&self.head).into_owned();
        let lines = head.split_inclusive("\r\n").map(|line| {
            let is_length = line.to_ascii_lowercase().starts_with("content-length:");
            if is_length { format!("content-length: {length}\r\n") } else { line.to_owned() }
        });
        self.head = lines.collect::<String>().into_bytes();
    }

    /// Whether it asks for a WebSocket.
    pub(crate) fn is_upgrade(&self) -> bool {
        let head = String::from_utf8_lossy(&self.head).to_ascii_lowercase();
        head.lines().any(|line| line.starts_with("upgrade:") && line.contains("websocket"))
    }

    /// An answer of the proxy itself, with further header lines.
    pub(crate) fn answer(status: u16, lines: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} Fault\r\n{lines}content-length: {length}\r\n\r\n");
        Self { head: head.into_bytes(), body: body.as_bytes().to_vec() }
    }

    /// Writes it whole.
    pub(crate) async fn write(&self, stream: &mut TcpStream) -> Result<()> {
        stream.write_all(&self.head).await?;
        Ok(stream.write_all(&self.body).await?)
    }
}

/// The next message; `None` when the other side has closed the connection between two.
pub(crate) async fn read_message(stream: &mut BufReader<TcpStream>) -> Result<Option<Message>> {
    let mut head = Vec::new();
    let mut length = None;
    loop {
        let start = head.len();
        if stream.read_until(b'\n', &mut head).await? == 0 {
            return if head.is_empty() { Ok(None) } else { bail!("torn message") };
        }
        let line = String::from_utf8_lossy(head.get(start..).unwrap_or_default()).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = Some(value.trim().parse::<usize>()?);
        }
        if line.starts_with("transfer-encoding:") {
            bail!("messages in chunks are not passed on");
        }
        if line == "\r\n" || line == "\n" {
            break;
        }
    }
    let length = length.unwrap_or(0);
    if length > MAX_BODY {
        bail!("a message of {length} bytes is too long");
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Message { head, body }))
}

/// The node behind the proxy, over one connection at a time.
pub(super) struct Upstream {
    address: std::sync::Arc<str>,
    connection: Option<BufReader<TcpStream>>,
}

impl Upstream {
    pub(super) fn new(address: std::sync::Arc<str>) -> Self {
        Self { address, connection: None }
    }

    /// A connection of its own, for a tunnel.
    pub(super) async fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(&*self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// The node's answer.
    pub(super) async fn exchange(&mut self, message: &Message) -> Result<Message> {
        if self.connection.is_none() {
            self.connection = Some(BufReader::new(self.connect().await?));
        }
        let node = self.connection.as_mut().context("no connection")?;
        message.write(node.get_mut()).await?;
        read_message(node).await?.context("the node closed the connection")
    }

    /// The result of a call of the proxy's own.
    pub(super) async fn call(&mut self, method: &str, params: Json) -> Result<Json> {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let (host, length) = (&self.address, call.len());
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        let answer = self.exchange(&Message { head: head.into_bytes(), body: call.into_bytes() }).await?;
        let mut answer: Json = serde_json::from_slice(&answer.body)?;
        Ok(answer["result"].take())
    }
}
