//! The connector in a simulated world: a chain that grows and forks, endpoints that lie, lag, stall and come back, a
//! database that keeps what it is told. No clock: time is the world's.
#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm, reason = "tests")]

mod random;
mod scenarios;
mod world;
