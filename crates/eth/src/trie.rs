//! Merkle-Patricia proofs, checked locally before gas is spent on them.
//!
//! Every node must hash to what its parent (at first: the root) says, so a value that comes out is the value under that
//! root, whoever sent the nodes. Hostile nodes cost at most one step a nibble. The contracts' own check is narrower:
//! they know neither exclusion nor embedded nodes (protocol.md 4.4).

mod ordered;

pub use ordered::ordered_root;

use crate::{
    B256, Bytes, keccak256,
    rlp::{Item, Malformed, items},
};

/// The root of a trie without entries: the hash of the empty string's encoding.
const EMPTY_ROOT: &str = "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
/// Items of a branch: sixteen children and a value.
const BRANCH: usize = 17;
/// Nibbles of a path of 32 bytes.
const PATH: usize = 64;

/// Why nodes do not prove what they claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrieError {
    /// A node is not the one that the root or its parent names by hash.
    #[error("node {index} does not have the expected hash {expected}")]
    Hash {
        /// Place in the list of nodes, from 0.
        index: usize,
        /// The hash that the root or the parent names.
        expected: B256,
    },
    /// The path goes on, but there is no further node.
    #[error("node {index} is missing: the path goes on")]
    Missing {
        /// Place in the list of nodes, from 0.
        index: usize,
    },
    /// A node is no canonical branch, extension or leaf.
    #[error("node {index} is no trie node")]
    Malformed {
        /// Place in the list of nodes, from 0.
        index: usize,
    },
    /// The path ended, but there are further nodes.
    #[error("nodes from {index} on are not on the path")]
    Trailing {
        /// Place of the first of them, from 0.
        index: usize,
    },
}

/// Where the path goes from a node.
enum Step<'a> {
    /// Into the node of that hash.
    Hash(B256),
    /// Into a node that is part of this one, being shorter than a hash.
    Embedded(&'a [u8]),
    /// The value of the path.
    Value(&'a [u8]),
    /// Nowhere: the trie has no entry for the path.
    Absent,
}

/// Walks `nodes`, root first, along `key_path` (the hash of the address or of the storage key) and gives the value item
/// stored there: the RLP list of an account, or the RLP encoding of a storage value. `None` is a proof of absence.
///
/// # Errors
/// [`TrieError`] if the nodes prove neither a value nor an absence under `root`.
pub fn verify(root: B256, key_path: B256, nodes: &[Bytes]) -> Result<Option<Bytes>, TrieError> {
    if nodes.is_empty() && hex::encode(root) == EMPTY_ROOT {
        return Ok(None);
    }
    let path = nibbles(key_path);
    let mut rest: &[u8] = &path;
    let mut expected = root;
    for (index, node) in nodes.iter().enumerate() {
        if keccak256(node) != expected {
            return Err(TrieError::Hash { index, expected });
        }
        let mut raw = node.as_slice();
        let found = loop {
            match step(raw, &mut rest).map_err(|Malformed| TrieError::Malformed { index })? {
                Step::Hash(hash) => {
                    expected = hash;
                    break None;
                }
                Step::Embedded(inner) => raw = inner,
                Step::Value(value) => break Some(Some(Bytes(value.to_vec()))),
                Step::Absent => break Some(None),
            }
        };
        if let Some(value) = found {
            let used = index + 1;
            return if used == nodes.len() { Ok(value) } else { Err(TrieError::Trailing { index: used }) };
        }
    }
    Err(TrieError::Missing { index: nodes.len() })
}

/// One node: where the path goes on. Takes the nibbles it uses off `rest`; each step but the last uses one at least,
/// which bounds the walk.
fn step<'a>(raw: &'a [u8], rest: &mut &[u8]) -> Result<Step<'a>, Malformed> {
    let payload = match Item::only(raw)? {
        Item::String([]) => return Ok(Step::Absent),
        Item::String(_) => return Err(Malformed),
        Item::List { payload, raw: _ } => payload,
    };
    let fields = items(payload, BRANCH)?;
    match fields.as_slice() {
        [Item::String(prefix), target] => short_node(prefix, *target, rest),
        fields if fields.len() == BRANCH => {
            // All keys have the same length, so no path ends in a branch and its own value is never asked for.
            let (nibble, tail) = rest.split_first().ok_or(Malformed)?;
            let target = *fields.get(usize::from(*nibble)).ok_or(Malformed)?;
            *rest = tail;
            child(target)
        }
        _ => Err(Malformed),
    }
}

/// A leaf or an extension: two items, the first of which is a hex-prefixed piece of the path.
fn short_node<'a>(prefix: &[u8], target: Item<'a>, rest: &mut &[u8]) -> Result<Step<'a>, Malformed> {
    let (&flag, tail) = prefix.split_first().ok_or(Malformed)?;
    let (kind, low) = (flag >> 4, flag & 0x0f);
    let mut piece: Vec<u8> = match kind {
        0 | 2 if low == 0 => vec![],
        1 | 3 => vec![low],
        _ => return Err(Malformed),
    };
    piece.extend(nibbles(tail));
    let is_leaf = kind >= 2;
    let after = rest.strip_prefix(piece.as_slice());
    if is_leaf {
        return match (after, target) {
            (Some([]), Item::String(value)) => Ok(Step::Value(value)),
            (_, Item::List { .. }) => Err(Malformed),
            (_, Item::String(_)) => Ok(Step::Absent),
        };
    }
    if piece.is_empty() || piece.len() > PATH {
        return Err(Malformed);
    }
    match after {
        Some(after) => {
            *rest = after;
            match child(target)? {
                Step::Absent | Step::Value(_) => Err(Malformed),
                next @ (Step::Hash(_) | Step::Embedded(_)) => Ok(next),
            }
        }
        None => Ok(Step::Absent),
    }
}

/// What a child reference stands for.
fn child(target: Item<'_>) -> Result<Step<'_>, Malformed> {
    match target {
        Item::String([]) => Ok(Step::Absent),
        Item::String(hash) => hash.try_into().map(|hash| Step::Hash(B256(hash))).map_err(|_| Malformed),
        Item::List { raw, payload: _ } if raw.len() < 32 => Ok(Step::Embedded(raw)),
        Item::List { .. } => Err(Malformed),
    }
}

fn nibbles(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    bytes.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).collect()
}
