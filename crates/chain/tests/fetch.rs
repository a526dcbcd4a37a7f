//! Fetching ranges from a server that mixes branches, invents, repeats and forgets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod stub;

use facilitator_chain::{
    rpc::{Rpc, RpcOptions},
    scan::{
        Checkpoint, FetchError, FetchedRange, LogFilter, Span, fetch_events, fetch_head, fetch_headers, fetch_range,
    },
    types::parse_header,
};
use facilitator_eth::{Address, B256};
use facilitator_protocol::events::{Event, StateRootAvailable};
use serde_json::{Value, json};
use stub::{Reply, Stub, each};

const ANCHOR: Address = Address([0xaa; 20]);
const HEAD: u64 = 20;

/// Hash of a block of branch 1.
fn hash(number: u64) -> B256 {
    let mut hash = B256([1; 32]);
    hash.0[..8].copy_from_slice(&number.to_be_bytes());
    hash
}

fn header(number: u64) -> Value {
    json!({
        "number": format!("{number:#x}"), "hash": hash(number), "parentHash": hash(number.wrapping_sub(1)),
        "timestamp": "0x1", "stateRoot": B256::ZERO, "receiptsRoot": B256::ZERO, "logsBloom": format!("0x{}", "00".repeat(256)),
        "gasLimit": "0x1",
    })
}

fn log(number: u64, index: u64) -> Value {
    json!({
        "address": ANCHOR, "topics": [StateRootAvailable::TOPIC], "data": format!("0x{}3{}", "0".repeat(63), "01".repeat(32)),
        "blockNumber": format!("{number:#x}"), "blockHash": hash(number), "transactionHash": B256([9; 32]),
        "transactionIndex": "0x0", "logIndex": format!("{index:#x}"), "removed": false,
    })
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// A node with a chain of `HEAD` blocks that answers `eth_getLogs` with `logs`.
fn node(method: &str, params: &Value, logs: &Value) -> Result<Value, (i64, String)> {
    match method {
        "eth_getLogs" => Ok(logs.clone()),
        "eth_getBlockByNumber" => {
            let number = if params[0] == "latest" { HEAD } else { number(&params[0]) };
            Ok(if number > HEAD { Value::Null } else { header(number) })
        }
        other => Err((-32601, format!("method not found: {other}"))),
    }
}

async fn serve(logs: Value) -> (Stub, Rpc) {
    let stub = Stub::start(move |body, _| Reply::Json(each(body, |method, params| node(method, params, &logs)))).await;
    let rpc = Rpc::new(&stub.url(), RpcOptions::default()).unwrap();
    (stub, rpc)
}

fn filter() -> LogFilter {
    LogFilter::new(vec![ANCHOR], vec![StateRootAvailable::TOPIC])
}

async fn fetch(rpc: &Rpc, from: u64, to: u64) -> Result<FetchedRange, FetchError> {
    fetch_range(rpc, &filter(), Span { from, to }).await
}

#[tokio::test]
async fn a_range_has_its_events_in_order_with_the_headers_that_hold_them() {
    let (stub, rpc) = serve(json!([log(7, 2), log(5, 0), log(7, 1), log(9, 0), log(7, 1)])).await;
    let range = fetch(&rpc, 4, 9).await.unwrap();
    let places: Vec<_> = range.entries.iter().map(|e| (e.log.block_number, e.log.log_index)).collect();
    assert_eq!(places, [(5, 0), (7, 1), (7, 2), (9, 0)]);
    assert!(matches!(range.entries[0].event, Event::StateRootAvailable(_)));
    assert_eq!(range.headers.iter().map(|h| h.number).collect::<Vec<_>>(), [4, 5, 7, 9]);
    assert_eq!(range.checkpoint(), Some(Checkpoint { number: 9, hash: hash(9) }));
    assert_eq!(stub.counts().1, 2, "one request, and one for the blocks between");
}

#[tokio::test]
async fn a_block_whose_header_is_known_costs_one_call_by_its_hash() {
    let (stub, rpc) = serve(json!([log(HEAD, 0)])).await;
    let head = fetch_head(&rpc).await.unwrap();
    let range = fetch_events(&rpc, &filter(), vec![head]).await.unwrap();
    assert_eq!(range.entries.len(), 1);
    let last = stub.requests().pop().unwrap();
    assert_eq!(last["params"][0]["blockHash"], json!(hash(HEAD)));
    assert_eq!(stub.counts().1, 2);
}

#[tokio::test]
async fn a_node_that_does_not_take_hashes_is_asked_by_number() {
    let stub = Stub::start(|body, _| {
        Reply::Json(each(body, |method, params| match params[0].get("blockHash") {
            Some(_) => Err((-32602, "invalid argument 0: json: unknown field".into())),
            None => node(method, params, &json!([log(HEAD, 0)])),
        }))
    })
    .await;
    let rpc = Rpc::new(&stub.url(), RpcOptions::default()).unwrap();
    let head = parse_header(&header(HEAD)).unwrap().unwrap();
    let range = fetch_events(&rpc, &filter(), vec![head]).await.unwrap();
    assert_eq!(range.entries.len(), 1);
}

#[tokio::test]
async fn what_was_not_asked_for_or_contradicts_itself_is_refused() {
    let with = |field: &str, value: Value| {
        let mut log = log(7, 1);
        log[field] = value;
        log
    };
    let cases = [
        (json!([log(3, 0)]), "outside the range"),
        (json!([log(10, 0)]), "outside the range"),
        (json!([with("address", json!(Address([0xab; 20])))]), "not asked for"),
        (json!([with("topics", json!([B256::ZERO]))]), "not asked for"),
        (json!([with("topics", json!([]))]), "not asked for"),
        (json!([with("removed", json!(true))]), "removed"),
        (json!([log(7, 1), with("data", json!("0x"))]), "twice"),
        (json!({}), "list"),
        (Value::Null, "list"),
    ];
    for (logs, expected) in cases {
        let (_stub, rpc) = serve(logs).await;
        let error = fetch(&rpc, 4, 9).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error} should be about {expected}");
    }
    for number in [4, 7, 9] {
        let (_stub, rpc) = serve(json!([with("blockNumber", json!(format!("{number:#x}")))])).await;
        let error = fetch(&rpc, 4, 9).await;
        if number == 7 {
            assert!(error.is_ok());
        } else {
            assert!(matches!(error, Err(FetchError::Inconsistent { number: n, .. }) if n == number), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_log_that_only_looks_like_an_event_is_noted_and_passed_over() {
    let mut odd = log(7, 0);
    odd["data"] = json!("0x01");
    let (_stub, rpc) = serve(json!([odd, log(7, 1)])).await;
    let range = fetch(&rpc, 4, 9).await.unwrap();
    assert_eq!((range.entries.len(), range.refused.len()), (1, 1));
}

#[tokio::test]
async fn blocks_that_the_node_lacks_are_missing_and_wrong_ones_refused() {
    let (_stub, rpc) = serve(json!([])).await;
    assert_eq!(fetch(&rpc, 19, 25).await.unwrap_err(), FetchError::Missing { number: 25 });
    assert_eq!(fetch_headers(&rpc, &[3, 21]).await.unwrap_err(), FetchError::Missing { number: 21 });
    assert_eq!(fetch_headers(&rpc, &[]).await.unwrap(), vec![]);
    let stub = Stub::start(|body, _| Reply::Json(each(body, |_, _| Ok(header(5))))).await;
    let rpc = Rpc::new(&stub.url(), RpcOptions::default()).unwrap();
    assert!(matches!(fetch_headers(&rpc, &[6]).await, Err(FetchError::Rpc(_))));
}
