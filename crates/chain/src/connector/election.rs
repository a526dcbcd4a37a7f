//! Which endpoint to read from: votes on a block's hash. Pure.
//!
//! Invariant: the winner says what most say; a draw goes to the smaller hash, so that everybody who sees the same votes
//! elects the same. An election is settled only with a quorum and a majority: nothing is undone or released on less.

use super::EndpointId;
use facilitator_eth::B256;
use std::{cmp::Reverse, collections::BTreeMap};

/// What one endpoint says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// Who.
    pub endpoint: EndpointId,
    /// Its hash of the block that is voted on.
    pub hash: B256,
    /// The height that it has reached.
    pub height: u64,
    /// Its smoothed latency, milliseconds.
    pub latency_ms: u64,
}

/// The outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elected {
    /// The endpoint to read from: of those with the winning hash the highest, then the fastest, then the first.
    pub endpoint: EndpointId,
    /// Another endpoint with the winning hash, to check it against.
    pub witness: Option<EndpointId>,
    /// The winning hash.
    pub hash: B256,
    /// How many say so.
    pub votes: usize,
    /// How many say something else.
    pub dissent: usize,
}

impl Elected {
    /// Whether `quorum` endpoints and more than half of all agree.
    #[must_use]
    pub const fn is_settled(&self, quorum: usize) -> bool {
        self.votes >= quorum && self.votes > self.dissent
    }
}

/// Elects; `None` without votes.
#[must_use]
pub fn elect(votes: &[Vote]) -> Option<Elected> {
    let mut parties: BTreeMap<B256, Vec<&Vote>> = BTreeMap::new();
    for vote in votes {
        parties.entry(vote.hash).or_default().push(vote);
    }
    let (hash, mut party) = parties.into_iter().min_by_key(|(hash, party)| (Reverse(party.len()), *hash))?;
    party.sort_by_key(|vote| (Reverse(vote.height), vote.latency_ms, vote.endpoint));
    let mut best = party.iter();
    Some(Elected {
        endpoint: best.next()?.endpoint,
        witness: best.next().map(|vote| vote.endpoint),
        hash,
        votes: party.len(),
        dissent: votes.len() - party.len(),
    })
}

/// The greatest height that at least `quorum` of `heights` have reached: where the next vote is held.
#[must_use]
pub fn reached_by(quorum: usize, heights: impl IntoIterator<Item = u64>) -> Option<u64> {
    let mut heights: Vec<u64> = heights.into_iter().collect();
    heights.sort_unstable_by_key(|height| Reverse(*height));
    heights.get(quorum.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(endpoint: usize, hash: u8, height: u64, latency_ms: u64) -> Vote {
        Vote { endpoint: EndpointId(endpoint), hash: B256([hash; 32]), height, latency_ms }
    }

    fn winner(votes: &[Vote]) -> (usize, u8, usize, usize) {
        let elected = elect(votes).unwrap();
        (elected.endpoint.0, elected.hash.0[0], elected.votes, elected.dissent)
    }

    #[test]
    fn most_votes_win_whatever_the_minority_offers() {
        assert_eq!(winner(&[vote(0, 9, 10, 50), vote(1, 1, 99, 1), vote(2, 9, 10, 60)]), (0, 9, 2, 1));
        assert_eq!(elect(&[]), None);
    }

    #[test]
    fn a_draw_goes_to_the_smaller_hash_in_any_order() {
        let (a, b) = (vote(0, 7, 10, 1), vote(1, 3, 10, 9));
        assert_eq!(winner(&[a, b]), (1, 3, 1, 1));
        assert_eq!(winner(&[b, a]), (1, 3, 1, 1));
        assert!(!elect(&[a, b]).unwrap().is_settled(1), "a draw settles nothing");
    }

    #[test]
    fn among_equals_the_highest_then_the_fastest_then_the_first() {
        assert_eq!(winner(&[vote(0, 1, 10, 1), vote(1, 1, 11, 90)]).0, 1);
        assert_eq!(winner(&[vote(0, 1, 11, 80), vote(1, 1, 11, 70)]).0, 1);
        let elected = elect(&[vote(2, 1, 11, 70), vote(1, 1, 11, 70)]).unwrap();
        assert_eq!((elected.endpoint.0, elected.witness), (1, Some(EndpointId(2))));
        assert_eq!(elect(&[vote(0, 1, 1, 1)]).unwrap().witness, None);
    }

    #[test]
    fn a_quorum_and_a_majority_settle() {
        let votes = [vote(0, 1, 10, 1), vote(1, 1, 10, 1), vote(2, 2, 10, 1)];
        assert!(elect(&votes).unwrap().is_settled(2));
        assert!(!elect(&votes).unwrap().is_settled(3));
        assert!(elect(&votes[..1]).unwrap().is_settled(1));
    }

    #[test]
    fn a_lone_high_head_moves_no_vote() {
        assert_eq!(reached_by(2, [1_000_000, 40, 41]), Some(41));
        assert_eq!(reached_by(1, [1_000_000, 40]), Some(1_000_000));
        assert_eq!(reached_by(2, [7]), None);
        assert_eq!(reached_by(0, [7]), None);
    }
}
