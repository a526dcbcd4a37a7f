//! What was earned and spent, to the smallest unit, from the transactions that we paid for and the events in them.
//!
//! Pure: the same journal and the same events give the same ledger, after any restart; what a reorg takes out of the one
//! or the other is no longer in it. Money moves towards us only in transactions of our own, since bounty and reward go to
//! the sender of the transaction that progresses the message: an event in anybody else's transaction was not ours.

mod build;
mod facts;
mod share;
mod sum;

pub use build::{Ledger, Line, build};
pub use facts::{Assets, BountyChange, Effect, Happening, Paid, Party, Place};
pub use share::split;
pub use sum::{Net, Sum};

use facilitator_eth::Address;

/// What an amount is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asset {
    /// The base coin of a chain, in wei.
    Coin {
        /// The chain.
        chain_id: u64,
    },
    /// An EIP-20 token, in its smallest units.
    Token {
        /// Its chain.
        chain_id: u64,
        /// Its contract.
        address: Address,
    },
}

impl Asset {
    /// The chain that it is on.
    #[must_use]
    pub const fn chain_id(self) -> u64 {
        match self {
            Self::Coin { chain_id } | Self::Token { chain_id, .. } => chain_id,
        }
    }

    /// The token's contract; none for a base coin.
    #[must_use]
    pub const fn token(self) -> Option<Address> {
        match self {
            Self::Coin { .. } => None,
            Self::Token { address, .. } => Some(address),
        }
    }
}

/// Why an amount moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Locked with the message that our accept declared.
    BountyOut,
    /// Paid by the progress of the source leg.
    BountyBack,
    /// Paid by the progress of the target leg.
    Reward,
    /// Burned by a transaction, at the price paid.
    Gas,
}

impl Reason {
    /// Its name for scripts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BountyOut => "bounty_out",
            Self::BountyBack => "bounty_back",
            Self::Reward => "reward",
            Self::Gas => "gas",
        }
    }
}

#[cfg(test)]
#[path = "../ledger_tests.rs"]
mod tests;
