//! Stakers and redeemers: accounts with tokens that ask the composer, or the redeem pool, to move them.
//!
//! Each signs for itself. Its beneficiary on the other chain is an address of its own that nobody else pays.

use crate::{
    account::Account,
    calls::{address, call, read_address, read_uint, uint},
    deploy::{Mints, Pair, tokens},
    devnet::{Devnet, Payment},
    events::{self, Event},
    kind::Kind,
    node::{Node, Pace, Receipt, quantity},
    treasury,
};
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{Address, B256, Bytes, U256, keccak256, tx::Signed};
use serde_json::json;
use std::time::{Duration, Instant};

/// Gas for a request; the first one of an account creates its proxy and takes about 728,000.
const REQUEST_GAS: u64 = 800_000;
const CALL_GAS: u64 = 120_000;

/// Transactions that are sent at one time.
const GROUP: usize = 200;

/// Pause between two looks for a new block.
const LOOK: Duration = Duration::from_millis(10);

/// What each of them has to ask with, whole tokens.
const PURSE: u64 = 1000;
/// Most that is asked for by default beyond ten tokens: the purse must do for it.
const SPREAD: usize = 900;

/// What somebody asks for.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Wei of the token that is moved.
    pub amount: U256,
    /// Receiver on the target chain.
    pub beneficiary: Address,
    /// Reward for a unit of gas, wei of that token.
    pub gas_price: U256,
    /// Most units of gas that are rewarded.
    pub gas_limit: U256,
    /// Gateway, or cogateway, that is to carry it.
    pub gateway: Address,
}

/// A request that stands in composer or pool.
#[derive(Debug, Clone)]
pub struct Request {
    /// In which direction.
    pub kind: Kind,
    /// Who asked.
    pub sender: Address,
    /// Its proxy: sender of the message.
    pub proxy: Address,
    /// Nonce of the message.
    pub nonce: U256,
    /// What was asked.
    pub ask: Ask,
    /// Hash of the request.
    pub request_hash: B256,
    /// Its transaction.
    pub transaction: B256,
    /// Its block on the source chain.
    pub block: u64,
}

/// A number of stakers or redeemers on one devnet.
#[derive(Debug)]
pub struct Requesters {
    kind: Kind,
    pair: Pair,
    accounts: Vec<Account>,
}

impl Requesters {
    /// Makes `count` stakers at the first pair of gateways: see [`Requesters::at`].
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn new(devnet: &Devnet, first: usize, count: usize) -> Result<Self> {
        Self::at(devnet, Kind::Stake, devnet.contracts.first(), first, count).await
    }

    /// Makes `count` redeemers at the first pair of gateways: see [`Requesters::at`].
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn redeemers(devnet: &Devnet, first: usize, count: usize) -> Result<Self> {
        Self::at(devnet, Kind::Redeem, devnet.contracts.first(), first, count).await
    }

