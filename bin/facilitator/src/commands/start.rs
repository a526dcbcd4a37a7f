//! `facilitator start`: checks everything that can be checked before the first child, unlocks, and runs the parent.

mod background;
mod manager;
mod reread;
mod setup;

use super::key_guard::KeyGuard;
use super::{Logging, context, instances, runtime};
use crate::cli::StartArgs;
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::{Home, Keys, Loaded, Passwords, Secret, Selection, password_variable, unlock};
use facilitator_eth::Address;
use facilitator_heartbeat::Params;
use facilitator_kill::kill_point;
use facilitator_roles::clock::{self, now_ms};
use facilitator_roles::messages::{MonitorSetup, Unfit};
use facilitator_roles::parent::{self, News, OnNews, ParentError, Rereader, Signals};
use facilitator_roles::running::{self, Viewpoint};
use facilitator_store::processes::{NewProcess, Process, ProcessKind, Registered};
use facilitator_store::{Access, Store, StoreError};
use facilitator_supervisor::limits::{Memory, keep_descriptors, lock_memory, protect, raise_open_files};
use manager::{Manager, Step};
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

/// Open files that a parent with many workers needs: three for each worker, and some.
const OPEN_FILES: u64 = 16_384;

/// Does it.
pub(crate) fn run(args: &StartArgs, logging: &Logging) -> Result<Exit, Failure> {
    let home = context::home()?;
    let chains = chains(args, &home)?;
    match chains.as_slice() {
        [] => {
            Err(Failure::new(Exit::Config, "no chain is configured below the home directory: run `facilitator init`"))
        }
        [one] if !args.detach => foreground(args, *one, &home, logging),
        many => runtime()?.block_on(background::run(args, many, &home, logging)),
    }
}

/// The chains to start; `None` in it: the one of `--facilitator-config`.
fn chains(args: &StartArgs, home: &Home) -> Result<Vec<Option<u64>>, Failure> {
    if !args.chain_id.is_empty() {
        let mut chains: Vec<u64> = args.chain_id.clone();
        chains.dedup();
        if chains.len() > 1 && (args.facilitator_config.is_some() || args.mosaic_config.is_some()) {
            return Err(Failure::new(Exit::Usage, "--facilitator-config and --mosaic-config go with one --chain-id"));
        }
        return Ok(chains.into_iter().map(Some).collect());
    }
    if args.facilitator_config.is_some() {
        return Ok(vec![None]);
    }
    Ok(home.configured_chains()?.into_iter().map(Some).collect())
}

fn selection(args: &StartArgs, chain_id: Option<u64>) -> Selection {
    Selection {
        auxiliary_chain_id: chain_id,
        facilitator_config: args.facilitator_config.clone(),
        mosaic_config: args.mosaic_config.clone(),
    }
}

fn foreground(args: &StartArgs, chain_id: Option<u64>, home: &Home, logging: &Logging) -> Result<Exit, Failure> {
    // Keys come into this process: nobody may read its memory from now on.
    protect(Memory::HoldsKeys).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let (locked, kept) = (lock_memory(), keep_descriptors());
    let runtime = runtime()?;
    let loaded = runtime.block_on(context::load_config(&selection(args, chain_id), home))?;
    let level = loaded.facilitator.settings.log_level.as_str();
    logging.begin(level, setup::log_format(&loaded), "parent")?;
    if let Err(error) = locked {
        tracing::warn!(%error, "keys may be swapped out: lift the limit on locked memory (LimitMEMLOCK=infinity), or encrypt the swap");
    }
    if let Err(error) = kept {
        tracing::warn!(%error, "children inherit what files this process was started with");
    }
    if let Err(error) = raise_open_files(OPEN_FILES) {
        tracing::warn!(%error, "few files may be open: many workers at a time may fail to start");
    }
    if let Some(warning) = facilitator_config::permission_warning(&loaded.facilitator.file) {
        tracing::warn!("{warning}");
    }
    // A composer is needed before anything is unlocked or created.
    setup::gateways(&loaded)?;
    let monitor = args.monitor.then(|| setup::monitor(&loaded)).transpose()?;
    let rereader = reread::rereader(selection(args, chain_id), home.clone(), &loaded, logging.clone());
    runtime.block_on(serve(args, &loaded, logging, monitor, rereader))
}

