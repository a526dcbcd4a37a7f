//! The reader against a server that can or can't carry out packed calls, fails, and limits.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod stub;

use facilitator_chain::{
    reader::{Answer, At, Query, Reader, ReaderOptions},
    rpc::{Rpc, RpcOptions},
};
use facilitator_eth::{Address, B256, Bytes, U256, abi::Revert};
use serde_json::{Value, json};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use stub::{Reply, Stub, each};

/// Length of the reader's init code.
const CODE: usize = 109;
const FAILING: Address = Address([0xff; 20]);

fn view(to: u8, data: u8) -> Query {
    Query::Call { from: None, to: Address([to; 20]), data: Bytes(vec![data]), at: At::Latest }
}

fn data(bytes: &[u8]) -> Answer {
    Answer::Data(Bytes(bytes.to_vec()))
}

/// A contract at every address: returns its call data twice, but fails at `FAILING`.
fn contract(to: Address, data: &[u8]) -> Option<Vec<u8>> {
    (to != FAILING).then(|| [data, data].concat())
}

/// Does what the init code does.
fn packed(input: &[u8]) -> Vec<u8> {
    let (mut records, mut out) = (&input[CODE..], Vec::new());
    while !records.is_empty() {
        let len = u32::from_be_bytes(records[20..24].try_into().unwrap()) as usize;
        let result = contract(Address(records[..20].try_into().unwrap()), &records[24..24 + len]);
        let bytes = result.clone().unwrap_or_default();
        out.push(u8::from(result.is_some()));
        out.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&bytes);
        records = &records[24 + len..];
    }
    out
}

fn proof(params: &Value) -> Value {
    let storage: Vec<Value> =
        params[1].as_array().unwrap().iter().map(|key| json!({ "key": key, "value": "0x1", "proof": [key] })).collect();
    json!({
        "address": params[0], "balance": "0x0", "nonce": "0x1", "codeHash": B256([1; 32]),
        "storageHash": B256([2; 32]), "accountProof": ["0x01"], "storageProof": storage,
    })
}

/// What becomes of transactions: those whose data ends with 1 succeed only as the first of their sequence.
fn tried_out(calls: &Value) -> Vec<Value> {
    let result = |(place, call): (usize, &Value)| {
        let data: Bytes = call["data"].as_str().unwrap().parse().unwrap();
        let result = contract(call["to"].as_str().unwrap().parse().unwrap(), &data.0);
        match result.filter(|_| place == 0 || data.0.last() != Some(&1)) {
            Some(bytes) => json!({ "status": "0x1", "gasUsed": "0x5208", "returnData": Bytes(bytes) }),
            None => json!({ "status": "0x0", "returnData": "0x", "error": { "code": 3, "message": "reverted" } }),
        }
    };
    calls.as_array().unwrap().iter().enumerate().map(result).collect()
}

fn node(method: &str, params: &Value) -> Result<Value, (i64, String)> {
    match method {
        "eth_call" => {
            let input: Bytes = params[0]["data"].as_str().unwrap().parse().unwrap();
            let Some(to) = params[0]["to"].as_str() else { return Ok(json!(Bytes(packed(&input.0)))) };
            let result = contract(to.parse().unwrap(), &input.0);
            result.map(|bytes| json!(Bytes(bytes))).ok_or((3, "execution reverted: no luck".into()))
        }
        "eth_simulateV1" => Ok(json!([{ "calls": tried_out(&params[0]["blockStateCalls"][0]["calls"]) }])),
        "eth_getBalance" => Ok(json!("0x5")),
        "eth_getCode" => Ok(json!("0x60")),
        "eth_getProof" => Ok(proof(params)),
        _ => Ok(Value::Null),
    }
}

fn reader(stub: &Stub) -> Reader {
    let rpc = Rpc::new(&stub.url(), RpcOptions { timeout: Duration::from_secs(2), ..RpcOptions::default() }).unwrap();
    // A wide window, so that a slow machine does not tear one test's questions apart.
    let window = Duration::from_millis(20);
    Reader::start(rpc, ReaderOptions { window, pause: Duration::from_millis(1), ..ReaderOptions::default() })
}

