//! A database of its own for each test, and the events of a small made-up world.

use crate::bed::Place;
use facilitator_eth::{Address, B256, Bytes, U256};
use facilitator_heartbeat::{Event as LifeEvent, Params};
use facilitator_protocol::{
    events::{self, Event, Log},
    gateway::{GatewaySet, Mints},
    model::{Attempt, Park, RequestId, Step, Update, Wait},
};
use facilitator_store::{
    Access, Location, Pair, Patience, Result, Store,
    instances::NewInstance,
    journal::{EntryId, NewEntry, Visibility},
    requests::Change,
    scan::{Block, BlockRef, Committed, ScanCommit},
};
use std::time::Duration;

pub(crate) const ORIGIN: u64 = 3;
pub(crate) const AUXILIARY: u64 = 1406;
pub(crate) const PAIR: Pair = Pair { origin_chain_id: ORIGIN, auxiliary_chain_id: AUXILIARY };
pub(crate) const ME: &str = "host:1";

/// A place for one database. The tests above it know nothing of the backend: each crate of tests has its own.
pub(crate) struct Bed {
    pub(crate) place: Place,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self { place: Place::new() }
    }

    pub(crate) fn location(&self) -> Location {
        self.place.location()
    }

    pub(crate) async fn open(&self, access: Access) -> Result<Store> {
        Store::open(&self.location(), access, PAIR, patience(2_000), 1).await
    }

    /// A new database that knows the gateways.
    pub(crate) async fn store(&self) -> Store {
        let store = self.open(Access::Owner).await.unwrap();
        store.set_gateways(&[set()], 1).await.unwrap();
        store
    }
}

pub(crate) fn patience(limit_ms: u64) -> Patience {
    Patience { limit: Duration::from_millis(limit_ms) }
}

pub(crate) fn address(number: u8) -> Address {
    Address([number; 20])
}

pub(crate) fn word(number: u64) -> B256 {
    U256::from(number).to_word()
}

pub(crate) fn set() -> GatewaySet {
    GatewaySet {
        origin_chain_id: ORIGIN,
        auxiliary_chain_id: AUXILIARY,
        composer: address(1),
        gateway: address(2),
        anchor: address(3),
        cogateway: address(4),
        co_anchor: address(5),
        redeem_pool: Some(address(6)),
        composer_organization: address(7),
        pool_organization: Some(address(11)),
        stake_vault: address(12),
        value_token: address(8),
        base_token: address(9),
        utility_token: address(10),
        mints: Mints::BaseCoin,
        message_box_offset: 9,
    }
}

/// A log of a block; transaction and index follow from `index`.
pub(crate) fn log(contract: Address, block: u64, index: u64) -> Log {
    Log {
        address: contract,
        topics: Vec::new(),
        data: Bytes::default(),
        block_number: block,
        block_hash: word(1_000_000 + block),
        tx_hash: word(2_000_000 + block * 1_000 + index),
        tx_index: index,
        log_index: index,
    }
}

pub(crate) fn block(number: u64) -> BlockRef {
    BlockRef { number, hash: word(1_000_000 + number) }
}

/// The request of a staker of this number.
pub(crate) fn stake_requested(number: u64) -> Event {
    events::StakeRequested {
        staker: Address::from_word(&word(number)),
        amount: U256::MAX,
        beneficiary: address(20),
        gas_price: U256::from(1_u64),
        gas_limit: U256::from(2_u64),
        nonce: U256::from(number),
        staker_proxy: address(21),
        gateway: set().gateway,
        request_hash: word(number),
    }
    .into()
}

pub(crate) fn redeem_requested(number: u64) -> Event {
    events::RedeemRequested {
        redeemer: Address::from_word(&word(number)),
        amount: U256::from(5_u64),
        beneficiary: address(20),
        gas_price: U256::from(1_u64),
        gas_limit: U256::from(2_u64),
        nonce: U256::from(number),
        redeemer_proxy: address(22),
        cogateway: set().cogateway,
        request_hash: word(number),
    }
    .into()
}

pub(crate) fn declared(number: u64, message: B256) -> Event {
    events::StakeIntentDeclared {
        message_hash: message,
        staker: address(21),
        nonce: U256::from(number),
        beneficiary: address(20),
        amount: U256::MAX,
    }
    .into()
}

pub(crate) fn minted(message: B256, secret: B256, by_proof: bool) -> Event {
    events::MintProgressed {
        message_hash: message,
        staker: address(21),
        beneficiary: address(20),
        stake_amount: U256::from(10_u64),
        minted_amount: U256::from(8_u64),
        reward_amount: U256::from(2_u64),
        proof_progress: by_proof,
        unlock_secret: secret,
    }
    .into()
}

