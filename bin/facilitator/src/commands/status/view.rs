//! The status for people, line by line, as wide as where it is shown.

use crate::commands::instances;
use crate::terminal::{Cell, Look, Tone, fitted, table};
use facilitator_roles::clock::now_ms;
use facilitator_roles::parent::{ChainStanding, ChildStanding, Standing, WorkerBalance};
use facilitator_roles::views::age;
use facilitator_roles::views::requests::RequestView;
use facilitator_roles::views::status::Status;

/// Columns of a bar.
const BAR: usize = 24;

/// How a state of a request is meant.
pub(crate) fn tone_of(state: &str) -> Tone {
    match state {
        "COMPLETE" => Tone::Good,
        "UNKNOWN" => Tone::Bad,
        "SKIPPED" | "REJECTED" | "REVOKED" | "TAKEN_BY_OTHER" => Tone::Soft,
        failed if failed.ends_with("_FAILED") => Tone::Bad,
        _ => Tone::Plain,
    }
}

/// All of it.
pub(super) fn lines(status: &Status, look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    head(status, look, &mut lines);
    if let Some(standing) = &status.standing {
        lines.push(String::new());
        lines.extend(chains(standing, status, look));
        lines.push(String::new());
        lines.extend(processes(standing, look));
        balances(standing, look, &mut lines);
        troubles(standing, look, &mut lines);
    }
    if !status.instances.is_empty() {
        lines.push(String::new());
        lines.extend(instances::lines(&status.instances, look));
    }
    lines.push(String::new());
    queue(status, look, &mut lines);
    lines
}

/// The requests that are under way, for a view that goes on.
pub(super) fn requests(list: &[RequestView], look: Look) -> Vec<String> {
    if list.is_empty() {
        return Vec::new();
    }
    let row = |one: &RequestView| {
        let reason = one.waiting_for.clone().or_else(|| one.last_error.clone()).unwrap_or_default();
        vec![
            one.request_hash.chars().take(18).collect::<String>().into(),
            one.kind.into(),
            Cell::new(tone_of(one.state), one.state),
            one.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()).into(),
            reason.into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = list.iter().map(row).collect();
    let mut lines = vec![String::new()];
    lines.extend(table(look, &["REQUEST", "KIND", "STATE", "WORKER", "WAITS FOR / ERROR"], &rows));
    lines
}

pub(super) fn head(status: &Status, look: Look, lines: &mut Vec<String>) {
    let who = status.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
    let tone = match status.status.as_str() {
        "active" => Tone::Good,
        "starting" | "stopping" | "request_maintenance" | "in_maintenance" => Tone::Warn,
        _ => Tone::Bad,
    };
    let name = look.paint(Tone::Strong, &format!("Facilitator {} → {}", status.origin_chain_id, status.chain_id));
    lines.push(format!("{name}: {}{who}", look.paint(tone, &status.status)));
    if let Some(started) = &status.started_at {
        let silent = status.heartbeat_age_ms.unwrap_or(0);
        lines.extend(look.wrap(&format!("Running since {started}, last heartbeat {silent} ms ago"), 2));
    }
    if status.is_silent() {
        // What keeps it from reporting can't stand in its report.
        let silent = age(status.heartbeat_age_ms.unwrap_or(0) / 1_000);
        let text = format!(
            "It has not reported for {silent}, so what stands here is old: its database may be full or locked, or the process stopped; its log says more"
        );
        lines.extend(toned(look, Tone::Bad, &text));
    }
}

pub(super) fn toned(look: Look, tone: Tone, text: &str) -> Vec<String> {
    look.wrap(text, 2).iter().map(|line| look.paint(tone, line)).collect()
}

fn number(number: Option<u64>) -> Cell {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string()).into()
}

pub(super) fn chains(standing: &Standing, status: &Status, look: Look) -> Vec<String> {
    let row = |chain: &ChainStanding| {
        let tone = if chain.stage == "working" { Tone::Good } else { Tone::Warn };
        let connector = chain.connections.as_ref().map(|connections| connections.state.clone());
        vec![
            chain.side.clone().into(),
            chain.chain_id.to_string().into(),
            Cell::new(tone, chain.stage.clone()),
            connector.unwrap_or_else(|| "-".to_owned()).into(),
            number(chain.head),
            number(chain.final_block),
            number(status.scanned.get(&chain.chain_id).copied().flatten()),
        ]
    };
    let rows: Vec<Vec<Cell>> = standing.chains.iter().map(row).collect();
    let mut lines = fitted(look, &["CHAIN", "ID", "STAGE", "CONNECTOR", "HEAD", "FINAL", "SCANNED"], &rows);
    lines.extend(standing.chains.iter().filter_map(|chain| reading(chain, look)));
    lines
}

