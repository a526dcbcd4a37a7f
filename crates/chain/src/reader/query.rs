//! The questions that may be asked about a chain, and their answers: what workers and scanner exchange in frames.

use bincode::{Decode, Encode};
use facilitator_eth::{Address, B256, Bytes, U256, abi::Revert};
use facilitator_protocol::proof::AccountProof;
use std::fmt;

/// The block whose state is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum At {
    /// The newest block that the node has.
    Latest,
    /// The newest block with enough confirmations, as the scanner last told.
    Final,
    /// The block of this height.
    Block(u64),
}

/// One question. Equal questions of one moment are asked once.
#[derive(Clone, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Query {
    /// What a call would return; with `from` also whether a transaction of that account would succeed. Without `from` the
    /// contract sees some address without rights as its caller, never the same.
    Call {
        /// The caller that the contract sees.
        from: Option<Address>,
        /// The contract.
        to: Address,
        /// Selector and arguments.
        data: Bytes,
        /// On the state of which block.
        at: At,
    },
    /// As a call with `from`, but those of the same function of a contract may be tried out one behind the other: for
    /// functions of which no call lets another one succeed. What pays others is none while much hinges on the answer:
    /// a beneficiary's code may take a payment only because of an earlier one.
    Trial {
        /// The caller that the contract sees.
        from: Address,
        /// The contract.
        to: Address,
        /// Selector and arguments.
        data: Bytes,
        /// On the state of which block.
        at: At,
    },
    /// The base coins of an account.
    Balance {
        /// The account.
        address: Address,
        /// After which block.
        at: At,
    },
    /// The code of a contract; empty for none.
    Code {
        /// The contract.
        address: Address,
        /// After which block.
        at: At,
    },
    /// The proof of an account and one of its storage slots.
    Proof {
        /// The account.
        address: Address,
        /// The slot, before hashing.
        key: B256,
        /// Height of the block whose state is proven.
        height: u64,
    },
    /// The state root in a block's header.
    StateRoot {
        /// Height of the block.
        height: u64,
    },
}

impl Query {
    /// A transaction of `from` that may be tried out behind others of its kind; without an account the plain call.
    #[must_use]
    pub fn trial(from: Option<Address>, to: Address, data: Bytes, at: At) -> Self {
        match from {
            Some(from) => Self::Trial { from, to, data, at },
            None => Self::Call { from, to, data, at },
        }
    }
}

impl fmt::Debug for Query {
    /// Never shows call data: the simulation of a progress holds an unlock secret that is not public yet (law 4).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { from, to, data, at } => {
                let data = format_args!("[{} bytes]", data.0.len());
                f.debug_struct("Call").field("from", from).field("to", to).field("data", &data).field("at", at).finish()
            }
            Self::Trial { from, to, data, at } => {
                let data = format_args!("[{} bytes]", data.0.len());
                f.debug_struct("Trial")
                    .field("from", from)
                    .field("to", to)
                    .field("data", &data)
                    .field("at", at)
                    .finish()
            }
            Self::Balance { address, at } => {
                f.debug_struct("Balance").field("address", address).field("at", at).finish()
            }
            Self::Code { address, at } => f.debug_struct("Code").field("address", address).field("at", at).finish(),
            Self::Proof { address, key, height } => {
                let mut shown = f.debug_struct("Proof");
                shown.field("address", address).field("key", key).field("height", height).finish()
            }
            Self::StateRoot { height } => f.debug_struct("StateRoot").field("height", height).finish(),
        }
    }
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Answer {
    /// Return data of a call, or a contract's code.
    Data(Bytes),
    /// The call fails, for this reason.
    Reverted(Revert),
    /// A balance, in wei.
    Number(U256),
    /// A proof of the account and the one slot asked for, not yet checked against any root.
    Proof(AccountProof),
    /// A state root.
    Root(B256),
    /// No answer, and why: ask again later.
    Failed(String),
}
