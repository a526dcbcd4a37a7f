//! The answer of `eth_getProof`.
//!
//! Invariant: the proof is of the account asked for and has one part for each key, in the keys' order. That its hashes
//! lead to an anchored root is checked by [`facilitator_protocol::proof::check`].

use super::fields::{Fields, parse_bytes, parse_quantity};
use crate::rpc::RpcError;
use facilitator_eth::{Address, B256, Bytes};
use facilitator_protocol::proof::{AccountProof, StorageProof};
use serde_json::Value;

/// A path has 64 nibbles, so that no trie is deeper.
const MAX_NODES: usize = 65;
/// The largest honest node, a branch of sixteen hashes, has 532 bytes.
const MAX_NODE_BYTES: usize = 1024;
/// Most keys in one call.
pub(crate) const MAX_KEYS: usize = 100;

fn node(what: &str, value: &Value) -> Result<Bytes, RpcError> {
    let bytes = parse_bytes(what, value)?;
    if bytes.0.len() > MAX_NODE_BYTES {
        return Err(RpcError::malformed(format!("{what} has a node of {} bytes", bytes.0.len())));
    }
    Ok(bytes)
}

/// Reads the proof of `address` and `keys` at `height`.
///
/// # Errors
/// [`RpcError::Malformed`] with the field, also when it is of another account or lacks a key.
pub fn parse_proof(value: &Value, address: Address, keys: &[B256], height: u64) -> Result<AccountProof, RpcError> {
    let proof = Fields::of("proof", value)?;
    // Some nodes leave the address out or write it without its checksum; a wrong one is another account's proof.
    if proof.optional("address").is_some() && proof.address("address")? != address {
        return Err(proof.refuse(format!("is not of the account {address} that was asked for")));
    }
    let storage = proof.list("storageProof", MAX_KEYS, |_, element| {
        let part = Fields::of("storage proof", element)?;
        // Nodes write the key as given, as a quantity, or padded.
        let key = parse_quantity("storage proof: `key`", part.optional("key").unwrap_or(&Value::Null))?.to_word();
        Ok(StorageProof { key, value: part.uint("value")?, nodes: part.list("proof", MAX_NODES, node)? })
    })?;
    if !storage.iter().map(|part| part.key).eq(keys.iter().copied()) {
        return Err(proof.refuse("`storageProof` does not have the keys that were asked for"));
    }
    Ok(AccountProof {
        address,
        height,
        state_root: None,
        balance: proof.uint("balance")?,
        nonce: proof.uint("nonce")?,
        code_hash: proof.word("codeHash")?,
        storage_root: proof.word("storageHash")?,
        account_nodes: proof.list("accountProof", MAX_NODES, node)?,
        storage,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn proof_json() -> Value {
        json!({
            "address": format!("0x{}", "ab".repeat(20)), "balance": "0x0", "nonce": "0x2",
            "codeHash": B256([4; 32]).to_string(), "storageHash": B256([5; 32]).to_string(),
            "accountProof": ["0xf851", "0xf869"],
            "storageProof": [{ "key": "0x7", "value": "0x1", "proof": ["0xe2a0"] }],
        })
    }

    #[test]
    fn a_proof_must_be_of_the_account_and_keys_asked_for() {
        let address = Address([0xab; 20]);
        let mut key = B256::ZERO;
        key.0[31] = 7;
        let proof = parse_proof(&proof_json(), address, &[key], 13).unwrap();
        assert_eq!((proof.height, proof.account_nodes.len(), proof.storage[0].key), (13, 2, key));
        assert!(parse_proof(&proof_json(), Address::ZERO, &[key], 13).is_err());
        assert!(parse_proof(&proof_json(), address, &[], 13).is_err());
        assert!(parse_proof(&proof_json(), address, &[key, key], 13).is_err());
        assert!(parse_proof(&proof_json(), address, &[B256::ZERO], 13).is_err());
        for (field, wrong) in [
            ("accountProof", json!(vec!["0x00"; 66])),
            ("accountProof", json!([format!("0x{}", "00".repeat(1025))])),
            ("balance", json!("-1")),
            ("storageHash", json!("0x00")),
        ] {
            let mut value = proof_json();
            value[field] = wrong;
            assert!(parse_proof(&value, address, &[key], 13).is_err(), "{field}");
        }
    }
}
