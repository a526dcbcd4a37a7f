//! What the worker keys of an operator hold, by the nodes' word, beside what the facilitator's ledger says they earned.

use crate::{
    calls::{address, call, read_uint},
    deploy::Mints,
    devnet::Side,
    fire::SIDES,
    world::World,
};
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{Address, U256};
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Chain, and token; none for its base coin.
pub type Holding = (u64, Option<Address>);

/// What all worker keys hold together, smallest units.
pub type Purse = BTreeMap<Holding, U256>;

impl World {
    /// What the worker keys hold now.
    ///
    /// # Errors
    /// The node's.
    pub async fn purse(&self) -> Result<Purse> {
        let pairs = self.devnet.contracts.pairs();
        let mut purse = Purse::new();
        for side in SIDES {
            let node = self.devnet.node(side);
            let (workers, tokens) = match side {
                Side::Origin => {
                    let values = pairs.iter().map(|pair| pair.value_token);
                    (&self.operator.origin_workers, values.chain([self.devnet.contracts.origin.base_token]).collect())
                }
                // OSTPrime pays in coin.
                Side::Auxiliary => {
                    let plain = pairs.iter().filter(|pair| pair.mints == Mints::Token);
                    (&self.operator.auxiliary_workers, plain.map(|pair| pair.utility_token).collect::<Vec<_>>())
                }
            };
            purse.insert((node.chain_id, None), sum(&node.balances(workers).await?)?);
            for token in tokens {
                let calls: Vec<_> =
                    workers.iter().map(|own| (token, call("balanceOf(address)", &[address(*own)]))).collect();
                let held = node.views(&calls).await?.iter().map(read_uint).collect::<Result<Vec<_>>>()?;
                purse.insert((node.chain_id, Some(token)), sum(&held)?);
            }
        }
        Ok(purse)
    }

    /// By how much the purse has changed since, as signed decimal text; what has not changed is left out.
    ///
    /// # Errors
    /// The node's.
    pub async fn earned_since(&self, before: &Purse) -> Result<BTreeMap<Holding, String>> {
        let now = self.purse().await?;
        let mut earned = BTreeMap::new();
        for (holding, now) in now {
            let before = before.get(&holding).copied().unwrap_or(U256::ZERO);
            if now != before {
                let loss = before.checked_sub(now).map(|loss| format!("-{loss}"));
                earned.insert(holding, loss.unwrap_or_else(|| now.saturating_sub(before).to_string()));
            }
        }
        Ok(earned)
    }

    /// The ledger that the facilitator shows.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn ledger(&self) -> Result<Json> {
        let chain = self.operator.chains[1].to_string();
        self.operator.ask(&["ledger", "--chain-id", &chain, "--json"]).await
    }

    /// What its totals say by how much the purse has changed.
    ///
    /// # Errors
    /// When the command fails or shows something else.
    pub async fn told_earned(&self) -> Result<BTreeMap<Holding, String>> {
        let ledger = self.ledger().await?;
        ensure!(ledger["unknown"] == Json::Array(vec![]), "amounts are unknown: {ledger:#}");
        let mut told = BTreeMap::new();
        for total in ledger["totals"].as_array().context("no totals")? {
            let asset = &total["asset"];
            let token = asset["address"].as_str().map(str::parse).transpose()?;
            let net = total["net"].as_str().context("no net amount")?;
            if net != "0" {
                told.insert((asset["chain_id"].as_u64().context("no chain")?, token), net.to_owned());
            }
        }
        Ok(told)
    }

    /// Waits until the ledger says, to the smallest unit, by how much the balances of the worker keys have changed
    /// `since`: what is mined is told to the journal a moment later.
    ///
    /// # Errors
    /// When it doesn't within `limit`: both.
    pub async fn ledger_agrees(&self, since: &Purse, limit: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            let (earned, told) = (self.earned_since(since).await?, self.told_earned().await?);
            if earned == told {
                return Ok(());
            }
            ensure!(
                start.elapsed() < limit,
                "the balances changed by {earned:#?}\nthe ledger says {told:#?}\n{:#}",
                self.ledger().await?
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn sum(amounts: &[U256]) -> Result<U256> {
    let sum = amounts.iter().try_fold(U256::ZERO, |sum, amount| sum.checked_add(*amount));
    sum.context("beyond 256 bits")
}
