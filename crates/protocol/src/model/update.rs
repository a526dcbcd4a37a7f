//! What a worker hands back: the changes of its row, and how it leaves it.

use super::{MessageStatus, Side, State};
use bincode::{Decode, Encode};
use facilitator_eth::{Address, B256, U256};

/// What a parked request waits for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Wait {
    /// Nothing: it may be taken up again at once.
    Nothing,
    /// Any final event of its message or request, or the end of one of its transactions.
    Happening,
    /// A state root of the source chain at or above a height, anchored finally on the target chain.
    Root {
        /// Chain that holds the anchor.
        chain_id: u64,
        /// The anchor.
        anchor: Address,
        /// Lowest height of the source chain that serves.
        at_least: u64,
    },
    /// The clock; what happens from then on wakes it too, but not what happened before.
    Clock,
    /// For ever: an end state.
    End,
}

impl Wait {
    /// The stored name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Happening => "happening",
            Self::Root { .. } => "root",
            Self::Clock => "clock",
            Self::End => "end",
        }
    }
}

/// What an operator is told of [`Wait::Root`]: the chain of the message, and the lowest block that serves.
#[must_use]
pub fn awaited_root(from: Side, at_least: u64) -> String {
    let to = from.other();
    format!("a state root of the {from} chain at block {at_least} or later to be anchored on the {to} chain")
}

/// What a worker wants changed in its row; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Update {
    /// New state.
    pub state: Option<State>,
    /// New attempt with its lock and message: always together.
    pub attempt: Option<Attempt>,
    /// What a hunted message says beside its declaration.
    pub fine_print: Option<FinePrint>,
    /// Sender of the declared message.
    pub message_sender: Option<Address>,
    /// Worker of the origin chain.
    pub origin_worker: Option<Address>,
    /// Worker of the auxiliary chain.
    pub auxiliary_worker: Option<Address>,
    /// Block of the declaration.
    pub declared_block: Option<u64>,
    /// Height of the proof in use.
    pub proof_height: Option<u64>,
    /// Bounty at stake.
    pub bounty: Option<U256>,
    /// Outbox status as last read.
    pub outbox: Option<MessageStatus>,
    /// Inbox status as last read.
    pub inbox: Option<MessageStatus>,
    /// Consecutive failures.
    pub failures: Option<u32>,
    /// Looks in a row that found it not possible yet.
    pub holds: Option<u32>,
    /// Error in words, kept until the next one.
    pub last_error: Option<String>,
    /// A line for the life of the request, shown by `requests show`.
    pub log: Option<String>,
}

/// One attempt to accept: persisted before the accept leaves the process (law 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Attempt {
    /// Its number.
    pub number: u32,
    /// keccak256 of the secret.
    pub hash_lock: B256,
    /// The message it declares.
    pub message_hash: B256,
}

/// What no event says of a message: only `messages(hash)` does, until its sender declares the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct FinePrint {
    /// keccak256 of the secret.
    pub hash_lock: B256,
    /// Reward per unit of gas.
    pub gas_price: U256,
    /// The most units of gas that are rewarded.
    pub gas_limit: U256,
}

/// How a worker leaves its request.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Park {
    /// Last changes of the row.
    pub update: Update,
    /// What wakes it.
    pub wait: Wait,
    /// What it waits for, in words for the operator; `None` in an end state.
    pub waiting_for: Option<String>,
    /// Milliseconds from now after which it is looked at again even if nothing happened; `None` waits for the wake-up
    /// alone.
    pub retry_in_ms: Option<u64>,
    /// [`super::Request::wakes`] as the worker was given it.
    pub wakes_seen: i64,
}
