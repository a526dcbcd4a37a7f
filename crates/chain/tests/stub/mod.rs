//! An HTTP server on a free port that answers JSON-RPC as a test says, faults included.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file uses another part of it")]

use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the server does with one HTTP request.
pub enum Reply {
    /// 200 with this body.
    Json(Value),
    /// Another status, with headers and a body.
    Status(u16, &'static str, String),
    /// 200 with this text.
    Text(String),
    /// 200 in chunks without a length, so many bytes.
    Endless(usize),
    /// Announces more than it sends.
    Truncated(Value),
    /// Closes the connection without a word.
    Close,
    /// Never answers.
    Stall,
}

/// A running server; it ends with the test's runtime.
pub struct Stub {
    pub address: String,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl Stub {
    /// Starts a server; `handler` gets the body and the number of requests before it.
    pub async fn start(handler: impl Fn(&Value, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (handler, log) = (Arc::new(handler), requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, log) = (handler.clone(), log.clone());
                tokio::spawn(async move { serve(stream, &*handler, &log).await });
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bodies received so far.
    pub fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }

    /// Calls by method and HTTP requests received so far.
    pub fn counts(&self) -> (BTreeMap<String, usize>, usize) {
        let requests = self.requests();
        let mut methods = BTreeMap::new();
        for call in requests.iter().flat_map(calls) {
            *methods.entry(call["method"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        (methods, requests.len())
    }
}

/// The calls of a body, one or many.
pub fn calls(body: &Value) -> Vec<Value> {
    body.as_array().cloned().unwrap_or_else(|| vec![body.clone()])
}

/// The answer to a body where each call is answered by `f(method, params)`: a result, or code and message of an error.
pub fn each(body: &Value, f: impl Fn(&str, &Value) -> Result<Value, (i64, String)>) -> Value {
    let answers = calls(body).into_iter().map(|call| match f(call["method"].as_str().unwrap(), &call["params"]) {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": call["id"], "result": result }),
        Err((code, message)) => {
            json!({ "jsonrpc": "2.0", "id": call["id"], "error": { "code": code, "message": message } })
        }
    });
    let answers: Vec<Value> = answers.collect();
    if body.is_array() { Value::Array(answers) } else { answers[0].clone() }
}

async fn serve(
    mut stream: TcpStream,
    handler: &(dyn Fn(&Value, usize) -> Reply + Send + Sync),
    log: &Mutex<Vec<Value>>,
) {
    let Some(body) = read(&mut stream).await else { return };
    let before = {
        let mut log = log.lock().unwrap();
        log.push(body.clone());
        log.len() - 1
    };
    let (status, headers, text) = match handler(&body, before) {
        Reply::Json(value) => (200, String::new(), value.to_string()),
        Reply::Text(text) => (200, String::new(), text),
        Reply::Status(status, headers, text) => (status, headers.to_owned(), text),
        Reply::Truncated(value) => {
            let text = value.to_string();
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", text.len());
            let _ = stream.write_all(format!("{head}{}", &text[..text.len() / 2]).as_bytes()).await;
            return;
        }
        Reply::Endless(bytes) => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
            let _ = stream.write_all(&vec![b' '; bytes]).await;
            return;
        }
        Reply::Close => return,
        Reply::Stall => return std::future::pending().await,
    };
    let length = text.len();
    let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
    let _ = stream.write_all(format!("{head}{text}").as_bytes()).await;
}

async fn read(stream: &mut TcpStream) -> Option<Value> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 65536];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let Some(length) = head.split("content-length: ").nth(1) else { return Some(Value::Null) };
            let length: usize = length.lines().next()?.parse().ok()?;
            if bytes.len() >= end + 4 + length {
                return serde_json::from_slice(&bytes[end + 4..]).ok();
            }
        }
        match stream.read(&mut buffer).await.ok()? {
            0 => return None,
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    }
}
