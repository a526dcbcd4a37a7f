//! Exact decimal fractions: prices and what something is worth. Never floats, which lose digits.

use crate::U256;
use bincode::{Decode, Encode};
use std::{fmt, str::FromStr};

/// Digits behind the point.
const DIGITS: usize = 18;

/// Digits before the point.
const WHOLE_DIGITS: usize = 30;

/// Why a text is no decimal number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a number as decimal text, e.g. \"0.05\", with at most 30 digits before the point and 18 behind it")]
pub struct ParseDecimalError;

/// A number from zero on with 18 digits behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub struct Decimal(U256);

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(U256::ZERO);

    /// One.
    #[must_use]
    pub fn one() -> Self {
        Self(U256::from(1_000_000_000_000_000_000_u64))
    }

    /// What an amount of smallest units is worth, `self` being the price of a whole one of `decimals` digits. Rounded
    /// down; beyond 256 bits the most that can be told.
    #[must_use]
    pub fn worth(self, amount: U256, decimals: u32) -> Self {
        let whole = U256::exp10(decimals);
        Self(amount.saturating_mul(self.0).checked_div(whole).unwrap_or(U256::ZERO))
    }

    /// Sum, at most the greatest that can be told.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:0>19}", self.0.to_string());
        let (whole, fraction) = digits.split_at(digits.len() - DIGITS);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { f.write_str(whole) } else { write!(f, "{whole}.{fraction}") }
    }
}

impl FromStr for Decimal {
    type Err = ParseDecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits = |part: &str, most: usize| {
            !part.is_empty() && part.len() <= most && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !are_digits(whole, WHOLE_DIGITS) || !are_digits(fraction, DIGITS) {
            return Err(ParseDecimalError);
        }
        let padded = format!("{whole}{fraction:0<18}");
        padded.parse().map(Self).map_err(|_| ParseDecimalError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn text_round_trips_to_the_last_digit_and_nonsense_is_refused() {
        for text in ["0", "1", "0.05", "1800.5", "0.000000000000000001", "999999999999999999999999999999"] {
            assert_eq!(of(text).to_string(), text);
        }
        assert_eq!(of("007.50").to_string(), "7.5");
        for bad in ["", ".", "1.", ".5", "-1", "1e3", "1,5", "0.0000000000000000001", " 1", "1.5.0"] {
            assert_eq!(bad.parse::<Decimal>(), Err(ParseDecimalError), "{bad}");
        }
    }

    #[test]
    fn worth_considers_the_decimals_of_the_token() {
        let one_and_a_half = U256::from(1_500_000_000_000_000_000_u64);
        assert_eq!(of("2").worth(one_and_a_half, 18), of("3"));
        assert_eq!(of("0.5").worth(U256::from(3_000_000_u64), 6), of("1.5"));
        assert_eq!(of("7").worth(U256::from(3_u64), 0), of("21"));
        // Less than the last digit is nothing; more than 256 bits is no wrap.
        assert_eq!(of("1").worth(U256::ONE, 19), Decimal::ZERO);
        assert!(of("2").worth(U256::MAX, 18) > of("1"));
        assert!(of("2").worth(U256::MAX, 80) < of("0.00000000000000001"));
    }
}
