//! Anchor (both chains): state roots of the other chain (protocol.md 2.6).

use super::{View, functions, number, word};
use facilitator_eth::{Address, B256, Bytes, U256};

functions! {
    GET_STATE_ROOT = "getStateRoot(uint256)", 0xc380_1938;
    GET_LATEST = "getLatestStateRootBlockHeight()", 0x2bb0_e488;
    GET_REMOTE_CHAIN_ID = "getRemoteChainId()", 0x8f94_ab7e;
    CO_ANCHOR = "coAnchor()", 0xbde0_60e9;
    ANCHOR_STATE_ROOT = "anchorStateRoot(uint256,bytes32)", 0x5cf1_2c78;
}

/// The state root of a height of the other chain; zero if it was never anchored or is evicted since.
#[must_use]
pub fn get_state_root(height: u64) -> View<B256> {
    GET_STATE_ROOT.view(&[number(height)])
}

/// The highest anchored height.
#[must_use]
pub fn get_latest_state_root_block_height() -> View<u64> {
    GET_LATEST.view(&[])
}

/// The id of the other chain.
#[must_use]
pub fn get_remote_chain_id() -> View<U256> {
    GET_REMOTE_CHAIN_ID.view(&[])
}

/// The anchor on the other chain; may be zero.
#[must_use]
pub fn co_anchor() -> View<Address> {
    CO_ANCHOR.view(&[])
}

/// Anchors a state root; heights must rise. Organization only.
#[must_use]
pub fn anchor_state_root(height: u64, state_root: B256) -> Bytes {
    ANCHOR_STATE_ROOT.call(&[number(height), word(state_root)])
}
