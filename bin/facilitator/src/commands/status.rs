//! `facilitator status`: how a facilitator is doing, from its database alone, so that it answers whatever the nodes do.

use super::instances::{self, InstanceView};
use super::{context, running, start};
use crate::cli::StatusArgs;
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::Loaded;
use facilitator_roles::clock::now_ms;
use facilitator_roles::parent::{ChildStanding, Standing, WorkerBalance};
use facilitator_store::Store;
use facilitator_store::requests::Record;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Pause between two views of `--watch`.
const WATCH: Duration = Duration::from_secs(2);

/// How old the last report of a facilitator may be, in milliseconds: it reports every two seconds.
const REPORT_MS: i64 = 10_000;

#[derive(Serialize)]
struct Status {
    chain_id: u64,
    origin_chain_id: u64,
    /// `stopped` where nobody runs, `starting` and `stopping` by its own word, else the status of the instance.
    status: String,
    pid: Option<u32>,
    instance: Option<String>,
    started_at: Option<String>,
    heartbeat_age_ms: Option<i64>,
    scanned: BTreeMap<u64, Option<u64>>,
    queue: BTreeMap<String, u64>,
    unfinished: u64,
    oldest_unfinished: Option<Oldest>,
    standing: Option<Standing>,
    /// All instances that share the database.
    instances: Vec<InstanceView>,
}

#[derive(Serialize)]
struct Oldest {
    request_hash: String,
    state: String,
    age_s: i64,
    waiting_for: Option<String>,
    last_error: Option<String>,
    next_look_in_s: Option<i64>,
}

