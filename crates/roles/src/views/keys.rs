//! What is known of each worker key: its funds by the scanner's word, the rest from journal and ledger. Pure.

use super::seconds;
use crate::look::Thorough;
use crate::parent::{Standing, TokenBalance};
use facilitator_eth::{Address, U256};
use facilitator_protocol::ledger::{Line, Reason};
use facilitator_store::figures::KeyFigures;
use serde::Serialize;
use std::collections::BTreeMap;

/// Milliseconds of an hour and of the day in which a key's spending is measured.
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// One worker key.
#[derive(Debug, Clone, Serialize)]
pub struct KeyView {
    /// Its chain.
    pub chain_id: u64,
    /// The account.
    pub account: String,
    /// Base coin in wei; none while nobody has read it.
    pub coin: Option<String>,
    /// Bounty tokens, each in its smallest units.
    pub bounty_tokens: Vec<TokenBalance>,
    /// By the journal; none before the first transaction.
    pub next_nonce: Option<u64>,
    /// Signed and not mined.
    pub pending: u64,
    /// Since the oldest of them was signed.
    pub pending_age_s: f64,
    /// Transactions signed, replacements included.
    pub signed: u64,
    /// Replacements among them.
    pub replacements: u64,
    /// Gas paid in the last 24 hours, wei.
    pub gas_last_day: String,
    /// How long the balance lasts; none if it is not known, or lasts for ever because nothing was spent.
    pub runway_hours: Option<f64>,
}

/// Base coin and bounty tokens of a key, as the scanner told them.
type Funds = (Option<String>, Vec<TokenBalance>);

/// All keys, by chain and account.
#[must_use]
pub fn keys(standing: Option<&Standing>, thorough: &Thorough) -> Vec<KeyView> {
    let mut known: BTreeMap<(u64, String), Funds> = BTreeMap::new();
    for figures in &thorough.keys {
        known.entry((figures.chain_id, figures.account.to_string())).or_default();
    }
    for chain in standing.map(|standing| standing.chains.as_slice()).unwrap_or_default() {
        for worker in &chain.workers {
            let funds = (worker.coin.clone(), worker.bounty_tokens.clone());
            known.insert((chain.chain_id, worker.address.clone()), funds);
        }
    }
    let view = |((chain_id, account), funds)| key(chain_id, account, funds, thorough);
    known.into_iter().map(view).collect()
}

fn key(chain_id: u64, account: String, (coin, bounty_tokens): Funds, thorough: &Thorough) -> KeyView {
    let is_own = |found: u64, by: Address| found == chain_id && by.to_string() == account;
    let is_it = |figures: &&KeyFigures| is_own(figures.chain_id, figures.account);
    let figures = thorough.keys.iter().find(is_it);
    let since = figures.and_then(|figures| figures.pending_since_ms);
    let spending = thorough.spending.iter().find(|((chain, by), _)| is_own(*chain, *by));
    let spending = spending.map_or_else(Spending::default, |(_, spending)| spending.clone());
    let runway = coin.as_deref().map(|coin| spending.runway_hours(coin));
    KeyView {
        next_nonce: figures.and_then(|figures| figures.next_nonce),
        pending: figures.map_or(0, |figures| figures.pending),
        pending_age_s: since.map_or(0.0, |since| seconds(thorough.at_ms.saturating_sub(since))),
        signed: figures.map_or(0, |figures| figures.signed),
        replacements: figures.map_or(0, |figures| figures.replacements),
        gas_last_day: spending.last_day.to_string(),
        runway_hours: runway.filter(|hours| hours.is_finite()),
        chain_id,
        account,
        coin,
        bounty_tokens,
    }
}

/// What each key spent, by chain and account.
pub(crate) fn spendings(lines: &[Line], now_ms: i64) -> BTreeMap<(u64, Address), Spending> {
    let mut by_key: BTreeMap<(u64, Address), Spending> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.reason == Reason::Gas) {
        by_key.entry((line.asset.chain_id(), line.account)).or_default().add(line, now_ms);
    }
    by_key
}

/// What a key spent on gas lately.
#[derive(Debug, Clone)]
pub(crate) struct Spending {
    pub(crate) last_day: U256,
    /// Over how long: a day, less if the key began within it, at least an hour.
    over_ms: i64,
}

impl Default for Spending {
    fn default() -> Self {
        Self { last_day: U256::ZERO, over_ms: HOUR_MS }
    }
}

impl Spending {
    fn add(&mut self, gas: &Line, now_ms: i64) {
        let ago = now_ms.saturating_sub(gas.at_ms);
        self.over_ms = self.over_ms.max(ago.min(DAY_MS));
        if ago < DAY_MS {
            self.last_day = self.last_day.saturating_add(gas.amount);
        }
    }

    pub(crate) fn runway_hours(&self, balance: &str) -> f64 {
        let number = |digits: &str| digits.parse::<f64>().unwrap_or(f64::NAN);
        let an_hour = number(&self.last_day.to_string()) / (seconds(self.over_ms) / 3_600.0);
        if self.last_day.is_zero() { f64::INFINITY } else { number(balance) / an_hour }
    }
}