    /// Makes `count` accounts that move tokens through a pair of gateways: with coin for gas, 1000 tokens each, and
    /// composer or pool allowed to take them. `first` tells the number of the first one, so that several groups of one
    /// kind don't share accounts. What redeemers have was staked before.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn at(devnet: &Devnet, kind: Kind, pair: Pair, first: usize, count: usize) -> Result<Self> {
        let (side, node) = (kind.source(), devnet.node(kind.source()));
        let name = |index| format!("{} {index}", kind.pick("staker", "redeemer"));
        let names = first..first + count;
        let accounts = names.map(|index| Account::named(&name(index), node.chain_id)).collect::<Result<Vec<_>>>()?;
        let (purse, coin) = (tokens(PURSE), tokens(10));
        let token = kind.pick(pair.value_token, pair.utility_token);
        if kind == Kind::Redeem && count > 0 {
            treasury::provide(devnet, pair, purse.saturating_mul(U256::from(count as u64))).await?;
        }
        let wraps = kind == Kind::Redeem && pair.mints == Mints::Coin;
        let payments = accounts.iter().flat_map(|account| {
            let to = account.address;
            if wraps {
                vec![Payment::Coin(to, coin.saturating_add(purse))]
            } else {
                vec![Payment::Coin(to, coin), Payment::Token(token, to, purse)]
            }
        });
        devnet.pay(side, &payments.collect::<Vec<_>>()).await?;
        let mut signed = Vec::new();
        let approve = call("approve(address,uint256)", &[address(kind.pool(devnet)), uint(purse)]);
        for account in &accounts {
            if wraps {
                signed.push(account.sign_paying(token, call("wrap()", &[]), CALL_GAS, purse)?);
            }
            signed.push(account.sign(token, approve.clone(), CALL_GAS)?);
        }
        mined(node, &signed, Pace::Hurried).await?;
        Ok(Self { kind, pair, accounts })
    }

    fn node<'a>(&self, devnet: &'a Devnet) -> &'a Node {
        devnet.node(self.kind.source())
    }

    /// After a fork: each counts its nonces from what is on the chain now.
    ///
    /// # Errors
    /// The node's.
    pub async fn count_anew(&self, devnet: &Devnet) -> Result<()> {
        for account in &self.accounts {
            let count = self.node(devnet).call("eth_getTransactionCount", json!([account.address, "latest"])).await?;
            account.count_from(quantity(&count)?);
        }
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.accounts.len()
    }

    /// What the account of this index asks for by default: a few tokens, each of 900 another amount, at a price of gas that
    /// leaves a reward of a good half of a token.
    #[must_use]
    pub fn ask(&self, _devnet: &Devnet, index: usize) -> Ask {
        let sender = self.accounts.get(index).map(|account| account.address).unwrap_or_default();
        Ask {
            amount: tokens(10).saturating_add(tokens(1).saturating_mul(U256::from((index % SPREAD) as u64))),
            beneficiary: Address::from_word(&keccak256([sender.as_bytes().as_slice(), b"beneficiary"].concat())),
            gas_price: U256::from(1_000_000_000_000u64),
            gas_limit: U256::from(2_000_000u64),
            gateway: self.pair.box_on(self.kind.source()),
        }
    }

    /// Every one asks once, all at the same time.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn request_all(&self, devnet: &Devnet, pace: Pace) -> Result<Vec<Request>> {
        self.request(devnet, &self.asks(devnet), pace).await
    }

    fn asks(&self, devnet: &Devnet) -> Vec<(usize, Ask)> {
        (0..self.count()).map(|index| (index, self.ask(devnet, index))).collect()
    }

    /// Every one asks once, right behind a block, so that all share the next one, which has room for them however many they
    /// are: a request that creates a proxy is so dear that a hundred fill three blocks of the usual limit. Tells when the
    /// first block was there that holds one of them.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn request_in_one_block(&self, devnet: &Devnet) -> Result<(Vec<Request>, Instant)> {
        let node = self.node(devnet);
        let usual = node.gas_limit().await?;
        node.limit_gas(usual.max(REQUEST_GAS * (self.count() as u64 + 1))).await?;
        let asks = self.asks(devnet);
        let signed = self.sign(devnet, &asks).await?;
        let behind = next_block(node, node.head().await?).await?;
        let next = async {
            let block = next_block(node, behind).await?;
            let there = Instant::now();
            // Before anybody could use the room of another such block.
            node.limit_gas(usual).await?;
            anyhow::Ok((block, there))
        };
        let (receipts, (block, there)) = tokio::try_join!(mined(node, &signed, Pace::Natural), next)?;
        let requests = self.made_by_all(&asks, &receipts)?;
        let first = requests.iter().map(|request| request.block).min();
        ensure!(first == Some(block), "the first of {} requests is not in block {block}: {first:?}", requests.len());
        Ok((requests, there))
    }

    /// These ask, all at the same time; an account at most once.
    ///
    /// # Errors
    /// When a transaction fails, as the second request of an account whose first one still stands.
    pub async fn request(&self, devnet: &Devnet, asks: &[(usize, Ask)], pace: Pace) -> Result<Vec<Request>> {
        let signed = self.sign(devnet, asks).await?;
        let receipts = mined(self.node(devnet), &signed, pace).await?;
        self.made_by_all(asks, &receipts)
    }

    async fn sign(&self, devnet: &Devnet, asks: &[(usize, Ask)]) -> Result<Vec<Signed>> {
        let pool = self.kind.pool(devnet);
        let nonces = self.nonces(devnet, asks).await?;
        let mut signed = Vec::new();
        for ((index, ask), nonce) in asks.iter().zip(&nonces) {
            let arguments = [
                uint(ask.amount),
                address(ask.beneficiary),
                uint(ask.gas_price),
                uint(ask.gas_limit),
                uint(*nonce),
                address(ask.gateway),
            ];
            let name = self.kind.pick(
                "requestStake(uint256,address,uint256,uint256,uint256,address)",
                "requestRedeem(uint256,address,uint256,uint256,uint256,address)",
            );
            signed.push(self.account(*index)?.sign(pool, call(name, &arguments), REQUEST_GAS)?);
        }
        Ok(signed)
    }

    fn made_by_all(&self, asks: &[(usize, Ask)], receipts: &[Receipt]) -> Result<Vec<Request>> {
        let made = asks.iter().zip(receipts);
        made.map(|((index, ask), receipt)| made_by(self.account(*index)?.address, *ask, receipt)).collect()
    }

    /// The next message nonce of each asking account's proxy; zero without a proxy or where no gateway answers.
    async fn nonces(&self, devnet: &Devnet, asks: &[(usize, Ask)]) -> Result<Vec<U256>> {
        let (pool, node) = (self.kind.pool(devnet), self.node(devnet));
        let name = self.kind.pick("stakerProxies(address)", "redeemerProxies(address)");
        let proxies = asks
            .iter()
            .map(|(index, _)| Ok((pool, call(name, &[address(self.account(*index)?.address)]))))
            .collect::<Result<Vec<_>>>()?;
        let proxies = node.views(&proxies).await?;
        let nonces = proxies
            .iter()
            .zip(asks)
            .map(|(proxy, (_, ask))| Ok((ask.gateway, call("getNonce(address)", &[address(read_address(proxy)?)]))))
            .collect::<Result<Vec<(Address, Bytes)>>>()?;
        node.views(&nonces).await?.iter().map(read_uint).collect()
    }

    /// The account takes a request back before it is accepted.
    ///
    /// # Errors
    /// When composer or pool refuses, as after the accept.
    pub async fn revoke(&self, devnet: &Devnet, index: usize, request: &Request, pace: Pace) -> Result<()> {
        let ask = &request.ask;
        let arguments = [
            uint(ask.amount),
            address(ask.beneficiary),
            uint(ask.gas_price),
            uint(ask.gas_limit),
            uint(request.nonce),
            address(ask.gateway),
        ];
        let name = self.kind.pick(
            "revokeStakeRequest(uint256,address,uint256,uint256,uint256,address)",
            "revokeRedeemRequest(uint256,address,uint256,uint256,uint256,address)",
        );
        let signed = self.account(index)?.sign(self.kind.pool(devnet), call(name, &arguments), CALL_GAS)?;
        let node = self.node(devnet);
        let hashes = node.send_signed(&[signed]).await?;
        node.mined(&hashes, pace).await.map(|_| ())
    }

    fn account(&self, index: usize) -> Result<&Account> {
        self.accounts.get(index).with_context(|| format!("no account {index}"))
    }
}

