//! Headers that were read and may be needed again: of heads and of blocks whose events are not stored yet.

use facilitator_chain::scan::Checkpoint;
use facilitator_chain::types::Header;
use facilitator_eth::B256;
use std::collections::BTreeMap;

/// Most headers that are kept. The highest go first: they come again, or are of another chain.
const CAPACITY: usize = 4_096;

/// Headers by height and hash: several branches may be there at once.
#[derive(Debug, Default)]
pub(super) struct Headers {
    known: BTreeMap<(u64, B256), Header>,
}

impl Headers {
    pub(super) fn keep(&mut self, header: Header) {
        let known = self.known.entry((header.number, header.hash)).or_insert_with(|| header.clone());
        // What is bound to its hash is not replaced by what may be anything.
        if header.receipts_root.is_some() {
            *known = header;
        }
        while self.known.len() > CAPACITY {
            self.known.pop_last();
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
