//! The root over a list: the form in which a header names its receipts and transactions.
//!
//! The key of an entry is the RLP encoding of its place, not hashed. No such key begins another one, so that no value
//! ever stands in a branch, and paths are at most eighteen nibbles long, which bounds the recursion.

use super::nibbles;
use crate::{B256, U256, keccak256, rlp};

/// The path of a value, and the value.
type Entry<'a> = (Vec<u8>, &'a [u8]);

/// The root of the trie that holds `values` under their places 0, 1, 2, …
#[must_use]
pub fn ordered_root<V: AsRef<[u8]>>(values: &[V]) -> B256 {
    let mut entries: Vec<Entry<'_>> =
        (0u64..).zip(values).map(|(place, value)| (nibbles(rlp::uint(U256::from(place))), value.as_ref())).collect();
    entries.sort_unstable();
    keccak256(node(&entries, 0))
}

/// The node over entries that share their first `depth` nibbles, in ascending order.
fn node(entries: &[Entry<'_>], depth: usize) -> Vec<u8> {
    let rest = |path: &[u8]| path.get(depth..).unwrap_or_default().to_vec();
    match entries {
        [] => rlp::string(&[]),
        [(path, value)] => rlp::list(&[rlp::string(&packed(&rest(path), 2)), rlp::string(value)].concat()),
        [(first, _), .., (last, _)] => {
            let (first, last) = (rest(first), rest(last));
            let shared = first.iter().zip(&last).take_while(|(a, b)| a == b).count();
            if shared == 0 {
                return branch(entries, depth);
            }
            let piece: Vec<u8> = first.into_iter().take(shared).collect();
            rlp::list(&[rlp::string(&packed(&piece, 0)), reference(&node(entries, depth + shared))].concat())
        }
    }
}

fn branch(entries: &[Entry<'_>], depth: usize) -> Vec<u8> {
    let child = |nibble: u8| {
        let at = |path: &[u8]| path.get(depth).copied();
        let from = entries.partition_point(|(path, _)| at(path) < Some(nibble));
        let to = entries.partition_point(|(path, _)| at(path) <= Some(nibble));
        match entries.get(from..to) {
            None | Some([]) => rlp::string(&[]),
            Some(below) => reference(&node(below, depth + 1)),
        }
    };
    let mut payload: Vec<u8> = (0..16).flat_map(child).collect();
    payload.extend(rlp::string(&[]));
    rlp::list(&payload)
}

/// How a parent names a node: itself if it is shorter than a hash, else its hash.
fn reference(node: &[u8]) -> Vec<u8> {
    if node.len() < 32 { node.to_vec() } else { rlp::string(keccak256(node).as_ref()) }
}

/// Hex-prefix form of a piece of a path; `kind` is 2 for a leaf and 0 for an extension.
fn packed(piece: &[u8], kind: u8) -> Vec<u8> {
    let mut whole = if piece.len() % 2 == 1 { vec![kind + 1] } else { vec![kind, 0] };
    whole.extend_from_slice(piece);
    whole.chunks_exact(2).map(|two| two.iter().fold(0, |byte, nibble| (byte << 4) | nibble)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_list_has_the_root_of_an_empty_trie() {
        assert_eq!(hex::encode(ordered_root::<Vec<u8>>(&[])), super::super::EMPTY_ROOT);
    }

    #[test]
    fn the_first_block_with_a_transaction_on_mainnet_has_its_root() {
        let raw = "f86780862d79883d2000825208945df9b87991262f6ba471f09758cde1c0fc1de734827a69801ca088ff6cf0fefd94db461111\
                   49ae4bfc179e9b94721fffd821d38d16464b3f71d0a045e0aff800961cfce805daef7016b9b675c137a6a41a548f7b60a3484c\
                   06a33a";
        let raw = hex::decode(raw).unwrap();
        let hash = "5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060";
        assert_eq!(hex::encode(keccak256(&raw)), hash);
        // `transactionsRoot` of block 46147.
        let root = "4513310fcb9f6f616972a3b948dc5d547f280849a87ebb5af0191f98b87be598";
        assert_eq!(hex::encode(ordered_root(&[raw])), root);
    }

    #[test]
    fn one_changed_moved_or_missing_value_changes_the_root() {
        let values: Vec<Vec<u8>> = (0..300u32).map(|n| format!("value {n}").into_bytes()).collect();
        for count in [1, 2, 16, 17, 127, 128, 129, 256, 257, 300] {
            let whole = ordered_root(&values[..count]);
            assert_ne!(ordered_root(&values[..count - 1]), whole, "{count}");
            for at in [0, count / 2, count - 1] {
                let mut wrong = values[..count].to_vec();
                wrong[at].push(1);
                assert_ne!(ordered_root(&wrong), whole, "{count}");
                wrong = values[..count].to_vec();
                wrong.swap(at, 0);
                assert_eq!(ordered_root(&wrong) == whole, at == 0, "{count}");
            }
        }
    }
}
