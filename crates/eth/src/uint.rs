//! Unsigned 256-bit integers: amounts, gas prices, nonces of messages.

use crate::B256;
use bincode::{
    Decode, Encode,
    de::{BorrowDecoder, Decoder},
    enc::Encoder,
    error::{DecodeError, EncodeError},
};
use ethers_core::types::U256 as Inner;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// Why a text is no unsigned 256-bit integer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 0 to 2^256-1, decimal or 0x hexadecimal")]
pub struct ParseUintError;

/// An unsigned 256-bit integer. Shown, stored and serialised as decimal text (law 11): never as a float.
///
/// Arithmetic is checked: an overflow is `None`, not a wrap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct U256(Inner);

impl U256 {
    /// Zero.
    pub const ZERO: Self = Self(Inner::zero());
    /// One.
    pub const ONE: Self = Self(Inner::one());
    /// 2^256 - 1.
    pub const MAX: Self = Self(Inner::MAX);

    /// From 32 big-endian bytes, the ABI's form.
    #[must_use]
    pub fn from_be_bytes(bytes: [u8; 32]) -> Self {
        Self(Inner::from_big_endian(&bytes))
    }

    /// As 32 big-endian bytes.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 32] {
        let mut out = [0; 32];
        self.0.to_big_endian(&mut out);
        out
    }

    /// As a 32-byte ABI word.
    #[must_use]
    pub fn to_word(self) -> B256 {
        B256(self.to_be_bytes())
    }

    /// The big-endian bytes without leading zeros; none for zero. The form of RLP integers.
    #[must_use]
    pub fn to_be_bytes_trimmed(self) -> Vec<u8> {
        let bytes = self.to_be_bytes();
        let first = bytes.iter().position(|b| *b != 0).unwrap_or(32);
        bytes[first..].to_vec()
    }

    /// As a JSON-RPC quantity: `0x` and hexadecimal digits without leading zeros.
    #[must_use]
    pub fn to_quantity(self) -> String {
        format!("{:#x}", self.0)
    }

    /// Reads 10^`decimals` units, e.g. `U256::exp10(18)` for one token of 18 decimals. Saturates at [`U256::MAX`].
    #[must_use]
    pub fn exp10(decimals: u32) -> Self {
        Inner::from(10u8).checked_pow(Inner::from(decimals)).map_or(Self::MAX, Self)
    }

    /// Sum, `None` on overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Difference, `None` if it were negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Product, `None` on overflow.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        self.0.checked_mul(other.0).map(Self)
    }

    /// Quotient rounded down, `None` for a divisor of zero.
    #[must_use]
    pub fn checked_div(self, other: Self) -> Option<Self> {
        self.0.checked_div(other.0).map(Self)
    }

    /// Sum, at most [`U256::MAX`].
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference, at least zero.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Product, at most [`U256::MAX`].
    #[must_use]
    pub fn saturating_mul(self, other: Self) -> Self {
        self.checked_mul(other).unwrap_or(Self::MAX)
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// As `u64`, `None` if it does not fit.
    #[must_use]
    pub fn to_u64(self) -> Option<u64> {
        (self.0 <= Inner::from(u64::MAX)).then(|| self.0.low_u64())
    }
}

impl From<u64> for U256 {
    fn from(value: u64) -> Self {
        Self(value.into())
    }
}

impl From<u128> for U256 {
    fn from(value: u128) -> Self {
        Self(value.into())
    }
}

impl fmt::Display for U256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for U256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for U256 {
    type Err = ParseUintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text.strip_prefix("0x") {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Inner::from_str_radix(digits, 16).ok()
            }
            None if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => Inner::from_dec_str(text).ok(),
            _ => None,
        };
        parsed.map(Self).ok_or(ParseUintError)
    }
}

impl Serialize for U256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for U256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Encode for U256 {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.to_be_bytes().encode(encoder)
    }
}

impl<C> Decode<C> for U256 {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        <[u8; 32]>::decode(decoder).map(Self::from_be_bytes)
    }
}

impl<'de, C> bincode::BorrowDecode<'de, C> for U256 {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        <[u8; 32]>::borrow_decode(decoder).map(Self::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_round_trips_beyond_64_bits_and_nonsense_is_refused() {
        let text = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        assert_eq!(text.parse::<U256>().unwrap(), U256::MAX);
        assert_eq!(U256::MAX.to_string(), text);
        for bad in [
            "",
            "0x",
            "-1",
            "1.5",
            "1e18",
            " 1",
            "0xg",
            "1157920892373161954235709850086879078532699846656405640394575840079131296399350",
        ] {
            assert_eq!(bad.parse::<U256>(), Err(ParseUintError), "{bad}");
        }
        assert_eq!("0x10".parse::<U256>().unwrap(), U256::from(16u64));
    }

    #[test]
    fn overflow_is_none() {
        assert_eq!(U256::MAX.checked_add(U256::ONE), None);
        assert_eq!(U256::ZERO.checked_sub(U256::ONE), None);
        assert_eq!(U256::MAX.checked_mul(U256::from(2u64)), None);
    }
}
