//! What hashes bind: headers and the receipts of a block. Whatever is damaged, a true hash never vouches for anything but
//! the truth.

use super::chain::{judge, log};
use crate::{Outcome, Target, corpus, mutate};
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

fn header(rng: &mut Rng) -> Outcome {
    let damaged = !rng.chance(100);
    let mut value = corpus::BLOCK.clone();
    if damaged {
        mutate::json(rng, &mut value);
    }
    let truth = parse_sealed_header(&corpus::BLOCK).ok().flatten().map(|sealed| sealed.header);
    let outcome = parse_checked_header(&value).map(|header| match (header, &truth) {
        (None, _) => value.is_null(),
        (Some(header), Some(truth)) => {
            let vouched = header.receipts_root.is_some() && header.hash == truth.hash;
            let root = header.receipts_root.map(|root| root.to_string());
            let same = header.number == truth.number
                && header.parent_hash == truth.parent_hash
                && header.state_root == truth.state_root
                && header.logs_bloom == truth.logs_bloom
                && root.as_deref() == corpus::BLOCK["receiptsRoot"].as_str();
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
