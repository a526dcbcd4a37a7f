//! What may go wrong in a call, sorted by what the caller does about it.
//!
//! Invariant: each variant is one decision (retry, wait, shrink, set the endpoint aside, look at the answer), and no
//! text holds a credential of the endpoint. Recognising the endless spellings of "too much" is `classify`'s affair.

use facilitator_eth::{Bytes, abi::Revert};
use serde_json::Value;
use std::time::Duration;

/// How nodes say that an execution failed without a code of their own for it; anvil says `EVM error` for all failures
/// but reverts. "gas required exceeds" is what an estimate says of an execution that can't succeed.
const FAILED_WORDS: &[&str] = &[
    "revert",
    "evm error",
    "invalid opcode",
    "bad instruction",
    "bad jump",
    "invalid jump",
    "stack underflow",
    "out of gas",
    "gas required exceeds",
];

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The URL can't be used: a mistake in the configuration.
    #[error("endpoint: {message}")]
    Endpoint {
        /// What is wrong with it.
        message: String,
    },
    /// No answer arrived, or one that says the server is unwell: try again, here or elsewhere.
    #[error("{endpoint} can't be reached: {message}")]
    Transport {
        /// The endpoint without credentials.
        endpoint: String,
        /// What the connection or the status said.
        message: String,
    },
    /// The answer took too long here, or the server gave up: try again, with a smaller question if it has a size.
    #[error("{endpoint} didn't answer in time: {message}")]
    Timeout {
        /// The endpoint without credentials.
        endpoint: String,
        /// Who gave up and when.
        message: String,
    },
    /// The server wants fewer calls: wait, at least as long as it says.
    #[error("{endpoint} limits the rate of calls: {message}")]
    RateLimited {
        /// The endpoint without credentials.
        endpoint: String,
        /// What the server said.
        message: String,
        /// How long to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// The server doesn't let us in (401, 403): only the operator can mend that.
    #[error("{endpoint} refuses access: {message}; check the key in the endpoint's URL")]
    Denied {
        /// The endpoint without credentials.
        endpoint: String,
        /// The status.
        message: String,
    },
    /// The query has too many results: ask for a smaller range.
    #[error("too many results: {message}")]
    TooManyResults {
        /// What the server said.
        message: String,
    },
    /// The range of blocks is wider than the server allows: ask for a smaller one.
    #[error("range of blocks too wide: {message}")]
    RangeTooWide {
        /// What the server said.
        message: String,
    },
    /// The answer is larger than we, or the server, allow: ask for less at once.
    #[error("answer too large: {message}")]
    TooLarge {
        /// The limit that was met.
        message: String,
    },
    /// The server doesn't know the method: another endpoint is needed for it.
    #[error("method not supported: {message}")]
    Unsupported {
        /// What the server said.
        message: String,
    },
    /// The answer isn't JSON-RPC, or not of the form that the method has: don't trust the endpoint.
    #[error("malformed answer: {message}")]
    Malformed {
        /// What is wrong with it.
        message: String,
    },
    /// The node carried the call out and says no: reverts, refused transactions, unknown blocks. Its text decides.
    #[error("error {code}: {message}")]
    Server {
        /// The JSON-RPC error code.
        code: i64,
        /// The node's words.
        message: String,
        /// The node's additional data, e.g. what a contract reverted with.
        data: Option<Value>,
    },
}

impl RpcError {
    /// A malformed answer, with what is wrong in it.
    #[must_use]
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::Malformed { message: message.into() }
    }

    /// Whether the same call may succeed later without any change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Timeout { .. } | Self::RateLimited { .. } | Self::Malformed { .. } => true,
            Self::Endpoint { .. }
            | Self::Denied { .. }
            | Self::TooManyResults { .. }
            | Self::RangeTooWide { .. }
            | Self::TooLarge { .. }
            | Self::Unsupported { .. }
            | Self::Server { .. } => false,
        }
    }

    /// Whether a smaller question (range, batch) may succeed where this one did not.
    #[must_use]
    pub fn wants_smaller(&self) -> bool {
        match self {
            Self::TooManyResults { .. } | Self::RangeTooWide { .. } | Self::TooLarge { .. } | Self::Timeout { .. } => {
                true
            }
            Self::Endpoint { .. }
            | Self::Transport { .. }
            | Self::RateLimited { .. }
            | Self::Denied { .. }
            | Self::Unsupported { .. }
            | Self::Malformed { .. }
            | Self::Server { .. } => false,
        }
    }

    /// What the contract gave back when this error says that the execution failed, empty if it gave nothing or the
    /// node hides it; `None` when the call failed for another reason.
    ///
    /// Known forms: geth, erigon, anvil (code 3, data in hex), besu (-32000 with data), nethermind and openethereum
    /// (-32015, data `Reverted 0x…`), ganache (an object with the data inside), and plain texts of old nodes.
    #[must_use]
    pub fn revert_data(&self) -> Option<Bytes> {
        let Self::Server { code, message, data } = self else { return None };
        let found = data.as_ref().and_then(|d| hex_in(d, 0));
        let text = message.to_ascii_lowercase();
        let failed = *code == 3 || *code == -32015 || FAILED_WORDS.iter().any(|known| text.contains(known));
        failed.then(|| found.unwrap_or_default())
    }
}

