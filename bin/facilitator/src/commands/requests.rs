//! `facilitator requests list | show | retry`.

use super::status::{age, time};
use super::{context, running};
use crate::cli::{PairArgs, RequestsCommand};
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_protocol::model::{Kind, RequestId, State};
use facilitator_roles::clock::now_ms;
use facilitator_store::journal::Transaction;
use facilitator_store::requests::{Filter, LogLine, Record, Retry};
use facilitator_store::{Access, Store};
use serde::Serialize;
use std::collections::HashMap;

/// Fewest digits of a hash that name a request.
const MIN_DIGITS: usize = 8;

/// A request as scripts see it.
#[derive(Serialize)]
struct View {
    kind: &'static str,
    request_hash: String,
    message_hash: Option<String>,
    state: &'static str,
    origin_chain_id: u64,
    auxiliary_chain_id: u64,
    gateway_address: String,
    sender: String,
    sender_proxy: String,
    beneficiary: String,
    amount: String,
    gas_price: String,
    gas_limit: String,
    nonce: String,
    hash_lock: Option<String>,
    bounty: Option<String>,
    reward: Option<String>,
    paid_out: Option<String>,
    origin_worker_address: Option<String>,
    auxiliary_worker_address: Option<String>,
    pid: Option<u32>,
    waiting_for: Option<String>,
    next_look_at: Option<String>,
    last_error: Option<String>,
    failures: u32,
    event: EventView,
    transactions: Vec<TransactionView>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Vec<LogView>>,
}

#[derive(Serialize)]
struct EventView {
    chain_id: u64,
    block_number: u64,
    transaction_hash: String,
    log_index: u64,
}

