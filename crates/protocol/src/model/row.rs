//! The row of a request: what was asked for, and all that is known of it.

use super::{Kind, State};
use bincode::{Decode, Encode};
use facilitator_eth::{Address, B256, U256};
use std::fmt;

/// The row number of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct RequestId(pub i64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a log stands on a chain: the unique key of a request, because a request hash may repeat (protocol.md R6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct LogPosition {
    /// The chain.
    pub chain_id: u64,
    /// The block.
    pub block_number: u64,
    /// The hash of the block, by which a reorg is noticed.
    pub block_hash: B256,
    /// The transaction.
    pub tx_hash: B256,
    /// The index of the log within its block.
    pub log_index: u64,
}

/// What the staker or redeemer asked for: the arguments that the request hash covers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Terms {
    /// Smallest units of the value token (stake) or utility token (redeem).
    pub amount: U256,
    /// Who gets the tokens on the target chain.
    pub beneficiary: Address,
    /// Reward in smallest units of the transferred token per unit of gas.
    pub gas_price: U256,
    /// The most units of gas that are rewarded.
    pub gas_limit: U256,
    /// The message nonce of the sender's proxy at this gateway.
    pub nonce: U256,
    /// The staker or redeemer, an account.
    pub sender: Address,
    /// The proxy named by the event; it may be stale (protocol.md R10).
    pub sender_proxy: Address,
    /// Gateway (stake) or cogateway (redeem) that the request names.
    pub gateway: Address,
    /// Hash over all but the proxy (protocol.md §3.2).
    pub request_hash: B256,
}

/// A request as just seen by the scanner, before it has a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// Direction.
    pub kind: Kind,
    /// Chain of the value token.
    pub origin_chain_id: u64,
    /// Chain of the utility token.
    pub auxiliary_chain_id: u64,
    /// Composer (stake) or redeem pool (redeem) whose event it is.
    pub pool: Address,
    /// What was asked for.
    pub terms: Terms,
    /// Where the event stands.
    pub position: LogPosition,
}

/// A request with all that is known of it: the row.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Request {
    /// Row number.
    pub id: RequestId,
    /// Direction.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// Chain of the value token.
    pub origin_chain_id: u64,
    /// Chain of the utility token.
    pub auxiliary_chain_id: u64,
    /// Composer or redeem pool.
    pub pool: Address,
    /// What was asked for.
    pub terms: Terms,
    /// Where the event stands; that of the declaration if it is hunted.
    pub position: LogPosition,
    /// Whether it is no request of ours but a message that somebody else left unfinished. It has no pool (there the
    /// gateway stands) and its request hash is the message hash.
    pub hunted: bool,
    /// 0 unless a secret became public and its message did not survive a reorg (law 3).
    pub attempt: u32,
    /// The lock of the present attempt; stored before the accept is signed (law 2).
    pub hash_lock: Option<B256>,
    /// The message that the accept declares; known beforehand because the hash lock is.
    pub message_hash: Option<B256>,
    /// The sender of the message, taken from the declaration once there is one.
    pub message_sender: Option<Address>,
    /// Secret that the chain has published; `None` until then (law 3).
    pub unlock_secret: Option<B256>,
    /// Worker that signs on the origin chain.
    pub origin_worker: Option<Address>,
    /// Worker that signs on the auxiliary chain.
    pub auxiliary_worker: Option<Address>,
    /// Block of the source chain in which the message was declared.
    pub declared_block: Option<u64>,
    /// Height of the source chain whose root the confirmation uses.
    pub proof_height: Option<u64>,
    /// Bounty locked by the accept: base token (stake) or base coin (redeem), smallest units.
    pub bounty: Option<U256>,
    /// Reward paid by the target leg, smallest units of the transferred token.
    pub reward: Option<U256>,
    /// What the beneficiary got, smallest units.
    pub paid_out: Option<U256>,
    /// Consecutive failures of the present step, the exponent of the back-off.
    pub failures: u32,
    /// Looks in a row that found it not possible yet (held, or a chain that can't be read), the exponent of their pause.
    pub holds: u32,
    /// Counts what happened to the request from outside; a worker that parks returns what it saw, so that nothing that
    /// happens in between is slept through.
    pub wakes: i64,
    /// What it waits for, in words.
    pub waiting_for: Option<String>,
    /// The last error, in words.
    pub last_error: Option<String>,
    /// How often it was claimed: what was found out under an earlier claim is not stored any more.
    pub claim_seq: i64,
}
