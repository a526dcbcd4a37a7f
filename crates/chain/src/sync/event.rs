//! What a machine is told, and what it wants done.

use super::message::{Checkpoint, Refusal, Relayed, Said, Stage, Standing};
use facilitator_eth::{Address, B256};

/// The chain as its scanner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainView {
    /// First block whose events are not yet stored.
    pub next: u64,
    /// Newest block.
    pub head: u64,
    /// The node's `finalized` block, if it has that tag.
    pub finalized: Option<u64>,
}

/// Whether the connector to the chain's endpoints lets the chain be worked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connector {
    /// It connects, compares or fetches. A chain that works goes on working meanwhile, until it is too far behind.
    Behind,
    /// It has come to the head and waits for the pair, or goes on from there.
    AtHead,
    /// Something only an operator or time can mend, in words: the chain stops working at once.
    Halted(String),
}

/// Names one look-up, unique within a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookUpNo(pub u64);

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Nothing but time. To be told several times in each interval, whatever else happens.
    Tick,
    /// At each new head *before* the blocks up to it are read, and after each range that was stored or undone.
    Chain(ChainView),
    /// The connector's state changed.
    Connector(Connector),
    /// From the parent.
    Relayed(Relayed),
    /// An answer.
    Found(LookUpNo, Result<Finding, String>),
}

/// Whose blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Of this chain, anchored on the other one.
    Own,
    /// Of the other chain, anchored on this one.
    Other,
}

/// Something to be looked up. Each one must be answered with [`Event::Found`] unless the process ends, in the end with
/// an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUp {
    /// Roots in the configured anchors, from the database. Answer: [`Finding::Roots`].
    Roots {
        /// Of whose blocks.
        whose: Whose,
        /// Most roots, those of the greatest heights.
        limit: usize,
    },
    /// Blocks of the own chain, from the elected endpoint. Answer: [`Finding::Blocks`].
    Blocks(Vec<u64>),
    /// Whether the endpoint still has the state after this own block, e.g. answers `eth_getProof` there. Answer:
    /// [`Finding::State`].
    State(u64),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// In any order; a height appears once for each anchor that holds it.
    Roots(Vec<AnchoredRoot>),
    /// Those that the endpoint has.
    Blocks(Vec<BlockFacts>),
    /// Whether the state is there.
    State(bool),
}

/// A state root of one chain that an anchor on the other one has published, with confirmations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnchoredRoot {
    /// The anchor.
    pub anchor: Address,
    /// Height of the block whose root it is.
    pub number: u64,
    /// The root.
    pub root: B256,
    /// Block of the anchor's chain that published it.
    pub anchored_in: u64,
}

/// What is known of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockFacts {
    /// Height, hash and state root as the endpoint says.
    pub block: Checkpoint,
    /// The hash that was stored when the block was scanned, if it still is remembered.
    pub stored: Option<B256>,
}

/// How loud a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// Not as it should be, but seen to.
    Warn,
}

/// Something to be done. The effects of one event are to be carried out in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The chain stops working: the connector returns to waiting for the pair. Comes before the parent is told, which
    /// pauses the workers.
    PauseWork {
        /// Why.
        why: String,
    },
    /// The stage changed: log it and store the standing.
    EnterStage {
        /// The stage before.
        from: Stage,
        /// As it is now.
        standing: Standing,
        /// What led to it.
        why: String,
    },
    /// The chain is in working mode: the connector may go on to sampling. The parent decides by itself when the pair is.
    ResumeWork,
    /// Tell the parent.
    Say(Said),
    /// Look something up; scanning must not wait for it.
    LookUp(LookUpNo, LookUp),
    /// A line for the log.
    Log(Level, String),
    /// An alarm for the operator.
    Critical(String),
}

impl Finding {
    pub(super) fn roots(self) -> Result<Vec<AnchoredRoot>, Refusal> {
        match self {
            Self::Roots(roots) => Ok(roots),
            Self::Blocks(_) | Self::State(_) => Err(other_answer()),
        }
    }

    pub(super) fn blocks(self) -> Result<Vec<BlockFacts>, Refusal> {
        match self {
            Self::Blocks(blocks) => Ok(blocks),
            Self::Roots(_) | Self::State(_) => Err(other_answer()),
        }
    }

    pub(super) fn state(self) -> Result<bool, Refusal> {
        match self {
            Self::State(there) => Ok(there),
            Self::Roots(_) | Self::Blocks(_) => Err(other_answer()),
        }
    }
}

fn other_answer() -> Refusal {
    Refusal::LookUp("the answer belongs to another question".to_owned())
}
