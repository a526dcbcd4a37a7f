//! Headers that were read and may be needed again: of heads and of blocks whose events are not stored yet.

use facilitator_chain::scan::Checkpoint;
use facilitator_chain::types::Header;
use facilitator_eth::B256;
use std::collections::BTreeMap;

/// Most headers that are kept; the lowest go first.
const CAPACITY: usize = 4_096;

/// Headers by height and hash: several branches may be there at once.
#[derive(Debug, Default)]
pub(super) struct Headers {
    known: BTreeMap<(u64, B256), Header>,
}

impl Headers {
    pub(super) fn keep(&mut self, header: Header) {
        self.known.insert((header.number, header.hash), header);
        while self.known.len() > CAPACITY {
            self.known.pop_first();
        }
    }

    pub(super) fn get(&self, block: Checkpoint) -> Option<&Header> {
        self.known.get(&(block.number, block.hash))
    }

    /// Forgets those below a height.
    pub(super) fn forget_below(&mut self, number: u64) {
        self.known = self.known.split_off(&(number, B256::ZERO));
    }
}
