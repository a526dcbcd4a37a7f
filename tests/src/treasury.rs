//! Stakes of the owner itself, made at once: what redeemers redeem must have been staked before, and OSTPrime can only
//! wrap what was minted.
//!
//! The owner calls the gateways directly, without composer and facilitator, and takes no reward.

use crate::{
    anchoring,
    calls::{address, bytes, call, read_uint, uint, word},
    deploy::{Mints, Pair},
    devnet::{Devnet, Side},
    events::{self, Event},
    proof,
};
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{B256, U256, keccak256};
use std::time::{Duration, Instant};

/// Gas for any of the steps.
const GAS: u64 = 700_000;
/// Longest time until a state root is anchored.
const ANCHORED: Duration = Duration::from_secs(60);

/// Sees to it that redeemers can be given so many utility tokens: stakes what is missing.
///
/// # Errors
/// When a transaction fails.
pub async fn provide(devnet: &Devnet, pair: Pair, amount: U256) -> Result<()> {
    let holder = match pair.mints {
        // What was minted and is not wrapped.
        Mints::Coin => pair.utility_token,
        Mints::Token => devnet.parties.owner,
    };
    let held = devnet.auxiliary.view(pair.utility_token, call("balanceOf(address)", &[address(holder)])).await?;
    let missing = amount.saturating_sub(read_uint(&held)?);
    if missing.is_zero() { Ok(()) } else { fill(devnet, pair, missing).await }
}

/// Moves value tokens of the owner through a pair of gateways: the vault holds them, and the owner has as many utility
/// tokens.
///
/// # Errors
/// When a transaction fails.
async fn fill(devnet: &Devnet, pair: Pair, amount: U256) -> Result<()> {
    let owner = devnet.parties.owner;
    let nonce = devnet.origin.view(pair.gateway, call("getNonce(address)", &[address(owner)])).await?;
    let nonce = read_uint(&nonce)?;
    let secret = keccak256([pair.gateway.as_bytes().as_slice(), nonce.to_word().as_bytes(), b"treasury"].concat());
    let lock = keccak256(secret);
    let (message, declared) = stake(devnet, pair, amount, nonce, lock).await?;
    let height = anchored(devnet, declared).await?;
    let proof = proof::of_outbox(&devnet.origin, pair.gateway, &[message], height).await?;
    let nodes = proof.storage_nodes.first().context("no storage proof")?;
    let prove = [uint(height), bytes(proof.account.0.clone()), bytes(proof.account_nodes.0.clone())];
    let zero = || uint(U256::ZERO);
    let confirm = [
        address(owner),
        uint(nonce),
        address(owner),
        uint(amount),
        zero(),
        zero(),
        word(lock),
        uint(height),
        bytes(nodes.0.clone()),
    ];
    let name = "confirmStakeIntent(address,uint256,address,uint256,uint256,uint256,bytes32,uint256,bytes)";
    let steps = [
        (pair.cogateway, call("proveGateway(uint256,bytes,bytes)", &prove)),
        (pair.cogateway, call(name, &confirm)),
        (pair.cogateway, call("progressMint(bytes32,bytes32)", &[word(message), word(secret)])),
    ];
    devnet.owner_steps(Side::Auxiliary, &steps, GAS).await?;
    let progress = call("progressStake(bytes32,bytes32)", &[word(message), word(secret)]);
    devnet.owner_steps(Side::Origin, &[(pair.gateway, progress)], GAS).await.map(drop)
}

/// Declares the message: its hash and block.
async fn stake(devnet: &Devnet, pair: Pair, amount: U256, nonce: U256, lock: B256) -> Result<(B256, u64)> {
    let bounty = devnet.options.deploy.gateway_bounty;
    let approve = |wei: U256| call("approve(address,uint256)", &[address(pair.gateway), uint(wei)]);
    let owner = devnet.parties.owner;
    let zero = || uint(U256::ZERO);
    let arguments = [uint(amount), address(owner), zero(), zero(), uint(nonce), word(lock)];
    let steps = [
        (pair.value_token, approve(amount)),
        (devnet.contracts.origin.base_token, approve(bounty)),
        (pair.gateway, call("stake(uint256,address,uint256,uint256,uint256,bytes32)", &arguments)),
    ];
    let receipts = devnet.owner_steps(Side::Origin, &steps, GAS).await?;
    for receipt in &receipts {
        for log in &receipt.logs {
            if let Some(Event::Declared { message, .. }) = events::read(log)? {
                return Ok((message, receipt.block));
            }
        }
    }
    anyhow::bail!("the owner's stake was not declared")
}

/// An anchored height of the origin chain at or above a block, whoever anchors it.
async fn anchored(devnet: &Devnet, block: u64) -> Result<u64> {
    let start = Instant::now();
    let latest = call("getLatestStateRootBlockHeight()", &[]);
    loop {
        // It fails where the running service was faster, which does as well.
        let by_hand = anchoring::once(devnet, Side::Origin).await;
        devnet.auxiliary.mine_waiting().await?;
        let found = devnet.auxiliary.view(devnet.contracts.auxiliary.anchor, latest.clone()).await?;
        if let Some(height) = read_uint(&found)?.to_u64().filter(|height| *height >= block) {
            return Ok(height);
        }
        ensure!(start.elapsed() < ANCHORED, "no state root was anchored: {by_hand:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
