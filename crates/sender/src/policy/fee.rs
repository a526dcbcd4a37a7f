//! What to offer for gas, first and when a transaction has to be replaced.
//!
//! Invariant: no fee above the cap is ever returned, and a replacement raises every field that nodes compare.

use facilitator_eth::{U256, tx::Fee};

/// What gas costs at the newest block, wei per unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Market {
    /// The chain has a base fee (EIP-1559).
    Dynamic {
        /// Base fee of the newest block.
        base_fee: U256,
    },
    /// It has none: the node's own suggestion.
    Legacy {
        /// The answer of `eth_gasPrice`. Taken as it is: it follows the prices that the node has seen, ours included,
        /// so that a margin on top would compound with every transaction.
        gas_price: U256,
    },
}

/// How much may be offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Highest price of a unit of gas, wei.
    pub cap: U256,
    /// Tip on a chain with a base fee, wei.
    pub priority: U256,
    /// Least raise of a replacement, percent.
    pub bump_percent: u32,
}

/// The cap forbids any fee that would be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapReached {
    /// Lowest price that would be taken, wei per unit of gas.
    pub needed: U256,
    /// The cap.
    pub cap: U256,
}

/// The fee of a first attempt: twice the base fee lasts for about six full blocks, and what isn't needed isn't paid.
///
/// # Errors
/// [`CapReached`] when even the bare price is above the cap.
pub fn first(market: Market, limits: Limits) -> Result<Fee, CapReached> {
    let within = |needed: U256| if needed > limits.cap { Err(CapReached { needed, cap: limits.cap }) } else { Ok(()) };
    match market {
        Market::Dynamic { base_fee } => {
            within(base_fee)?;
            let wanted = base_fee.saturating_mul(U256::from(2u64)).saturating_add(limits.priority);
            let max_fee = wanted.min(limits.cap);
            Ok(Fee::Dynamic { max_fee, max_priority: limits.priority.min(max_fee) })
        }
        Market::Legacy { gas_price } => {
            within(gas_price)?;
            Ok(Fee::Legacy { gas_price })
        }
    }
}

/// The fee of an attempt that replaces one with the fee `old` at the same nonce: what the market asks, but at least
/// the raise without which nodes refuse a replacement.
///
/// # Errors
/// [`CapReached`] when the least raise is above the cap: the old attempt stays the best there is.
pub fn replacement(old: Fee, market: Market, limits: Limits) -> Result<Fee, CapReached> {
    let least = raised(price(old), limits.bump_percent);
    if least > limits.cap {
        return Err(CapReached { needed: least, cap: limits.cap });
    }
    match market {
        Market::Dynamic { base_fee } => {
            let least_priority = raised(tip(old), limits.bump_percent);
            let wanted = base_fee.saturating_mul(U256::from(2u64)).saturating_add(least_priority);
            let max_fee = wanted.max(least).min(limits.cap);
            Ok(Fee::Dynamic { max_fee, max_priority: least_priority.max(limits.priority).min(max_fee) })
        }
        Market::Legacy { gas_price } => Ok(Fee::Legacy { gas_price: gas_price.max(least).min(limits.cap) }),
    }
}

/// Whether no block at the present price can hold a transaction with this fee.
#[must_use]
pub fn is_outbid(fee: Fee, market: Market) -> bool {
    match market {
        Market::Dynamic { base_fee } => price(fee) < base_fee,
        // Without a base fee a low price is no hindrance in principle; the blocks without progress decide.
        Market::Legacy { .. } => false,
    }
}

/// The most that a unit of gas costs under this fee, wei.
#[must_use]
pub const fn price(fee: Fee) -> U256 {
    match fee {
        Fee::Legacy { gas_price } => gas_price,
        Fee::Dynamic { max_fee, .. } => max_fee,
    }
}

/// Nodes treat the price of a legacy transaction as its tip too.
const fn tip(fee: Fee) -> U256 {
    match fee {
        Fee::Legacy { gas_price } => gas_price,
        Fee::Dynamic { max_priority, .. } => max_priority,
    }
}

