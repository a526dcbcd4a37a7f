//! From what was looked up to lines, without a database.

use super::*;
use crate::look::thorough::Rows;
use crate::views::instances::InstanceView;
use crate::views::keys::{Spending, spendings};
use crate::views::status::Status;
use facilitator_eth::{Address, B256};
use facilitator_protocol::gateway::Mints;
use facilitator_protocol::ledger::{Asset, Assets, Ledger, Line, Reason};
use facilitator_protocol::model::Step;
use facilitator_store::Pair;
use facilitator_store::figures::KeyFigures;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const NOW: i64 = 1_000 * DAY_MS;
const KEY: Address = Address([7; 20]);

fn gas(amount: u64, at_ms: i64) -> Line {
    Line {
        request: None,
        gateway: None,
        reason: Reason::Gas,
        asset: Asset::Coin { chain_id: 3 },
        amount: U256::from(amount),
        step: Step::Cancel,
        tx_hash: B256([1; 32]),
        account: KEY,
        shared_by: 1,
        at_ms,
    }
}

fn quick() -> Quick {
    let pair = Pair { origin_chain_id: 3, auxiliary_chain_id: 1406 };
    Quick {
        at_ms: NOW,
        status: Status::never_started(pair),
        counts: Vec::new(),
        unfinished: Vec::new(),
        waits: Vec::new(),
    }
}

fn thorough(lines: Vec<Line>) -> Thorough {
    let figures = KeyFigures {
        chain_id: 3,
        account: KEY,
        next_nonce: Some(9),
        pending: 2,
        pending_since_ms: Some(NOW - 1_500),
        signed: 10,
        replacements: 1,
    };
    let ledger = Ledger { lines, ..Ledger::default() };
    let rows = Rows { ledger, keys: vec![figures], ..Rows::default() };
    Thorough::of(rows, Pair { origin_chain_id: 3, auxiliary_chain_id: 1406 }, NOW)
}

fn spending(lines: &[Line]) -> Spending {
    spendings(lines, NOW).remove(&(3, KEY)).unwrap_or_default()
}

fn hours(lines: &[Line], balance: &str) -> f64 {
    spending(lines).runway_hours(balance)
}

#[test]
fn the_runway_is_how_long_the_balance_lasts_at_the_spending_of_the_last_day() {
    // 240 in a day are 10 an hour; what is older counts no more.
    let old = gas(1_000_000, NOW - 3 * DAY_MS);
    let day = [old, gas(120, NOW - 23 * HOUR_MS), gas(120, NOW - 1)];
    assert!((hours(&day, "1000") - 100.0).abs() < 1e-9);
    assert_eq!(spending(&day).last_day, U256::from(240_u64));
    // A key that began two hours ago has spent what it did in two hours.
    assert!((hours(&[gas(20, NOW - 2 * HOUR_MS)], "1000") - 100.0).abs() < 1e-9);
    // One that began a moment ago is not extrapolated from that moment.
    assert!((hours(&[gas(10, NOW)], "1000") - 100.0).abs() < 1e-9);
    assert_eq!(hours(&[], "1000"), f64::INFINITY);
    assert_eq!(hours(&[gas(10, NOW)], "0"), 0.0);
}

