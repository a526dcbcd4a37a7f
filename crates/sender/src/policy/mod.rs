//! The sender's decisions: fees, nonces, allowances, funds, what a node's answers mean, when to send again.
//!
//! Invariant: pure functions. No clock, randomness, I/O or tokio; heights, balances and answers are arguments, so that
//! the same functions serve the running sender, its restart and a simulation.

pub mod account;
pub mod allowance;
pub mod answer;
pub mod crowd;
pub mod fee;
pub mod funds;
pub mod nonce;
pub mod receipt;
pub mod simulated;
pub mod stuck;
