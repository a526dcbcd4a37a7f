//! The journal of transactions: what was intended, signed, sent and mined on one chain.
//!
//! Invariants, kept by unique indexes rather than by the caller: one live entry an intent; one live entry an account and
//! nonce; signed bytes are never changed or forgotten. Nothing is written about an account but by the holder of its
//! lease, checked in the same database transaction (law 5). Whatever wakes a request does so in the transaction that records
//! why (so a crash loses neither or both).
//!
//! Left to the sender: every decision. The journal knows no fees, no nodes and no clock.

mod fence;
mod mark;
mod queue;
mod read;
mod types;

pub use types::{
    Allowance, Attempt, Entry, EntryId, EntryState, Failed, Failure, Inclusion, NewEntry, Notify, Origin, Queued, Sent,
    Signature, Visibility,
};

pub use read::Transaction;

use crate::db::Db;

/// The journal of one chain. Cheap to clone.
///
/// ```text
/// queue(&[NewEntry], now)                     -> Vec<Queued>     idempotent, in the order given
/// sign(&[Signature], now)                                        all or none; adds an attempt to each
/// sent(&[Sent], now)                                             after the hand-over to a node
/// mined(&[(EntryId, Inclusion)], Notify, now)                    success in a block
/// reopen(&[EntryId], now)                                        the block vanished: Mined/Final -> Broadcast
/// supersede(&[EntryId], now)                                     the effect vanished later: the intent is free again
/// requeue(&[EntryId], now)                                     a foreign transaction took the nonce
/// finalise(&[EntryId], Notify, now)                              Mined -> Final
/// fail(&[Failed], now)                                           never mined, or reverted
/// note(&[(EntryId, Option<String>)], now)                        why it waits, for the operator
/// ```
///
/// Each of these takes the leases under which it is written first, and fails with
/// [`crate::StoreError::LeaseLost`], changing nothing, if somebody else has taken one of the accounts over.
///
/// ```text
/// live() / by_intent / of_account / entry / highest_nonce / last_account
/// ```
#[derive(Debug, Clone)]
pub struct Journal {
    pub(crate) db: Db,
    pub(crate) chain_id: u64,
}

impl Journal {
    /// The chain.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }
}
