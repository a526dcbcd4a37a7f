//! The worker as a table: a request and two chains that say certain things, and what the worker tells its parent then,
//! in that order. The parent is a script over pipes in memory; no process, no node, no clock.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what cannot go wrong by panicking")]

mod accept;
mod chains;
mod leave;
mod progress;
mod prove;
mod redeem;
mod script;
mod world;
