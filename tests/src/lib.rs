//! A whole Mosaic world on this machine: two nodes, the published contracts, stakers, an anchoring service, and the
//! `facilitator` binary run as an operator runs it.
//!
//! What is checked here is checked from outside: calls, events and proofs are spelled out again from the contracts'
//! signatures instead of taken from the product, so that a mistake there cannot hide itself. Only the primitives of
//! `facilitator_eth` and the JSON-RPC client of `facilitator_chain` are shared with it, its store where the benchmark
//! fills a database, and its fee policy where the benchmark plays that.

pub mod account;
pub mod anchoring;
pub mod anvil;
pub mod arguments;
pub mod artifacts;
pub mod backlog;
pub mod bench;
pub mod book;
pub mod books;
pub mod browser;
pub mod calls;
pub mod daemon;
pub mod database;
pub mod deploy;
pub mod devnet;
pub mod direct;
pub mod events;
pub mod fire;
mod header;
pub mod history;
pub mod hosts;
pub mod kill_points;
pub mod kind;
pub mod limits;
pub mod lock;
pub mod long_ago;
pub mod machine;
pub mod mailbox;
pub mod measure;
pub mod node;
pub mod operator;
pub mod pages;
pub mod postgres;
pub mod process;
pub mod proof;
pub mod pty;
pub mod purse;
pub mod requesters;
pub mod rpc_proxy;
mod settle;
pub mod skipped;
pub mod small_disk;
pub mod soak;
pub mod stakers;
mod steps;
pub mod straight;
pub mod stranger;
pub mod table;
pub mod treasury;
pub mod trio;
pub mod verify;
pub mod watch;
pub mod world;
