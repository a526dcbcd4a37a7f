//! Headers, receipts and logs of real nodes with the rules of several forks: what is true is proven, and each lie
//! about it found out.
//!
//! Needs the pinned anvil that `scripts/devnet-tools` installs; without it these tests say so and do nothing.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod anvils;

use anvils::Anvil;
use facilitator_chain::{
    scan::{
        LogFilter, Span,
        complete::{Doubt, NotProven, check_answer, doubts, prove_logs},
    },
    types::{
        Header, Outcome, Seal, SealedHeader, parse_block_receipts, parse_logs, parse_receipt, parse_sealed_header,
        receipts_root,
    },
};
use facilitator_eth::{Address, B256};
use serde_json::{Value, json};
use std::time::Duration;

/// Emits a log with the first word of its call data as topic and data.
const LOGS: &str = "6000358060005260206000a100";
/// Reverts.
const REVERT: &str = "60006000fd";
/// More transactions than places with a key of one byte, so that the receipts' trie has paths of both lengths.
const MANY: u64 = 140;

struct Chain {
    anvil: Anvil,
    account: Value,
    fork: &'static str,
}

impl Chain {
    async fn start(fork: &'static str) -> Option<Self> {
        let anvil = Anvil::start(fork).await?;
        let account = anvil.rpc.call("eth_accounts", json!([])).await.unwrap()[0].clone();
        Some(Self { anvil, account, fork })
    }

    async fn call(&self, method: &'static str, params: Value) -> Value {
        self.anvil.rpc.call(method, params).await.unwrap()
    }

    async fn send(&self, mut transaction: Value) -> Value {
        transaction["from"] = self.account.clone();
        transaction["gas"] = json!("0x20000");
        if transaction.get("maxFeePerGas").is_none() {
            transaction["gasPrice"] = json!("0x12a05f200");
        }
        self.call("eth_sendTransaction", json!([transaction])).await
    }

