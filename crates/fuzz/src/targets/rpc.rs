//! Answers of a node that is broken or hostile, through the client itself: a server answers each batch with damage.

use crate::{Outcome, Target, Verdict, mutate, promise};
use facilitator_chain::rpc::{Call, Rpc, RpcError, RpcOptions};
use facilitator_dice::Rng;
use serde_json::{Value, json};
use std::{cell::RefCell, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

/// A key in the path of the node's URL.
const SECRET: &str = "k3y4fuzz1ng00";
/// Longest answer.
const MAX_BODY: usize = 64 << 10;
/// Longest words of an error, whatever the node says: it stands in log lines.
const MAX_ERROR: usize = 2048;

pub(super) fn target() -> Target {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string());
    let state: RefCell<Option<State>> = RefCell::new(None);
    let case = move |rng: &mut Rng| {
        let runtime: &Runtime = runtime.as_ref().map_err(Clone::clone)?;
        let mut state = state.borrow_mut();
        if state.is_none() {
            *state = Some(runtime.block_on(State::new())?);
        }
        match state.as_ref() {
            Some(state) => runtime.block_on(state.one(rng)),
            None => Err("no server".to_owned()),
        }
    };
    Target { name: "rpc", memory: 32 << 20, case: Box::new(case) }
}

struct State {
    listener: TcpListener,
    url: String,
}

impl State {
    async fn new() -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        Ok(Self { listener, url: format!("http://{address}/v3/{SECRET}") })
    }

    async fn one(&self, rng: &mut Rng) -> Outcome {
        let count = 1 + rng.index(4);
        let plan = Plan::draw(rng, count);
        let options =
            RpcOptions { timeout: Duration::from_secs(20), max_response_bytes: MAX_BODY, ..RpcOptions::default() };
        let rpc = Rpc::new(&self.url, options).map_err(|error| error.to_string())?;
        let calls = vec![Call::new("eth_blockNumber", json!([SECRET])); count];
        let asking = rpc.batch(&calls);
        let serving = async {
            while let Ok((stream, _)) = self.listener.accept().await {
                // A client that hangs up has had enough.
                let _ = answer(stream, &plan).await;
            }
        };
        let outcomes = tokio::select! {
            outcomes = asking => outcomes,
            () = serving => return Err("the server ended".to_owned()),
        };
        let clean = |error: &RpcError| {
            let (told, shown) = (error.to_string(), format!("{error:?}"));
            promise(!(told.contains(SECRET) || shown.contains(SECRET)), || format!("a credential shows: {shown}"))?;
            promise(told.len() <= MAX_ERROR, || format!("an error of {} bytes", told.len()))
        };
        match outcomes {
            Err(error) => {
                promise(!plan.right, || format!("a right answer is refused: {error}"))?;
                clean(&error)?;
                Ok(Verdict::Refused)
            }
            Ok(outcomes) => {
                promise(outcomes.len() == count, || format!("{} outcomes of {count} calls", outcomes.len()))?;
                for (number, outcome) in outcomes.iter().enumerate() {
                    match outcome {
                        Err(error) => clean(error)?,
                        Ok(value) if plan.right => {
                            promise(value["call"] == number, || format!("call {number} got {value}"))?;
                        }
                        Ok(_) => {}
                    }
                }
                Ok(Verdict::Taken)
            }
        }
    }
}

/// What the server answers.
struct Plan {
    status: u16,
    /// The answers to the calls, before ids are put in.
    shape: Value,
    /// Numbers that damage the text of the answer; none for an answer that is only damaged as a tree, or right.
    text: Option<u64>,
    right: bool,
}

impl Plan {
    fn draw(rng: &mut Rng, count: usize) -> Self {
        let answers: Vec<Value> = (0..count)
            .map(|number| match rng.below(12) {
                0 => json!({ "jsonrpc": "2.0", "id": number, "error": { "code": 3, "message": format!("execution reverted {SECRET}"), "data": "0x08c379a0" } }),
                1 => json!({ "jsonrpc": "2.0", "id": number, "error": { "code": -32005, "message": "limit", "data": { "see": "x".repeat(9000) } } }),
                _ => json!({ "jsonrpc": "2.0", "id": number, "result": { "call": number } }),
            })
            .collect();
        let mut shape = match answers.as_slice() {
            [single] => single.clone(),
            _ => Value::Array(answers.clone()),
        };
        let right = rng.chance(200);
        if !right && rng.chance(800) {
            mutate::json(rng, &mut shape);
        } else if right && let Value::Array(list) = &mut shape {
            // Servers answer in any order.
            list.reverse();
        }
        let status = if right || rng.chance(700) { 200 } else { [400, 401, 413, 429, 500, 503][rng.index(6)] };
        let text = (!right && rng.chance(300)).then(|| rng.next());
        Self { status, shape, text, right }
    }

    /// The body for a request whose ids begin at `first`.
    fn body(&self, first: u64) -> Vec<u8> {
        let mut shape = self.shape.clone();
        let renumber = |reply: &mut Value| {
            if let Some(id) = reply.get("id").and_then(Value::as_u64) {
                reply["id"] = json!(first.wrapping_add(id));
            }
        };
        match &mut shape {
            Value::Array(list) => list.iter_mut().for_each(renumber),
            Value::Object(_) => renumber(&mut shape),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        let mut body = shape.to_string().into_bytes();
        if let Some(seed) = self.text {
            mutate::bytes(&mut Rng::new(seed), &mut body);
        }
        body
    }
}

/// Reads one request and answers it.
async fn answer(mut stream: TcpStream, plan: &Plan) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let first = loop {
        if let Some(first) = first_id(&bytes) {
            break first;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let body = plan.body(first);
    let head = format!("HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", plan.status, body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await
}

/// The first id of a whole request.
fn first_id(bytes: &[u8]) -> Option<u64> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let json: Value = serde_json::from_slice(bytes.get(end..)?).ok()?;
    json.get(0).unwrap_or(&json).get("id")?.as_u64()
}
