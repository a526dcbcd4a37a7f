//! `facilitator list`: the running facilitators of this home.

use super::context;
use crate::cli::JsonArg;
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::{Home, Selection};
use facilitator_roles::clock::now_ms;
use facilitator_roles::running;
use serde::Serialize;

#[derive(Serialize)]
struct Running {
    chain_id: u64,
    origin_chain_id: u64,
    pid: u32,
    instance: String,
    status: String,
    started_at: String,
    config: Option<String>,
}

/// Does it.
pub(crate) async fn run(args: JsonArg) -> Result<Exit, Failure> {
    let home = context::home()?;
    let (mut found, mut failed) = (Vec::new(), None);
    for chain_id in home.configured_chains()? {
        match look(chain_id, &home).await {
            Ok(running) => found.extend(running),
            // One broken configuration does not hide the others.
            Err(failure) => {
                let message = format!("chain {chain_id}: {}", failure.message);
                failed = Some(Failure { message, ..failure });
                failed.iter().for_each(|failure| output::remark_failure(failure, args.json));
            }
        }
    }
    if args.json {
        output::json(&found)?;
    } else if !found.is_empty() {
        output::line(&table(&found));
    } else if failed.is_none() {
        output::line("no facilitator runs");
    }
    Ok(failed.map_or(Exit::Done, |failure| failure.exit))
}

async fn look(chain_id: u64, home: &Home) -> Result<Option<Running>, Failure> {
    let selection = Selection { auxiliary_chain_id: Some(chain_id), ..Selection::default() };
    let loaded = context::load_config(&selection, home).await?;
    let Some(store) = context::open_if_made(&loaded).await? else { return Ok(None) };
    let Some(process) = running::find(&store, now_ms()).await? else { return Ok(None) };
    let standing = running::standing(&process);
    Ok(Some(Running {
        chain_id,
        origin_chain_id: loaded.facilitator.origin.chain_id,
        pid: process.registered.pid,
        instance: process.registered.instance.clone(),
        status: standing.map_or_else(|| "starting".to_owned(), |standing| standing.status),
        started_at: facilitator_roles::views::time(process.started_at_ms),
        config: process.registered.config,
    }))
}

fn table(found: &[Running]) -> String {
    let head = ["CHAIN", "ORIGIN", "PID", "INSTANCE", "STATUS", "STARTED", "CONFIG"].map(str::to_owned).to_vec();
    let row = |one: &Running| {
        vec![
            one.chain_id.to_string(),
            one.origin_chain_id.to_string(),
            one.pid.to_string(),
            one.instance.clone(),
            one.status.clone(),
            one.started_at.clone(),
            one.config.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(found.iter().map(row)).collect();
    output::table(&rows)
}
