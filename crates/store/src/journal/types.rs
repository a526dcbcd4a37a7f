//! What the journal speaks about: an intent, its entry, the attempts to carry it out, and their end.

use crate::names::stored_names;
use facilitator_eth::{Address, B256, Bytes, U256, tx::Fee};
use facilitator_protocol::model::{RequestId, Step};
use std::fmt;

/// The row number of a journal entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub i64);

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

stored_names! {
    /// How far an entry is. `Queued → Signed → Broadcast → Mined → Final`, or `Failed` from anywhere before `Final`.
    EntryState, "state of a transaction" {
        /// Persisted, not yet signed: nothing of it has left the process.
        Queued = "queued",
        /// The newest attempt is signed and persisted, but not known to have reached a node.
        Signed = "signed",
        /// The newest attempt was handed to a node.
        Broadcast = "broadcast",
        /// An attempt stands in a block and succeeded, not yet n confirmations deep.
        Mined = "mined",
        /// Succeeded, n confirmations deep.
        Final = "final",
        /// Never mined or reverted; the intent may be queued again as a new entry.
        Failed = "failed",
    }
}

stored_names! {
    /// Whether the call data may stand in the database before the chain has published it (law 3).
    Visibility, "visibility" {
        /// Everything in it is public.
        Public = "public",
        /// It reveals an unlock secret: no call data is stored, only the signed bytes once they exist.
        Reveals = "reveals",
    }
}

/// What an accept takes from the allowance of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The token whose allowance is spent.
    pub token: Address,
    /// Who spends it.
    pub spender: Address,
    /// Smallest units of the token.
    pub amount: U256,
}

/// An effect that somebody wants on the chain of the journal.
#[derive(Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Names the effect (`accept:<request>`, `prove:<cogateway>:<height>`); one live entry at most has it.
    pub intent: String,
    /// The request that wants it and is woken by its end; `None` for the sender's own.
    pub request_id: Option<RequestId>,
    /// What it is for.
    pub step: Step,
    /// Who must sign; `None` leaves the choice to the sender.
    pub account: Option<Address>,
    /// Receiver of the call.
    pub to: Address,
    /// Base coin sent along, in wei.
    pub value: U256,
    /// Call data. Ignored, not stored, for [`Visibility::Reveals`].
    pub data: Bytes,
    /// Whether `data` may be stored.
    pub visibility: Visibility,
    /// The intent that must be mined successfully before this one is estimated.
    pub after: Option<String>,
    /// What it takes from an allowance.
    pub allowance: Option<Allowance>,
    /// The word that a call of it must return before it is signed.
    pub expect: Option<B256>,
}

impl fmt::Debug for NewEntry {
    /// Never shows call data: it may hold an unlock secret that is not public yet (law 4).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEntry")
            .field("intent", &self.intent)
            .field("request_id", &self.request_id)
            .field("account", &self.account)
            .field("to", &self.to)
            .field("data", &format_args!("[{} bytes]", self.data.0.len()))
            .field("visibility", &self.visibility)
            .finish_non_exhaustive()
    }
}

/// One signed transaction of an entry; a replacement is a further attempt with the same nonce.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// Hash of the transaction.
    pub hash: B256,
    /// The signed bytes: after a restart these are sent again, never others (law 2).
    pub raw: Bytes,
    /// Gas limit.
    pub gas_limit: u64,
    /// Fee fields.
    pub fee: Fee,
    /// Unix time in milliseconds.
    pub signed_at_ms: i64,
    /// First hand-over to a node, Unix time in milliseconds; `None` if it may never have left.
    pub broadcast_at_ms: Option<i64>,
    /// Head of the chain at the first hand-over.
    pub broadcast_block: Option<u64>,
}

impl fmt::Debug for Attempt {
    /// Never shows the signed bytes: the call data in them may not have left yet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("number", &self.number)
            .field("hash", &self.hash)
            .field("raw", &format_args!("[{} bytes]", self.raw.0.len()))
            .field("broadcast_block", &self.broadcast_block)
            .finish_non_exhaustive()
    }
}

