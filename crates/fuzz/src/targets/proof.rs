//! Proofs of a lying node: nothing but the truth holds under a root, and nothing at all under another one.

use crate::{Outcome, Target, Verdict, corpus, mutate, promise};
use facilitator_dice::Rng;
use facilitator_eth::{B256, Bytes, U256, keccak256, trie};
use facilitator_protocol::proof::{AccountProof, StorageProof, check};
use serde_json::Value;

/// Small inputs; a walk holds some pieces of a path.
const MEMORY: usize = 4 << 20;

fn nodes(list: &Value) -> Vec<Bytes> {
    let texts = list.as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(Value::as_str);
    texts.filter_map(|text| text.parse().ok()).collect()
}

/// The proof that the contracts took, and its root.
fn recorded() -> (AccountProof, B256) {
    let run = &corpus::VECTORS["e2e"];
    let proof = &run["proof"];
    let slot = StorageProof {
        key: corpus::read(proof, "/key"),
        value: corpus::read(proof, "/value"),
        nodes: nodes(&proof["storageProof"]),
    };
    let account = AccountProof {
        address: corpus::read(run, "/addr/gateway"),
        height: 13,
        state_root: None,
        balance: corpus::read(proof, "/balance"),
        nonce: corpus::read(proof, "/nonce"),
        code_hash: corpus::read(proof, "/codeHash"),
        storage_root: corpus::read(proof, "/storageHash"),
        account_nodes: nodes(&proof["accountProof"]),
        storage: vec![slot],
    };
    (account, corpus::read(proof, "/stateRoot"))
}

/// Damages a list of nodes: one node, their number or their order.
fn damage(rng: &mut Rng, nodes: &mut Vec<Bytes>) {
    let (at, other) = (rng.index(nodes.len().max(1)), rng.index(nodes.len().max(1)));
    match (rng.below(5), nodes.get(at).cloned()) {
        (0, Some(node)) => nodes.insert(other, node),
        (1, Some(_)) => drop(nodes.remove(at)),
        (2, Some(_)) => nodes.swap(at, other),
        (_, Some(_)) => nodes.iter_mut().skip(at).take(1).for_each(|node| mutate::bytes(rng, &mut node.0)),
        (_, None) => nodes.push(Bytes(vec![0x80])),
    }
}

fn word(rng: &mut Rng, word: &mut B256) {
    word.0[rng.index(32)] ^= 1 << rng.below(8);
}

fn number(rng: &mut Rng, number: &mut U256) {
    let mut changed = number.to_word();
    word(rng, &mut changed);
    *number = U256::from_be_bytes(changed.0);
}

/// A proof of an account and a slot.
pub(super) fn account() -> Target {
    let case = |rng: &mut Rng| {
        let (truth, root) = recorded();
        let (mut lie, mut under) = (truth.clone(), root);
        match rng.below(11) {
            0 => {}
            1 | 2 => damage(rng, &mut lie.account_nodes),
            3 | 4 => lie.storage.iter_mut().for_each(|slot| damage(rng, &mut slot.nodes)),
            5 => lie.storage.iter_mut().for_each(|slot| number(rng, &mut slot.value)),
            6 => lie.storage.iter_mut().for_each(|slot| word(rng, &mut slot.key)),
            7 => word(rng, &mut lie.storage_root),
            8 => word(rng, &mut under),
            9 => lie.address.0[rng.index(20)] ^= 1 << rng.below(8),
            _ => {
                let field = [&mut lie.nonce, &mut lie.balance];
                let chosen = rng.index(field.len());
                field.into_iter().skip(chosen).take(1).for_each(|field| number(rng, field));
            }
        }
        match check(&lie, under) {
            Ok(()) => {
                promise(under == root, || "it holds under another root".to_owned())?;
                promise(lie == truth, || "a lie holds".to_owned())?;
                Ok(Verdict::Taken)
            }
            Err(error) => {
                promise(lie != truth || under != root, || format!("the truth is refused: {error}"))?;
                Ok(Verdict::Refused)
            }
        }
    };
    Target { name: "proof", memory: MEMORY, case: Box::new(case) }
}

/// Proofs of values and absences in tries that another library made.
pub(super) fn tries() -> Target {
    Target { name: "trie", memory: MEMORY, case: Box::new(value_or_absence) }
}

fn value_or_absence(rng: &mut Rng) -> Outcome {
    let list = corpus::TRIES["tries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let trie = list.get(rng.index(list.len())).ok_or("no tries")?;
    let proofs = trie["proofs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let proof = proofs.get(rng.index(proofs.len())).ok_or("no proofs")?;
    let root: B256 = corpus::read(trie, "/root");
    let (mut path, mut under, mut given) = (corpus::read(proof, "/path"), root, nodes(&proof["nodes"]));
    let truth = trie::verify(root, path, &given).map_err(|error| format!("the truth is refused: {error}"))?;
    let kind = rng.below(5);
    match kind {
        0 => {}
        1 => word(rng, &mut path),
        2 => word(rng, &mut under),
        _ => damage(rng, &mut given),
    }
    match trie::verify(under, path, &given) {
        Ok(found) => {
            promise(under == root, || "it holds under another root".to_owned())?;
            let honest = |proof: &Value| corpus::read::<B256>(proof, "/path") == path;
            let known =
                proofs.iter().find(|proof| honest(proof)).map(|proof| proof["value"].as_str().map(str::to_owned));
            // A path that is in no proof of the file leads to nothing in these tries.
            let right =
                known.flatten().is_none_or(|value| found.as_ref().is_some_and(|found| found.to_string() == value));
            promise(right && (kind == 1 || found == truth), || format!("{found:?} is proven instead of {truth:?}"))?;
            // That nothing is in an empty trie is proven by no node, or by the empty one.
            let empty = given.is_empty() || given == [Bytes(vec![0x80])];
            promise(kind == 1 || empty || given == nodes(&proof["nodes"]), || "other nodes prove the same".to_owned())?;
            Ok(Verdict::Taken)
        }
        Err(_) => {
            promise(kind != 0, || "proven once, refused then".to_owned())?;
            Ok(Verdict::Refused)
        }
    }
}

/// Nodes that hash right and are nonsense: the reader of RLP and of trie nodes itself.
pub(super) fn nonsense() -> Target {
    Target { name: "trie-node", memory: MEMORY, case: Box::new(one_node) }
}

fn one_node(rng: &mut Rng) -> Outcome {
    let (truth, _) = recorded();
    let mut node = truth.account_nodes.get(rng.index(truth.account_nodes.len())).cloned().unwrap_or_default();
    if rng.chance(300) {
        // A leaf with nested lists, which may be embedded nodes.
        let small: Vec<u8> = vec![0xc0 | (rng.next().to_le_bytes()[0] & 0x3f); 1 + rng.index(60)];
        node = Bytes(small);
    }
    mutate::bytes(rng, &mut node.0);
    let path = keccak256(rng.next().to_le_bytes());
    match trie::verify(keccak256(&node), path, std::slice::from_ref(&node)) {
        Ok(found) => {
            let within = found.as_ref().is_none_or(|value| {
                value.0.is_empty() || node.0.windows(value.0.len()).any(|window| window == value.0.as_slice())
            });
            promise(within, || "a value that the node does not hold".to_owned())?;
            Ok(Verdict::Taken)
        }
        Err(_) => Ok(Verdict::Refused),
    }
}
