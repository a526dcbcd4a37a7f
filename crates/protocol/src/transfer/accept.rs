//! The pre-accept checklist (protocol.md §6, law 10): whether a request may be accepted now, later, or never.
//!
//! An accept locks the operator's bounty and can't be taken back, so everything that would keep the message from being
//! finished is looked for here. What time or the operator can mend is a [`Hold`]; what can't be mended is a [`Refusal`].
//! Whether the transaction would succeed is simulated by the sender just before signing.

mod funds;

use crate::model::{Kind, MessageStatus, Request, State};
use bincode::{Decode, Encode};
use facilitator_eth::{Address, B256, U256};

/// The operator's limits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Policy {
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
    fn is_finished(&self) -> bool {
        matches!(self.status, MessageStatus::Progressed | MessageStatus::Revoked)
    }
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
    /// The proxy's last message in the inbox.
    pub inbox: Option<ActiveMessage>,
    /// The target token knows the beneficiary. Only asked where it must: for a mint.
    pub beneficiary_exists: bool,
    /// What the target leg pays goes through when simulated: a mint, with OSTPrime a payment with 2,300 gas; or a
    /// payment out of the stake vault.
    pub beneficiary_takes_payment: bool,
    /// Value tokens in the stake vault, smallest units; `None` for a stake, which is minted.
    pub vault: Option<U256>,
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

/// What the checklist says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Accept with these keys, for a message of this sender.
    Accept {
        /// Signs on the source chain.
        source_worker: Address,
        /// Signs on the target chain.
        target_worker: Address,
    },
    /// Not now.
    Hold(Hold),
    /// Not at all.
    Refuse(Refusal),
}

/// Why a request is not accepted now. Each can pass by itself or be mended by the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Hold {
    /// Seen closed at the newest block alone.
    #[error("confirmations: the request was closed in a block that is not final yet")]
    ClosingNotFinal,
    /// R9 on the source chain.
    #[error("the sender's earlier message {0} to be finished on the source chain")]
    EarlierMessageOnSource(B256),
    /// R9 on the target chain.
    #[error(
        "the sender's earlier message to be finished on the target chain (its next nonce there is {next}, the request has {wanted})"
    )]
    EarlierMessageOnTarget {
        /// Nonce that the inbox takes next.
        next: U256,
        /// Nonce of the request.
        wanted: U256,
    },
    /// The request's nonce lies ahead.
    #[error("the sender's message nonce to reach {wanted} (it is {next})")]
    NonceAhead {
        /// Nonce that the outbox takes next.
        next: U256,
        /// Nonce of the request.
        wanted: U256,
    },
    /// R29.
    #[error(
        "the pool's escrow: it holds {holds}, the request needs {needs}; requests of foreign contracts may have drained it"
    )]
    EscrowDrained {
        /// Held.
        holds: U256,
        /// Needed.
        needs: U256,
    },
    /// R14.
    #[error("a lower bounty: the gateway asks for {bounty}, `max_bounty` is {maximum}")]
    BountyTooHigh {
        /// Asked for by the gateway.
        bounty: U256,
        /// Configured.
        maximum: U256,
    },
    /// R11 d, e, f.
    #[error(
        "the mint to {0} to become possible: simulated it reverts (a contract must take a payment with 2,300 gas, and OSTPrime must hold enough base coin)"
    )]
    MintWouldRevert(Address),
    /// The stakes behind the redeemed tokens are not in the vault yet.
    #[error("the stake vault to hold {needs} value tokens (it holds {holds}); stakes that are not progressed fill it")]
    VaultTooLow {
        /// Held.
        holds: U256,
        /// Needed.
        needs: U256,
    },
    /// R11 e.
    #[error("the unstake to {0} to become possible: simulated it reverts (the value token may refuse this account)")]
    UnstakeWouldRevert(Address),
    /// R21.
    #[error(
        "a whitelisted worker: none of the {count} worker keys of the source chain is whitelisted for {margin} more blocks; ask the organization to call setWorker"
    )]
    NoWhitelistedWorker {
        /// Keys looked at.
        count: usize,
        /// Margin asked for.
        margin: u64,
    },
    /// R22, bounty.
    #[error(
        "bounty funds: worker {account} has {has}, the bounties of this and other accepts need {needs}; send it bounty tokens"
    )]
    NoBountyFunds {
        /// The key that is nearest.
        account: Address,
        /// Held.
        has: U256,
        /// Needed.
        needs: U256,
    },
    /// R22, a bounty in base coin together with gas.
    #[error(
        "coin for bounty and gas: worker {account} has {has} wei, the steps and bounties of this and earlier requests need {needs} wei ({bounties} of it for bounties); send it base coin"
    )]
    NoCoin {
        /// The key that is nearest.
        account: Address,
        /// Held.
        has: U256,
        /// Needed for all.
        needs: U256,
        /// Needed for bounties.
        bounties: U256,
    },
    /// R22, gas.
    #[error(
        "gas funds: worker {account} has {has} wei, the steps of this and earlier requests need {needs} wei; send it base coin"
    )]
    NoGasFunds {
        /// The key that is nearest.
        account: Address,
        /// Held.
        has: U256,
        /// Needed.
        needs: U256,
    },
}

