//! Fixed and variable byte strings with their hexadecimal form.

use bincode::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};
use zeroize::Zeroize;

/// Why a hexadecimal text is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseHexError {
    /// The text does not begin with `0x`.
    #[error("must begin with 0x")]
    Prefix,
    /// The text has a character that is no hexadecimal digit, or half a byte.
    #[error("must be hexadecimal digits, two for each byte")]
    Digits,
    /// The text has another number of bytes than the type.
    #[error("must be {expected} bytes, not {found}")]
    Length {
        /// Bytes the type has.
        expected: usize,
        /// Bytes the text has.
        found: usize,
    },
    /// An address in mixed case whose case is not its EIP-55 checksum.
    #[error("has a wrong checksum (EIP-55): a digit may be mistyped")]
    Checksum,
}

fn decode(text: &str) -> Result<Vec<u8>, ParseHexError> {
    let digits = text.strip_prefix("0x").ok_or(ParseHexError::Prefix)?;
    hex::decode(digits).map_err(|_| ParseHexError::Digits)
}

fn decode_fixed<const N: usize>(text: &str) -> Result<[u8; N], ParseHexError> {
    let bytes = decode(text)?;
    let found = bytes.len();
    bytes.try_into().map_err(|_| ParseHexError::Length { expected: N, found })
}

/// A 20-byte account or contract address. Shown with its EIP-55 checksum; ordered and compared as bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// The zero address.
    pub const ZERO: Self = Self([0; 20]);

    /// The 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Whether every byte is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// The address as lower-case hexadecimal with `0x`, the form stored in the database.
    #[must_use]
    pub fn to_lower_hex(&self) -> String {
        format!("0x{}", hex::encode(self.0))
    }

    /// The last 20 bytes of a 32-byte ABI word.
    #[must_use]
    pub fn from_word(word: &B256) -> Self {
        let mut out = [0; 20];
        out.copy_from_slice(&word.0[12..]);
        Self(out)
    }

    /// The address as a 32-byte ABI word, left-padded.
    #[must_use]
    pub fn to_word(&self) -> B256 {
        let mut out = [0; 32];
        out[12..].copy_from_slice(&self.0);
        B256(out)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checksum = ethers_core::utils::to_checksum(&ethers_core::types::H160(self.0), None);
        f.write_str(&checksum)
    }
}

impl FromStr for Address {
    type Err = ParseHexError;

    /// Reads `0x` and 40 hexadecimal digits. All lower or all upper case is taken as it is; mixed case must be the
    /// EIP-55 checksum, which catches mistyped addresses in configuration files.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = Self(decode_fixed(text)?);
        let digits = &text[2..];
        let mixed = digits.bytes().any(|b| b.is_ascii_lowercase()) && digits.bytes().any(|b| b.is_ascii_uppercase());
        if mixed && address.to_string() != text {
            return Err(ParseHexError::Checksum);
        }
        Ok(address)
    }
}

/// A 32-byte word: a hash, a state or storage root, a storage key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub struct B256(pub [u8; 32]);

impl B256 {
    /// The zero word.
    pub const ZERO: Self = Self([0; 32]);

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether every byte is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

impl fmt::Display for B256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl FromStr for B256 {
    type Err = ParseHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        decode_fixed(text).map(Self)
    }
}

/// Bytes of any length: call data, return data, raw transactions, trie nodes. Overwritten when dropped: call data may
/// reveal a secret before its time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(&self.0))
    }
}

impl FromStr for Bytes {
    type Err = ParseHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        decode(text).map(Self)
    }
}

macro_rules! hex_text {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

hex_text!(Address);
hex_text!(B256);
hex_text!(Bytes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_with_their_checksum_and_mistyped_ones_refused() {
        let text = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        let address: Address = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
        assert_eq!(text.to_lowercase().parse::<Address>().unwrap(), address);
        assert_eq!("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD".parse::<Address>(), Err(ParseHexError::Checksum));
        assert_eq!("5aAe".parse::<Address>(), Err(ParseHexError::Prefix));
        assert_eq!("0x5aAe".parse::<Address>(), Err(ParseHexError::Length { expected: 20, found: 2 }));
        assert_eq!("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg".parse::<Address>(), Err(ParseHexError::Digits));
        assert_eq!(Address::from_word(&address.to_word()), address);
    }
}
