//! The events of a transfer's life in either direction, read from their signatures.
//!
//! Only what the checks need; anything else is `None`.

use crate::{kind::Kind, node::Log};
use anyhow::Result;
use facilitator_eth::{
    Address, B256, U256,
    abi::{Words, topic},
};
use std::sync::LazyLock;

macro_rules! topics {
    ($($name:ident = $signature:literal;)*) => {
        $(static $name: LazyLock<B256> = LazyLock::new(|| topic($signature));)*
    };
}

topics! {
    STAKE_REQUESTED = "StakeRequested(uint256,address,uint256,uint256,uint256,address,address,address,bytes32)";
    STAKE_INTENT_DECLARED = "StakeIntentDeclared(bytes32,address,uint256,address,uint256)";
    STAKE_INTENT_CONFIRMED = "StakeIntentConfirmed(bytes32,address,uint256,address,uint256,uint256,bytes32)";
    STAKE_PROGRESSED = "StakeProgressed(bytes32,address,uint256,uint256,bool,bytes32)";
    MINT_PROGRESSED = "MintProgressed(bytes32,address,address,uint256,uint256,uint256,bool,bytes32)";
    REDEEM_REQUESTED = "RedeemRequested(uint256,address,uint256,uint256,uint256,address,address,address,bytes32)";
    REDEEM_INTENT_DECLARED = "RedeemIntentDeclared(bytes32,address,uint256,address,uint256)";
    REDEEM_INTENT_CONFIRMED = "RedeemIntentConfirmed(bytes32,address,uint256,address,uint256,uint256,bytes32)";
    REDEEM_PROGRESSED = "RedeemProgressed(bytes32,address,uint256,uint256,bool,bytes32)";
    UNSTAKE_PROGRESSED = "UnstakeProgressed(bytes32,address,address,uint256,uint256,uint256,bool,bytes32)";
    GATEWAY_PROVEN = "GatewayProven(address,uint256,bytes32,bool)";
    STATE_ROOT_AVAILABLE = "StateRootAvailable(uint256,bytes32)";
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A staker or redeemer asks.
    Requested {
        /// For what.
        kind: Kind,
        /// Its proxy: the sender of the message to come.
        proxy: Address,
        /// Nonce of the message to come.
        nonce: U256,
        /// Hash of the request.
        request_hash: B256,
    },
    /// The request was accepted: the message is in the outbox.
    Declared {
        /// Of which direction.
        kind: Kind,
        /// The message.
        message: B256,
        /// Its sender.
        proxy: Address,
        /// Its nonce.
        nonce: U256,
    },
    /// The message is in the inbox.
    Confirmed {
        /// Of which direction.
        kind: Kind,
        /// The message.
        message: B256,
        /// Source height whose proof confirmed it.
        height: u64,
    },
    /// The source leg is done: stakes progressed, or redeemed tokens burnt.
    SourceProgressed {
        /// Of which direction.
        kind: Kind,
        /// The message.
        message: B256,
    },
    /// The target leg is done: tokens minted, or stakes given back.
    TargetProgressed {
        /// Of which direction.
        kind: Kind,
        /// The message.
        message: B256,
        /// Who got the tokens.
        beneficiary: Address,
        /// What the beneficiary got.
        paid: U256,
        /// What the facilitator got.
        reward: U256,
    },
    /// A storage root was proven.
    GatewayProven {
        /// Height on the other chain.
        height: u64,
        /// Whether it had been proven before, so that this proof was in vain.
        again: bool,
    },
    /// A state root was anchored.
    StateRootAvailable {
        /// Height on the other chain.
        height: u64,
    },
}

/// Which of the two directions' events it is.
fn kind_of(first: &B256, stake: &B256, redeem: &B256) -> Option<Kind> {
    if first == stake {
        return Some(Kind::Stake);
    }
    (first == redeem).then_some(Kind::Redeem)
}

/// The event in a log.
///
/// # Errors
/// When a known event has other data than its signature says.
pub fn read(log: &Log) -> Result<Option<Event>> {
    let [first, rest @ ..] = log.topics.as_slice() else { return Ok(None) };
    let message = rest.first().copied().unwrap_or_default();
    let mut data = Words::new(log.data.as_slice());
    let event = if let Some(kind) = kind_of(first, &STAKE_REQUESTED, &REDEEM_REQUESTED) {
        for _ in 0..4 {
            data.word()?;
        }
        let (nonce, proxy, _gateway) = (data.uint()?, data.address()?, data.address()?);
        Event::Requested { kind, proxy, nonce, request_hash: data.word()? }
    } else if let Some(kind) = kind_of(first, &STAKE_INTENT_DECLARED, &REDEEM_INTENT_DECLARED) {
        Event::Declared { kind, message, proxy: data.address()?, nonce: data.uint()? }
    } else if let Some(kind) = kind_of(first, &STAKE_INTENT_CONFIRMED, &REDEEM_INTENT_CONFIRMED) {
        for _ in 0..4 {
            data.word()?;
        }
        Event::Confirmed { kind, message, height: data.uint64()? }
    } else if let Some(kind) = kind_of(first, &STAKE_PROGRESSED, &REDEEM_PROGRESSED) {
        Event::SourceProgressed { kind, message }
    } else if let Some(kind) = kind_of(first, &MINT_PROGRESSED, &UNSTAKE_PROGRESSED) {
        let (_proxy, beneficiary, _amount) = (data.address()?, data.address()?, data.uint()?);
        Event::TargetProgressed { kind, message, beneficiary, paid: data.uint()?, reward: data.uint()? }
    } else if first == &*GATEWAY_PROVEN {
        let (_gateway, height, _root) = (data.address()?, data.uint64()?, data.word()?);
        Event::GatewayProven { height, again: data.boolean()? }
    } else if first == &*STATE_ROOT_AVAILABLE {
        Event::StateRootAvailable { height: data.uint64()? }
    } else {
        return Ok(None);
    };
    Ok(Some(event))
}
