//! What scanners say to one another through the parent, and to the parent.

use super::event::Level;
use bincode::{Decode, Encode};
use facilitator_eth::{Address, B256};
use facilitator_protocol::model::Side;
use std::fmt;

/// Where a chain stands. Ordered: a later one is nearer to work, but for [`Stage::Resync`], which comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Stage {
    /// Has fallen behind or may not go on, and begins anew.
    Resync,
    /// Reads up to the block that was finalized when the stage began. Needs nothing of the other chain.
    CheckpointSync,
    /// Reads from there to the head, as far as confirmations allow. Needs nothing of the other chain.
    DagSync,
    /// Has read everything and waits for the other chain; goes on recording.
    HeadSyncReady,
    /// The anchored state roots are compared.
    HeadSync,
    /// Both chains agree: work may be done.
    Working,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 6] =
        [Self::Resync, Self::CheckpointSync, Self::DagSync, Self::HeadSyncReady, Self::HeadSync, Self::Working];

    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resync => "resync",
            Self::CheckpointSync => "checkpoint-sync",
            Self::DagSync => "dag-sync",
            Self::HeadSyncReady => "head-sync-ready",
            Self::HeadSync => "head-sync",
            Self::Working => "working",
        }
    }

    /// Whether the chain still reads what is behind it, whatever the other one does.
    #[must_use]
    pub const fn is_catching_up(self) -> bool {
        match self {
            Self::Resync | Self::CheckpointSync | Self::DagSync => true,
            Self::HeadSyncReady | Self::HeadSync | Self::Working => false,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A block of the one chain whose state root the other chain's anchor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Checkpoint {
    /// Height.
    pub number: u64,
    /// Hash, as the chain says.
    pub hash: B256,
    /// State root, as the chain says.
    pub state_root: B256,
}

/// Names one handshake. A coordinator never uses one twice, and each life of its process has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Round {
    /// The coordinator's life: the number given to [`super::Machine::begin`].
    pub life: u64,
    /// Counts the handshakes of that life.
    pub number: u64,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.life, self.number)
    }
}

/// From one scanner to the other.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum PeerMessage {
    /// Coordinator: is the follower ready, and does it know this checkpoint?
    HeadSyncReady {
        /// The handshake.
        round: Round,
        /// Newest block that is finalized here and whose root is anchored there; block 0 if there is none.
        checkpoint: Checkpoint,
    },
    /// Follower: it is, or why not.
    ReadyReply {
        /// The handshake.
        round: Round,
        /// `Ok` means `true`.
        result: Result<(), Refusal>,
    },
    /// Coordinator: every root that was anchored for a block after the checkpoint, up to the head.
    HeadSync {
        /// The handshake.
        round: Round,
        /// Own blocks.
        items: Vec<Checkpoint>,
    },
    /// Follower: all of them are in its anchor, or why not.
    HeadSyncReply {
        /// The handshake.
        round: Round,
        /// The follower's blocks whose roots the coordinator's anchor holds, for the same comparison the other way;
        /// none if nothing was anchored there.
        result: Result<Vec<Checkpoint>, Refusal>,
    },
    /// Coordinator: both agree, work. Follower: it does.
    Working {
        /// The handshake.
        round: Round,
    },
}

