//! The events of the Mosaic contracts: from a log of a node to a value, or to the reason why not.
//!
//! Decoding is strict: number of topics, length of the data and every word must be what the contracts of 0.12.0 emit.
//! Whether the emitting contract is one of the configured ones is the caller's question (protocol.md R12, R29).

mod gateways;
mod others;
mod pools;

pub use gateways::*;
pub use others::*;
pub use pools::*;

use bincode::{Decode, Encode};
use facilitator_eth::{
    Address, B256, Bytes,
    abi::{AbiError, Words},
};
use serde::{Deserialize, Serialize};

/// A log as a node returns it, already checked for shape.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Log {
    /// The contract that emitted it.
    pub address: Address,
    /// The hash of the event's signature, then the indexed values.
    pub topics: Vec<B256>,
    /// The other values, ABI-encoded.
    pub data: Bytes,
    /// Height of the block.
    pub block_number: u64,
    /// Hash of the block.
    pub block_hash: B256,
    /// Hash of the transaction.
    pub tx_hash: B256,
    /// Index of the transaction in the block.
    pub tx_index: u64,
    /// Index of the log in the block.
    pub log_index: u64,
}

/// A log with the first topic of a Mosaic event whose content is not that event's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log {log_index} of block {block_number} from {address} is no {event}: its {part}: {source}")]
pub struct DecodeError {
    /// The event whose topic it has.
    pub event: &'static str,
    /// Topics or data.
    pub part: Part,
    /// What is wrong with them.
    pub source: AbiError,
    /// The contract that emitted it.
    pub address: Address,
    /// Height of the block.
    pub block_number: u64,
    /// Index of the log in the block.
    pub log_index: u64,
}

/// The half of a log that a value is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The indexed values.
    Topics,
    /// The other values.
    Data,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Topics => "topics",
            Self::Data => "data",
        })
    }
}

