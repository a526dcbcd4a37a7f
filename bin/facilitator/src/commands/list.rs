//! `facilitator list`: the running facilitators of this home.

use super::context;
use crate::cli::JsonArg;
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::{Home, Selection};
use facilitator_roles::clock::now_ms;
use facilitator_roles::running;
use facilitator_roles::views::{instances, time};
use facilitator_store::processes::Process;
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

/// Every instance that runs on the chain's database, also those of other homes and hosts.
async fn look(chain_id: u64, home: &Home) -> Result<Vec<Running>, Failure> {
    let selection = Selection { auxiliary_chain_id: Some(chain_id), ..Selection::default() };
    let loaded = context::load_config(&selection, home).await?;
    let Some(store) = context::open_if_made(&loaded).await? else { return Ok(Vec::new()) };
    let lives = store.instances().await?;
    let view = |process: Process| {
        let standing = running::standing(&process);
        let life = lives.iter().find(|row| row.name == process.registered.instance);
        Running {
            chain_id,
            origin_chain_id: loaded.facilitator.origin.chain_id,
            pid: process.registered.pid,
            status: instances::shown(standing.as_ref(), life),
            started_at: time(process.started_at_ms),
            instance: process.registered.instance,
            config: process.registered.config,
        }
    };
    Ok(running::all(&store, now_ms()).await?.into_iter().map(view).collect())
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
