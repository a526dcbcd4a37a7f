//! What a request is: the row that every process speaks about, with the names that are stored.
//!
//! Pure data with its text forms. The transitions live in [`crate::transfer`]; how a row is stored in the `store` crate.

use bincode::{Decode, Encode};
use facilitator_eth::{Address, B256, U256};
use std::{fmt, str::FromStr};

/// A stored text that names no value of its type: a database of another version or a damaged row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}")]
pub struct UnknownName {
    /// The type that was expected.
    pub what: &'static str,
    /// The text that was found.
    pub text: String,
}

/// An enum whose variants have one stored name each, so that both directions come from one list.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
                    .ok_or_else(|| UnknownName { what: $what, text: text.to_owned() })
            }
        }
    };
}

named! {
    /// The direction of a transfer. The source chain holds the outbox, the target chain the inbox.
    Kind, "kind of request" {
        /// Stake & mint: source origin, target auxiliary.
        Stake = "stake",
        /// Redeem & unstake: source auxiliary, target origin.
        Redeem = "redeem",
    }
}

named! {
    /// One of the two chains of a pair.
    Side, "side" {
        /// The chain of the value token.
        Origin = "origin",
        /// The chain of the utility token.
        Auxiliary = "auxiliary",
    }
}

impl Side {
    /// The other chain of the pair.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Origin => Self::Auxiliary,
            Self::Auxiliary => Self::Origin,
        }
    }
}

impl Kind {
    /// Where the message is declared.
    #[must_use]
    pub const fn source(self) -> Side {
        match self {
            Self::Stake => Side::Origin,
            Self::Redeem => Side::Auxiliary,
        }
    }

    /// Where the message is confirmed.
    #[must_use]
    pub const fn target(self) -> Side {
        self.source().other()
    }
}

named! {
    /// What a transaction of the journal is for.
    Step, "step" {
        /// Allowance of the bounty token to the composer.
        Approve = "approve",
        /// `acceptStakeRequest` / `acceptRedeemRequest`.
        Accept = "accept",
        /// `proveGateway` on the target chain.
        ProveGateway = "prove_gateway",
        /// `confirmStakeIntent` / `confirmRedeemIntent`.
        Confirm = "confirm",
        /// `progressStake` / `progressRedeem`: the leg that returns the bounty.
        ProgressSource = "progress_source",
        /// `progressMint` / `progressUnstake`: the leg that pays the reward.
        ProgressTarget = "progress_target",
        /// A transfer of nothing to oneself that fills a gap of nonces.
        Cancel = "cancel",
    }
}

named! {
    /// The status of a message in an outbox or inbox (protocol.md §5.1).
    MessageStatus, "message status" {
        /// Unknown to the box.
        Undeclared = "undeclared",
        /// Declared in the outbox, or confirmed in the inbox.
        Declared = "declared",
        /// Finished on this side.
        Progressed = "progressed",
        /// Its sender asked to revoke it (outbox only).
        DeclaredRevocation = "declared_revocation",
        /// Revoked.
        Revoked = "revoked",
    }
}

impl MessageStatus {
    /// From the contract's number; `None` for one that the contract does not have.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Undeclared),
            1 => Some(Self::Declared),
            2 => Some(Self::Progressed),
            3 => Some(Self::DeclaredRevocation),
            4 => Some(Self::Revoked),
            _ => None,
        }
    }
}

/// Where a request stands: the single state derived from its two legs. Names as in the source tickets; those of
/// redeems differ where the tickets name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum State {
    /// Seen as a final event; not yet accepted. With a hash lock stored the accept may be under way.
    Requested,
    /// The message is declared on the source chain, finally.
    Accepted,
    /// The gateway's storage root at a usable height stands on the target chain.
    AccountProven,
    /// The message is confirmed on the target chain, finally.
    IntentConfirmed,
    /// The source leg is progressed, the target leg not yet.
    SourceProgressed,
    /// The target leg is progressed, the source leg not yet.
    TargetProgressed,
    /// Both legs are progressed, finally.
    Complete,
    /// A step failed; it is tried again at the stored time.
    Failed(Stage),
    /// A worker of the organization gave the tokens back.
    Rejected,
    /// The sender took the request back, or the message was revoked.
    Revoked,
    /// The pre-accept checklist said no, with a reason. An operator may retry it.
    Skipped,
    /// Another facilitator accepted it.
    TakenByOther,
    /// The chains say something that no rule covers; an operator must look.
    Unknown,
}

