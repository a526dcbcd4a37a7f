//! Telling apart what servers mean by their errors: a table of the words that nodes and providers use.
//!
//! Invariant: an error that isn't recognised stays [`RpcError::Server`] with the node's own words, so that a wrong
//! guess never hides a revert or a refused transaction. Codes alone decide little: -32005 is "too many results" at
//! one provider and "too many calls" at another.

use super::{Endpoint, RpcError, wire::ErrorObject};
use serde_json::Value;
use std::time::Duration;

/// Longest text of a server that is kept.
const MAX_TEXT: usize = 300;

/// nethermind, infura, llamarpc, alchemy, erigon, and what geth's own limits say.
const TOO_MANY_RESULTS: &[&str] = &[
    "more than 10000 results",
    "query returned more than",
    "query exceeds max results",
    "too many logs",
    "too many results",
    "logs matched by query exceeds limit",
    "log response size exceeded",
    "response size exceeded",
    "response size should not",
    "response size is larger",
    "response is too big",
    "returned logs exceed",
    "exceeds max logs",
];

/// quicknode, ankr, besu, drpc, chainstack, bsc, polygon, alchemy's free tier.
const RANGE_TOO_WIDE: &[&str] = &[
    "block range",
    "blocks range",
    "range is too wide",
    "range too wide",
    "range is too large",
    "range too large",
    "requested range exceeds",
    "range exceeds",
    "ranges over",
    "range limit",
    "max range",
    "maximum range",
    "is limited to a",
    "are limited to a",
    "exceed maximum block",
    "too many blocks",
];

/// Words that look like a range's limit but say that the node has not reached the block yet.
const BEYOND_HEAD: &[&str] = &["beyond current head", "beyond head", "after last accepted block"];

const RATE: &[&str] = &[
    "rate limit",
    "ratelimit",
    "too many requests",
    "request limit",
    "requests per second",
    "request rate",
    "compute units per second",
    "capacity exceeded",
    "daily request count",
    "quota",
    "limit exceeded",
    "credits",
    "throttl",
    "concurrent requests capacity",
    "exceeds defined limit",
    "rps limit",
];

/// Limits of a node's own on what is asked, not on how often.
const OWN_LIMITS: &[&str] = &["account limit exceeded", "gas limit exceeded", "memory limit exceeded"];

const TIMED_OUT: &[&str] = &[
    "request timed out",
    "query timeout",
    "query timed out",
    "execution aborted (timeout",
    "timeout exceeded",
    "context deadline exceeded",
];

const UNSUPPORTED: &[&str] = &[
    "method not found",
    "does not exist/is not available",
    "method not supported",
    "unsupported method",
    "method is not whitelisted",
    "not implemented",
];

/// What geth says about a single call of a batch whose answers together grew too large.
pub(super) const RESPONSE_TOO_LARGE: &str = "response too large";
/// Words about batches as such: the calls must be sent in smaller ones.
const BATCH_TOO_LARGE: &[&str] = &[
    "batch too large",
    "batch size",
    "batch limit",
    "batch is too",
    "too many requests in batch",
    "batch of more",
    "calls in batch",
];
/// Words saying that this server wants no batches at all.
const BATCH_REFUSED: &[&str] = &[
    "batch not supported",
    "batch requests are not",
    "batching is not",
    "batches are not",
    "batch request not",
    "batch calls are not",
    "no batch",
    "cannot unmarshal array",
];

/// What an error says about the batch that the call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BatchVerdict {
    /// Nothing: it is about the call.
    Fine,
    /// Fewer calls at once.
    Smaller,
    /// One call at a time.
    Single,
}

fn any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// What a server's error text says about batching.
pub(super) fn batch_verdict(message: &str) -> BatchVerdict {
    let text = message.to_ascii_lowercase();
    if any(&text, BATCH_REFUSED) {
        BatchVerdict::Single
    } else if any(&text, BATCH_TOO_LARGE) || text.contains(RESPONSE_TOO_LARGE) {
        BatchVerdict::Smaller
    } else {
        BatchVerdict::Fine
    }
}