impl RpcError {
    /// Why the contract failed when this error says that the execution failed: from the data, or from the node's words
    /// where it hides the data. `None` when the call failed for another reason.
    #[must_use]
    pub fn revert(&self) -> Option<Revert> {
        let data = self.revert_data()?;
        let Self::Server { message, .. } = self else { return None };
        let words = message.split_once("reverted: ").map(|(_, reason)| reason.trim()).filter(|r| !r.is_empty());
        match words {
            Some(reason) if data.is_empty() && !reason.starts_with("0x") => Some(Revert::Reason(reason.to_owned())),
            Some(_) | None => Some(Revert::decode(&data.0)),
        }
    }
}

/// The first hexadecimal text within `data`, at most three levels deep.
fn hex_in(data: &Value, depth: u8) -> Option<Bytes> {
    match data {
        Value::String(text) => {
            let start = text.find("0x")?;
            text[start..].trim().parse().ok()
        }
        Value::Object(fields) if depth < 3 => fields
            .get("data")
            .or_else(|| fields.get("result"))
            .or_else(|| fields.get("return"))
            .and_then(|inner| hex_in(inner, depth + 1))
            .or_else(|| fields.values().filter(|v| v.is_object()).find_map(|inner| hex_in(inner, depth + 1))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn server(code: i64, message: &str, data: Option<Value>) -> RpcError {
        RpcError::Server { code, message: message.into(), data }
    }

    #[test]
    fn a_reason_is_read_from_the_data_or_else_from_the_words() {
        let reason = |text: &str| Some(Revert::Reason(text.into()));
        let data = json!(concat!(
            "0x08c379a0",
            "0000000000000000000000000000000000000000000000000000000000000020",
            "0000000000000000000000000000000000000000000000000000000000000003",
            "6e6f2100000000000000000000000000000000000000000000000000000000"
        ));
        assert_eq!(server(3, "execution reverted: other", Some(data)).revert(), reason("no!"));
        assert_eq!(server(3, "execution reverted: Stake", None).revert(), reason("Stake"));
        assert_eq!(server(-32000, "execution reverted", None).revert(), Some(Revert::Empty));
        assert_eq!(server(-32000, "nonce too low", None).revert(), None);
    }

    #[test]
    fn revert_data_is_found_in_every_known_form() {
        let cases = [
            (server(3, "execution reverted: x", Some(json!("0x08c379a0"))), Some("0x08c379a0")),
            (server(3, "execution reverted", None), Some("0x")),
            (server(-32000, "Execution reverted", Some(json!("0x01"))), Some("0x01")),
            (server(-32015, "VM execution error.", Some(json!("Reverted 0x0102"))), Some("0x0102")),
            (server(-32015, "VM execution error.", Some(json!("Bad instruction fe"))), Some("0x")),
            (server(-32603, "VM Exception: revert", Some(json!({"message": "x", "data": "0x03"}))), Some("0x03")),
            (server(-32000, "revert", Some(json!({"0xaa": {"error": "revert", "return": "0x04"}}))), Some("0x04")),
            (server(-32000, "invalid opcode: INVALID", None), Some("0x")),
            (server(-32603, "EVM error InvalidFEOpcode", None), Some("0x")),
            (server(-32000, "nonce too low", None), None),
            (server(-32000, "header not found", Some(json!("0x01"))), None),
            (RpcError::malformed("x"), None),
        ];
        for (error, expected) in cases {
            assert_eq!(error.revert_data().map(|b| b.to_string()).as_deref(), expected, "{error:?}");
        }
    }
}
