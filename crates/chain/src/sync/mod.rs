//! The synchronisation of a chain pair in stages: no work before both chains have been read to their heads and agree on
//! what is anchored. Pure: events in, effects out; the loops belong to scanner and parent.
//!
//! Each chain's scanner drives one [`Machine`] through `checkpoint-sync` (up to the finalized block), `dag-sync` (up to
//! the head, as far as confirmations allow), `head-sync-ready`, `head-sync` and `working`; a chain that falls two epochs
//! behind, or whose connector halts, goes through `resync` back to the beginning. The first two stages need nothing of
//! the other chain. Whoever is ready first waits for the other: it goes on reading and storing, nothing is done with
//! it.
//!
//! The origin chain coordinates, the auxiliary chain follows:
//!
//! ```text
//! coordinator (origin)                    parent: PairGate                     follower (auxiliary)
//!   head-sync-ready ── HeadSyncReady{round, checkpoint} ──▶  is it anchored here, finally?
//!                   ◀── ReadyReply{Ok | refusal} ──────────  ready; lapses after 120 s
//!   head-sync ──────── HeadSync{round, later blocks} ─────▶  head-sync: do the anchored roots equal theirs?
//!   and the other way ◀── HeadSyncReply{own blocks} ───────  yes
//!   working ─────────── Working{round} ──────────────────▶  working
//!                   ◀── Working{round} ────────────────────
//! ```
//!
//! The coordinator asks once each interval, for ever; nothing that the other says ends a machine. A refusal or an error
//! leads both back to `head-sync-ready` with the same timer. A contradiction between an anchored root and a block is an
//! alarm at once, other failures after ten in a row. When one side's scanner ends or falls back, the other one falls
//! back to `head-sync-ready` without being restarted.
//!
//! What has to be read between the lines of the description this follows:
//! - *Checkpoint to go on from after a restart*: the database's own. It only ever is a block with its confirmations, and
//!   what follows it was never stored; so a restarted scanner begins neither at 0 nor at the last head, and there are no
//!   rows beyond it to be taken back.
//! - *Finalized*: the node's tag; without it the first block of the epoch two before the head's. Where confirmations
//!   reach deeper than finality, the stage ends with the confirmations.
//! - *Checkpoint sent*: the newest own block that is finalized here and whose root is anchored there. If the other side
//!   says that the anchoring is not finalized, the next one sent is old enough; block 0 needs no validation, so that a
//!   pair without anchored roots (or on a chain that mines on demand and finalizes nothing) works: then every root is
//!   compared as an item. The root given to an anchor's constructor is in no event: such an anchor counts as empty.
//! - *State of the checkpoint*: only the coordinator's scanner can ask its node, so it refuses itself with the same words.
//! - *Two epochs behind*: counted from the head up to which the chain has been followed, not from the last block read, so
//!   that confirmations longer than an epoch are no lag.
//!
//! A root anchored from an orphaned block keeps the pair from working until a right root of a later block is anchored and
//! final: then that one is the checkpoint, and the older one is compared no more.

mod compare;
mod coordinator;
mod event;
mod follower;
mod gate;
mod machine;
mod message;
mod settings;
mod voice;
mod words;

pub use event::{
    AnchoredRoot, BlockFacts, ChainView, Connector, Effect, Event, Finding, Level, LookUp, LookUpNo, Whose,
};
pub use gate::{GateEffect, PairGate};
pub use machine::{Chain, Machine};
pub use message::{Checkpoint, Difference, Peer, PeerMessage, Refusal, Relayed, Round, Said, Stage, Standing};
pub use settings::Settings;
pub use words::SyncRow;

#[cfg(test)]
mod pair_tests;
#[cfg(test)]
mod rig;
