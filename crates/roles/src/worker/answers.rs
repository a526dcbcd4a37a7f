//! From answers of a chain to values, in the order in which they were asked for.
//!
//! A call that reverts or an answer of the wrong shape is a chain that can't be read, never a value.

use super::desk::Leave;
use facilitator_chain::reader::{Answer, At, Query};
use facilitator_eth::{Address, Bytes, U256};
use facilitator_protocol::contracts::{self, View};
use facilitator_protocol::model::Side;

/// A view call whose sender does not matter.
pub(super) fn ask<T>(to: Address, view: &View<T>, at: At) -> Query {
    Query::Call { from: None, to, data: view.data.clone(), at }
}

/// As [`ask`], of the newest block.
pub(super) fn latest<T>(to: Address, view: &View<T>) -> Query {
    ask(to, view, At::Latest)
}

/// Answers being read one after the other.
pub(super) struct Reading<'a> {
    side: Side,
    answers: std::slice::Iter<'a, Answer>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(side: Side, answers: &'a [Answer]) -> Self {
        Self { side, answers: answers.iter() }
    }

    /// The next answer as it is.
    pub(super) fn next(&mut self) -> Result<&'a Answer, Leave> {
        self.answers.next().ok_or(Leave::OutOfTurn("too few answers"))
    }

    /// The answers that were not read.
    pub(super) fn rest(&self) -> &'a [Answer] {
        self.answers.as_slice()
    }

    /// An error about this chain.
    pub(super) fn unreadable(&self, text: impl Into<String>) -> Leave {
        Leave::Unreadable { side: self.side, text: text.into() }
    }

    fn data(&mut self) -> Result<&'a Bytes, Leave> {
        match self.next()? {
            Answer::Data(data) => Ok(data),
            Answer::Reverted(revert) => Err(self.unreadable(format!("a view call reverted: {revert}"))),
            Answer::Failed(text) => Err(self.unreadable(text.clone())),
            Answer::Number(_) | Answer::Proof(_) | Answer::Root(_) => Err(Leave::OutOfTurn("another kind of answer")),
        }
    }

    /// The next answer, of this view.
    pub(super) fn view<T: contracts::Answer>(&mut self, view: &View<T>) -> Result<T, Leave> {
        let data = self.data()?;
        view.decode(data).map_err(|error| {
            self.unreadable(format!("a contract answered something else than its interface says: {error}"))
        })
    }

    /// The next answer, a balance.
    pub(super) fn number(&mut self) -> Result<U256, Leave> {
        match self.next()? {
            Answer::Number(number) => Ok(*number),
            Answer::Failed(text) => Err(self.unreadable(text.clone())),
            Answer::Data(_) | Answer::Reverted(_) | Answer::Proof(_) | Answer::Root(_) => {
                Err(Leave::OutOfTurn("another kind of answer"))
            }
        }
    }

    /// The next answer, of a simulation: `Err` in the result is the revert.
    pub(super) fn simulation(&mut self) -> Result<Result<(), String>, Leave> {
        match self.next()? {
            Answer::Data(_) => Ok(Ok(())),
            Answer::Reverted(revert) => Ok(Err(revert.to_string())),
            Answer::Failed(text) => Err(self.unreadable(text.clone())),
            Answer::Number(_) | Answer::Proof(_) | Answer::Root(_) => Err(Leave::OutOfTurn("another kind of answer")),
        }
    }
}
