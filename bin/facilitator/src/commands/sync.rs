//! `facilitator sync status`: how the two chains are synchronised with each other, from the last report of the running
//! facilitator, so that it answers whatever the nodes do.

use super::{context, start};
use crate::cli::{PairArgs, SyncCommand};
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_chain::sync::SyncRow;
use facilitator_roles::clock::now_ms;
use facilitator_roles::parent::{ChainStanding, Standing};
use facilitator_roles::running;
use facilitator_roles::views::time;
use serde::Serialize;

/// The pair as scripts see it.
#[derive(Serialize)]
struct View {
    chain_id: u64,
    origin_chain_id: u64,
    /// Whether work is done.
    working: bool,
    /// Why not.
    synchronization: Option<String>,
    chains: Vec<ChainView>,
}

#[derive(Serialize)]
struct ChainView {
    side: String,
    chain_id: u64,
    stage: String,
    state: Option<String>,
    mode: Option<String>,
    starting_block: Option<u64>,
    current_block: Option<u64>,
    highest_block: Option<u64>,
    max_block: Option<u64>,
    last_coord: Option<u64>,
    since: Option<String>,
    ready_since: Option<String>,
    waits_for: Option<String>,
    last_error: Option<String>,
    critical: Option<String>,
}

/// Does it.
pub(crate) async fn run(command: SyncCommand) -> Result<Exit, Failure> {
    match command {
        SyncCommand::Status { pair, json } => status(&pair, json).await,
    }
}

async fn status(args: &PairArgs, json: bool) -> Result<Exit, Failure> {
    let loaded = context::load_config(&context::selection(args), &context::home()?).await?;
    let pair = context::pair(&loaded);
    let store = context::open_if_made(&loaded).await?;
    let process = match &store {
        Some(store) => running::own(store, &start::instance(&loaded), now_ms()).await?,
        None => None,
    };
    let Some(process) = process else {
        let text = format!(
            "no facilitator of chain {} runs; start it with `facilitator start --chain-id {}`",
            pair.auxiliary_chain_id, pair.auxiliary_chain_id
        );
        return Err(Failure::new(Exit::NotRunning, text));
    };
    let view = match running::standing(&process) {
        Some(standing) => view(pair.auxiliary_chain_id, pair.origin_chain_id, &standing),
        None => View {
            chain_id: pair.auxiliary_chain_id,
            origin_chain_id: pair.origin_chain_id,
            working: false,
            synchronization: Some("synchronization: the facilitator is starting".to_owned()),
            chains: Vec::new(),
        },
    };
    if json {
        output::json(&view)?;
    } else {
        show(&view);
    }
    Ok(Exit::Done)
}

fn view(chain_id: u64, origin_chain_id: u64, standing: &Standing) -> View {
    View {
        chain_id,
        origin_chain_id,
        working: standing.synchronization.is_none(),
        synchronization: standing.synchronization.clone(),
        chains: standing.chains.iter().map(chain).collect(),
    }
}

fn chain(chain: &ChainStanding) -> ChainView {
    let of = |read: fn(&SyncRow) -> Option<u64>| chain.sync.as_ref().and_then(read);
    let words = |read: fn(&SyncRow) -> Option<&String>| chain.sync.as_ref().and_then(read).cloned();
    let at = |read: fn(&SyncRow) -> Option<u64>| of(read).map(|at| time(i64::try_from(at).unwrap_or(i64::MAX)));
    ChainView {
        side: chain.side.clone(),
        chain_id: chain.chain_id,
        stage: chain.stage.clone(),
        state: chain.connections.as_ref().map(|connections| connections.state.clone()),
        mode: chain.connections.as_ref().map(|connections| connections.mode.clone()),
        starting_block: of(|row| row.starting_block),
        current_block: of(|row| row.current_block),
        highest_block: of(|row| row.highest_block),
        max_block: of(|row| row.max_block),
        last_coord: of(|row| row.last_coord),
        since: at(|row| row.since_ms),
        ready_since: at(|row| row.ready_since_ms),
        waits_for: words(|row| row.waits_for.as_ref()),
        last_error: words(|row| row.last_error.as_ref()),
        critical: chain.critical.clone(),
    }
}

fn show(view: &View) {
    let head = ["CHAIN", "ID", "STAGE", "STATE", "MODE", "FROM", "BLOCK", "OF", "HEAD", "CHECKPOINT", "READY SINCE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
    for chain in &view.chains {
        rows.push(vec![
            chain.side.clone(),
            chain.chain_id.to_string(),
            chain.stage.clone(),
            word(&chain.state),
            word(&chain.mode),
            number(chain.starting_block),
            number(chain.current_block),
            number(chain.highest_block),
            number(chain.max_block),
            number(chain.last_coord),
            word(&chain.ready_since),
        ]);
    }
    output::line(&output::table(&rows));
    for chain in &view.chains {
        if let Some(what) = &chain.waits_for {
            output::line(&format!("The {} chain waits for {what}", chain.side));
        }
        if let Some(text) = &chain.critical {
            output::line(&format!("ALARM from the {} chain: {text}", chain.side));
        }
    }
    match &view.synchronization {
        Some(why) => output::line(&format!("No work is done: {why}")),
        None => output::line("Both chains work together."),
    }
}
