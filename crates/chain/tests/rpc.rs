//! The client against servers that reorder, refuse, stall, cut and lie.
#![allow(clippy::unwrap_used, reason = "tests")]

mod stub;

use facilitator_chain::rpc::{Call, Rpc, RpcError, RpcOptions};
use serde_json::{Value, json};
use std::time::Duration;
use stub::{Reply, Stub, calls, each};

fn options() -> RpcOptions {
    RpcOptions { timeout: Duration::from_millis(300), max_response_bytes: 10_000, ..RpcOptions::default() }
}

fn client(stub: &Stub) -> Rpc {
    Rpc::new(&stub.url(), options()).unwrap()
}

/// Calls whose result is their own parameter.
fn echoes(count: usize) -> Vec<Call> {
    (0..count).map(|n| Call::new("echo", json!([n]))).collect()
}

fn echo(body: &Value) -> Value {
    each(body, |_, params| Ok(params[0].clone()))
}

fn expect_echoes(outcomes: &[Result<Value, RpcError>], count: usize) {
    assert_eq!(outcomes, (0..count).map(|n| Ok(json!(n))).collect::<Vec<_>>());
}

#[tokio::test]
async fn answers_find_their_calls_whatever_their_order_and_batches_are_cut() {
    let stub = Stub::start(|body, _| {
        let mut answers = echo(body);
        if let Some(list) = answers.as_array_mut() {
            list.reverse();
        }
        Reply::Json(answers)
    })
    .await;
    let rpc = client(&stub);
    expect_echoes(&rpc.batch(&echoes(250)).await.unwrap(), 250);
    assert_eq!(stub.counts().1, 3);
    assert_eq!(rpc.call("echo", json!([7])).await, Ok(json!(7)));
    assert!(stub.requests()[3].is_object(), "a single call is no batch");
    assert_eq!(rpc.batch(&[]).await, Ok(vec![]));
    let stats = rpc.stats();
    assert_eq!((stats.calls, stats.requests, stats.failures), (251, 4, 0));
}

#[tokio::test]
async fn one_failing_call_leaves_the_others_alone() {
    let stub = Stub::start(|body, _| {
        let mut answers = each(body, |_, params| match params[0].as_u64() {
            Some(1) => Err((3, "execution reverted: no".into())),
            _ => Ok(params[0].clone()),
        });
        answers.as_array_mut().unwrap().remove(2);
        Reply::Json(answers)
    })
    .await;
    let outcomes = client(&stub).batch(&echoes(4)).await.unwrap();
    assert_eq!(outcomes[0], Ok(json!(0)));
    assert!(matches!(&outcomes[1], Err(RpcError::Server { code: 3, .. })));
    assert!(matches!(&outcomes[2], Err(RpcError::Malformed { .. })));
    assert_eq!(outcomes[3], Ok(json!(3)));
}

#[tokio::test]
async fn servers_without_batches_are_asked_call_by_call_from_then_on() {
    let refusals: [fn() -> Reply; 3] = [
        || {
            Reply::Json(
                json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": "batch not supported" } }),
            )
        },
        || Reply::Status(400, "", "what?".into()),
        || Reply::Status(413, "", "<html>too large</html>".into()),
    ];
    for refusal in refusals {
        let stub = Stub::start(move |body, _| if body.is_array() { refusal() } else { Reply::Json(echo(body)) }).await;
        let rpc = client(&stub);
        expect_echoes(&rpc.batch(&echoes(20)).await.unwrap(), 20);
        let before = stub.counts().1;
        assert!(before <= 20 + 5, "{before} requests");
        expect_echoes(&rpc.batch(&echoes(20)).await.unwrap(), 20);
        assert_eq!(stub.counts().1 - before, 20, "no more tries");
    }
}

#[tokio::test]
async fn a_limit_on_the_size_of_batches_or_answers_is_found_and_kept() {
    // As geth does it: one error under the first call's id, or errors for the calls beyond the size of the answer.
    let whole = |body: &Value| {
        let first = &calls(body)[0]["id"];
        json!([{ "jsonrpc": "2.0", "id": first, "error": { "code": -32600, "message": "batch too large" } }])
    };
    let beyond = |body: &Value| {
        let mut answers = echo(body);
        for answer in answers.as_array_mut().unwrap().iter_mut().skip(30) {
            let id = answer["id"].clone();
            *answer =
                json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32003, "message": "response too large" } });
        }
        answers
    };
    for (name, refuse) in [("whole", whole as fn(&Value) -> Value), ("beyond", beyond)] {
        let stub =
            Stub::start(move |body, _| Reply::Json(if calls(body).len() > 30 { refuse(body) } else { echo(body) }))
                .await;
        let rpc = client(&stub);
        expect_echoes(&rpc.batch(&echoes(100)).await.unwrap(), 100);
        let before = stub.counts().1;
        expect_echoes(&rpc.batch(&echoes(100)).await.unwrap(), 100);
        assert_eq!(stub.counts().1 - before, 4, "{name}: batches of 25");
    }
}

