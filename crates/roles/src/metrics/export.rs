//! From what was looked up to metrics. Pure.

use crate::connections::Connections;
use crate::look::{Quick, Thorough};
use crate::parent::{ChainStanding, Standing};
use crate::views::keys::KeyView;
use crate::views::status::{Blocked, Status};
use crate::views::{keys as views, seconds};
use facilitator_eth::U256;
use facilitator_heartbeat::Status as Life;
use facilitator_protocol::model::{Kind, State};
use facilitator_telemetry::metrics::{Exposition, Number, table};
use std::collections::BTreeSet;

/// Everything that there is to say; what only a thorough look shows is left out before the first one.
pub(super) fn export(quick: &Quick, thorough: Option<&Thorough>) -> Exposition {
    let mut to = Exposition::default();
    alive(&mut to, &quick.status);
    stuck(&mut to, quick);
    if let Some(thorough) = thorough {
        to.add(&table::FIGURES_AGE, [], seconds(quick.at_ms.saturating_sub(thorough.at_ms)));
        completed(&mut to, thorough);
        earning(&mut to, thorough);
        keys(&mut to, &views::keys(quick.status.standing.as_ref(), thorough));
    }
    if let Some(standing) = &quick.status.standing {
        nodes(&mut to, standing, &quick.status);
    }
    to
}

