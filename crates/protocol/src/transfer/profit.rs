//! Whether a request pays: what its reward is worth against what its steps cost at present (protocol.md R20).
//!
//! The reward is taken as expected: the request's gas price by the gas that is expected to be counted, or by its gas
//! limit if that is lower. How much gas will be counted is an estimate from below, so that for good only what would not
//! pay at the whole gas limit is refused. The bounty is no cost, since it comes back. A gateway proof counts in full, though others may
//! share it.

use super::expected_gas;
use crate::model::{Kind, Side, Step};
use bincode::{Decode, Encode};
use facilitator_eth::{Address, Decimal, U256};

/// Digits of every chain's base coin.
pub const COIN_DECIMALS: u32 = 18;

/// What the coin and the tokens of one chain are worth, a whole one in the operator's common unit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChainPrices {
    /// Of the base coin.
    pub coin: Decimal,
    /// Of tokens, by contract.
    pub tokens: Vec<(Address, Decimal)>,
}

/// What everything is worth, and what a request must bring.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Prices {
    /// On the origin chain.
    pub origin: ChainPrices,
    /// On the auxiliary chain.
    pub auxiliary: ChainPrices,
    /// Least profit of a request, in the common unit.
    pub min_profit: Decimal,
}

/// What a reward is paid in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum RewardIn {
    /// Base coin of the target chain.
    Coin,
    /// A token of the target chain.
    Token {
        /// Its contract.
        address: Address,
        /// Its digits, as the token says. Only asked where prices are given.
        decimals: Option<u32>,
    },
}

/// What a request is expected to earn and cost, in the operator's common unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Its reward as expected.
    pub earns: Decimal,
    /// Its reward at most: with all of its gas limit counted.
    pub at_most: Decimal,
    /// Its gas on both chains.
    pub costs: Decimal,
}

impl Estimate {
    /// Whether what is left is as much as asked for.
    #[must_use]
    pub fn brings(self, min_profit: Decimal) -> bool {
        self.earns >= self.costs.saturating_add(min_profit)
    }

    /// Whether it could be, if gas were free and the contracts counted all that they may.
    #[must_use]
    pub fn can_ever_bring(self, min_profit: Decimal) -> bool {
        !self.at_most.is_zero() && self.at_most >= min_profit
    }
}

impl Prices {
    const fn of(&self, side: Side) -> &ChainPrices {
        match side {
            Side::Origin => &self.origin,
            Side::Auxiliary => &self.auxiliary,
        }
    }

    /// What a request of this kind is expected to earn and cost, with gas at these prices on source and target chain
    /// (smallest units of base coin per unit).
    ///
    /// # Errors
    /// The token that has no price, or did not say its digits.
    pub fn estimate(
        &self,
        kind: Kind,
        (gas_price, gas_limit): (U256, U256),
        reward_in: RewardIn,
        (at_source, at_target): (U256, U256),
    ) -> Result<Estimate, Address> {
        let target = self.of(kind.target());
        let (price, decimals) = match reward_in {
            RewardIn::Coin => (target.coin, COIN_DECIMALS),
            RewardIn::Token { address, decimals } => {
                let price = target.tokens.iter().find(|(token, _)| *token == address).map(|(_, price)| *price);
                price.zip(decimals).ok_or(address)?
            }
        };
        let reward = |gas: U256| price.worth(gas_price.saturating_mul(gas), decimals);
        let (earns, at_most) = (reward(gas_limit.min(U256::from(COUNTED_GAS))), reward(gas_limit));
        let cost = |side: Side, steps: &[Step], per_gas: U256| {
            let gas: u64 = steps.iter().map(|step| expected_gas(kind, *step)).sum();
            self.of(side).coin.worth(per_gas.saturating_mul(U256::from(gas)), COIN_DECIMALS)
        };
        let source = cost(kind.source(), source_steps(kind), at_source);
        let target = cost(kind.target(), &[Step::ProveGateway, Step::Confirm, Step::ProgressTarget], at_target);
        Ok(Estimate { earns, at_most, costs: source.saturating_add(target) })
    }
}

const fn source_steps(kind: Kind) -> &'static [Step] {
    match kind {
        Kind::Stake => &[Step::Approve, Step::Accept, Step::ProgressSource],
        Kind::Redeem => &[Step::Accept, Step::ProgressSource],
    }
}