#[tokio::test]
async fn each_fault_is_the_decision_it_calls_for() {
    let ok = || json!({ "jsonrpc": "2.0", "id": 1, "result": "0x1" });
    let stub = Stub::start(move |_, n| match n {
        0 => Reply::Status(429, "retry-after: 7\r\n", String::new()),
        1 => Reply::Status(500, "", "boom".into()),
        2 => Reply::Status(401, "", "no".into()),
        3 => Reply::Close,
        4 => Reply::Stall,
        5 => Reply::Truncated(ok()),
        6 => Reply::Text("<html>".into()),
        7 => Reply::Text("x".repeat(10_001)),
        8 => Reply::Endless(20_000),
        9 => Reply::Status(302, "location: http://127.0.0.1:1/\r\n", String::new()),
        10 => Reply::Status(
            500,
            "",
            json!({ "id": 1, "error": { "code": -32000, "message": "nonce too low" } }).to_string(),
        ),
        _ => Reply::Json(json!({ "jsonrpc": "2.0", "id": 999, "result": "0x1" })),
    })
    .await;
    let rpc = client(&stub);
    let next = async || rpc.call("x", json!([])).await.unwrap_err();
    let seven = Some(Duration::from_secs(7));
    assert!(matches!(next().await, RpcError::RateLimited { retry_after, .. } if retry_after == seven));
    assert!(matches!(next().await, RpcError::Transport { .. }));
    assert!(matches!(next().await, RpcError::Denied { .. }));
    assert!(matches!(next().await, RpcError::Transport { .. }));
    assert!(matches!(next().await, RpcError::Timeout { .. }));
    assert!(matches!(next().await, RpcError::Transport { .. }));
    assert!(matches!(next().await, RpcError::Malformed { .. }));
    assert!(matches!(next().await, RpcError::TooLarge { .. }));
    assert!(matches!(next().await, RpcError::TooLarge { .. }));
    assert!(matches!(next().await, RpcError::Malformed { .. }));
    assert!(matches!(next().await, RpcError::Server { code: -32000, .. }));
    assert!(matches!(next().await, RpcError::Malformed { .. }));
    assert!(rpc.stats().failures >= 10);
}

#[tokio::test]
async fn what_was_answered_before_a_fault_is_kept() {
    let stub = Stub::start(|body, n| if n == 0 { Reply::Json(echo(body)) } else { Reply::Close }).await;
    let outcomes = client(&stub).batch(&echoes(250)).await.unwrap();
    expect_echoes(&outcomes[..100], 100);
    assert!(outcomes[100..].iter().all(|o| matches!(o, Err(RpcError::Transport { .. }))));
    assert_eq!(stub.counts().1, 2, "the rest is not tried on a broken line");
}

#[tokio::test]
async fn no_key_of_the_url_is_ever_shown() {
    let stub = Stub::start(|_, n| match n {
        0 => Reply::Status(403, "", "invalid key 0123456789abcdef / s3cretvalue".into()),
        1 => Reply::Json(json!({ "id": null, "error": { "code": -32000, "message": "no 0123456789abcdef" } })),
        // Found by fuzzing: the reader of JSON repeats what stands where it should not.
        2 => Reply::Json(json!({ "id": 2, "error": { "code": "bad key 0123456789abcdef", "message": "no" } })),
        3 => Reply::Close,
        _ => Reply::Stall,
    })
    .await;
    let url = format!("http://alice:pass-word@{}/v2/0123456789abcdef?token=s3cretvalue", stub.address);
    let rpc = Rpc::new(&url, options()).unwrap();
    let nowhere = Rpc::new("http://alice:pass-word@127.0.0.1:1/v2/0123456789abcdef", options()).unwrap();
    let mut shown = vec![format!("{rpc:?} {} {:?}", rpc.endpoint(), Call::new("m", json!(["s3cretvalue"])))];
    for rpc in [&rpc, &rpc, &rpc, &rpc, &rpc, &nowhere] {
        let error = rpc.call("eth_sendRawTransaction", json!(["0xfeedbeef"])).await.unwrap_err();
        shown.push(format!("{error} {error:?}"));
    }
    for text in shown {
        for secret in ["alice", "pass-word", "0123456789abcdef", "s3cretvalue", "feedbeef"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

/// In a process of its own, since certificates are found by variables of the environment.
#[test]
fn a_machine_without_certificates_is_told_as_such() {
    const NAME: &str = "a_machine_without_certificates_is_told_as_such";
    const CHILD: &str = "FACILITATOR_TEST_WITHOUT_CERTIFICATES";
    if std::env::var_os(CHILD).is_some() {
        let error = Rpc::new("https://node.example", RpcOptions::default()).unwrap_err().to_string();
        let expected = "no client for https://node.example: builder error: \
                        unexpected error: No CA certificates were loaded from the system";
        assert!(error.ends_with(expected), "{error}");
        return;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", NAME]).env(CHILD, "1");
    let output = child.env("SSL_CERT_FILE", "/nowhere/file").env("SSL_CERT_DIR", "/nowhere/folder").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}
