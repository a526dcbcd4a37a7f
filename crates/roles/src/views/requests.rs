//! Requests as scripts, people and the status page see them.

use super::money::{self, MoneyView};
use super::time;
use facilitator_eth::Address;
use facilitator_protocol::model::{Kind, RequestId, State};
use facilitator_store::journal::Transaction;
use facilitator_store::requests::{LogLine, Record};
use facilitator_store::{Store, StoreError};
use serde::Serialize;
use std::collections::HashMap;

/// Fewest digits of a hash that name a request.
const MIN_DIGITS: usize = 8;

/// A request.
#[derive(Debug, Clone, Serialize)]
pub struct RequestView {
    /// `stake` or `redeem`.
    pub kind: &'static str,
    /// Whether others left it and it is finished for them.
    pub hunted: bool,
    /// Hash of the request.
    pub request_hash: String,
    /// Hash of its message, once it has one.
    pub message_hash: Option<String>,
    /// Where it stands.
    pub state: &'static str,
    /// Origin chain.
    pub origin_chain_id: u64,
    /// Auxiliary chain.
    pub auxiliary_chain_id: u64,
    /// Gateway or cogateway that it names.
    pub gateway_address: String,
    /// Who asked.
    pub sender: String,
    /// Who sends the message.
    pub sender_proxy: String,
    /// Who gets the tokens.
    pub beneficiary: String,
    /// How many, smallest units.
    pub amount: String,
    /// Reward offered for each gas.
    pub gas_price: String,
    /// Most gas that is rewarded.
    pub gas_limit: String,
    /// The sender's nonce.
    pub nonce: String,
    /// Hash lock of the present attempt.
    pub hash_lock: Option<String>,
    /// Bounty put up.
    pub bounty: Option<String>,
    /// Reward earned.
    pub reward: Option<String>,
    /// Tokens paid out.
    pub paid_out: Option<String>,
    /// Worker key on the origin chain.
    pub origin_worker_address: Option<String>,
    /// Worker key on the auxiliary chain.
    pub auxiliary_worker_address: Option<String>,
    /// The worker process on it.
    pub pid: Option<u32>,
    /// What it waits for.
    pub waiting_for: Option<String>,
    /// When it is looked at again at the latest.
    pub next_look_at: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// How often in a row.
    pub failures: u32,
    /// Where it was made.
    pub event: EventView,
    /// Its transactions, oldest first.
    pub transactions: Vec<TransactionView>,
    /// When its event was stored.
    pub created_at: String,
    /// When it changed last.
    pub updated_at: String,
    /// What it earned and cost; only where one request is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<MoneyView>,
    /// Its life; only where one request is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Vec<LogView>>,
}

/// Where an event stands.
#[derive(Debug, Clone, Serialize)]
pub struct EventView {
    /// The chain.
    pub chain_id: u64,
    /// The block.
    pub block_number: u64,
    /// The transaction.
    pub transaction_hash: String,
    /// The log within the block.
    pub log_index: u64,
}

/// A transaction of a request.
#[derive(Debug, Clone, Serialize)]
pub struct TransactionView {
    /// What it is for.
    pub step: &'static str,
    /// Its chain.
    pub chain_id: u64,
    /// Hash of the mined attempt, else of the newest.
    pub hash: Option<String>,
    /// Account nonce.
    pub nonce: Option<u64>,
    /// How far it is.
    pub status: &'static str,
    /// Its block.
    pub block_number: Option<u64>,
    /// Gas used.
    pub gas_used: Option<u64>,
    /// Price paid for each gas, wei.
    pub gas_price: Option<String>,
    /// Who signed.
    pub account: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was journalled.
    pub at: String,
}

/// A line of a life.
#[derive(Debug, Clone, Serialize)]
pub struct LogView {
    /// When.
    pub at: String,
    /// State after it.
    pub state: &'static str,
    /// What happened.
    pub text: String,
}

/// Why no request is shown.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// What was asked for is no hash.
    #[error("`{0}` is no hash: give at least {MIN_DIGITS} hexadecimal digits of a request or message hash")]
    NoHash(String),
    /// There is none.
    #[error("no request has the hash {0}; `facilitator requests list` shows all")]
    None(String),
    /// There are several.
    #[error("several requests begin with {0}: give more digits")]
    Several(String),
    /// The database refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A name that no state has.
#[derive(Debug, thiserror::Error)]
#[error("there is no state {name}; states are {known}")]
pub struct NoState {
    name: String,
    known: String,
}

/// The state of a name in any case.
///
/// # Errors
/// [`NoState`], which names all.
pub fn state(name: &str) -> Result<State, NoState> {
    State::from_name(&name.to_uppercase()).map_err(|_| {
        let all = State::all();
        let mut names: Vec<&str> = Kind::ALL.iter().flat_map(|kind| all.iter().map(|s| s.name(*kind))).collect();
        names.sort_unstable();
        names.dedup();
        NoState { name: name.to_owned(), known: names.join(", ") }
    })
}

