//! Whether finishing a foreign message is possible and pays: what the steps that are left bring to us, against the gas
//! they burn.
//!
//! Sunk costs don't count: after each step the rest is judged anew. What cannot be had is not counted either: without
//! anchored roots of the target chain nobody gets the bounty by proof. And no key pays with what own requests need.

use super::{HuntStep, Means};
use crate::contracts::gateway::Leg;
use crate::model::{Kind, MessageStatus, Request, Side, Step};
use crate::transfer::accept::{
    self, ActiveMessage, FeeLevel, Hold, InFlight, Payment, Policy, Refusal, Verdict, gas_cost, gas_of_others, reserve,
};
use crate::transfer::profit::{COIN_DECIMALS, Prices, RewardIn};
use crate::transfer::{Legs, Statuses, expected_gas, expected_gas_by_proof};
use bincode::{Decode, Encode};
use facilitator_eth::{Address, Decimal, U256};

/// Gas of a confirmation that counts for the reward, lower end of what was measured (protocol.md §5.6).
const COUNTED_CONFIRM: u64 = 390_000;
/// The same of a target leg with the secret, and by proof.
const COUNTED_SECRET: u64 = 17_000;
const COUNTED_PROOF: u64 = 200_000;

/// The operator's limits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct HuntPolicy {
    /// Least gain of the steps that are left, in the unit of the prices.
    pub min_profit: Decimal,
    /// What everything is worth.
    pub prices: Prices,
}

/// A worker key: the base coin that it has, wei, and what that is needed for beside this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purse {
    /// The account.
    pub address: Address,
    /// Held.
    pub coin: U256,
    /// Own requests that it has yet to pay steps for.
    pub own: InFlight,
    /// Foreign messages that it has transactions under way for.
    pub foreign: InFlight,
    /// Bounties in base coin that it has yet to pay for own requests, wei.
    pub bounties: U256,
}

/// What the chains say that the judgement needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HuntFacts {
    /// Where the message stands.
    pub statuses: Statuses,
    /// Whether the secret is public.
    pub secret_is_public: bool,
    /// The sender's last message in the inbox. Only asked before a confirmation.
    pub inbox: Option<ActiveMessage>,
    /// What the target leg pays the beneficiary; `None` once it is done.
    pub payment: Option<Payment>,
    /// Bounty that the message has locked, smallest units.
    pub bounty: U256,
    /// What the bounty is paid in, on the source chain.
    pub bounty_in: RewardIn,
    /// What the reward is paid in, on the target chain.
    pub reward_in: RewardIn,
    /// Whether state roots of the target chain are anchored on the source chain at all.
    pub roots_come_back: bool,
    /// Reward per unit of gas.
    pub gas_price: U256,
    /// Most units of gas that are rewarded.
    pub gas_limit: U256,
    /// Gas of the confirmation that counts; zero before it.
    pub counted: U256,
    /// What the source chain charges.
    pub source_fee: FeeLevel,
    /// What the target chain charges.
    pub target_fee: FeeLevel,
    /// Keys of the source chain, the one whose turn it is first.
    pub source_workers: Vec<Purse>,
    /// Keys of the target chain, the one whose turn it is first.
    pub target_workers: Vec<Purse>,
}

/// What the steps that are left bring and burn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wage {
    /// Smallest units of the bounty's asset.
    pub bounty: U256,
    /// Smallest units of the reward's asset.
    pub reward: U256,
    /// Gas on the source chain.
    pub source_gas: u64,
    /// Gas on the target chain.
    pub target_gas: u64,
}

/// Income and cost in the unit of the prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profit {
    /// Bounty and reward.
    pub income: Decimal,
    /// Gas on both chains.
    pub cost: Decimal,
}

/// Why a foreign message is left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unworthy {
    /// It doesn't pay.
    #[error(
        "it doesn't pay: the steps that are left bring {income} and burn gas worth about {cost}; `hunter.min_profit` is {minimum}"
    )]
    Loss {
        /// Bounty and reward.
        income: Decimal,
        /// Gas.
        cost: Decimal,
        /// Configured.
        minimum: Decimal,
    },
    /// Something that it brings has no price.
    #[error("it brings token {0}, which `prices` does not name; add it there")]
    NoPrice(Address),
    /// It can't be finished, whatever is done.
    #[error("it can't be finished: {0}")]
    Never(Refusal),
    /// It can't be finished now.
    #[error("{0}")]
    NotYet(Hold),
    /// No key has the gas.
    #[error(
        "a worker key that can pay its gas: {account} has {has} wei, the gas and what own requests need of it are about {needs} wei; send it base coin"
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

