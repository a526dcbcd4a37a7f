//! One request between two chains: a job that passes everywhere, for the tests to change one thing at a time.

use facilitator_eth::{Address, B256, Decimal, U256};
use facilitator_protocol::gateway::{GatewaySet, Mints};
use facilitator_protocol::hashes;
use facilitator_protocol::model::{Kind, LogPosition, Request, RequestId, State, Terms};
use facilitator_protocol::secret::{HashLockKey, SecretInput, UnlockSecret, derive};
use facilitator_protocol::transfer::Backoff;
use facilitator_protocol::transfer::accept::{InFlight, Policy};
use facilitator_protocol::transfer::hunt::HuntPolicy;
use facilitator_protocol::transfer::profit::{ChainPrices, Prices};
use facilitator_roles::messages::{Hunt, Job, WorkerKey};
use facilitator_sender::Head;

pub(crate) const PROXY: Address = Address([5; 20]);
pub(crate) const SOURCE_WORKER: Address = Address([0xa1; 20]);
pub(crate) const TARGET_WORKER: Address = Address([0xb1; 20]);
pub(crate) const RECHECK_MS: u64 = 60_000;
/// Block in which the message was declared.
pub(crate) const DECLARED: u64 = 90;
/// [`Request::wakes`] as the worker is given it.
pub(crate) const WAKES: i64 = 17;

pub(crate) fn uint(value: u64) -> U256 {
    U256::from(value)
}

pub(crate) fn gateway() -> GatewaySet {
    let address = |number: u8| Address([number; 20]);
    GatewaySet {
        origin_chain_id: 3,
        auxiliary_chain_id: 1406,
        composer: address(1),
        gateway: address(4),
        anchor: address(0x10),
        cogateway: address(0x11),
        co_anchor: address(0x12),
        redeem_pool: Some(address(0x19)),
        composer_organization: address(0x13),
        pool_organization: Some(address(0x18)),
        stake_vault: address(0x17),
        value_token: address(0x14),
        base_token: address(0x15),
        utility_token: address(0x16),
        mints: Mints::BaseCoin,
        message_box_offset: 9,
    }
}

/// A stake that was just seen.
pub(crate) fn requested() -> Job {
    requested_of(Kind::Stake)
}

/// A request of either kind that was just seen.
pub(crate) fn requested_of(kind: Kind) -> Job {
    let gateway = gateway();
    let head = Head { number: 100, base_fee: Some(uint(1)), gas_price: None };
    Job {
        request: Request {
            id: RequestId(7),
            kind,
            state: State::Requested,
            origin_chain_id: 3,
            auxiliary_chain_id: 1406,
            pool: pool(kind),
            terms: terms(kind),
            position: position(kind),
            hunted: false,
            attempt: 0,
            hash_lock: None,
            message_hash: None,
            message_sender: None,
            unlock_secret: None,
            origin_worker: None,
            auxiliary_worker: None,
            declared_block: None,
            proof_height: None,
            bounty: None,
            reward: None,
            paid_out: None,
            failures: 0,
            holds: 0,
            wakes: WAKES,
            waiting_for: None,
            last_error: None,
            claim_seq: 0,
        },
        gateway: Some(gateway),
        policy: Policy {
            prices: None,
            min_gas_price: uint(10),
            min_gas_limit: uint(100_000),
            max_bounty: uint(50),
            worker_expiry_margin_blocks: 10,
            min_origin_balance: uint(1),
            min_auxiliary_balance: uint(1),
            funds_safety_percent: 150,
        },
        backoff: Backoff { base_ms: 1_000, max_ms: 300_000 },
        recheck_ms: RECHECK_MS,
        source_head: head,
        target_head: head,
        priority_fees: (uint(1), uint(1)),
        source_workers: vec![WorkerKey {
            address: SOURCE_WORKER,
            in_flight: InFlight::default(),
            foreign: InFlight::default(),
            bounties: U256::ZERO,
            reveals: InFlight::default(),
        }],
        target_workers: vec![WorkerKey {
            address: TARGET_WORKER,
            in_flight: InFlight::default(),
            foreign: InFlight::default(),
            bounties: U256::ZERO,
            reveals: InFlight::default(),
        }],
        roots: vec![],
        proving: vec![],
        failed: vec![],
        alive: vec![],
        hunt: None,
    }
}

