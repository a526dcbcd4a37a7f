//! Every message between the processes, in one place: two enums for each pair of roles, so that sending the wrong one
//! does not compile. Any change of a type that is named here raises [`PROTOCOL_VERSION`].
//!
//! Parent and child are the same executable, so the version only catches an executable that was replaced while its
//! parent runs.

mod setups;

pub use setups::{ChainSetup, ConfiguredGateway, KeyBytes, MetricsSetup, MonitorSetup, ScannerSetup, SenderSetup};

use crate::connections::{Connections, EndpointCalls};
use bincode::{Decode, Encode};
use facilitator_chain::reader::{Answer, Query};
use facilitator_chain::sync::{Relayed, Said};
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::gateway::{GatewaySet, Mints};
use facilitator_protocol::model::{Park, Request, Side, Step, Update};
use facilitator_protocol::secret::{SecretInput, UnlockSecret};
use facilitator_protocol::transfer::Backoff;
use facilitator_protocol::transfer::accept::{InFlight, Policy};
use facilitator_protocol::transfer::hunt::HuntPolicy;
use facilitator_sender::{Head, Submit, SubmitAnswer};

/// Version of all frames of this module; the first thing a child says.
pub const PROTOCOL_VERSION: u32 = 13;

/// Names one question of a child, unique within that child, so that answers find their way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Ask(pub u64);

/// What the contracts of one gateway pair say on one chain (protocol.md §1.2).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Discovered {
    /// On the origin chain.
    Origin {
        /// The gateway asked.
        gateway: Address,
        /// Token that is staked.
        value_token: Address,
        /// Token of the bounty.
        base_token: Address,
        /// Organization that whitelists workers.
        composer_organization: Address,
        /// Contract that keeps the stakes.
        stake_vault: Address,
        /// Slot of the message box.
        message_box_offset: u8,
    },
    /// On the auxiliary chain.
    Auxiliary {
        /// The cogateway asked.
        cogateway: Address,
        /// Token that is minted.
        utility_token: Address,
        /// What a mint pays with.
        mints: Mints,
        /// Organization that whitelists workers; `None` if no redeem pool is configured.
        pool_organization: Option<Address>,
        /// Slot of the message box.
        message_box_offset: u8,
    },
}

/// Parent to monitor.
#[derive(Debug, Encode, Decode)]
pub enum ToMonitor {
    /// Begin.
    Setup(Box<MonitorSetup>),
    /// Look so often from now on, in milliseconds.
    Interval(u64),
    /// Log by this filter from now on.
    Log(String),
    /// End after the run under way.
    Stop,
}

/// Monitor to parent.
#[derive(Debug, Encode, Decode)]
pub enum FromMonitor {
    /// A run is over: `None` if it succeeded, else what failed first.
    Ran(Option<String>),
}

/// Parent to the process that serves metrics and pages.
#[derive(Debug, Encode, Decode)]
pub enum ToMetrics {
    /// Begin.
    Setup(Box<MetricsSetup>),
    /// Log by this filter from now on.
    Log(String),
    /// End.
    Stop,
}

/// The process that serves metrics and pages to parent.
#[derive(Debug, Encode, Decode)]
pub enum FromMetrics {
    /// It serves.
    Serving,
    /// Something keeps it from serving; it goes on trying.
    Trouble(String),
}

/// Parent to scanner.
#[derive(Debug, Encode, Decode)]
pub enum ToScanner {
    /// Begin.
    Setup(Box<ScannerSetup>),
    /// The contracts of both chains are known to the database: scan.
    Begin,
    /// Read the chain for a worker.
    Read(Ask, Vec<Query>),
    /// From the other chain's scanner, or about it.
    Sync(Box<Relayed>),
    /// Log by this filter from now on.
    Log(String),
    /// Commit the checkpoint and end.
    Stop,
}

/// Funds of one worker key, as last read; `None` where it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Balance {
    /// The account.
    pub address: Address,
    /// Base coin, wei.
    pub coin: Option<U256>,
    /// The bounty tokens of the configured gateways, each in its smallest units; none on the auxiliary chain, whose
    /// bounties are base coin.
    pub bounty_tokens: Vec<(Address, Option<U256>)>,
}

/// Scanner to parent.
#[derive(Debug, Encode, Decode)]
pub enum FromScanner {
    /// Funds of the worker keys, from time to time.
    Balances(Vec<Balance>),
    /// The contracts on this chain are what the configuration says; this is what they say of themselves.
    Checked(Vec<Discovered>),
    /// The newest block, once for each new one.
    Head(Head),
    /// Events were committed that may have woken requests.
    Woke,
    /// Whether the chain may be acted upon: it has been read to its newest final block, and a quorum of endpoints agrees.
    InStep(bool),
    /// For the other chain's scanner, and how this one stands with it.
    Sync(Box<Said>),
    /// The pair can't work together, and an operator should look: until it works again.
    Critical(String),
    /// The endpoint that is read from now on, as its place in the configuration: the sender is to use it too.
    Elected(u64),
    /// How the endpoints are, whenever that has changed.
    Connections(Box<Connections>),
    /// Answers, in the order of the queries.
    Answers(Ask, Vec<Answer>),
    /// Something keeps it from its work; it goes on trying. `None`: it is well again.
    Trouble(Option<String>),
    /// It cannot work as configured; restarting does not help.
    Unfit(Unfit),
}

/// Why a child can't work as configured.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Unfit {
    /// The node belongs to another chain.
    WrongChain(String),
    /// The contracts contradict the configuration.
    Contracts(String),
    /// The database can't be used.
    Database(String),
}