impl HuntFacts {
    /// What the steps from `step` to the end bring and burn.
    #[must_use]
    pub fn wage(&self, kind: Kind, step: HuntStep) -> Wage {
        let nothing = Wage { bounty: U256::ZERO, reward: U256::ZERO, source_gas: 0, target_gas: 0 };
        let means = if self.secret_is_public { Means::Secret } else { Means::Proof };
        match step {
            HuntStep::Confirm => {
                let confirm = [Step::ProveGateway, Step::Confirm].map(|step| expected_gas(kind, step)).iter().sum();
                let legs = match self.statuses.outbox.latest {
                    MessageStatus::Progressed => Legs::Target,
                    MessageStatus::Undeclared
                    | MessageStatus::Declared
                    | MessageStatus::DeclaredRevocation
                    | MessageStatus::Revoked => Legs::Both,
                };
                let wage = Wage { target_gas: confirm, ..nothing };
                self.with_legs(kind, wage, legs, means, U256::from(COUNTED_CONFIRM))
            }
            HuntStep::Progress(opening) => self.with_legs(kind, nothing, opening.legs, opening.means, self.counted),
            HuntStep::Await(_) | HuntStep::Leave | HuntStep::Finish(_) | HuntStep::Contradiction => nothing,
        }
    }

    fn with_legs(&self, kind: Kind, mut wage: Wage, legs: Legs, means: Means, counted: U256) -> Wage {
        let (source, target) = match legs {
            Legs::Both => (true, true),
            Legs::Source => (true, false),
            Legs::Target => (false, true),
        };
        if target {
            let progress = match means {
                Means::Secret => COUNTED_SECRET,
                Means::Proof => COUNTED_PROOF,
            };
            let rewarded = counted.saturating_add(U256::from(progress)).min(self.gas_limit);
            wage.reward = self.gas_price.saturating_mul(rewarded);
            wage.target_gas += leg_gas(kind, Leg::Target, means);
        }
        if source && (means == Means::Secret || self.roots_come_back) {
            wage.bounty = self.bounty;
            wage.source_gas += leg_gas(kind, Leg::Source, means);
        }
        wage
    }
}

/// Gas of a leg. By proof the other chain's gateway has to be proven first: of the target chain that is done by the
/// confirmation.
const fn leg_gas(kind: Kind, leg: Leg, means: Means) -> u64 {
    match (means, leg) {
        (Means::Secret, Leg::Source) => expected_gas(kind, Step::ProgressSource),
        (Means::Secret, Leg::Target) => expected_gas(kind, Step::ProgressTarget),
        (Means::Proof, Leg::Source) => expected_gas(kind, Step::ProveGateway) + expected_gas_by_proof(leg),
        (Means::Proof, Leg::Target) => expected_gas_by_proof(leg),
    }
}

/// What a key of a side may have yet to burn for another foreign message.
fn gas_of_foreign(kind: Kind, side: Side) -> u64 {
    if kind.source() == side {
        leg_gas(kind, Leg::Source, Means::Proof)
    } else {
        expected_gas(kind, Step::Confirm) + leg_gas(kind, Leg::Target, Means::Proof)
    }
}

/// What an amount is worth.
fn value(prices: &Prices, side: Side, asset: RewardIn, amount: U256) -> Result<Decimal, Unworthy> {
    if amount.is_zero() {
        return Ok(Decimal::ZERO);
    }
    let of_chain = match side {
        Side::Origin => &prices.origin,
        Side::Auxiliary => &prices.auxiliary,
    };
    match asset {
        RewardIn::Coin => Ok(of_chain.coin.worth(amount, COIN_DECIMALS)),
        RewardIn::Token { address, decimals } => {
            let price = of_chain.tokens.iter().find(|(token, _)| *token == address).map(|(_, price)| *price);
            let (price, decimals) = price.zip(decimals).ok_or(Unworthy::NoPrice(address))?;
            Ok(price.worth(amount, decimals))
        }
    }
}

