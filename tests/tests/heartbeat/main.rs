//! Scenarios HT1 to HT8 of the heartbeat specification, and what else happens to instances of one operator that share a
//! database: they live, are found silent, rest, stop, change their names, come back and go, on real nodes with shortened
//! times.
//!
//! What is compared are times that the product has stored, never how long a test has waited.

mod counts;
mod leaving;
mod maintenance;
mod names;
mod silence;
mod two;
