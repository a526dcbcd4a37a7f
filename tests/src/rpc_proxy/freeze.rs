//! A head that stands still.

use super::calls::{height, method, number, quantity, refuse};
use serde_json::{Value as Json, json};

/// Place of the block among a method's parameters.
fn block_param(method: &str) -> Option<usize> {
    match method {
        "eth_getBlockByNumber" | "eth_getBlockReceipts" => Some(0),
        "eth_call"
        | "eth_estimateGas"
        | "eth_getBalance"
        | "eth_getCode"
        | "eth_getTransactionCount"
        | "eth_simulateV1"
        | "eth_feeHistory" => Some(1),
        "eth_getProof" | "eth_getStorageAt" => Some(2),
        _ => None,
    }
}

fn is_newest(block: &Json) -> bool {
    block.is_null() || block == "latest" || block == "pending"
}

/// Lets a call for the newest block ask for the frozen one.
pub(super) fn ask(call: &mut Json, head: u64) {
    let method = method(call).to_owned();
    if method == "eth_getLogs" && call["params"][0]["blockHash"].is_null() {
        for end in ["fromBlock", "toBlock"] {
            let block = &mut call["params"][0][end];
            if is_newest(block) || number(block).is_some_and(|number| number > head) {
                *block = quantity(head);
            }
        }
    }
    let Some(at) = block_param(&method) else { return };
    let Some(params) = call["params"].as_array_mut() else { return };
    if params.len() == at {
        params.push(Json::Null);
    }
    if let Some(block) = params.get_mut(at).filter(|block| is_newest(block)) {
        *block = quantity(head);
    }
}

/// Takes what lies above the head out of the answer to a call as it was asked.
pub(super) fn tell(call: &Json, answer: &mut Json, head: u64) {
    let params = &call["params"];
    let method = method(call);
    let state = block_param(method).filter(|at| *at > 0).and_then(|at| number(&params[at]));
    if state.is_some_and(|asked| asked > head) {
        return refuse(answer, -32000, "header not found");
    }
    let Some(result) = answer.get_mut("result") else { return };
    if method == "eth_blockNumber" {
        *result = quantity(number(result).unwrap_or(head).min(head));
    }
    if method == "eth_getLogs" && number(&params[0]["fromBlock"]).is_some_and(|from| from > head) {
        *result = json!([]);
    }
    let beyond = |value: &Json| height(value).is_some_and(|height| height > head);
    if beyond(result) {
        *result = Json::Null;
    }
    if let Some(list) = result.as_array_mut() {
        let before = list.len();
        list.retain(|value| !beyond(value));
        if list.is_empty() && before > 0 && method == "eth_getBlockReceipts" {
            *result = Json::Null;
        }
    }
}