/// `value` raised by a percentage, rounded up, and by 1 at least: nodes refuse an equal price even of zero.
fn raised(value: U256, percent: u32) -> U256 {
    let hundred = U256::from(100u64);
    let scaled = value.saturating_mul(U256::from(100 + u64::from(percent))).saturating_add(U256::from(99u64));
    scaled.checked_div(hundred).unwrap_or(U256::MAX).max(value.saturating_add(U256::ONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(value: u64) -> U256 {
        U256::from(value)
    }

    fn limits(cap: u64) -> Limits {
        Limits { cap: n(cap), priority: n(10), bump_percent: 15 }
    }

    fn dynamic(max_fee: u64, max_priority: u64) -> Fee {
        Fee::Dynamic { max_fee: n(max_fee), max_priority: n(max_priority) }
    }

    fn legacy(gas_price: u64) -> Fee {
        Fee::Legacy { gas_price: n(gas_price) }
    }

    fn base(base_fee: u64) -> Market {
        Market::Dynamic { base_fee: n(base_fee) }
    }

    fn asked(gas_price: u64) -> Market {
        Market::Legacy { gas_price: n(gas_price) }
    }

    fn reached(needed: u64, cap: u64) -> Result<Fee, CapReached> {
        Err(CapReached { needed: n(needed), cap: n(cap) })
    }

    #[test]
    fn first_offers_follow_the_market_within_the_cap() {
        let cases = [
            (base(100), 1000, Ok(dynamic(210, 10))),
            (base(100), 205, Ok(dynamic(205, 10))),
            (base(100), 100, Ok(dynamic(100, 10))),
            (base(100), 99, reached(100, 99)),
            (base(0), 1000, Ok(dynamic(10, 10))),
            (base(0), 5, Ok(dynamic(5, 5))),
            (asked(100), 1000, Ok(legacy(100))),
            (asked(100), 99, reached(100, 99)),
        ];
        for (market, cap, expected) in cases {
            assert_eq!(first(market, limits(cap)), expected, "{market:?} cap {cap}");
        }
    }

    #[test]
    fn replacements_raise_both_fields_within_the_cap() {
        let cases = [
            // The market has not moved: the least raise of both.
            (dynamic(210, 10), base(100), 1000, Ok(dynamic(242, 12))),
            // It has: the market's price.
            (dynamic(210, 10), base(300), 1000, Ok(dynamic(612, 12))),
            // A spike of ten times, the cap cuts it.
            (dynamic(210, 10), base(1000), 1500, Ok(dynamic(1500, 12))),
            // Just room for the least raise.
            (dynamic(210, 10), base(1000), 242, Ok(dynamic(242, 12))),
            (dynamic(210, 10), base(1000), 241, reached(242, 241)),
            // A tip of nothing must still grow.
            (Fee::Dynamic { max_fee: n(10), max_priority: n(0) }, base(1), 1000, Ok(dynamic(12, 10))),
            (legacy(100), asked(100), 1000, Ok(legacy(115))),
            (legacy(100), asked(500), 1000, Ok(legacy(500))),
            (legacy(100), asked(500), 300, Ok(legacy(300))),
            (legacy(100), asked(500), 114, reached(115, 114)),
            // The chain took up a base fee in between: the old price counts as the old tip.
            (legacy(100), base(10), 1000, Ok(dynamic(135, 115))),
            (dynamic(210, 10), asked(10), 1000, Ok(legacy(242))),
        ];
        for (old, market, cap, expected) in cases {
            assert_eq!(replacement(old, market, limits(cap)), expected, "{old:?} {market:?} cap {cap}");
        }
    }

    #[test]
    fn every_replacement_meets_the_rule_of_geth_and_the_cap() {
        let mut fee = first(base(7), limits(100_000)).unwrap();
        let mut rounds = 0;
        while let Ok(next) = replacement(fee, base(7), limits(100_000)) {
            for (old, new) in [(price(fee), price(next)), (tip(fee), tip(next))] {
                assert!(new.saturating_mul(n(100)) >= old.saturating_mul(n(110)), "{fee:?} -> {next:?}");
            }
            assert!(price(next) <= n(100_000));
            fee = next;
            rounds += 1;
        }
        assert!(rounds > 20, "the cap is reached in {rounds} rounds");
    }

    #[test]
    fn a_price_below_the_base_fee_is_outbid() {
        for (fee, market, expected) in [
            (dynamic(100, 1), base(100), false),
            (dynamic(99, 1), base(100), true),
            (legacy(99), base(100), true),
            (legacy(1), asked(100), false),
        ] {
            assert_eq!(is_outbid(fee, market), expected, "{fee:?} {market:?}");
        }
    }
}
