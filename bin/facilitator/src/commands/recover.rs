//! `facilitator recover`: rebuilds a lost database from the chains, and says what it found.
//!
//! Everything that can be refused is refused before a file is touched; nothing is ever deleted.

mod progress;
mod report;

use super::key_guard::KeyGuard;
use super::{Logging, context, runtime, start};
use crate::cli::RecoverArgs;
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::Loaded;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_roles::clock::now_ms;
use facilitator_roles::parent::{PerSide, Setup};
use facilitator_roles::recovery::{self, Reach, RecoveryError};
use facilitator_roles::running;
use facilitator_store::requests::Filter;
use facilitator_store::{Access, Location, Store, StoreError};
use facilitator_supervisor::limits::{Memory, protect};
use report::Report;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// Does it.
pub(crate) fn run(args: &RecoverArgs, logging: &Logging) -> Result<Exit, Failure> {
    logging.begin("warn", facilitator_telemetry::LogFormat::Text, "command")?;
    // Keys come into this process: nobody may read its memory from now on.
    protect(Memory::HoldsKeys).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    LocalSet::new().block_on(&runtime()?, recover(args, logging))
}

/// How the database is found.
enum Found {
    /// There is none.
    Nothing,
    /// It can be worked with as it is.
    Sound(Store),
    /// A recovery was cut off in it.
    Begun,
    /// It is good for nothing but to be kept.
    Unusable(StoreError),
}

async fn recover(args: &RecoverArgs, logging: &Logging) -> Result<Exit, Failure> {
    let loaded = context::load_config(&context::selection(&args.pair), &context::home()?).await?;
    start::configured_gateways(&loaded)?;
    if args.set_aside
        && let Location::Postgres(_) = context::location(&loaded)?
    {
        // Says what to do instead.
        set_aside(&loaded)?;
    }
    match examine(&loaded).await? {
        Found::Sound(store) if !args.set_aside => {
            let report = as_it_is(&loaded, &store).await?;
            store.close().await;
            return say(&report, args.json);
        }
        Found::Unusable(error) if !args.set_aside => return Err(error.into()),
        Found::Sound(store) => store.close().await,
        Found::Nothing | Found::Begun | Found::Unusable(_) => {}
    }
    let _held = KeyGuard::take(&loaded)?;
    output::remark("unlocking the worker keys");
    let keys = start::unlocked(false, &loaded)?;
    // The number of the process is not known before there is a database, nor needed to ask the nodes.
    let mut setup = start::parent_setup(&loaded, &keys, 0, logging)?;
    drop(keys);
    let (reach, gateways) = recovery::reach(&setup).await.map_err(|error| failure(&error))?;
    let aside = if args.set_aside { set_aside(&loaded)? } else { None };
    let store = context::open(&loaded, Access::Owner).await?;
    setup.process = start::register(&store, &loaded).await?;
    let report = tokio::select! {
        report = rebuild(&loaded, &setup, &store, (&reach, &gateways), aside) => report,
        ended = asked_to_end() => Err(ended),
    };
    store.release_all_claims().await?;
    store.deregister(setup.process).await?;
    store.close().await;
    say(&report?, args.json)
}

/// Looks at the database without changing it.
async fn examine(loaded: &Loaded) -> Result<Found, Failure> {
    if !context::location(loaded)?.may_exist() {
        return Ok(Found::Nothing);
    }
    let store = match context::try_open(loaded, Access::Reader).await? {
        Ok(store) => store,
        // Made, but cut off before it had a schema.
        Err(StoreError::Missing { .. }) => return Ok(Found::Nothing),
        Err(error) => return unusable(error),
    };
    let looked = async {
        store.check_pages().await?;
        let runs = running::find(&store, now_ms()).await?;
        Ok::<_, StoreError>((runs, store.is_rebuilding().await?))
    };
    match looked.await {
        Err(error) => unusable(error),
        Ok((Some(process), _)) => Err(start::already_running(&process)),
        Ok((None, true)) => {
            store.close().await;
            Ok(Found::Begun)
        }
        Ok((None, false)) => Ok(Found::Sound(store)),
    }
}

/// Only what no other program and no other configuration could read is set aside; everything else is for the operator.
fn unusable(error: StoreError) -> Result<Found, Failure> {
    match error {
        StoreError::NotADatabase { .. } | StoreError::Damaged { .. } => Ok(Found::Unusable(error)),
        StoreError::Busy { .. }
        | StoreError::Missing { .. }
        | StoreError::Foreign { .. }
        | StoreError::OtherPair { .. }
        | StoreError::Newer { .. }
        | StoreError::Older { .. }
        | StoreError::ReadOnly { .. }
        | StoreError::Full { .. }
        | StoreError::Unavailable { .. }
        | StoreError::NotEmpty { .. }
        | StoreError::Address { .. }
        | StoreError::Uncertain { .. }
        | StoreError::LeaseLost { .. }
        | StoreError::MayNotSign { .. }
        | StoreError::ClaimLost { .. }
        | StoreError::Unknown { .. }
        | StoreError::CheckpointMoved { .. }
        | StoreError::WrongState { .. }
        | StoreError::TooLarge { .. }
        | StoreError::Statement { .. } => Err(error.into()),
    }
}

fn set_aside(loaded: &Loaded) -> Result<Option<PathBuf>, Failure> {
    let stamp = facilitator_roles::views::time(now_ms()).replace([':', '-'], "");
    let aside = context::location(loaded)?.set_aside(&stamp)?;
    if let Some(path) = &aside {
        output::remark(&format!("the former database is kept as {}", path.display()));
    }
    Ok(aside)
}

async fn rebuild(
    loaded: &Loaded,
    setup: &Setup,
    store: &Store,
    (reach, gateways): (&PerSide<Reach>, &[GatewaySet]),
    aside: Option<PathBuf>,
) -> Result<Report, Failure> {
    store.begin_rebuilding().await?;
    let shown = progress::Shown::default();
    let found = Box::pin(recovery::run(setup, store, reach, gateways, &|progress| shown.tell(&progress))).await;
    shown.end();
    let found = found.map_err(|error| failure(&error))?;
    store.end_rebuilding().await?;
    report::rebuilt(loaded, store, &found, aside).await
}

/// A sound database: what it says, and that there was nothing to do.
async fn as_it_is(loaded: &Loaded, store: &Store) -> Result<Report, Failure> {
    let mut records = Vec::new();
    let mut filter = Filter::default();
    loop {
        let page = store.list(&filter).await?;
        let Some(last) = page.last() else { break };
        filter.after = Some(last.request.id);
        records.extend(page.into_iter().map(|record| recovery::Outlook { record, next: Vec::new() }));
    }
    report::as_it_is(loaded, store, &records).await
}

fn say(report: &Report, as_json: bool) -> Result<Exit, Failure> {
    if as_json {
        output::json(report)?;
    } else {
        report.show();
    }
    Ok(Exit::Done)
}

async fn asked_to_end() -> Failure {
    let wait = async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok::<_, std::io::Error>(())
    };
    match wait.await {
        Ok(()) => Failure::new(Exit::Failed, "interrupted; what was read is kept: recover again, or start"),
        Err(error) => error.into(),
    }
}

fn failure(error: &RecoveryError) -> Failure {
    let exit = match error {
        RecoveryError::Unreachable { .. } | RecoveryError::WrongChain { .. } => Exit::Node,
        RecoveryError::Contracts(_) => Exit::Config,
        RecoveryError::Store(_) => Exit::Database,
        RecoveryError::Broken(_) => Exit::Failed,
    };
    Failure::new(exit, error.to_string())
}
