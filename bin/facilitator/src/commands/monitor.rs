//! `facilitator monitor`: watches the gateways and everybody's work on them, once or again and again.
//!
//! Each run's report is one line of JSON: to standard output if nothing failed, else to standard error.

pub(super) mod options;

use super::{Logging, context, runtime, start};
use crate::cli::MonitorArgs;
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::{Loaded, Selection};
use facilitator_monitor::{Manager, Report};
use facilitator_store::{Access, Store, StoreError};
use options::Given;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Does it.
pub(crate) fn run(args: &MonitorArgs, logging: &Logging) -> Result<Exit, Failure> {
    let runtime = runtime()?;
    let home = context::home()?;
    let chain_id = match args.chain_id {
        None if args.facilitator_config.is_none() => Some(only(&home.configured_chains()?)?),
        given => given,
    };
    let selection = Selection {
        auxiliary_chain_id: chain_id,
        facilitator_config: args.facilitator_config.clone(),
        mosaic_config: args.mosaic_config.clone(),
    };
    let loaded = runtime.block_on(context::load_config(&selection, &home))?;
    logging.begin(loaded.facilitator.settings.log_level.as_str(), start::log_format(&loaded), "monitor")?;
    runtime.block_on(watch(args, &loaded))
}

fn only(chains: &[u64]) -> Result<u64, Failure> {
    match chains {
        [one] => Ok(*one),
        [] => Err(Failure::new(
            Exit::Config,
            "no chain is configured below the home directory: run `facilitator init`, or give --facilitator-config",
        )),
        many => {
            let many: Vec<String> = many.iter().map(u64::to_string).collect();
            Err(Failure::new(
                Exit::Usage,
                format!("several chains are configured: give --chain-id {}", many.join(" or ")),
            ))
        }
    }
}

async fn watch(args: &MonitorArgs, loaded: &Loaded) -> Result<Exit, Failure> {
    let given = Given {
        interval: args.interval.map(Duration::from_secs),
        from_block: args.from_block,
        data_dir: args.data_dir.clone(),
        own_nodes: true,
    };
    let setup = options::setup(loaded, &|name| std::env::var(name).ok(), &given)?;
    let store = open(loaded, setup.data_dir.is_some()).await?;
    let owner = format!("pid {} on host {}", std::process::id(), facilitator_roles::running::host());
    let manager = setup.manager(store, owner).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    if let Some(text) = manager.mismatch().await {
        return Err(Failure::new(Exit::Failed, text));
    }
    let mut signals = Signals::new()?;
    if args.once {
        let Some(report) = signals.unless_asked(manager.trigger()).await else { return Ok(Exit::Done) };
        say(&report);
        return Ok(if report.succeeded() { Exit::Done } else { Exit::Failed });
    }
    again_and_again(&manager, &mut signals, setup.interval()).await;
    Ok(Exit::Done)
}

async fn again_and_again(manager: &Manager, signals: &mut Signals, interval: Duration) {
    tracing::info!(interval_s = interval.as_secs(), "monitoring begins");
    while let Some(report) = signals.unless_asked(manager.trigger()).await {
        say(&report);
        if !report.succeeded() {
            tracing::warn!("the run failed: the checkpoint stays, and its blocks are looked at again");
        }
        if signals.unless_asked(tokio::time::sleep(interval)).await.is_none() {
            break;
        }
    }
    tracing::info!("monitoring ends");
}

fn say(report: &Report) {
    if report.succeeded() { output::line(&report.to_json()) } else { output::remark(&report.to_json()) }
}

/// The database: written to, or only looked at by a monitor that keeps a file of its own.
async fn open(loaded: &Loaded, only_to_look: bool) -> Result<Option<Store>, Failure> {
    if only_to_look {
        return context::open_if_made(loaded).await;
    }
    match context::try_open(loaded, Access::Writer).await? {
        Ok(store) => Ok(Some(store)),
        // No facilitator was ever started here.
        Err(StoreError::Missing { .. }) => context::open(loaded, Access::Owner).await.map(Some),
        Err(error) => Err(error.into()),
    }
}

/// The wish to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// What it comes to; `None` if it was cut off. A run may be cut off anywhere.
    async fn unless_asked<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            _ = self.terminate.recv() => None,
            _ = self.interrupt.recv() => None,
            done = work => Some(done),
        }
    }
}
