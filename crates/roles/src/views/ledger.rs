//! What was earned and spent, per gateway, period and asset, from the database alone.

use super::time;
use facilitator_eth::{Address, B256};
use facilitator_protocol::ledger::{Asset, Assets, Ledger, Line, Sum};
use facilitator_protocol::model::RequestId;
use facilitator_store::Pair;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// In what steps of time lines are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// Days in UTC.
    Day,
    /// Months in UTC.
    Month,
    /// Everything at once.
    All,
}

/// The ledger.
#[derive(Debug, Clone, Serialize)]
pub struct LedgerView {
    /// Auxiliary chain.
    pub chain_id: u64,
    /// Origin chain.
    pub origin_chain_id: u64,
    /// Where it begins, if not at the beginning.
    pub since: Option<String>,
    /// When it was made.
    pub until: String,
    /// `day`, `month` or `all`.
    pub period: &'static str,
    /// By gateway, period and asset.
    pub lines: Vec<LineView>,
    /// By asset.
    pub totals: Vec<TotalView>,
    /// Messages of which an amount can't be told.
    pub unknown: Vec<String>,
}

/// What moved at one gateway in one period and asset.
#[derive(Debug, Clone, Serialize)]
pub struct LineView {
    /// A day or month in UTC; `all` for everything.
    pub period: String,
    /// The gateway pair, named by its EIP20Gateway.
    pub gateway_address: Option<String>,
    /// Whether it belongs to requests; else approvals in vain, closed gaps of nonces and the like.
    pub assigned: bool,
    /// How many requests.
    pub requests: usize,
    /// How many transactions.
    pub transactions: usize,
    /// What it is of.
    pub asset: AssetView,
    /// The amounts.
    #[serde(flatten)]
    pub sum: SumView,
}

/// What moved in one asset.
#[derive(Debug, Clone, Serialize)]
pub struct TotalView {
    /// The asset.
    pub asset: AssetView,
    /// The amounts.
    #[serde(flatten)]
    pub sum: SumView,
}

/// What lines are added up by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    period: String,
    /// Those of no request come last.
    unassigned: bool,
    gateway: Option<Address>,
    asset: Asset,
}

#[derive(Default)]
struct Group {
    sum: Sum,
    requests: BTreeSet<RequestId>,
    transactions: BTreeSet<B256>,
}

impl LedgerView {
    /// The lines of a ledger, from a time on, added up by period.
    #[must_use]
    pub fn of(ledger: &Ledger, assets: &[Assets], pair: Pair, period: Period, since: Option<i64>, now_ms: i64) -> Self {
        let all = || ledger.lines.iter().filter(|line| since.is_none_or(|since| line.at_ms >= since));
        Self {
            chain_id: pair.auxiliary_chain_id,
            origin_chain_id: pair.origin_chain_id,
            since: since.map(time),
            until: time(now_ms),
            period: period.name(),
            lines: lines(all(), period, assets),
            totals: totals(all(), assets),
            unknown: ledger.unknown.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Period {
    /// All of them.
    pub const EACH: [Self; 3] = [Self::Day, Self::Month, Self::All];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::All => "all",
        }
    }

    /// The period that a time falls into, in UTC.
    fn of(self, at_ms: i64) -> String {
        let text = time(at_ms);
        match self {
            Self::Day => text.chars().take("2026-01-31".len()).collect(),
            Self::Month => text.chars().take("2026-01".len()).collect(),
            Self::All => self.name().to_owned(),
        }
    }
}

fn lines<'a>(lines: impl Iterator<Item = &'a Line>, period: Period, assets: &[Assets]) -> Vec<LineView> {
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    for line in lines {
        let unassigned = line.request.is_none();
        let key = Key { period: period.of(line.at_ms), unassigned, gateway: line.gateway, asset: line.asset };
        let group = groups.entry(key).or_default();
        group.sum.add(line);
        group.requests.extend(line.request);
        group.transactions.insert(line.tx_hash);
    }
    let view = |(key, group): (Key, Group)| LineView {
        period: key.period,
        gateway_address: key.gateway.map(|gateway| gateway.to_string()),
        assigned: !key.unassigned,
        requests: group.requests.len(),
        transactions: group.transactions.len(),
        asset: AssetView::new(key.asset, assets),
        sum: SumView::new(&group.sum),
    };
    groups.into_iter().map(view).collect()
}

