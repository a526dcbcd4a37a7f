//! Which nonce comes next, and which are missing.
//!
//! Invariant: computed from the chain's count and the living journal rows alone, never from a counter that only goes
//! up: such a counter jams for good when a transaction is lost (law 5).

use std::collections::BTreeSet;

/// Most gaps closed in one round.
const MAX_GAPS: usize = 64;

/// The next nonce to sign, where `count` is the account's transaction count at the newest block and `taken` the
/// nonces of its living rows.
#[must_use]
pub fn next(count: u64, taken: &BTreeSet<u64>) -> u64 {
    taken.last().map_or(count, |highest| count.max(highest.saturating_add(1)))
}

/// The nonces between the chain's count and the highest living row that no row holds: nothing above them can be mined
/// until they are filled. At most 64, lowest first.
#[must_use]
pub fn gaps(count: u64, taken: &BTreeSet<u64>) -> Vec<u64> {
    let Some(highest) = taken.last() else { return Vec::new() };
    (count..*highest).filter(|nonce| !taken.contains(nonce)).take(MAX_GAPS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_and_journal_give_the_next_nonce_and_the_gaps() {
        let cases: [(u64, &[u64], u64, &[u64]); 8] = [
            (0, &[], 0, &[]),
            (7, &[], 7, &[]),
            (7, &[7, 8], 9, &[]),
            // Mined but not final rows lie below the count.
            (7, &[5, 6], 7, &[]),
            (7, &[5, 6, 7], 8, &[]),
            // A foreign transaction of the same key moved the count beyond us.
            (12, &[7, 8], 12, &[]),
            // Lost rows below a living one.
            (7, &[9], 10, &[7, 8]),
            (7, &[6, 8, 10], 11, &[7, 9]),
        ];
        for (count, taken, expected_next, expected_gaps) in cases {
            let set: BTreeSet<u64> = taken.iter().copied().collect();
            assert_eq!(next(count, &set), expected_next, "count {count} taken {taken:?}");
            assert_eq!(gaps(count, &set), expected_gaps, "count {count} taken {taken:?}");
        }
    }

    #[test]
    fn a_far_off_nonce_causes_no_endless_list() {
        let taken = BTreeSet::from([u64::MAX]);
        assert_eq!(gaps(0, &taken).len(), MAX_GAPS);
        assert_eq!(next(0, &taken), u64::MAX);
    }
}
