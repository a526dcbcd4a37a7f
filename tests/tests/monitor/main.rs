//! `facilitator monitor` on real nodes and contracts, telling real programs over HTTP.

// What fails here should fail loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod facilitator;
mod faults;
mod life;
mod runs;
