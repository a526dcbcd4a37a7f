//! Events of the OSTComposer (origin) and the RedeemPool (auxiliary): requests and their withdrawal.

use super::event;
use facilitator_eth::{Address, B256, U256};

event! {
    /// A staker asks for a stake; the amount is in the composer's hands.
    StakeRequested(
        "StakeRequested(uint256,address,uint256,uint256,uint256,address,address,address,bytes32)",
        "c8cd5a617c440193489f91ebb148650e13cd86d2f72a19bdfdb17e363131eacd"
    )
    indexed {
        /// The staker's account.
        staker: Address = address,
    }
    data {
        /// Value tokens, smallest units.
        amount: U256 = uint,
        /// Who gets the utility tokens.
        beneficiary: Address = address,
        /// Reward per unit of gas, smallest units.
        gas_price: U256 = uint,
        /// Most units of gas rewarded.
        gas_limit: U256 = uint,
        /// Message nonce of the staker's proxy.
        nonce: U256 = uint,
        /// The staker's proxy, the sender of the message.
        staker_proxy: Address = address,
        /// The gateway asked for; anybody may name any contract here (protocol.md R12).
        gateway: Address = address,
        /// Hash over the request.
        request_hash: B256 = word,
    }
}

event! {
    /// The staker took the request back.
    StakeRevoked(
        "StakeRevoked(address,bytes32)",
        "af038134b05d6193c7eee6e7abf1c2bcf6563477c05b4171342746400bc9628b"
    )
    indexed {
        /// The staker's account.
        staker: Address = address,
    }
    data {
        /// Hash over the request.
        request_hash: B256 = word,
    }
}

event! {
    /// A worker of the organization gave the amount back.
    StakeRejected(
        "StakeRejected(address,bytes32)",
        "829c3f17806f4cfb65b19b75c8a74ca7a7291d5102b9d8f1c945bae568ddbb04"
    )
    indexed {
        /// The staker's account.
        staker: Address = address,
    }
    data {
        /// Hash over the request.
        request_hash: B256 = word,
    }
}

event! {
    /// A redeemer asks for a redeem; the amount is in the pool's hands.
    RedeemRequested(
        "RedeemRequested(uint256,address,uint256,uint256,uint256,address,address,address,bytes32)",
        "27841967cc9b535566cb592f0635309b6e3eb320a44734b86e10e6e0fc36c48b"
    )
    indexed {
        /// The redeemer's account.
        redeemer: Address = address,
    }
    data {
        /// Utility tokens, smallest units.
        amount: U256 = uint,
        /// Who gets the value tokens; may be zero, which can never be confirmed (protocol.md R11).
        beneficiary: Address = address,
        /// Reward per unit of gas, smallest units.
        gas_price: U256 = uint,
        /// Most units of gas rewarded.
        gas_limit: U256 = uint,
        /// Message nonce of the redeemer's proxy.
        nonce: U256 = uint,
        /// The redeemer's proxy, the sender of the message.
        redeemer_proxy: Address = address,
        /// The cogateway asked for; anybody may name any contract here (protocol.md R12).
        cogateway: Address = address,
        /// Hash over the request.
        request_hash: B256 = word,
    }
}

event! {
    /// The redeemer took the request back.
    RedeemRevoked(
        "RedeemRevoked(address,bytes32)",
        "05392087910b1db17e9492ba022357a05256f2192a7cdb2f8855819bda275690"
    )
    indexed {
        /// The redeemer's account.
        redeemer: Address = address,
    }
    data {
        /// Hash over the request.
        request_hash: B256 = word,
    }
}

event! {
    /// A worker of the organization gave the amount back.
    RedeemRejected(
        "RedeemRejected(address,bytes32)",
        "1a80e03eb3aeae37d07e3de336266a453cc812b222bde5de200694c8387f1ae6"
    )
    indexed {
        /// The redeemer's account.
        redeemer: Address = address,
    }
    data {
        /// Hash over the request.
        request_hash: B256 = word,
    }
}