/// Waits for a block after this one; tells its number.
async fn next_block(node: &Node, number: u64) -> Result<u64> {
    loop {
        let head = node.head().await?;
        if head > number {
            return Ok(head);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Sends transactions and waits for all of them; where a block is made at once, some at a time, so that the waiting costs
/// little beside the rest, else all before the first is waited for, so that they share the next block.
async fn mined(node: &Node, signed: &[Signed], pace: Pace) -> Result<Vec<Receipt>> {
    let mut receipts = Vec::with_capacity(signed.len());
    match pace {
        Pace::Hurried => {
            for some in signed.chunks(GROUP) {
                let hashes = node.send_signed(some).await?;
                receipts.extend(node.mined(&hashes, pace).await?);
            }
        }
        Pace::Natural => {
            let mut groups = Vec::new();
            for some in signed.chunks(GROUP) {
                groups.push(node.send_signed(some).await?);
            }
            for hashes in groups {
                receipts.extend(node.mined(&hashes, pace).await?);
            }
        }
    }
    Ok(receipts)
}

/// The request that a receipt tells of.
fn made_by(sender: Address, ask: Ask, receipt: &Receipt) -> Result<Request> {
    for log in &receipt.logs {
        if let Some(Event::Requested { kind, proxy, nonce, request_hash }) = events::read(log)? {
            let (transaction, block) = (receipt.hash, receipt.block);
            return Ok(Request { kind, sender, proxy, nonce, ask, request_hash, transaction, block });
        }
    }
    anyhow::bail!("no request in {}", receipt.hash)
}
