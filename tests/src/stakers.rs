//! Stakers: accounts with value tokens that ask the composer to move them.
//!
//! Each signs for itself. Its beneficiary on the auxiliary chain is an address of its own that nobody else pays.

use crate::{
    account::Account,
    calls::{address, call, read_address, read_uint, uint},
    deploy::tokens,
    devnet::{Devnet, Payment, Side},
    events::{self, Event},
    node::{Pace, Receipt, quantity},
};
use anyhow::{Context as _, Result};
use facilitator_eth::{Address, B256, Bytes, U256, keccak256};
use serde_json::json;

/// Gas for a request; the first one of a staker creates its proxy and takes about 728,000.
const REQUEST_GAS: u64 = 800_000;
const CALL_GAS: u64 = 120_000;

/// What a staker asks for.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Wei of the value token.
    pub amount: U256,
    /// Receiver on the auxiliary chain.
    pub beneficiary: Address,
    /// Reward for a unit of gas, wei of the value token.
    pub gas_price: U256,
    /// Most units of gas that are rewarded.
    pub gas_limit: U256,
    /// Gateway that is to carry it.
    pub gateway: Address,
}

/// A request that stands in the composer.
#[derive(Debug, Clone)]
pub struct Stake {
    /// Who asked.
    pub staker: Address,
    /// The staker's proxy: sender of the message.
    pub proxy: Address,
    /// Nonce of the message.
    pub nonce: U256,
    /// What was asked.
    pub ask: Ask,
    /// Hash of the request.
    pub request_hash: B256,
    /// Its transaction.
    pub transaction: B256,
    /// Its block on the origin chain.
    pub block: u64,
}

/// A number of stakers on one devnet.
#[derive(Debug)]
pub struct Stakers {
    accounts: Vec<Account>,
}

