//! One EVM chain to read: the batching JSON-RPC client, parsed blocks, logs and proofs, the reader that gathers the
//! questions of many askers into few calls, and the pure plan of scanning.
//!
//! Invariant: what a node says is checked for form here (ranges, addresses, order, sizes) before anybody acts on it,
//! and no credential of an endpoint's URL reaches an error or a log line. This crate knows neither the database nor
//! the requests: it signs nothing, stores nothing and decides nothing about money.

pub mod connector;
pub mod heads;
pub mod reader;
pub mod rpc;
pub mod scan;
pub mod sync;
pub mod types;
