//! What the synchronisation of the pair sees of a follower, and may ask of it.

use super::{Follower, Scene};
use crate::child::ChildError;
use facilitator_chain::connector::{EndpointId, Event, State};
use facilitator_chain::sync;
use facilitator_eth::B256;

impl<'s, S: Scene + 's> Follower<'s, S> {
    /// First block whose events are not stored yet and newest block there is; `None` before any endpoint told.
    pub(in crate::scanner) fn heights(&self) -> Option<(u64, u64)> {
        Some((self.next_block(), self.connector.highest()?))
    }

    /// First block whose events are not stored yet.
    pub(in crate::scanner) fn next(&self) -> u64 {
        self.next_block()
    }

    /// Whether the connector lets the chain be worked with.
    pub(in crate::scanner) fn stands(&self) -> sync::Connector {
        if let Some(alarms) = self.told.alarms() {
            return sync::Connector::Halted(alarms);
        }
        match self.connector.state() {
            State::Rebuild | State::Sampling => sync::Connector::AtHead,
            State::Connecting | State::HighestBlock | State::ForkDetect | State::FetchBlocks => sync::Connector::Behind,
        }
    }

    /// The endpoint that is read.
    pub(in crate::scanner) fn client(&self) -> Option<EndpointId> {
        self.connector.the_client()
    }

    /// The remembered hash at a height.
    pub(in crate::scanner) fn remembered_hash(&self, number: u64) -> Option<B256> {
        self.connector.local().hash(number)
    }

    /// The other chain is ready too: this one may be acted upon once it is in step.
    ///
    /// # Errors
    /// [`ChildError`]: the process must end and begin again.
    pub(in crate::scanner) async fn open(&mut self) -> Result<(), ChildError> {
        self.feed(Event::Opened);
        self.settle().await
    }

    /// The pair synchronises again: this chain must not be acted upon. It is read on.
    ///
    /// # Errors
    /// [`ChildError`]: the process must end and begin again.
    pub(in crate::scanner) async fn shut(&mut self) -> Result<(), ChildError> {
        self.feed(Event::Closed);
        self.settle().await
    }
}
