//! The conformance suite of the store on PostgreSQL, and what a database server does otherwise than a file: it refuses,
//! restarts, and lets several write at the same time. `scripts/postgres run cargo test …` gives it a private server.

// What fails here should fail loudly; a child of a test tells it on its standard output what it has done.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../store/brief.rs"]
mod brief;
#[path = "../store/ends.rs"]
mod ends;
#[path = "../store/figures.rs"]
mod figures;
#[path = "../store/halfway.rs"]
mod halfway;
#[path = "../store/hunt.rs"]
mod hunt;
#[path = "../store/instances.rs"]
mod instances;
#[path = "../store/journal.rs"]
mod journal;
#[path = "../store/leases.rs"]
mod leases;
#[path = "../store/ledger.rs"]
mod ledger;
#[path = "../store/monitor.rs"]
mod monitor;
#[path = "../store/processes.rs"]
mod processes;
#[path = "../store/requests.rs"]
mod requests;
#[path = "../store/scan.rs"]
mod scan;
#[path = "../store/schema.rs"]
mod schema;
#[path = "../store/support.rs"]
mod support;
#[path = "../store/takeover.rs"]
mod takeover;
#[path = "../store/wakes.rs"]
mod wakes;
#[path = "../store/writers.rs"]
mod writers;

mod bed;
mod copy;
mod crash;
mod proxy;
mod races;
mod refusals;
