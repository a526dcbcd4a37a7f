//! Finishing what others left: from the status of a foreign message to the step that anybody may take, and whether it
//! pays.
//!
//! The table is that of [`crate::transfer`], so law 4 holds for foreign messages as for our own. What differs: the
//! secret is not ours. A leg is progressed with it only where the chain has published it, else by a proof of the other
//! box (protocol.md §5.4). A revocation is never fought; only one that can no longer succeed, because the target leg is
//! done, leaves something to do.
//!
//! | outbox \ inbox | Undeclared | Declared | Progressed | Revoked |
//! |---|---|---|---|---|
//! | Declared | confirm | both legs | source leg | contradiction |
//! | Progressed | confirm at an older height | target leg | complete | contradiction |
//! | DeclaredRevocation | leave | leave | source leg, by proof alone | leave |
//! | Revoked | revoked | revoked | revoked | revoked |

mod worth;

pub use worth::{HuntFacts, HuntPolicy, Profit, Purse, Unworthy, Wage, profit, worth};

use super::{Awaited, Decision, Legs, Statuses, decide};
use crate::contracts::gateway::Leg;
use crate::model::{MessageStatus, State};

/// A step of a foreign message that failed so often is not tried again unless the operator wants it: what always fails
/// would burn the gas of its gateway proofs for ever.
pub const MOST_FAILURES: u32 = 5;

/// So many looks in a row that found a foreign message not possible yet, and it is left alone.
pub const MOST_HOLDS: u32 = 20;

/// What opens a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// The secret, which is public.
    Secret,
    /// A proof of the message's status in the other chain's box.
    Proof,
}

/// The legs of a foreign message that may be progressed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Which.
    pub legs: Legs,
    /// With what.
    pub means: Means,
}

/// The next thing to do for a foreign message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HuntStep {
    /// Prove the outbox at Declared to the target chain, and confirm.
    Confirm,
    /// Progress.
    Progress(Opening),
    /// Wait for what needs no step of ours.
    Await(Awaited),
    /// Its sender takes it back: that is its right.
    Leave,
    /// Nothing is left to do.
    Finish(State),
    /// The chains contradict each other.
    Contradiction,
}

/// Decides by the table in the head of this module.
#[must_use]
pub fn decide_hunt(statuses: Statuses, secret_is_public: bool) -> HuntStep {
    let means = if secret_is_public { Means::Secret } else { Means::Proof };
    match decide(statuses) {
        // A declaration that was final and is gone: the scan will say so too.
        Decision::Inspect => HuntStep::Await(Awaited::DeclarationFinal),
        Decision::Prove => HuntStep::Confirm,
        Decision::Progress(legs) => HuntStep::Progress(Opening { legs, means }),
        Decision::Await(Awaited::Revocation) => revocation(statuses),
        Decision::Await(awaited) => HuntStep::Await(awaited),
        Decision::Finish(state) => HuntStep::Finish(state),
        Decision::Contradiction => HuntStep::Contradiction,
    }
}

fn revocation(Statuses { outbox, inbox }: Statuses) -> HuntStep {
    use MessageStatus::{Declared, DeclaredRevocation, Progressed, Revoked, Undeclared};
    match (outbox.latest, inbox.latest) {
        // The target leg is done, so that the revocation can't be confirmed any more. With the secret the source leg
        // would revert (protocol.md §5.3).
        (DeclaredRevocation, Progressed) if inbox.finalised == Progressed && outbox.finalised == DeclaredRevocation => {
            HuntStep::Progress(Opening { legs: Legs::Source, means: Means::Proof })
        }
        (DeclaredRevocation, Progressed) => HuntStep::Await(Awaited::ProgressFinal),
        (DeclaredRevocation, Undeclared | Declared | DeclaredRevocation | Revoked) => HuntStep::Leave,
        (Undeclared | Declared | Progressed | Revoked, _) => HuntStep::Await(Awaited::Revocation),
    }
}

impl HuntStep {
    /// Whether the leg on the target chain, which pays the beneficiary, is among what is left to do.
    #[must_use]
    pub const fn pays_out(self) -> bool {
        match self {
            Self::Confirm => true,
            Self::Progress(Opening { legs, means: _ }) => match legs {
                Legs::Both | Legs::Target => true,
                Legs::Source => false,
            },
            Self::Await(_) | Self::Leave | Self::Finish(_) | Self::Contradiction => false,
        }
    }

    /// Whether it is the confirmation.
    #[must_use]
    pub const fn confirms(self) -> bool {
        match self {
            Self::Confirm => true,
            Self::Progress(_) | Self::Await(_) | Self::Leave | Self::Finish(_) | Self::Contradiction => false,
        }
    }
}

/// The statuses in the other chain's box that a proof may show to progress this leg (protocol.md §2.3, §4.3).
#[must_use]
pub fn provable(leg: Leg, statuses: Statuses) -> &'static [MessageStatus] {
    match (leg, statuses.outbox.latest) {
        (Leg::Source, MessageStatus::DeclaredRevocation) => &[MessageStatus::Progressed],
        (
            Leg::Source,
            MessageStatus::Undeclared | MessageStatus::Declared | MessageStatus::Progressed | MessageStatus::Revoked,
        )
        | (Leg::Target, _) => &[MessageStatus::Declared, MessageStatus::Progressed],
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
