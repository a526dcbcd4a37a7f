//! From the message status on both chains to the next thing to do.

use crate::model::{MessageStatus, State};
use bincode::{Decode, Encode};
use std::fmt;

/// The status of one box, at the newest block and at the newest final one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct BoxStatus {
    /// At the newest block: what may still be undone by a reorg.
    pub latest: MessageStatus,
    /// At the newest block with enough confirmations.
    pub finalised: MessageStatus,
}

impl BoxStatus {
    /// A box whose newest block says nothing else than its final one.
    #[must_use]
    pub const fn settled(status: MessageStatus) -> Self {
        Self { latest: status, finalised: status }
    }

    fn is_settled_at(self, status: MessageStatus) -> bool {
        self.latest == status && self.finalised == status
    }

    /// Whether confirmations can no longer take back that the message reached this box.
    fn is_finally_known(self) -> bool {
        matches!(self.finalised, MessageStatus::Declared | MessageStatus::Progressed)
    }
}

/// What both chains say about one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Statuses {
    /// On the source chain.
    pub outbox: BoxStatus,
    /// On the target chain.
    pub inbox: BoxStatus,
}

/// Which legs to progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Legs {
    /// Source and target, together.
    Both,
    /// The target is done.
    Source,
    /// The source is done.
    Target,
}

/// What a message waits for that has been sent already, or that others decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// Confirmations of the declaration on the source chain.
    DeclarationFinal,
    /// Confirmations of the confirmation on the target chain.
    ConfirmationFinal,
    /// Confirmations of the progress on either chain.
    ProgressFinal,
    /// The end of a revocation that its sender began.
    Revocation,
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeclarationFinal => "confirmations of the declared message on the source chain",
            Self::ConfirmationFinal => "confirmations of the confirmed message on the target chain",
            Self::ProgressFinal => "confirmations of the progress transactions",
            Self::Revocation => "the end of the revocation that the message's sender began",
        })
    }
}

/// The next thing to do for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Not declared: run the pre-accept checklist.
    Inspect,
    /// Declared on the source alone: prove the gateway and confirm.
    Prove,
    /// Confirmed, finally: reveal the secret on these legs.
    Progress(Legs),
    /// Wait for something that needs no step of ours.
    Await(Awaited),
    /// Nothing is left to do.
    Finish(State),
    /// The chains contradict each other in a way that no rule covers.
    Contradiction,
}

/// Decides by the table in the head of [`crate::transfer`].
///
/// The secret is revealed only where the inbox is finally Declared or Progressed (law 4, protocol.md R3): a source leg
/// that is progressed before leaves the staker's tokens in the vault for ever if the confirmation vanishes.
#[must_use]
pub fn decide(statuses: Statuses) -> Decision {
    use MessageStatus as Status;
    let Statuses { outbox, inbox } = statuses;
    match (outbox.latest, inbox.latest) {
        (Status::Undeclared, Status::Undeclared | Status::Declared | Status::Progressed) => Decision::Inspect,
        (Status::Declared, Status::Undeclared) if outbox.is_settled_at(Status::Declared) => Decision::Prove,
        (Status::Declared, Status::Undeclared) => Decision::Await(Awaited::DeclarationFinal),
        (Status::Progressed, Status::Undeclared) => Decision::Prove,
        (Status::Declared, Status::Declared) => {
            when_final(outbox.is_finally_known() && inbox.is_finally_known(), Legs::Both)
        }
        (Status::Declared, Status::Progressed) => {
            when_final(outbox.is_finally_known() && inbox.is_finally_known(), Legs::Source)
        }
        (Status::Progressed, Status::Declared) => when_final(inbox.is_finally_known(), Legs::Target),
        (Status::Progressed, Status::Progressed) => complete(outbox, inbox),
        (Status::DeclaredRevocation, _) => Decision::Await(Awaited::Revocation),
        (Status::Revoked, _) if outbox.is_settled_at(Status::Revoked) => Decision::Finish(State::Revoked),
        (Status::Revoked, _) => Decision::Await(Awaited::Revocation),
        (Status::Undeclared | Status::Declared | Status::Progressed, Status::DeclaredRevocation | Status::Revoked) => {
            Decision::Contradiction
        }
    }
}

const fn when_final(is_final: bool, legs: Legs) -> Decision {
    if is_final { Decision::Progress(legs) } else { Decision::Await(Awaited::ConfirmationFinal) }
}