async fn serve(
    args: &StartArgs,
    loaded: &Loaded,
    logging: &Logging,
    monitor: Option<MonitorSetup>,
    rereader: Rereader,
) -> Result<Exit, Failure> {
    let chain_id = loaded.facilitator.auxiliary.chain_id;
    refuse_second(loaded).await?;
    let _held = KeyGuard::take(loaded)?;
    let keys = unlocked(args.passwords_from_stdin, loaded)?;
    manager::begins(Step::Database);
    let store = context::open(loaded, Access::Owner).await?;
    // From here on `stop` finds this process.
    let signals = Signals::listen().map_err(|error| parent_failure(&error))?;
    clock::follow(store.clone());
    let process = register(&store, loaded).await?;
    kill_point!("parent.registered");
    // What a recovery began, this start goes on with.
    store.end_rebuilding().await?;
    let instance = setup::instance(loaded);
    let freed = store.release_claims_of(&instance).await?;
    kill_point!("parent.claims_freed");
    if let Err(failure) = instances::enroll(&store, loaded).await {
        if let Err(error) = store.deregister(process).await {
            tracing::warn!(%error, "{NOT_TOLD}");
        }
        return Err(failure);
    }
    kill_point!("parent.enrolled");
    tracing::info!(
        instance,
        chain = chain_id,
        unfinished = freed,
        version = env!("CARGO_PKG_VERSION"),
        "facilitator begins"
    );
    let setup = parent::Setup { monitor, ..setup::parent(loaded, &keys, process, logging)? };
    drop(keys);
    end_hunts(&store, loaded).await?;
    let result = parent::run(setup, store.clone(), signals, on_news(args.json, chain_id), rereader).await;
    kill_point!("parent.children_gone");
    // Why the parent ended counts: a stop while the database is away is an orderly one.
    if let Err(error) = sign_off(&store, loaded, process).await {
        tracing::warn!(%error, "{NOT_TOLD}");
    }
    store.close().await;
    match result {
        Ok(()) => {
            tracing::info!(chain = chain_id, "facilitator ended");
            Ok(Exit::Done)
        }
        Err(error) => Err(parent_failure(&error)),
    }
}

/// With the hunter off nothing more is sent for what others left, but for what was signed already.
async fn end_hunts(store: &Store, loaded: &Loaded) -> Result<(), Failure> {
    if loaded.facilitator.hunter.enabled {
        return Ok(());
    }
    let ended = store.end_queued_hunts(&keys_by_chain(loaded), now_ms()).await?;
    if ended > 0 {
        tracing::info!(transactions = ended, "the hunter is off: what was queued for others' messages is not sent");
    }
    Ok(())
}

/// The worker keys, each with its chain.
pub(super) fn keys_by_chain(loaded: &Loaded) -> Vec<(u64, Address)> {
    let chains = [&loaded.facilitator.origin, &loaded.facilitator.auxiliary].into_iter();
    chains.flat_map(|chain| chain.workers.iter().map(|worker| (chain.chain_id, *worker))).collect()
}

/// What is logged where the database can't be told of the end. Why it ended is said all the same.
const NOT_TOLD: &str = "the database was not told of the end; others learn of it by silence alone";

/// Tells the database that this process ends.
async fn sign_off(store: &Store, loaded: &Loaded, process: i64) -> Result<(), StoreError> {
    // Whoever took this place meanwhile is not to be told that it was stopped.
    if store.heartbeat(process, now_ms()).await? {
        instances::leave(store, loaded).await;
    }
    store.deregister(process).await?;
    kill_point!("parent.deregistered");
    Ok(())
}

