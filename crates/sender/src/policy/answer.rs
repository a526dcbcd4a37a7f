//! What a node's answer to `eth_sendRawTransaction` means.
//!
//! Nodes agree on no codes, only roughly on words. Invariant: what isn't recognised is [`SendAnswer::Refused`], which
//! keeps the transaction and tries it again later: a wrong guess must not lose it.

use facilitator_chain::rpc::RpcError;
use serde_json::Value;

/// The decision that an answer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendAnswer {
    /// New to the node: it's in the pool now.
    Taken,
    /// The node had it already.
    Known,
    /// The account's nonce is used: this attempt was mined, or another transaction was. The receipts tell.
    NonceUsed,
    /// A lower nonce is missing; the gap has to be closed first.
    NonceGap,
    /// The fee is too low for the pool or for a replacement.
    Underpriced,
    /// The account can't pay for it at present.
    Funds(String),
    /// Refused for another reason.
    Refused(String),
    /// No answer: it may or may not have arrived. The same bytes are sent again.
    Unclear(String),
}

const KNOWN: &[&str] = &[
    "already known",
    "already imported",
    "known transaction",
    "alreadyknown",
    "already exists",
    "already in mempool",
    "already in the pool",
    "existing txn with same hash",
];
const USED: &[&str] = &[
    "nonce too low",
    "nonce is too low",
    "oldnonce",
    "nonce has already been used",
    "transaction nonce is too low",
    "nonce already used",
];
const GAP: &[&str] = &[
    "nonce too high",
    "nonce is too high",
    "nonce gap",
    "gapped-nonce",
    "gapped nonce",
    "noncegap",
    "nonce too distant",
    "nonce is too distant",
    "nonce too far in future",
    "noncetoofarinfuture",
    "invalid transaction with a lower nonce",
];
const UNDERPRICED: &[&str] = &[
    "underpriced",
    "fee too low",
    "feetoolow",
    "less than block base fee",
    "below base fee",
    "max fee per gas less than",
    "gas price too low",
    "gas price below",
    "gas price is too low",
    "price too low",
    "notreplacementallowed",
    "replacementnotallowed",
    "replacement not allowed",
    "could not replace",
    "below configured minimum",
    "tip below",
    "priority fee below",
    "feetoolowtocompete",
    "insufficient gas price to replace",
    "below chain minimum",
];
const FUNDS: &[&str] = &[
    "insufficient funds",
    "insufficient balance",
    "insufficientfunds",
    "not enough funds",
    "overdraft",
    "overdraws from account",
    "upfront cost exceeds",
    "exceeds account balance",
    "exceeds the balance",
];

/// Reads the answer.
#[must_use]
pub fn classify(answer: &Result<Value, RpcError>) -> SendAnswer {
    let error = match answer {
        Ok(_) => return SendAnswer::Taken,
        Err(error) => error,
    };
    match error {
        RpcError::Server { message, .. } => by_words(message),
        RpcError::Transport { .. }
        | RpcError::Timeout { .. }
        | RpcError::RateLimited { .. }
        | RpcError::Malformed { .. } => SendAnswer::Unclear(error.to_string()),
        RpcError::Endpoint { .. }
        | RpcError::Denied { .. }
        | RpcError::TooManyResults { .. }
        | RpcError::RangeTooWide { .. }
        | RpcError::TooLarge { .. }
        | RpcError::Unsupported { .. } => SendAnswer::Refused(error.to_string()),
    }
}

fn by_words(message: &str) -> SendAnswer {
    let text = message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // "replacement transaction underpriced" before the rest: some nodes append what they know of the other one.
    if has(UNDERPRICED) {
        SendAnswer::Underpriced
    } else if has(KNOWN) {
        SendAnswer::Known
    } else if has(USED) {
        SendAnswer::NonceUsed
    } else if has(GAP) {
        SendAnswer::NonceGap
    } else if has(FUNDS) {
        SendAnswer::Funds(message.to_owned())
    } else {
        SendAnswer::Refused(message.to_owned())
    }
}

/// Whether the words say that the account lacks base coin; estimates and simulations use them too.
#[must_use]
pub fn lacks_funds(error: &RpcError) -> bool {
    match error {
        RpcError::Server { message, .. } => matches!(by_words(message), SendAnswer::Funds(_)),
        RpcError::Transport { .. }
        | RpcError::Timeout { .. }
        | RpcError::RateLimited { .. }
        | RpcError::Malformed { .. }
        | RpcError::Endpoint { .. }
        | RpcError::Denied { .. }
        | RpcError::TooManyResults { .. }
        | RpcError::RangeTooWide { .. }
        | RpcError::TooLarge { .. }
        | RpcError::Unsupported { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn name(answer: &SendAnswer) -> &'static str {
        match answer {
            SendAnswer::Taken => "taken",
            SendAnswer::Known => "known",
            SendAnswer::NonceUsed => "used",
            SendAnswer::NonceGap => "gap",
            SendAnswer::Underpriced => "price",
            SendAnswer::Funds(_) => "funds",
            SendAnswer::Refused(_) => "refused",
            SendAnswer::Unclear(_) => "unclear",
        }
    }

    #[test]
    fn the_words_of_known_nodes_lead_to_the_right_decision() {
        let vectors = include_str!("../../../chain/vectors/send_answers.txt").lines();
        for line in vectors.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let [code, words, meaning] = line.split(" | ").collect::<Vec<_>>().try_into().unwrap();
            let error = match meaning {
                // Recognised by the client already; it tells nothing of the transaction.
                "rate" => {
                    RpcError::RateLimited { endpoint: "http://node".into(), message: words.into(), retry_after: None }
                }
                _ => RpcError::Server { code: code.parse().unwrap(), message: words.into(), data: None },
            };
            let expected = if meaning == "rate" { "unclear" } else { meaning };
            assert_eq!(name(&classify(&Err(error))), expected, "{line}");
        }
    }

    #[test]
    fn silence_is_not_a_refusal() {
        assert_eq!(classify(&Ok(json!("0x00"))), SendAnswer::Taken);
        let lost = RpcError::Timeout { endpoint: "http://node".into(), message: "10 s".into() };
        assert_eq!(name(&classify(&Err(lost))), "unclear");
        let unknown = RpcError::Unsupported { message: "eth_sendRawTransaction".into() };
        assert_eq!(name(&classify(&Err(unknown))), "refused");
    }
}