fn totals<'a>(lines: impl Iterator<Item = &'a Line>, assets: &[Assets]) -> Vec<TotalView> {
    let view = |(asset, sum): (Asset, Sum)| TotalView { asset: AssetView::new(asset, assets), sum: SumView::new(&sum) };
    sums(lines).into_iter().map(view).collect()
}

/// What an amount is of.
#[derive(Debug, Clone, Serialize)]
pub struct AssetView {
    /// The chain that it is on.
    pub chain_id: u64,
    /// `coin` or `token`.
    pub kind: &'static str,
    /// The token's contract.
    pub address: Option<String>,
    /// What the token is to the configured gateways; one may be several.
    pub roles: Vec<&'static str>,
}

impl AssetView {
    /// An asset as the configured gateways know it.
    #[must_use]
    pub fn new(asset: Asset, assets: &[Assets]) -> Self {
        let Some(token) = asset.token() else {
            return Self { chain_id: asset.chain_id(), kind: "coin", address: None, roles: Vec::new() };
        };
        let chain_id = asset.chain_id();
        let is = |own: fn(&Assets) -> (u64, facilitator_eth::Address)| {
            assets.iter().any(|pair| own(pair) == (chain_id, token))
        };
        let roles = [
            ("bounty token", is(|pair| (pair.origin_chain_id, pair.base_token))),
            ("value token", is(|pair| (pair.origin_chain_id, pair.value_token))),
            ("utility token", is(|pair| (pair.auxiliary_chain_id, pair.utility_token))),
        ];
        let roles = roles.into_iter().filter(|(_, is)| *is).map(|(role, _)| role).collect();
        Self { chain_id, kind: "token", address: Some(token.to_string()), roles }
    }
}

impl fmt::Display for AssetView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            None => write!(f, "base coin of chain {}", self.chain_id),
            Some(address) if self.roles.is_empty() => write!(f, "token {address} of chain {}", self.chain_id),
            Some(address) => write!(f, "{} {address} of chain {}", self.roles.join(" and "), self.chain_id),
        }
    }
}

/// Amounts in smallest units.
#[derive(Debug, Clone, Serialize)]
pub struct SumView {
    /// Bounties put up.
    pub bounty_out: String,
    /// Bounties that came back.
    pub bounty_back: String,
    /// Rewards.
    pub reward: String,
    /// Gas at the prices paid.
    pub gas: String,
    /// What is left; negative for a loss.
    pub net: String,
}

impl SumView {
    /// A sum as text.
    #[must_use]
    pub fn new(sum: &Sum) -> Self {
        Self {
            bounty_out: sum.bounty_out.to_string(),
            bounty_back: sum.bounty_back.to_string(),
            reward: sum.reward.to_string(),
            gas: sum.gas.to_string(),
            net: sum.net().to_string(),
        }
    }
}

/// What moved in each asset.
#[must_use]
pub fn sums<'a>(lines: impl IntoIterator<Item = &'a Line>) -> BTreeMap<Asset, Sum> {
    let mut sums: BTreeMap<Asset, Sum> = BTreeMap::new();
    for line in lines {
        sums.entry(line.asset).or_default().add(line);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_days_and_months_in_utc() {
        let midnight = 1_769_817_600_000;
        assert_eq!(Period::Day.of(midnight - 1), "2026-01-30");
        assert_eq!(Period::Day.of(midnight), "2026-01-31");
        assert_eq!(Period::Month.of(midnight), "2026-01");
        assert_eq!(Period::All.of(midnight), "all");
    }
}