async fn honest() -> Stub {
    Stub::start(|body, _| Reply::Json(each(body, node))).await
}

#[tokio::test]
async fn the_questions_of_many_askers_become_one_request_with_few_calls() {
    let stub = honest().await;
    let reader = reader(&stub);
    reader.set_final(Some(16));
    let ask = |n: u8| {
        let reader = reader.clone();
        async move {
            let queries = vec![
                view(1, n),
                view(1, 200),
                Query::Balance { address: Address([9; 20]), at: At::Final },
                Query::Proof { address: Address([7; 20]), key: B256([n; 32]), height: 3 },
                Query::Call { from: Some(Address([2; 20])), to: Address([3; 20]), data: Bytes(vec![7]), at: At::Final },
            ];
            (n, reader.ask(queries).await)
        }
    };
    let mut tasks: Vec<_> = (0..40).map(|n| tokio::spawn(ask(n))).collect();
    for task in tasks.drain(..) {
        let (n, answers) = task.await.unwrap();
        assert_eq!(answers[0], data(&[n, n]));
        assert_eq!(answers[1], data(&[200, 200]));
        assert_eq!(answers[2], Answer::Number(U256::from(5u64)));
        let Answer::Proof(proof) = &answers[3] else { panic!("{:?}", answers[3]) };
        assert_eq!((proof.height, proof.storage.len(), proof.storage[0].key), (3, 1, B256([n; 32])));
        assert_eq!(answers[4], data(&[7, 7]));
    }
    let (methods, requests) = stub.counts();
    let of = |method: &str| methods.get(method).copied().unwrap_or_default();
    // 41 different views in one packed call, and the one with a sender alone.
    assert_eq!((requests, of("eth_call"), of("eth_getProof"), of("eth_getBalance")), (1, 2, 1, 1));
    let balance = &stub::calls(&stub.requests()[0]).into_iter().find(|c| c["method"] == "eth_getBalance").unwrap();
    assert_eq!(balance["params"][1], "0x10", "final is the height that was told");
}

/// A transaction of a function of the contract at `to`.
fn transaction(to: u8, function: u8, argument: u8) -> Query {
    let data = Bytes(vec![function, 0, 0, 0, argument]);
    Query::Trial { from: Address([2; 20]), to: Address([to; 20]), data, at: At::Latest }
}

fn echo(function: u8, argument: u8) -> Answer {
    data(&[function, 0, 0, 0, argument].repeat(2))
}

#[tokio::test]
async fn transactions_of_one_function_are_tried_out_in_few_calls_and_what_fails_among_them_alone() {
    let stub = honest().await;
    let reader = reader(&stub);
    // 30 of one function, one of another, and one of the same function of another contract.
    let queries = (2..32).map(|n| transaction(1, 5, n)).chain([transaction(1, 6, 9), transaction(2, 5, 9)]);
    let answers = reader.ask(queries.collect()).await;
    let expected: Vec<Answer> = (2..32).map(|n| echo(5, n)).chain([echo(6, 9), echo(5, 9)]).collect();
    assert_eq!(answers, expected);
    let (methods, requests) = stub.counts();
    assert_eq!((methods["eth_simulateV1"], methods["eth_call"], requests), (2, 2, 1));

    // The one that fails behind others succeeds alone; the other one fails alone too, and says why.
    let answers = reader.ask(vec![transaction(1, 5, 7), transaction(1, 5, 1)]).await;
    assert_eq!(answers, [echo(5, 7), echo(5, 1)]);
    let answers = reader.ask(vec![transaction(0xff, 5, 7), transaction(0xff, 5, 8)]).await;
    assert_eq!(answers, vec![Answer::Reverted(Revert::Reason("no luck".into())); 2]);
    let (methods, requests) = stub.counts();
    assert_eq!((methods["eth_simulateV1"], methods["eth_call"], requests), (4, 2 + 1 + 2, 1 + 2 + 2));
}

