//! What a worker asks of the sender and what it hears back. The types travel between processes.
//!
//! Invariant: no `Debug` shows call data, since it may hold an unlock secret. How a transaction gets mined is not
//! visible here: an intent is named by its effect, whatever nonce, fee or number of attempts it takes.

use bincode::{Decode, Encode};
use facilitator_eth::{Address, B256, Bytes, U256, abi::Revert};
use facilitator_protocol::model::{RequestId, Step};
use std::fmt;

/// Whether the call data may stand in the database before it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Visibility {
    /// It may.
    Public,
    /// It holds an unlock secret: until it is signed it exists in memory only (law 3), so after a restart its worker
    /// submits it again.
    Reveals,
}

/// Tokens that the transaction takes from its account by `transferFrom`: the sender approves exactly this beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Allowance {
    /// The token.
    pub token: Address,
    /// Who takes them: the contract called.
    pub spender: Address,
    /// Smallest units of the token.
    pub amount: U256,
}

/// A transaction that a worker wants to have happened.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Submit {
    /// Names the effect, e.g. `accept:7:0` or `prove:0x…:1234`. Submitting the same intent again is harmless: it never
    /// causes a second transaction while one is alive or has succeeded.
    pub intent: String,
    /// The request that is woken by what becomes of it.
    pub request_id: Option<RequestId>,
    /// What it is for.
    pub step: Step,
    /// The account that signs; `None` leaves the choice to the sender.
    pub from: Option<Address>,
    /// The contract.
    pub to: Address,
    /// Base coin sent along, wei.
    pub value: U256,
    /// Call data.
    pub data: Bytes,
    /// Tokens that it takes from the account.
    pub allowance: Option<Allowance>,
    /// Intent on the same chain that must have its effect before this one: if the same account signs it this one goes right
    /// behind it, else it waits until the other is mined.
    pub after: Option<String>,
    /// The word that the call must return when simulated, or it isn't signed.
    pub expect: Option<B256>,
    /// Whether the call data is a secret until it is signed.
    pub visibility: Visibility,
    /// A block of this chain that was the newest before the state was read that makes it necessary: whoever read before
    /// an earlier one was final is not believed that its effect is gone.
    pub seen: u64,
}

impl fmt::Debug for Submit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submit")
            .field("intent", &self.intent)
            .field("request_id", &self.request_id)
            .field("step", &self.step)
            .field("from", &self.from)
            .field("to", &self.to)
            .field("value", &self.value)
            .field("data", &format_args!("[{} bytes]", self.data.0.len()))
            .field("allowance", &self.allowance)
            .field("after", &self.after)
            .field("expect", &self.expect)
            .field("visibility", &self.visibility)
            .finish()
    }
}

/// How far an intent has come.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum SubmitAnswer {
    /// In the journal, not signed yet: it waits for its turn, its allowance or the intent it comes after.
    Queued,
    /// Signed; broadcast or about to be.
    InFlight {
        /// The account that signed.
        account: Address,
        /// Hash of the newest attempt; a replacement changes it.
        hash: B256,
        /// The account's nonce.
        nonce: u64,
    },
    /// Mined and successful, but a reorg may still undo it.
    Mined {
        /// Hash of the attempt that was mined.
        hash: B256,
        /// Its block.
        block: u64,
    },
    /// Mined, successful and confirmed.
    Final {
        /// Hash of the attempt that was mined.
        hash: B256,
        /// Its block.
        block: u64,
    },
    /// Over without the effect. The intent may be submitted again.
    Failed(Failure),
}