/// Income and cost of a wage at the present fees.
///
/// # Errors
/// [`Unworthy::NoPrice`].
pub fn profit(kind: Kind, wage: &Wage, facts: &HuntFacts, prices: &Prices) -> Result<Profit, Unworthy> {
    let (source, target) = (kind.source(), kind.target());
    let gas = |side, gas: u64, fee: FeeLevel| {
        value(prices, side, RewardIn::Coin, U256::from(gas).saturating_mul(fee.present))
    };
    let bounty = value(prices, source, facts.bounty_in, wage.bounty)?;
    let reward = value(prices, target, facts.reward_in, wage.reward)?;
    let on_source = gas(source, wage.source_gas, facts.source_fee)?;
    let on_target = gas(target, wage.target_gas, facts.target_fee)?;
    Ok(Profit { income: bounty.saturating_add(reward), cost: on_source.saturating_add(on_target) })
}

/// Whether the target chain will take what is left, by the rules of the accept checklist (protocol.md R9, R11): a
/// confirmation that always reverts would cost one gateway proof after the other.
///
/// What can't be paid out is left alone even where its bounty could be had: with the source leg done, nobody would get
/// the tokens any more.
fn feasible(request: &Request, facts: &HuntFacts, step: HuntStep) -> Result<(), Unworthy> {
    if step.confirms() {
        if request.terms.beneficiary.is_zero() {
            return Err(Unworthy::Never(Refusal::NoBeneficiary));
        }
        let (wanted, message) = (request.terms.nonce, request.message_hash);
        accept::order_on_target(wanted, facts.inbox, message).map_err(Unworthy::NotYet)?;
    }
    let Some(payment) = facts.payment.filter(|_| step.pays_out()) else { return Ok(()) };
    match accept::payment(request, payment) {
        Ok(()) | Err(Verdict::Accept { .. }) => Ok(()),
        Err(Verdict::Refuse(refusal)) => Err(Unworthy::Never(refusal)),
        Err(Verdict::Hold(hold)) => Err(Unworthy::NotYet(hold)),
    }
}

/// Whether a step can be taken and is worth it; then the keys that pay for it, of the source and of the target chain.
/// `limits`: what own requests are accepted by.
///
/// # Errors
/// Why the message is left alone.
pub fn worth(
    request: &Request,
    facts: &HuntFacts,
    step: HuntStep,
    policy: &HuntPolicy,
    limits: &Policy,
) -> Result<(Address, Address), Unworthy> {
    feasible(request, facts, step)?;
    let kind = request.kind;
    let wage = facts.wage(kind, step);
    let Profit { income, cost } = profit(kind, &wage, facts, &policy.prices)?;
    let minimum = policy.min_profit;
    if income < cost.saturating_add(minimum) || income.is_zero() {
        return Err(Unworthy::Loss { income, cost, minimum });
    }
    let source = payer(&facts.source_workers, kind.source(), wage.source_gas, facts.source_fee, limits)?;
    let target = payer(&facts.target_workers, kind.target(), wage.target_gas, facts.target_fee, limits)?;
    Ok((source, target))
}

/// The first key in turn that has the gas beside what it needs for own requests; if none has, what the first one lacks.
/// A key that burns nothing needs nothing.
fn payer(workers: &[Purse], side: Side, gas: u64, fee: FeeLevel, limits: &Policy) -> Result<Address, Unworthy> {
    let needs = |worker: &Purse| {
        if gas == 0 {
            return U256::ZERO;
        }
        let foreign = Kind::ALL.iter().map(|kind| gas_of_foreign(*kind, side).saturating_mul(worker.foreign.of(*kind)));
        let spent = gas_cost(foreign.fold(gas, u64::saturating_add), fee, limits);
        spent.saturating_add(reserve(side, gas_of_others(side, worker.own), fee, worker.bounties, limits))
    };
    if let Some(able) = workers.iter().find(|worker| worker.coin >= needs(worker)) {
        return Ok(able.address);
    }
    let none = Unworthy::NoGasFunds { account: Address::ZERO, has: U256::ZERO, needs: U256::ZERO };
    Err(workers.first().map_or(none, |first| Unworthy::NoGasFunds {
        account: first.address,
        has: first.coin,
        needs: needs(first),
    }))
}
