//! What each event of the contracts is as a system event. Pure but for the chain's name.

use crate::{
    Alert, SystemEvent, Topic,
    chains::{Chain, Seen},
};
use facilitator_protocol::events::Event;
use serde_json::Value;

/// The alert that an event is; `None` for what nobody watches, and for what the contracts declare and never emit.
const fn meaning(event: &Event) -> Option<Alert> {
    Some(match event {
        Event::StakeRequested(_) => Alert::StakeRequested,
        Event::StakeRevoked(_) => Alert::StakeRevoked,
        Event::StakeRejected(_) => Alert::StakeRejected,
        Event::RedeemRequested(_) => Alert::RedeemRequested,
        Event::RedeemRevoked(_) => Alert::RedeemRevoked,
        Event::RedeemRejected(_) => Alert::RedeemRejected,
        Event::RedeemIntentDeclared(_) => Alert::RedeemDeclared,
        Event::RedeemProgressed(_) => Alert::RedeemProgressed,
        Event::StakeIntentDeclared(_) => Alert::StakeDeclared,
        Event::StakeIntentConfirmed(_) => Alert::StakeConfirmed,
        Event::StakeProgressed(_) => Alert::StakeProgressed,
        Event::MintProgressed(_) => Alert::Minted,
        Event::RedeemIntentConfirmed(_) => Alert::RedeemConfirmed,
        Event::UnstakeProgressed(_) => Alert::Unstaked,
        Event::RevertStakeIntentDeclared(_) => Alert::StakeReverting,
        Event::RevertStakeIntentConfirmed(_) => Alert::StakeRevertConfirmed,
        Event::StakeReverted(_) => Alert::StakeReverted,
        Event::RevertRedeemDeclared(_) => Alert::RedeemReverting,
        Event::RevertRedeemIntentConfirmed(_) => Alert::RedeemRevertConfirmed,
        Event::RedeemReverted(_) => Alert::RedeemReverted,
        Event::StateRootAvailable(_) => Alert::StateRootAvailable,
        Event::GatewayProven(_) => Alert::GatewayProven,
        Event::BountyChangeInitiated(_) => Alert::BountyChangeInitiated,
        Event::BountyChangeConfirmed(_) => Alert::BountyChangeConfirmed,
        Event::RevertStakeProgressed(_)
        | Event::RevertRedeemComplete(_)
        | Event::WorkerSet(_)
        | Event::WorkerUnset(_) => return None,
    })
}

/// The system event, if it belongs to this monitor.
pub(super) fn told(chain: &Chain, seen: &Seen, topic: Topic) -> Option<SystemEvent> {
    meaning(&seen.event).filter(|alert| alert.topic() == topic).map(|alert| about(chain, alert, seen))
}

/// An alert about an event of the chain.
pub(super) fn about(chain: &Chain, alert: Alert, seen: &Seen) -> SystemEvent {
    with_values(chain.event(alert, &seen.log), &seen.event)
}

/// With all values of the event but the secret, which is public and yet nobody's affair here.
fn with_values(told: SystemEvent, event: &Event) -> SystemEvent {
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
        assert_eq!(meaning(&event), Some(Alert::Minted));
        let told = with_values(SystemEvent::new(Alert::Minted, 1406, 1), &event);
        let value = |name: &str| told.data.get(name).map(String::as_str);
        assert_eq!(value("stake_amount"), Some(U256::MAX.to_string().as_str()));
        assert_eq!((value("minted_amount"), value("proof_progress")), (Some("5"), Some("false")));
        assert_eq!((value("unlock_secret"), value("event")), (None, None));
        assert!(!told.to_json().contains("0909"));
    }
}
