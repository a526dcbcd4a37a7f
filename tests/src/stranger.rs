//! Another facilitator with keys of its own, and direct stakers: each does single steps when told, and no more.
//!
//! Spelled out from the contracts' signatures, like the straight script.

use crate::{
    account::Account,
    calls::{address, bytes, call, read_uint, uint, word},
    deploy::tokens,
    devnet::{Devnet, Funds, Payment, Side},
    events::{self, Event},
    kind::Kind,
    node::{Node, Pace, Receipt},
    proof,
    stakers::{Ask, Stake},
    straight::{self, Workers},
};
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{Address, B256, Bytes, U256, keccak256};
use std::time::{Duration, Instant};

const GAS: u64 = 800_000;
/// Time for a state root to be anchored.
const LIMIT: Duration = Duration::from_secs(60);

/// A declared message of a stake.
#[derive(Debug, Clone)]
pub struct Message {
    /// What was asked.
    pub stake: Stake,
    /// Its hash.
    pub hash: B256,
    /// Origin block of its declaration.
    pub declared: u64,
    /// What opens it.
    pub secret: B256,
}

/// The other facilitator.
#[derive(Debug)]
pub struct Stranger(Workers);

async fn mined(node: &Node, account: &Account, calls: Vec<(Address, Bytes)>) -> Result<Vec<Receipt>> {
    let signed = calls.into_iter().map(|(to, data)| account.sign(to, data, GAS)).collect::<Result<Vec<_>>>()?;
    let hashes = node.send_signed(&signed).await?;
    let receipts = node.mined(&hashes, Pace::Natural).await?;
    for receipt in &receipts {
        ensure!(receipt.success, "{} reverted: {}", receipt.hash, node.reason(receipt.hash).await);
    }
    Ok(receipts)
}

fn secret(sender: Address, nonce: U256) -> B256 {
    keccak256([sender.as_bytes().as_slice(), &nonce.to_be_bytes(), b"stranger"].concat())
}

fn declared(receipts: &[Receipt]) -> Result<(B256, u64)> {
    for receipt in receipts {
        for log in &receipt.logs {
            if let Some(Event::Declared { message, .. }) = events::read(log)? {
                return Ok((message, receipt.block));
            }
        }
    }
    anyhow::bail!("no message was declared")
}

/// The newest root of `from` that the other chain's anchor has, once it is at `height` or above.
async fn anchored(devnet: &Devnet, from: Side, height: u64) -> Result<u64> {
    let (node, anchor) = match from {
        Side::Origin => (&devnet.auxiliary, devnet.contracts.auxiliary.anchor),
        Side::Auxiliary => (&devnet.origin, devnet.contracts.origin.anchor),
    };
    let start = Instant::now();
    loop {
        let latest = node.view(anchor, call("getLatestStateRootBlockHeight()", &[])).await?;
        if let Some(latest) = read_uint(&latest)?.to_u64().filter(|latest| *latest >= height) {
            return Ok(latest);
        }
        ensure!(start.elapsed() < LIMIT, "no root at {height} or above was anchored");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Stranger {
    /// Enrolled like any other facilitator.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn new(devnet: &Devnet) -> Result<Self> {
        let workers = Workers::new(devnet)?;
        devnet.enroll(&[workers.origin.address], &[workers.auxiliary.address], Funds::default()).await?;
        Ok(Self(workers))
    }

    /// Accepts a request.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn accept(&self, devnet: &Devnet, stake: &Stake) -> Result<Message> {
        let origin = &devnet.contracts.origin;
        let bounty = devnet.options.deploy.gateway_bounty;
        let secret = secret(stake.proxy, stake.nonce);
        let approve = call("approve(address,uint256)", &[address(origin.composer), uint(bounty)]);
        let accept = straight::accept(stake, keccak256(secret));
        let calls = vec![(origin.base_token, approve), (origin.composer, accept)];
        let (hash, block) = declared(&mined(&devnet.origin, &self.0.origin, calls).await?)?;
        Ok(Message { stake: stake.clone(), hash, declared: block, secret })
    }

    /// Waits for a root, proves the gateway, and confirms.
    ///
    /// # Errors
    /// When a transaction fails or no root is anchored.
    pub async fn confirm(&self, devnet: &Devnet, message: &Message) -> Result<u64> {
        let height = anchored(devnet, Side::Origin, message.declared).await?;
        let proof = proof::of_outbox(&devnet.origin, devnet.contracts.origin.gateway, &[message.hash], height).await?;
        let cogateway = devnet.contracts.auxiliary.cogateway;
        let nodes = proof.storage_nodes.first().context("no storage proof")?;
        let confirm = straight::confirm(&message.stake, keccak256(message.secret), height, nodes);
        let calls = vec![(cogateway, prove(height, &proof)), (cogateway, confirm)];
        let receipts = mined(&devnet.auxiliary, &self.0.auxiliary, calls).await?;
        Ok(receipts.last().context("no receipt")?.block)
    }

    /// Progresses the source leg with the secret.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn progress_source(&self, devnet: &Devnet, message: &Message) -> Result<()> {
        let data = call("progressStake(bytes32,bytes32)", &[word(message.hash), word(message.secret)]);
        mined(&devnet.origin, &self.0.origin, vec![(devnet.contracts.origin.gateway, data)]).await.map(drop)
    }

    /// Progresses the target leg with the secret.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn progress_target(&self, devnet: &Devnet, message: &Message) -> Result<()> {
        let data = call("progressMint(bytes32,bytes32)", &[word(message.hash), word(message.secret)]);
        mined(&devnet.auxiliary, &self.0.auxiliary, vec![(devnet.contracts.auxiliary.cogateway, data)]).await.map(drop)
    }

    /// Progresses the source leg by proof of the confirmation in block `confirmed`.
    ///
    /// # Errors
    /// When a transaction fails or no root is anchored.
    pub async fn prove_source(&self, devnet: &Devnet, message: &Message, confirmed: u64) -> Result<()> {
        let height = anchored(devnet, Side::Auxiliary, confirmed).await?;
        let (gateway, cogateway) = (devnet.contracts.origin.gateway, devnet.contracts.auxiliary.cogateway);
        let proof = proof::of_inbox(&devnet.auxiliary, cogateway, message.hash, height).await?;
        let progress = with_proof("progressStakeWithProof", message.hash, &proof, height)?;
        let calls = vec![(gateway, prove(height, &proof)), (gateway, progress)];
        mined(&devnet.origin, &self.0.origin, calls).await.map(drop)
    }

    /// Progresses the target leg by proof of the declaration.
    ///
    /// # Errors
    /// When a transaction fails or no root is anchored.
    pub async fn prove_target(&self, devnet: &Devnet, message: &Message) -> Result<()> {
        let height = anchored(devnet, Side::Origin, message.declared).await?;
        let cogateway = devnet.contracts.auxiliary.cogateway;
        let proof = proof::of_outbox(&devnet.origin, devnet.contracts.origin.gateway, &[message.hash], height).await?;
        let progress = with_proof("progressMintWithProof", message.hash, &proof, height)?;
        let calls = vec![(cogateway, prove(height, &proof)), (cogateway, progress)];
        mined(&devnet.auxiliary, &self.0.auxiliary, calls).await.map(drop)
    }
}