#[derive(Serialize)]
struct TransactionView {
    step: &'static str,
    chain_id: u64,
    hash: Option<String>,
    nonce: Option<u64>,
    status: &'static str,
    block_number: Option<u64>,
    gas_used: Option<u64>,
    gas_price: Option<String>,
    account: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct LogView {
    at: String,
    state: &'static str,
    text: String,
}

/// Does it.
pub(crate) async fn run(command: RequestsCommand) -> Result<Exit, Failure> {
    match command {
        RequestsCommand::List { pair, state, json } => list(&pair, state.as_deref(), json).await,
        RequestsCommand::Show { pair, hash, json } => show(&pair, &hash, json).await,
        RequestsCommand::Retry { pair, hash, state, json } => {
            retry(&pair, hash.as_deref(), state.as_deref(), json).await
        }
    }
}

async fn open(pair: &PairArgs, access: Access) -> Result<Store, Failure> {
    let loaded = context::load_config(&context::selection(pair), &context::home()?).await?;
    context::open(&loaded, access).await
}

fn states(name: Option<&str>) -> Result<Vec<State>, Failure> {
    let Some(name) = name else { return Ok(Vec::new()) };
    let state = State::from_name(&name.to_uppercase()).map_err(|_| {
        let all = State::all();
        let mut names: Vec<&str> = Kind::ALL.iter().flat_map(|kind| all.iter().map(|s| s.name(*kind))).collect();
        names.sort_unstable();
        names.dedup();
        Failure::new(Exit::Usage, format!("there is no state {name}; states are {}", names.join(", ")))
    })?;
    Ok(vec![state])
}

async fn list(pair: &PairArgs, state: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let filter = Filter { states: states(state)?, limit: u32::MAX, ..Filter::default() };
    let store = open(pair, Access::Reader).await?;
    let records = store.list(&filter).await?;
    if json {
        output::json(&views(&store, &records).await?)?;
    } else {
        output::line(&table(&records));
    }
    Ok(Exit::Done)
}

async fn views(store: &Store, records: &[Record]) -> Result<Vec<View>, Failure> {
    let ids: Vec<RequestId> = records.iter().map(|record| record.request.id).collect();
    let mut transactions: HashMap<RequestId, Vec<Transaction>> = HashMap::new();
    for one in store.transactions(&ids).await? {
        transactions.entry(one.request_id).or_default().push(one);
    }
    let own = |id: &RequestId| transactions.remove(id).unwrap_or_default();
    Ok(records.iter().zip(ids.iter().map(own)).map(|(record, own)| view(record, own, None)).collect())
}

fn view(record: &Record, transactions: Vec<Transaction>, log: Option<Vec<LogLine>>) -> View {
    let request = &record.request;
    let terms = &request.terms;
    let text = |address: &Option<facilitator_eth::Address>| address.map(|address| address.to_string());
    View {
        kind: request.kind.as_str(),
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
        log: log.map(|lines| {
            let line =
                |line: LogLine| LogView { at: time(line.at_ms), state: line.state.name(request.kind), text: line.text };
            lines.into_iter().map(line).collect()
        }),
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
    }
}

fn table(records: &[Record]) -> String {
    if records.is_empty() {
        return "no requests".to_owned();
    }
    let mut rows =
        vec![["REQUEST", "KIND", "STATE", "AMOUNT", "AGE", "WAITS FOR / REASON"].map(str::to_owned).to_vec()];
    let now = now_ms();
    for record in records {
        let request = &record.request;
        let reason = request.waiting_for.clone().or_else(|| {
            let refused = request.state.is_end() && request.state != State::Complete;
            request.last_error.clone().filter(|_| refused)
        });
        rows.push(vec![
            request.terms.request_hash.to_string().chars().take(18).collect(),
            request.kind.to_string(),
            request.state.name(request.kind).to_owned(),
            request.terms.amount.to_string(),
            age(now.saturating_sub(record.created_at_ms) / 1_000),
            reason.unwrap_or_default(),
        ]);
    }
    output::table(&rows)
}

/// The one request that a hash names.
async fn find(store: &Store, hash: &str) -> Result<Record, Failure> {
    let digits = hash.strip_prefix("0x").unwrap_or(hash);
    if digits.len() < MIN_DIGITS || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let text =
            format!("`{hash}` is no hash: give at least {MIN_DIGITS} hexadecimal digits of a request or message hash");
        return Err(Failure::new(Exit::Usage, text));
    }
    let mut found = store.find(hash).await?;
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(Failure::new(
            Exit::Failed,
            format!("no request has the hash {hash}; `facilitator requests list` shows all"),
        )),
        (Some(one), true) => Ok(one),
        // The same request may be made again after a revocation: the newest is meant.
        (Some(newest), false)
            if found.iter().all(|other| other.request.terms.request_hash == newest.request.terms.request_hash) =>
        {
            Ok(newest)
        }
        (Some(_), false) => {
            Err(Failure::new(Exit::Usage, format!("several requests begin with {hash}: give more digits")))
        }
    }
}

async fn show(pair: &PairArgs, hash: &str, json: bool) -> Result<Exit, Failure> {
    let store = open(pair, Access::Reader).await?;
    let record = find(&store, hash).await?;
    let transactions = store.transactions(&[record.request.id]).await?;
    let log = store.request_log(record.request.id).await?;
    let view = view(&record, transactions, Some(log));
    if json {
        output::json(&view)?
    } else {
        print(&view)
    }
    Ok(Exit::Done)
}

