//! A JSON-RPC server over HTTP/1.1 in front of the fake chain, with faults of the connection.

use crate::chain::Chain;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What happens to an HTTP request instead of a proper answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: it is the next one that something happens to.
    Spared,
    /// The connection closes before the request is carried out.
    Lost,
    /// It is carried out, but the connection closes before the answer.
    AnswerLost,
}

/// The running fake node.
#[derive(Clone)]
pub(crate) struct FakeNode {
    pub(crate) url: String,
    state: Arc<Mutex<Chain>>,
}

impl FakeNode {
    pub(crate) async fn start(chain: Chain) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(chain));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { url, state }
    }

    pub(crate) fn chain(&self) -> MutexGuard<'_, Chain> {
        self.state.lock().unwrap()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<Chain>>) {
    while let Some(body) = read_body(&mut stream).await {
        let request: Value = serde_json::from_slice(&body).unwrap();
        let answer = {
            let mut chain = state.lock().unwrap();
            chain.http_requests += 1;
            let calls: Vec<&str> = each(&request).filter_map(|call| call["method"].as_str()).collect();
            let fault = chain.take_fault(&calls);
            if fault == Some(Fault::Lost) {
                return;
            }
            let answer = match request.as_array() {
                Some(calls) => Value::Array(calls.iter().map(|call| answer(&mut chain, call)).collect()),
                None => answer(&mut chain, &request),
            };
            if fault == Some(Fault::AnswerLost) {
                return;
            }
            answer.to_string()
        };
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", answer.len());
        if stream.write_all((head + &answer).as_bytes()).await.is_err() {
            return;
        }
    }
}

fn each(request: &Value) -> impl Iterator<Item = &Value> {
    request.as_array().map_or(std::slice::from_ref(request), Vec::as_slice).iter()
}

fn answer(chain: &mut Chain, call: &Value) -> Value {
    let method = call["method"].as_str().unwrap();
    match chain.call(method, &call["params"]) {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": call["id"], "result": result }),
        Err(error) => json!({ "jsonrpc": "2.0", "id": call["id"], "error": error }),
    }
}

async fn read_body(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
            let length: usize = length.trim().parse().unwrap();
            while bytes.len() < end + 4 + length {
                let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
                bytes.extend_from_slice(&buffer[..read]);
            }
            return Some(bytes[end + 4..].to_vec());
        }
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
    }
}