/// Does it.
pub(crate) async fn run(args: StatusArgs) -> Result<Exit, Failure> {
    let home = context::home()?;
    let loaded = context::load_config(&context::selection(&args.pair), &home).await?;
    loop {
        let status = match context::open_if_made(&loaded).await? {
            Some(store) => {
                let status = look(&store, &loaded).await?;
                store.close().await;
                status
            }
            None => never_started(&loaded),
        };
        if args.json {
            output::json(&status)?;
        } else {
            if args.watch {
                output::line("\u{1b}[2J\u{1b}[H");
            }
            show(&status);
        }
        if !args.watch {
            return Ok(Exit::Done);
        }
        tokio::select! {
            () = tokio::time::sleep(WATCH) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
    }
}

/// Without a database nothing has run yet.
fn never_started(loaded: &Loaded) -> Status {
    let pair = context::pair(loaded);
    Status {
        chain_id: pair.auxiliary_chain_id,
        origin_chain_id: pair.origin_chain_id,
        status: "stopped".to_owned(),
        pid: None,
        instance: None,
        started_at: None,
        heartbeat_age_ms: None,
        scanned: BTreeMap::from([(pair.origin_chain_id, None), (pair.auxiliary_chain_id, None)]),
        queue: BTreeMap::new(),
        unfinished: 0,
        oldest_unfinished: None,
        standing: None,
        instances: Vec::new(),
    }
}

async fn look(store: &Store, loaded: &Loaded) -> Result<Status, Failure> {
    let now = now_ms();
    let pair = store.pair();
    let process = running::own(store, loaded, now).await?;
    let standing = process.as_ref().and_then(running::standing);
    let mut queue = BTreeMap::new();
    let mut unfinished = 0;
    for count in store.counts().await? {
        *queue.entry(count.state.name(count.kind).to_owned()).or_default() += count.count;
        if !count.state.is_end() {
            unfinished += count.count;
        }
    }
    let mut scanned = BTreeMap::new();
    for chain_id in [pair.origin_chain_id, pair.auxiliary_chain_id] {
        scanned.insert(chain_id, store.checkpoint(chain_id).await?.map(|block| block.number));
    }
    let own = store.instance(&start::instance(loaded)).await?;
    let status = match &process {
        None => "stopped".to_owned(),
        Some(_) => instances::shown(standing.as_ref(), own.as_ref()),
    };
    Ok(Status {
        chain_id: pair.auxiliary_chain_id,
        origin_chain_id: pair.origin_chain_id,
        status,
        pid: process.as_ref().map(|process| process.registered.pid),
        instance: process.as_ref().map(|process| process.registered.instance.clone()),
        started_at: process.as_ref().map(|process| time(process.started_at_ms)),
        heartbeat_age_ms: process.as_ref().map(|process| now.saturating_sub(process.heartbeat_at_ms)),
        scanned,
        queue,
        unfinished,
        oldest_unfinished: store.oldest_unfinished().await?.map(|record| oldest(&record, now)),
        standing,
        instances: instances::views(store, now).await?,
    })
}

fn oldest(record: &Record, now: i64) -> Oldest {
    let request = &record.request;
    Oldest {
        request_hash: request.terms.request_hash.to_string(),
        state: request.state.name(request.kind).to_owned(),
        age_s: now.saturating_sub(record.created_at_ms) / 1_000,
        waiting_for: request.waiting_for.clone(),
        last_error: request.last_error.clone(),
        next_look_in_s: record.retry_at_ms.map(|at| at.saturating_sub(now).max(0) / 1_000),
    }
}

fn show(status: &Status) {
    let who = status.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
    output::line(&format!("Facilitator {} → {}: {}{who}", status.origin_chain_id, status.chain_id, status.status));
    if let Some(started) = &status.started_at {
        output::line(&format!(
            "Running since {started}, last heartbeat {} ms ago",
            status.heartbeat_age_ms.unwrap_or(0)
        ));
    }
    if let Some(silent) = status.heartbeat_age_ms.filter(|silent| *silent > REPORT_MS) {
        // What keeps it from reporting can't stand in its report.
        let silent = age(silent / 1_000);
        output::line(&format!(
            "It has not reported for {silent}, so what stands here is old: its database may be full or locked, or the process stopped; its log says more"
        ));
    }
    if let Some(standing) = &status.standing {
        show_standing(standing, status);
    }
    if !status.instances.is_empty() {
        output::line("");
        output::line(&instances::table(&status.instances));
    }
    output::line("");
    show_queue(status);
}

fn show_standing(standing: &Standing, status: &Status) {
    let none = || "-".to_owned();
    let mut rows = vec![["CHAIN", "ID", "STAGE", "CONNECTOR", "HEAD", "FINAL", "SCANNED"].map(str::to_owned).to_vec()];
    for chain in &standing.chains {
        let scanned = status.scanned.get(&chain.chain_id).copied().flatten();
        rows.push(vec![
            chain.side.clone(),
            chain.chain_id.to_string(),
            chain.stage.clone(),
            chain.connections.as_ref().map_or_else(none, |connections| connections.state.clone()),
            chain.head.map_or_else(none, |head| head.to_string()),
            chain.final_block.map_or_else(none, |block| block.to_string()),
            scanned.map_or_else(none, |block| block.to_string()),
        ]);
    }
    output::line("");
    output::line(&output::table(&rows));
    let mut rows = vec![["PROCESS", "CHAIN", "PID", "STATE", "RESTARTS"].map(str::to_owned).to_vec()];
    for child in &standing.children {
        let pid = child.pid.map_or_else(none, |pid| pid.to_string());
        rows.push(vec![child.role.clone(), child.side.clone(), pid, child.state.clone(), child.restarts.to_string()]);
    }
    rows.push(vec!["workers".into(), none(), none(), format!("{} of {}", standing.workers, standing.max_workers)]);
    output::line("");
    output::line(&output::table(&rows));
    show_balances(standing);
    if let Some(why) = &standing.synchronization {
        output::line(&format!("\nNo work is done. Waits for {why}"));
    }
    for chain in &standing.chains {
        if let Some(text) = &chain.critical {
            output::line(&format!("\nALARM from the {} chain: {text}", chain.side));
        }
    }
    let troubles = standing.chains.iter().filter_map(|chain| chain.trouble.as_ref().map(|text| (&chain.side, text)));
    for (side, trouble) in troubles {
        output::line(&format!("\nTrouble on the {side} chain: {trouble}"));
    }
    for child in standing.children.iter().filter(|child| child.state == "quarantined") {
        output::line(&quarantine(child, now_ms()));
    }
    if let Some(trouble) = &standing.database_trouble {
        output::line(&format!("\nTrouble with the database: {trouble}"));
    }
}

/// A child that is left alone: why, and until when.
fn quarantine(child: &ChildStanding, now: i64) -> String {
    let why = child.trouble.as_deref().unwrap_or("it kept dying");
    let wait = child.next_try_at_ms.map_or(0, |at| at.saturating_sub(now).max(0) / 1_000);
    let (role, side) = (&child.role, &child.side);
    format!("\nThe {role} of the {side} chain is quarantined, and tried again in {}: {why}", age(wait))
}

fn show_balances(standing: &Standing) {
    let mut rows = vec![["WORKER", "CHAIN", "BASE COIN", "BOUNTY TOKEN"].map(str::to_owned).to_vec()];
    for chain in &standing.chains {
        for worker in &chain.workers {
            let amount = |amount: &Option<String>| amount.clone().unwrap_or_else(|| "-".to_owned());
            rows.push(vec![worker.address.clone(), chain.side.clone(), amount(&worker.coin), bounty_tokens(worker)]);
        }
    }
    if rows.len() > 1 {
        output::line("");
        output::line(&output::table(&rows));
    }
}

/// One token needs no name.
fn bounty_tokens(worker: &WorkerBalance) -> String {
    let amount = |amount: &Option<String>| amount.clone().unwrap_or_else(|| "-".to_owned());
    match worker.bounty_tokens.as_slice() {
        [] => amount(&worker.bounty_token),
        [one] => amount(&one.amount),
        several => {
            let all: Vec<String> =
                several.iter().map(|held| format!("{} of {}", amount(&held.amount), held.token)).collect();
            all.join(", ")
        }
    }
}

fn show_queue(status: &Status) {
    if status.queue.is_empty() {
        return output::line("No requests yet.");
    }
    let counts: Vec<String> = status.queue.iter().map(|(state, count)| format!("{count} {state}")).collect();
    output::line(&format!("Requests: {}", counts.join(", ")));
    if let Some(oldest) = &status.oldest_unfinished {
        output::line(&format!(
            "Oldest unfinished: {} is {}, requested {} ago",
            oldest.request_hash,
            oldest.state,
            age(oldest.age_s)
        ));
        if let Some(reason) = &oldest.waiting_for {
            output::line(&format!("  waits for {reason}"));
        }
        if let Some(error) = &oldest.last_error {
            output::line(&format!("  last error: {error}"));
        }
        if let Some(seconds) = oldest.next_look_in_s {
            output::line(&format!("  looked at again within {} at the latest", age(seconds)));
        }
    }
}

/// Seconds for people.
pub(crate) fn age(seconds: i64) -> String {
    humantime::format_duration(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))).to_string()
}

/// Unix milliseconds as RFC 3339.
pub(crate) fn time(at_ms: i64) -> String {
    let at: SystemTime = UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap_or(0));
    humantime::format_rfc3339_millis(at).to_string()
}