/// Defines the struct of one event with its name, signature, topic and decoding. Fields stand in the order of the ABI;
/// the word after `=` is the method of [`Words`] that reads them.
macro_rules! event {
    ($(#[$meta:meta])* $name:ident($signature:literal, $topic:literal)
        indexed { $($(#[$imeta:meta])* $ifield:ident: $itype:ty = $iread:ident,)* }
        data { $($(#[$dmeta:meta])* $dfield:ident: $dtype:ty = $dread:ident,)* }) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode, serde::Serialize, serde::Deserialize,
        )]
        pub struct $name {
            $($(#[$imeta])* pub $ifield: $itype,)*
            $($(#[$dmeta])* pub $dfield: $dtype,)*
        }

        impl $name {
            /// The event's name.
            pub const NAME: &str = stringify!($name);
            /// The signature whose hash is the topic.
            pub const SIGNATURE: &str = $signature;
            /// The first topic of its logs.
            pub const TOPIC: facilitator_eth::B256 = crate::word($topic);

            const INDEXED: &[&str] = &[$(stringify!($ifield)),*];
            const DATA: &[&str] = &[$(stringify!($dfield)),*];

            pub(super) fn read(log: &super::Log) -> Result<Self, super::DecodeError> {
                // Not every event has indexed values.
                #[allow(unused_mut, unused_variables)]
                let (topics, part) = (super::indexed_bytes(log), super::Part::Topics);
                #[allow(unused_mut, unused_variables)]
                let mut words = super::reader(log, Self::NAME, part, &topics, Self::INDEXED)?;
                $(let $ifield = words.$iread().map_err(|error| super::refused(log, Self::NAME, part, error))?;)*
                let part = super::Part::Data;
                let mut words = super::reader(log, Self::NAME, part, &log.data.0, Self::DATA)?;
                $(let $dfield = words.$dread().map_err(|error| super::refused(log, Self::NAME, part, error))?;)*
                Ok(Self { $($ifield,)* $($dfield,)* })
            }
        }
    };
}
use event;

fn indexed_bytes(log: &Log) -> Vec<u8> {
    log.topics.iter().skip(1).flat_map(|topic| topic.0).collect()
}

fn reader<'a>(
    log: &Log,
    event: &'static str,
    part: Part,
    bytes: &'a [u8],
    fields: &[&str],
) -> Result<Words<'a>, DecodeError> {
    Words::exactly(bytes, fields.len()).map_err(|error| refused(log, event, part, error))
}

fn refused(log: &Log, event: &'static str, part: Part, source: AbiError) -> DecodeError {
    let Log { address, block_number, log_index, .. } = *log;
    DecodeError { event, part, source, address, block_number, log_index }
}

/// Any event of the Mosaic contracts. As JSON: the fields of the event and its name under `event`.
// Not made by the macro below, since bincode's derive finds no names there.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Event {
    /// See [`StakeRequested`].
    StakeRequested(StakeRequested),
    /// See [`StakeRevoked`].
    StakeRevoked(StakeRevoked),
    /// See [`StakeRejected`].
    StakeRejected(StakeRejected),
    /// See [`RedeemRequested`].
    RedeemRequested(RedeemRequested),
    /// See [`RedeemRevoked`].
    RedeemRevoked(RedeemRevoked),
    /// See [`RedeemRejected`].
    RedeemRejected(RedeemRejected),
    /// See [`StakeIntentDeclared`].
    StakeIntentDeclared(StakeIntentDeclared),
    /// See [`StakeProgressed`].
    StakeProgressed(StakeProgressed),
    /// See [`RevertStakeIntentDeclared`].
    RevertStakeIntentDeclared(RevertStakeIntentDeclared),
    /// See [`StakeReverted`].
    StakeReverted(StakeReverted),
    /// See [`RedeemIntentConfirmed`].
    RedeemIntentConfirmed(RedeemIntentConfirmed),
    /// See [`UnstakeProgressed`].
    UnstakeProgressed(UnstakeProgressed),
    /// See [`RevertRedeemIntentConfirmed`].
    RevertRedeemIntentConfirmed(RevertRedeemIntentConfirmed),
    /// See [`RevertRedeemComplete`].
    RevertRedeemComplete(RevertRedeemComplete),
    /// See [`StakeIntentConfirmed`].
    StakeIntentConfirmed(StakeIntentConfirmed),
    /// See [`MintProgressed`].
    MintProgressed(MintProgressed),
    /// See [`RevertStakeIntentConfirmed`].
    RevertStakeIntentConfirmed(RevertStakeIntentConfirmed),
    /// See [`RevertStakeProgressed`].
    RevertStakeProgressed(RevertStakeProgressed),
    /// See [`RedeemIntentDeclared`].
    RedeemIntentDeclared(RedeemIntentDeclared),
    /// See [`RedeemProgressed`].
    RedeemProgressed(RedeemProgressed),
    /// See [`RevertRedeemDeclared`].
    RevertRedeemDeclared(RevertRedeemDeclared),
    /// See [`RedeemReverted`].
    RedeemReverted(RedeemReverted),
    /// See [`GatewayProven`].
    GatewayProven(GatewayProven),
    /// See [`BountyChangeInitiated`].
    BountyChangeInitiated(BountyChangeInitiated),
    /// See [`BountyChangeConfirmed`].
    BountyChangeConfirmed(BountyChangeConfirmed),
    /// See [`StateRootAvailable`].
    StateRootAvailable(StateRootAvailable),
    /// See [`WorkerSet`].
    WorkerSet(WorkerSet),
    /// See [`WorkerUnset`].
    WorkerUnset(WorkerUnset),
}

/// Defines what follows from the list of events alone.
macro_rules! all_events {
    ($($name:ident),+ $(,)?) => {
        impl Event {
            /// The first topics of all events, for log filters.
            pub const TOPICS: &[B256] = &[$($name::TOPIC),+];
            /// The signatures of all events, in the order of [`Event::TOPICS`].
            pub const SIGNATURES: &[&str] = &[$($name::SIGNATURE),+];

            /// The event's name, as in the contract.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $name::NAME),+ }
            }
        }

        $(impl From<$name> for Event {
            fn from(event: $name) -> Self {
                Self::$name(event)
            }
        })+

        /// Reads a log. `None` if its first topic is not that of a Mosaic event.
        ///
        /// # Errors
        /// [`DecodeError`] if the topic is one of ours and the rest is not: the contract is of another generation or
        /// not genuine, and the log is to be noted and passed over.
        pub fn decode(log: &Log) -> Result<Option<Event>, DecodeError> {
            match log.topics.first() {
                $(Some(&$name::TOPIC) => $name::read(log).map(|event| Some(Event::$name(event))),)+
                Some(_) | None => Ok(None),
            }
        }
    };
}

all_events!(
    StakeRequested,
    StakeRevoked,
    StakeRejected,
    RedeemRequested,
    RedeemRevoked,
    RedeemRejected,
    StakeIntentDeclared,
    StakeProgressed,
    RevertStakeIntentDeclared,
    StakeReverted,
    RedeemIntentConfirmed,
    UnstakeProgressed,
    RevertRedeemIntentConfirmed,
    RevertRedeemComplete,
    StakeIntentConfirmed,
    MintProgressed,
    RevertStakeIntentConfirmed,
    RevertStakeProgressed,
    RedeemIntentDeclared,
    RedeemProgressed,
    RevertRedeemDeclared,
    RedeemReverted,
    GatewayProven,
    BountyChangeInitiated,
    BountyChangeConfirmed,
    StateRootAvailable,
    WorkerSet,
    WorkerUnset,
);

impl Event {
    /// The message it is about; `None` for events of requests, anchors, bounties and workers.
    #[must_use]
    pub const fn message_hash(&self) -> Option<B256> {
        match self {
            Self::StakeIntentDeclared(event) => Some(event.message_hash),
            Self::StakeProgressed(event) => Some(event.message_hash),
            Self::RevertStakeIntentDeclared(event) => Some(event.message_hash),
            Self::StakeReverted(event) => Some(event.message_hash),
            Self::RedeemIntentConfirmed(event) => Some(event.message_hash),
            Self::UnstakeProgressed(event) => Some(event.message_hash),
            Self::RevertRedeemIntentConfirmed(event) => Some(event.message_hash),
            Self::RevertRedeemComplete(event) => Some(event.message_hash),
            Self::StakeIntentConfirmed(event) => Some(event.message_hash),
            Self::MintProgressed(event) => Some(event.message_hash),
            Self::RevertStakeIntentConfirmed(event) => Some(event.message_hash),
            Self::RevertStakeProgressed(event) => Some(event.message_hash),
            Self::RedeemIntentDeclared(event) => Some(event.message_hash),
            Self::RedeemProgressed(event) => Some(event.message_hash),
            Self::RevertRedeemDeclared(event) => Some(event.message_hash),
            Self::RedeemReverted(event) => Some(event.message_hash),
            Self::StakeRequested(_)
            | Self::StakeRevoked(_)
            | Self::StakeRejected(_)
            | Self::RedeemRequested(_)
            | Self::RedeemRevoked(_)
            | Self::RedeemRejected(_)
            | Self::GatewayProven(_)
            | Self::BountyChangeInitiated(_)
            | Self::BountyChangeConfirmed(_)
            | Self::StateRootAvailable(_)
            | Self::WorkerSet(_)
            | Self::WorkerUnset(_) => None,
        }
    }

    /// The request it is about; `None` for all but the events of composer and pool. A request hash may repeat
    /// (protocol.md R6).
    #[must_use]
    pub const fn request_hash(&self) -> Option<B256> {
        match self {
            Self::StakeRequested(event) => Some(event.request_hash),
            Self::StakeRevoked(event) => Some(event.request_hash),
            Self::StakeRejected(event) => Some(event.request_hash),
            Self::RedeemRequested(event) => Some(event.request_hash),
            Self::RedeemRevoked(event) => Some(event.request_hash),
            Self::RedeemRejected(event) => Some(event.request_hash),
            Self::StakeIntentDeclared(_)
            | Self::StakeProgressed(_)
            | Self::RevertStakeIntentDeclared(_)
            | Self::StakeReverted(_)
            | Self::RedeemIntentConfirmed(_)
            | Self::UnstakeProgressed(_)
            | Self::RevertRedeemIntentConfirmed(_)
            | Self::RevertRedeemComplete(_)
            | Self::StakeIntentConfirmed(_)
            | Self::MintProgressed(_)
            | Self::RevertStakeIntentConfirmed(_)
            | Self::RevertStakeProgressed(_)
            | Self::RedeemIntentDeclared(_)
            | Self::RedeemProgressed(_)
            | Self::RevertRedeemDeclared(_)
            | Self::RedeemReverted(_)
            | Self::GatewayProven(_)
            | Self::BountyChangeInitiated(_)
            | Self::BountyChangeConfirmed(_)
            | Self::StateRootAvailable(_)
            | Self::WorkerSet(_)
            | Self::WorkerUnset(_) => None,
        }
    }
}
