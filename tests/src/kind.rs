//! The two directions of a transfer, as the contracts name their parts.

use crate::devnet::{Devnet, Side};
use facilitator_eth::Address;

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Stake & mint: from the origin to the auxiliary chain.
    Stake,
    /// Redeem & unstake: from the auxiliary to the origin chain.
    Redeem,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Stake, Self::Redeem];

    /// The chain on which it is asked for and declared.
    #[must_use]
    pub const fn source(self) -> Side {
        match self {
            Self::Stake => Side::Origin,
            Self::Redeem => Side::Auxiliary,
        }
    }

    /// The chain on which it is confirmed and paid out.
    #[must_use]
    pub const fn target(self) -> Side {
        match self {
            Self::Stake => Side::Auxiliary,
            Self::Redeem => Side::Origin,
        }
    }

    /// The contract that takes requests: composer or pool.
    #[must_use]
    pub const fn pool(self, devnet: &Devnet) -> Address {
        match self {
            Self::Stake => devnet.contracts.origin.composer,
            Self::Redeem => devnet.contracts.auxiliary.redeem_pool,
        }
    }

    /// One of two names.
    pub const fn pick<T: Copy>(self, stake: T, redeem: T) -> T {
        match self {
            Self::Stake => stake,
            Self::Redeem => redeem,
        }
    }
}
