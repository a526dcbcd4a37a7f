//! The hexary trie that proofs come out of: built from scratch for the few values that a simulated chain has.

use facilitator_eth::{B256, Bytes, keccak256};

fn header(short: u8, payload: usize) -> Vec<u8> {
    let bytes: Vec<u8> = payload.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    match u8::try_from(payload) {
        Ok(length) if length <= 55 => vec![short + length],
        Ok(_) | Err(_) => [vec![short + 55 + u8::try_from(bytes.len()).unwrap_or(0)], bytes].concat(),
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [single] if *single < 0x80 => vec![*single],
        _ => [header(0x80, bytes.len()), bytes.to_vec()].concat(),
    }
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    [header(0xc0, payload.len()), payload].concat()
}

fn nibbles(key: B256) -> Vec<u8> {
    key.0.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect()
}

/// Hex-prefix form of a path; `leaf` is 2 for a leaf and 0 for an extension.
fn packed(path: &[u8], leaf: u8) -> Vec<u8> {
    let mut whole = if path.len() % 2 == 1 { vec![leaf + 1] } else { vec![leaf, 0] };
    whole.extend_from_slice(path);
    whole.chunks(2).map(|two| (two[0] << 4) | two.get(1).copied().unwrap_or(0)).collect()
}

/// How a parent names a node: itself if it is short, else its hash.
fn reference(node: &[u8]) -> Vec<u8> {
    if node.len() < 32 { node.to_vec() } else { string(&keccak256(node).0) }
}

/// The path below this node, and the value as RLP.
type Item = (Vec<u8>, Vec<u8>);

/// The node over some items; those on the way to `wanted`, itself included, are put in front of `proof`.
fn node(items: &[Item], depth: usize, wanted: Option<&[u8]>, proof: &mut Vec<Bytes>) -> Vec<u8> {
    let made = match items {
        [] => string(&[]),
        [(path, value)] => list(&[string(&packed(&path[depth..], 2)), string(value)]),
        [(first, _), .., (last, _)] => {
            let shared = first.iter().zip(last).skip(depth).take_while(|(a, b)| a == b).count();
            if shared > 0 {
                let follow = wanted.filter(|path| path[depth..].starts_with(&first[depth..depth + shared]));
                let child = node(items, depth + shared, follow, proof);
                list(&[string(&packed(&first[depth..depth + shared], 0)), reference(&child)])
            } else {
                branch(items, depth, wanted, proof)
            }
        }
    };
    // A short node stands within its parent, unless it is the root.
    if wanted.is_some() && (made.len() >= 32 || depth == 0) {
        proof.insert(0, Bytes(made.clone()));
    }
    made
}

fn branch(items: &[Item], depth: usize, wanted: Option<&[u8]>, proof: &mut Vec<Bytes>) -> Vec<u8> {
    let mut children = Vec::with_capacity(17);
    for nibble in 0..16 {
        let below: Vec<Item> = items.iter().filter(|(path, _)| path[depth] == nibble).cloned().collect();
        let follow = wanted.filter(|path| path[depth] == nibble);
        children.push(if below.is_empty() { string(&[]) } else { reference(&node(&below, depth + 1, follow, proof)) });
    }
    children.push(string(&[]));
    list(&children)
}

/// The root over keys (before hashing) and values (as RLP), and the nodes that prove one key.
pub(crate) fn prove(values: &[(Vec<u8>, Vec<u8>)], wanted: &[u8]) -> (B256, Vec<Bytes>) {
    let mut items: Vec<Item> = values.iter().map(|(key, value)| (nibbles(keccak256(key)), value.clone())).collect();
    items.sort();
    let mut proof = Vec::new();
    let root = node(&items, 0, Some(&nibbles(keccak256(wanted))), &mut proof);
    (keccak256(root), proof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use facilitator_eth::{U256, rlp, trie};

    #[test]
    fn what_is_built_is_what_the_product_verifies() {
        let value = |number: u64| rlp::uint(U256::from(number));
        for count in 0_u8..40 {
            let values: Vec<_> = (0..count).map(|n| (vec![n; 32], value(u64::from(n) + 1))).collect();
            for wanted in 0..count + 1 {
                let (root, nodes) = prove(&values, &[wanted; 32]);
                let found = trie::verify(root, keccak256([wanted; 32]), &nodes).unwrap();
                let expected = (wanted < count).then(|| Bytes(value(u64::from(wanted) + 1)));
                assert_eq!(found, expected, "{wanted} of {count}");
            }
        }
    }
}
