//! Gaps in the messages of a gateway (protocol.md 5.2, R9).
//!
//! A gateway gives the messages of a sender the nonces 0, 1, 2, …, and takes the next one only once the last one is
//! progressed or revoked; so does its inbox with the messages it confirms. An event that breaks this order shows that
//! others before it were not read.

use crate::scan::Entry;
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::events::Event;
use std::{collections::BTreeMap, fmt};

/// Most channels that are remembered; with more, all are forgotten and gaps across that place do not show.
const MOST_CHANNELS: usize = 65_536;

/// The half of a gateway that numbers its messages by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageBox {
    /// Messages declared there.
    Outbox,
    /// Messages of the other chain confirmed there.
    Inbox,
}

/// Messages that are numbered together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Channel {
    /// The gateway or co-gateway.
    pub gateway: Address,
    /// Which half of it.
    pub half: MessageBox,
    /// Sender of the messages.
    pub sender: Address,
}

/// The newest message of a channel that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its nonce.
    pub nonce: U256,
    /// Its hash.
    pub message: B256,
    /// Whether it is progressed or revoked, so that another one may follow.
    pub finished: bool,
    /// Height of the block of its last event that was read.
    pub block: u64,
}

/// What was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The beginnings of messages: their declarations or confirmations.
    Begun {
        /// Nonce of the first one.
        first: U256,
        /// Nonce of the last one.
        last: U256,
    },
    /// The beginning of a message whose event tells no nonce.
    BegunMessage {
        /// Its hash.
        message: B256,
    },
    /// The end of a message that must have ended before the next one began.
    Ended {
        /// Its nonce.
        nonce: U256,
    },
    /// Nothing: the event contradicts what was read, e.g. by a nonce that was used. Either is of another branch or
    /// invented.
    Contradiction,
}

/// A place where the events of a channel do not follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The channel.
    pub channel: Channel,
    /// What is missing.
    pub missing: Missing,
    /// What is missing lies in this block or above; `None` for the beginning of the scan.
    pub after: Option<u64>,
    /// Height and log index of the event that shows it: what is missing lies before it.
    pub shown_by: (u64, u64),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Channel { gateway, half, sender } = self.channel;
        let half = match half {
            MessageBox::Outbox => "declared",
            MessageBox::Inbox => "confirmed",
        };
        match self.missing {
            Missing::Begun { first, last } => write!(f, "messages {first} to {last} were {half}")?,
            Missing::BegunMessage { message } => write!(f, "message {message} was {half}")?,
            Missing::Ended { nonce } => write!(f, "message {nonce}, {half} there, has ended")?,
            Missing::Contradiction => write!(f, "the messages {half} contradict each other")?,
        }
        write!(f, " (sender {sender}, contract {gateway}, before block {})", self.shown_by.0)
    }
}

/// What is known of all channels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    marks: BTreeMap<Channel, Mark>,
    from_the_start: bool,
}

/// What an event says about a message.
enum Step {
    Begins,
    Ends,
    /// It must have begun, and neither begins nor ends.
    Goes,
}

impl Ledger {
    /// Begins with what was read before. `from_the_start` says that all blocks since the gateways were deployed have
    /// been read, so that the first message of a sender must have the nonce 0; otherwise any first nonce is taken.
    #[must_use]
    pub fn new(marks: BTreeMap<Channel, Mark>, from_the_start: bool) -> Self {
        Self { marks, from_the_start }
    }

    /// Goes back to before a block: what was read from there on is forgotten.
    pub fn back_to(&mut self, block: u64) {
        // A channel whose newest message is forgotten may have had earlier ones.
        self.from_the_start = false;
        self.marks.retain(|_, mark| mark.block < block);
    }

    /// The newest message of each channel: what to begin with the next time.
    #[must_use]
    pub fn marks(&self) -> &BTreeMap<Channel, Mark> {
        &self.marks
    }

    /// Reads the events of the next blocks, in the order of the chain, and gives the gaps that they show. The ledger
    /// goes on behind each gap, so that one hole shows once. If there is any, let the range be read again and begin
    /// with a ledger as it was before.
    pub fn read<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Gap> {
        entries.into_iter().filter_map(|entry| self.read_one(entry)).collect()
    }

    fn read_one(&mut self, entry: &Entry) -> Option<Gap> {
        let (half, step, message, sender, nonce) = classify(&entry.event)?;
        let channel = Channel { gateway: entry.log.address, half, sender };
        let before = self.marks.get(&channel).copied();
        let missing = self.missing(before.as_ref(), &step, message, nonce);
        let block = entry.log.block_number;
        let finished = match step {
            Step::Begins => false,
            Step::Ends => true,
            Step::Goes => before.is_some_and(|mark| mark.message == message && mark.finished),
        };
        // Where no nonce is told, the message is the one that is known by its hash, or the one after the last.
        let known = before.filter(|mark| mark.message == message).map(|mark| mark.nonce);
        let next = match before {
            Some(mark) => Some(mark.nonce.saturating_add(U256::from(1u64))),
            None => self.from_the_start.then_some(U256::ZERO),
        };
        let nonce = nonce.or(known).or(next);
        // What is certainly old does not move the mark back.
        if let Some(nonce) = nonce.filter(|nonce| before.is_none_or(|mark| *nonce >= mark.nonce)) {
            if self.marks.len() >= MOST_CHANNELS && before.is_none() {
                self.back_to(0);
            }
            self.marks.insert(channel, Mark { nonce, message, finished, block });
        }
        let shown_by = (block, entry.log.log_index);
        missing.map(|missing| Gap { channel, missing, after: before.map(|mark| mark.block), shown_by })
    }