/// The same, declared: its attempt and its workers are stored.
pub(crate) fn accepted() -> Job {
    accepted_of(Kind::Stake)
}

/// A request of either kind, declared.
pub(crate) fn accepted_of(kind: Kind) -> Job {
    let mut job = requested_of(kind);
    let hash_lock = secret_for(kind, 0).hash_lock();
    let request = &mut job.request;
    request.state = State::Accepted;
    request.hash_lock = Some(hash_lock);
    request.message_hash = Some(message_of(kind, 0));
    request.message_sender = Some(PROXY);
    let (origin, auxiliary) = match kind {
        Kind::Stake => (SOURCE_WORKER, TARGET_WORKER),
        Kind::Redeem => (TARGET_WORKER, SOURCE_WORKER),
    };
    (request.origin_worker, request.auxiliary_worker) = (Some(origin), Some(auxiliary));
    request.declared_block = Some(DECLARED);
    request.bounty = Some(uint(50));
    job
}

/// The same message, declared by somebody else and left; gas costs two wei a unit on both chains, and everything is
/// worth the same.
pub(crate) fn foreign() -> Job {
    let mut job = accepted();
    let request = &mut job.request;
    request.hunted = true;
    request.pool = request.terms.gateway;
    request.hash_lock = None;
    (request.origin_worker, request.auxiliary_worker, request.bounty) = (None, None, None);
    let price = |tokens| ChainPrices { coin: Decimal::one(), tokens };
    let origin = price(vec![(gateway().base_token, Decimal::one())]);
    let prices = Prices { origin, auxiliary: price(vec![]), min_profit: Decimal::ZERO };
    let policy = HuntPolicy { min_profit: Decimal::ZERO, prices };
    job.hunt = Some(Hunt { policy, confirmed_block: None, roots: vec![], proving: vec![] });
    job
}

/// Composer or pool.
pub(crate) fn pool(kind: Kind) -> Address {
    match kind {
        Kind::Stake => gateway().composer,
        Kind::Redeem => gateway().redeem_pool.unwrap(),
    }
}

fn terms(kind: Kind) -> Terms {
    Terms {
        amount: uint(1_000_001),
        beneficiary: Address([2; 20]),
        gas_price: uint(10),
        gas_limit: uint(100_000),
        nonce: U256::ZERO,
        sender: Address([3; 20]),
        sender_proxy: PROXY,
        gateway: gateway().box_on(kind.source()),
        request_hash: B256([7; 32]),
    }
}

fn position(kind: Kind) -> LogPosition {
    let chain_id = gateway().chain_id(kind.source());
    LogPosition { chain_id, block_number: 80, block_hash: B256([9; 32]), tx_hash: B256([8; 32]), log_index: 0 }
}

pub(crate) fn secret_of(input: &SecretInput) -> UnlockSecret {
    derive(&HashLockKey::new([0x5e; 32]), input)
}

/// The secret of a stake's attempt, spelled out again: what a worker must ask for.
pub(crate) fn secret(attempt: u32) -> UnlockSecret {
    secret_for(Kind::Stake, attempt)
}

/// The same of either kind.
pub(crate) fn secret_for(kind: Kind, attempt: u32) -> UnlockSecret {
    let Terms { request_hash, nonce, gateway: at, .. } = terms(kind);
    let chain_id = gateway().chain_id(kind.source());
    secret_of(&SecretInput { chain_id, pool: pool(kind), gateway: at, request_hash, proxy: PROXY, nonce, attempt })
}

/// The message of a stake's attempt.
pub(crate) fn message(attempt: u32) -> B256 {
    message_of(Kind::Stake, attempt)
}

/// The same of either kind.
pub(crate) fn message_of(kind: Kind, attempt: u32) -> B256 {
    hashes::message_of_request(kind, &terms(kind), PROXY, secret_for(kind, attempt).hash_lock())
}