/// Gas that the contracts count for the reward, lower end of what was measured: of the confirmation and the target leg,
/// without their base cost and call data. It grows with the depth of the tries, as does what is burned.
const COUNTED_GAS: u64 = 405_000;

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Address = Address([8; 20]);
    const GWEI: u64 = 1_000_000_000;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    /// A whole coin of the origin is worth 2000, of the auxiliary chain 1, a token 0.5.
    fn prices() -> Prices {
        Prices {
            origin: ChainPrices { coin: decimal("2000"), tokens: vec![(TOKEN, decimal("0.5"))] },
            auxiliary: ChainPrices { coin: decimal("1"), tokens: vec![(TOKEN, decimal("4"))] },
            min_profit: Decimal::ZERO,
        }
    }

    fn estimate(kind: Kind, gas_price: u64, gas_limit: u64, reward_in: RewardIn) -> Estimate {
        let terms = (U256::from(gas_price), U256::from(gas_limit));
        prices().estimate(kind, terms, reward_in, (U256::from(GWEI), U256::from(GWEI))).unwrap()
    }

    #[test]
    fn a_reward_is_bound_by_the_gas_limit_and_by_the_gas_that_is_counted() {
        // 10^13 per gas: a million gas would be ten coins.
        let coin = |limit| estimate(Kind::Stake, 10_000 * GWEI, limit, RewardIn::Coin).earns;
        assert_eq!(coin(100_000), decimal("1"));
        assert_eq!(coin(405_000), decimal("4.05"));
        assert_eq!(coin(u64::MAX), decimal("4.05"));
        let at_most = |limit| estimate(Kind::Stake, 10_000 * GWEI, limit, RewardIn::Coin).at_most;
        assert_eq!((at_most(100_000), at_most(1_000_000)), (decimal("1"), decimal("10")));
    }

    #[test]
    fn gas_is_paid_in_the_coin_of_its_chain() {
        // Stake: 565,000 gas on the origin at 2000, 996,000 on the auxiliary chain at 1; a redeem the other way round.
        let stake = estimate(Kind::Stake, 1, 1, RewardIn::Coin).costs;
        assert_eq!(stake, decimal("1.130996"));
        let token = RewardIn::Token { address: TOKEN, decimals: Some(18) };
        let redeem = estimate(Kind::Redeem, 1, 1, token).costs;
        assert_eq!(redeem, decimal("1.95044"));
    }

    #[test]
    fn a_token_counts_at_the_price_and_with_the_digits_of_its_own_chain() {
        let token = |decimals| RewardIn::Token { address: TOKEN, decimals: Some(decimals) };
        let earns = |kind, decimals| estimate(kind, 10, 100_000, token(decimals)).earns;
        assert_eq!(earns(Kind::Stake, 6), decimal("4"));
        assert_eq!(earns(Kind::Redeem, 6), decimal("0.5"));
        assert_eq!(earns(Kind::Redeem, 5), decimal("5"));
        let fees = (U256::ONE, U256::ONE);
        let terms = (U256::ONE, U256::ONE);
        for reward in [
            RewardIn::Token { address: Address([9; 20]), decimals: Some(6) },
            RewardIn::Token { address: TOKEN, decimals: None },
        ] {
            assert!(prices().estimate(Kind::Redeem, terms, reward, fees).is_err());
        }
    }

    #[test]
    fn what_pays_must_bring_the_least_profit_too() {
        let of = |earns, at_most, costs| {
            let [earns, at_most, costs] = [earns, at_most, costs].map(decimal);
            Estimate { earns, at_most, costs }
        };
        for (estimate, least, now, ever) in [
            (of("3", "3", "1"), "2", true, true),
            (of("3", "3", "1.000000000000000001"), "2", false, true),
            (of("3", "3", "0"), "4", false, false),
            (of("3", "4", "0"), "4", false, true),
            (of("1", "1", "1"), "0", true, true),
            (of("0", "0", "0"), "0", true, false),
        ] {
            assert_eq!(estimate.brings(decimal(least)), now, "{estimate:?}");
            assert_eq!(estimate.can_ever_bring(decimal(least)), ever, "{estimate:?}");
        }
    }

    #[test]
    fn no_amount_makes_it_panic_or_wrap_into_a_profit() {
        let most = (U256::MAX, U256::MAX);
        let estimate = prices().estimate(Kind::Stake, (U256::ONE, U256::ONE), RewardIn::Coin, most).unwrap();
        assert!(!estimate.brings(Decimal::ZERO));
    }
}
