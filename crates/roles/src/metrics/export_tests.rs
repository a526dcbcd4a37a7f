//! From what was looked up to lines, without a database.

use super::*;
use crate::metrics::keys::Spending;
use crate::views::status::Status;
use facilitator_eth::{Address, B256};
use facilitator_protocol::ledger::{Ledger, Line, Reason};
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
    Thorough {
        at_ms: NOW,
        ledger: Ledger { lines, ..Ledger::default() },
        assets: Vec::new(),
        keys: vec![figures],
        transactions: Vec::new(),
        took: Vec::new(),
    }
}

fn hours(lines: &[Line], balance: &str) -> f64 {
    Spending::of(lines.iter(), NOW).runway_hours(balance)
}

#[test]
fn the_runway_is_how_long_the_balance_lasts_at_the_spending_of_the_last_day() {
    // 240 in a day are 10 an hour; what is older counts no more.
    let old = gas(1_000_000, NOW - 3 * DAY_MS);
    let day = [old, gas(120, NOW - 23 * HOUR_MS), gas(120, NOW - 1)];
    assert!((hours(&day, "1000") - 100.0).abs() < 1e-9);
    assert_eq!(Spending::of(day.iter(), NOW).last_day, U256::from(240_u64));
    // A key that began two hours ago has spent what it did in two hours.
    assert!((hours(&[gas(20, NOW - 2 * HOUR_MS)], "1000") - 100.0).abs() < 1e-9);
    // One that began a moment ago is not extrapolated from that moment.
    assert!((hours(&[gas(10, NOW)], "1000") - 100.0).abs() < 1e-9);
    assert_eq!(hours(&[], "1000"), f64::INFINITY);
    assert_eq!(hours(&[gas(10, NOW)], "0"), 0.0);
}

#[test]
fn where_nothing_runs_the_journal_still_speaks() {
    let text = export(&quick(), &thorough(vec![gas(5, NOW)])).to_text();
    let account = KEY.to_string();
    for line in [
        "facilitator_running 0".to_owned(),
        "facilitator_ready 0".to_owned(),
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
