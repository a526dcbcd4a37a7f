//! Another branch of the chain, told by the node from a height on.
//!
//! Each block of it is the true one with another `extraData` and parent.

use super::{
    calls::{height, quantity},
    http::Upstream,
};
use crate::header::seal;
use anyhow::Result;
use facilitator_eth::{Bytes, keccak256};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The branch, as far as it was told.
#[derive(Debug)]
pub(super) struct Branch {
    from: u64,
    extra: Json,
    sealed: bool,
    /// Hashes told by true ones, and true ones by those told.
    told: BTreeMap<String, String>,
    truth: BTreeMap<String, String>,
}

impl Branch {
    pub(super) fn new(from: u64, salt: u8, sealed: bool) -> Self {
        let extra = json!(Bytes([b"another branch ".as_slice(), &[salt]].concat()));
        Self { from, extra, sealed, told: BTreeMap::new(), truth: BTreeMap::new() }
    }

    /// Puts the true hashes into a question.
    pub(super) fn ask(&self, question: &mut Json) {
        replace(question, &self.truth);
    }

    /// Puts the branch's hashes into answers.
    pub(super) async fn tell(&mut self, told: &mut Json, node: &mut Upstream) -> Result<()> {
        let mut seen = Vec::new();
        blocks(told, &mut seen);
        for (number, hash) in seen {
            if number >= self.from && !self.told.contains_key(&hash) {
                self.follow(number, node).await?;
            }
        }
        replace(told, &self.told);
        self.mark(told);
        Ok(())
    }

    /// Makes the branch up to a height from the node's present blocks.
    async fn follow(&mut self, to: u64, node: &mut Upstream) -> Result<()> {
        for number in self.from..=to {
            let mut block = node.call("eth_getBlockByNumber", json!([quantity(number), false])).await?;
            let Some(truth) = block["hash"].as_str().map(str::to_owned) else { continue };
            if self.told.contains_key(&truth) {
                continue;
            }
            replace(&mut block, &self.told);
            self.mark(&mut block);
            let hash = if self.sealed { seal(&block)? } else { keccak256(format!("{truth}{}", self.extra)) };
            self.told.insert(truth.clone(), hash.to_string());
            self.truth.insert(hash.to_string(), truth);
        }
        Ok(())
    }

    /// Gives each block of the branch its `extraData`.
    fn mark(&self, value: &mut Json) {
        match value {
            Json::Array(list) => list.iter_mut().for_each(|item| self.mark(item)),
            Json::Object(map) => {
                map.values_mut().for_each(|item| self.mark(item));
                if value.get("extraData").is_some() && height(value).is_some_and(|height| height >= self.from) {
                    value["extraData"] = self.extra.clone();
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
}

/// Height and hash of everything that stands in a block.
fn blocks(value: &Json, seen: &mut Vec<(u64, String)>) {
    match value {
        Json::Array(list) => list.iter().for_each(|item| blocks(item, seen)),
        Json::Object(map) => {
            let hash = if value.get("parentHash").is_some() { &value["hash"] } else { &value["blockHash"] };
            seen.extend(height(value).zip(hash.as_str().map(str::to_owned)));
            map.values().for_each(|item| blocks(item, seen));
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn replace(value: &mut Json, by: &BTreeMap<String, String>) {
    match value {
        Json::Array(list) => list.iter_mut().for_each(|item| replace(item, by)),
        Json::Object(map) => map.values_mut().for_each(|item| replace(item, by)),
        Json::String(text) => {
            if let Some(other) = by.get(text.as_str()) {
                other.clone_into(text);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
