//! The names of what is stored: enums whose variants have one text form each.

use bincode::{Decode, Encode};
use std::{fmt, str::FromStr};

/// A stored text that names no value of its type: a database of another version or a damaged row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}")]
pub struct UnknownName {
    /// The type that was expected.
    pub what: &'static str,
    /// The text that was found.
    pub text: String,
}

/// An enum whose variants have one stored name each, so that both directions come from one list.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
                    .ok_or_else(|| UnknownName { what: $what, text: text.to_owned() })
            }
        }
    };
}

named! {
    /// The direction of a transfer. The source chain holds the outbox, the target chain the inbox.
    Kind, "kind of request" {
        /// Stake & mint: source origin, target auxiliary.
        Stake = "stake",
        /// Redeem & unstake: source auxiliary, target origin.
        Redeem = "redeem",
    }
}

named! {
    /// One of the two chains of a pair.
    Side, "side" {
        /// The chain of the value token.
        Origin = "origin",
        /// The chain of the utility token.
        Auxiliary = "auxiliary",
    }
}

impl Side {
    /// The other chain of the pair.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Origin => Self::Auxiliary,
            Self::Auxiliary => Self::Origin,
        }
    }
}

impl Kind {
    /// Where the message is declared.
    #[must_use]
    pub const fn source(self) -> Side {
        match self {
            Self::Stake => Side::Origin,
            Self::Redeem => Side::Auxiliary,
        }
    }

    /// Where the message is confirmed.
    #[must_use]
    pub const fn target(self) -> Side {
        self.source().other()
    }
}

named! {
    /// What a transaction of the journal is for.
    Step, "step" {
        /// Allowance of the bounty token to the composer.
        Approve = "approve",
        /// `acceptStakeRequest` / `acceptRedeemRequest`.
        Accept = "accept",
        /// `proveGateway` on the target chain.
        ProveGateway = "prove_gateway",
        /// `confirmStakeIntent` / `confirmRedeemIntent`.
        Confirm = "confirm",
        /// `progressStake` / `progressRedeem`: the leg that returns the bounty.
        ProgressSource = "progress_source",
        /// `progressMint` / `progressUnstake`: the leg that pays the reward.
        ProgressTarget = "progress_target",
        /// A transfer of nothing to oneself that fills a gap of nonces.
        Cancel = "cancel",
    }
}

named! {
    /// The status of a message in an outbox or inbox (protocol.md §5.1).
    MessageStatus, "message status" {
        /// Unknown to the box.
        Undeclared = "undeclared",
        /// Declared in the outbox, or confirmed in the inbox.
        Declared = "declared",
        /// Finished on this side.
        Progressed = "progressed",
        /// Its sender asked to revoke it (outbox only).
        DeclaredRevocation = "declared_revocation",
        /// Revoked.
        Revoked = "revoked",
    }
}

impl MessageStatus {
    /// From the contract's number; `None` for one that the contract does not have.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Undeclared),
            1 => Some(Self::Declared),
            2 => Some(Self::Progressed),
            3 => Some(Self::DeclaredRevocation),
            4 => Some(Self::Revoked),
            _ => None,
        }
    }
}

/// Where a request stands: the single state derived from its two legs. Names as in the source tickets; those of
/// redeems differ where the tickets name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum State {
    /// Seen as a final event; not yet accepted. With a hash lock stored the accept may be under way.
    Requested,
    /// The message is declared on the source chain, finally.
    Accepted,
    /// The gateway's storage root at a usable height stands on the target chain.
    AccountProven,
    /// The message is confirmed on the target chain, finally.
    IntentConfirmed,
    /// The source leg is progressed, the target leg not yet.
    SourceProgressed,
    /// The target leg is progressed, the source leg not yet.
    TargetProgressed,
    /// Both legs are progressed, finally.
    Complete,
    /// A step failed; it is tried again at the stored time.
    Failed(Stage),
    /// A worker of the organization gave the tokens back.
    Rejected,
    /// The sender took the request back, or the message was revoked.
    Revoked,
    /// The pre-accept checklist said no, with a reason. An operator may retry it.
    Skipped,
    /// Another facilitator accepted it.
    TakenByOther,
    /// The chains say something that no rule covers; an operator must look.
    Unknown,
}

