//! Which logs to read.

use super::Span;
use crate::{
    rpc::Call,
    types::{Bloom, BloomBits, Header},
};
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::events::Log;
use serde_json::json;

/// Whose logs of which kinds to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    addresses: Vec<Address>,
    topics: Vec<B256>,
    /// The bits of both in a block's filter, found once.
    address_bits: Vec<BloomBits>,
    topic_bits: Vec<BloomBits>,
}

impl LogFilter {
    /// Logs of `addresses` whose first topic is one of `topics`, e.g. [`facilitator_protocol::events::Event::TOPICS`].
    #[must_use]
    pub fn new(mut addresses: Vec<Address>, mut topics: Vec<B256>) -> Self {
        addresses.sort_unstable();
        addresses.dedup();
        topics.sort_unstable();
        topics.dedup();
        let address_bits = addresses.iter().map(|address| BloomBits::of(address.as_ref())).collect();
        let topic_bits = topics.iter().map(|topic| BloomBits::of(topic.as_ref())).collect();
        Self { addresses, topics, address_bits, topic_bits }
    }

    /// Whether a log of `address` with these topics is among those asked for.
    #[must_use]
    pub fn matches(&self, address: &Address, topics: &[B256]) -> bool {
        self.addresses.binary_search(address).is_ok()
            && topics.first().is_some_and(|topic| self.topics.binary_search(topic).is_ok())
    }

    /// Whether a block with this filter may have a log that is asked for. If not, it has none.
    #[must_use]
    pub fn may_be_in(&self, bloom: &Bloom) -> bool {
        let any = |items: &[BloomBits]| items.iter().any(|item| bloom.may_have(*item));
        any(&self.address_bits) && any(&self.topic_bits)
    }

    /// Whether a block may have a log that is asked for, as far as its header is bound to its hash.
    #[must_use]
    pub fn may_be_under(&self, header: &Header) -> bool {
        header.receipts_root.is_none() || self.may_be_in(&header.logs_bloom)
    }

    pub(super) fn takes(&self, log: &Log) -> bool {
        self.matches(&log.address, &log.topics)
    }

    /// The call for a range, or for exactly one block when its hash is given (EIP-234): then logs and header can't be
    /// of different branches.
    pub(super) fn call(&self, span: Span, block: Option<B256>) -> Call {
        let mut filter = json!({ "address": self.addresses, "topics": [self.topics] });
        match block {
            Some(hash) => filter["blockHash"] = json!(hash),
            None => {
                filter["fromBlock"] = json!(quantity(span.from));
                filter["toBlock"] = json!(quantity(span.to));
            }
        }
        Call::new("eth_getLogs", json!([filter]))
    }
}

pub(super) fn quantity(number: u64) -> String {
    U256::from(number).to_quantity()
}
