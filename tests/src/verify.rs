//! Whether stakes and redeems ended as they must, told by the chains alone.
//!
//! Trusts neither the product's database nor its commands.

use crate::{
    calls::{address, call, read_uint, word},
    deploy::{Mints, Pair},
    devnet::{Devnet, Side},
    events::{self, Event},
    kind::Kind,
    node::{Log, Node, quantity},
    requesters::Request,
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
    /// `StakeIntentDeclared` or `RedeemIntentDeclared`, on the source chain.
    pub declared: Vec<Place>,
    /// `StakeIntentConfirmed` or `RedeemIntentConfirmed`, on the target chain.
    pub confirmed: Vec<Place>,
    /// `StakeProgressed` or `RedeemProgressed`, on the source chain.
    pub source: Vec<Place>,
    /// `MintProgressed` or `UnstakeProgressed`, on the target chain.
    pub target: Vec<Place>,
    /// Who got the tokens.
    pub beneficiary: Address,
    /// Wei that the beneficiary got.
    pub amount: U256,
    /// Wei that the facilitator got.
    pub reward: U256,
}

impl Life {
    /// Whether every event happened exactly once.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.steps().into_iter().all(|places| places.len() == 1)
    }

    /// All lists.
    #[must_use]
    pub fn steps(&self) -> [&Vec<Place>; 4] {
        [&self.declared, &self.confirmed, &self.source, &self.target]
    }
}

/// A gateway or cogateway that proves heights of the other chain, and one of these. On another chain the same address
/// may be another contract.
pub type Proven = (Side, Address, u64);

/// All events of the gateways and the cogateways so far.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The message of each (direction, gateway or cogateway, proxy, nonce).
    pub messages: BTreeMap<(Kind, Address, Address, U256), B256>,
    /// The life of each message.
    pub lives: BTreeMap<B256, Life>,
    /// For each height that messages were confirmed with: how many.
    pub confirmed_at: BTreeMap<Proven, u64>,
    /// For each proven height: the proofs that were new, the proofs in vain.
    pub proven: BTreeMap<Proven, (Vec<Place>, Vec<Place>)>,
}

/// How many of some requests have got how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Accepted.
    pub declared: usize,
    /// Confirmed on the target chain.
    pub confirmed: usize,
    /// Source leg done.
    pub source: usize,
    /// Target leg done.
    pub target: usize,
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
        let boxes = |side| devnet.contracts.pairs().iter().map(|pair| pair.box_on(side)).collect::<Vec<_>>();
        let (gateways, cogateways) = (boxes(Side::Origin), boxes(Side::Auxiliary));
        let (origin, auxiliary) =
            tokio::try_join!(devnet.origin.logs(&gateways, 0), devnet.auxiliary.logs(&cogateways, 0))?;
        for (side, logs) in [(Side::Origin, &origin), (Side::Auxiliary, &auxiliary)] {
            logs.iter().try_for_each(|log| ledger.note(side, log))?;
        }
        Ok(ledger)
    }

    fn note(&mut self, side: Side, log: &Log) -> Result<()> {
        let place = Place { block: log.block, transaction: log.transaction };
        match events::read(log)? {
            Some(Event::Declared { kind, message, proxy, nonce }) => {
                self.messages.insert((kind, log.address, proxy, nonce), message);
                self.lives.entry(message).or_default().declared.push(place);
            }
            Some(Event::Confirmed { message, height, .. }) => {
                self.lives.entry(message).or_default().confirmed.push(place);
                *self.confirmed_at.entry((side, log.address, height)).or_default() += 1;
            }
            Some(Event::SourceProgressed { message, .. }) => {
                self.lives.entry(message).or_default().source.push(place);
            }
            Some(Event::TargetProgressed { message, beneficiary, paid, reward, .. }) => {
                let life = self.lives.entry(message).or_default();
                life.target.push(place);
                (life.beneficiary, life.amount, life.reward) = (beneficiary, paid, reward);
            }
            Some(Event::GatewayProven { height, again }) => {
                let (new, vain) = self.proven.entry((side, log.address, height)).or_default();
                (if again { vain } else { new }).push(place);
            }
            Some(Event::Requested { .. } | Event::StateRootAvailable { .. }) | None => {}
        }
        Ok(())
    }

    /// The message of a request and its life, once it is declared.
    #[must_use]
    pub fn life(&self, request: &Request) -> Option<(B256, &Life)> {
        let message = self.messages.get(&(request.kind, request.ask.gateway, request.proxy, request.nonce))?;
        Some((*message, self.lives.get(message)?))
    }

    /// How far the requests have got.
    #[must_use]
    pub fn progress(&self, requests: &[Request]) -> Progress {
        let mut progress = Progress::default();
        for (_, life) in requests.iter().filter_map(|request| self.life(request)) {
            progress.declared += usize::from(!life.declared.is_empty());
            progress.confirmed += usize::from(!life.confirmed.is_empty());
            progress.source += usize::from(!life.source.is_empty());
            progress.target += usize::from(!life.target.is_empty());
            progress.finished += usize::from(life.finished());
        }
        progress
    }
}