    /// What must have happened before this event and was not read.
    fn missing(&self, before: Option<&Mark>, step: &Step, message: B256, nonce: Option<U256>) -> Option<Missing> {
        let one = U256::from(1u64);
        let Some(mark) = before else {
            return match (self.from_the_start, step, nonce) {
                (false, _, _) => None,
                (true, Step::Begins, Some(nonce)) if nonce.is_zero() => None,
                (true, Step::Begins, Some(nonce)) => {
                    Some(Missing::Begun { first: U256::ZERO, last: nonce.saturating_sub(one) })
                }
                (true, Step::Ends | Step::Goes, Some(nonce)) => Some(Missing::Begun { first: U256::ZERO, last: nonce }),
                (true, _, None) => Some(Missing::BegunMessage { message }),
            };
        };
        let next = mark.nonce.saturating_add(one);
        match (step, nonce) {
            (Step::Begins, Some(nonce)) if nonce == next && mark.finished => None,
            (Step::Begins, Some(nonce)) if nonce == next => Some(Missing::Ended { nonce: mark.nonce }),
            (Step::Begins, Some(nonce)) if nonce > next => {
                Some(Missing::Begun { first: next, last: nonce.saturating_sub(one) })
            }
            (Step::Begins, _) => Some(Missing::Contradiction),
            (Step::Ends | Step::Goes, _) if mark.message == message => {
                let same = nonce.is_none_or(|nonce| nonce == mark.nonce);
                (!same || mark.finished).then_some(Missing::Contradiction)
            }
            (Step::Ends | Step::Goes, Some(nonce)) if nonce >= next => {
                Some(Missing::Begun { first: next, last: nonce })
            }
            (Step::Ends | Step::Goes, Some(_)) => Some(Missing::Contradiction),
            (Step::Ends | Step::Goes, None) => Some(Missing::BegunMessage { message }),
        }
    }
}

/// What an event says about a message: half, step, hash, sender, and nonce where it tells one.
fn classify(event: &Event) -> Option<(MessageBox, Step, B256, Address, Option<U256>)> {
    use MessageBox::{Inbox, Outbox};
    Some(match event {
        Event::StakeIntentDeclared(e) => (Outbox, Step::Begins, e.message_hash, e.staker, Some(e.nonce)),
        Event::StakeProgressed(e) => (Outbox, Step::Ends, e.message_hash, e.staker, Some(e.nonce)),
        Event::RevertStakeIntentDeclared(e) => (Outbox, Step::Goes, e.message_hash, e.staker, Some(e.nonce)),
        Event::StakeReverted(e) => (Outbox, Step::Ends, e.message_hash, e.staker, Some(e.nonce)),
        Event::RedeemIntentConfirmed(e) => (Inbox, Step::Begins, e.message_hash, e.redeemer, Some(e.nonce)),
        Event::UnstakeProgressed(e) => (Inbox, Step::Ends, e.message_hash, e.redeemer, None),
        Event::RevertRedeemIntentConfirmed(e) => (Inbox, Step::Ends, e.message_hash, e.redeemer, Some(e.nonce)),
        Event::StakeIntentConfirmed(e) => (Inbox, Step::Begins, e.message_hash, e.staker, Some(e.nonce)),
        Event::MintProgressed(e) => (Inbox, Step::Ends, e.message_hash, e.staker, None),
        Event::RevertStakeIntentConfirmed(e) => (Inbox, Step::Ends, e.message_hash, e.staker, Some(e.nonce)),
        Event::RedeemIntentDeclared(e) => (Outbox, Step::Begins, e.message_hash, e.redeemer, Some(e.nonce)),
        Event::RedeemProgressed(e) => (Outbox, Step::Ends, e.message_hash, e.redeemer, Some(e.nonce)),
        Event::RevertRedeemDeclared(e) => (Outbox, Step::Goes, e.message_hash, e.redeemer, Some(e.nonce)),
        Event::RedeemReverted(e) => (Outbox, Step::Ends, e.message_hash, e.redeemer, Some(e.nonce)),
        // Declared by the contracts and never emitted.
        Event::RevertRedeemComplete(_) | Event::RevertStakeProgressed(_) => return None,
        Event::StakeRequested(_)
        | Event::StakeRevoked(_)
        | Event::StakeRejected(_)
        | Event::RedeemRequested(_)
        | Event::RedeemRevoked(_)
        | Event::RedeemRejected(_)
        | Event::GatewayProven(_)
        | Event::BountyChangeInitiated(_)
        | Event::BountyChangeConfirmed(_)
        | Event::StateRootAvailable(_)
        | Event::WorkerSet(_)
        | Event::WorkerUnset(_) => return None,
    })
}

#[cfg(test)]
mod tests;