#[tokio::test]
async fn a_node_that_tries_out_no_sequences_is_noticed_and_still_answers_all() {
    for lie in [None, Some(json!([{ "calls": [] }])), Some(json!([]))] {
        let told = lie.clone();
        let stub = Stub::start(move |body, _| {
            Reply::Json(each(body, |method, params| match (method, &told) {
                ("eth_simulateV1", None) => Err((-32601, "the method eth_simulateV1 does not exist".into())),
                ("eth_simulateV1", Some(told)) => Ok(told.clone()),
                _ => node(method, params),
            }))
        })
        .await;
        let reader = reader(&stub);
        for round in 0..6u8 {
            let answers = reader.ask((2..12).map(|n| transaction(round, 5, n)).collect()).await;
            assert_eq!(answers, (2..12).map(|n| echo(5, n)).collect::<Vec<_>>(), "{lie:?}");
        }
        // A few tries are in vain, or one if it says that it can't.
        let most = if lie.is_none() { 1 } else { 3 };
        assert!(stub.counts().1 <= 6 + most, "{lie:?}: {}", stub.counts().1);
    }
}

/// Questions of all kinds, transactions of one function among them.
fn of_all_kinds(round: u8) -> (Vec<Query>, Vec<Answer>) {
    let others = [view(round, 1), view(round, 2), Query::Balance { address: Address([9; 20]), at: At::Latest }];
    let queries = others.into_iter().chain((2..6).map(|n| transaction(round, 5, n)));
    let answers = [data(&[1, 1]), data(&[2, 2]), Answer::Number(U256::from(5u64))];
    (queries.collect(), answers.into_iter().chain((2..6).map(|n| echo(5, n))).collect())
}

#[tokio::test]
async fn a_server_that_lets_no_sequence_through_is_noticed_and_spoils_no_other_question() {
    let quota = || Reply::Json(json!({ "id": null, "error": { "code": -32005, "message": "quota exceeded" } }));
    let refusals: [(_, fn() -> Reply); 8] = [
        ("403", || Reply::Status(403, "", "method not in the list".into())),
        ("404", || Reply::Status(404, "", String::new())),
        ("429", || Reply::Status(429, "", String::new())),
        ("429 for long", || Reply::Status(429, "retry-after: 60\r\n", String::new())),
        ("500", || Reply::Status(500, "", String::new())),
        ("503", || Reply::Status(503, "", String::new())),
        ("closed", || Reply::Close),
        ("quota", quota),
    ];
    for (name, refuse) in refusals {
        let stub = Stub::start(move |body, _| {
            let has_sequence = stub::calls(body).iter().any(|call| call["method"] == "eth_simulateV1");
            if has_sequence { refuse() } else { Reply::Json(each(body, node)) }
        })
        .await;
        let reader = reader(&stub);
        for round in 0..8 {
            let (queries, expected) = of_all_kinds(round);
            assert_eq!(reader.ask(queries).await, expected, "{name}");
        }
        assert!(stub.counts().1 <= 8 + 3, "{name}: {} requests", stub.counts().1);
    }
}

#[tokio::test]
async fn a_quota_for_sequences_alone_is_noticed() {
    let stub = Stub::start(|body, _| {
        Reply::Json(each(body, |method, params| match method {
            "eth_simulateV1" => Err((-32005, "limit exceeded".into())),
            _ => node(method, params),
        }))
    })
    .await;
    let reader = reader(&stub);
    for round in 0..8 {
        let (queries, expected) = of_all_kinds(round);
        assert_eq!(reader.ask(queries).await, expected);
    }
    assert!(stub.counts().1 <= 8 + 3, "{} requests", stub.counts().1);
}

#[tokio::test]
async fn an_outage_is_told_after_the_usual_attempts_and_says_nothing_about_sequences() {
    let stub = Stub::start(|body, n| match n {
        0..12 => Reply::Status(502, "", String::new()),
        _ => Reply::Json(each(body, node)),
    })
    .await;
    let reader = reader(&stub);
    for round in 1..=3 {
        let answers = reader.ask(of_all_kinds(1).0).await;
        assert!(
            answers.iter().all(|answer| matches!(answer, Answer::Failed(why) if why.contains("502"))),
            "{answers:?}"
        );
        // One more, in which the transactions were not one sequence.
        assert_eq!(stub.counts().1, round * (3 + 1));
    }
    let (queries, expected) = of_all_kinds(1);
    assert_eq!(reader.ask(queries).await, expected);
    let last = stub.requests().pop().unwrap();
    assert!(stub::calls(&last).iter().any(|call| call["method"] == "eth_simulateV1"), "{last}");
}