fn complete(outbox: BoxStatus, inbox: BoxStatus) -> Decision {
    if outbox.is_settled_at(MessageStatus::Progressed) && inbox.is_settled_at(MessageStatus::Progressed) {
        Decision::Finish(State::Complete)
    } else {
        Decision::Await(Awaited::ProgressFinal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MessageStatus::{Declared, DeclaredRevocation, Progressed, Revoked, Undeclared};

    fn settled(outbox: MessageStatus, inbox: MessageStatus) -> Decision {
        decide(Statuses { outbox: BoxStatus::settled(outbox), inbox: BoxStatus::settled(inbox) })
    }

    #[test]
    fn settled_pairs_follow_the_table() {
        let table = [
            ((Undeclared, Undeclared), Decision::Inspect),
            ((Undeclared, Declared), Decision::Inspect),
            ((Undeclared, Progressed), Decision::Inspect),
            ((Undeclared, Revoked), Decision::Contradiction),
            ((Declared, Undeclared), Decision::Prove),
            ((Declared, Declared), Decision::Progress(Legs::Both)),
            ((Declared, Progressed), Decision::Progress(Legs::Source)),
            ((Declared, Revoked), Decision::Contradiction),
            ((Progressed, Undeclared), Decision::Prove),
            ((Progressed, Declared), Decision::Progress(Legs::Target)),
            ((Progressed, Progressed), Decision::Finish(State::Complete)),
            ((Progressed, Revoked), Decision::Contradiction),
            ((DeclaredRevocation, Undeclared), Decision::Await(Awaited::Revocation)),
            ((DeclaredRevocation, Declared), Decision::Await(Awaited::Revocation)),
            ((DeclaredRevocation, Progressed), Decision::Await(Awaited::Revocation)),
            ((DeclaredRevocation, Revoked), Decision::Await(Awaited::Revocation)),
            ((Revoked, Undeclared), Decision::Finish(State::Revoked)),
            ((Revoked, Revoked), Decision::Finish(State::Revoked)),
        ];
        for ((outbox, inbox), expected) in table {
            assert_eq!(settled(outbox, inbox), expected, "({outbox}, {inbox})");
        }
    }

    #[test]
    fn nothing_is_acted_upon_before_it_is_final() {
        let fresh = |before, latest| BoxStatus { latest, finalised: before };
        let cases = [
            (fresh(Undeclared, Declared), BoxStatus::settled(Undeclared), Awaited::DeclarationFinal),
            (BoxStatus::settled(Declared), fresh(Undeclared, Declared), Awaited::ConfirmationFinal),
            (fresh(Undeclared, Declared), BoxStatus::settled(Declared), Awaited::ConfirmationFinal),
            (BoxStatus::settled(Progressed), fresh(Undeclared, Declared), Awaited::ConfirmationFinal),
            (BoxStatus::settled(Declared), fresh(Undeclared, Progressed), Awaited::ConfirmationFinal),
            (fresh(Declared, Progressed), BoxStatus::settled(Progressed), Awaited::ProgressFinal),
            (BoxStatus::settled(Progressed), fresh(Declared, Progressed), Awaited::ProgressFinal),
            (fresh(DeclaredRevocation, Revoked), BoxStatus::settled(Revoked), Awaited::Revocation),
        ];
        for (outbox, inbox, awaited) in cases {
            assert_eq!(decide(Statuses { outbox, inbox }), Decision::Await(awaited), "{outbox:?} {inbox:?}");
        }
    }

    /// Law 4, over every combination there is: the source leg is never progressed while the inbox could still vanish.
    #[test]
    fn the_source_leg_is_never_progressed_before_the_inbox_is_final() {
        let boxes = || {
            MessageStatus::ALL
                .iter()
                .flat_map(|latest| MessageStatus::ALL.iter().map(|finalised| (*latest, *finalised)))
                .map(|(latest, finalised)| BoxStatus { latest, finalised })
        };
        for outbox in boxes() {
            for inbox in boxes() {
                let decision = decide(Statuses { outbox, inbox });
                if matches!(decision, Decision::Progress(_)) {
                    assert!(matches!(inbox.finalised, Declared | Progressed), "{outbox:?} {inbox:?}");
                    assert!(matches!(inbox.latest, Declared | Progressed), "{outbox:?} {inbox:?}");
                }
            }
        }
    }
}