impl Stakers {
    /// Makes `count` stakers: with coin for gas, 1000 value tokens each, and the composer allowed to take them.
    /// `first` tells the number of the first one, so that several groups don't share accounts.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn new(devnet: &Devnet, first: usize, count: usize) -> Result<Self> {
        let chain_id = devnet.origin.chain_id;
        let names = first..first + count;
        let accounts = names.map(|i| Account::named(&format!("staker {i}"), chain_id)).collect::<Result<Vec<_>>>()?;
        let origin = &devnet.contracts.origin;
        let coins = accounts.iter().map(|account| Payment::Coin(account.address, tokens(10)));
        let values = accounts.iter().map(|account| Payment::Token(origin.value_token, account.address, tokens(1000)));
        devnet.pay(Side::Origin, &coins.chain(values).collect::<Vec<_>>()).await?;
        let approve = call("approve(address,uint256)", &[address(origin.composer), uint(tokens(1000))]);
        let signed = accounts
            .iter()
            .map(|account| account.sign(origin.value_token, approve.clone(), CALL_GAS))
            .collect::<Result<Vec<_>>>()?;
        let hashes = devnet.origin.send_signed(&signed).await?;
        devnet.origin.mined(&hashes, Pace::Hurried).await?;
        Ok(Self { accounts })
    }

    /// After a fork: each counts its nonces from what is on the chain now.
    ///
    /// # Errors
    /// The node's.
    pub async fn count_anew(&self, devnet: &Devnet) -> Result<()> {
        for account in &self.accounts {
            let count = devnet.origin.call("eth_getTransactionCount", json!([account.address, "latest"])).await?;
            account.count_from(quantity(&count)?);
        }
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.accounts.len()
    }

    /// What the staker of this index asks for by default: a few tokens, each another amount, at a price of gas that
    /// leaves a reward of a good half of a token.
    #[must_use]
    pub fn ask(&self, devnet: &Devnet, index: usize) -> Ask {
        let staker = self.accounts.get(index).map(|account| account.address).unwrap_or_default();
        Ask {
            amount: tokens(10).saturating_add(tokens(1).saturating_mul(U256::from(index as u64))),
            beneficiary: Address::from_word(&keccak256([staker.as_bytes().as_slice(), b"beneficiary"].concat())),
            gas_price: U256::from(1_000_000_000_000u64),
            gas_limit: U256::from(2_000_000u64),
            gateway: devnet.contracts.origin.gateway,
        }
    }

    /// Every staker asks once, all at the same time.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn request_all(&self, devnet: &Devnet, pace: Pace) -> Result<Vec<Stake>> {
        let asks: Vec<(usize, Ask)> = (0..self.count()).map(|index| (index, self.ask(devnet, index))).collect();
        self.request(devnet, &asks, pace).await
    }

    /// These stakers ask, all at the same time; a staker at most once.
    ///
    /// # Errors
    /// When a transaction fails, as the second request of a staker whose first one still stands.
    pub async fn request(&self, devnet: &Devnet, asks: &[(usize, Ask)], pace: Pace) -> Result<Vec<Stake>> {
        let composer = devnet.contracts.origin.composer;
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
            let data = call("requestStake(uint256,address,uint256,uint256,uint256,address)", &arguments);
            signed.push(self.account(*index)?.sign(composer, data, REQUEST_GAS)?);
        }
        let hashes = devnet.origin.send_signed(&signed).await?;
        let receipts = devnet.origin.mined(&hashes, pace).await?;
        let made = asks.iter().zip(&receipts);
        made.map(|((index, ask), receipt)| stake(self.account(*index)?.address, *ask, receipt)).collect()
    }

    /// The next message nonce of each asking staker's proxy; zero without a proxy or where no gateway answers.
    async fn nonces(&self, devnet: &Devnet, asks: &[(usize, Ask)]) -> Result<Vec<U256>> {
        let composer = devnet.contracts.origin.composer;
        let proxies = asks
            .iter()
            .map(|(index, _)| Ok((composer, call("stakerProxies(address)", &[address(self.account(*index)?.address)]))))
            .collect::<Result<Vec<_>>>()?;
        let proxies = devnet.origin.views(&proxies).await?;
        let nonces = proxies
            .iter()
            .zip(asks)
            .map(|(proxy, (_, ask))| Ok((ask.gateway, call("getNonce(address)", &[address(read_address(proxy)?)]))))
            .collect::<Result<Vec<(Address, Bytes)>>>()?;
        devnet.origin.views(&nonces).await?.iter().map(read_uint).collect()
    }

    /// The staker takes a request back before it is accepted.
    ///
    /// # Errors
    /// When the composer refuses, as after the accept.
    pub async fn revoke(&self, devnet: &Devnet, index: usize, stake: &Stake, pace: Pace) -> Result<()> {
        let ask = &stake.ask;
        let arguments = [
            uint(ask.amount),
            address(ask.beneficiary),
            uint(ask.gas_price),
            uint(ask.gas_limit),
            uint(stake.nonce),
            address(ask.gateway),
        ];
        let data = call("revokeStakeRequest(uint256,address,uint256,uint256,uint256,address)", &arguments);
        let signed = self.account(index)?.sign(devnet.contracts.origin.composer, data, CALL_GAS)?;
        let hashes = devnet.origin.send_signed(&[signed]).await?;
        devnet.origin.mined(&hashes, pace).await.map(|_| ())
    }

    fn account(&self, index: usize) -> Result<&Account> {
        self.accounts.get(index).with_context(|| format!("no staker {index}"))
    }
}

/// The request that a receipt tells of.
fn stake(staker: Address, ask: Ask, receipt: &Receipt) -> Result<Stake> {
    for log in &receipt.logs {
        if let Some(Event::StakeRequested { proxy, nonce, request_hash }) = events::read(log)? {
            let (transaction, block) = (receipt.hash, receipt.block);
            return Ok(Stake { staker, proxy, nonce, ask, request_hash, transaction, block });
        }
    }
    anyhow::bail!("no StakeRequested in {}", receipt.hash)
}
