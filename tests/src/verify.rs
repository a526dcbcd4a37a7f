//! Whether stakes ended as they must, told by the chains alone.
//!
//! Trusts neither the product's database nor its commands.

use crate::{
    calls::{address, call, read_uint, word},
    devnet::Devnet,
    events::{self, Event},
    node::{Node, quantity},
    stakers::Stake,
};
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{Address, B256, U256};
use serde_json::json;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Message status `Progressed` in the contracts.
const PROGRESSED: u64 = 2;

/// Where an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Number of the block on its chain.
    pub block: u64,
    /// The transaction.
    pub transaction: B256,
}

/// The events of one message; each list holds one place when all went well.
#[derive(Debug, Clone, Default)]
pub struct Life {
    /// `StakeIntentDeclared`, on the origin chain.
    pub declared: Vec<Place>,
    /// `StakeIntentConfirmed`, on the auxiliary chain.
    pub confirmed: Vec<Place>,
    /// `StakeProgressed`, on the origin chain.
    pub staked: Vec<Place>,
    /// `MintProgressed`, on the auxiliary chain.
    pub minted: Vec<Place>,
    /// Wei that the beneficiary got.
    pub amount: U256,
    /// Wei that the facilitator got.
    pub reward: U256,
}

impl Life {
    /// Whether every event happened exactly once.
    #[must_use]
    pub fn finished(&self) -> bool {
        [&self.declared, &self.confirmed, &self.staked, &self.minted].into_iter().all(|places| places.len() == 1)
    }
}

/// All events of the gateway and the cogateway so far.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The message of each (proxy, nonce).
    pub messages: BTreeMap<(Address, U256), B256>,
    /// The life of each message.
    pub lives: BTreeMap<B256, Life>,
    /// For each height that messages were confirmed with: how many.
    pub confirmed_at: BTreeMap<u64, u64>,
    /// For each proven height: the proofs that were new, the proofs in vain.
    pub proven: BTreeMap<u64, (Vec<Place>, Vec<Place>)>,
}

/// How many of some stakes have got how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Accepted.
    pub declared: usize,
    /// Confirmed on the auxiliary chain.
    pub confirmed: usize,
    /// Source leg done.
    pub staked: usize,
    /// Target leg done.
    pub minted: usize,
    /// Both legs done, every event exactly once.
    pub finished: usize,
}

impl Ledger {
    /// Reads everything from the nodes.
    ///
    /// # Errors
    /// A node's, or an event that is not as its signature says.
    pub async fn read(devnet: &Devnet) -> Result<Self> {
        let mut ledger = Self::default();
        let (gateway, cogateway) = ([devnet.contracts.origin.gateway], [devnet.contracts.auxiliary.cogateway]);
        let (origin, auxiliary) =
            tokio::try_join!(devnet.origin.logs(&gateway, 0), devnet.auxiliary.logs(&cogateway, 0))?;
        for log in origin.iter().chain(&auxiliary) {
            if let Some(event) = events::read(log)? {
                ledger.note(&event, Place { block: log.block, transaction: log.transaction });
            }
        }
        Ok(ledger)
    }

    fn note(&mut self, event: &Event, place: Place) {
        match *event {
            Event::StakeIntentDeclared { message, proxy, nonce } => {
                self.messages.insert((proxy, nonce), message);
                self.lives.entry(message).or_default().declared.push(place);
            }
            Event::StakeIntentConfirmed { message, height } => {
                self.lives.entry(message).or_default().confirmed.push(place);
                *self.confirmed_at.entry(height).or_default() += 1;
            }
            Event::StakeProgressed { message } => self.lives.entry(message).or_default().staked.push(place),
            Event::MintProgressed { message, minted, reward, .. } => {
                let life = self.lives.entry(message).or_default();
                life.minted.push(place);
                (life.amount, life.reward) = (minted, reward);
            }
            Event::GatewayProven { height, again } => {
                let (new, vain) = self.proven.entry(height).or_default();
                (if again { vain } else { new }).push(place);
            }
            Event::StakeRequested { .. } | Event::StateRootAvailable { .. } => {}
        }
    }

    /// The message of a stake and its life, once it is declared.
    #[must_use]
    pub fn life(&self, stake: &Stake) -> Option<(B256, &Life)> {
        let message = self.messages.get(&(stake.proxy, stake.nonce))?;
        Some((*message, self.lives.get(message)?))
    }

    /// How far the stakes have got.
    #[must_use]
    pub fn progress(&self, stakes: &[Stake]) -> Progress {
        let mut progress = Progress::default();
        for (_, life) in stakes.iter().filter_map(|stake| self.life(stake)) {
            progress.declared += usize::from(!life.declared.is_empty());
            progress.confirmed += usize::from(!life.confirmed.is_empty());
            progress.staked += usize::from(!life.staked.is_empty());
            progress.minted += usize::from(!life.minted.is_empty());
            progress.finished += usize::from(life.finished());
        }
        progress
    }
}

