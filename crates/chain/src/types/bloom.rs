//! The filter over a block's logs (yellow paper 4.3.1).

use super::fields::Fields;
use crate::rpc::RpcError;
use facilitator_eth::{Address, B256, keccak256};
use std::fmt;

/// The 2048-bit filter over a block's logs: what it doesn't hold, the block has not.
#[derive(Clone, PartialEq, Eq)]
pub struct Bloom(Box<[u8; 256]>);

/// The bits of one address or topic, for asking many filters about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BloomBits([u16; 3]);

impl BloomBits {
    /// The bits of `item`: an address (20 bytes) or a topic (32 bytes).
    #[must_use]
    pub fn of(item: &[u8]) -> Self {
        let hash = keccak256(item).0;
        Self([0, 2, 4].map(|at| u16::from_be_bytes([hash[at], hash[at + 1]]) % 2048))
    }

    /// Byte and mask of each bit.
    fn places(self) -> [(usize, u8); 3] {
        self.0.map(|bit| (255 - usize::from(bit) / 8, 1 << (bit % 8)))
    }
}

impl Bloom {
    /// The filter of a block without logs.
    #[must_use]
    pub fn empty() -> Self {
        Self(Box::new([0; 256]))
    }

    /// The filter that may contain anything: of a block whose logs are not filtered beforehand.
    #[must_use]
    pub fn of_anything() -> Self {
        Self(Box::new([0xff; 256]))
    }

    /// The filter over logs, each told by its address and topics.
    #[must_use]
    pub fn of_logs<'a>(logs: impl IntoIterator<Item = (&'a Address, &'a [B256])>) -> Self {
        let mut bloom = Self::empty();
        for (address, topics) in logs {
            bloom.insert(BloomBits::of(address.as_ref()));
            topics.iter().for_each(|topic| bloom.insert(BloomBits::of(topic.as_ref())));
        }
        bloom
    }

    /// The filter's bytes, as they stand in headers and receipts.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Whether the block may have a log with `item` as its address (20 bytes) or one of its topics (32 bytes). False
    /// positives occur, false negatives do not.
    #[must_use]
    pub fn may_contain(&self, item: &[u8]) -> bool {
        self.may_have(BloomBits::of(item))
    }

    /// As [`Bloom::may_contain`], with the bits found before.
    #[must_use]
    pub fn may_have(&self, item: BloomBits) -> bool {
        item.places().into_iter().all(|(byte, mask)| self.0[byte] & mask != 0)
    }

    fn insert(&mut self, item: BloomBits) {
        item.places().into_iter().for_each(|(byte, mask)| self.0[byte] |= mask);
    }

    /// The field `logsBloom` of a block.
    pub(super) fn read(block: &Fields<'_>) -> Result<Self, RpcError> {
        let bytes = block.bytes("logsBloom")?.as_slice().try_into();
        bytes.map(|bytes| Self(Box::new(bytes))).map_err(|_| block.refuse("`logsBloom` must be 256 bytes"))
    }
}

impl fmt::Debug for Bloom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bloom({} bits)", self.0.iter().map(|b| b.count_ones()).sum::<u32>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bloom_holds_what_was_put_in_and_denies_the_rest() {
        // Made with the formula of the yellow paper (4.3.1): bits of keccak(address) and keccak(topic).
        let mut bits = [0u8; 256];
        let item = [0xabu8; 20];
        let hash = keccak256(item).0;
        for pair in hash[..6].chunks(2) {
            let bit = (usize::from(pair[0] & 7) << 8) + usize::from(pair[1]);
            bits[255 - bit / 8] |= 1 << (bit % 8);
        }
        let bloom = Bloom(Box::new(bits));
        assert!(bloom.may_contain(&item));
        assert!(!bloom.may_contain(&[0xac; 20]));
        assert!(!Bloom::empty().may_contain(&item));
        assert!(Bloom::of_anything().may_contain(&item));
        assert_eq!(Bloom::of_logs([(&Address(item), [].as_slice())]), bloom);
        let topic = B256([7; 32]);
        let both = Bloom::of_logs([(&Address(item), [topic].as_slice())]);
        assert!(both.may_contain(&item) && both.may_contain(&topic.0) && both != bloom);
    }
}
