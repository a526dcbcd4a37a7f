//! The pre-accept checklist (protocol.md §6, law 10): whether a request may be accepted now, later, or never.
//!
//! An accept locks the operator's bounty and can't be taken back, so everything that would keep the message from being
//! finished is looked for here. What time or the operator can mend is a [`Hold`]; what can't be mended is a [`Refusal`].
//! Whether the transaction would succeed is simulated by the sender just before signing.

mod facts;
mod funds;
mod reasons;

pub use facts::{AcceptFacts, ActiveMessage, FeeLevel, Former, InFlight, Payment, Policy, WorkerFacts};
pub(super) use funds::{gas_cost, gas_of_others, reserve};
pub use reasons::{Hold, Refusal};

use crate::model::{Kind, MessageStatus, Request};
use crate::transfer::profit::Estimate;
use facilitator_eth::{Address, B256, U256};

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

/// What the terms alone lead to.
fn judge_terms(request: &Request, policy: &Policy) -> Result<(), Refusal> {
    let terms = &request.terms;
    let reward = terms.gas_price.checked_mul(terms.gas_limit);
    if reward.is_none_or(|reward| terms.amount <= reward) {
        let (gas_price, gas_limit, amount) = (terms.gas_price, terms.gas_limit, terms.amount);
        return Err(Refusal::RewardTooLarge { gas_price, gas_limit, amount });
    }
    if terms.beneficiary.is_zero() {
        return Err(Refusal::NoBeneficiary);
    }
    if policy.prices.is_some() {
        return Ok(());
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
        .and_then(|()| profit(request, facts, policy))
        .and_then(|()| order_of_messages(request, facts))
        .and_then(|()| payment(request, facts.payment))
        .and_then(|()| escrow(request, facts))
        .and_then(|()| funds::workers(request, facts, policy));
    match checks {
        Ok((source_worker, target_worker)) => Verdict::Accept { source_worker, target_worker },
        Err(verdict) => verdict,
    }
}

fn pending(request: &Request, facts: &AcceptFacts) -> Result<(), Verdict> {
    if let Some(Former { message, is_final }) = facts.former {
        return Err(match is_final {
            false => Verdict::Hold(Hold::ClosingNotFinal),
            true if message.nonce == request.terms.nonce => Verdict::Refuse(Refusal::TakenByOther(message.hash)),
            true => Verdict::Refuse(Refusal::TakenLongAgo),
        });
    }
    if facts.pending_latest {
        return Ok(());
    }
    if facts.pending_final {
        return Err(Verdict::Hold(Hold::ClosingNotFinal));
    }
    let taken = facts.outbox.filter(|message| message.nonce == request.terms.nonce);
    Err(Verdict::Refuse(match taken {
        Some(message) if message.status != MessageStatus::Undeclared => Refusal::TakenByOther(message.hash),
        // Whoever revokes a request leaves its nonce to the next one.
        Some(_) | None if facts.next_nonce > request.terms.nonce => Refusal::TakenLongAgo,
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

/// Expected profit, where prices are given. Fees rise and fall, and so does the gas that is counted: only what could not
/// pay even if gas were free and all of its limit counted is refused.
fn profit(request: &Request, facts: &AcceptFacts, policy: &Policy) -> Result<(), Verdict> {
    let Some(prices) = &policy.prices else { return Ok(()) };
    let offered = (request.terms.gas_price, request.terms.gas_limit);
    let fees = (facts.source_fee.present, facts.target_fee.present);
    let estimate = prices
        .estimate(request.kind, offered, facts.reward_in, fees)
        .map_err(|token| Verdict::Hold(Hold::NoPrice(token)))?;
    let (Estimate { earns, at_most, costs }, least) = (estimate, prices.min_profit);
    if !estimate.can_ever_bring(least) {
        return Err(Verdict::Refuse(Refusal::Unprofitable { at_most, costs, least }));
    }
    if !estimate.brings(least) {
        return Err(Verdict::Hold(Hold::Unprofitable { earns, costs, least }));
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
    order_on_target(wanted, facts.inbox, request.message_hash).map_err(Verdict::Hold)
}

/// The target chain takes a message only with the next nonce of its sender, and while none before it is unfinished
/// (protocol.md R9). `message`: its hash, as far as it has one.
pub(super) fn order_on_target(wanted: U256, inbox: Option<ActiveMessage>, message: Option<B256>) -> Result<(), Hold> {
    let (next, finished) = match inbox {
        None => (U256::ZERO, true),
        Some(last) => (last.nonce.saturating_add(U256::ONE), last.is_finished()),
    };
    // The same message again after a reorg of the source chain: the inbox has it already.
    let is_there = inbox.is_some_and(|last| Some(last.hash) == message);
    if is_there || (next == wanted && finished) {
        return Ok(());
    }
    Err(Hold::EarlierMessageOnTarget { next, wanted })
}

/// Whether the target leg can pay the beneficiary (protocol.md R11).
pub(super) fn payment(request: &Request, payment: Payment) -> Result<(), Verdict> {
    let beneficiary = request.terms.beneficiary;
    if !payment.beneficiary_exists {
        return Err(Verdict::Refuse(Refusal::UnknownBeneficiary(beneficiary)));
    }
    let (holds, needs) = (payment.vault.unwrap_or(U256::MAX), request.terms.amount);
    if holds < needs {
        return Err(Verdict::Hold(Hold::VaultTooLow { holds, needs }));
    }
    if !payment.goes_through {
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
pub(super) mod tests;
