//! `facilitator requests list | show | retry`.

mod money;

use super::context;
use super::status::view::tone_of;
use crate::cli::{PairArgs, RequestsCommand};
use crate::failure::{Exit, Failure};
use crate::output;
use crate::terminal::{self, Cell, Look};
use facilitator_protocol::model::State;
use facilitator_roles::clock::now_ms;
use facilitator_roles::running;
use facilitator_roles::views::age;
use facilitator_roles::views::requests::{self as views, FindError, RequestView};
use facilitator_store::requests::{Filter, Record, Retry};
use facilitator_store::{Access, Store};
use serde::Serialize;

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
    let state = name.map(views::state).transpose();
    let state = state.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    Ok(state.into_iter().collect())
}

async fn list(pair: &PairArgs, state: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let filter = Filter { states: states(state)?, limit: u32::MAX, ..Filter::default() };
    let store = open(pair, Access::Reader).await?;
    let records = store.list(&filter).await?;
    if json {
        output::json(&views::views(&store, &records).await?)?;
    } else {
        table(&records).iter().for_each(|line| output::line(line));
    }
    Ok(Exit::Done)
}

fn table(records: &[Record]) -> Vec<String> {
    if records.is_empty() {
        return vec!["no requests".to_owned()];
    }
    let now = now_ms();
    let row = |record: &Record| -> Vec<Cell> {
        let request = &record.request;
        let reason = request.waiting_for.clone().or_else(|| {
            let refused = request.state.is_end() && request.state != State::Complete;
            request.last_error.clone().filter(|_| refused)
        });
        let state = request.state.name(request.kind);
        vec![
            request.terms.request_hash.to_string().chars().take(18).collect::<String>().into(),
            if request.hunted { format!("{} (hunted)", request.kind) } else { request.kind.to_string() }.into(),
            Cell::new(tone_of(state), state),
            request.terms.amount.to_string().into(),
            age(now.saturating_sub(record.created_at_ms) / 1_000).into(),
            reason.unwrap_or_default().into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = records.iter().map(row).collect();
    terminal::table(Look::of_stdout(), &["REQUEST", "KIND", "STATE", "AMOUNT", "AGE", "WAITS FOR / REASON"], &rows)
}

async fn show(pair: &PairArgs, hash: &str, json: bool) -> Result<Exit, Failure> {
    let store = open(pair, Access::Reader).await?;
    let view = views::life(&store, hash).await?;
    if json {
        output::json(&view)?
    } else {
        print(&view)
    }
    Ok(Exit::Done)
}

fn print(view: &RequestView) {
    let none = || "-".to_owned();
    let or = |text: &Option<String>| text.clone().unwrap_or_else(none);
    if view.hunted {
        output::line(&format!("hunted: message {} of a {} is {}", view.request_hash, view.kind, view.state));
        output::line(&format!("  {} sent it, and whoever accepted it left it unfinished", view.sender_proxy));
    } else {
        output::line(&format!("{} {} is {}", view.kind, view.request_hash, view.state));
    }
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
    view.ledger.iter().for_each(money::print);
    if let Some(log) = &view.log {
        output::line("\nLife:");
        for line in log {
            output::line(&format!("  {}  {:<24} {}", line.at, line.state, line.text));
        }
    }
}

fn print_transactions(view: &RequestView) {
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

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        match error {
            FindError::NoHash(_) | FindError::Several(_) => Self::new(Exit::Usage, error.to_string()),
            FindError::None(_) => Self::new(Exit::Failed, error.to_string()),
            FindError::Store(error) => error.into(),
        }
    }
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
        Some(hash) => vec![views::find(&store, hash).await?],
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
