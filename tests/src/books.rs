//! Whether all money is where it must be, to the wei: what the workers have, what the vaults hold, what is in circulation.
//!
//! Only the sums over all workers are compared: which of them did a step is theirs to choose.

use crate::{
    calls::{address, call, read_address, read_uint},
    deploy::{Mints, Pair},
    devnet::{Devnet, Side},
    kind::Kind,
    operator::Operator,
    requesters::Request,
    verify::{self, Ledger},
};
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{Address, U256};

/// What a pair of gateways has to do with.
#[derive(Debug, Clone, Copy)]
struct PairBooks {
    pair: Pair,
    /// Value tokens of the origin workers: rewards of redeems.
    rewards: U256,
    /// Utility tokens of the auxiliary workers, where they are no coin: rewards of stakes.
    minted_rewards: U256,
    /// Value tokens in the stake vault.
    vault: U256,
    /// Utility tokens in circulation.
    supply: U256,
    /// Bounties that gateway (base token) and cogateway (coin) hold.
    locked: [U256; 2],
}

/// All money that a facilitator moves, at one moment.
#[derive(Debug, Clone)]
pub struct Books {
    /// Base coin of the workers: origin, auxiliary.
    coin: [U256; 2],
    /// What gas has cost them until then: origin, auxiliary.
    fees: [U256; 2],
    /// Base tokens of the origin workers.
    bounty_tokens: U256,
    pairs: Vec<PairBooks>,
}

fn sum(all: impl IntoIterator<Item = U256>) -> U256 {
    all.into_iter().fold(U256::ZERO, U256::saturating_add)
}

impl Books {
    /// Reads them.
    ///
    /// # Errors
    /// A node's.
    pub async fn read(devnet: &Devnet, operator: &Operator) -> Result<Self> {
        let (origin, auxiliary) = (&operator.origin_workers, &operator.auxiliary_workers);
        let fees =
            tokio::try_join!(verify::spent(&devnet.origin, origin, 0), verify::spent(&devnet.auxiliary, auxiliary, 0))?;
        let mut pairs = Vec::new();
        for pair in devnet.contracts.pairs() {
            pairs.push(pair_books(devnet, pair, origin, auxiliary).await?);
        }
        Ok(Self {
            coin: [sum(devnet.origin.balances(origin).await?), sum(devnet.auxiliary.balances(auxiliary).await?)],
            fees: [fees.0.fees, fees.1.fees],
            bounty_tokens: sum(verify::bounty_balances(devnet, origin).await?),
            pairs,
        })
    }

    /// Checks what has changed since, once these requests are finished and nothing else has happened: every bounty is
    /// back, every reward with the workers, what was redeemed is burnt, and gas is all that was spent.
    ///
    /// # Errors
    /// The first sum that is not as it must be.
    pub async fn check(&self, devnet: &Devnet, operator: &Operator, requests: &[Request]) -> Result<Ledger> {
        let ledger = verify::finished(devnet, requests).await?;
        let now = Self::read(devnet, operator).await?;
        let mut coin_rewards = U256::ZERO;
        for (before, after) in self.pairs.iter().zip(&now.pairs) {
            let of = |kind: Kind| {
                let source = before.pair.box_on(kind.source());
                requests.iter().filter(move |request| request.kind == kind && request.ask.gateway == source)
            };
            let amounts = |kind| sum(of(kind).map(|request| request.ask.amount));
            let lives = |kind| of(kind).filter_map(|request| ledger.life(request));
            let rewards = |kind| sum(lives(kind).map(|(_, life)| life.reward));
            let (staked, redeemed) = (amounts(Kind::Stake), amounts(Kind::Redeem));
            let name = format!("of gateway {}", before.pair.gateway);
            same(&format!("value tokens in the vault {name}"), after.vault, before.vault, staked, redeemed)?;
            same(&format!("utility tokens in circulation {name}"), after.supply, before.supply, staked, redeemed)?;
            let redeem_rewards = rewards(Kind::Redeem);
            same(&format!("rewards {name}"), after.rewards, before.rewards, redeem_rewards, U256::ZERO)?;
            let minted = match before.pair.mints {
                Mints::Coin => {
                    coin_rewards = coin_rewards.saturating_add(rewards(Kind::Stake));
                    U256::ZERO
                }
                Mints::Token => rewards(Kind::Stake),
            };
            same(&format!("minted rewards {name}"), after.minted_rewards, before.minted_rewards, minted, U256::ZERO)?;
            ensure!(after.locked == before.locked, "bounties {name} are still locked: {:?}", after.locked);
        }
        same("bounty tokens", now.bounty_tokens, self.bounty_tokens, U256::ZERO, U256::ZERO)?;
        let income = [U256::ZERO, coin_rewards];
        for (index, name) in ["origin", "auxiliary"].into_iter().enumerate() {
            let of = |all: &[U256; 2]| all.get(index).copied().unwrap_or_default();
            let spent = of(&now.fees).saturating_sub(of(&self.fees));
            same(&format!("coin on the {name} chain"), of(&now.coin), of(&self.coin), of(&income), spent)?;
        }
        Ok(ledger)
    }
}

fn same(what: &str, after: U256, before: U256, gained: U256, lost: U256) -> Result<()> {
    let expected = before.checked_add(gained).and_then(|sum| sum.checked_sub(lost)).context("an impossible sum")?;
    ensure!(after == expected, "{what}: {after}, not {expected} (was {before}, plus {gained}, minus {lost})");
    Ok(())
}

async fn pair_books(devnet: &Devnet, pair: Pair, origin: &[Address], auxiliary: &[Address]) -> Result<PairBooks> {
    let vault = read_address(&devnet.origin.view(pair.gateway, call("stakeVault()", &[])).await?)?;
    let supply = devnet.auxiliary.view(pair.utility_token, call("totalSupply()", &[])).await?;
    let minted_rewards = match pair.mints {
        Mints::Coin => U256::ZERO,
        Mints::Token => sum(verify::token_balances(&devnet.auxiliary, pair.utility_token, auxiliary).await?),
    };
    let base_token = devnet.contracts.origin.base_token;
    let in_gateway = devnet.origin.view(base_token, call("balanceOf(address)", &[address(pair.gateway)])).await?;
    let in_cogateway = sum(devnet.node(Side::Auxiliary).balances(&[pair.cogateway]).await?);
    Ok(PairBooks {
        pair,
        rewards: sum(verify::token_balances(&devnet.origin, pair.value_token, origin).await?),
        minted_rewards,
        vault: sum(verify::token_balances(&devnet.origin, pair.value_token, &[vault]).await?),
        supply: read_uint(&supply)?,
        locked: [read_uint(&in_gateway)?, in_cogateway],
    })
}
