//! Why a request is not accepted, in words for the operator.

use crate::model::State;
use facilitator_eth::{Address, B256, Decimal, U256};

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
    /// R20 at present fees.
    #[error(
        "fees at which it pays: with gas as it is now it would earn {earns} by what is usually counted and cost {costs}, and `min_profit` is {least} (in the unit of `prices`)"
    )]
    Unprofitable {
        /// What its reward is worth.
        earns: Decimal,
        /// What its gas is worth.
        costs: Decimal,
        /// Configured.
        least: Decimal,
    },
    /// R20 can't be judged.
    #[error("a price: its reward is paid in token {0}, which `prices` does not name; add it there")]
    NoPrice(Address),
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
    /// R8, while this facilitator did not look: the sender has had other messages since.
    #[error("another facilitator accepted it: a message with its nonce was declared, and others since")]
    TakenLongAgo,
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
    /// R20 whatever the fees.
    #[error(
        "unprofitable: it would earn {at_most} at most, and cost {costs} with gas as it is now; whatever gas costs it can't bring the `min_profit` of {least} (in the unit of `prices`)"
    )]
    Unprofitable {
        /// What its reward is worth at most.
        at_most: Decimal,
        /// What its gas is worth.
        costs: Decimal,
        /// Configured.
        least: Decimal,
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
            Self::TakenLongAgo => State::TakenByOther,
            Self::TakenByOther(_) => State::TakenByOther,
            Self::UnknownGateway(_)
            | Self::GatewayDeactivated
            | Self::ProxyDestroyed
            | Self::NonceUsed { .. }
            | Self::RewardTooLarge { .. }
            | Self::GasPriceTooLow { .. }
            | Self::GasLimitTooLow { .. }
            | Self::Unprofitable { .. }
            | Self::NoBeneficiary
            | Self::UnknownBeneficiary(_) => State::Skipped,
        }
    }
}
