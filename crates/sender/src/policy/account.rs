//! Which of several accounts signs.

use facilitator_eth::Address;

/// The account with the fewest living transactions; among equals the one after the last chosen, so that all are used
/// in turn. `None` without accounts.
#[must_use]
pub fn choose(accounts: &[(Address, usize)], last: Option<Address>) -> Option<Address> {
    let start = last.and_then(|last| accounts.iter().position(|(address, _)| *address == last)).map_or(0, |i| i + 1);
    let (before, after) = accounts.split_at(start.min(accounts.len()));
    after.iter().chain(before).min_by_key(|(_, live)| *live).map(|(address, _)| *address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_idlest_account_signs_and_equals_take_turns() {
        type Case<'a> = (&'a [(u8, usize)], Option<u8>, Option<u8>);
        let a = |n: u8| Address([n; 20]);
        let cases: [Case<'_>; 7] = [
            (&[], None, None),
            (&[(1, 3)], None, Some(1)),
            (&[(1, 0), (2, 0), (3, 0)], None, Some(1)),
            (&[(1, 0), (2, 0), (3, 0)], Some(1), Some(2)),
            (&[(1, 0), (2, 0), (3, 0)], Some(3), Some(1)),
            (&[(1, 0), (2, 5), (3, 1)], Some(1), Some(1)),
            (&[(1, 2), (2, 2)], Some(9), Some(1)),
        ];
        for (accounts, last, expected) in cases {
            let list: Vec<(Address, usize)> = accounts.iter().map(|(n, live)| (a(*n), *live)).collect();
            assert_eq!(choose(&list, last.map(a)), expected.map(a), "{accounts:?} after {last:?}");
        }
    }
}
