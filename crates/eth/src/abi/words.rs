//! Reading ABI-encoded data word by word.
//!
//! Strict on purpose: data that a Solidity compiler would not have written comes from a wrong contract or a lying node,
//! and is better refused with its place than half understood.

use crate::{Address, B256, Bytes, U256};

/// Why ABI-encoded data was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AbiError {
    /// The data ends inside the value, or `bytes` point beyond the end.
    #[error("ends at byte {length}, within the value that begins at byte {at}")]
    Short {
        /// Where the value begins.
        at: usize,
        /// Bytes there are.
        length: usize,
    },
    /// The number of bytes is not that of the expected static values.
    #[error("must be {expected} bytes, not {found}")]
    Length {
        /// Bytes the values take.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
    /// A word is no value of its type: an address with upper bytes, a bool above 1, a number above 64 bits.
    #[error("the word at byte {at} is no {kind}")]
    Value {
        /// Where the word begins.
        at: usize,
        /// The type that was expected.
        kind: &'static str,
    },
}

/// A checked reader of the head words of return data or event data, from the first on.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    /// A reader of `data`, which may be longer than what is read of it: a newer contract may return more.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// A reader of exactly `count` static words: for data whose length is part of its shape, such as that of events.
    ///
    /// # Errors
    /// [`AbiError::Length`] if `data` is shorter or longer.
    pub fn exactly(data: &'a [u8], count: usize) -> Result<Self, AbiError> {
        let expected = count.saturating_mul(32);
        if data.len() == expected { Ok(Self::new(data)) } else { Err(AbiError::Length { expected, found: data.len() }) }
    }

    /// Where the next word begins, in bytes: for errors.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    fn word_at(&self, at: usize) -> Result<[u8; 32], AbiError> {
        at.checked_add(32)
            .and_then(|end| self.data.get(at..end))
            .and_then(|slice| slice.try_into().ok())
            .ok_or(AbiError::Short { at, length: self.data.len() })
    }

    fn invalid(&self, kind: &'static str) -> AbiError {
        AbiError::Value { at: self.at.saturating_sub(32), kind }
    }

    /// The next word as it is: `bytes32`.
    ///
    /// # Errors
    /// [`AbiError::Short`] if there is none.
    pub fn word(&mut self) -> Result<B256, AbiError> {
        let word = self.word_at(self.at)?;
        self.at += 32;
        Ok(B256(word))
    }

    /// The next word as `uint256`.
    ///
    /// # Errors
    /// [`AbiError::Short`] if there is none.
    pub fn uint(&mut self) -> Result<U256, AbiError> {
        self.word().map(|word| U256::from_be_bytes(word.0))
    }

    /// The next word as a number that must fit 64 bits, such as a block height.
    ///
    /// # Errors
    /// [`AbiError::Short`] if there is none, [`AbiError::Value`] if it is larger.
    pub fn uint64(&mut self) -> Result<u64, AbiError> {
        self.uint()?.to_u64().ok_or_else(|| self.invalid("64-bit number"))
    }

    /// The next word as `address`.
    ///
    /// # Errors
    /// [`AbiError::Short`] if there is none, [`AbiError::Value`] if its upper twelve bytes are not zero.
    pub fn address(&mut self) -> Result<Address, AbiError> {
        let word = self.word()?;
        let address = Address::from_word(&word);
        if address.to_word() == word { Ok(address) } else { Err(self.invalid("address")) }
    }

    /// The next word as `bool`.
    ///
    /// # Errors
    /// [`AbiError::Short`] if there is none, [`AbiError::Value`] if it is neither 0 nor 1.
    pub fn boolean(&mut self) -> Result<bool, AbiError> {
        match self.uint()?.to_u64() {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(_) | None => Err(self.invalid("bool")),
        }
    }

    /// The next word as the place of `bytes` in the tail, and those bytes.
    ///
    /// # Errors
    /// [`AbiError::Short`] if the word, the length or the bytes lie beyond the end of the data.
    pub fn bytes(&mut self) -> Result<Bytes, AbiError> {
        let short = |at| AbiError::Short { at, length: self.data.len() };
        let head = self.at;
        let start = place(self.word_at(head)?).ok_or_else(|| short(head))?;
        let length = place(self.word_at(start)?).ok_or_else(|| short(start))?;
        // `start + 32` exists, since a word was read there.
        let body = start + 32;
        let bytes = body.checked_add(length).and_then(|end| self.data.get(body..end)).ok_or_else(|| short(body))?;
        self.at += 32;
        Ok(Bytes(bytes.to_vec()))
    }
}

/// A word as an offset or length in memory.
fn place(word: [u8; 32]) -> Option<usize> {
    U256::from_be_bytes(word).to_u64().and_then(|value| usize::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Value, encode};

    #[test]
    fn words_that_are_no_value_of_their_type_are_refused() {
        let mut word = [0; 32];
        word[11] = 1;
        assert_eq!(Words::new(&word).address(), Err(AbiError::Value { at: 0, kind: "address" }));
        assert_eq!(Words::new(&word).boolean(), Err(AbiError::Value { at: 0, kind: "bool" }));
        assert_eq!(Words::new(&word).uint64(), Err(AbiError::Value { at: 0, kind: "64-bit number" }));
        let two = U256::from(2u64).to_word();
        assert_eq!(Words::new(two.as_bytes()).boolean(), Err(AbiError::Value { at: 0, kind: "bool" }));
        assert_eq!(Words::new(&word[..31]).word(), Err(AbiError::Short { at: 0, length: 31 }));
        assert_eq!(Words::exactly(&word, 2).err(), Some(AbiError::Length { expected: 64, found: 32 }));
    }

    #[test]
    fn hostile_places_and_lengths_of_bytes_are_errors() {
        let good = encode(&[Value::Bytes(Bytes(vec![1, 2, 3]))]);
        assert_eq!(Words::new(&good).bytes().unwrap().0, [1, 2, 3]);
        for (at, value) in [(0, U256::MAX), (0, U256::from(u64::MAX)), (0, U256::from(64u64)), (32, U256::MAX)] {
            let mut bad = good.clone();
            bad[at..at + 32].copy_from_slice(&value.to_be_bytes());
            assert!(matches!(Words::new(&bad).bytes(), Err(AbiError::Short { .. })), "{value} at {at}");
        }
        for (at, value) in [(32, u64::MAX), (32, 33)] {
            let mut bad = good.clone();
            bad[at..at + 32].copy_from_slice(&U256::from(value).to_be_bytes());
            assert!(matches!(Words::new(&bad).bytes(), Err(AbiError::Short { .. })), "{value} at {at}");
        }
        for cut in 0..67 {
            assert!(Words::new(&good[..cut]).bytes().is_err(), "cut at {cut}");
        }
    }
}
