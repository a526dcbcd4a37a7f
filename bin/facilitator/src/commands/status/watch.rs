//! What `status --watch` shows beyond the status: the same as the status page, in its order, most urgent first.

use super::view;
use crate::commands::instances;
use crate::terminal::{Cell, Look, Tone, fitted};
use facilitator_roles::connections::{Connections, EndpointStanding};
use facilitator_roles::look::{LookError, Thorough};
use facilitator_roles::views::activity::Activity;
use facilitator_roles::views::keys::{KeyView, keys};
use facilitator_roles::views::ledger::TotalView;
use facilitator_roles::views::requests::RequestView;
use facilitator_roles::views::status::Status;
use facilitator_roles::views::{age, rounded};
use std::sync::Arc;

/// Hours of runway below which it is urgent, and below which it is soon.
const RUNWAY: (f64, f64) = (12.0, 48.0);

/// What is seen at one moment.
pub(super) struct Seen {
    pub(super) status: Status,
    pub(super) requests: Vec<RequestView>,
    /// Newest first.
    pub(super) activity: Vec<Activity>,
    /// None while the first look through journal and ledger lasts; should it fail, all else is shown all the same.
    pub(super) thorough: Result<Option<Arc<Thorough>>, LookError>,
}

/// All of it.
pub(super) fn lines(seen: &Seen, look: Look) -> Vec<String> {
    let status = &seen.status;
    let mut lines = Vec::new();
    view::head(status, look, &mut lines);
    if let Some(standing) = &status.standing {
        view::troubles(standing, look, &mut lines);
    }
    lines.push(String::new());
    view::queue(status, look, &mut lines);
    lines.extend(view::requests(&seen.requests, look));
    if let Some(standing) = &status.standing {
        lines.push(String::new());
        lines.extend(view::chains(standing, status, look));
        let connected = standing.chains.iter().filter_map(|chain| Some((chain.chain_id, chain.connections.as_ref()?)));
        lines.extend(endpoints(&connected.collect::<Vec<_>>(), look));
    }
    match &seen.thorough {
        Ok(None) => lines.extend([String::new(), "Journal and ledger are being looked through.".to_owned()]),
        Err(error) => {
            let text = format!("Journal and ledger can't be looked through for now; another try follows: {error}");
            lines.push(String::new());
            lines.extend(view::toned(look, Tone::Warn, &text));
        }
        Ok(Some(thorough)) => {
            lines.extend(key_lines(&keys(status.standing.as_ref(), thorough), look));
            lines.extend(ledger(&thorough.totals, look));
        }
    }
    lines.extend(activity(&seen.activity, look));
    if let Some(standing) = &status.standing {
        lines.push(String::new());
        lines.extend(view::processes(standing, look));
    }
    if !status.instances.is_empty() {
        lines.push(String::new());
        lines.extend(instances::lines(&status.instances, look));
    }
    lines
}

/// A table with an empty line before it, or nothing.
fn section(look: Look, heads: &[&str], rows: &[Vec<Cell>]) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new()];
    lines.extend(fitted(look, heads, rows));
    lines
}

fn endpoints(chains: &[(u64, &Connections)], look: Look) -> Vec<String> {
    let row = |chain_id: u64, connections: &Connections, endpoint: &EndpointStanding| {
        let read = connections.the_client.as_deref() == Some(endpoint.endpoint.as_str());
        let tone = match endpoint.health.as_str() {
            "well" => Tone::Good,
            "unknown" => Tone::Warn,
            _ => Tone::Bad,
        };
        vec![
            endpoint.endpoint.clone().into(),
            chain_id.to_string().into(),
            Cell::new(tone, if read { format!("{}, read", endpoint.health) } else { endpoint.health.clone() }),
            endpoint.head.map_or_else(|| "-".to_owned(), |head| head.to_string()).into(),
            format!("{} ms", endpoint.latency_ms).into(),
            endpoint.calls.to_string().into(),
            endpoint.errors.to_string().into(),
            endpoint.reason.clone().unwrap_or_default().into(),
        ]
    };
    let all =
        chains.iter().flat_map(|(id, connections)| connections.endpoints.iter().map(|one| (*id, *connections, one)));
    let rows: Vec<Vec<Cell>> = all.map(|(id, connections, endpoint)| row(id, connections, endpoint)).collect();
    section(look, &["ENDPOINT", "CHAIN", "HEALTH", "HEAD", "LATENCY", "CALLS", "ERRORS", "WHY"], &rows)
}