fn on_news(json: bool, chain_id: u64) -> OnNews {
    let mut manager = Manager::begin();
    Box::new(move |news| {
        if news == News::Ready {
            let pid = std::process::id();
            output::line(&if json {
                format!("{{\"ready\":true,\"chain_id\":{chain_id},\"pid\":{pid}}}")
            } else {
                "ready".to_owned()
            });
        }
        manager.hears(news);
    })
}

fn parent_failure(error: &ParentError) -> Failure {
    // What the configuration has to say otherwise.
    let mut path = None;
    let exit = match error {
        ParentError::Unfit { unfit, .. } => match unfit {
            Unfit::WrongChain(_) => Exit::Node,
            Unfit::Contracts(_) => Exit::Config,
            Unfit::Database(_) => Exit::Database,
        },
        ParentError::Clerk(_) => Exit::Database,
        ParentError::Replaced { .. } => Exit::AlreadyRunning,
        ParentError::Deregistered { .. } => {
            path = Some(instances::NAME.to_owned());
            Exit::Config
        }
        ParentError::Signals(_) | ParentError::Spawn(_) => Exit::Failed,
    };
    Failure { path, ..Failure::new(exit, error.to_string()) }
}

/// Says before passwords are asked for who runs, or that this instance never will again. Of one that may be this machine's
/// own, from before it was started anew, it waits to see whether it gives another sign of life: a power cut must not keep a
/// service from coming back.
async fn refuse_second(loaded: &Loaded) -> Result<(), Failure> {
    let Some(store) = context::open_if_readable(loaded).await? else { return Ok(()) };
    let refused = match instances::refuse_deregistered(&store, loaded).await {
        Ok(()) => in_the_way(&store, loaded).await.map(|found| found.map(|process| already_running(&process))),
        Err(failure) => Err(failure),
    };
    store.close().await;
    refused?.map_or(Ok(()), Err)
}

/// Who keeps this instance from running. Ends: whoever is silent is dead in the end.
async fn in_the_way(store: &Store, loaded: &Loaded) -> Result<Option<Process>, Failure> {
    let (instance, keys) = (setup::instance(loaded), keys_by_chain(loaded));
    let is_in_the_way = |process: &Process| {
        let other = &process.registered;
        other.instance == instance || keys.iter().any(|key| other.keys.contains(key))
    };
    let mut heard: Option<(i64, i64)> = None;
    loop {
        let Some(process) = running::all(store, now_ms()).await?.into_iter().find(&is_in_the_way) else {
            return Ok(None);
        };
        let sign = (process.id, process.heartbeat_at_ms);
        let is_silent = heard.is_none_or(|heard| heard == sign);
        if !(is_silent && Viewpoint::of(store).may_be_former(&process)) {
            return Ok(Some(process));
        }
        if heard.is_none() {
            let pid = process.registered.pid;
            tracing::info!(
                pid,
                "this host was started anew: waiting whether the facilitator from before gives a sign of life"
            );
        }
        heard = Some(sign);
        manager::begins(Step::Watch);
        tokio::time::sleep(LOOK).await;
    }
}

/// Pause between two looks for a sign of life.
const LOOK: Duration = Duration::from_secs(1);

/// Name of the instance that a configuration is.
pub(super) fn instance(loaded: &Loaded) -> String {
    setup::instance(loaded)
}

/// What the life of instances goes by, as configured.
pub(super) fn params(loaded: &Loaded) -> Params {
    setup::params(loaded)
}

pub(super) fn already_running(process: &Process) -> Failure {
    let registered = &process.registered;
    let (pid, host, since) = (registered.pid, &registered.host, facilitator_roles::views::time(process.started_at_ms));
    let text = if *host == running::host() {
        format!(
            "a facilitator runs already on this database or with these worker keys: pid {pid} on host {host}, since {since}; `facilitator stop` ends it"
        )
    } else {
        let instance = &registered.instance;
        format!(
            "instance {instance} runs already on host {host}, pid {pid}, since {since}: end it there; or, if this is to be another instance, give it a name (`heartbeat.instance`) and worker keys of its own (`init --join`)"
        )
    };
    Failure::new(Exit::AlreadyRunning, text)
}

