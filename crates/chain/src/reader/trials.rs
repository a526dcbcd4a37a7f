//! Many transactions tried out in one `eth_simulateV1`, each behind those before it. Pure.
//!
//! Invariant: decoding accepts exactly one result for each transaction, so that a node without this ability is noticed and
//! never misread. A failure is to be believed only when the transaction, tried alone, fails too.

use super::multicall::Part;
use crate::{rpc::Call, types::parse_bytes};
use facilitator_eth::{Address, Bytes};
use serde_json::{Value, json};

/// The call that tries them out. Without validation: nobody pays for gas and nonces do not matter, as in `eth_call`.
pub(super) fn call<'a>(transactions: impl IntoIterator<Item = (Address, Address, &'a Bytes)>, tag: &str) -> Call {
    let calls = transactions.into_iter().map(|(from, to, data)| json!({ "from": from, "to": to, "data": data }));
    let calls: Vec<Value> = calls.collect();
    Call::new("eth_simulateV1", json!([{ "blockStateCalls": [{ "calls": calls }], "validation": false }, tag]))
}

/// Reads its answer; `None` unless that is exactly one result for each of the `count` transactions.
pub(super) fn decode(answer: &Value, count: usize) -> Option<Vec<Part>> {
    let [block] = answer.as_array()?.as_slice() else { return None };
    let results = block["calls"].as_array().filter(|results| results.len() == count)?;
    results.iter().map(part).collect()
}

fn part(result: &Value) -> Option<Part> {
    match result["status"].as_str()? {
        "0x1" => parse_bytes("result of a trial", &result["returnData"]).ok().map(Part::Returned),
        "0x0" => Some(Part::Failed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(calls: &Value) -> Value {
        json!([{ "number": "0x1", "calls": calls }])
    }

    #[test]
    fn results_are_read_exactly() {
        let (good, bad) = (json!({ "status": "0x1", "returnData": "0x07" }), json!({ "status": "0x0" }));
        let read = decode(&block(&json!([good, bad])), 2);
        assert_eq!(read, Some(vec![Part::Returned(Bytes(vec![7])), Part::Failed]));
        assert_eq!(decode(&block(&json!([good, bad])), 3), None);
        assert_eq!(decode(&block(&json!([good, bad])), 1), None);
        for lie in [json!({ "status": "0x2" }), json!({ "status": "0x1" }), json!({}), json!("0x1"), Value::Null] {
            assert_eq!(decode(&block(&json!([good, lie])), 2), None, "{lie}");
        }
        for lie in [Value::Null, json!([]), json!({ "calls": [good] }), json!([block(&json!([good])), {}])] {
            assert_eq!(decode(&lie, 1), None, "{lie}");
        }
    }
}
