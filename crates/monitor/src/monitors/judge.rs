//! What is wrong with a message, by what both chains say. Pure.

use crate::Alert;
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::{
    events::Event,
    hashes,
    model::{Kind, MessageStatus},
};

/// A message that stands in an inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Confirmed {
    pub(super) kind: Kind,
    pub(super) message: B256,
    amount: U256,
    beneficiary: Address,
    /// Height of the source chain whose root was used.
    pub(super) height: u64,
}

/// The confirmation that an event tells of.
pub(super) fn confirmed(event: &Event) -> Option<Confirmed> {
    if let Event::StakeIntentConfirmed(e) = event {
        let (amount, beneficiary, height) = (e.amount, e.beneficiary, e.block_height);
        return Some(Confirmed { kind: Kind::Stake, message: e.message_hash, amount, beneficiary, height });
    }
    if let Event::RedeemIntentConfirmed(e) = event {
        let (amount, beneficiary, height) = (e.amount, e.beneficiary, e.block_height);
        return Some(Confirmed { kind: Kind::Redeem, message: e.message_hash, amount, beneficiary, height });
    }
    None
}

/// A message that was declared: its kind, itself, its sender and nonce.
pub(super) fn declared(event: &Event) -> Option<(Kind, B256, Address, U256)> {
    if let Event::StakeIntentDeclared(e) = event {
        return Some((Kind::Stake, e.message_hash, e.staker, e.nonce));
    }
    if let Event::RedeemIntentDeclared(e) = event {
        return Some((Kind::Redeem, e.message_hash, e.redeemer, e.nonce));
    }
    None
}

/// A message of which one leg was progressed.
pub(super) fn progressed(event: &Event) -> Option<B256> {
    let is_leg = matches!(
        event,
        Event::StakeProgressed(_) | Event::MintProgressed(_) | Event::RedeemProgressed(_) | Event::UnstakeProgressed(_)
    );
    event.message_hash().filter(|_| is_leg)
}

/// What is wrong with a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The source chain knows of no such message.
    NotDeclared,
    /// It knows of another amount or beneficiary.
    OtherIntent,
}

impl Fault {
    pub(super) const fn alert(self) -> Alert {
        match self {
            Self::NotDeclared => Alert::NotDeclared,
            Self::OtherIntent => Alert::OtherIntent,
        }
    }
}

/// Compares a confirmation with the source chain: the status in its outbox, and the hash of the intent that is stored
/// there, zero once its sender has a later message.
pub(super) fn fault(confirmed: &Confirmed, source: Address, outbox: MessageStatus, intent: B256) -> Option<Fault> {
    if outbox == MessageStatus::Undeclared {
        return Some(Fault::NotDeclared);
    }
    let expected = hashes::intent_hash(confirmed.kind, confirmed.amount, confirmed.beneficiary, source);
    (!intent.is_zero() && intent != expected).then_some(Fault::OtherIntent)
}

/// Whether nothing is left to do for a message.
pub(super) fn is_finished(outbox: MessageStatus, inbox: MessageStatus) -> bool {
    match (outbox, inbox) {
        (MessageStatus::Revoked, _) | (MessageStatus::Progressed, MessageStatus::Progressed) => true,
        (
            MessageStatus::Undeclared
            | MessageStatus::Declared
            | MessageStatus::Progressed
            | MessageStatus::DeclaredRevocation,
            _,
        ) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MessageStatus::{Declared, DeclaredRevocation, Progressed, Revoked, Undeclared};
    use facilitator_protocol::events::StakeIntentConfirmed;

    const GATEWAY: Address = Address([2; 20]);

    fn stake(amount: u64) -> Confirmed {
        let event = StakeIntentConfirmed {
            message_hash: B256([1; 32]),
            staker: Address([3; 20]),
            nonce: U256::ZERO,
            beneficiary: Address([4; 20]),
            amount: U256::from(amount),
            block_height: 10,
            hash_lock: B256([5; 32]),
        };
        confirmed(&event.into()).unwrap()
    }

    #[test]
    fn a_confirmation_matches_what_the_source_chain_declared() {
        let intent = |amount: u64| hashes::intent_hash(Kind::Stake, amount.into(), Address([4; 20]), GATEWAY);
        for (amount, outbox, intent, wanted) in [
            (5, Declared, intent(5), None),
            (5, Progressed, intent(5), None),
            // A later message of the same sender has taken its place.
            (5, Progressed, B256::default(), None),
            (5, Undeclared, B256::default(), Some(Fault::NotDeclared)),
            (6, Declared, intent(5), Some(Fault::OtherIntent)),
        ] {
            assert_eq!(fault(&stake(amount), GATEWAY, outbox, intent), wanted, "{amount} {outbox}");
        }
    }

    #[test]
    fn a_message_is_finished_when_both_sides_are_or_it_was_revoked() {
        let all = [Undeclared, Declared, Progressed, DeclaredRevocation, Revoked];
        let finished: Vec<_> = all
            .into_iter()
            .flat_map(|outbox| all.map(|inbox| (outbox, inbox)))
            .filter(|(outbox, inbox)| is_finished(*outbox, *inbox))
            .collect();
        let mut wanted = vec![(Progressed, Progressed)];
        wanted.extend(all.map(|inbox| (Revoked, inbox)));
        assert_eq!(finished, wanted);
    }
}
