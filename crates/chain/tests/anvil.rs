//! The packed call and the parsers on real nodes with the rules of four forks.
//!
//! Needs the pinned anvil that `scripts/devnet-tools` installs; without it these tests say so and do nothing.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod anvils;

use anvils::Anvil;
use facilitator_chain::{
    reader::{Answer, At, Query, Reader, ReaderOptions},
    rpc::Call,
    scan::{fetch_chain_id, fetch_head},
    types::{Execution, parse_receipt},
};
use facilitator_eth::{Address, B256, Bytes, abi::Revert, keccak256};
use facilitator_protocol::proof;
use serde_json::{Value, json};
use std::time::Duration;

/// Returns its call data.
const ECHO: &str = "366000600037366000f3";
/// Reverts with its call data.
const REVERT: &str = "366000600037366000fd";
/// An invalid opcode: burns all gas it is given.
const BURN: &str = "fe";
/// Stores 7 in slot 1 and returns its call data; its proof has a slot to show.
const STORE: &str = "6007600155366000600037366000f3";

/// A node with an account that acts on it.
struct Actor(Anvil);

impl Actor {
    async fn start(fork: &str) -> Option<Self> {
        Anvil::start(fork).await.map(Self)
    }

    async fn send(&self, mut transaction: Value) -> Value {
        let accounts = self.0.rpc.call("eth_accounts", json!([])).await.unwrap();
        transaction["from"] = accounts[0].clone();
        transaction["gas"] = json!("0x100000");
        transaction["gasPrice"] = json!("0x12a05f200");
        let hash = self.0.rpc.call("eth_sendTransaction", json!([transaction])).await.unwrap();
        loop {
            let receipt = self.0.rpc.call("eth_getTransactionReceipt", json!([hash])).await.unwrap();
            if let Some(parsed) = parse_receipt(&receipt).unwrap() {
                assert_eq!(parsed.execution, Execution::Succeeded);
                return receipt;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn deploy(&self, runtime: &str) -> Address {
        let init = format!("0x60{:02x}80600b6000396000f3{runtime}", runtime.len() / 2);
        let receipt = self.send(json!({ "data": init })).await;
        receipt["contractAddress"].as_str().unwrap().parse().unwrap()
    }
}

fn view(to: Address, data: &[u8]) -> Query {
    Query::Call { from: None, to, data: Bytes(data.to_vec()), at: At::Latest }
}

async fn packed_calls(fork: &str) {
    let Some(anvil) = Actor::start(fork).await else { return };
    let echo = anvil.deploy(ECHO).await;
    let (revert, burn) = (anvil.deploy(REVERT).await, anvil.deploy(BURN).await);
    let long: Vec<u8> = (0..=255).collect();
    let queries = vec![
        view(echo, b"hello"),
        view(revert, b"no"),
        view(burn, b""),
        view(Address([0x99; 20]), b"x"),
        view(burn, b"again"),
        view(echo, &long),
        view(echo, b""),
    ];
    let data = |bytes: &[u8]| Answer::Data(Bytes(bytes.to_vec()));
    let expected = vec![
        data(b"hello"),
        Answer::Reverted(Revert::Other(Bytes(b"no".to_vec()))),
        Answer::Reverted(Revert::Empty),
        data(b""),
        Answer::Reverted(Revert::Empty),
        data(&long),
        data(b""),
    ];
    let reader = Reader::start(anvil.0.rpc.clone(), ReaderOptions::default());
    let before = anvil.0.rpc.stats();
    assert_eq!(reader.ask(queries).await, expected, "{fork}");
    let after = anvil.0.rpc.stats();
    // One packed call, then the three that failed in it alone.
    assert_eq!((after.calls - before.calls, after.requests - before.requests), (1 + 3, 2), "{fork}");

    // As many and as large results as are ever packed.
    let wide = |n: u8| [[n; 32]; 3].concat();
    let queries = (0..200).map(|n| view(echo, &wide(n))).collect();
    let expected: Vec<_> = (0..200).map(|n| data(&wide(n))).collect();
    assert_eq!(reader.ask(queries).await, expected, "{fork}");
    assert_eq!(anvil.0.rpc.stats().calls - after.calls, 1, "{fork}");
}

/// Transactions of one function, in the name of an account or of a contract.
async fn sequences(fork: &str) {
    let Some(anvil) = Actor::start(fork).await else { return };
    let (echo, revert) = (anvil.deploy(ECHO).await, anvil.deploy(REVERT).await);
    let reader = Reader::start(anvil.0.rpc.clone(), ReaderOptions::default());
    for from in [Address([0x77; 20]), echo] {
        let transaction = |to, data: &[u8]| Query::Trial { from, to, data: Bytes(data.to_vec()), at: At::Latest };
        let before = anvil.0.rpc.stats();
        let queries = (0..24u8).map(|n| transaction(echo, &[1, 2, 3, 4, n])).collect();
        let expected: Vec<_> = (0..24u8).map(|n| Answer::Data(Bytes(vec![1, 2, 3, 4, n]))).collect();
        assert_eq!(reader.ask(queries).await, expected, "{fork}");
        assert_eq!(anvil.0.rpc.stats().calls - before.calls, 1, "{fork}, as {from}");
        let answers = reader.ask(vec![transaction(revert, b"func1"), transaction(revert, b"func2")]).await;
        let expected = [b"func1", b"func2"].map(|data| Answer::Reverted(Revert::Other(Bytes(data.to_vec()))));
        assert_eq!(answers, expected, "{fork}");
        assert_eq!(anvil.0.rpc.stats().calls - before.calls, 1 + 1 + 2, "{fork}, as {from}");
    }
}

#[tokio::test]
async fn sequences_are_tried_out_on_london() {
    sequences("london").await;
}

#[tokio::test]
async fn sequences_are_tried_out_on_osaka() {
    sequences("osaka").await;
}

#[tokio::test]
async fn packed_calls_work_on_byzantium() {
    packed_calls("byzantium").await;
}

#[tokio::test]
async fn packed_calls_work_on_london() {
    packed_calls("london").await;
}

#[tokio::test]
async fn packed_calls_work_on_shanghai() {
    packed_calls("shanghai").await;
}

#[tokio::test]
async fn packed_calls_work_on_osaka() {
    packed_calls("osaka").await;
}

#[tokio::test]
async fn proofs_of_a_real_node_verify_against_its_state_root() {
    let Some(anvil) = Actor::start("london").await else { return };
    let store = anvil.deploy(STORE).await;
    let receipt = anvil.send(json!({ "to": store, "data": "0x" })).await;
    let height = u64::from_str_radix(&receipt["blockNumber"].as_str().unwrap()[2..], 16).unwrap();
    let mut key = B256::ZERO;
    key.0[31] = 1;
    let reader = Reader::start(anvil.0.rpc.clone(), ReaderOptions::default());
    let queries = vec![
        Query::Proof { address: store, key, height },
        Query::Proof { address: store, key: keccak256(b"unused"), height },
        Query::StateRoot { height },
        Query::Code { address: store, at: At::Block(height) },
    ];
    let answers = reader.ask(queries).await;
    let [Answer::Proof(used), Answer::Proof(unused), Answer::Root(root), Answer::Data(code)] = answers.as_slice()
    else {
        panic!("{answers:?}");
    };
    proof::check(used, *root).unwrap();
    proof::check(unused, *root).unwrap();
    assert_eq!((used.storage[0].value.to_u64(), unused.storage[0].value.to_u64()), (Some(7), Some(0)));
    assert_eq!(code.to_string(), format!("0x{STORE}"));
    assert!(proof::check(used, B256([1; 32])).is_err());
    assert_eq!(fetch_head(&anvil.0.rpc).await.unwrap().state_root, *root);
    assert_eq!(fetch_chain_id(&anvil.0.rpc).await, Ok(1407));
    let unknown =
        anvil.0.rpc.batch(&[Call::new("no_such", json!([])), Call::new("eth_chainId", json!([]))]).await.unwrap();
    assert!(unknown[0].is_err() && unknown[1].is_ok());
}
