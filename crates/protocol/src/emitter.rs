//! Which contract of a gateway pair emits which event: one from another contract proves nothing (law 10).

use crate::{events::Event, gateway::GatewaySet, model::Side};
use facilitator_eth::Address;

/// Which contract of a gateway pair emits an event.
enum Emitter {
    Composer,
    RedeemPool,
    Gateway,
    Cogateway,
    EitherGateway,
    Anchor,
    Organization,
}

const fn emitter(event: &Event) -> Emitter {
    match event {
        Event::StakeRequested(_) | Event::StakeRevoked(_) | Event::StakeRejected(_) => Emitter::Composer,
        Event::RedeemRequested(_) | Event::RedeemRevoked(_) | Event::RedeemRejected(_) => Emitter::RedeemPool,
        Event::StakeIntentDeclared(_)
        | Event::StakeProgressed(_)
        | Event::RevertStakeIntentDeclared(_)
        | Event::StakeReverted(_)
        | Event::RedeemIntentConfirmed(_)
        | Event::UnstakeProgressed(_)
        | Event::RevertRedeemIntentConfirmed(_)
        | Event::RevertRedeemComplete(_) => Emitter::Gateway,
        Event::StakeIntentConfirmed(_)
        | Event::MintProgressed(_)
        | Event::RevertStakeIntentConfirmed(_)
        | Event::RevertStakeProgressed(_)
        | Event::RedeemIntentDeclared(_)
        | Event::RedeemProgressed(_)
        | Event::RevertRedeemDeclared(_)
        | Event::RedeemReverted(_) => Emitter::Cogateway,
        Event::GatewayProven(_) | Event::BountyChangeInitiated(_) | Event::BountyChangeConfirmed(_) => {
            Emitter::EitherGateway
        }
        Event::StateRootAvailable(_) => Emitter::Anchor,
        Event::WorkerSet(_) | Event::WorkerUnset(_) => Emitter::Organization,
    }
}

/// The configured gateway pair that has this contract on this chain in the role that emits the event.
#[must_use]
pub fn genuine<'a>(sets: &'a [GatewaySet], chain_id: u64, address: Address, event: &Event) -> Option<&'a GatewaySet> {
    let on = |set: &GatewaySet, side: Side| set.chain_id(side) == chain_id;
    let either = |set: &GatewaySet, contract: fn(&GatewaySet, Side) -> Address| {
        Side::ALL.iter().any(|side| on(set, *side) && contract(set, *side) == address)
    };
    sets.iter().find(|set| match emitter(event) {
        Emitter::Composer => on(set, Side::Origin) && set.composer == address,
        Emitter::RedeemPool => on(set, Side::Auxiliary) && set.redeem_pool == Some(address),
        Emitter::Gateway => on(set, Side::Origin) && set.gateway == address,
        Emitter::Cogateway => on(set, Side::Auxiliary) && set.cogateway == address,
        Emitter::EitherGateway => either(set, GatewaySet::box_on),
        Emitter::Anchor => either(set, GatewaySet::anchor_on),
        // Those of pools and gateways are not all known here; nothing follows from these events.
        Emitter::Organization => on(set, Side::Origin) || on(set, Side::Auxiliary),
    })
}
