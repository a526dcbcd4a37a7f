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
    /// Will set it: not signed yet, and thus the last of all.
    Planned(U256),
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
    /// An approval is on its way that must come first.
    Wait,
}

/// What an accept may be signed behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reliance {
    /// An approval of a lower nonce, which the chain takes before it.
    Unmined,
    /// A mined approval alone: the node can't estimate anything that depends on another.
    Mined,
}

/// Decides for one account, token and spender: `on_chain` is the allowance at the newest block, `in_flight` what is
/// signed and not mined at that block, in the order of nonces, `waiting` the needs of the queued, oldest first.
///
/// The order of nonces is the order in which all of them take effect, so what those in flight leave is what the next one
/// finds; an approval behind them sets the exact need, whatever they leave.
#[must_use]
pub fn plan(on_chain: U256, in_flight: &[Flow], waiting: &[U256], reliance: Reliance) -> Plan {
    let approves = |flow: &Flow| matches!(flow, Flow::Approve(_) | Flow::Planned(_));
    if reliance == Reliance::Mined && in_flight.iter().any(approves) {
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
    if in_flight.iter().any(|flow| matches!(flow, Flow::Planned(_))) {
        return Plan::Wait;
    }
    Plan::Approve(waiting.iter().fold(U256::ZERO, |sum, need| sum.saturating_add(*need)))
}

fn apply(left: U256, flow: &Flow) -> U256 {
    match flow {
        Flow::Approve(amount) | Flow::Planned(amount) => *amount,
        // A spend beyond the allowance reverts and takes nothing; zero is the cautious answer.
        Flow::Spend(amount) => left.saturating_sub(*amount),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Flow::{Approve, Planned, Spend};

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
            let planned = plan(n(on_chain), in_flight, &needs, Reliance::Mined);
            assert_eq!(planned, expected, "{on_chain} {in_flight:?} {waiting:?}");
            if expected != Plan::Wait {
                assert_eq!(plan(n(on_chain), in_flight, &needs, Reliance::Unmined), expected);
            }
        }
    }

    #[test]
    fn accepts_follow_their_approval_in_the_order_of_nonces() {
        let cases: [(u64, &[Flow], &[u64], Plan); 7] = [
            (0, &[Planned(n(17))], &[5, 5, 7], Plan::Admit(3)),
            (0, &[Approve(n(17)), Spend(n(5))], &[5, 7], Plan::Admit(2)),
            // Those that came later get an approval of their own, which overwrites nothing that is needed.
            (0, &[Approve(n(10)), Spend(n(5)), Spend(n(5))], &[7, 1], Plan::Approve(n(8))),
            (0, &[Approve(n(10)), Spend(n(5))], &[5, 7], Plan::Admit(1)),
            // What was there before is gone with the approval.
            (9, &[Approve(n(5)), Spend(n(5))], &[5], Plan::Approve(n(5))),
            // Of two that are not signed neither is known to come first.
            (0, &[Approve(n(5)), Spend(n(5)), Planned(n(2))], &[3], Plan::Wait),
            (0, &[Approve(n(5)), Spend(n(5)), Planned(n(2))], &[2, 3], Plan::Admit(1)),
        ];
        for (on_chain, in_flight, waiting, expected) in cases {
            let needs: Vec<U256> = waiting.iter().map(|need| n(*need)).collect();
            let planned = plan(n(on_chain), in_flight, &needs, Reliance::Unmined);
            assert_eq!(planned, expected, "{on_chain} {in_flight:?} {waiting:?}");
        }
    }

    #[test]
    fn an_overflow_saturates() {
        let needs = [U256::MAX, U256::ONE];
        assert_eq!(plan(U256::ZERO, &[], &needs, Reliance::Unmined), Plan::Approve(U256::MAX));
    }
}