/// Why an intent ended without its effect. Unless it says `Reverted`, nothing was mined and no gas was spent.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, thiserror::Error)]
pub enum Failure {
    /// The simulation reverted, so it was not sent.
    #[error("the transaction would revert: {0}")]
    WouldRevert(Revert),
    /// The simulation succeeded but returned something else than expected, so it was not sent.
    #[error("the transaction would return {got} instead of {expected}")]
    Unexpected {
        /// The word asked for.
        expected: B256,
        /// What it would return.
        got: Bytes,
    },
    /// It was mined and reverted, finally.
    #[error("transaction {hash} reverted in block {block}: {reason}")]
    Reverted {
        /// The transaction.
        hash: B256,
        /// Its block.
        block: u64,
        /// Why, as far as a replay told.
        reason: Revert,
    },
    /// The account can't pay for it.
    #[error("account {account} has {has} wei but needs {needed} wei for gas and value: send base coin to it")]
    InsufficientFunds {
        /// The account.
        account: Address,
        /// Wei that it may cost at most.
        needed: U256,
        /// Wei on the account.
        has: U256,
    },
    /// The account has too few of the tokens that the transaction takes.
    #[error(
        "account {account} needs {needed} of token {token} but has {has} beyond what its earlier transactions take: send tokens to it"
    )]
    InsufficientTokens {
        /// The account.
        account: Address,
        /// The token.
        token: Address,
        /// Smallest units that it takes.
        needed: U256,
        /// Smallest units that are left for it.
        has: U256,
    },
    /// The chain asks a price of gas above the configured cap.
    #[error("gas costs {needed} wei but `max_fee_per_gas` is {cap} wei: wait for a lower price or raise the cap")]
    FeeCap {
        /// Lowest price with which it would be taken, wei per unit of gas.
        needed: U256,
        /// The cap, wei per unit of gas.
        cap: U256,
    },
    /// No account can sign it.
    #[error("no account to sign with: {0}")]
    NoAccount(String),
    /// What had to happen before has failed.
    #[error("what had to be mined before has failed: {0}")]
    DependencyFailed(String),
    /// The node could not judge it, repeatedly.
    #[error("the node could not judge the transaction: {0}")]
    Unreachable(String),
    /// The sender's process ended before it was signed: submit it again.
    #[error("the sender was restarted before the transaction was signed: it is submitted again")]
    Interrupted,
    /// Another transaction of the account used its nonce, finally: none of its attempts can be mined any more.
    #[error("another transaction of {account} used nonce {nonce}: is the key used elsewhere?")]
    Superseded {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: u64,
    },
    /// Another instance works on its request by now: that one has it done.
    #[error("another instance works on the request by now: nothing is signed for it here")]
    TakenOver,
    /// No instance that works has the key to raise its fee, and no block took it for long: another key may do it.
    #[error(
        "no block took it for {blocks} blocks, and no instance that works has the key of {account} to raise its fee"
    )]
    Abandoned {
        /// The account.
        account: Address,
        /// How many blocks it was waited for.
        blocks: u64,
    },
    /// Too many intents are alive already.
    #[error("{limit} transactions are alive already, which is the limit: wait until some have ended")]
    Busy {
        /// The limit.
        limit: usize,
    },
}

impl Failure {
    /// A short name that doesn't change, for the journal and for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::WouldRevert(_) => "would_revert",
            Self::Unexpected { .. } => "unexpected",
            Self::Reverted { .. } => "reverted",
            Self::InsufficientFunds { .. } => "insufficient_funds",
            Self::InsufficientTokens { .. } => "insufficient_tokens",
            Self::FeeCap { .. } => "fee_cap",
            Self::NoAccount(_) => "no_account",
            Self::DependencyFailed(_) => "dependency_failed",
            Self::Unreachable(_) => "unreachable",
            Self::Interrupted => "interrupted",
            Self::Superseded { .. } => "superseded",
            Self::TakenOver => "taken_over",
            Self::Abandoned { .. } => "abandoned",
            Self::Busy { .. } => "busy",
        }
    }
}

/// News about an intent, for whoever waits for it. The database knew it before (a request is woken in the same
/// database transaction), so losing the message loses nothing.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Outcome {
    /// The intent.
    pub intent: String,
    /// The request that submitted it.
    pub request_id: Option<RequestId>,
    /// How far it has come.
    pub answer: SubmitAnswer,
}

/// The newest block of the chain, as the sender needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its base fee, wei per unit of gas; `None` on a chain that has none.
    pub base_fee: Option<U256>,
    /// What the node suggests to pay on a chain without a base fee, wei per unit of gas; `None` if it was not asked.
    pub gas_price: Option<U256>,
}
