//! What is remembered of the chain: heights and hashes, newest last. Pure.
//!
//! Invariant: the memory is bounded, and whatever it holds was stored; the caller links the blocks by their parents
//! before it says so.

use crate::scan::Checkpoint;
use facilitator_eth::B256;
use std::collections::BTreeMap;

/// Remembered blocks; heights may be missing among old ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    blocks: BTreeMap<u64, B256>,
    capacity: usize,
}

impl Local {
    /// Remembers `blocks`, and the newest `capacity` ones as more come.
    #[must_use]
    pub fn new(blocks: impl IntoIterator<Item = Checkpoint>, capacity: u64) -> Self {
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX).max(1);
        let mut local = Self { blocks: BTreeMap::new(), capacity };
        local.extend(blocks);
        local
    }

    /// The newest block.
    #[must_use]
    pub fn head(&self) -> Option<Checkpoint> {
        self.blocks.last_key_value().map(block)
    }

    /// The oldest block.
    #[must_use]
    pub fn first(&self) -> Option<Checkpoint> {
        self.blocks.first_key_value().map(block)
    }

    /// The hash at a height, if it is remembered.
    #[must_use]
    pub fn hash(&self, number: u64) -> Option<B256> {
        self.blocks.get(&number).copied()
    }

    /// Whether `block` is remembered.
    #[must_use]
    pub fn has(&self, block: Checkpoint) -> bool {
        self.hash(block.number) == Some(block.hash)
    }

    /// Whether another block is remembered at its height.
    #[must_use]
    pub fn contradicts(&self, block: Checkpoint) -> bool {
        self.hash(block.number).is_some_and(|hash| hash != block.hash)
    }

    /// The newest remembered block not above a height.
    #[must_use]
    pub fn at_or_below(&self, number: u64) -> Option<Checkpoint> {
        self.blocks.range(..=number).next_back().map(block)
    }

    /// Blocks less than `depth` below the newest, ascending: all that a fork may undo, and its ancestor.
    #[must_use]
    pub fn within(&self, depth: u64) -> Vec<Checkpoint> {
        let Some(head) = self.head() else { return Vec::new() };
        let lowest = head.number.saturating_sub(depth.saturating_sub(1));
        self.blocks.range(lowest..).map(block).collect()
    }

    pub(super) fn extend(&mut self, blocks: impl IntoIterator<Item = Checkpoint>) {
        self.blocks.extend(blocks.into_iter().map(|block| (block.number, block.hash)));
        while self.blocks.len() > self.capacity {
            self.blocks.pop_first();
        }
    }

    pub(super) fn delete_above(&mut self, number: u64) {
        self.blocks.retain(|height, _| *height <= number);
    }
}

fn block((number, hash): (&u64, &B256)) -> Checkpoint {
    Checkpoint { number: *number, hash: *hash }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_sixty_back_is_out_of_reach() {
        let block = |number| Checkpoint { number, hash: B256([1; 32]) };
        let mut local = Local::new((1..=200).map(block), 100);
        assert_eq!((local.head(), local.hash(100)), (Some(block(200)), None));
        let within = local.within(60);
        assert_eq!((within.len(), within[0], within[59]), (60, block(141), block(200)));
        assert_eq!(local.at_or_below(150), Some(block(150)));
        assert_eq!(local.at_or_below(50), None);
        local.delete_above(150);
        assert_eq!(local.head(), Some(block(150)));
        assert!(local.contradicts(Checkpoint { number: 150, hash: B256::ZERO }));
        assert!(!local.contradicts(Checkpoint { number: 151, hash: B256::ZERO }));
        assert_eq!(Local::new([], 0).within(60), []);
    }
}
