//! What each step is expected to burn, for the reserve that must be there before a bounty is locked (protocol.md R22).

use crate::contracts::gateway::Leg;
use crate::model::{Kind, Step};
use facilitator_eth::U256;

/// Base coin that a key must have to accept a request, wei: what the accept itself takes, and what must be left for the
/// rest of its work, which is never less than what the operator wants it to keep (`min_balance`). The checklist and the
/// sender both ask here: what one lets pass the other must not refuse by another rule.
#[must_use]
pub fn needed_to_accept(accept: U256, rest: U256, min_balance: U256) -> U256 {
    accept.saturating_add(rest.max(min_balance))
}

/// Upper end of the gas measured for a step on the published contracts. Used to judge funds and profit beforehand;
/// what is sent is always estimated against the node.
#[must_use]
pub const fn expected_gas(kind: Kind, step: Step) -> u64 {
    match (step, kind) {
        (Step::Approve, _) => 50_000,
        (Step::Accept, Kind::Stake) => 410_000,
        (Step::Accept, Kind::Redeem) => 360_000,
        (Step::ProveGateway, _) => 320_000,
        (Step::Confirm, Kind::Stake) => 540_000,
        (Step::Confirm, Kind::Redeem) => 525_000,
        (Step::ProgressSource, Kind::Stake) => 105_000,
        (Step::ProgressSource, Kind::Redeem) => 80_000,
        (Step::ProgressTarget, Kind::Stake) => 136_000,
        (Step::ProgressTarget, Kind::Redeem) => 130_000,
        (Step::Cancel, _) => 21_000,
    }
}

/// The same for a leg that is progressed by proof instead of by the secret.
#[must_use]
pub const fn expected_gas_by_proof(leg: Leg) -> u64 {
    match leg {
        Leg::Source => 310_000,
        Leg::Target => 400_000,
    }
}
