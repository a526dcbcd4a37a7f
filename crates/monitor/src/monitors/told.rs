//! What each event of the contracts is as a system event. Pure but for the chain's name.

use crate::{
    EventType, SystemEvent,
    chains::{Chain, Seen},
};
use facilitator_protocol::events::Event;
use serde_json::Value;

/// Which monitor an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Stake,
    Redeem,
    Message,
    Gateway,
}

/// Whose it is, what it is called, how bad it is; `None` for what nobody watches.
const fn meaning(event: &Event) -> Option<(Topic, &'static str, EventType)> {
    use EventType::{Informational as Info, Warning};
    Some(match event {
        Event::StakeRequested(_) => (Topic::Stake, "Stake requested", Info),
        Event::StakeRevoked(_) => (Topic::Stake, "Stake request revoked", Info),
        Event::StakeRejected(_) => (Topic::Stake, "Stake request rejected", Warning),
        Event::RedeemRequested(_) => (Topic::Redeem, "Redeem requested", Info),
        Event::RedeemRevoked(_) => (Topic::Redeem, "Redeem request revoked", Info),
        Event::RedeemRejected(_) => (Topic::Redeem, "Redeem request rejected", Warning),
        Event::RedeemIntentDeclared(_) => (Topic::Redeem, "Redeem intent declared", Info),
        Event::RedeemProgressed(_) => (Topic::Redeem, "Redeem progressed", Info),
        Event::StakeIntentDeclared(_) => (Topic::Message, "Stake intent declared", Info),
        Event::StakeIntentConfirmed(_) => (Topic::Message, "Stake intent confirmed", Info),
        Event::StakeProgressed(_) => (Topic::Message, "Stake progressed", Info),
        Event::MintProgressed(_) => (Topic::Message, "Minted", Info),
        Event::RedeemIntentConfirmed(_) => (Topic::Message, "Redeem intent confirmed", Info),
        Event::UnstakeProgressed(_) => (Topic::Message, "Unstaked", Info),
        Event::RevertStakeIntentDeclared(_) => (Topic::Message, "Stake reverting", Warning),
        Event::RevertStakeIntentConfirmed(_) => (Topic::Message, "Stake revert confirmed", Warning),
        Event::StakeReverted(_) => (Topic::Message, "Stake reverted", Warning),
        Event::RevertStakeProgressed(_) => (Topic::Message, "Stake revert progressed", Warning),
        Event::RevertRedeemDeclared(_) => (Topic::Message, "Redeem reverting", Warning),
        Event::RevertRedeemIntentConfirmed(_) => (Topic::Message, "Redeem revert confirmed", Warning),
        Event::RedeemReverted(_) => (Topic::Message, "Redeem reverted", Warning),
        Event::RevertRedeemComplete(_) => (Topic::Message, "Redeem revert completed", Warning),
        Event::StateRootAvailable(_) => (Topic::Gateway, "State root available", Info),
        Event::GatewayProven(_) => (Topic::Gateway, "Gateway proven", Info),
        Event::BountyChangeInitiated(_) => (Topic::Gateway, "Bounty change initiated", Warning),
        Event::BountyChangeConfirmed(_) => (Topic::Gateway, "Bounty change confirmed", Warning),
        Event::WorkerSet(_) | Event::WorkerUnset(_) => return None,
    })
}

/// The system event, if it belongs to this monitor.
pub(super) fn told(chain: &Chain, seen: &Seen, topic: Topic) -> Option<SystemEvent> {
    let (own, title, kind) = meaning(&seen.event)?;
    (own == topic).then(|| with_values(chain.event(kind, title, &seen.log), &seen.event))
}

/// A warning about an event of the chain.
pub(super) fn warning(chain: &Chain, title: &str, seen: &Seen) -> SystemEvent {
    with_values(chain.event(EventType::Warning, title, &seen.log), &seen.event)
}

/// With all values of the event but the secret, which is public and yet nobody's affair here.
pub(super) fn with_values(told: SystemEvent, event: &Event) -> SystemEvent {
    let Ok(Value::Object(values)) = serde_json::to_value(event) else { return told };
    let shown = values.into_iter().filter(|(name, _)| name != "event" && name != "unlock_secret");
    shown.fold(told, |told, (name, value)| match value {
        Value::String(text) => told.with(&name, text),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            told.with(&name, other)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use facilitator_eth::{Address, B256, U256};
    use facilitator_protocol::events::MintProgressed;

    #[test]
    fn values_are_text_and_secrets_are_left_out() {
        let minted = MintProgressed {
            message_hash: B256([7; 32]),
            staker: Address([1; 20]),
            beneficiary: Address([2; 20]),
            stake_amount: U256::MAX,
            minted_amount: U256::from(5_u64),
            reward_amount: U256::ZERO,
            proof_progress: false,
            unlock_secret: B256([9; 32]),
        };
        let event = Event::from(minted);
        assert_eq!(meaning(&event), Some((Topic::Message, "Minted", EventType::Informational)));
        let told = with_values(SystemEvent::new(EventType::Informational, "Minted", 1406, 1), &event);
        let value = |name: &str| told.data.get(name).map(String::as_str);
        assert_eq!(value("stake_amount"), Some(U256::MAX.to_string().as_str()));
        assert_eq!((value("minted_amount"), value("proof_progress")), (Some("5"), Some("false")));
        assert_eq!((value("unlock_secret"), value("event")), (None, None));
        assert!(!told.to_json().contains("0909"));
    }
}