fn prove(height: u64, proof: &proof::Proof) -> Bytes {
    let arguments = [uint(height), bytes(proof.account.0.clone()), bytes(proof.account_nodes.0.clone())];
    call("proveGateway(uint256,bytes,bytes)", &arguments)
}

/// With the message at Declared in the other box.
fn with_proof(function: &str, message: B256, proof: &proof::Proof, height: u64) -> Result<Bytes> {
    let nodes = proof.storage_nodes.first().context("no storage proof")?;
    let arguments = [word(message), bytes(nodes.0.clone()), uint(height), uint(1_u64)];
    Ok(call(&format!("{function}(bytes32,bytes,uint256,uint256)"), &arguments))
}

/// A staker that needs no composer: its own account sends the message, and may take it back.
#[derive(Debug)]
pub struct DirectStaker {
    account: Account,
    ask: Ask,
}

impl DirectStaker {
    /// With coin, tokens for the stake, and base tokens for bounty and penalty, which the gateway may take.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn new(devnet: &Devnet, number: u32, ask: Ask) -> Result<Self> {
        let account = Account::named(&format!("direct staker {number}"), devnet.origin.chain_id)?;
        let origin = &devnet.contracts.origin;
        let beneficiary =
            Address::from_word(&keccak256([account.address.as_bytes(), b"beneficiary".as_slice()].concat()));
        let payments = [
            Payment::Coin(account.address, tokens(10)),
            Payment::Token(origin.value_token, account.address, tokens(1000)),
            Payment::Token(origin.base_token, account.address, tokens(1000)),
        ];
        devnet.pay(Side::Origin, &payments).await?;
        let approve = call("approve(address,uint256)", &[address(origin.gateway), uint(tokens(1000))]);
        let calls = vec![(origin.value_token, approve.clone()), (origin.base_token, approve)];
        mined(&devnet.origin, &account, calls).await?;
        Ok(Self { account, ask: Ask { beneficiary, ..ask } })
    }

    /// Declares a message, the staker's first.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn declare(&self, devnet: &Devnet) -> Result<Message> {
        let (staker, nonce, ask) = (self.account.address, U256::ZERO, self.ask);
        let secret = secret(staker, nonce);
        let arguments = [
            uint(ask.amount),
            address(ask.beneficiary),
            uint(ask.gas_price),
            uint(ask.gas_limit),
            uint(nonce),
            word(keccak256(secret)),
        ];
        let stake = call("stake(uint256,address,uint256,uint256,uint256,bytes32)", &arguments);
        let receipts = mined(&devnet.origin, &self.account, vec![(ask.gateway, stake)]).await?;
        let (hash, block) = declared(&receipts)?;
        let transaction = receipts.first().context("no receipt")?.hash;
        let stake = Stake {
            kind: Kind::Stake,
            sender: staker,
            proxy: staker,
            nonce,
            ask,
            request_hash: B256::ZERO,
            transaction,
            block,
        };
        Ok(Message { stake, hash, declared: block, secret })
    }

    /// Begins to take the message back.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn revert(&self, devnet: &Devnet, message: &Message) -> Result<()> {
        let data = call("revertStake(bytes32)", &[word(message.hash)]);
        mined(&devnet.origin, &self.account, vec![(devnet.contracts.origin.gateway, data)]).await.map(drop)
    }
}
