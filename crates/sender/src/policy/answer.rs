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
];
const FUNDS: &[&str] = &[
    "insufficient funds",
    "insufficient balance",
    "insufficientfunds",
    "not enough funds",
    "overdraft",
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
        let cases = [
            // geth
            ("already known", "known"),
            ("nonce too low: next nonce 5, tx nonce 4", "used"),
            ("nonce too high: address 0x…, tx: 9 state: 4", "gap"),
            ("gapped-nonce tx from delegated accounts", "gap"),
            ("replacement transaction underpriced", "price"),
            ("transaction underpriced: gas tip cap 0, minimum needed 1", "price"),
            ("max fee per gas less than block base fee: address 0x…", "price"),
            ("insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1", "funds"),
            ("exceeds block gas limit", "refused"),
            ("txpool is full", "refused"),
            // anvil
            ("transaction already imported", "known"),
            ("Insufficient funds for gas * price + value", "funds"),
            ("max fee per gas less than block base fee", "price"),
            // erigon
            ("ALREADY_EXISTS: already known", "known"),
            ("INTERNAL_ERROR: fee too low", "price"),
            ("INTERNAL_ERROR: nonce too low", "used"),
            ("INTERNAL_ERROR: could not replace existing tx", "price"),
            // nethermind
            ("AlreadyKnown", "known"),
            ("OldNonce, Current nonce: 5, nonce of rejected tx: 4", "used"),
            ("NonceGap, Future nonce", "gap"),
            ("FeeTooLow, MaxFeePerGas too low", "price"),
            ("InsufficientFunds, Account balance: 0", "funds"),
            ("ReplacementNotAllowed", "price"),
            // besu
            ("Known transaction", "known"),
            ("Nonce too low", "used"),
            ("Transaction nonce is too distant from current sender nonce", "gap"),
            ("Gas price below configured minimum gas price", "price"),
            ("Upfront cost exceeds account balance", "funds"),
            // ganache
            ("the tx doesn't have the correct nonce", "refused"),
        ];
        for (message, expected) in cases {
            let error = RpcError::Server { code: -32000, message: message.into(), data: None };
            assert_eq!(name(&classify(&Err(error))), expected, "{message}");
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
