//! What the checklist is given: the operator's limits, and what the chains say.

use crate::model::{Kind, MessageStatus};
use crate::transfer::profit::{Prices, RewardIn};
use bincode::{Decode, Encode};
use facilitator_eth::{Address, B256, U256};

/// The operator's limits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Policy {
    /// What everything is worth. With prices a request is judged by its expected profit, and the par values below say
    /// nothing.
    pub prices: Option<Prices>,
    /// Lowest gas price that pays, smallest units of the transferred token per gas; the tickets' par value.
    pub min_gas_price: U256,
    /// Lowest gas limit that pays, in gas; the tickets' par value.
    pub min_gas_limit: U256,
    /// Most that may be locked as bounty for one request, smallest units.
    pub max_bounty: U256,
    /// How many blocks the whitelisting of a worker must still last.
    pub worker_expiry_margin_blocks: u64,
    /// Base coin that a worker of the origin chain must keep, wei.
    pub min_origin_balance: U256,
    /// Base coin that a worker of the auxiliary chain must keep, wei.
    pub min_auxiliary_balance: U256,
    /// Funds needed, in percent of what the steps are expected to cost at the present fee.
    pub funds_safety_percent: u64,
}

/// The message that a sender has under way, or had last, in one box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ActiveMessage {
    /// Its hash.
    pub hash: B256,
    /// Its status there.
    pub status: MessageStatus,
    /// Its nonce.
    pub nonce: U256,
    /// The lock that it was declared with: tells whose accept it is.
    pub hash_lock: B256,
}

impl ActiveMessage {
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.status, MessageStatus::Progressed | MessageStatus::Revoked)
    }
}

/// What became of a request whose sender has destroyed the proxy that its event names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Former {
    /// The last message of that proxy, with the request's nonce or a later one.
    pub message: ActiveMessage,
    /// No reorg takes the nonce back any more.
    pub is_final: bool,
}

/// Unfinished requests that a key has accepted, or is about to, and has yet to pay steps for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct InFlight {
    /// Of stakes.
    pub stakes: u64,
    /// Of redeems.
    pub redeems: u64,
}

impl InFlight {
    /// So many of one kind.
    #[must_use]
    pub const fn many(kind: Kind, count: u64) -> Self {
        match kind {
            Kind::Stake => Self { stakes: count, redeems: 0 },
            Kind::Redeem => Self { stakes: 0, redeems: count },
        }
    }

    /// These and those.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { stakes: self.stakes.saturating_add(other.stakes), redeems: self.redeems.saturating_add(other.redeems) }
    }

    /// Of one kind.
    #[must_use]
    pub const fn of(self, kind: Kind) -> u64 {
        match kind {
            Kind::Stake => self.stakes,
            Kind::Redeem => self.redeems,
        }
    }
}

/// One worker key of the source or target chain.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WorkerFacts {
    /// Its account.
    pub address: Address,
    /// First block at which it is no longer whitelisted; zero if it never was. Only asked on the source chain.
    pub expires_at: U256,
    /// Base coin, smallest units.
    pub coin: U256,
    /// Token that the bounty of a stake is paid in, smallest units. Not asked for redeems: they lock base coin.
    pub bounty_token: U256,
    /// Others that it has yet to pay steps for.
    pub in_flight: InFlight,
    /// Bounties that it has yet to pay for them, smallest units: in the bounty token of the request's gateway on the
    /// origin chain, in base coin on the auxiliary one.
    pub bounties: U256,
}

/// What one chain charges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct FeeLevel {
    /// Smallest units of base coin per gas that a transaction would offer now.
    pub per_gas: U256,
    /// What it would pay in the next block: what is offered beyond that is not paid.
    pub present: U256,
}

/// What the target chain says beforehand about the payment that the target leg makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Payment {
    /// The target token knows the beneficiary. Only asked where it must: for a mint.
    pub beneficiary_exists: bool,
    /// It goes through when simulated: a mint, with OSTPrime a payment with 2,300 gas; or a payment out of the stake
    /// vault.
    pub goes_through: bool,
    /// Value tokens in the stake vault, smallest units; `None` for a stake, which is minted.
    pub vault: Option<U256>,
}

/// Everything that the checklist asks of the chains, read in one pass.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AcceptFacts {
    /// The gateway takes new messages. A cogateway always does.
    pub activated: bool,
    /// The request is pending at the newest block.
    pub pending_latest: bool,
    /// The request is pending at the newest final block.
    pub pending_final: bool,
    /// The sender's present proxy.
    pub proxy: Address,
    /// The nonce that the proxy's next message must have.
    pub next_nonce: U256,
    /// The proxy's last message in the outbox.
    pub outbox: Option<ActiveMessage>,
    /// The proxy that the event names is another one, and has used the request's nonce: the request was accepted then,
    /// and what is pending is the same one made again, which has an event and a row of its own.
    pub former: Option<Former>,
    /// The proxy's last message in the inbox.
    pub inbox: Option<ActiveMessage>,
    /// What the target leg pays the beneficiary.
    pub payment: Payment,
    /// What the target leg pays the reward in.
    pub reward_in: RewardIn,
    /// Bounty that an accept would lock now.
    pub bounty: U256,
    /// Tokens that the composer or pool holds for all pending requests together.
    pub escrow: U256,
    /// Newest block of the source chain.
    pub source_head: u64,
    /// Fee level of the source chain.
    pub source_fee: FeeLevel,
    /// Fee level of the target chain.
    pub target_fee: FeeLevel,
    /// Worker keys of the source chain, the one whose turn it is first.
    pub source_workers: Vec<WorkerFacts>,
    /// Worker keys of the target chain, the one whose turn it is first.
    pub target_workers: Vec<WorkerFacts>,
}