/// Why a request is not accepted at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Law 10, R12.
    #[error("its gateway {0} is not one of the configured gateways")]
    UnknownGateway(Address),
    /// R7.
    #[error("it is no longer pending: revoked by its sender or rejected")]
    NoLongerPending,
    /// R8.
    #[error("another facilitator accepted it as message {0}")]
    TakenByOther(B256),
    /// R19.
    #[error("the gateway is deactivated, for good")]
    GatewayDeactivated,
    /// R10.
    #[error("the sender has no proxy any more")]
    ProxyDestroyed,
    /// The outbox has passed the request's nonce.
    #[error("its nonce {wanted} is used up: the next one is {next}")]
    NonceUsed {
        /// Nonce that the outbox takes next.
        next: U256,
        /// Nonce of the request.
        wanted: U256,
    },
    /// R11 a, g.
    #[error("the largest reward (gas price {gas_price} x gas limit {gas_limit}) is not less than the amount {amount}")]
    RewardTooLarge {
        /// Asked for.
        gas_price: U256,
        /// Asked for.
        gas_limit: U256,
        /// Asked for.
        amount: U256,
    },
    /// R20, gas price.
    #[error("unprofitable: its gas price {offered} is below the configured minimum {minimum}")]
    GasPriceTooLow {
        /// Offered.
        offered: U256,
        /// Configured.
        minimum: U256,
    },
    /// R20, gas limit.
    #[error("unprofitable: its gas limit {offered} is below the configured minimum {minimum}")]
    GasLimitTooLow {
        /// Offered.
        offered: U256,
        /// Configured.
        minimum: U256,
    },
    /// R11 b.
    #[error("its beneficiary is the zero address")]
    NoBeneficiary,
    /// R11 c.
    #[error("the token of the target chain does not know its beneficiary {0}")]
    UnknownBeneficiary(Address),
}

impl Refusal {
    /// The end state it leads to.
    #[must_use]
    pub const fn state(&self) -> State {
        match self {
            Self::NoLongerPending => State::Revoked,
            Self::TakenByOther(_) => State::TakenByOther,
            Self::UnknownGateway(_)
            | Self::GatewayDeactivated
            | Self::ProxyDestroyed
            | Self::NonceUsed { .. }
            | Self::RewardTooLarge { .. }
            | Self::GasPriceTooLow { .. }
            | Self::GasLimitTooLow { .. }
            | Self::NoBeneficiary
            | Self::UnknownBeneficiary(_) => State::Skipped,
        }
    }
}

/// What can be judged without asking a chain: worth doing first, it costs nothing.
///
/// # Errors
/// The [`Refusal`] that the terms alone lead to.
pub fn judge_terms(request: &Request, policy: &Policy) -> Result<(), Refusal> {
    let terms = &request.terms;
    let reward = terms.gas_price.checked_mul(terms.gas_limit);
    if reward.is_none_or(|reward| terms.amount <= reward) {
        let (gas_price, gas_limit, amount) = (terms.gas_price, terms.gas_limit, terms.amount);
        return Err(Refusal::RewardTooLarge { gas_price, gas_limit, amount });
    }
    if terms.beneficiary.is_zero() {
        return Err(Refusal::NoBeneficiary);
    }
    if terms.gas_price < policy.min_gas_price {
        return Err(Refusal::GasPriceTooLow { offered: terms.gas_price, minimum: policy.min_gas_price });
    }
    if terms.gas_limit < policy.min_gas_limit {
        return Err(Refusal::GasLimitTooLow { offered: terms.gas_limit, minimum: policy.min_gas_limit });
    }
    Ok(())
}