#[tokio::test]
async fn what_the_former_endpoint_could_not_is_not_laid_to_the_new_one() {
    let second = honest().await;
    let switch: Arc<OnceLock<(Reader, Rpc)>> = Arc::default();
    let known = switch.clone();
    // The endpoint is exchanged while its answer is under way.
    let first = Stub::start(move |body, _| {
        let (reader, rpc) = known.get().unwrap();
        reader.use_endpoint(rpc.clone());
        Reply::Json(each(body, |_, _| Err((-32601, "the method does not exist".into()))))
    })
    .await;
    let reader = reader(&first);
    switch.set((reader.clone(), Rpc::new(&second.url(), RpcOptions::default()).unwrap())).ok().unwrap();
    for _ in 0..2 {
        let answers = reader.ask((2..6).map(|n| transaction(1, 5, n)).collect()).await;
        assert_eq!(answers, (2..6).map(|n| echo(5, n)).collect::<Vec<_>>());
    }
    assert_eq!(second.counts().0.get("eth_simulateV1"), Some(&1));
}

#[tokio::test]
async fn a_call_that_others_could_help_is_asked_alone() {
    let stub = honest().await;
    let data = |n| Bytes(vec![5, 0, 0, 0, n]);
    let call = |n| Query::Call { from: Some(Address([2; 20])), to: Address([1; 20]), data: data(n), at: At::Latest };
    let answers = reader(&stub).ask((2..6).map(call).collect()).await;
    assert_eq!(answers, (2..6).map(|n| echo(5, n)).collect::<Vec<_>>());
    let (methods, requests) = stub.counts();
    assert_eq!((methods.get("eth_simulateV1"), methods["eth_call"], requests), (None, 4, 1));
}

#[tokio::test]
async fn a_view_that_fails_among_others_is_asked_alone_for_its_reason() {
    let stub = honest().await;
    let failing = Query::Call { from: None, to: FAILING, data: Bytes(vec![1]), at: At::Latest };
    let answers = reader(&stub).ask(vec![view(1, 1), failing, view(2, 2)]).await;
    assert_eq!(answers, [data(&[1, 1]), Answer::Reverted(Revert::Reason("no luck".into())), data(&[2, 2])]);
    assert_eq!(stub.counts().1, 2);
}

#[tokio::test]
async fn without_the_ability_to_pack_every_view_is_asked_alone_and_that_is_remembered() {
    let stub = Stub::start(|body, _| {
        Reply::Json(each(body, |method, params| match params[0].get("to") {
            None if method == "eth_call" => Err((-32602, "missing to".into())),
            _ => node(method, params),
        }))
    })
    .await;
    let reader = reader(&stub);
    for round in 0..6u8 {
        let answers = reader.ask((0..10).map(|n| view(round, n)).collect()).await;
        assert_eq!(answers, (0..10).map(|n| data(&[n, n])).collect::<Vec<_>>());
    }
    // Each round needs one request; the first few waste another.
    assert!(stub.counts().1 <= 6 + 3, "{}", stub.counts().1);
}

#[tokio::test]
async fn answers_that_are_no_answers_to_a_packed_call_are_not_believed() {
    for lie in [json!("0x"), json!("0x01"), json!("0x0100000001"), json!(["0x"]), Value::Null] {
        let told = lie.clone();
        let stub = Stub::start(move |body, _| {
            Reply::Json(each(body, |method, params| match params[0].get("to") {
                None => Ok(told.clone()),
                _ => node(method, params),
            }))
        })
        .await;
        let answers = reader(&stub).ask(vec![view(1, 1), view(1, 2)]).await;
        assert_eq!(answers, [data(&[1, 1]), data(&[2, 2])], "{lie}");
    }
}