fn whole(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn amount(amount: U256) -> Number {
    Number::Amount(amount.to_string())
}

fn alive(to: &mut Exposition, status: &Status) {
    to.add(&table::BUILD_INFO, [env!("CARGO_PKG_VERSION")], 1);
    to.add(&table::RUNNING, [], status.pid.is_some());
    to.add(&table::READY, [], status.idle_because().is_none());
    if let Some(age) = status.heartbeat_age_ms {
        to.add(&table::REPORT_AGE, [], seconds(age));
    }
    if let Some(started_at_ms) = status.started_at_ms {
        to.add(&table::START_TIME, [], seconds(started_at_ms));
    }
    for instance in &status.instances {
        for life in Life::ALL {
            let is = instance.status == life.as_str();
            to.add(&table::INSTANCE_STATUS, [instance.instance.as_str(), life.as_str()], is);
        }
    }
    let Some(standing) = &status.standing else { return };
    for child in &standing.children {
        let chain = standing.chains.iter().find(|chain| chain.side == child.side);
        let chain = chain.map_or_else(|| child.side.clone(), |chain| chain.chain_id.to_string());
        let labels = [child.role.as_str(), chain.as_str()];
        to.add(&table::PROCESS_WORKING, labels, child.state == "working");
        to.add(&table::PROCESS_QUARANTINED, labels, child.state == "quarantined");
        to.add(&table::PROCESS_RESTARTS, labels, u64::from(child.restarts));
    }
    to.add(&table::WORKERS, [], whole(standing.workers));
    to.add(&table::WORKERS_MAX, [], whole(standing.max_workers));
    to.add(&table::DATABASE_TROUBLE, [], standing.database_trouble.is_some());
}

fn stuck(to: &mut Exposition, quick: &Quick) {
    for kind in Kind::ALL {
        for state in State::all() {
            let count = quick.counts.iter().find(|count| count.kind == *kind && count.state == state);
            to.add(&table::REQUESTS, [kind.as_str(), state.name(*kind)], count.map_or(0, |count| count.count));
        }
        let unfinished = quick.unfinished.iter().find(|unfinished| unfinished.kind == *kind);
        to.add(&table::REQUESTS_UNFINISHED, [kind.as_str()], unfinished.map_or(0, |unfinished| unfinished.count));
        to.add(&table::REQUESTS_FAILING, [kind.as_str()], unfinished.map_or(0, |unfinished| unfinished.failing));
        let age = unfinished.map_or(0, |unfinished| quick.at_ms.saturating_sub(unfinished.oldest_ms));
        to.add(&table::OLDEST_AGE, [kind.as_str()], seconds(age));
    }
    for reason in ["nothing", "happening", "root", "clock"] {
        let count = quick.waits.iter().find(|(name, _)| name == reason);
        to.add(&table::REQUESTS_WAITING, [reason], count.map_or(0, |(_, count)| *count));
    }
    let blocked = quick.status.idle().map(|(blocked, _)| blocked);
    for reason in Blocked::ALL {
        to.add(&table::WORK_BLOCKED, [reason.as_str()], blocked == Some(reason));
    }
    let standing = quick.status.standing.as_ref();
    for chain in standing.map(|standing| standing.chains.as_slice()).unwrap_or_default() {
        to.add(&table::CHAIN_ALARM, [&chain.chain_id.to_string()], chain.critical.is_some());
    }
}

fn completed(to: &mut Exposition, thorough: &Thorough) {
    for kind in Kind::ALL {
        let took = thorough.took.iter().find(|took| took.kind == *kind);
        to.add(&table::COMPLETED, [kind.as_str()], took.map_or(0, |took| took.count));
        let total = took.and_then(|took| i64::try_from(took.total_ms).ok()).unwrap_or(0);
        to.add(&table::COMPLETED_SECONDS, [kind.as_str()], seconds(total));
    }
    for count in &thorough.transactions {
        let labels = [&count.chain_id.to_string(), count.step.as_str(), count.state.as_str()];
        to.add(&table::TRANSACTIONS, labels, count.count);
    }
}

fn earning(to: &mut Exposition, thorough: &Thorough) {
    for ((gateway, asset), sum) in &thorough.sums {
        let gateway = gateway.map_or_else(|| "none".to_owned(), |gateway| gateway.to_string());
        let chain = asset.chain_id().to_string();
        let token = asset.token().map_or_else(|| "coin".to_owned(), |token| token.to_string());
        let labels = [gateway.as_str(), chain.as_str(), token.as_str()];
        if asset.token().is_none() {
            to.add(&table::LEDGER_GAS, [&gateway, &chain], amount(sum.gas));
        }
        to.add(&table::LEDGER_REWARD, labels, amount(sum.reward));
        to.add(&table::LEDGER_BOUNTY_OUT, labels, amount(sum.bounty_out));
        to.add(&table::LEDGER_BOUNTY_BACK, labels, amount(sum.bounty_back));
    }
    to.add(&table::LEDGER_UNKNOWN, [], thorough.unknown);
}

fn nodes(to: &mut Exposition, standing: &Standing, status: &Status) {
    for chain in &standing.chains {
        let id = chain.chain_id.to_string();
        let scanned = status.scanned.get(&chain.chain_id).copied().flatten();
        to.add(&table::CHAIN_WORKING, [&id], chain.stage == "working");
        if let Some(head) = chain.head {
            to.add(&table::HEAD, [&id], head);
        }
        if let Some(block) = chain.final_block {
            to.add(&table::FINAL, [&id], block);
        }
        if let Some(scanned) = scanned {
            to.add(&table::SCANNED, [&id], scanned);
        }
        if let (Some(block), Some(scanned)) = (chain.final_block, scanned) {
            to.add(&table::SCAN_LAG, [&id], block.saturating_sub(scanned));
        }
        if let Some(connections) = &chain.connections {
            endpoints(to, &id, chain, connections);
        }
        let names = distinct(chain.sender_calls.iter().map(|calls| calls.endpoint.as_str()));
        for (name, asked) in names.iter().zip(&chain.sender_calls) {
            calls(to, [&id, name, "sender"], asked.calls, asked.requests, asked.errors);
        }
    }
}

fn endpoints(to: &mut Exposition, id: &str, chain: &ChainStanding, connections: &Connections) {
    to.add(&table::CONNECTOR_STATE, [id, &connections.state], true);
    to.add(&table::CONNECTED, [id], connections.connected);
    to.add(&table::CONNECTED_MIN, [id], connections.minimum_connections);
    let newest = connections.endpoints.iter().filter_map(|endpoint| endpoint.head).max();
    let newest = newest.max(chain.head);
    let names = distinct(connections.endpoints.iter().map(|endpoint| endpoint.endpoint.as_str()));
    for (name, endpoint) in names.iter().zip(&connections.endpoints) {
        let labels = [id, name.as_str()];
        let read = connections.the_client.as_deref() == Some(endpoint.endpoint.as_str());
        to.add(&table::ENDPOINT_WELL, labels, endpoint.health == "well");
        to.add(&table::ENDPOINT_READ, labels, read);
        if let Some(head) = endpoint.head {
            to.add(&table::ENDPOINT_HEAD, labels, head);
            to.add(&table::ENDPOINT_LAG, labels, newest.unwrap_or(head).saturating_sub(head));
        }
        to.add(&table::ENDPOINT_LATENCY, labels, seconds(i64::try_from(endpoint.latency_ms).unwrap_or(i64::MAX)));
        calls(to, [id, name, "scanner"], endpoint.calls, endpoint.requests, endpoint.errors);
    }
}

fn calls(to: &mut Exposition, labels: [&str; 3], calls: u64, requests: u64, errors: u64) {
    to.add(&table::ENDPOINT_CALLS, labels, calls);
    to.add(&table::ENDPOINT_REQUESTS, labels, requests);
    to.add(&table::ENDPOINT_ERRORS, labels, errors);
}

/// Names of endpoints in the order of the configuration; two that differ in their credentials alone have one name.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut known = BTreeSet::new();
    let name = |(place, name): (usize, &'a str)| {
        if known.insert(name) { name.to_owned() } else { format!("{name} ({place})") }
    };
    names.enumerate().map(name).collect()
}

fn keys(to: &mut Exposition, keys: &[KeyView]) {
    for key in keys {
        let chain = key.chain_id.to_string();
        let labels = [chain.as_str(), key.account.as_str()];
        if let Some(coin) = &key.coin {
            to.add(&table::KEY_BALANCE, labels, Number::Amount(coin.clone()));
            to.add(&table::KEY_RUNWAY, labels, key.runway_hours.unwrap_or(f64::INFINITY));
        }
        for held in &key.bounty_tokens {
            if let Some(amount) = &held.amount {
                let labels = [chain.as_str(), key.account.as_str(), held.token.as_str()];
                to.add(&table::KEY_BOUNTY_TOKEN, labels, Number::Amount(amount.clone()));
            }
        }
        if let Some(nonce) = key.next_nonce {
            to.add(&table::KEY_NEXT_NONCE, labels, nonce);
        }
        to.add(&table::KEY_PENDING, labels, key.pending);
        to.add(&table::KEY_PENDING_AGE, labels, key.pending_age_s);
        to.add(&table::KEY_SIGNED, labels, key.signed);
        to.add(&table::KEY_REPLACEMENTS, labels, key.replacements);
        to.add(&table::KEY_GAS_DAY, labels, Number::Amount(key.gas_last_day.clone()));
    }
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
