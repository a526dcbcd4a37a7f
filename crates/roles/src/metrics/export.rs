//! From what was looked up to metrics. Pure.

use super::keys::KeyView;
use super::look::{Quick, Thorough};
use super::seconds;
use crate::connections::Connections;
use crate::parent::{ChainStanding, Standing};
use crate::views::status::Status;
use facilitator_eth::{Address, U256};
use facilitator_protocol::ledger::{Asset, Sum};
use facilitator_protocol::model::{Kind, State};
use facilitator_telemetry::metrics::{Exposition, Number, table};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that there is to say.
pub(super) fn export(quick: &Quick, thorough: &Thorough) -> Exposition {
    let mut to = Exposition::default();
    alive(&mut to, &quick.status);
    stuck(&mut to, quick, thorough);
    earning(&mut to, thorough);
    if let Some(standing) = &quick.status.standing {
        nodes(&mut to, standing, &quick.status);
    }
    keys(&mut to, &super::keys::keys(quick.status.standing.as_ref(), thorough));
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

fn stuck(to: &mut Exposition, quick: &Quick, thorough: &Thorough) {
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
        let took = thorough.took.iter().find(|took| took.kind == *kind);
        to.add(&table::COMPLETED, [kind.as_str()], took.map_or(0, |took| took.count));
        let total = took.and_then(|took| i64::try_from(took.total_ms).ok()).unwrap_or(0);
        to.add(&table::COMPLETED_SECONDS, [kind.as_str()], seconds(total));
    }
    for reason in ["nothing", "happening", "root", "clock"] {
        let count = quick.waits.iter().find(|(name, _)| name == reason);
        to.add(&table::REQUESTS_WAITING, [reason], count.map_or(0, |(_, count)| *count));
    }
    let standing = quick.status.standing.as_ref();
    to.add(&table::WORK_BLOCKED, [], standing.is_some_and(|standing| standing.synchronization.is_some()));
    for chain in standing.map(|standing| standing.chains.as_slice()).unwrap_or_default() {
        to.add(&table::CHAIN_ALARM, [&chain.chain_id.to_string()], chain.critical.is_some());
    }
    for count in &thorough.transactions {
        let labels = [&count.chain_id.to_string(), count.step.as_str(), count.state.as_str()];
        to.add(&table::TRANSACTIONS, labels, count.count);
    }
}

fn earning(to: &mut Exposition, thorough: &Thorough) {
    let mut sums: BTreeMap<(Option<Address>, Asset), Sum> = BTreeMap::new();
    for line in &thorough.ledger.lines {
        sums.entry((line.gateway, line.asset)).or_default().add(line);
    }
    for ((gateway, asset), sum) in &sums {
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
    to.add(&table::LEDGER_UNKNOWN, [], whole(thorough.ledger.unknown.len()));
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
    }
}

fn endpoints(to: &mut Exposition, id: &str, chain: &ChainStanding, connections: &Connections) {
    to.add(&table::CONNECTOR_STATE, [id, &connections.state], true);
    to.add(&table::CONNECTED, [id], connections.connected);
    to.add(&table::CONNECTED_MIN, [id], connections.minimum_connections);
    let newest = connections.endpoints.iter().filter_map(|endpoint| endpoint.head).max();
    let newest = newest.max(chain.head);
    let mut named = BTreeSet::new();
    for (place, endpoint) in connections.endpoints.iter().enumerate() {
        // Two that differ in their credentials alone have one name.
        let name = if named.insert(&endpoint.endpoint) {
            endpoint.endpoint.clone()
        } else {
            format!("{} ({place})", endpoint.endpoint)
        };
        let labels = [id, name.as_str()];
        let read = connections.the_client.as_deref() == Some(endpoint.endpoint.as_str());
        to.add(&table::ENDPOINT_WELL, labels, endpoint.health == "well");
        to.add(&table::ENDPOINT_READ, labels, read);
        if let Some(head) = endpoint.head {
            to.add(&table::ENDPOINT_HEAD, labels, head);
            to.add(&table::ENDPOINT_LAG, labels, newest.unwrap_or(head).saturating_sub(head));
        }
        to.add(&table::ENDPOINT_LATENCY, labels, seconds(i64::try_from(endpoint.latency_ms).unwrap_or(i64::MAX)));
        to.add(&table::ENDPOINT_CALLS, labels, endpoint.calls);
        to.add(&table::ENDPOINT_REQUESTS, labels, endpoint.requests);
        to.add(&table::ENDPOINT_ERRORS, labels, endpoint.errors);
    }
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
