//! The limit of gas of a transaction that many others of its account have to come before.
//!
//! A block that has no room for one transaction may have room for a smaller one behind it. Nodes that try that one take
//! its nonce for wrong, and some (anvil) then drop it with all that follow: blocks stay empty until they are sent again.
//! Where no transaction asks for less room than one before it, the first that has none is the last that is tried. What a
//! limit asks for beyond the gas that is used costs nothing but coin that has to be there (where the used gas is charged).

use super::funds::{self, Funds};
use facilitator_eth::U256;

/// Unmined transactions of an account from which on one block may not hold them all: of the dearest step, of about
/// 600,000, a block of 30,000,000 holds 50; others want room in it too.
const CROWD: usize = 16;
/// Most that is asked for because of others: above the limits of all steps, so that an odd one does not pass its own on
/// for ever.
const MOST: u64 = 1_000_000;

/// What its account has in flight before a transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queue {
    /// Unmined transactions.
    pub length: usize,
    /// The largest of their limits of gas.
    pub widest: u64,
}

impl Queue {
    /// The limit of gas for one that needs `own`: never less.
    #[must_use]
    pub fn limit(self, own: u64) -> u64 {
        if self.length < CROWD { own } else { own.max(self.widest.min(MOST)) }
    }

    /// With one more at its end.
    #[must_use]
    pub fn with(self, limit: u64) -> Self {
        Self { length: self.length.saturating_add(1), widest: self.widest.max(limit) }
    }
}

/// Whether the account may bind `needed` wei though its transaction would do with less. `committed` is what those in
/// flight and those still to be signed at this time cost by their own limits. Only half of the balance counts, the rest is
/// for fees that rise: nobody is kept from being signed or replaced by room that was only asked for.
#[must_use]
pub fn is_ample(balance: U256, committed: U256, needed: U256) -> bool {
    let half = balance.checked_div(U256::from(2u64)).unwrap_or(U256::ZERO);
    funds::check(half, committed, needed) == Funds::Enough
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_crowd_nobody_asks_for_less_than_those_before() {
        let few = (0..CROWD - 1).fold(Queue::default(), |queue, _| queue.with(500));
        assert_eq!([few.limit(200), few.limit(600)], [200, 600]);
        let many = few.with(300);
        assert_eq!([many.limit(200), many.limit(600)], [500, 600]);
    }

    #[test]
    fn an_odd_one_does_not_pass_its_limit_on() {
        let many = (0..CROWD).fold(Queue::default().with(20_000_000), |queue, _| queue.with(500));
        assert_eq!([many.limit(200), many.limit(2_000_000)], [MOST, 2_000_000]);
    }

    #[test]
    fn half_of_the_balance_stays_for_other_ends() {
        let is_ample = |balance: u64, committed: u64, needed: u64| {
            super::is_ample(U256::from(balance), U256::from(committed), U256::from(needed))
        };
        assert_eq!([is_ample(200, 60, 40), is_ample(200, 60, 41), is_ample(0, 0, 1)], [true, false, false]);
    }
}
