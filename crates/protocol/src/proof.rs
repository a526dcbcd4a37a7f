//! Proofs of a gateway's account and storage: keys, the contracts' serialisation, and the local check before sending.
//!
//! Nothing that a node says is believed: [`check`] starts from the anchored state root and must reach every value by
//! hashes. The form that the contracts take is protocol.md 4.4, the storage layout 4.1.

use bincode::{Decode, Encode};
use facilitator_eth::{
    Address, B256, Bytes, U256, keccak256, rlp,
    trie::{self, TrieError},
};

/// Slot of `messageBox.outbox` in gateways of 0.12.0, as `MESSAGE_BOX_OFFSET()` reports it; older ones have 7.
pub const MESSAGE_BOX_OFFSET: u8 = 9;
/// Slot of the mapping of proven heights to storage roots in gateways of 0.12.0.
const STORAGE_ROOTS_SLOT: u64 = 12;
/// Slot of the length of the circular buffer, in gateways (storage roots) and anchors (state roots) alike.
const BUFFER_SLOT: u64 = 1;

/// One value of a contract's storage with the nodes that prove it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct StorageProof {
    /// The slot, before hashing: what `eth_getProof` takes.
    pub key: B256,
    /// What stands there; zero for an empty slot.
    pub value: U256,
    /// Raw trie nodes from the storage root down.
    pub nodes: Vec<Bytes>,
}

/// An account at a height with the nodes that prove it, as `eth_getProof` returns it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AccountProof {
    /// The account.
    pub address: Address,
    /// Height of the block.
    pub height: u64,
    /// State root of that block by its header, if it was read with the proof.
    pub state_root: Option<B256>,
    /// Base coin, wei.
    pub balance: U256,
    /// Transaction or creation count.
    pub nonce: U256,
    /// Hash of the code.
    pub code_hash: B256,
    /// Root of the storage trie.
    pub storage_root: B256,
    /// Raw trie nodes from the state root down.
    pub account_nodes: Vec<Bytes>,
    /// Values of the storage.
    pub storage: Vec<StorageProof>,
}

impl AccountProof {
    /// The proof of one slot, if it was asked for.
    #[must_use]
    pub fn slot(&self, key: B256) -> Option<&StorageProof> {
        self.storage.iter().find(|proof| proof.key == key)
    }
}

/// Why a proof would not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The node's own header has another state root than the anchor: the anchored block is not on this chain, or the
    /// anchor holds a wrong root. Only a later anchored height helps (protocol.md 4.5).
    #[error(
        "the anchored state root {anchored} is not that of block {height}, which is {header}: wait for a later height"
    )]
    Root {
        /// Height of the block.
        height: u64,
        /// Root in the anchor.
        anchored: B256,
        /// Root in the block's header.
        header: B256,
    },
    /// The account's nodes do not lead from the anchored root to it.
    #[error("account {address} at height {height} is not proven: {source}")]
    Account {
        /// The account.
        address: Address,
        /// Height of the block.
        height: u64,
        /// What is wrong with the nodes.
        source: TrieError,
    },
    /// The nodes prove another account value than the one that the node's answer states, or none at all.
    #[error("account {address} at height {height} is proven to be another than stated")]
    OtherAccount {
        /// The account.
        address: Address,
        /// Height of the block.
        height: u64,
    },
    /// The nodes of a slot do not lead from the storage root to it.
    #[error("slot {key} of {address} at height {height} is not proven: {source}")]
    Slot {
        /// The account.
        address: Address,
        /// Height of the block.
        height: u64,
        /// The slot.
        key: B256,
        /// What is wrong with the nodes.
        source: TrieError,
    },
    /// The nodes prove another value of a slot than the one that the node's answer states.
    #[error("slot {key} of {address} at height {height} is proven to hold another value than {stated}")]
    OtherValue {
        /// The account.
        address: Address,
        /// Height of the block.
        height: u64,
        /// The slot.
        key: B256,
        /// The value stated.
        stated: U256,
    },
}

/// The `rlpAccount` argument of `proveGateway`.
#[must_use]
pub fn serialise_account(proof: &AccountProof) -> Bytes {
    rlp::account(proof.nonce, proof.balance, proof.storage_root, proof.code_hash)
}

/// The `rlpParentNodes` argument of `proveGateway` and of all calls with a storage proof: the raw nodes as a list of
/// lists, root first and leaf included.
#[must_use]
pub fn serialise_nodes(nodes: &[Bytes]) -> Bytes {
    rlp::list_of_raw(nodes)
}

/// The `rlpParentNodes` argument of the calls that prove one slot, e.g. `confirmStakeIntent`.
#[must_use]
pub fn serialise_storage(proof: &StorageProof) -> Bytes {
    serialise_nodes(&proof.nodes)
}

/// The slot of an element of a mapping.
fn mapping_slot(key: B256, slot: U256) -> B256 {
    keccak256([key.0, slot.to_be_bytes()].concat())
}

/// The slot of a message's status in a gateway's outbox; `offset` is the gateway's `MESSAGE_BOX_OFFSET()`.
#[must_use]
pub fn outbox_key(message_hash: B256, offset: u8) -> B256 {
    mapping_slot(message_hash, U256::from(u64::from(offset)))
}

/// The slot of a message's status in a gateway's inbox; `offset` is the gateway's `MESSAGE_BOX_OFFSET()`.
#[must_use]
pub fn inbox_key(message_hash: B256, offset: u8) -> B256 {
    mapping_slot(message_hash, U256::from(u64::from(offset) + 1))
}

/// The slot in which a gateway keeps the remote gateway's storage root of a height; zero there means not proven, or
/// evicted since.
#[must_use]
pub fn storage_root_key(height: u64) -> B256 {
    mapping_slot(U256::from(height).to_word(), U256::from(STORAGE_ROOTS_SLOT))
}

/// The slot that holds the size of a gateway's buffer of storage roots or of an anchor's buffer of state roots.
#[must_use]
pub fn buffer_size_key() -> B256 {
    U256::from(BUFFER_SLOT).to_word()
}

/// Verifies the account and every slot against the anchored state root, as the contract would, and that they are what
/// the answer states.
///
/// # Errors
/// [`ProofError`]: the contract would refuse the proof, or the node's answer contradicts itself.
pub fn check(proof: &AccountProof, anchored_root: B256) -> Result<(), ProofError> {
    let AccountProof { address, height, .. } = *proof;
    if let Some(header) = proof.state_root.filter(|root| *root != anchored_root) {
        return Err(ProofError::Root { height, anchored: anchored_root, header });
    }
    let account = trie::verify(anchored_root, keccak256(address), &proof.account_nodes)
        .map_err(|source| ProofError::Account { address, height, source })?;
    if account != Some(serialise_account(proof)) {
        return Err(ProofError::OtherAccount { address, height });
    }
    proof.storage.iter().try_for_each(|slot| check_slot(proof, slot))
}

fn check_slot(proof: &AccountProof, slot: &StorageProof) -> Result<(), ProofError> {
    let AccountProof { address, height, storage_root, .. } = *proof;
    let StorageProof { key, value, ref nodes } = *slot;
    let proven = trie::verify(storage_root, keccak256(key), nodes).map_err(|source| ProofError::Slot {
        address,
        height,
        key,
        source,
    })?;
    let stated = (!value.is_zero()).then(|| Bytes(rlp::uint(value)));
    if proven == stated { Ok(()) } else { Err(ProofError::OtherValue { address, height, key, stated: value }) }
}
