//! Laws turned off one at a time, to show that the invariants would notice.
//!
//! Each is made where the simulated surroundings meet the product's code, which stays as it is.
//! The crate's README lists them law by law, beside those to be made by hand in the product's code.

use facilitator_protocol::model::Kind;

/// What is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// Nothing.
    None,
    /// Law 2: a worker hears that its attempt is committed, but it isn't.
    AcceptBeforePersisting,
    /// Law 2: the sender hears that its signatures are committed; they are only once the node has them.
    BroadcastBeforeJournal,
    /// Law 3: every sender process derives secrets from a key of its own.
    NewSecretAfterRestart,
    /// Law 4: the newest block is taken for a final one where the inbox is asked for.
    ProgressBeforeFinal,
    /// Law 5: the account's next nonce is a counter that only goes up.
    NonceCounter,
    /// Law 5: a sender that was replaced goes on signing, and no lease stops it.
    NoFencing,
    /// Law 5: a sender that was replaced goes on queueing intents, and no lease stops it.
    UnfencedIntents,
    /// Law 6: the checkpoint is committed before its events.
    CheckpointWithoutEvents,
    /// Law 6: nothing is waited for before it is acted upon.
    ActBeforeConfirmations,
    /// Law 6: following a fork moves the checkpoint and undoes nothing.
    ForkWithoutUndoing,
    /// Law 7: a new parent leaves the claims of the last one.
    ClaimsOutliveParent,
    /// Law 7: submitting again after a death is a new intent.
    FreshIntentKey,
    /// Law 10: the allowance is as large as can be.
    UnlimitedAllowance,
    /// Law 10: an accept takes more base coin along than the bounty.
    MoreThanTheBounty,
    /// Law 10: a request's gateway is taken for a configured one.
    TrustEventGateway,
}

impl Mutation {
    /// Whether a sender that was replaced can still write into the journal.
    pub(crate) const fn lets_the_dead_write(self) -> bool {
        matches!(self, Self::NoFencing | Self::UnfencedIntents)
    }

    /// All that are wrong.
    pub const ALL: &[Self] = &[
        Self::AcceptBeforePersisting,
        Self::BroadcastBeforeJournal,
        Self::NewSecretAfterRestart,
        Self::ProgressBeforeFinal,
        Self::NonceCounter,
        Self::NoFencing,
        Self::UnfencedIntents,
        Self::CheckpointWithoutEvents,
        Self::ActBeforeConfirmations,
        Self::ForkWithoutUndoing,
        Self::ClaimsOutliveParent,
        Self::FreshIntentKey,
        Self::UnlimitedAllowance,
        Self::MoreThanTheBounty,
        Self::TrustEventGateway,
    ];

    /// The directions in which it can be wrong: stakes alone need an allowance, and redeems alone take coin along.
    #[must_use]
    pub const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::UnlimitedAllowance => &[Kind::Stake],
            Self::MoreThanTheBounty => &[Kind::Redeem],
            Self::None
            | Self::AcceptBeforePersisting
            | Self::BroadcastBeforeJournal
            | Self::NewSecretAfterRestart
            | Self::ProgressBeforeFinal
            | Self::NonceCounter
            | Self::NoFencing
            | Self::UnfencedIntents
            | Self::CheckpointWithoutEvents
            | Self::ActBeforeConfirmations
            | Self::ForkWithoutUndoing
            | Self::ClaimsOutliveParent
            | Self::FreshIntentKey
            | Self::TrustEventGateway => Kind::ALL,
        }
    }
}
