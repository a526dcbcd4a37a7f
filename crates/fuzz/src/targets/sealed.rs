//! What hashes bind: headers and the receipts of a block. Whatever is damaged, a true hash never vouches for anything but
//! the truth.

use super::chain::{judge, log};
use crate::{Outcome, Target, mutate};
use facilitator_chain::types::{
    BlockReceipt, parse_block_receipts, parse_checked_header, parse_sealed_header, receipts_root,
};
use facilitator_dice::Rng;
use facilitator_eth::B256;
use serde_json::{Value, json};

pub(super) fn headers() -> Target {
    Target { name: "sealed-headers", memory: 32 << 20, case: Box::new(header) }
}

pub(super) fn receipts() -> Target {
    Target { name: "block-receipts", memory: 32 << 20, case: Box::new(receipt_list) }
}

/// Block 1 of Ethereum's mainnet.
fn first() -> Value {
    json!({
        "number": "0x1", "hash": "0x88e96d4537bea4d9c05d12549907b32561d3bf31f45aae734cdc119f13406cb6",
        "parentHash": "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
        "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
        "miner": "0x05a56e2d52c817161883f50c441c3228cfe54d9f",
        "stateRoot": "0xd67e4d450343046425ae4271474353857ab860dbc0a1dde64b41b5cd3a532bf3",
        "transactionsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
        "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
        "logsBloom": format!("0x{}", "00".repeat(256)), "difficulty": "0x3ff800000", "gasLimit": "0x1388",
        "gasUsed": "0x0", "timestamp": "0x55ba4224",
        "extraData": "0x476574682f76312e302e302f6c696e75782f676f312e342e32",
        "mixHash": "0x969b900de27b6ac6a67742365dd65f55a0526c41fd18e1b16f1a1215c2e66f59",
        "nonce": "0x539bd4979fef1ec4",
    })
}

fn header(rng: &mut Rng) -> Outcome {
    let damaged = !rng.chance(100);
    let mut value = first();
    if damaged {
        mutate::json(rng, &mut value);
    }
    let truth = parse_sealed_header(&first()).ok().flatten().map(|sealed| sealed.header);
    let outcome = parse_checked_header(&value).map(|header| match (header, &truth) {
        (None, _) => value.is_null(),
        (Some(header), Some(truth)) => {
            let vouched = header.receipts_root.is_some() && header.hash == truth.hash;
            let root = header.receipts_root.map(|root| root.to_string());
            let same = header.number == truth.number
                && header.parent_hash == truth.parent_hash
                && header.state_root == truth.state_root
                && header.logs_bloom == truth.logs_bloom
                && root.as_deref() == first()["receiptsRoot"].as_str();
            if damaged { !vouched || same } else { vouched && same }
        }
        (Some(_), None) => false,
    });
    judge(outcome, damaged)
}

fn list() -> Value {
    let receipt = |kind: &str, gas: &str, logs: Value| {
        json!({
            "transactionHash": B256([1; 32]), "status": "0x1", "type": kind, "cumulativeGasUsed": gas, "logs": logs,
        })
    };
    json!([receipt("0x0", "0x5208", json!([log()])), receipt("0x2", "0xa410", json!([]))])
}

/// What the root binds of each receipt.
fn bound(receipts: &[BlockReceipt]) -> Vec<BlockReceipt> {
    receipts.iter().map(|receipt| BlockReceipt { tx_hash: B256::ZERO, ..receipt.clone() }).collect()
}

fn receipt_list(rng: &mut Rng) -> Outcome {
    let damaged = !rng.chance(100);
    let mut value = list();
    if damaged {
        mutate::json(rng, &mut value);
    }
    let truth = parse_block_receipts(&list()).ok().flatten().unwrap_or_default();
    let outcome = parse_block_receipts(&value).map(|receipts| match receipts {
        None => value.is_null(),
        Some(receipts) => {
            let same_root = receipts_root(&receipts) == receipts_root(&truth);
            let same = bound(&receipts) == bound(&truth);
            if damaged { same_root == same } else { same_root && same && !truth.is_empty() }
        }
    });
    judge(outcome, damaged)
}