named! {
    /// The step of a request's life that failed.
    Stage, "stage" {
        /// Accepting.
        Accept = "accept",
        /// Proving the gateway.
        Prove = "prove",
        /// Confirming.
        Confirm = "confirm",
        /// Progressing on the source.
        ProgressSource = "progress_source",
        /// Progressing on the target.
        ProgressTarget = "progress_target",
    }
}

impl State {
    /// Every state.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Requested,
            Self::Accepted,
            Self::AccountProven,
            Self::IntentConfirmed,
            Self::SourceProgressed,
            Self::TargetProgressed,
            Self::Complete,
            Self::Rejected,
            Self::Revoked,
            Self::Skipped,
            Self::TakenByOther,
            Self::Unknown,
        ];
        all.extend(Stage::ALL.iter().map(|stage| Self::Failed(*stage)));
        all
    }

    /// Whether nothing more happens by itself.
    #[must_use]
    pub const fn is_end(self) -> bool {
        match self {
            Self::Complete | Self::Rejected | Self::Revoked | Self::Skipped | Self::TakenByOther => true,
            Self::Requested
            | Self::Accepted
            | Self::AccountProven
            | Self::IntentConfirmed
            | Self::SourceProgressed
            | Self::TargetProgressed
            | Self::Failed(_)
            | Self::Unknown => false,
        }
    }

    /// The stored name of the state for a request of this kind.
    #[must_use]
    pub const fn name(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Requested, _) => "REQUESTED",
            (Self::Accepted, _) => "ACCEPTED",
            (Self::AccountProven, _) => "ACCOUNT_PROVEN",
            (Self::IntentConfirmed, Kind::Stake) => "STAKE_INTENT_CONFIRMED",
            (Self::IntentConfirmed, Kind::Redeem) => "REDEEM_INTENT_CONFIRMED",
            (Self::SourceProgressed, Kind::Stake) => "PROGRESS_STAKE",
            (Self::SourceProgressed, Kind::Redeem) => "PROGRESS_REDEEM",
            (Self::TargetProgressed, Kind::Stake) => "PROGRESS_MINT",
            (Self::TargetProgressed, Kind::Redeem) => "PROGRESS_UNSTAKE",
            (Self::Complete, _) => "COMPLETE",
            (Self::Failed(Stage::Accept), _) => "ACCEPTED_FAILED",
            (Self::Failed(Stage::Prove), _) => "ACCOUNT_PROVEN_FAILED",
            (Self::Failed(Stage::Confirm), Kind::Stake) => "STAKE_INTENT_CONFIRMED_FAILED",
            (Self::Failed(Stage::Confirm), Kind::Redeem) => "REDEEM_INTENT_CONFIRMED_FAILED",
            (Self::Failed(Stage::ProgressSource), Kind::Stake) => "PROGRESS_STAKE_FAILED",
            (Self::Failed(Stage::ProgressSource), Kind::Redeem) => "PROGRESS_REDEEM_FAILED",
            (Self::Failed(Stage::ProgressTarget), Kind::Stake) => "PROGRESS_MINT_FAILED",
            (Self::Failed(Stage::ProgressTarget), Kind::Redeem) => "PROGRESS_UNSTAKE_FAILED",
            (Self::Rejected, _) => "REJECTED",
            (Self::Revoked, _) => "REVOKED",
            (Self::Skipped, _) => "SKIPPED",
            (Self::TakenByOther, _) => "TAKEN_BY_OTHER",
            (Self::Unknown, _) => "UNKNOWN",
        }
    }

    /// The state of a stored name, whichever kind it belongs to.
    ///
    /// # Errors
    /// [`UnknownName`] if no state has the name.
    pub fn from_name(text: &str) -> Result<Self, UnknownName> {
        let named = |state: &Self| Kind::ALL.iter().any(|kind| state.name(*kind) == text);
        Self::all().into_iter().find(named).ok_or_else(|| UnknownName { what: "state", text: text.to_owned() })
    }
}