/// Why a scanner does not go along with the other one's message. The words are those of the systems that this
/// handshake comes from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Encode, Decode)]
pub enum Refusal {
    /// The checkpoint lacks hash or state root, or items contradict each other.
    #[error("bad params")]
    BadParams,
    /// Nothing of the kind is anchored.
    #[error("unknown spine hash")]
    UnknownSpineHash,
    /// The block that anchored it is not finalized. An older checkpoint may do.
    #[error("checkpoint not finalized")]
    NotFinalized {
        /// The last block that is.
        finalized: u64,
    },
    /// The root is anchored for another height.
    #[error("checkpoint bad number")]
    BadNumber,
    /// The coordinator's node no longer has the state at the checkpoint. Found by the coordinator, the only one who can
    /// ask that node.
    #[error("checkpoint state not found")]
    StateNotFound,
    /// In working mode there is nothing to synchronise.
    #[error("procedure is locked")]
    Locked,
    /// An earlier message is still being looked into.
    #[error("busy")]
    Busy,
    /// Head-sync was not agreed upon, or the agreement has lapsed.
    #[error("not ready")]
    NotReady,
    /// Still reading what is behind.
    #[error("synchronization")]
    Synchronization,
    /// The scanner of the other chain does not run. Said by the parent in its place.
    #[error("not connected")]
    NotConnected,
    /// A node or the database could not be asked.
    #[error("could not be looked up: {0}")]
    LookUp(String),
    /// The chains contradict each other.
    #[error(transparent)]
    Differs(Difference),
}

impl Refusal {
    /// How loud it is: what mends itself by waiting or by the next attempt is as it should be.
    pub(super) const fn level(&self) -> Level {
        match self {
            Self::Locked
            | Self::Busy
            | Self::NotReady
            | Self::Synchronization
            | Self::NotConnected
            | Self::NotFinalized { .. } => Level::Info,
            Self::BadParams
            | Self::UnknownSpineHash
            | Self::BadNumber
            | Self::StateNotFound
            | Self::LookUp(_)
            | Self::Differs(_) => Level::Warn,
        }
    }

    /// Whether it only means that one has to wait: not counted as a failure.
    #[must_use]
    pub const fn is_wait(&self) -> bool {
        match self {
            Self::Locked
            | Self::Busy
            | Self::NotReady
            | Self::Synchronization
            | Self::NotConnected
            | Self::LookUp(_) => true,
            Self::BadParams
            | Self::UnknownSpineHash
            | Self::NotFinalized { .. }
            | Self::BadNumber
            | Self::StateNotFound
            | Self::Differs(_) => false,
        }
    }
}

/// An anchor holds another root than the block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Encode, Decode)]
#[error(
    "anchored state root differs: block {number} of the {side} chain has state root {found}, anchor {anchor} on the {} \
     chain holds {anchored}",
    side.other()
)]
pub struct Difference {
    /// Whose block.
    pub side: Side,
    /// Its height.
    pub number: u64,
    /// The root that the block has.
    pub found: B256,
    /// The anchor on the other chain.
    pub anchor: Address,
    /// The root that it holds.
    pub anchored: B256,
}

/// How a chain stands, for the parent, the other scanner, the database and the operator.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Standing {
    /// The stage.
    pub stage: Stage,
    /// The handshake under way or agreed, in [`Stage::HeadSync`] and [`Stage::Working`].
    pub round: Option<Round>,
    /// First block that was not yet read when this process or the last re-sync began.
    pub starting_block: u64,
    /// Last block read.
    pub current_block: Option<u64>,
    /// Block that the stage is to reach; in the later stages the newest one with its confirmations.
    pub highest_block: Option<u64>,
    /// Height of the coordinator's checkpoint that was agreed last.
    pub last_coord: Option<u64>,
    /// Newest block seen.
    pub max_block: Option<u64>,
    /// Since when it is in this stage, in the caller's milliseconds.
    pub since_ms: u64,
    /// Since when it waits for the other chain or works, in the caller's milliseconds.
    pub ready_since_ms: Option<u64>,
    /// What went wrong last, or what it waits for; `None` once it works.
    pub last_error: Option<String>,
}

/// Scanner to parent.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Said {
    /// At each change and once each interval.
    Standing(Standing),
    /// To be relayed.
    Message(PeerMessage),
}

/// What the parent has last heard of the other scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Peer {
    /// Its stage.
    pub stage: Stage,
    /// Its handshake.
    pub round: Option<Round>,
}

/// Parent to scanner.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Relayed {
    /// How the other scanner stands; `None`: it does not run.
    Peer(Option<Peer>),
    /// Its message.
    Message(PeerMessage),
}