/// How far a chain is that is being caught up with.
fn reading(chain: &ChainStanding, look: Look) -> Option<String> {
    let progress = chain.progress.as_ref()?;
    let left = progress.left_s.and_then(|left| i64::try_from(left).ok());
    let left = left.map_or_else(String::new, |left| format!(", {} left", age(left)));
    let bar = look.bar(progress.percent, BAR);
    let (percent, rate) = (progress.percent, progress.blocks_per_s);
    Some(format!("reading the {} chain {bar} {percent} %, {rate} blocks/s{left}", chain.side))
}

pub(super) fn processes(standing: &Standing, look: Look) -> Vec<String> {
    let row = |child: &ChildStanding| {
        let tone = match child.state.as_str() {
            "working" => Tone::Good,
            "quarantined" => Tone::Bad,
            _ => Tone::Warn,
        };
        let pid = child.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let state = Cell::new(tone, child.state.clone());
        vec![child.role.clone().into(), child.side.clone().into(), pid.into(), state, child.restarts.to_string().into()]
    };
    let mut rows: Vec<Vec<Cell>> = standing.children.iter().map(row).collect();
    let workers = format!("{} of {}", standing.workers, standing.max_workers);
    rows.push(vec!["workers".into(), "-".into(), "-".into(), workers.into()]);
    table(look, &["PROCESS", "CHAIN", "PID", "STATE", "RESTARTS"], &rows)
}

fn balances(standing: &Standing, look: Look, lines: &mut Vec<String>) {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for chain in &standing.chains {
        for worker in &chain.workers {
            let amount = |amount: &Option<String>| amount.clone().unwrap_or_else(|| "-".to_owned());
            rows.push(vec![
                worker.address.clone().into(),
                chain.side.clone().into(),
                amount(&worker.coin).into(),
                bounty_tokens(worker).into(),
            ]);
        }
    }
    if !rows.is_empty() {
        lines.push(String::new());
        lines.extend(table(look, &["WORKER", "CHAIN", "BASE COIN", "BOUNTY TOKEN"], &rows));
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

pub(super) fn troubles(standing: &Standing, look: Look, lines: &mut Vec<String>) {
    let mut say = |tone: Tone, text: String| {
        lines.push(String::new());
        lines.extend(toned(look, tone, &text));
    };
    if let Some(why) = &standing.synchronization {
        say(Tone::Warn, format!("No work is done. Waits for {why}"));
    }
    for chain in &standing.chains {
        if let Some(text) = &chain.critical {
            say(Tone::Bad, format!("ALARM from the {} chain: {text}", chain.side));
        }
    }
    for chain in &standing.chains {
        if let Some(trouble) = &chain.trouble {
            say(Tone::Warn, format!("Trouble on the {} chain: {trouble}", chain.side));
        }
    }
    for child in &standing.children {
        if child.state == "quarantined" {
            say(Tone::Bad, quarantine(child, now_ms()));
        } else if let Some(trouble) = child.trouble.as_ref().filter(|_| child.side == "both") {
            say(Tone::Warn, format!("Trouble of the {}: {trouble}", child.role));
        }
    }
    if let Some(trouble) = &standing.database_trouble {
        say(Tone::Bad, format!("Trouble with the database: {trouble}"));
    }
}

/// A child that is left alone: why, and until when.
fn quarantine(child: &ChildStanding, now: i64) -> String {
    let why = child.trouble.as_deref().unwrap_or("it kept dying");
    let wait = child.next_try_at_ms.map_or(0, |at| at.saturating_sub(now).max(0) / 1_000);
    let (role, side) = (&child.role, &child.side);
    format!("The {role} of the {side} chain is quarantined, and tried again in {}: {why}", age(wait))
}

pub(super) fn queue(status: &Status, look: Look, lines: &mut Vec<String>) {
    if status.queue.is_empty() {
        lines.push("No requests yet.".to_owned());
        if status.started_at_ms.is_none() && status.scanned.values().all(Option::is_none) {
            let text = "It has not read the chains yet: `facilitator start` does. If it has worked before, its database is lost: \
                        `facilitator recover` finds in the chains what was in it.";
            lines.extend(look.wrap(text, 2));
        }
        return;
    }
    let counts: Vec<String> = status.queue.iter().map(|(state, count)| format!("{count} {state}")).collect();
    lines.extend(look.wrap(&format!("Requests: {}", counts.join(", ")), 2));
    let Some(oldest) = &status.oldest_unfinished else { return };
    let (hash, state, since) = (&oldest.request_hash, &oldest.state, age(oldest.age_s));
    lines.extend(look.wrap(&format!("Oldest unfinished: {hash} is {state}, requested {since} ago"), 2));
    if let Some(reason) = &oldest.waiting_for {
        lines.extend(look.wrap(&format!("  waits for {reason}"), 4));
    }
    if let Some(error) = &oldest.last_error {
        lines.extend(look.wrap(&format!("  last error: {error}"), 4));
    }
    lines.extend(look.wrap(&format!("  {}", oldest.next), 4));
}