/// Waits until all stakes have both legs done.
///
/// # Errors
/// When they don't within `limit`: how far they got.
pub async fn wait_finished(devnet: &Devnet, stakes: &[Stake], limit: Duration) -> Result<Ledger> {
    let start = Instant::now();
    loop {
        let ledger = Ledger::read(devnet).await?;
        let progress = ledger.progress(stakes);
        if progress.finished == stakes.len() {
            return Ok(ledger);
        }
        ensure!(start.elapsed() < limit, "{} stakes did not finish within {limit:?}: {progress:?}", stakes.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Checks every stake: one event of each kind, both boxes Progressed, the beneficiary has amount minus reward.
///
/// # Errors
/// The first thing that is not as it must be.
pub async fn finished(devnet: &Devnet, stakes: &[Stake]) -> Result<Ledger> {
    let ledger = Ledger::read(devnet).await?;
    let mut messages = Vec::new();
    for stake in stakes {
        let life = ledger.life(stake).with_context(|| format!("{} is not declared", stake.request_hash))?;
        ensure!(life.1.finished(), "not every event exactly once: {life:?}");
        messages.push(life.0);
    }
    let status = |gateway, signature: &str| -> Vec<_> {
        messages.iter().map(|message| (gateway, call(signature, &[word(*message)]))).collect()
    };
    let outbox = status(devnet.contracts.origin.gateway, "getOutboxMessageStatus(bytes32)");
    let inbox = status(devnet.contracts.auxiliary.cogateway, "getInboxMessageStatus(bytes32)");
    let (outbox, inbox) = tokio::try_join!(devnet.origin.views(&outbox), devnet.auxiliary.views(&inbox))?;
    for (place, answers) in [("outbox", outbox), ("inbox", inbox)] {
        for (message, answer) in messages.iter().zip(answers) {
            let status = read_uint(&answer)?;
            ensure!(status == U256::from(PROGRESSED), "message {message} has status {status} in the {place}");
        }
    }
    let beneficiaries: Vec<Address> = stakes.iter().map(|stake| stake.ask.beneficiary).collect();
    let balances = devnet.auxiliary.balances(&beneficiaries).await?;
    for ((stake, message), balance) in stakes.iter().zip(&messages).zip(balances) {
        let Life { amount: minted, reward, .. } = *ledger.lives.get(message).context("not declared")?;
        let whole = minted.checked_add(reward);
        ensure!(whole == Some(stake.ask.amount), "message {message}: {minted} and {reward} are not the amount");
        ensure!(balance == minted, "the beneficiary of {message} has {balance} wei, not {minted}");
    }
    Ok(ledger)
}

/// Checks that no height was proven twice, and none without a message being confirmed with it.
///
/// # Errors
/// The first height that was.
pub fn one_proof_per_height(ledger: &Ledger) -> Result<()> {
    for (height, (new, vain)) in &ledger.proven {
        let (new, vain) = (new.len(), vain.len());
        ensure!(new == 1 && vain == 0, "height {height} was proven {new} times and {vain} times in vain");
        ensure!(ledger.confirmed_at.contains_key(height), "height {height} was proven for nothing");
    }
    Ok(())
}

/// Base tokens of the origin workers: with every bounty back, what they were given.
///
/// # Errors
/// The node's.
pub async fn bounty_balances(devnet: &Devnet, workers: &[Address]) -> Result<Vec<U256>> {
    let token = devnet.contracts.origin.base_token;
    let calls: Vec<_> = workers.iter().map(|w| (token, call("balanceOf(address)", &[address(*w)]))).collect();
    devnet.origin.views(&calls).await?.iter().map(read_uint).collect()
}

/// What some accounts' transactions cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Mined transactions.
    pub transactions: u64,
    /// Those of them that reverted.
    pub reverted: u64,
    /// Gas of all.
    pub gas: u64,
    /// What the gas cost, in wei.
    pub fees: U256,
}

/// What the accounts spent on one chain, from a block on.
///
/// # Errors
/// The node's.
pub async fn spent(node: &Node, accounts: &[Address], from: u64) -> Result<Spent> {
    let head = node.head().await?;
    let blocks = (from..=head).map(|block| json!([format!("{block:#x}")])).collect();
    let mut spent = Spent::default();
    for block in node.all("eth_getBlockReceipts", blocks).await? {
        for receipt in block.as_array().context("no receipts")? {
            let sender: Address = receipt["from"].as_str().context("no sender")?.parse()?;
            if accounts.contains(&sender) {
                spent.transactions += 1;
                spent.reverted += u64::from(receipt["status"] != "0x1");
                let gas = quantity(&receipt["gasUsed"])?;
                let price: U256 = receipt["effectiveGasPrice"].as_str().context("no price of gas")?.parse()?;
                spent.gas += gas;
                spent.fees = spent.fees.saturating_add(price.saturating_mul(U256::from(gas)));
            }
        }
    }
    Ok(spent)
}