/// The whole checklist.
#[must_use]
pub fn judge(request: &Request, facts: &AcceptFacts, policy: &Policy) -> Verdict {
    let checks = judge_terms(request, policy)
        .map_err(Verdict::Refuse)
        .and_then(|()| pending(request, facts))
        .and_then(|()| gateway(facts, policy))
        .and_then(|()| order_of_messages(request, facts))
        .and_then(|()| beneficiary(request, facts))
        .and_then(|()| escrow(request, facts))
        .and_then(|()| funds::workers(request, facts, policy));
    match checks {
        Ok((source_worker, target_worker)) => Verdict::Accept { source_worker, target_worker },
        Err(verdict) => verdict,
    }
}

fn pending(request: &Request, facts: &AcceptFacts) -> Result<(), Verdict> {
    if facts.pending_latest {
        return Ok(());
    }
    if facts.pending_final {
        return Err(Verdict::Hold(Hold::ClosingNotFinal));
    }
    let taken = facts.outbox.filter(|message| message.nonce == request.terms.nonce);
    Err(Verdict::Refuse(match taken {
        Some(message) if message.status != MessageStatus::Undeclared => Refusal::TakenByOther(message.hash),
        Some(_) | None => Refusal::NoLongerPending,
    }))
}

fn gateway(facts: &AcceptFacts, policy: &Policy) -> Result<(), Verdict> {
    if !facts.activated {
        return Err(Verdict::Refuse(Refusal::GatewayDeactivated));
    }
    if facts.bounty > policy.max_bounty {
        return Err(Verdict::Hold(Hold::BountyTooHigh { bounty: facts.bounty, maximum: policy.max_bounty }));
    }
    Ok(())
}

/// One message of a sender at a time, in order, on both chains (protocol.md R9, R10).
fn order_of_messages(request: &Request, facts: &AcceptFacts) -> Result<(), Verdict> {
    let wanted = request.terms.nonce;
    if facts.proxy.is_zero() {
        return Err(Verdict::Refuse(Refusal::ProxyDestroyed));
    }
    if let Some(earlier) = facts.outbox.filter(|message| !message.is_finished()) {
        return Err(Verdict::Hold(Hold::EarlierMessageOnSource(earlier.hash)));
    }
    let next = facts.next_nonce;
    if next > wanted {
        return Err(Verdict::Refuse(Refusal::NonceUsed { next, wanted }));
    }
    if next < wanted {
        return Err(Verdict::Hold(Hold::NonceAhead { next, wanted }));
    }
    let (next, finished) = match facts.inbox {
        None => (U256::ZERO, true),
        Some(message) => (message.nonce.saturating_add(U256::ONE), message.is_finished()),
    };
    // The same message again after a reorg of the source chain: the inbox has it already.
    let ours = facts.inbox.is_some_and(|message| Some(message.hash) == request.message_hash);
    if ours || (next == wanted && finished) {
        return Ok(());
    }
    Err(Verdict::Hold(Hold::EarlierMessageOnTarget { next, wanted }))
}

fn beneficiary(request: &Request, facts: &AcceptFacts) -> Result<(), Verdict> {
    let beneficiary = request.terms.beneficiary;
    if !facts.beneficiary_exists {
        return Err(Verdict::Refuse(Refusal::UnknownBeneficiary(beneficiary)));
    }
    let (holds, needs) = (facts.vault.unwrap_or(U256::MAX), request.terms.amount);
    if holds < needs {
        return Err(Verdict::Hold(Hold::VaultTooLow { holds, needs }));
    }
    if !facts.beneficiary_takes_payment {
        return Err(Verdict::Hold(match request.kind {
            Kind::Stake => Hold::MintWouldRevert(beneficiary),
            Kind::Redeem => Hold::UnstakeWouldRevert(beneficiary),
        }));
    }
    Ok(())
}

fn escrow(request: &Request, facts: &AcceptFacts) -> Result<(), Verdict> {
    let (holds, needs) = (facts.escrow, request.terms.amount);
    if holds < needs {
        return Err(Verdict::Hold(Hold::EscrowDrained { holds, needs }));
    }
    Ok(())
}

#[cfg(test)]
#[path = "accept_tests.rs"]
mod tests;
