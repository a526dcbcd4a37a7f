//! What each step is expected to burn, for the reserve that must be there before a bounty is locked (protocol.md R22).

use crate::contracts::gateway::Leg;
use crate::model::{Kind, Step};

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
