//! Whether an account can pay for what it signs: nodes refuse, or drop, what the balance doesn't cover as a whole.

use facilitator_eth::U256;

/// Whether one more transaction may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Funds {
    /// The balance covers everything in flight and this.
    Enough,
    /// Not while the others are in flight; what they don't use comes back.
    Later,
    /// Not at all: the account must be funded.
    Short,
}

/// Decides for a transaction that costs at most `cost` wei, with `reserved` wei as the most that those in flight cost.
#[must_use]
pub fn check(balance: U256, reserved: U256, cost: U256) -> Funds {
    match reserved.checked_add(cost) {
        Some(sum) if sum <= balance => Funds::Enough,
        Some(_) | None if reserved.is_zero() || cost > balance => Funds::Short,
        Some(_) | None => Funds::Later,
    }
}

/// The most that a transaction costs, wei.
#[must_use]
pub fn cost(gas_limit: u64, price: U256, value: U256) -> U256 {
    price.saturating_mul(U256::from(gas_limit)).saturating_add(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_flight_is_reserved() {
        let n = |value: u64| U256::from(value);
        for (balance, reserved, cost, expected) in [
            (10, 0, 10, Funds::Enough),
            (10, 4, 6, Funds::Enough),
            (10, 5, 6, Funds::Later),
            (10, 5, 11, Funds::Short),
            (10, 0, 11, Funds::Short),
            (0, 0, 0, Funds::Enough),
        ] {
            assert_eq!(check(n(balance), n(reserved), n(cost)), expected, "{balance} {reserved} {cost}");
        }
        assert_eq!(check(U256::MAX, U256::MAX, U256::ONE), Funds::Later);
        assert_eq!(cost(21_000, n(2), n(5)), n(42_005));
    }
}