/// Parent to sender.
#[derive(Debug, Encode, Decode)]
pub enum ToSender {
    /// Begin.
    Setup(Box<SenderSetup>),
    /// Carry out a transaction.
    Submit(Ask, Box<Submit>),
    /// Derive a secret.
    Secret(Ask, SecretInput),
    /// The chain has a new newest block.
    Head(Head),
    /// Speak to this endpoint from now on, by its place in the configuration.
    Endpoint(u64),
    /// Whether anything may be signed or sent: not while the chains can't be trusted to be in step.
    Gate(bool),
    /// Log by this filter from now on.
    Log(String),
    /// Sign nothing more and end.
    Stop,
}

/// Sender to parent.
#[derive(Debug, Encode, Decode)]
pub enum FromSender {
    /// Holds its leases and has looked at the journal.
    Ready,
    /// What became of a submitted transaction.
    Answer(Ask, SubmitAnswer),
    /// The secret.
    Secret(Ask, UnlockSecret),
    /// A transaction ended in a way that woke requests.
    Woke,
    /// Something keeps it from its work; it goes on trying. `None`: it is well again.
    Trouble(Option<String>),
    /// What it has asked each endpoint so far.
    Calls(Vec<EndpointCalls>),
    /// It cannot work as configured; restarting does not help.
    Unfit(Unfit),
}

/// A state root of the source chain that stands, finally, in the anchor of the target chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct AnchoredRoot {
    /// Height on the source chain.
    pub height: u64,
    /// The root.
    pub root: B256,
}

/// How often a step of the request has failed in the journal, and how last.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FailedStep {
    /// The step.
    pub step: Step,
    /// How often.
    pub count: u32,
    /// How often for what it does, not for what happened to be: it would revert or did, or would do something else.
    pub refused: u32,
    /// The newest error.
    pub error: String,
}

/// A worker key as the parent knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct WorkerKey {
    /// Its account.
    pub address: Address,
    /// Other unfinished requests that it has accepted, or is about to.
    pub in_flight: InFlight,
    /// Other foreign messages that it has transactions under way for.
    pub foreign: InFlight,
    /// Bounties that it has yet to pay for them: in the bounty token of the request's gateway on the origin chain, in
    /// base coin on the auxiliary one.
    pub bounties: U256,
    /// Other requests with a leg on this chain that reveals their secret now: on its way and in no block yet, or about to
    /// be sent.
    pub reveals: InFlight,
}

/// Everything a worker needs to know to take its request one step further.
#[derive(Debug, Clone, Encode, Decode)]
pub struct Job {
    /// The row.
    pub request: Request,
    /// The contracts; `None` if the request names a gateway that is not configured.
    pub gateway: Option<GatewaySet>,
    /// The operator's limits.
    pub policy: Policy,
    /// Waits after failures.
    pub backoff: Backoff,
    /// Milliseconds after which a request that waits for a happening is looked at all the same.
    pub recheck_ms: u64,
    /// Newest block of the source chain.
    pub source_head: Head,
    /// Newest block of the target chain.
    pub target_head: Head,
    /// Wei per gas added to the base fee, on the source and the target chain.
    pub priority_fees: (U256, U256),
    /// Keys of the source chain, the one whose turn it is first.
    pub source_workers: Vec<WorkerKey>,
    /// Keys of the target chain, the one whose turn it is first.
    pub target_workers: Vec<WorkerKey>,
    /// Roots at or above the declaration, newest first.
    pub roots: Vec<AnchoredRoot>,
    /// Heights whose gateway proof is already under way or done, newest first.
    pub proving: Vec<u64>,
    /// Steps that failed.
    pub failed: Vec<FailedStep>,
    /// Steps whose transaction is on its way: nothing is to be done but to wait for it.
    pub alive: Vec<Step>,
    /// What finishing a foreign message needs; `None` for own requests, and where the operator does not want it.
    pub hunt: Option<Hunt>,
}

/// What a worker must know to finish a message that others left.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hunt {
    /// The operator's limits.
    pub policy: HuntPolicy,
    /// Block of the target chain in which the message was confirmed.
    pub confirmed_block: Option<u64>,
    /// Roots of the target chain that stand, finally, in the anchor of the source chain, newest first.
    pub roots: Vec<AnchoredRoot>,
    /// Heights of the target chain whose gateway proof is under way or done on the source chain, newest first.
    pub proving: Vec<u64>,
}

/// Parent to worker.
#[derive(Debug, Encode, Decode)]
pub enum ToWorker {
    /// The green light: begin.
    Job(Box<Job>),
    /// Answers to a read.
    Answers(Ask, Vec<Answer>),
    /// What became of a submitted transaction.
    Submitted(Ask, SubmitAnswer),
    /// The request's secret.
    Secret(Ask, UnlockSecret),
    /// The update is committed.
    Saved(Ask),
    /// The park is committed: the worker may end.
    Parked,
    /// Log by this filter from now on.
    Log(String),
    /// Hand back what is in hand at the next step and end.
    Stop,
}

/// Worker to parent.
#[derive(Debug, Encode, Decode)]
pub enum FromWorker {
    /// Read a chain.
    Read(Ask, Side, Vec<Query>),
    /// Carry out a transaction.
    Submit(Ask, Side, Box<Submit>),
    /// Derive the secret of the request's attempt with this number.
    Secret(Ask, SecretInput),
    /// Commit a change of the row before anything else happens (law 2).
    Save(Ask, Box<Update>),
    /// Commit and end.
    Park(Box<Park>),
}
