//! What is known about the chain at the newest block, asked for at most once a block.
//!
//! Invariant: all answers belong to one height, so that counts, balances and allowances fit together even if the node
//! is a crowd of servers at different heights.

use crate::{
    book::{Book, Flight},
    node::{Question, Receipt, ReceiptsOf, TokenFlow},
    types::Head,
};
use facilitator_eth::{Address, B256, U256};
use facilitator_store::journal::EntryState;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Answers at one height.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    answers: BTreeMap<Question, B256>,
    /// As far as they were asked for.
    receipts: HashMap<B256, Receipt>,
    /// The blocks of which all receipts are there.
    whole: Option<(u64, u64)>,
}

impl Survey {
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn missing(&self, wanted: BTreeSet<Question>) -> Vec<Question> {
        wanted.into_iter().filter(|question| !self.answers.contains_key(question)).collect()
    }

    pub(crate) fn put(&mut self, question: Question, answer: B256) {
        self.answers.insert(question, answer);
    }

    /// Keeps receipts. What was asked by height tells the hash at that height: no need to ask for it.
    pub(crate) fn put_receipts(&mut self, of: &ReceiptsOf, receipts: Vec<Receipt>) {
        if let ReceiptsOf::Blocks(first, last) = of {
            self.whole = Some((*first, *last));
            for Receipt { inclusion, .. } in &receipts {
                self.put(Question::BlockHash(inclusion.block_number), inclusion.block_hash);
            }
        }
        self.receipts.extend(receipts.into_iter().map(|receipt| (receipt.inclusion.hash, receipt)));
    }

    /// Whether all receipts of the blocks from `first` to `last` are there.
    pub(crate) fn has_receipts_of(&self, first: u64, last: u64) -> bool {
        self.whole == Some((first, last))
    }

    pub(crate) fn receipt(&self, hash: &B256) -> Option<&Receipt> {
        self.receipts.get(hash)
    }

    fn number(&self, question: Question) -> Option<U256> {
        self.answers.get(&question).map(|word| U256::from_be_bytes(word.0))
    }

    pub(crate) fn count(&self, account: Address) -> Option<u64> {
        self.number(Question::Count(account))?.to_u64()
    }

    pub(crate) fn final_count(&self, account: Address) -> Option<u64> {
        self.number(Question::FinalCount(account))?.to_u64()
    }

    pub(crate) fn balance(&self, account: Address) -> Option<U256> {
        self.number(Question::Balance(account))
    }

    pub(crate) fn allowance(&self, flow: TokenFlow) -> Option<U256> {
        self.number(Question::Allowance(flow))
    }

    pub(crate) fn tokens(&self, owner: Address, token: Address) -> Option<U256> {
        self.number(Question::Tokens { owner, token })
    }

    pub(crate) fn gas_price(&self) -> Option<U256> {
        self.number(Question::GasPrice)
    }

    pub(crate) fn block_hash(&self, number: u64) -> Option<B256> {
        self.answers.get(&Question::BlockHash(number)).copied()
    }
}

/// Everything that the next decisions need to know at this head.
pub(crate) fn needs(book: &Book, head: Head, confirmations: u64) -> BTreeSet<Question> {
    let mut wanted = BTreeSet::new();
    for flight in book.iter() {
        wanted.insert(Question::Count(flight.account));
        if flight.is_queued() {
            wanted.insert(Question::Balance(flight.account));
            wanted.extend(token_flow(flight).map(Question::Allowance));
            wanted.extend(token_flow(flight).map(|flow| Question::Tokens { owner: flow.owner, token: flow.token }));
        }
        if head.base_fee.is_none() && head.gas_price.is_none() && (flight.is_queued() || flight.is_in_flight()) {
            wanted.insert(Question::GasPrice);
        }
        if let Some((block, _)) = inclusion(flight)
            && head.number >= block.saturating_add(confirmations)
        {
            wanted.insert(Question::BlockHash(block));
        }
    }
    wanted
}

/// Whose allowance a flight spends.
pub(crate) fn token_flow(flight: &Flight) -> Option<TokenFlow> {
    let allowance = flight.entry.allowance?;
    Some(TokenFlow { owner: flight.account, token: allowance.token, spender: allowance.spender })
}

/// The block that holds a flight's transaction, whether it succeeded or not.
pub(crate) fn inclusion(flight: &Flight) -> Option<(u64, B256)> {
    let mined = || match flight.entry.state {
        EntryState::Mined => flight.entry.inclusion,
        EntryState::Queued | EntryState::Signed | EntryState::Broadcast | EntryState::Final | EntryState::Failed => {
            None
        }
    };
    let at = flight.reverted.as_ref().map(|(at, _)| *at).or_else(mined)?;
    Some((at.block_number, at.block_hash))
}
