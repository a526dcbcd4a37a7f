//! One chain read through several endpoints (neighbours.md 001): the scenarios PT1 to PT7, and endpoints that lie.

mod far;
mod forks;
mod liars;
mod rounds;
mod strange;

use std::time::Duration;

/// Time for anything to happen that must.
const LIMIT: Duration = Duration::from_secs(60);
