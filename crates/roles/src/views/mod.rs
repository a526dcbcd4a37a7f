//! What operators are shown, as commands print it and pages serve it: the same words everywhere.
//!
//! Made from the database alone, so that it can be looked at whatever the nodes do.

pub mod activity;
pub mod instances;
pub mod keys;
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

/// Milliseconds as the base unit of metrics.
pub(crate) fn seconds(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 milliseconds, which is 285 millennia")]
    let ms = ms.max(0) as f64;
    ms / 1_000.0
}

/// Smallest units as units of 18 digits, at most six of them shown: for people; what is exact stands in the JSON.
#[must_use]
pub fn rounded(digits: &str) -> String {
    let (sign, plain) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let padded = format!("{plain:0>19}");
    let (whole, rest) = padded.split_at(padded.len().saturating_sub(18));
    let most = rest.get(..6).unwrap_or(rest).trim_end_matches('0');
    let is_tiny = whole == "0" && most.is_empty() && rest.bytes().any(|digit| digit != b'0');
    match (is_tiny, most) {
        (true, _) => format!("{sign}<0.000001"),
        (false, "") => format!("{sign}{whole}"),
        (false, most) => format!("{sign}{whole}.{most}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn amounts_are_rounded_towards_nothing_and_never_to_it() {
        for (digits, shown) in [
            ("0", "0"),
            ("1", "<0.000001"),
            ("-999999999999", "-<0.000001"),
            ("1000000000000", "0.000001"),
            ("1500000000000000000", "1.5"),
            ("-12000000000000000000", "-12"),
            ("123456789012345678901234", "123456.789012"),
        ] {
            assert_eq!(super::rounded(digits), shown, "{digits}");
        }
    }
}