/// The row number of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct RequestId(pub i64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a log stands on a chain: the unique key of a request, because a request hash may repeat (protocol.md R6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct LogPosition {
    /// The chain.
    pub chain_id: u64,
    /// The block.
    pub block_number: u64,
    /// The hash of the block, by which a reorg is noticed.
    pub block_hash: B256,
    /// The transaction.
    pub tx_hash: B256,
    /// The index of the log within its block.
    pub log_index: u64,
}

/// What the staker or redeemer asked for: the arguments that the request hash covers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Terms {
    /// Smallest units of the value token (stake) or utility token (redeem).
    pub amount: U256,
    /// Who gets the tokens on the target chain.
    pub beneficiary: Address,
    /// Reward in smallest units of the transferred token per unit of gas.
    pub gas_price: U256,
    /// The most units of gas that are rewarded.
    pub gas_limit: U256,
    /// The message nonce of the sender's proxy at this gateway.
    pub nonce: U256,
    /// The staker or redeemer, an account.
    pub sender: Address,
    /// The proxy named by the event; it may be stale (protocol.md R10).
    pub sender_proxy: Address,
    /// Gateway (stake) or cogateway (redeem) that the request names.
    pub gateway: Address,
    /// Hash over all but the proxy (protocol.md §3.2).
    pub request_hash: B256,
}

/// A request as just seen by the scanner, before it has a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// Direction.
    pub kind: Kind,
    /// Chain of the value token.
    pub origin_chain_id: u64,
    /// Chain of the utility token.
    pub auxiliary_chain_id: u64,
    /// Composer (stake) or redeem pool (redeem) whose event it is.
    pub pool: Address,
    /// What was asked for.
    pub terms: Terms,
    /// Where the event stands.
    pub position: LogPosition,
}

/// A request with all that is known of it: the row.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Request {
    /// Row number.
    pub id: RequestId,
    /// Direction.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// Chain of the value token.
    pub origin_chain_id: u64,
    /// Chain of the utility token.
    pub auxiliary_chain_id: u64,
    /// Composer or redeem pool.
    pub pool: Address,
    /// What was asked for.
    pub terms: Terms,
    /// Where the event stands; that of the declaration if it is hunted.
    pub position: LogPosition,
    /// Whether it is no request of ours but a message that somebody else left unfinished. It has no pool (there the
    /// gateway stands) and its request hash is the message hash.
    pub hunted: bool,
    /// 0 unless a secret became public and its message did not survive a reorg (law 3).
    pub attempt: u32,
    /// The lock of the present attempt; stored before the accept is signed (law 2).
    pub hash_lock: Option<B256>,
    /// The message that the accept declares; known beforehand because the hash lock is.
    pub message_hash: Option<B256>,
    /// The sender of the message, taken from the declaration once there is one.
    pub message_sender: Option<Address>,
    /// Secret that the chain has published; `None` until then (law 3).
    pub unlock_secret: Option<B256>,
    /// Worker that signs on the origin chain.
    pub origin_worker: Option<Address>,
    /// Worker that signs on the auxiliary chain.
    pub auxiliary_worker: Option<Address>,
    /// Block of the source chain in which the message was declared.
    pub declared_block: Option<u64>,
    /// Height of the source chain whose root the confirmation uses.
    pub proof_height: Option<u64>,
    /// Bounty locked by the accept: base token (stake) or base coin (redeem), smallest units.
    pub bounty: Option<U256>,
    /// Reward paid by the target leg, smallest units of the transferred token.
    pub reward: Option<U256>,
    /// What the beneficiary got, smallest units.
    pub paid_out: Option<U256>,
    /// Consecutive failures of the present step, the exponent of the back-off.
    pub failures: u32,
    /// Looks in a row that found it not possible yet (held, or a chain that can't be read), the exponent of their pause.
    pub holds: u32,
    /// Counts what happened to the request from outside; a worker that parks returns what it saw, so that nothing that
    /// happens in between is slept through.
    pub wakes: i64,
    /// What it waits for, in words.
    pub waiting_for: Option<String>,
    /// The last error, in words.
    pub last_error: Option<String>,
}

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
    /// [`Request::wakes`] as the worker was given it.
    pub wakes_seen: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_state() {
        for state in State::all() {
            for kind in Kind::ALL {
                assert_eq!(State::from_name(state.name(*kind)), Ok(state));
            }
        }
        assert!(State::from_name("DONE").is_err());
    }
}
