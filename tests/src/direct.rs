//! Stakers and redeemers that need neither composer nor pool: their own accounts send the messages, and may take them
//! back.

use crate::{
    account::Account,
    calls::{address, call, uint, word},
    deploy::tokens,
    devnet::{Devnet, Payment},
    kind::Kind,
    requesters::{Ask, Request},
    stranger::{GAS, Message, declared, mined, secret},
    treasury,
};
use anyhow::{Context as _, Result};
use facilitator_eth::{Address, B256, U256, keccak256};

/// Somebody with an account and something to move.
#[derive(Debug)]
pub struct DirectSender {
    kind: Kind,
    account: Account,
    ask: Ask,
}

impl DirectSender {
    /// A staker with coin, tokens for the stake, and base tokens for bounty and penalty, which the gateway may take.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn staker(devnet: &Devnet, number: u32, ask: Ask) -> Result<Self> {
        let sender = Self::named(devnet, Kind::Stake, number, ask)?;
        let (origin, account) = (&devnet.contracts.origin, &sender.account);
        let payments = [
            Payment::Coin(account.address, tokens(10)),
            Payment::Token(origin.value_token, account.address, tokens(1000)),
            Payment::Token(origin.base_token, account.address, tokens(1000)),
        ];
        devnet.pay(Kind::Stake.source(), &payments).await?;
        let approve = call("approve(address,uint256)", &[address(origin.gateway), uint(tokens(1000))]);
        let tokens = [origin.value_token, origin.base_token];
        let signed =
            tokens.iter().map(|token| account.sign(*token, approve.clone(), GAS)).collect::<Result<Vec<_>>>()?;
        mined(&devnet.origin, &signed).await?;
        Ok(sender)
    }

    /// A redeemer with coin for gas, bounty and penalty, and wrapped coin for the redeem, which the cogateway may take.
    /// What it has was staked before.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn redeemer(devnet: &Devnet, number: u32, ask: Ask) -> Result<Self> {
        let sender = Self::named(devnet, Kind::Redeem, number, ask)?;
        let (pair, account) = (devnet.contracts.first(), &sender.account);
        treasury::provide(devnet, pair, ask.amount).await?;
        let coin = tokens(10).saturating_add(ask.amount);
        devnet.pay(Kind::Redeem.source(), &[Payment::Coin(account.address, coin)]).await?;
        let approve = call("approve(address,uint256)", &[address(pair.cogateway), uint(ask.amount)]);
        let signed = [
            account.sign_paying(pair.utility_token, call("wrap()", &[]), GAS, ask.amount)?,
            account.sign(pair.utility_token, approve, GAS)?,
        ];
        mined(&devnet.auxiliary, &signed).await?;
        Ok(sender)
    }

    fn named(devnet: &Devnet, kind: Kind, number: u32, ask: Ask) -> Result<Self> {
        let name = format!("direct {} {number}", kind.pick("staker", "redeemer"));
        let account = Account::named(&name, devnet.node(kind.source()).chain_id)?;
        let beneficiary =
            Address::from_word(&keccak256([account.address.as_bytes(), b"beneficiary".as_slice()].concat()));
        Ok(Self { kind, account, ask: Ask { beneficiary, ..ask } })
    }

    /// Declares a message, the sender's first.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn declare(&self, devnet: &Devnet) -> Result<Message> {
        self.declare_next(devnet, 0).await
    }

    /// Declares a message with this nonce.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn declare_next(&self, devnet: &Devnet, nonce: u64) -> Result<Message> {
        let (kind, sender, nonce, ask) = (self.kind, self.account.address, U256::from(nonce), self.ask);
        let secret = secret(sender, nonce);
        let arguments = [
            uint(ask.amount),
            address(ask.beneficiary),
            uint(ask.gas_price),
            uint(ask.gas_limit),
            uint(nonce),
            word(keccak256(secret)),
        ];
        let name = kind.pick("stake", "redeem");
        let data = call(&format!("{name}(uint256,address,uint256,uint256,uint256,bytes32)"), &arguments);
        let bounty = kind.pick(U256::ZERO, devnet.options.deploy.cogateway_bounty);
        let signed = self.account.sign_paying(ask.gateway, data, GAS, bounty)?;
        let receipts = mined(devnet.node(kind.source()), &[signed]).await?;
        let (hash, block) = declared(&receipts)?;
        let transaction = receipts.first().context("no receipt")?.hash;
        let request = Request { kind, sender, proxy: sender, nonce, ask, request_hash: B256::ZERO, transaction, block };
        Ok(Message { request, hash, declared: block, secret })
    }

    /// Begins to take the message back, and pays the penalty of one and a half bounties; the block of that.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn revert(&self, devnet: &Devnet, message: &Message) -> Result<u64> {
        let three_bounties = devnet.options.deploy.cogateway_bounty.saturating_mul(U256::from(3_u64));
        let penalty = three_bounties.checked_div(U256::from(2_u64)).unwrap_or_default();
        let coin = self.kind.pick(U256::ZERO, penalty);
        let data = call(self.kind.pick("revertStake(bytes32)", "revertRedeem(bytes32)"), &[word(message.hash)]);
        let signed = self.account.sign_paying(self.ask.gateway, data, GAS, coin)?;
        let receipts = mined(devnet.node(self.kind.source()), &[signed]).await?;
        Ok(receipts.first().context("no receipt")?.block)
    }
}
