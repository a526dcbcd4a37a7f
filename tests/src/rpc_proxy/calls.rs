//! The calls of a request and the answers to them, one or many.

use serde_json::{Value as Json, json};

/// The calls of a request.
pub(super) fn calls(body: &Json) -> &[Json] {
    body.as_array().map_or(std::slice::from_ref(body), Vec::as_slice)
}

/// As [`calls`], to be changed; serves answers as well.
pub(super) fn calls_mut(body: &mut Json) -> &mut [Json] {
    match body {
        Json::Array(list) => list.as_mut_slice(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => std::slice::from_mut(body),
    }
}

pub(super) fn method(call: &Json) -> &str {
    call["method"].as_str().unwrap_or("?")
}

/// Shows each answer with the call that it is for.
pub(super) fn each_answer(asked: &Json, told: &mut Json, mut each: impl FnMut(&Json, &mut Json)) {
    for answer in calls_mut(told) {
        if let Some(call) = calls(asked).iter().find(|call| call["id"] == answer["id"]) {
            each(call, answer);
        }
    }
}

/// Turns an answer into an error.
pub(super) fn refuse(answer: &mut Json, code: i64, message: &str) {
    let id = answer["id"].take();
    *answer = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
}

/// The same error for each call of a request.
pub(super) fn refuse_all(asked: &Json, code: i64, message: &str) -> String {
    let mut told = asked.clone();
    calls_mut(&mut told).iter_mut().for_each(|answer| refuse(answer, code, message));
    told.to_string()
}

/// A quantity, unless it is a word like `latest`.
pub(super) fn number(value: &Json) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

pub(super) fn quantity(number: u64) -> Json {
    json!(format!("{number:#x}"))
}

/// Height of a block, log, transaction or receipt.
pub(super) fn height(value: &Json) -> Option<u64> {
    number(&value["blockNumber"]).or_else(|| value.get("parentHash").and_then(|_| number(&value["number"])))
}
