//! The sender against a fake node that fails on command, with a real journal.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what cannot go wrong by panicking")]

mod ahead;
mod allowances;
mod chain;
mod crashes;
mod failures;
mod finals;
mod flow;
mod gate;
mod http;
mod instances;
mod nonces;
mod stuck;
mod time;
mod trouble;
mod world;