named! {
    /// The step of a request's life that failed.
    Stage, "stage" {
        /// Accepting.
        Accept = "accept",
        /// Proving the gateway.
        Prove = "prove",
        /// Confirming.
        Confirm = "confirm",
        /// Progressing on the source.
        ProgressSource = "progress_source",
        /// Progressing on the target.
        ProgressTarget = "progress_target",
    }
}

impl State {
    /// Every state.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Requested,
            Self::Accepted,
            Self::AccountProven,
            Self::IntentConfirmed,
            Self::SourceProgressed,
            Self::TargetProgressed,
            Self::Complete,
            Self::Rejected,
            Self::Revoked,
            Self::Skipped,
            Self::TakenByOther,
            Self::Unknown,
        ];
        all.extend(Stage::ALL.iter().map(|stage| Self::Failed(*stage)));
        all
    }

    /// Whether nothing more happens by itself.
    #[must_use]
    pub const fn is_end(self) -> bool {
        match self {
            Self::Complete | Self::Rejected | Self::Revoked | Self::Skipped | Self::TakenByOther => true,
            Self::Requested
            | Self::Accepted
            | Self::AccountProven
            | Self::IntentConfirmed
            | Self::SourceProgressed
            | Self::TargetProgressed
            | Self::Failed(_)
            | Self::Unknown => false,
        }
    }

    /// The stored name of the state for a request of this kind.
    #[must_use]
    pub const fn name(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Requested, _) => "REQUESTED",
            (Self::Accepted, _) => "ACCEPTED",
            (Self::AccountProven, _) => "ACCOUNT_PROVEN",
            (Self::IntentConfirmed, Kind::Stake) => "STAKE_INTENT_CONFIRMED",
            (Self::IntentConfirmed, Kind::Redeem) => "REDEEM_INTENT_CONFIRMED",
            (Self::SourceProgressed, Kind::Stake) => "PROGRESS_STAKE",
            (Self::SourceProgressed, Kind::Redeem) => "PROGRESS_REDEEM",
            (Self::TargetProgressed, Kind::Stake) => "PROGRESS_MINT",
            (Self::TargetProgressed, Kind::Redeem) => "PROGRESS_UNSTAKE",
            (Self::Complete, _) => "COMPLETE",
            (Self::Failed(Stage::Accept), _) => "ACCEPTED_FAILED",
            (Self::Failed(Stage::Prove), _) => "ACCOUNT_PROVEN_FAILED",
            (Self::Failed(Stage::Confirm), Kind::Stake) => "STAKE_INTENT_CONFIRMED_FAILED",
            (Self::Failed(Stage::Confirm), Kind::Redeem) => "REDEEM_INTENT_CONFIRMED_FAILED",
            (Self::Failed(Stage::ProgressSource), Kind::Stake) => "PROGRESS_STAKE_FAILED",
            (Self::Failed(Stage::ProgressSource), Kind::Redeem) => "PROGRESS_REDEEM_FAILED",
            (Self::Failed(Stage::ProgressTarget), Kind::Stake) => "PROGRESS_MINT_FAILED",
            (Self::Failed(Stage::ProgressTarget), Kind::Redeem) => "PROGRESS_UNSTAKE_FAILED",
            (Self::Rejected, _) => "REJECTED",
            (Self::Revoked, _) => "REVOKED",
            (Self::Skipped, _) => "SKIPPED",
            (Self::TakenByOther, _) => "TAKEN_BY_OTHER",
            (Self::Unknown, _) => "UNKNOWN",
        }
    }

    /// The state of a stored name, whichever kind it belongs to.
    ///
    /// # Errors
    /// [`UnknownName`] if no state has the name.
    pub fn from_name(text: &str) -> Result<Self, UnknownName> {
        let named = |state: &Self| Kind::ALL.iter().any(|kind| state.name(*kind) == text);
        Self::all().into_iter().find(named).ok_or_else(|| UnknownName { what: "state", text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_state() {
        for state in State::all() {
            for kind in Kind::ALL {
                assert_eq!(State::from_name(state.name(*kind)), Ok(state));
            }
        }
        assert!(State::from_name("DONE").is_err());
    }
}
