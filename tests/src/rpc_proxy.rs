//! A proxy before a node's JSON-RPC that counts what passes, and can be told to make trouble.
//!
//! Speaks as much HTTP/1.1 as JSON-RPC clients and nodes do: requests and answers with a length, connections kept
//! open. What it passes on is passed byte for byte.

use anyhow::{Context as _, Result, bail};
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Largest message that is passed on.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// What passed so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// HTTP requests.
    pub requests: u64,
    /// JSON-RPC calls by method.
    pub calls: BTreeMap<String, u64>,
}

impl Counts {
    /// All calls.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.calls.values().sum()
    }

    /// What passed since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |method: &str| earlier.calls.get(method).copied().unwrap_or(0);
        let calls = self.calls.iter().map(|(method, count)| (method.clone(), count - before(method)));
        Self { requests: self.requests - earlier.requests, calls: calls.filter(|(_, count)| *count > 0).collect() }
    }
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Pass it on.
    None,
    /// Pass it on later.
    Delay(Duration),
    /// Answer with this HTTP status instead of passing it on.
    Status(u16),
    /// Close the connection instead of passing it on.
    Drop,
    /// Pass it on, and close the connection instead of bringing the answer.
    LoseAnswer,
}

/// A request as a rule sees it.
#[derive(Debug)]
pub struct Request<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// The methods called in it.
    pub methods: &'a [String],
}

type Rule = Box<dyn FnMut(&Request<'_>) -> Fault + Send>;
/// Changes the answer to a call, told its method and parameters.
type Edit = Box<dyn FnMut(&str, &Json, &mut Json) + Send>;

struct State {
    counts: Counts,
    rule: Rule,
    edit: Option<Edit>,
}

/// A running proxy; ends when it is dropped.
pub struct RpcProxy {
    /// Its address for JSON-RPC.
    pub url: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl std::fmt::Debug for RpcProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RpcProxy({})", self.url)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RpcProxy {
    /// Starts a proxy on a free port before the node at `upstream`, a URL without a path.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let upstream: Arc<str> = upstream.trim_start_matches("http://").trim_end_matches('/').into();
        let state =
            Arc::new(Mutex::new(State { counts: Counts::default(), rule: Box::new(|_| Fault::None), edit: None }));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A connection that breaks off is the client's to notice.
                let serving = serve(client, Arc::clone(&upstream), Arc::clone(&shared));
                tokio::spawn(async move { drop(serving.await) });
            }
        });
        Ok(Self { url, state, task })
    }

    /// What passed so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        lock(&self.state).counts.clone()
    }

    /// From now on `rule` decides about each request.
    pub fn set_rule(&self, rule: impl FnMut(&Request<'_>) -> Fault + Send + 'static) {
        lock(&self.state).rule = Box::new(rule);
    }

    /// From now on `edit` may change the answer to each call: it is told method, parameters, and the answer with its `result`
    /// or `error`.
    pub fn set_edit(&self, edit: impl FnMut(&str, &Json, &mut Json) + Send + 'static) {
        lock(&self.state).edit = Some(Box::new(edit));
    }

    /// Answers pass as they are again.
    pub fn clear_edit(&self) {
        lock(&self.state).edit = None;
    }
}

impl Drop for RpcProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(client: TcpStream, upstream: Arc<str>, state: Arc<Mutex<State>>) -> Result<()> {
    client.set_nodelay(true)?;
    let mut client = BufReader::new(client);
    let mut node: Option<BufReader<TcpStream>> = None;
    while let Some(message) = read_message(&mut client).await? {
        match decide(&state, &message.body) {
            Fault::None => {}
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::Status(status) => {
                let answer = format!("HTTP/1.1 {status} Fault\r\ncontent-length: 0\r\n\r\n");
                client.get_mut().write_all(answer.as_bytes()).await?;
                continue;
            }
            Fault::Drop => return Ok(()),
            Fault::LoseAnswer => {
                let _ = exchange(&mut node, &upstream, &message).await?;
                return Ok(());
            }
        }
        let mut answer = exchange(&mut node, &upstream, &message).await?;
        edit(&state, &message.body, &mut answer);
        client.get_mut().write_all(&answer.head).await?;
        client.get_mut().write_all(&answer.body).await?;
    }
    Ok(())
}

async fn exchange(node: &mut Option<BufReader<TcpStream>>, upstream: &str, message: &Message) -> Result<Message> {
    if node.is_none() {
        let stream = TcpStream::connect(upstream).await?;
        stream.set_nodelay(true)?;
        *node = Some(BufReader::new(stream));
    }
    let node = node.as_mut().context("no connection")?;
    node.get_mut().write_all(&message.head).await?;
    node.get_mut().write_all(&message.body).await?;
    read_message(node).await?.context("the node closed the connection")
}

/// Counts a request and asks the rule about it.
fn decide(state: &Mutex<State>, body: &[u8]) -> Fault {
    let json: Json = serde_json::from_slice(body).unwrap_or_default();
    let calls = json.as_array().map_or(std::slice::from_ref(&json), Vec::as_slice);
    let methods: Vec<String> = calls.iter().map(|call| call["method"].as_str().unwrap_or("?").to_owned()).collect();
    let mut state = lock(state);
    state.counts.requests += 1;
    for method in &methods {
        *state.counts.calls.entry(method.clone()).or_default() += 1;
    }
    let number = state.counts.requests;
    (state.rule)(&Request { number, methods: &methods })
}

/// Lets the editor change what a node answers.
fn edit(state: &Mutex<State>, asked: &[u8], answer: &mut Message) {
    let mut state = lock(state);
    let Some(edit) = state.edit.as_mut() else { return };
    let asked: Json = serde_json::from_slice(asked).unwrap_or_default();
    let Ok(mut told) = serde_json::from_slice::<Json>(&answer.body) else { return };
    let calls = asked.as_array().map_or(std::slice::from_ref(&asked), Vec::as_slice);
    let answers = match &mut told {
        Json::Array(answers) => answers.as_mut_slice(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => {
            std::slice::from_mut(&mut told)
        }
    };
    for answer in answers {
        let call = calls.iter().find(|call| call["id"] == answer["id"]);
        if let Some(call) = call {
            edit(call["method"].as_str().unwrap_or("?"), &call["params"], answer);
        }
    }
    answer.body = told.to_string().into_bytes();
    let head = String::from_utf8_lossy(&answer.head).into_owned();
    let lines = head.split_inclusive("\r\n").map(|line| {
        let is_length = line.to_ascii_lowercase().starts_with("content-length:");
        if is_length { format!("content-length: {}\r\n", answer.body.len()) } else { line.to_owned() }
    });
    answer.head = lines.collect::<String>().into_bytes();
}

/// An HTTP request or answer: its lines up to the empty one, and its body.
struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
}

/// The next message; `None` when the other side has closed the connection between two.
async fn read_message(stream: &mut BufReader<TcpStream>) -> Result<Option<Message>> {
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