/// Makes this process the one that runs on a database.
///
/// # Errors
/// [`Exit::AlreadyRunning`], or the database's.
pub(super) async fn register(store: &Store, loaded: &Loaded) -> Result<i64, Failure> {
    let here = Viewpoint::of(store);
    let pid = std::process::id();
    let new = NewProcess {
        kind: ProcessKind::Facilitator,
        instance: setup::instance(loaded),
        chain_id: None,
        host: here.host.clone(),
        pid,
        pid_started: running::started(pid).unwrap_or_default(),
        config: Some(loaded.facilitator.file.display().to_string()),
        keys: keys_by_chain(loaded),
    };
    let now = now_ms();
    match store.register(&new, &move |process| here.is_alive(process, now), now).await? {
        Registered::As(id) => Ok(id),
        Registered::Refused(process) => Err(already_running(&process)),
    }
}

/// All keys, with passwords from the environment, from the service manager, from standard input, or asked for.
pub(super) fn unlocked(passwords_from_stdin: bool, loaded: &Loaded) -> Result<Keys, Failure> {
    let passwords = passwords(passwords_from_stdin, loaded)?;
    let keys = loaded.facilitator.workers().len();
    tracing::info!(keys, "unlocking the worker keys");
    // And the hash-lock key.
    manager::begins(Step::Keys(keys.saturating_add(1)));
    Ok(unlock(&loaded.facilitator, &passwords)?)
}

fn passwords(from_stdin: bool, loaded: &Loaded) -> Result<Passwords, Failure> {
    let mut passwords = Passwords::from_env(std::env::vars_os().chain(manager::credentials()?))?;
    if from_stdin {
        read_passwords(&mut passwords)?;
    }
    for account in passwords.missing(&loaded.facilitator.workers()) {
        if !std::io::stdin().is_terminal() {
            break;
        }
        let password = rpassword::prompt_password(format!("Password of worker {account}: "))?;
        passwords.insert(account, Secret::new(password));
    }
    if let Some(account) = passwords.missing(&loaded.facilitator.workers()).first() {
        let variable = password_variable(*account);
        let text = format!(
            "no password for worker {account}: set {variable}, or give the service a password file of that name, or run this on a terminal"
        );
        return Err(Failure::new(Exit::Key, text));
    }
    Ok(passwords)
}

/// Lines `address password`, as another `start` writes them.
fn read_passwords(passwords: &mut Passwords) -> Result<(), Failure> {
    for line in std::io::stdin().lock().lines() {
        let line = zeroize::Zeroizing::new(line?);
        let Some((account, password)) = line.split_once(' ') else { continue };
        let account = account.parse().map_err(|_| Failure::new(Exit::Usage, "standard input: no address"))?;
        passwords.insert(account, Secret::new(password.to_owned()));
    }
    Ok(())
}

/// Where a facilitator in the background logs to.
fn log_file(home: &Home, chain_id: u64) -> PathBuf {
    home.chain_directory(chain_id).join("facilitator.log")
}

/// Everything that a parent works by.
///
/// # Errors
/// A mosaic config that lacks what a facilitator needs.
pub(super) fn parent_setup(
    loaded: &Loaded,
    keys: &Keys,
    process: i64,
    logging: &Logging,
) -> Result<parent::Setup, Failure> {
    setup::parent(loaded, keys, process, logging)
}

/// The configured form of log lines.
pub(crate) fn log_format(loaded: &Loaded) -> facilitator_telemetry::LogFormat {
    setup::log_format(loaded)
}

/// The gateways that a configuration serves.
///
/// # Errors
/// A mosaic config that lacks what a facilitator needs.
pub(crate) fn configured_gateways(
    loaded: &Loaded,
) -> Result<Vec<facilitator_roles::messages::ConfiguredGateway>, Failure> {
    setup::gateways(loaded)
}
