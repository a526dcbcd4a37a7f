//! Proofs of a gateway's messages, in the form in which the contracts take them.
//!
//! Only one thing is checked: that the proof belongs to the height's state. A node that is making a block just then may
//! mix the states of two blocks (anvil does); asking again a moment later gives the right one.

use crate::node::Node;
use anyhow::{Context as _, Result, bail};
use facilitator_eth::{Address, B256, Bytes, U256, keccak256, rlp};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// Storage slot of the outbox in both gateways.
const OUTBOX_SLOT: u64 = 9;

/// Proof of an account and of some of its storage at one height.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The account's value in the state trie.
    pub account: Bytes,
    /// Nodes of the state trie, as one list of lists.
    pub account_nodes: Bytes,
    /// For each key, in the order asked: nodes of the storage trie, as one list of lists.
    pub storage_nodes: Vec<Bytes>,
}

/// The storage key of a message's status in the outbox.
#[must_use]
pub fn outbox_key(message: B256) -> B256 {
    keccak256([message.0, U256::from(OUTBOX_SLOT).to_be_bytes()].concat())
}

/// How often a proof of mixed states is asked for again, and how long after.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(25);

fn nodes(json: &Json) -> Result<Vec<Bytes>> {
    serde_json::from_value(json.clone()).context("no proof nodes")
}

fn root(nodes: &[Bytes]) -> B256 {
    nodes.first().map(keccak256).unwrap_or_default()
}

/// The proof of `gateway` and of these messages in its outbox, at `height`, in one call.
///
/// # Errors
/// When the node can't prove it.
pub async fn of_outbox(node: &Node, gateway: Address, messages: &[B256], height: u64) -> Result<Proof> {
    of_keys(node, gateway, messages.iter().map(|message| outbox_key(*message)).collect(), height).await
}

/// The proof of `gateway` and of this message in its inbox, at `height`.
///
/// # Errors
/// When the node can't prove it.
pub async fn of_inbox(node: &Node, gateway: Address, message: B256, height: u64) -> Result<Proof> {
    let key = keccak256([message.0, U256::from(OUTBOX_SLOT + 1).to_be_bytes()].concat());
    of_keys(node, gateway, vec![key], height).await
}

async fn of_keys(node: &Node, gateway: Address, keys: Vec<B256>, height: u64) -> Result<Proof> {
    let state_root = node.header(&format!("{height:#x}")).await?.state_root;
    for _ in 0..TRIES {
        let json = node.call("eth_getProof", json!([gateway, keys, format!("{height:#x}")])).await?;
        if let Some(proof) = read(&json, state_root)? {
            return Ok(proof);
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("the node can't prove height {height}")
}

/// The proof in an answer; `None` when it is not one of the state with this root.
fn read(json: &Json, state_root: B256) -> Result<Option<Proof>> {
    let number = |name: &str| -> Result<U256> { Ok(json[name].as_str().context("no number")?.parse()?) };
    let hash = |name: &str| -> Result<B256> { Ok(json[name].as_str().context("no hash")?.parse()?) };
    let account_nodes = nodes(&json["accountProof"])?;
    let storage_root = hash("storageHash")?;
    let entries = json["storageProof"].as_array().context("no storage proof")?;
    let storage = entries.iter().map(|entry| nodes(&entry["proof"])).collect::<Result<Vec<_>>>()?;
    if root(&account_nodes) != state_root || storage.iter().any(|nodes| root(nodes) != storage_root) {
        return Ok(None);
    }
    Ok(Some(Proof {
        account: rlp::account(number("nonce")?, number("balance")?, storage_root, hash("codeHash")?),
        account_nodes: rlp::list_of_raw(&account_nodes),
        storage_nodes: storage.iter().map(|nodes| rlp::list_of_raw(nodes)).collect(),
    }))
}
