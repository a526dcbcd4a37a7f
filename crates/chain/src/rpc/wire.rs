//! JSON-RPC 2.0 as text: writing requests, reading answers. Pure.
//!
//! Invariant: whatever the bytes are, each call of a request gets exactly one outcome, whether answers come reordered,
//! twice, for unknown ids or not at all. What an error means is left to `classify`.

use super::Call;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::HashMap;
use std::io::Write as _;
use zeroize::Zeroizing;

/// A JSON-RPC error as the server wrote it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ErrorObject {
    #[serde(default)]
    pub(super) code: i64,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) data: Option<Value>,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    id: Value,
    /// `Some(Null)` for a result that is null, `None` for no result.
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    #[serde(default)]
    error: Option<ErrorObject>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What one call got.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The result, null included.
    Result(Value),
    /// The server's error.
    Error(ErrorObject),
    /// No answer, or one that isn't JSON-RPC.
    Nothing(String),
}

/// What the body as a whole is.
#[derive(Debug)]
pub(super) enum Body {
    /// One outcome for each call, in the calls' order.
    Answers(Vec<Outcome>),
    /// One error for the whole batch.
    Refused(ErrorObject),
}

/// The text of a request with ids from `first_id` on: an object for one call, else an array.
///
/// Calls may reveal a secret before its time, so the text is overwritten when dropped, and written where it stays.
pub(super) fn request(calls: &[&Call], first_id: u64) -> Zeroizing<Vec<u8>> {
    let length = calls.iter().map(|call| FRAME + call.method().len() + room(call.params())).sum::<usize>();
    let mut text = Zeroizing::new(Vec::with_capacity(length + FRAME));
    for (at, (call, id)) in calls.iter().zip(first_id..).enumerate() {
        text.extend_from_slice(if at > 0 {
            b","
        } else if calls.len() > 1 {
            b"["
        } else {
            b""
        });
        let method = Value::from(call.method());
        // Writing to memory can't fail.
        let _infallible = write!(text, r#"{{"jsonrpc":"2.0","id":{id},"method":{method},"params":{}}}"#, call.params());
    }
    text.extend_from_slice(match calls.len() {
        0 => b"[]",
        1 => b"",
        _ => b"]",
    });
    text
}

/// What stands around method and parameters, generously counted.
const FRAME: usize = 96;

/// Bytes that a value takes as JSON, or a few more; fewer only where a text needs escapes, which no call of ours does.
fn room(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 32,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => items.iter().map(|item| room(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(key, item)| key.len() + room(item) + 4).sum::<usize>() + 2,
    }
}

/// Reads the answer to [`request`] with the same `first_id` and `count` calls. The error says what is wrong, and may
/// repeat any part of the body: it is to be tidied before it is shown.
pub(super) fn read(body: &[u8], first_id: u64, count: usize) -> Result<Body, String> {
    // Replies are few and large: the shape is found by the first character, so that nothing is parsed twice.
    let is_list = body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[');
    let malformed = |e: serde_json::Error| format!("not a JSON-RPC answer ({e})");
    if is_list {
        let replies: Vec<Reply> = serde_json::from_slice(body).map_err(malformed)?;
        return Ok(Body::Answers(assign(replies, first_id, count)));
    }
    let reply: Reply = serde_json::from_slice(body).map_err(malformed)?;
    match (&reply.error, count) {
        (Some(error), 2..) => Ok(Body::Refused(error.clone())),
        (Some(error), _) => Ok(Body::Answers(vec![Outcome::Error(error.clone())])),
        (None, 1) if matches_id(&reply.id, first_id) => Ok(Body::Answers(vec![outcome(reply)])),
        (None, 1) => Err("the answer is to another call (wrong id)".to_owned()),
        (None, _) => Err("one answer for a batch of calls".to_owned()),
    }
}

fn matches_id(id: &Value, expected: u64) -> bool {
    id_of(id) == Some(expected)
}

/// Ids are sent as numbers; some servers give them back as text.
fn id_of(id: &Value) -> Option<u64> {
    id.as_u64().or_else(|| id.as_str()?.parse().ok())
}

fn outcome(reply: Reply) -> Outcome {
    match (reply.error, reply.result) {
        (Some(error), _) => Outcome::Error(error),
        (None, Some(result)) => Outcome::Result(result),
        (None, None) => Outcome::Nothing("the answer has neither a result nor an error".into()),
    }
}

fn assign(replies: Vec<Reply>, first_id: u64, count: usize) -> Vec<Outcome> {
    let mut by_id: HashMap<u64, Outcome> = HashMap::with_capacity(replies.len());
    let mut unassigned = None;
    for reply in replies {
        match id_of(&reply.id) {
            Some(id) => {
                by_id
                    .entry(id)
                    .and_modify(|known| *known = Outcome::Nothing("the call was answered twice".into()))
                    .or_insert_with(|| outcome(reply));
            }
            // An error that the server couldn't attribute explains the calls that got no answer.
            None => unassigned = unassigned.or(reply.error),
        }
    }
    let missing = |_| match &unassigned {
        Some(error) => Outcome::Error(error.clone()),
        None => Outcome::Nothing("the batch's answer lacks this call".into()),
    };
    (first_id..).take(count).map(|id| by_id.remove(&id).ok_or(()).unwrap_or_else(missing)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn show(body: &str, count: usize) -> Result<Vec<String>, String> {
        match read(body.as_bytes(), 5, count) {
            Ok(Body::Answers(list)) => Ok(list
                .iter()
                .map(|o| match o {
                    Outcome::Result(v) => v.to_string(),
                    Outcome::Error(e) => format!("E{}", e.code),
                    Outcome::Nothing(_) => "-".into(),
                })
                .collect()),
            Ok(Body::Refused(e)) => Err(format!("refused {}", e.code)),
            Err(_) => Err("malformed".into()),
        }
    }

    #[test]
    fn one_call_is_an_object_and_many_are_a_list() {
        let call = Call::new("eth_chainId", json!([]));
        let one = r#"{"jsonrpc":"2.0","id":7,"method":"eth_chainId","params":[]}"#;
        assert_eq!(str::from_utf8(&request(&[&call], 7)).unwrap(), one);
        let two: Value = serde_json::from_slice(&request(&[&call, &call], 7)).unwrap();
        assert_eq!((two[0]["id"].as_u64(), two[1]["id"].as_u64()), (Some(7), Some(8)));
    }

    #[test]
    fn every_call_gets_one_outcome_whatever_arrives() {
        let ok = |body: &str, count, expected: &[&str]| {
            assert_eq!(show(body, count).unwrap(), expected, "{body}");
        };
        ok(r#" {"id":5,"result":null}"#, 1, &["null"]);
        ok(r#"{"id":5,"result":1,"error":null}"#, 1, &["1"]);
        ok(r#"{"id":null,"error":{"code":-32700,"message":"x"}}"#, 1, &["E-32700"]);
        ok(r#"{"id":5}"#, 1, &["-"]);
        ok(r#"[{"id":6,"result":"b"},{"id":5,"result":"a"}]"#, 2, &["\"a\"", "\"b\""]);
        ok(r#"[{"id":"6","result":2},{"id":5,"error":{"code":3,"message":"r"}}]"#, 2, &["E3", "2"]);
        ok(r#"[{"id":6,"result":2},{"id":99,"result":3}]"#, 3, &["-", "2", "-"]);
        ok(r#"[{"id":5,"result":1},{"id":5,"result":2}]"#, 1, &["-"]);
        ok(r#"[{"id":5,"result":1},{"id":null,"error":{"code":-32600,"message":"x"}}]"#, 2, &["1", "E-32600"]);
        ok("[]", 1, &["-"]);
        for (body, count, expected) in [
            ("<html>", 1, "malformed"),
            ("", 1, "malformed"),
            (r#"{"id":5,"result":1"#, 1, "malformed"),
            (r#"{"id":4,"result":1}"#, 1, "malformed"),
            (r#"{"id":5,"result":1}"#, 2, "malformed"),
            (r#"{"id":null,"error":{"code":-32600,"message":"no"}}"#, 2, "refused -32600"),
        ] {
            assert_eq!(show(body, count).unwrap_err(), expected, "{body}");
        }
    }
}
