//! What is known of each worker key: its funds by the scanner's word, the rest from journal and ledger. Pure.

use super::look::Thorough;
use crate::parent::{Standing, TokenBalance};
use facilitator_eth::{Address, U256};
use facilitator_protocol::ledger::{Line, Reason};
use serde::Serialize;
use std::collections::BTreeMap;

/// Milliseconds of an hour and of the day in which a key's spending is measured.
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// One worker key.
#[derive(Debug, Clone, Serialize)]
pub(super) struct KeyView {
    pub(super) chain_id: u64,
    pub(super) account: String,
    /// Base coin in wei; none while nobody has read it.
    pub(super) coin: Option<String>,
    /// Bounty tokens, each in its smallest units.
    pub(super) bounty_tokens: Vec<TokenBalance>,
    /// By the journal; none before the first transaction.
    pub(super) next_nonce: Option<u64>,
    /// Signed and not mined.
    pub(super) pending: u64,
    /// Since the oldest of them was signed.
    pub(super) pending_age_s: f64,
    pub(super) signed: u64,
    pub(super) replacements: u64,
    /// Gas paid in the last 24 hours, wei.
    pub(super) gas_last_day: String,
    /// How long the balance lasts; none if it is not known, or lasts for ever because nothing was spent.
    pub(super) runway_hours: Option<f64>,
}

/// Base coin and bounty tokens of a key, as the scanner told them.
type Funds = (Option<String>, Vec<TokenBalance>);

/// All keys, by chain and account.
pub(super) fn keys(standing: Option<&Standing>, thorough: &Thorough) -> Vec<KeyView> {
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
    let figures = thorough.keys.iter().find(|figures| is_own(figures.chain_id, figures.account));
    let since = figures.and_then(|figures| figures.pending_since_ms);
    let is_own_gas = |line: &&Line| line.reason == Reason::Gas && is_own(line.asset.chain_id(), line.account);
    let spending = Spending::of(thorough.ledger.lines.iter().filter(is_own_gas), thorough.at_ms);
    let runway = coin.as_deref().map(|coin| spending.runway_hours(coin));
    KeyView {
        next_nonce: figures.and_then(|figures| figures.next_nonce),
        pending: figures.map_or(0, |figures| figures.pending),
        pending_age_s: since.map_or(0.0, |since| super::seconds(thorough.at_ms.saturating_sub(since))),
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

/// What a key spent on gas lately.
pub(super) struct Spending {
    pub(super) last_day: U256,
    /// Over how long: a day, less if the key began within it, at least an hour.
    over_ms: i64,
}

impl Spending {
    pub(super) fn of<'a>(gas: impl Iterator<Item = &'a Line>, now_ms: i64) -> Self {
        let mut last_day = U256::ZERO;
        let mut first = now_ms;
        for line in gas {
            first = first.min(line.at_ms);
            if line.at_ms > now_ms.saturating_sub(DAY_MS) {
                last_day = last_day.saturating_add(line.amount);
            }
        }
        Self { last_day, over_ms: now_ms.saturating_sub(first).clamp(HOUR_MS, DAY_MS) }
    }

    pub(super) fn runway_hours(&self, balance: &str) -> f64 {
        let number = |digits: &str| digits.parse::<f64>().unwrap_or(f64::NAN);
        let an_hour = number(&self.last_day.to_string()) / (super::seconds(self.over_ms) / 3_600.0);
        if self.last_day.is_zero() { f64::INFINITY } else { number(balance) / an_hour }
    }
}
