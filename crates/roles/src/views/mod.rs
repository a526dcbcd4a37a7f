//! What operators are shown, as commands print it and pages serve it: the same words everywhere.
//!
//! Made from the database alone, so that it can be looked at whatever the nodes do.

pub mod activity;
pub mod instances;
pub mod ledger;
mod money;
pub mod requests;
pub mod status;

pub use money::MoneyView;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Unix milliseconds as RFC 3339.
#[must_use]
pub fn time(at_ms: i64) -> String {
    let at: SystemTime = UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap_or(0));
    humantime::format_rfc3339_millis(at).to_string()
}

/// Seconds for people.
#[must_use]
pub fn age(seconds: i64) -> String {
    humantime::format_duration(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))).to_string()
}