/// A server's text fit for an error of ours: without credentials, on one line, and short.
pub(super) fn tidy(endpoint: &Endpoint, text: &str) -> String {
    let clean: String = endpoint.scrub(text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

/// A server's data without credentials: it may repeat the URL there as well. Hexadecimal data comes out as it is.
fn tidy_data(endpoint: &Endpoint, data: Value) -> Value {
    match data {
        Value::String(text) => Value::String(endpoint.scrub(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| tidy_data(endpoint, item)).collect()),
        Value::Object(map) => {
            let fields = map.into_iter().map(|(key, value)| (endpoint.scrub(&key), tidy_data(endpoint, value)));
            Value::Object(fields.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => data,
    }
}

/// "Not available" is said of methods, but of a state or a block too, as by a node that still syncs.
fn is_missing(method: &str, text: &str) -> bool {
    let of_method = text.contains("method") || text.contains(&method.to_ascii_lowercase());
    of_method && text.contains("is not available")
}

/// Turns a JSON-RPC error object into a decision.
pub(super) fn server_error(endpoint: &Endpoint, method: &str, error: ErrorObject) -> RpcError {
    let message = tidy(endpoint, &error.message);
    let text = message.to_ascii_lowercase();
    let data = error.data.map(|data| tidy_data(endpoint, data));
    let endpoint = endpoint.to_string();
    let logs = method == "eth_getLogs";
    // Reverts may hold any words at all, those of the lists below included.
    if error.code == 3 || text.contains("revert") {
        return RpcError::Server { code: error.code, message, data };
    }
    if error.code == -32601 || any(&text, UNSUPPORTED) || is_missing(method, &text) {
        return RpcError::Unsupported { message: format!("{method}: {message}") };
    }
    if logs && any(&text, TOO_MANY_RESULTS) {
        return RpcError::TooManyResults { message };
    }
    if any(&text, TIMED_OUT) {
        return RpcError::Timeout { endpoint, message };
    }
    if logs && any(&text, RANGE_TOO_WIDE) && !any(&text, BEYOND_HEAD) {
        return RpcError::RangeTooWide { message };
    }
    let too_often = any(&text, RATE) && !any(&text, OWN_LIMITS);
    if error.code == 429 || error.code == -32029 || too_often {
        return RpcError::RateLimited { endpoint, message, retry_after: None };
    }
    if text.contains(RESPONSE_TOO_LARGE) {
        return RpcError::TooLarge { message };
    }
    if logs && error.code == -32005 {
        return RpcError::TooManyResults { message };
    }
    RpcError::Server { code: error.code, message, data }
}

/// Turns an HTTP status without a JSON-RPC answer into a decision.
pub(super) fn http_error(endpoint: &Endpoint, status: u16, retry_after: Option<Duration>, body: &str) -> RpcError {
    let detail = tidy(endpoint, body.trim());
    let message = if detail.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {detail}") };
    let endpoint = endpoint.to_string();
    match status {
        429 => RpcError::RateLimited { endpoint, message, retry_after },
        503 if retry_after.is_some() => RpcError::RateLimited { endpoint, message, retry_after },
        401 | 403 => RpcError::Denied { endpoint, message },
        408 | 504 | 524 => RpcError::Timeout { endpoint, message },
        413 => RpcError::TooLarge { message },
        500..=599 => RpcError::Transport { endpoint, message },
        _ => RpcError::Malformed { message: format!("{endpoint}: {message}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(method: &str, code: i64, message: &str) -> &'static str {
        let endpoint = Endpoint::parse("http://node.example").unwrap();
        match server_error(&endpoint, method, ErrorObject { code, message: message.into(), data: None }) {
            RpcError::TooManyResults { .. } => "many",
            RpcError::RangeTooWide { .. } => "wide",
            RpcError::RateLimited { .. } => "rate",
            RpcError::Timeout { .. } => "time",
            RpcError::Unsupported { .. } => "unsupported",
            RpcError::TooLarge { .. } => "large",
            RpcError::Server { .. } => "server",
            RpcError::Endpoint { .. }
            | RpcError::Transport { .. }
            | RpcError::Denied { .. }
            | RpcError::Malformed { .. } => "other",
        }
    }

    #[test]
    fn the_words_of_known_servers_lead_to_the_right_decision() {
        let logs = "eth_getLogs";
        let cases = [
            (logs, -32005, "query returned more than 10000 results", "many"),
            (logs, -32005, "Too many logs requested. Max logs per response is 20000.", "many"),
            (
                logs,
                -32602,
                "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range",
                "many",
            ),
            (logs, -32602, "query exceeds max results 20000, retry with the range 1-2", "many"),
            (logs, -32005, "limit exceeded", "rate"),
            (logs, -32614, "eth_getLogs is limited to a 10,000 range", "wide"),
            (logs, -32600, "block range is too wide", "wide"),
            (logs, -32005, "Requested range exceeds maximum RPC range limit", "wide"),
            (logs, -32000, "exceed maximum block range: 5000", "wide"),
            (logs, 35, "ranges over 10000 blocks are not supported on freetier", "wide"),
            (
                logs,
                -32600,
                "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range.",
                "wide",
            ),
            (logs, -32000, "block range extends beyond current head block", "server"),
            (logs, -32002, "request timed out", "time"),
            (logs, -32000, "query timeout exceeded. Consider reducing your block range.", "time"),
            ("eth_call", 429, "Your app has exceeded its compute units per second capacity", "rate"),
            ("eth_call", -32005, "daily request count exceeded, request rate limited", "rate"),
            ("eth_call", -32007, "50/second request limit reached", "rate"),
            ("eth_getProof", -32601, "the method eth_getProof does not exist/is not available", "unsupported"),
            ("eth_simulateV1", -32000, "the method is not available on this plan", "unsupported"),
            ("eth_simulateV1", -32000, "eth_simulateV1 is not available", "unsupported"),
            ("eth_simulateV1", -32000, "historical state is not available", "server"),
            ("eth_getProof", -32000, "state at block #5 is not available, node is syncing", "server"),
            ("eth_call", -32003, "response too large", "large"),
            ("eth_call", 3, "execution reverted: block range limit exceeded", "server"),
            ("eth_sendRawTransaction", -32000, "nonce too low", "server"),
            ("eth_sendRawTransaction", -32000, "already known", "server"),
            ("eth_sendRawTransaction", -32000, "insufficient funds for gas * price + value", "server"),
            ("eth_call", -32000, "header not found", "server"),
            ("eth_call", -32003, "out of memory: memory limit exceeded during memory expansion", "server"),
        ];
        for (method, code, message, expected) in cases {
            assert_eq!(kind(method, code, message), expected, "{method} {code} {message}");
        }
    }

    /// Whose meaning the sender's own test reads from the same file.
    #[test]
    fn what_is_said_of_a_transaction_is_left_to_the_sender_and_only_a_rate_limit_is_one() {
        let vectors = include_str!("../../vectors/send_answers.txt").lines();
        let mut count = 0;
        for line in vectors.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let [code, words, meaning] = line.split(" | ").collect::<Vec<_>>().try_into().unwrap();
            let expected = if meaning == "rate" { "rate" } else { "server" };
            assert_eq!(kind("eth_sendRawTransaction", code.parse().unwrap(), words), expected, "{line}");
            count += 1;
        }
        assert!(count > 100, "{count} vectors");
    }

    #[test]
    fn no_part_of_an_error_repeats_the_key_of_the_url() {
        let endpoint = Endpoint::parse("http://node.example/v3/0123456789abcdef").unwrap();
        let told = "no access for 0123456789abcdef";
        let data = serde_json::json!({ "0123456789abcdef": [told, 1], "data": "0x08c379a0" });
        let error = ErrorObject { code: 3, message: told.into(), data: Some(data) };
        let error = server_error(&endpoint, "eth_call", error);
        assert!(!format!("{error} {error:?}").contains("0123456789abcdef"), "{error:?}");
        assert_eq!(error.revert_data().map(|data| data.to_string()).as_deref(), Some("0x08c379a0"));
    }

    #[test]
    fn statuses_are_decisions() {
        let endpoint = Endpoint::parse("http://node.example").unwrap();
        let wait = Some(Duration::from_secs(7));
        let of = |status, wait| http_error(&endpoint, status, wait, "");
        assert!(matches!(of(429, wait), RpcError::RateLimited { retry_after, .. } if retry_after == wait));
        assert!(matches!(of(503, wait), RpcError::RateLimited { .. }));
        assert!(matches!(of(503, None), RpcError::Transport { .. }));
        assert!(matches!(of(401, None), RpcError::Denied { .. }));
        assert!(matches!(of(504, None), RpcError::Timeout { .. }));
        assert!(matches!(of(404, None), RpcError::Malformed { .. }));
    }
}
