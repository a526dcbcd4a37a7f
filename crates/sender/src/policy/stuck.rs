//! Which transactions of an account are stuck and must be sent again or replaced.
//!
//! Invariant: time is counted in blocks, and a full chain is no reason to pay more: as long as the account makes
//! progress nothing is touched, so that a fee is never raised forty times in seconds.

use super::fee::{self, Market};
use facilitator_eth::tx::Fee;

/// A transaction that waits to be mined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// Its nonce.
    pub nonce: u64,
    /// Newest block when its newest attempt was last sent.
    pub sent_at: u64,
    /// The fee of that attempt.
    pub fee: Fee,
}

/// The nonces to send again, lowest first, at the newest block `head`. `progress` is the block in which the account's
/// count last moved, `flights` are in the order of nonces.
///
/// The lowest one holds up all others. Beside it only those are touched that no block can take at the present price.
#[must_use]
pub fn stuck(head: u64, resend_after: u64, progress: u64, market: Market, flights: &[InFlight]) -> Vec<u64> {
    let due = |flight: &&InFlight| head >= flight.sent_at.max(progress).saturating_add(resend_after.max(1));
    let Some(lowest) = flights.first() else { return Vec::new() };
    if !due(&lowest) {
        return Vec::new();
    }
    let outbid = flights.iter().skip(1).filter(due).filter(|flight| fee::is_outbid(flight.fee, market));
    std::iter::once(lowest).chain(outbid).map(|flight| flight.nonce).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use facilitator_eth::U256;

    #[test]
    fn only_what_holds_up_the_account_is_touched() {
        let flight = |nonce, sent_at, max_fee: u64| InFlight {
            nonce,
            sent_at,
            fee: Fee::Dynamic { max_fee: U256::from(max_fee), max_priority: U256::ONE },
        };
        let market = Market::Dynamic { base_fee: U256::from(100u64) };
        let cases: [(u64, u64, Vec<InFlight>, &[u64]); 7] = [
            (13, 0, vec![], &[]),
            (12, 0, vec![flight(5, 10, 200)], &[]),
            (13, 0, vec![flight(5, 10, 200)], &[5]),
            // Blocks are full, but the account moves.
            (13, 12, vec![flight(5, 10, 200), flight(6, 10, 200)], &[]),
            // The others wait for the lowest, unless their own price is hopeless too.
            (13, 0, vec![flight(5, 10, 200), flight(6, 10, 200), flight(7, 10, 99)], &[5, 7]),
            // One that was sent later is given its time.
            (13, 0, vec![flight(5, 10, 200), flight(7, 11, 99)], &[5]),
            (13, 0, vec![flight(5, 12, 99), flight(6, 1, 99)], &[]),
        ];
        for (head, progress, flights, expected) in cases {
            assert_eq!(stuck(head, 3, progress, market, &flights), expected, "head {head} {flights:?}");
        }
    }
}
