//! Assets and sums as scripts and people see them.

use facilitator_protocol::ledger::{Asset, Assets, Line, Sum};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What an amount is of.
#[derive(Serialize)]
pub(crate) struct AssetView {
    /// The chain that it is on.
    pub(crate) chain_id: u64,
    /// `coin` or `token`.
    pub(crate) kind: &'static str,
    /// The token's contract.
    pub(crate) address: Option<String>,
    /// What the token is to the configured gateways; one may be several.
    pub(crate) roles: Vec<&'static str>,
}

impl AssetView {
    pub(crate) fn new(asset: Asset, assets: &[Assets]) -> Self {
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
#[derive(Serialize)]
pub(crate) struct SumView {
    /// Bounties put up.
    pub(crate) bounty_out: String,
    /// Bounties that came back.
    pub(crate) bounty_back: String,
    /// Rewards.
    pub(crate) reward: String,
    /// Gas at the prices paid.
    pub(crate) gas: String,
    /// What is left; negative for a loss.
    pub(crate) net: String,
}

impl SumView {
    pub(crate) fn new(sum: &Sum) -> Self {
        Self {
            bounty_out: sum.bounty_out.to_string(),
            bounty_back: sum.bounty_back.to_string(),
            reward: sum.reward.to_string(),
            gas: sum.gas.to_string(),
            net: sum.net().to_string(),
        }
    }

    /// The names of columns, behind `first`.
    pub(crate) fn heading(first: &[&str]) -> Vec<String> {
        let own = ["BOUNTY OUT", "BOUNTY BACK", "REWARD", "GAS", "NET"];
        first.iter().copied().chain(own).map(str::to_owned).collect()
    }

    /// The cells of columns, behind `first`.
    pub(crate) fn row<const N: usize>(&self, first: [String; N]) -> Vec<String> {
        let own = [&self.bounty_out, &self.bounty_back, &self.reward, &self.gas, &self.net];
        first.into_iter().chain(own.into_iter().cloned()).collect()
    }
}

/// What moved in each asset.
pub(crate) fn sums(lines: &[Line]) -> BTreeMap<Asset, Sum> {
    let mut sums: BTreeMap<Asset, Sum> = BTreeMap::new();
    for line in lines {
        sums.entry(line.asset).or_default().add(line);
    }
    sums
}