    async fn deploy(&self, runtime: &str) -> Address {
        let runtime: String = runtime.chars().filter(|c| !c.is_whitespace()).collect();
        let init = format!("0x60{:02x}80600b6000396000f3{runtime}", runtime.len() / 2);
        let hash = self.send(json!({ "data": init })).await;
        loop {
            let receipt = self.call("eth_getTransactionReceipt", json!([hash])).await;
            if parse_receipt(&receipt).unwrap().is_some() {
                return receipt["contractAddress"].as_str().unwrap().parse().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn block(&self, number: u64) -> Value {
        self.call("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await
    }

    async fn sealed(&self, number: u64) -> SealedHeader {
        parse_sealed_header(&self.block(number).await).unwrap().unwrap()
    }

    async fn receipts(&self, number: u64) -> Value {
        self.call("eth_getBlockReceipts", json!([format!("{number:#x}")])).await
    }

    async fn head(&self) -> u64 {
        let number = self.call("eth_blockNumber", json!([])).await;
        u64::from_str_radix(number.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    }

    fn has(&self, forks: &[&str]) -> bool {
        forks.contains(&self.fork)
    }
}

fn topic(number: u64) -> B256 {
    let mut topic = B256::ZERO;
    topic.0[24..].copy_from_slice(&number.to_be_bytes());
    topic
}

/// A block with transactions of every type that the fork knows and the node can be asked for, two of them failing, and
/// the blocks around it. Gives the contract and the block's height.
async fn scene(chain: &Chain) -> (Address, u64) {
    let (logs, revert) = (chain.deploy(LOGS).await, chain.deploy(REVERT).await);
    chain.call("evm_setAutomine", json!([false])).await;
    for number in 0..MANY {
        let mut transaction = json!({ "to": logs, "data": topic(number % 2) });
        match number % 5 {
            1 => transaction["accessList"] = json!([]),
            2 if !chain.has(&["berlin"]) => {
                transaction["maxFeePerGas"] = json!("0x12a05f200");
                transaction["maxPriorityFeePerGas"] = json!("0x1");
            }
            3 if number < 10 => transaction["to"] = json!(revert),
            _ => {}
        }
        chain.send(transaction).await;
    }
    if chain.has(&["prague"]) {
        let word = B256([1; 32]);
        let authorization =
            json!({ "chainId": "0x57f", "address": logs, "nonce": "0x0", "yParity": "0x0", "r": word, "s": word });
        let fees = json!({
            "to": logs, "data": topic(0), "maxFeePerGas": "0x12a05f200", "maxPriorityFeePerGas": "0x1",
            "authorizationList": [authorization],
        });
        chain.send(fees).await;
    }
    chain.call("anvil_mine", json!(["0x1"])).await;
    let number = chain.head().await;
    chain.call("anvil_mine", json!(["0x2"])).await;
    (logs, number)
}

async fn proven(fork: &'static str) {
    let Some(chain) = Chain::start(fork).await else { return };
    let (contract, number) = scene(&chain).await;
    let head = chain.head().await;
    let mut headers: Vec<Header> = Vec::new();
    // Anvil gives the first block blob fields before its fork has any: a form that is not known is no lie.
    let first = chain.sealed(0).await.seal;
    assert!(first == Seal::Bound || chain.has(&["berlin", "london"]) && matches!(first, Seal::Unknown { .. }));
    for height in 1..=head {
        let sealed = chain.sealed(height).await;
        assert_eq!(sealed.seal, Seal::Bound, "{fork}, block {height}: {}", chain.block(height).await);
        let receipts = parse_block_receipts(&chain.receipts(height).await).unwrap().unwrap();
        assert_eq!(receipts_root(&receipts), Ok(sealed.receipts_root), "{fork}, block {height}");
        headers.push(sealed.header);
    }
    let receipts = parse_block_receipts(&chain.receipts(number).await).unwrap().unwrap();
    let kinds = |kind: u64| receipts.iter().filter(|receipt| receipt.kind == kind).count();
    assert!(receipts.len() as u64 >= MANY && kinds(0) > 0 && kinds(1) > 0, "{fork}");
    assert_eq!((kinds(2) > 0, kinds(4)), (fork != "berlin", usize::from(fork == "prague")), "{fork}");
    assert!(receipts.iter().any(|receipt| receipt.outcome == Outcome::Status(false)));

    let (filter, span) = (LogFilter::new(vec![contract], vec![topic(1)]), Span { from: 1, to: head });
    let asked = json!([{ "address": contract, "topics": [topic(1)], "fromBlock": "0x1", "toBlock": "latest" }]);
    let answer = parse_logs(&chain.call("eth_getLogs", asked).await).unwrap();
    assert!(answer.len() > 60, "{fork}: {}", answer.len());
    let told = check_answer(&filter, span, &headers, answer.clone()).unwrap();
    let doubtful: Vec<_> = doubts(&filter, span, &headers, &told).unwrap();
    assert!(doubtful.iter().any(|block| (block.number, block.doubt) == (number, Doubt::Told)), "{fork}");
    let sealed = chain.sealed(number).await;
    assert_eq!(prove_logs(&filter, &sealed, &receipts).unwrap(), told, "{fork}: the node is honest");

    // Without its logs the block is doubted, and with half of them as well.
    for left in [0, told.len() / 2] {
        let found = doubts(&filter, span, &headers, &told[..left]).unwrap();
        assert!(found.iter().any(|block| block.number == number), "{fork}: {left} left");
    }
    let mut lie = chain.receipts(number).await;
    lie.as_array_mut().unwrap().iter_mut().for_each(|receipt| receipt["logs"] = json!([]));
    let lie = parse_block_receipts(&lie).unwrap().unwrap();
    assert!(matches!(prove_logs(&filter, &sealed, &lie), Err(NotProven::FalseReceipts { .. })), "{fork}");

    // A header whose filter and root are made to fit the lie has another hash.
    let mut block = chain.block(number).await;
    block["logsBloom"] = json!(format!("0x{}", "00".repeat(256)));
    block["receiptsRoot"] = json!(receipts_root(&lie).unwrap());
    let forged = parse_sealed_header(&block).unwrap().unwrap();
    assert!(matches!(forged.seal, Seal::Broken { .. }), "{fork}: {:?}", forged.seal);
    assert!(prove_logs(&filter, &forged, &lie).unwrap_err().is_lie(), "{fork}");
}

#[tokio::test]
async fn blocks_of_berlin_are_proven() {
    proven("berlin").await;
}

#[tokio::test]
async fn blocks_of_london_are_proven() {
    proven("london").await;
}

#[tokio::test]
async fn blocks_of_shanghai_are_proven() {
    proven("shanghai").await;
}

#[tokio::test]
async fn blocks_of_cancun_are_proven() {
    proven("cancun").await;
}

#[tokio::test]
async fn blocks_of_prague_are_proven() {
    proven("prague").await;
}