/// A stake in the inbox.
pub(crate) fn confirmed(number: u64, message: B256) -> Event {
    events::StakeIntentConfirmed {
        message_hash: message,
        staker: address(21),
        nonce: U256::from(number),
        beneficiary: address(20),
        amount: U256::MAX,
        block_height: 10,
        hash_lock: word(77),
    }
    .into()
}

/// The source leg of a stake.
pub(crate) fn progressed(message: B256, secret: B256, by_proof: bool) -> Event {
    events::StakeProgressed {
        message_hash: message,
        staker: address(21),
        nonce: U256::ZERO,
        amount: U256::MAX,
        proof_progress: by_proof,
        unlock_secret: secret,
    }
    .into()
}

pub(crate) fn root(height: u64) -> Event {
    events::StateRootAvailable { block_height: height, state_root: word(height) }.into()
}

pub(crate) fn proven(height: u64) -> Event {
    events::GatewayProven {
        gateway: set().gateway,
        block_height: height,
        storage_root: word(height),
        was_already_proved: false,
    }
    .into()
}

/// An instance of this name works from now on: it may sign.
pub(crate) async fn admit(store: &Store, name: &str, now_ms: i64) {
    let new = NewInstance { name: name.to_owned(), host: "here".to_owned(), weight: 1, keys: Vec::new() };
    store.enroll(&new, now_ms).await.unwrap();
    for event in [LifeEvent::Ready, LifeEvent::Tick { in_active_set: true }] {
        store.instance_event(name, event, &Params::default(), now_ms).await.unwrap().unwrap();
    }
}

/// Scans from the present checkpoint to a block, with these events.
pub(crate) async fn scan(store: &Store, chain_id: u64, to: u64, events: Vec<(Log, Event)>) -> Committed {
    let previous = store.checkpoint(chain_id).await.unwrap();
    let blocks = vec![Block { number: to, hash: block(to).hash, parent_hash: block(to - 1).hash }];
    let commit = ScanCommit { chain_id, previous, blocks, events, checkpoint: block(to) };
    store.commit_scan(&commit, 100).await.unwrap()
}

/// Scans requests with these numbers in block 10 of the origin chain.
pub(crate) async fn scan_stakes(store: &Store, numbers: std::ops::Range<u64>) -> Committed {
    let events = numbers.map(|number| (log(set().composer, 10, number), stake_requested(number))).collect();
    scan(store, ORIGIN, 10, events).await
}

pub(crate) fn attempt(message: B256) -> Update {
    let attempt = Attempt { number: 0, hash_lock: word(77), message_hash: message };
    Update { attempt: Some(attempt), ..Update::default() }
}

pub(crate) fn park(update: Update, wait: Wait, wakes_seen: i64) -> Park {
    Park { update, wait, waiting_for: Some("something".to_owned()), retry_in_ms: None, wakes_seen }
}

/// Claims everything that is ready and parks it again with this update and wait, as a worker that saw all wake-ups.
pub(crate) async fn claim_and_park(store: &Store, update: &Update, wait: &Wait) -> Vec<i64> {
    let claimed = store.claim_ready(ME, 100, 200).await.unwrap();
    let leave = |request: &facilitator_protocol::model::Request| Change::Park {
        id: request.id,
        park: park(update.clone(), wait.clone(), request.wakes),
        retry_at_ms: None,
    };
    let changes: Vec<Change> = claimed.iter().map(leave).collect();
    store.save(ME, &changes, 200).await.unwrap();
    claimed.iter().map(|request| request.id.0).collect()
}

/// Row numbers of everything that can be claimed now; claims it.
pub(crate) async fn claim(store: &Store, now_ms: i64) -> Vec<i64> {
    store.claim_ready(ME, 100, now_ms).await.unwrap().iter().map(|request| request.id.0).collect()
}

/// An entry of the journal that a request waits for.
pub(crate) async fn entry_of(store: &Store, chain: u64, request: i64, step: Step) -> EntryId {
    let entry = NewEntry {
        intent: format!("{step}:{request}"),
        request_id: Some(RequestId(request)),
        step,
        account: None,
        to: address(50),
        value: U256::ZERO,
        data: Bytes::default(),
        visibility: Visibility::Reveals,
        after: None,
        allowance: None,
        expect: None,
    };
    store.journal(chain).queue(&[], &[entry], 300).await.unwrap().remove(0).entry.id
}