/// Waits until all requests have both legs done.
///
/// # Errors
/// When they don't within `limit`: how far they got.
pub async fn wait_finished(devnet: &Devnet, requests: &[Request], limit: Duration) -> Result<Ledger> {
    let start = Instant::now();
    loop {
        let ledger = Ledger::read(devnet).await?;
        let progress = ledger.progress(requests);
        if progress.finished == requests.len() {
            return Ok(ledger);
        }
        ensure!(start.elapsed() < limit, "{} requests did not finish within {limit:?}: {progress:?}", requests.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Checks every request: one event of each kind, both boxes Progressed, the beneficiary has amount minus reward.
///
/// # Errors
/// The first thing that is not as it must be.
pub async fn finished(devnet: &Devnet, requests: &[Request]) -> Result<Ledger> {
    let ledger = Ledger::read(devnet).await?;
    for kind in Kind::ALL {
        for pair in devnet.contracts.pairs() {
            let of_both =
                |request: &&Request| request.kind == kind && request.ask.gateway == pair.box_on(kind.source());
            let some: Vec<&Request> = requests.iter().filter(of_both).collect();
            finished_at(devnet, &ledger, kind, pair, &some).await?;
        }
    }
    let known = |request: &Request| devnet.pair_of(request.ask.gateway).is_ok();
    ensure!(requests.iter().all(known), "a request to a gateway that was not deployed");
    Ok(ledger)
}

async fn finished_at(devnet: &Devnet, ledger: &Ledger, kind: Kind, pair: Pair, requests: &[&Request]) -> Result<()> {
    let mut messages = Vec::new();
    for request in requests {
        let life = ledger.life(request).with_context(|| format!("{} is not declared", request.request_hash))?;
        ensure!(life.1.finished(), "not every event exactly once: {life:?}");
        messages.push(life.0);
    }
    for (side, signature, name) in [
        (kind.source(), "getOutboxMessageStatus(bytes32)", "outbox"),
        (kind.target(), "getInboxMessageStatus(bytes32)", "inbox"),
    ] {
        let ask = |message: &B256| (pair.box_on(side), call(signature, &[word(*message)]));
        let answers = devnet.node(side).views(&messages.iter().map(ask).collect::<Vec<_>>()).await?;
        for (message, answer) in messages.iter().zip(answers) {
            let status = read_uint(&answer)?;
            ensure!(status == U256::from(PROGRESSED), "message {message} has status {status} in the {name}");
        }
    }
    let beneficiaries: Vec<Address> = requests.iter().map(|request| request.ask.beneficiary).collect();
    let balances = paid_balances(devnet, kind, pair, &beneficiaries).await?;
    for ((request, message), balance) in requests.iter().zip(&messages).zip(balances) {
        let Life { amount: paid, reward, beneficiary, .. } = *ledger.lives.get(message).context("not declared")?;
        let whole = paid.checked_add(reward);
        ensure!(whole == Some(request.ask.amount), "message {message}: {paid} and {reward} are not the amount");
        ensure!(beneficiary == request.ask.beneficiary, "message {message} paid {beneficiary}");
        ensure!(balance == paid, "the beneficiary of {message} has {balance} wei, not {paid}");
    }
    Ok(())
}

/// What accounts have of that which the target leg pays out: coin, or an EIP-20 token.
///
/// # Errors
/// The node's.
pub async fn paid_balances(devnet: &Devnet, kind: Kind, pair: Pair, accounts: &[Address]) -> Result<Vec<U256>> {
    let node = devnet.node(kind.target());
    match (kind, pair.mints) {
        (Kind::Stake, Mints::Coin) => node.balances(accounts).await,
        (Kind::Stake, Mints::Token) => token_balances(node, pair.utility_token, accounts).await,
        (Kind::Redeem, Mints::Coin | Mints::Token) => token_balances(node, pair.value_token, accounts).await,
    }
}

/// Balances of an EIP-20 token.
///
/// # Errors
/// The node's.
pub async fn token_balances(node: &Node, token: Address, accounts: &[Address]) -> Result<Vec<U256>> {
    let calls: Vec<_> =
        accounts.iter().map(|account| (token, call("balanceOf(address)", &[address(*account)]))).collect();
    node.views(&calls).await?.iter().map(read_uint).collect()
}

/// Checks that no height was proven twice, and none without a message being confirmed with it.
///
/// # Errors
/// The first height that was.
pub fn one_proof_per_height(ledger: &Ledger) -> Result<()> {
    for (place @ (_, by, height), (new, vain)) in &ledger.proven {
        let (new, vain) = (new.len(), vain.len());
        ensure!(new == 1 && vain == 0, "height {height} was proven {new} times and {vain} times in vain to {by}");
        ensure!(ledger.confirmed_at.contains_key(place), "height {height} was proven to {by} for nothing");
    }
    Ok(())
}

/// Base tokens of the origin workers: with every bounty back, what they were given.
///
/// # Errors
/// The node's.
pub async fn bounty_balances(devnet: &Devnet, workers: &[Address]) -> Result<Vec<U256>> {
    token_balances(&devnet.origin, devnet.contracts.origin.base_token, workers).await
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
