//! The limit of gas of a transaction that many others of its account have to come before.
//!
//! A block that has no room for one transaction may have room for a smaller one behind it. Nodes that try that one take
//! its nonce for wrong, and some (anvil) then drop it with all that follow: blocks stay empty until they are sent again.
//! Where no transaction asks for less room than one before it, the first that has none is the last that is tried. What a
//! limit asks for beyond the gas that is used costs nothing but coin that has to be there.

/// Unmined transactions of an account from which on one block may not hold them all: of the dearest step, of about
/// 600,000, a block of 30,000,000 holds 50; others want room in it too.
const CROWD: usize = 16;

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
        if self.length < CROWD { own } else { own.max(self.widest) }
    }

    /// With one more at its end.
    #[must_use]
    pub fn with(self, limit: u64) -> Self {
        Self { length: self.length.saturating_add(1), widest: self.widest.max(limit) }
    }
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
}
