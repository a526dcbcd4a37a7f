//! Events that are about no message: proven gateways, bounties, anchored state roots, workers.

use super::event;
use facilitator_eth::{Address, B256, U256};

event! {
    /// The storage root of the remote gateway at a height stands in this gateway.
    GatewayProven(
        "GatewayProven(address,uint256,bytes32,bool)",
        "c8b086273f6873ca5eb46c33fc969bbe291c604753ae831ace47644e4362b2b8"
    )
    indexed {}
    data {
        /// The remote gateway, whose account was proven.
        gateway: Address = address,
        /// Height on the remote chain.
        block_height: u64 = uint64,
        /// Storage root of the remote gateway at that height.
        storage_root: B256 = word,
        /// Whether it stood there before.
        was_already_proved: bool = boolean,
    }
}

event! {
    /// The organization proposes another bounty.
    BountyChangeInitiated(
        "BountyChangeInitiated(uint256,uint256,uint256)",
        "a9d65527bbb70e7c576f499d3a54f5eb8dc1e9502e13692d2db49c7177c0c24d"
    )
    indexed {}
    data {
        /// Bounty now, smallest units.
        current_bounty: U256 = uint,
        /// Bounty proposed, smallest units.
        proposed_bounty: U256 = uint,
        /// Height from which it may be confirmed.
        unlock_height: U256 = uint,
    }
}

event! {
    /// The bounty changed.
    BountyChangeConfirmed(
        "BountyChangeConfirmed(uint256,uint256)",
        "2bc6c861f98712a6d2a053602d401de56c25e430d0530b26bcc12f1aaf3e586c"
    )
    indexed {}
    data {
        /// Bounty until now, smallest units.
        current_bounty: U256 = uint,
        /// Bounty from now on, smallest units.
        changed_bounty: U256 = uint,
    }
}

event! {
    /// An anchor has a state root of the other chain.
    StateRootAvailable(
        "StateRootAvailable(uint256,bytes32)",
        "0a57f5c610ae4bcec0e406f2d350ddffa2fb3628fed5da3d7dac3a3c1cdb66c2"
    )
    indexed {}
    data {
        /// Height on the other chain.
        block_height: u64 = uint64,
        /// State root of the other chain at that height, as the organization says.
        state_root: B256 = word,
    }
}

event! {
    /// An organization made an account a worker.
    WorkerSet(
        "WorkerSet(address,uint256)",
        "7a4238744ef0a84bc93273958cca94ecc9e1fa40cf18fc52eca877f3078eeb0c"
    )
    indexed {
        /// The account.
        worker: Address = address,
    }
    data {
        /// First height at which it is no worker any more.
        expiration_height: U256 = uint,
    }
}

event! {
    /// An organization dismissed a worker.
    WorkerUnset(
        "WorkerUnset(address)",
        "40311c754879c7ab9a3785519f6a08a4fbc64b3b7f4eec5ab201e784d48bb1e5"
    )
    indexed {}
    data {
        /// The account.
        worker: Address = address,
    }
}
