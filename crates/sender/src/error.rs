//! What ends a sender. Everything that a later attempt can mend is handled inside and never comes out as an error.

use facilitator_eth::{Address, tx::SignError};
use facilitator_store::StoreError;

/// Why the sender can't go on. Its process ends and a new one starts from the journal: nothing is lost (law 7).
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// The journal can't be read or written (for a while: [`SenderError::passes`]), or another process took over an account ([`StoreError::LeaseLost`]).
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A transaction was made up that can't be signed: a mistake in the settings, such as a chain id of 0.
    #[error("signing for {account} on chain {chain_id}: {source}")]
    Sign {
        /// The account.
        account: Address,
        /// The chain.
        chain_id: u64,
        /// Why.
        source: SignError,
    },
    /// No key was given.
    #[error("no worker key for chain {chain_id}: name one in `chains.{chain_id}.workers`")]
    NoKeys {
        /// The chain.
        chain_id: u64,
    },
}

impl SenderError {
    /// Whether it may pass by itself or be mended meanwhile ([`StoreError::passes`]): the sender can go on later.
    #[must_use]
    pub const fn passes(&self) -> bool {
        match self {
            Self::Store(error) => error.passes(),
            Self::Sign { .. } | Self::NoKeys { .. } => false,
        }
    }
}
