//! What goes into the machine and what comes out.

use crate::{
    connector::EndpointId,
    rpc::RpcError,
    scan::{Checkpoint, FetchError, Span},
};
use facilitator_eth::B256;
use std::fmt;

/// Where the connector stands (neighbours.md P10–P15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Too few endpoints are connected.
    Connecting,
    /// Asks all endpoints for their heads and elects one.
    HighestBlock,
    /// Compares the elected endpoint's blocks with the remembered ones.
    ForkDetect,
    /// Reads what is missing.
    FetchBlocks,
    /// In step; with [`super::super::Settings::wait_for_pair`] waits here for the other chain.
    Rebuild,
    /// In step and at work: follows new heads and takes samples.
    Sampling,
}

impl State {
    /// Its name in database, status and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "Connecting",
            Self::HighestBlock => "HighestBlock",
            Self::ForkDetect => "ForkDetect",
            Self::FetchBlocks => "FetchBlocks",
            Self::Rebuild => "Rebuild",
            Self::Sampling => "Sampling",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the chain may be acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Not in step, or not to be trusted: no new claims, no transactions.
    Resynchronise,
    /// In step.
    Normal,
}

impl Mode {
    /// Its name in database, status and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resynchronise => "Resynchronise",
            Self::Normal => "Normal",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Time passed: due at [`super::Connector::next_tick`], harmless at any other time.
    Tick,
    /// An endpoint's newest block: the answer to [`Effect::AskHead`], or pushed by a subscription.
    Head {
        /// Who.
        endpoint: EndpointId,
        /// The chain it serves, if it was asked.
        chain_id: Option<u64>,
        /// The block.
        block: Checkpoint,
        /// Time of the answer; `None` if it was pushed.
        latency_ms: Option<u64>,
    },
    /// The answer to [`Effect::AskHash`].
    Hash {
        /// Who.
        endpoint: EndpointId,
        /// The height asked for.
        number: u64,
        /// Its hash; `None` if the endpoint doesn't have the block.
        hash: Option<B256>,
        /// Time of the answer.
        latency_ms: u64,
    },
    /// [`Effect::AskHead`] or [`Effect::AskHash`] has no usable answer.
    Failed {
        /// Who.
        endpoint: EndpointId,
        /// Why.
        error: RpcError,
    },
    /// An endpoint was caught with a false answer.
    Lied {
        /// Who.
        endpoint: EndpointId,
        /// What is wrong, for operators.
        message: String,
    },
    /// Something else that was read from an endpoint could be had: events of released blocks.
    Read {
        /// From whom.
        endpoint: EndpointId,
    },
    /// It could not be had.
    ReadFailed {
        /// From whom.
        endpoint: EndpointId,
        /// Why.
        error: RpcError,
    },
    /// An endpoint pushes its heads from now on (`true`) or no longer.
    Subscribed {
        /// Who.
        endpoint: EndpointId,
        /// Whether it does.
        subscribed: bool,
    },
    /// A range was read, linked and checked, and is being stored: the next may be read meanwhile. May be left out.
    RangeRead {
        /// The ticket of [`Effect::FetchRange`].
        ticket: u64,
    },
    /// A range was stored. Ranges are stored in the order of their tickets.
    RangeStored {
        /// The ticket of [`Effect::FetchRange`].
        ticket: u64,
        /// The blocks now remembered, ascending: the last one of the range must be among them.
        blocks: Vec<Checkpoint>,
    },
    /// A range was not stored, nor anything after it.
    RangeFailed {
        /// The ticket of [`Effect::FetchRange`].
        ticket: u64,
        /// Why.
        error: RangeError,
    },
    /// [`Effect::DeleteAbove`] is committed.
    Deleted {
        /// The newest block left.
        to: Checkpoint,
    },
    /// [`Effect::DeleteAbove`] changed nothing, e.g. because the database is busy.
    DeleteFailed,
    /// The operator rewound the chain (or had it scanned anew): what is remembered now. No range may be under way.
    Rewound {
        /// The remembered blocks.
        blocks: Vec<Checkpoint>,
        /// The newest block whose events are stored.
        released: Option<u64>,
    },
    /// The other chain is ready too.
    Opened,
    /// The pair must synchronise again.
    Closed,
}

/// Why a range was not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeError {
    /// It could not be read, or contradicts the block headers or another endpoint.
    Fetch(FetchError),
    /// It doesn't continue the block stored before, or its own blocks don't link.
    NotLinked,
    /// The witness could not say whether it is so.
    Witness {
        /// Who.
        witness: EndpointId,
        /// Why.
        error: FetchError,
    },
    /// The database refused; not the endpoint's fault.
    Store {
        /// What it said.
        message: String,
    },
    /// It is to be read again at once, and more carefully: nobody is to blame yet.
    Again,
}

/// Whose word must agree with that of the endpoint that is read, where nothing proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// This endpoint's.
    Of(EndpointId),
    /// Nobody's: one endpoint suffices for an election, and no other is well.
    NotNeeded,
    /// That of whoever the next election finds: until then nothing is read that needs one.
    Awaited,
}

