//! The exact allowance for the accepts in flight (protocol.md R12, R13).
//!
//! `approve` overwrites and every accept consumes, so what a later accept finds depends on all transactions before it.
//! Invariant: what is approved is the sum of the waiting needs, never more, and no accept is let go before the
//! allowance that it will find covers it.

use facilitator_eth::U256;

/// What a transaction in flight does to the allowance of one account, token and spender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Sets it.
    Approve(U256),
    /// Takes from it.
    Spend(U256),
}

/// What to do with the waiting transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Let the first so many go; the others wait for the next round.
    Admit(usize),
    /// Approve this much first: exactly what all waiting ones need.
    Approve(U256),
    /// An approval is in flight: wait until it is mined, since nothing that depends on it can be estimated before.
    Wait,
}

/// Decides for one account, token and spender: `on_chain` is the allowance at the newest block, `in_flight` what is
/// signed and not mined at that block, in the order of nonces, `waiting` the needs of the queued, oldest first.
#[must_use]
pub fn plan(on_chain: U256, in_flight: &[Flow], waiting: &[U256]) -> Plan {
    if in_flight.iter().any(|flow| matches!(flow, Flow::Approve(_))) {
        return Plan::Wait;
    }
    let mut left = in_flight.iter().fold(on_chain, apply);
    let mut admitted = 0;
    for need in waiting {
        let Some(rest) = left.checked_sub(*need) else { break };
        left = rest;
        admitted += 1;
    }
    // Oldest first even if the rest has to wait: otherwise a steady stream of requests would hold all back for ever.
    if admitted > 0 || waiting.is_empty() {
        return Plan::Admit(admitted);
    }
    Plan::Approve(waiting.iter().fold(U256::ZERO, |sum, need| sum.saturating_add(*need)))
}

fn apply(left: U256, flow: &Flow) -> U256 {
    match flow {
        Flow::Approve(amount) => *amount,
        // A spend beyond the allowance reverts and takes nothing; zero is the cautious answer.
        Flow::Spend(amount) => left.saturating_sub(*amount),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Flow::{Approve, Spend};

    fn n(value: u64) -> U256 {
        U256::from(value)
    }

    #[test]
    fn the_allowance_is_what_the_waiting_need_and_nothing_else() {
        let cases: [(u64, &[Flow], &[u64], Plan); 11] = [
            (0, &[], &[], Plan::Admit(0)),
            (0, &[], &[5], Plan::Approve(n(5))),
            (0, &[], &[5, 5, 7], Plan::Approve(n(17))),
            (17, &[], &[5, 5, 7], Plan::Admit(3)),
            // Protocol.md R13: two approvals before two accepts would leave the second without.
            (0, &[Approve(n(5))], &[5], Plan::Wait),
            (5, &[Approve(n(5)), Spend(n(5))], &[5], Plan::Wait),
            // What is on chain belongs to those in flight first.
            (10, &[Spend(n(5)), Spend(n(5))], &[5], Plan::Approve(n(5))),
            (15, &[Spend(n(5)), Spend(n(5))], &[5, 5], Plan::Admit(1)),
            // A left-over of one that failed serves the next, the exact need is approved after it.
            (5, &[], &[5, 5, 5], Plan::Admit(1)),
            (3, &[], &[5], Plan::Approve(n(5))),
            // A bounty of nothing needs no approval.
            (0, &[], &[0, 0, 5], Plan::Admit(2)),
        ];
        for (on_chain, in_flight, waiting, expected) in cases {
            let needs: Vec<U256> = waiting.iter().map(|need| n(*need)).collect();
            assert_eq!(plan(n(on_chain), in_flight, &needs), expected, "{on_chain} {in_flight:?} {waiting:?}");
        }
    }

    #[test]
    fn an_overflow_saturates() {
        assert_eq!(plan(U256::ZERO, &[], &[U256::MAX, U256::ONE]), Plan::Approve(U256::MAX));
    }
}