fn key_lines(keys: &[KeyView], look: Look) -> Vec<String> {
    let row = |key: &KeyView| {
        let tokens: Vec<String> =
            key.bounty_tokens.iter().filter_map(|held| held.amount.as_deref()).map(rounded).collect();
        let pending = match key.pending {
            0 => "0".to_owned(),
            pending => format!("{pending} for {}", whole_seconds(key.pending_age_s)),
        };
        vec![
            key.account.clone().into(),
            key.chain_id.to_string().into(),
            runway(key),
            key.next_nonce.map_or_else(|| "-".to_owned(), |nonce| nonce.to_string()).into(),
            key.coin.as_deref().map_or_else(|| "-".to_owned(), rounded).into(),
            pending.into(),
            if tokens.is_empty() { "-".to_owned() } else { tokens.join(", ") }.into(),
            key.replacements.to_string().into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = keys.iter().map(row).collect();
    section(look, &["KEY", "CHAIN", "RUNWAY", "NONCE", "BASE COIN", "PENDING", "BOUNTY TOKEN", "REPLACED"], &rows)
}

fn runway(key: &KeyView) -> Cell {
    match key.runway_hours {
        None if key.coin.is_none() => "-".into(),
        None => "endless".into(),
        Some(hours) => {
            let tone = if hours < RUNWAY.0 {
                Tone::Bad
            } else if hours < RUNWAY.1 {
                Tone::Warn
            } else {
                Tone::Plain
            };
            Cell::new(tone, format!("{hours:.1} h"))
        }
    }
}

fn whole_seconds(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a time in seconds, whole ones of which are shown")]
    let whole = seconds.max(0.0) as i64;
    age(whole)
}

fn ledger(totals: &[TotalView], look: Look) -> Vec<String> {
    let row = |total: &TotalView| {
        let sum = &total.sum;
        let amounts = [&sum.net, &sum.reward, &sum.gas, &sum.bounty_out, &sum.bounty_back];
        let mut row = vec![Cell::from(total.asset.to_string())];
        row.extend(amounts.map(|amount| Cell::from(rounded(amount))));
        row
    };
    let rows: Vec<Vec<Cell>> = totals.iter().map(row).collect();
    section(look, &["LEDGER", "NET", "REWARD", "GAS", "BOUNTY OUT", "BOUNTY BACK"], &rows)
}

fn activity(list: &[Activity], look: Look) -> Vec<String> {
    let row = |one: &Activity| {
        // The time of day of an RFC 3339 text.
        let clock: String = one.at.chars().skip(11).take(8).collect();
        vec![
            clock.into(),
            one.request_hash.chars().take(10).collect::<String>().into(),
            Cell::new(view::tone_of(one.state), one.state),
            one.text.clone().into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = list.iter().map(row).collect();
    section(look, &["LAST (UTC)", "REQUEST", "STATE", "WHAT HAPPENED"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use facilitator_store::{Pair, StoreError};

    fn told(thorough: Result<Option<Arc<Thorough>>, LookError>) -> String {
        let status = Status::never_started(Pair { origin_chain_id: 3, auxiliary_chain_id: 1406 });
        let seen = Seen { status, requests: Vec::new(), activity: Vec::new(), thorough };
        lines(&seen, Look::plain(None)).join("\n")
    }

    #[test]
    fn a_look_through_journal_and_ledger_that_failed_says_why_and_all_else_is_shown() {
        let text = told(Err(StoreError::Missing { name: "here.db".to_owned() }.into()));
        assert!(text.contains("Journal and ledger can't be looked through"), "{text}");
        assert!(text.contains("here.db does not exist"), "{text}");
        assert!(text.contains("No requests yet."), "{text}");
        assert!(!text.contains("are being looked through"), "{text}");
        assert!(told(Ok(None)).contains("Journal and ledger are being looked through."));
    }
}
