//! Proofs against a real chain's, and against every kind of lie about them.

#![allow(clippy::unwrap_used)]

mod common;

use common::{parsed, text, vectors};
use facilitator_eth::{B256, Bytes, U256, keccak256};
use facilitator_protocol::proof::{
    AccountProof, MESSAGE_BOX_OFFSET, ProofError, StorageProof, check, inbox_key, outbox_key, serialise_account,
    serialise_nodes, serialise_storage, storage_root_key,
};
use serde_json::Value;

fn nodes(list: &Value) -> Vec<Bytes> {
    list.as_array().unwrap().iter().map(|node| node.as_str().unwrap().parse().unwrap()).collect()
}

fn recorded(run: &Value) -> AccountProof {
    let proof = &run["proof"];
    AccountProof {
        address: parsed(run, "/addr/gateway"),
        height: 13,
        state_root: Some(parsed(proof, "/stateRoot")),
        balance: parsed(proof, "/balance"),
        nonce: parsed(proof, "/nonce"),
        code_hash: parsed(proof, "/codeHash"),
        storage_root: parsed(proof, "/storageHash"),
        account_nodes: nodes(&proof["accountProof"]),
        storage: vec![StorageProof {
            key: parsed(proof, "/key"),
            value: parsed(proof, "/value"),
            nodes: nodes(&proof["storageProof"]),
        }],
    }
}

#[test]
fn keys_are_those_of_the_contracts_storage() {
    let run = vectors("e2e");
    let message = parsed(&run, "/msg/mh");
    let key = outbox_key(message, MESSAGE_BOX_OFFSET);
    assert_eq!(key.to_string(), text(&run, "/proof/key"));
    assert_eq!(inbox_key(message, MESSAGE_BOX_OFFSET).to_string(), text(&run, "/proof/inKey"));
    assert_eq!(
        outbox_key(message, 7).to_string(),
        "0x07c6e9b630738c4d08dfce646cefe0176a031e29e0957b4caf05f00f3293f30d",
        "older gateways"
    );
    assert_eq!(
        keccak256(key).to_string(),
        "0x98797e1207d2bfc5a1e083c84cbcfbbea061423c60f9ee0f17d097d66477443d",
        "path in the trie"
    );
    assert_eq!(
        storage_root_key(1),
        keccak256([U256::ONE.to_be_bytes(), U256::from(12u64).to_be_bytes()].concat()),
        "mapping at slot 12"
    );
    let gateway: facilitator_eth::Address = parsed(&run, "/addr/gateway");
    assert_eq!(keccak256(gateway).to_string(), text(&run, "/const/encPath"));
}

#[test]
fn proofs_are_serialised_as_the_contracts_took_them() {
    let run = vectors("e2e");
    let proof = recorded(&run);
    assert_eq!(serialise_account(&proof).to_string(), text(&run, "/proof/acctRlp"));
    assert_eq!(serialise_nodes(&proof.account_nodes).to_string(), text(&run, "/proof/serAcct"));
    assert_eq!(serialise_storage(&proof.storage[0]).to_string(), text(&run, "/proof/serStore"));
}

#[test]
fn the_recorded_proof_holds_under_its_root_alone() {
    let run = vectors("e2e");
    let proof = recorded(&run);
    let root = parsed(&run, "/proof/stateRoot");
    assert_eq!(check(&proof, root), Ok(()));
    assert_eq!(check(&AccountProof { state_root: None, ..proof.clone() }, root), Ok(()));

    let orphaned = B256([9; 32]);
    let expected = ProofError::Root { height: 13, anchored: orphaned, header: root };
    assert_eq!(check(&proof, orphaned), Err(expected));
    let unknown = AccountProof { state_root: None, ..proof };
    assert!(matches!(check(&unknown, orphaned), Err(ProofError::Account { .. })));
}

#[test]
fn absent_slots_are_proven_and_lies_about_values_found() {
    let run = vectors("e2e");
    let good = recorded(&run);
    let root = parsed(&run, "/proof/stateRoot");
    // No slot: the branch or leaf on the way shows that nothing is there.
    let absent = |key: B256| {
        let mut proof = good.clone();
        proof.storage[0].key = key;
        proof.storage[0].value = U256::ZERO;
        (0..=proof.storage[0].nodes.len())
            .filter(|count| {
                let mut shorter = proof.clone();
                shorter.storage[0].nodes.truncate(*count);
                check(&shorter, root).is_ok()
            })
            .count()
    };
    let keys = (0..=40u8).map(|byte| B256([byte; 32]));
    assert!(keys.map(absent).max() == Some(1), "some absent key is proven absent by one number of these nodes");
    assert_eq!(absent(parsed(&run, "/proof/key")), 0, "a present key is not");

    type Lie = fn(&mut AccountProof);
    let lies: [(Lie, &str); 7] = [
        (|proof| proof.storage[0].value = U256::from(2u64), "another value"),
        (|proof| proof.storage[0].value = U256::ZERO, "another value"),
        (|proof| proof.nonce = U256::from(3u64), "another than stated"),
        (|proof| proof.balance = U256::ONE, "another than stated"),
        (|proof| proof.storage_root = B256([1; 32]), "another than stated"),
        (|proof| proof.address.0[0] ^= 1, "is not proven"),
        (|proof| proof.storage[0].nodes.clear(), "is not proven"),
    ];
    for (lie, reason) in lies {
        let mut proof = good.clone();
        lie(&mut proof);
        let error = check(&proof, root).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
