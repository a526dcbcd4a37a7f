//! `facilitator stop`: SIGTERM to the running facilitator, and wait for its end.

use super::{context, start};
use crate::cli::StopArgs;
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::Selection;
use facilitator_roles::clock::now_ms;
use facilitator_roles::running;
use facilitator_store::processes::Process;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;
use std::time::{Duration, Instant};

/// How often to look whether it has ended.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Serialize)]
struct Stopped {
    chain_id: u64,
    pid: u32,
}

/// Does it.
pub(crate) async fn run(args: StopArgs) -> Result<Exit, Failure> {
    let home = context::home()?;
    let chains = match args.chain_id {
        Some(id) => vec![id],
        None => home.configured_chains()?,
    };
    let mut stopped = Vec::new();
    let mut failed = None;
    for chain_id in chains {
        match stop_one(chain_id, Duration::from_secs(args.timeout)).await {
            Ok(one) => stopped.extend(one),
            // The others are stopped all the same.
            Err(failure) if args.all => {
                output::remark(&format!("facilitator: chain {chain_id}: {failure}"));
                failed = Some(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    if stopped.is_empty()
        && let Some(failure) = failed
    {
        return Err(failure);
    }
    if stopped.is_empty() {
        let which = args.chain_id.map_or_else(String::new, |id| format!(" for chain {id}"));
        return Err(Failure::new(
            Exit::NotRunning,
            format!("no facilitator runs{which}; `facilitator list` shows those that do"),
        ));
    }
    if args.json {
        output::json(&stopped)?;
    } else {
        for one in &stopped {
            output::line(&format!("stopped the facilitator of chain {} (pid {})", one.chain_id, one.pid));
        }
    }
    Ok(failed.map_or(Exit::Done, |failure| failure.exit))
}

async fn stop_one(chain_id: u64, within: Duration) -> Result<Option<Stopped>, Failure> {
    let Some(process) = find(chain_id).await? else { return Ok(None) };
    end(chain_id, &process, within).await?;
    Ok(Some(Stopped { chain_id, pid: process.registered.pid }))
}

async fn find(chain_id: u64) -> Result<Option<Process>, Failure> {
    let home = context::home()?;
    // Nothing runs for a chain that was never configured.
    if !home.facilitator_config(chain_id).exists() {
        return Ok(None);
    }
    let selection = Selection { auxiliary_chain_id: Some(chain_id), ..Selection::default() };
    let loaded = context::load_config(&selection, &home).await?;
    match context::open_if_made(&loaded).await? {
        Some(store) => Ok(running::own(&store, &start::instance(&loaded), now_ms()).await?),
        None => Ok(None),
    }
}

async fn end(chain_id: u64, process: &Process, within: Duration) -> Result<(), Failure> {
    let registered = &process.registered;
    if registered.host != running::host() {
        let text = format!("the facilitator of chain {chain_id} runs on host {}: stop it there", registered.host);
        return Err(Failure::new(Exit::Failed, text));
    }
    let pid = Pid::from_raw(i32::try_from(registered.pid).unwrap_or_default());
    match kill(pid, Signal::SIGTERM) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => {
            return Err(Failure::new(Exit::Failed, format!("can't signal process {pid}: {error}; are you its user?")));
        }
    }
    let deadline = Instant::now() + within;
    while running::started(registered.pid).is_some_and(|found| found == registered.pid_started) {
        if Instant::now() >= deadline {
            let text = format!(
                "the facilitator of chain {chain_id} (pid {pid}) has not ended within {} s; it is still finishing: wait, or give a longer --timeout",
                within.as_secs()
            );
            return Err(Failure::new(Exit::Failed, text));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
