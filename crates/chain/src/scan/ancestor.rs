//! Finding the last remembered block that is still on the chain, by halving. Pure.
//!
//! Invariant: blocks are linked by hashes, so that all remembered blocks up to a matching one match too; each question
//! halves what is left. Nothing is undone here, and nothing at all beyond the allowed depth.

use super::Checkpoint;
use facilitator_eth::B256;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchStep {
    /// Fetch the header of this height and tell its hash with [`AncestorSearch::answer`].
    Ask(u64),
    /// Everything above this block is to be undone. If it is the newest remembered block, nothing has changed.
    Found(Checkpoint),
    /// The chain forked deeper than is allowed: undo nothing, let an operator decide.
    TooDeep {
        /// The newest remembered block that still is on the chain, if any.
        ancestor: Option<Checkpoint>,
        /// Blocks between it (or the oldest remembered one) and the newest remembered one.
        depth: u64,
    },
}

/// A search under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AncestorSearch {
    /// Ascending by height.
    known: Vec<Checkpoint>,
    /// Blocks below this index are on the chain.
    low: usize,
    /// Blocks from this index on are not.
    high: usize,
    max_depth: u64,
}

impl AncestorSearch {
    /// Searches among the remembered blocks, in any order. Depths of `max_depth` blocks or more are refused.
    #[must_use]
    pub fn new(mut known: Vec<Checkpoint>, max_depth: u64) -> Self {
        known.sort_unstable_by_key(|block| block.number);
        known.dedup_by_key(|block| block.number);
        let high = known.len();
        Self { known, low: 0, high, max_depth }
    }

    /// What to do next.
    #[must_use]
    pub fn step(&self) -> SearchStep {
        if self.low < self.high {
            return match self.known.get(self.middle()) {
                Some(block) => SearchStep::Ask(block.number),
                None => SearchStep::TooDeep { ancestor: None, depth: 0 },
            };
        }
        let newest = self.known.last().map_or(0, |block| block.number);
        let oldest = self.known.first().map_or(0, |block| block.number);
        match self.low.checked_sub(1).and_then(|index| self.known.get(index)) {
            Some(found) if newest - found.number < self.max_depth => SearchStep::Found(*found),
            found => SearchStep::TooDeep {
                ancestor: found.copied(),
                depth: newest - found.map_or(oldest, |block| block.number),
            },
        }
    }

    /// The chain's hash at the height that was asked for; `None` if the chain doesn't reach it.
    pub fn answer(&mut self, hash: Option<B256>) {
        let middle = self.middle();
        let matches = self.known.get(middle).is_some_and(|block| Some(block.hash) == hash);
        if matches {
            self.low = (middle + 1).min(self.high);
        } else {
            self.high = middle;
        }
    }

    /// The newest block first, since mostly nothing has changed; then by halves.
    fn middle(&self) -> usize {
        if self.high == self.known.len() { self.high.saturating_sub(1) } else { self.low + (self.high - self.low) / 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u64, branch: u8) -> Checkpoint {
        let mut hash = B256([branch; 32]);
        hash.0[..8].copy_from_slice(&number.to_be_bytes());
        Checkpoint { number, hash }
    }

    /// A chain that left the remembered branch 1 after block `fork` and has `head` blocks.
    fn search(known: &[u64], fork: u64, head: u64, max_depth: u64) -> (SearchStep, usize) {
        let known = known.iter().map(|number| block(*number, 1)).collect();
        let mut search = AncestorSearch::new(known, max_depth);
        for asked in 0.. {
            match search.step() {
                SearchStep::Ask(number) => {
                    let branch = if number <= fork { 1 } else { 2 };
                    search.answer((number <= head).then(|| block(number, branch).hash));
                }
                done @ (SearchStep::Found(_) | SearchStep::TooDeep { .. }) => return (done, asked),
            }
        }
        unreachable!()
    }

    #[test]
    fn every_depth_is_found_with_few_questions_and_sixty_is_refused() {
        let known: Vec<u64> = (1..=200).collect();
        for depth in 0..60 {
            let (step, asked) = search(&known, 200 - depth, 300, 60);
            assert_eq!(step, SearchStep::Found(block(200 - depth, 1)));
            assert!(asked <= 9, "{asked} questions for depth {depth}");
        }
        assert_eq!(search(&known, 200, 300, 60).1, 1, "no fork costs one question");
        let ancestor = Some(block(140, 1));
        assert_eq!(search(&known, 140, 300, 60).0, SearchStep::TooDeep { ancestor, depth: 60 });
        assert_eq!(search(&known, 0, 300, 60).0, SearchStep::TooDeep { ancestor: None, depth: 199 });
    }

    #[test]
    fn sparse_memories_and_shorter_chains_are_fine() {
        assert_eq!(search(&[90, 10, 95, 70], 93, 300, 60).0, SearchStep::Found(block(90, 1)));
        assert_eq!(search(&[70, 90, 95], 200, 92, 60).0, SearchStep::Found(block(90, 1)));
        assert_eq!(search(&[5], 5, 9, 60).0, SearchStep::Found(block(5, 1)));
        assert_eq!(search(&[5], 4, 9, 60).0, SearchStep::TooDeep { ancestor: None, depth: 0 });
        assert_eq!(search(&[], 4, 9, 60).0, SearchStep::TooDeep { ancestor: None, depth: 0 });
    }
}
