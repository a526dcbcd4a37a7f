//! Messages that are missing in what a node tells of ranges far below the head, where nothing proves its logs.
//!
//! A gateway numbers the messages of each sender. Where a number is left out, or a message begins before the last one
//! has ended, events were not told: what may lack them is read again block by block, which no index of logs can
//! disturb. What is found then is final, so that contracts that count otherwise cost one such pass and stop nobody.

use facilitator_chain::scan::complete::{Gap, Ledger};
use facilitator_chain::scan::{Entry, FetchedRange, Span};
use std::collections::BTreeMap;

/// What was read of the messages.
pub(super) struct Gaps {
    ledger: Ledger,
    /// Blocks that are read one by one, from the first to the last.
    doubted: Option<Span>,
}

impl Gaps {
    /// `from_the_start`: blocks are read from the chain's first one on.
    pub(super) fn new(from_the_start: bool) -> Self {
        Self { ledger: Ledger::new(BTreeMap::new(), from_the_start), doubted: None }
    }

    /// Whether a range is to be read block by block.
    pub(super) fn doubts(&self, span: Span) -> bool {
        self.doubted.is_some_and(|doubted| span.from <= doubted.to)
    }

    /// The first gap that a range shows, in its blocks from `next` on or before them. What was read block by block shows
    /// none.
    pub(super) fn first_in(&self, range: &FetchedRange, next: u64) -> Option<Gap> {
        if range.entries.is_empty() || self.doubts(range.span) {
            return None;
        }
        self.ledger.clone().read(fresh(&range.entries, next)).into_iter().next()
    }

    /// From now on everything that may lack what is missing is read block by block: gives the first such block.
    pub(super) fn doubt(&mut self, gap: &Gap, start_block: u64) -> u64 {
        let (after, to) = (gap.after.unwrap_or(start_block), gap.shown_by.0);
        let (from, first) = match self.doubted {
            // What was read one by one already lacks nothing.
            Some(doubted) if doubted.contains(after) => (doubted.to.saturating_add(1).min(to), doubted.from),
            Some(_) | None => (after, after),
        };
        self.doubted = Some(Span { from: first, to });
        from
    }

    /// Events were stored.
    pub(super) fn stored(&mut self, entries: &[Entry], next: u64) {
        for gap in self.ledger.read(fresh(entries, next)) {
            tracing::debug!("{gap}, though all blocks were read");
        }
    }

    /// What was read from a block on is undone.
    pub(super) fn back_to(&mut self, block: u64) {
        self.ledger.back_to(block);
    }
}

fn fresh(entries: &[Entry], next: u64) -> impl Iterator<Item = &Entry> {
    entries.iter().filter(move |entry| entry.log.block_number >= next)
}