/// Where an entry's transaction stands on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inclusion {
    /// The attempt that was mined.
    pub hash: B256,
    /// Its block.
    pub block_number: u64,
    /// The hash of the block, by which a reorg is noticed.
    pub block_hash: B256,
    /// Gas used.
    pub gas_used: u64,
    /// Price paid per unit of gas, in wei.
    pub gas_price: U256,
}

/// Why an entry failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A short name that the sender can match.
    pub kind: String,
    /// The reason in words for the operator.
    pub message: String,
    /// Whatever else the sender needs to rebuild its own error, in a text form of its choice.
    pub detail: Option<String>,
}

/// An entry of the journal with all its attempts, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Row number; ascending in the order of queueing.
    pub id: EntryId,
    /// Names the effect.
    pub intent: String,
    /// The request that wanted it first.
    pub request_id: Option<RequestId>,
    /// The hash of that request, by which operators know it.
    pub request_hash: Option<B256>,
    /// The chain.
    pub chain_id: u64,
    /// What it is for.
    pub step: Step,
    /// Who signs, once chosen.
    pub account: Option<Address>,
    /// Receiver of the call.
    pub to: Address,
    /// Base coin sent along, in wei.
    pub value: U256,
    /// Call data; `None` for [`Visibility::Reveals`].
    pub data: Option<Bytes>,
    /// Whether the call data may be stored.
    pub visibility: Visibility,
    /// The intent that must be mined first.
    pub after: Option<String>,
    /// What it takes from an allowance.
    pub allowance: Option<Allowance>,
    /// The word that a call of it must return.
    pub expect: Option<B256>,
    /// How far it is.
    pub state: EntryState,
    /// Account nonce, from the first signature on.
    pub nonce: Option<u64>,
    /// Every signed transaction of it, oldest first.
    pub attempts: Vec<Attempt>,
    /// Where it stands on the chain; also for a reverted one.
    pub inclusion: Option<Inclusion>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Why it waits, in words for the operator.
    pub waiting_for: Option<String>,
    /// Unix time in milliseconds.
    pub created_at_ms: i64,
    /// Unix time in milliseconds.
    pub updated_at_ms: i64,
}

/// What [`super::Journal::queue`] found or made of one intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The live entry of the intent.
    pub entry: Entry,
    /// Whether this call made it.
    pub origin: Origin,
}

/// Whether an entry was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Made by this call.
    New,
    /// It was there, in whatever state; the request now waits for it too.
    Existing,
}

/// A signature to persist before its transaction may leave the process.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    /// The entry.
    pub id: EntryId,
    /// Who signed.
    pub account: Address,
    /// Account nonce; equal to that of earlier attempts.
    pub nonce: u64,
    /// Hash of the transaction.
    pub hash: B256,
    /// The signed bytes.
    pub raw: Bytes,
    /// Gas limit.
    pub gas_limit: u64,
    /// Fee fields.
    pub fee: Fee,
}

impl fmt::Debug for Signature {
    /// Never shows the signed bytes: nothing of them has left yet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature")
            .field("id", &self.id)
            .field("account", &self.account)
            .field("nonce", &self.nonce)
            .field("hash", &self.hash)
            .field("raw", &format_args!("[{} bytes]", self.raw.0.len()))
            .finish_non_exhaustive()
    }
}

/// A transaction that was handed to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The entry.
    pub id: EntryId,
    /// The attempt.
    pub hash: B256,
    /// Head of the chain at that time.
    pub block: u64,
}

/// An entry that ended badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The entry.
    pub id: EntryId,
    /// Where the reverted transaction stands; `None` if none of its attempts was mined, which frees its nonce.
    pub inclusion: Option<Inclusion>,
    /// Why.
    pub failure: Failure,
}

/// Whether the requests that wait for an entry are woken by what happened to it. A failure always wakes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    /// They have something to do now.
    Waiting,
    /// They will be told by a scanned event, or have nothing to do yet.
    Nobody,
}