/// Requests with their transactions.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn views(store: &Store, records: &[Record]) -> Result<Vec<RequestView>, StoreError> {
    let ids: Vec<RequestId> = records.iter().map(|record| record.request.id).collect();
    let mut transactions: HashMap<RequestId, Vec<Transaction>> = HashMap::new();
    for one in store.transactions(&ids).await? {
        transactions.entry(one.request_id).or_default().push(one);
    }
    let own = |id: &RequestId| transactions.remove(id).unwrap_or_default();
    Ok(records.iter().zip(ids.iter().map(own)).map(|(record, own)| view(record, own)).collect())
}

/// The whole life of the one request that a hash names.
///
/// # Errors
/// [`FindError`].
pub async fn life(store: &Store, hash: &str) -> Result<RequestView, FindError> {
    let record = find(store, hash).await?;
    let id = record.request.id;
    let kind = record.request.kind;
    let transactions = store.transactions(&[id]).await?;
    let line = |line: LogLine| LogView { at: time(line.at_ms), state: line.state.name(kind), text: line.text };
    let log = store.request_log(id).await?.into_iter().map(line).collect();
    let ledger = money::read(store, id).await?;
    Ok(RequestView { ledger: Some(ledger), log: Some(log), ..view(&record, transactions) })
}

/// The one request that a hash names.
///
/// # Errors
/// [`FindError`].
pub async fn find(store: &Store, hash: &str) -> Result<Record, FindError> {
    let digits = hash.strip_prefix("0x").unwrap_or(hash);
    if digits.len() < MIN_DIGITS || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(FindError::NoHash(hash.to_owned()));
    }
    let mut found = store.find(hash).await?;
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(FindError::None(hash.to_owned())),
        (Some(one), true) => Ok(one),
        // The same request may be made again after a revocation: the newest is meant.
        (Some(newest), false)
            if found.iter().all(|other| other.request.terms.request_hash == newest.request.terms.request_hash) =>
        {
            Ok(newest)
        }
        (Some(_), false) => Err(FindError::Several(hash.to_owned())),
    }
}

fn view(record: &Record, transactions: Vec<Transaction>) -> RequestView {
    let request = &record.request;
    let terms = &request.terms;
    let text = |address: &Option<Address>| address.map(|address| address.to_string());
    RequestView {
        kind: request.kind.as_str(),
        hunted: request.hunted,
        request_hash: terms.request_hash.to_string(),
        message_hash: request.message_hash.map(|hash| hash.to_string()),
        state: request.state.name(request.kind),
        origin_chain_id: request.origin_chain_id,
        auxiliary_chain_id: request.auxiliary_chain_id,
        gateway_address: terms.gateway.to_string(),
        sender: terms.sender.to_string(),
        sender_proxy: request.message_sender.unwrap_or(terms.sender_proxy).to_string(),
        beneficiary: terms.beneficiary.to_string(),
        amount: terms.amount.to_string(),
        gas_price: terms.gas_price.to_string(),
        gas_limit: terms.gas_limit.to_string(),
        nonce: terms.nonce.to_string(),
        hash_lock: request.hash_lock.map(|hash| hash.to_string()),
        bounty: request.bounty.map(|amount| amount.to_string()),
        reward: request.reward.map(|amount| amount.to_string()),
        paid_out: request.paid_out.map(|amount| amount.to_string()),
        origin_worker_address: text(&request.origin_worker),
        auxiliary_worker_address: text(&request.auxiliary_worker),
        pid: record.pid,
        waiting_for: request.waiting_for.clone(),
        next_look_at: record.retry_at_ms.filter(|_| !request.state.is_end()).map(time),
        last_error: request.last_error.clone(),
        failures: request.failures,
        event: EventView {
            chain_id: request.position.chain_id,
            block_number: request.position.block_number,
            transaction_hash: request.position.tx_hash.to_string(),
            log_index: request.position.log_index,
        },
        transactions: transactions.into_iter().map(transaction).collect(),
        created_at: time(record.created_at_ms),
        updated_at: time(record.updated_at_ms),
        ledger: None,
        log: None,
    }
}

fn transaction(one: Transaction) -> TransactionView {
    TransactionView {
        step: one.step.as_str(),
        chain_id: one.chain_id,
        hash: one.hash.map(|hash| hash.to_string()),
        nonce: one.nonce,
        status: one.state.as_str(),
        block_number: one.block_number,
        gas_used: one.gas_used,
        gas_price: one.gas_price.map(|price| price.to_string()),
        account: one.account.map(|account| account.to_string()),
        error: one.failure,
        at: time(one.created_at_ms),
    }
}
