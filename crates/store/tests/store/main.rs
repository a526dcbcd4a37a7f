//! The conformance suite of the store on SQLite: written against its public interface, so that `tests/postgres` runs the
//! same modules; and the tests of what a database does when its file, its neighbours or its process misbehave.

// What fails here should fail loudly; a child of a test tells it on its standard output what it has done.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod bed;
mod brief;
mod ends;
mod figures;
mod foreign;
mod halfway;
mod hunt;
mod instances;
mod journal;
mod leases;
mod ledger;
mod monitor;
mod open;
mod processes;
mod rebuild;
mod requests;
mod reveals;
mod scan;
mod schema;
mod served;
mod support;
mod takeover;
mod wakes;
mod writers;