#[tokio::test]
async fn more_views_than_fit_are_cut_and_proofs_have_at_most_a_hundred_keys() {
    let stub = honest().await;
    let views = (0..=255).map(|n| view(1, n));
    let proofs = (0..=149).map(|n| Query::Proof { address: FAILING, key: B256([n; 32]), height: 1 });
    let answers = reader(&stub).ask(views.chain(proofs).collect()).await;
    assert_eq!(answers[255], data(&[255, 255]));
    assert!(answers[256..].iter().all(|answer| matches!(answer, Answer::Proof(_))));
    let (methods, requests) = stub.counts();
    assert_eq!((methods["eth_call"], methods["eth_getProof"], requests), (2, 2, 1));
    let large = |n: u8| Query::Call { from: None, to: Address([1; 20]), data: Bytes(vec![n; 20_000]), at: At::Latest };
    reader(&stub).ask((0..6).map(large).collect()).await;
    for call in stub::calls(&stub.requests()[1]) {
        assert!(call["params"][0]["data"].as_str().unwrap().len() / 2 <= 49_152, "larger than init code may be");
    }
}

#[tokio::test]
async fn passing_faults_are_overcome_and_lasting_ones_told() {
    let stub = Stub::start(|body, n| match n {
        0 => Reply::Close,
        1 => Reply::Status(500, "", String::new()),
        _ => Reply::Json(each(body, node)),
    })
    .await;
    assert_eq!(reader(&stub).ask_one(view(1, 4)).await, data(&[4, 4]));

    let stub = Stub::start(|_, _| Reply::Status(502, "", String::new())).await;
    let answer = reader(&stub).ask_one(view(1, 4)).await;
    assert!(matches!(&answer, Answer::Failed(why) if why.contains("502")), "{answer:?}");
    assert_eq!(stub.counts().1, 3);

    let stub = Stub::start(|_, _| Reply::Status(429, "retry-after: 60\r\n", String::new())).await;
    assert!(matches!(reader(&stub).ask_one(view(1, 4)).await, Answer::Failed(_)));
    assert_eq!(stub.counts().1, 1, "a long wait is the asker's decision");
}

#[tokio::test]
async fn one_wrong_answer_spoils_no_other() {
    let stub = Stub::start(|body, _| {
        Reply::Json(each(body, |method, params| match method {
            "eth_getBalance" => Err((-32000, "header not found".into())),
            "eth_getProof" => Ok(json!({})),
            _ => node(method, params),
        }))
    })
    .await;
    let queries = vec![
        Query::Balance { address: FAILING, at: At::Latest },
        Query::Code { address: FAILING, at: At::Block(5) },
        Query::Proof { address: FAILING, key: B256::ZERO, height: 1 },
        Query::StateRoot { height: 1 },
        Query::Balance { address: FAILING, at: At::Final },
    ];
    let answers = reader(&stub).ask(queries).await;
    let why = |n: usize| {
        let Answer::Failed(why) = &answers[n] else { panic!("{:?}", answers[n]) };
        why.clone()
    };
    assert!(why(0).contains("header not found"));
    assert_eq!(answers[1], data(&[0x60]));
    assert!(why(2).contains("malformed"));
    assert!(why(3).contains("does not have block 1"));
    assert!(why(4).contains("final"));
}

#[tokio::test]
async fn another_endpoint_is_asked_from_the_next_round_on_and_nobody_is_asked_for_nothing() {
    let (first, second) = (honest().await, honest().await);
    let reader = reader(&first);
    reader.ask_one(view(1, 1)).await;
    reader.use_endpoint(Rpc::new(&second.url(), RpcOptions::default()).unwrap());
    reader.ask_one(view(1, 1)).await;
    assert_eq!((first.counts().1, second.counts().1), (1, 1));
    assert!(reader.ask(vec![]).await.is_empty());
    let gone = tokio::spawn({
        let reader = reader.clone();
        async move { reader.ask_one(view(1, 1)).await }
    });
    tokio::task::yield_now().await;
    gone.abort();
    let _ = gone.await;
    reader.ask_one(view(2, 2)).await;
    let last = second.requests().pop().unwrap();
    assert_eq!(last["params"][0]["to"], json!(Address([2; 20])), "the question of who is gone is not asked");
}