#[test]
fn where_nothing_runs_the_journal_still_speaks() {
    let text = export(&quick(), Some(&thorough(vec![gas(5, NOW)]))).to_text();
    let account = KEY.to_string();
    for line in [
        "facilitator_running 0".to_owned(),
        "facilitator_ready 0".to_owned(),
        "facilitator_work_blocked{reason=\"stopped\"} 1".to_owned(),
        "facilitator_work_blocked{reason=\"synchronization\"} 0".to_owned(),
        "facilitator_requests{kind=\"stake\",state=\"COMPLETE\"} 0".to_owned(),
        "facilitator_oldest_unfinished_age_seconds{kind=\"redeem\"} 0".to_owned(),
        "facilitator_ledger_gas_wei{gateway=\"none\",chain=\"3\"} 5".to_owned(),
        format!("facilitator_key_next_nonce{{chain=\"3\",account=\"{account}\"}} 9"),
        format!("facilitator_key_pending_transactions{{chain=\"3\",account=\"{account}\"}} 2"),
        format!("facilitator_key_pending_age_seconds{{chain=\"3\",account=\"{account}\"}} 1.5"),
        format!("facilitator_key_replacements_total{{chain=\"3\",account=\"{account}\"}} 1"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    // A balance that nobody has read is not zero.
    assert!(!text.contains("facilitator_key_balance_wei") && !text.contains("facilitator_key_runway_hours"));
}

#[test]
fn while_the_first_thorough_look_lasts_the_rest_is_told() {
    let text = export(&quick(), None).to_text();
    assert!(text.contains("facilitator_running 0") && text.contains("facilitator_requests_unfinished"), "{text}");
    assert!(!text.contains("facilitator_requests_completed") && !text.contains("facilitator_key_"), "{text}");
}

#[test]
fn a_configured_gateway_has_earned_nothing_before_its_first_reward() {
    let mint = Assets {
        origin_chain_id: 3,
        auxiliary_chain_id: 1406,
        gateway: Address([1; 20]),
        cogateway: Address([2; 20]),
        composer: Address([3; 20]),
        redeem_pool: None,
        value_token: Address([4; 20]),
        base_token: Address([5; 20]),
        utility_token: Address([6; 20]),
        mints: Mints::BaseCoin,
    };
    let rows = Rows { assets: vec![mint], ..Rows::default() };
    let thorough = Thorough::of(rows, Pair { origin_chain_id: 3, auxiliary_chain_id: 1406 }, NOW);
    let text = export(&quick(), Some(&thorough)).to_text();
    let gateway = mint.gateway;
    for labels in ["chain=\"1406\",asset=\"coin\"".to_owned(), format!("chain=\"3\",asset=\"{}\"", mint.value_token)] {
        let line = format!("facilitator_ledger_reward_units{{gateway=\"{gateway}\",{labels}}} 0");
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let gas = format!("facilitator_ledger_gas_wei{{gateway=\"{gateway}\",chain=\"3\"}} 0");
    assert!(text.contains(&gas), "{gas}\n{text}");
}

#[test]
fn each_instance_has_one_status_and_its_reason_is_the_one_that_is_said() {
    let mut quick = quick();
    quick.status.instances = vec![instance("a", "active"), instance("b", "in_maintenance")];
    let text = export(&quick, None).to_text();
    for (name, status) in [("a", "active"), ("b", "in_maintenance")] {
        for life in Life::ALL {
            let is = u8::from(life.as_str() == status);
            let line = format!("facilitator_instance_status{{name=\"{name}\",status=\"{life}\"}} {is}");
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
    // An instance that may not work is as idle as one that waits for its chains.
    quick.status.pid = Some(7);
    quick.status.status = "in_maintenance".to_owned();
    quick.status.standing = Some(standing());
    let text = export(&quick, None).to_text();
    assert!(text.contains("facilitator_work_blocked{reason=\"instance\"} 1"), "{text}");
    assert!(text.contains("facilitator_ready 0"), "{text}");
}

fn standing() -> Standing {
    Standing {
        status: "active".to_owned(),
        chains: Vec::new(),
        children: Vec::new(),
        workers: 0,
        max_workers: 1,
        database_trouble: None,
        synchronization: None,
    }
}

fn instance(name: &str, status: &str) -> InstanceView {
    InstanceView {
        instance: name.to_owned(),
        host: "here".to_owned(),
        pid: None,
        status: status.to_owned(),
        ready: true,
        weight: 1,
        registered_at: String::new(),
        since: String::new(),
        txs_signed: 0,
        total_txs_signed: 0,
        total_downtime: String::new(),
        total_downtime_ms: 0,
        current_interval_downtime: String::new(),
        current_interval_downtime_ms: 0,
        last_down_timestamp: None,
        last_active_timestamp: None,
        deregistered_timestamp: None,
        missed_heartbeats: 0,
        total_inactive_secs: 0,
        total_voted_time_secs: 0,
        workers: Vec::new(),
        transitions: Vec::new(),
        heartbeats: Vec::new(),
    }
}