fn print(view: &View) {
    let none = || "-".to_owned();
    let or = |text: &Option<String>| text.clone().unwrap_or_else(none);
    output::line(&format!("{} {} is {}", view.kind, view.request_hash, view.state));
    if let Some(reason) = &view.waiting_for {
        let next = view.next_look_at.as_ref().map_or_else(String::new, |at| format!("; looked at again by {at}"));
        output::line(&format!("  waits for {reason}{next}"));
    }
    if let Some(error) = &view.last_error {
        output::line(&format!("  last error: {error}"));
    }
    output::line("");
    let facts = [
        ("message", or(&view.message_hash)),
        ("chains", format!("{} / {}", view.origin_chain_id, view.auxiliary_chain_id)),
        ("gateway", view.gateway_address.clone()),
        ("sender", format!("{} through proxy {}", view.sender, view.sender_proxy)),
        ("beneficiary", view.beneficiary.clone()),
        ("amount", view.amount.clone()),
        ("paid out", or(&view.paid_out)),
        (
            "reward",
            format!("{} (offered {} per gas, at most {} gas)", or(&view.reward), view.gas_price, view.gas_limit),
        ),
        ("bounty", or(&view.bounty)),
        ("workers", format!("{} / {}", or(&view.origin_worker_address), or(&view.auxiliary_worker_address))),
        (
            "requested",
            format!(
                "block {} of chain {}, transaction {}",
                view.event.block_number, view.event.chain_id, view.event.transaction_hash
            ),
        ),
        ("process", view.pid.map_or_else(none, |pid| pid.to_string())),
    ];
    let rows: Vec<Vec<String>> = facts.into_iter().map(|(name, text)| vec![format!("  {name}"), text]).collect();
    output::line(&output::table(&rows));
    print_transactions(view);
    if let Some(log) = &view.log {
        output::line("\nLife:");
        for line in log {
            output::line(&format!("  {}  {:<24} {}", line.at, line.state, line.text));
        }
    }
}

fn print_transactions(view: &View) {
    if view.transactions.is_empty() {
        return;
    }
    let none = || "-".to_owned();
    let mut rows =
        vec![["  STEP", "CHAIN", "STATUS", "BLOCK", "GAS", "NONCE", "TRANSACTION"].map(str::to_owned).to_vec()];
    for one in &view.transactions {
        rows.push(vec![
            format!("  {}", one.step),
            one.chain_id.to_string(),
            one.status.to_owned(),
            one.block_number.map_or_else(none, |block| block.to_string()),
            one.gas_used.map_or_else(none, |gas| gas.to_string()),
            one.nonce.map_or_else(none, |nonce| nonce.to_string()),
            one.error.clone().or_else(|| one.hash.clone()).unwrap_or_else(none),
        ]);
    }
    output::line("");
    output::line(&output::table(&rows));
}

/// A facilitator that runs takes nothing up before both chains are synchronised. One that does not run finds the row at
/// its next start.
async fn refuse_while_synchronising(store: &Store) -> Result<(), Failure> {
    let Some(process) = running::find(store, now_ms()).await? else { return Ok(()) };
    let standing = running::standing(&process);
    let refusal = match &standing {
        Some(standing) => standing.synchronization.as_deref(),
        None => Some("synchronization: the facilitator is starting"),
    };
    let Some(why) = refusal else { return Ok(()) };
    let text =
        format!("{why}. Nothing was changed; see `facilitator sync status`, and retry once both chains are working");
    Err(Failure::new(Exit::Failed, text))
}

async fn retry(pair: &PairArgs, hash: Option<&str>, state: Option<&str>, json: bool) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct Taken {
        request_hash: String,
        state: &'static str,
        retried: bool,
    }
    let filter = Filter { states: states(state)?, limit: u32::MAX, ..Filter::default() };
    let store = open(pair, Access::Writer).await?;
    refuse_while_synchronising(&store).await?;
    let records = match hash {
        Some(hash) => vec![find(&store, hash).await?],
        None => store.list(&filter).await?,
    };
    let mut taken = Vec::with_capacity(records.len());
    for record in &records {
        let request = &record.request;
        let retried = store.retry(request.id, now_ms()).await? == Retry::Woken;
        let (request_hash, state) = (request.terms.request_hash.to_string(), request.state.name(request.kind));
        taken.push(Taken { request_hash, state, retried });
    }
    if json {
        output::json(&taken)?;
    } else {
        for one in &taken {
            let what = if one.retried { "is taken up again" } else { "has ended for good; nothing to retry" };
            output::line(&format!("{} ({}) {what}", one.request_hash, one.state));
        }
    }
    let refused = hash.is_some() && taken.iter().any(|one| !one.retried);
    Ok(if refused { Exit::Failed } else { Exit::Done })
}