/// How much of a range is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All headers, no logs: events follow with [`Effect::Release`].
    Every,
    /// The events with the headers of the ends and of blocks with events. The range is deep below what a quorum has
    /// reached: its events are stored with it at once.
    Ends,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask for the newest block; answer with [`Event::Head`] or [`Event::Failed`].
    AskHead {
        /// Whom.
        endpoint: EndpointId,
        /// Ask for the chain id as well, in the same request.
        with_chain_id: bool,
    },
    /// Ask for the hash at a height; answer with [`Event::Hash`] or [`Event::Failed`].
    AskHash {
        /// Whom.
        endpoint: EndpointId,
        /// The height.
        number: u64,
    },
    /// Read and store a range; answer with [`Event::RangeStored`] or [`Event::RangeFailed`].
    FetchRange {
        /// Names the range; rising.
        ticket: u64,
        /// Whom to read it from.
        endpoint: EndpointId,
        /// Another endpoint of the same opinion, to check a range of [`Keep::Ends`] against.
        witness: Option<EndpointId>,
        /// The blocks.
        span: Span,
        /// What of them.
        keep: Keep,
    },
    /// Events of blocks up to here may be stored: a quorum of endpoints has it under its confirmations.
    Release {
        /// The block.
        to: Checkpoint,
    },
    /// Forget all remembered blocks above `to` and undo, in one transaction, what was derived from them; answer with
    /// [`Event::Deleted`] or [`Event::DeleteFailed`].
    DeleteAbove {
        /// The newest block to keep.
        to: Checkpoint,
        /// Whether blocks with stored events are among those removed; if not, the checkpoint must stay where it is.
        undo_events: bool,
    },
    /// Forget all remembered blocks and undo, in one transaction, what was derived from them: a fork goes back beyond the
    /// first block that matters, and is not too deep. Answer with [`Event::Rewound`] or [`Event::DeleteFailed`].
    DeleteAll {
        /// The block before the first one that matters.
        below: u64,
    },
    /// Entered [`State::Rebuild`] to wait for the other chain.
    Ready,
    /// Whether the chain may be acted upon has changed.
    ModeChanged(Mode),
    /// An operator should know; told once until it is cleared.
    Alarm(Alarm),
    /// The alarm of this kind is over.
    AlarmOver(AlarmKind),
    /// The state has changed: log it as `current state: …` and store it.
    Transition {
        /// Before.
        from: State,
        /// After.
        to: State,
        /// Why, for the log.
        why: String,
    },
}

/// What an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// The chain forked too deep: nothing was deleted. Goes on when the chain comes back or the operator rewinds.
    ForkProtection {
        /// The newest remembered block.
        local: Checkpoint,
        /// The fork is at least so many blocks deep.
        depth: u64,
        /// Who says so.
        endpoint: EndpointId,
    },
    /// Too few endpoints are connected.
    BelowMinimum {
        /// How many are.
        connected: usize,
        /// How many must be.
        minimum: usize,
    },
    /// The endpoints don't agree.
    NoQuorum {
        /// The height they disagree on, if enough have reached any.
        at: Option<u64>,
        /// Most that agree.
        votes: usize,
        /// How many must.
        quorum: usize,
    },
}

/// The kinds of [`Alarm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmKind {
    /// [`Alarm::ForkProtection`].
    ForkProtection,
    /// [`Alarm::BelowMinimum`].
    BelowMinimum,
    /// [`Alarm::NoQuorum`].
    NoQuorum,
}

impl Alarm {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> AlarmKind {
        match self {
            Self::ForkProtection { .. } => AlarmKind::ForkProtection,
            Self::BelowMinimum { .. } => AlarmKind::BelowMinimum,
            Self::NoQuorum { .. } => AlarmKind::NoQuorum,
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForkProtection { local, depth, endpoint } => write!(
                f,
                "fork protection: {endpoint} has another chain than ours, {depth} or more blocks deep below our block \
                 {}; nothing was deleted. Check the endpoints; if the fork is genuine, rewind with \
                 `facilitator scanner rewind`",
                local.number
            ),
            Self::BelowMinimum { connected, minimum } => write!(
                f,
                "{connected} connected, below minimum client count {minimum}: check the endpoints with `facilitator \
                 connections`"
            ),
            Self::NoQuorum { at: Some(at), votes: 0, quorum } => write!(
                f,
                "no endpoint told the hash of block {at}, {quorum} must agree on it; nothing is acted upon meanwhile"
            ),
            Self::NoQuorum { at: Some(at), votes, quorum } => write!(
                f,
                "the endpoints disagree on block {at}: {votes} agree, {quorum} and a majority must; nothing is acted \
                 upon meanwhile"
            ),
            Self::NoQuorum { at: None, votes, quorum } => {
                write!(f, "only {votes} endpoints are well, {quorum} must be; nothing is acted upon meanwhile")
            }
        }
    }
}
