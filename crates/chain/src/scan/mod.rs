//! Reading a chain's events without gaps: which blocks to read next, how many at once, what to do about forks, and the
//! reading itself.
//!
//! The loop belongs to the scanner's role; it asks the pure parts here ([`ScanPlan`], [`AncestorSearch`]) what to do
//! and carries it out with [`fetch_range`] and [`fetch_events`]. Invariant: a range that was fetched is whole and of one
//! branch as far as its headers tell, so that checkpoint and events may be committed together (law 6). Whether what a
//! node says about its logs is true and whole is decided by [`complete`]. Storing and undoing are left to the store.

mod ancestor;
pub mod complete;
mod fetch;
mod filter;
mod plan;
mod proven;

pub use ancestor::{AncestorSearch, SearchStep};
pub use fetch::{
    Entry, FetchError, FetchedRange, fetch_chain_id, fetch_events, fetch_gas_price, fetch_hash, fetch_head,
    fetch_headers, fetch_range,
};
pub use filter::LogFilter;
pub use plan::{Failed, ScanPlan, Span};

use facilitator_eth::B256;

/// A block as it is remembered: everything up to it has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
}
