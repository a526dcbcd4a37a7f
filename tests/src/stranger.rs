//! Another facilitator with keys of its own: it does single steps when told, and no more.
//!
//! Spelled out from the contracts' signatures, like the straight script.

use crate::{
    account::Account,
    calls::{address, bytes, call, read_uint, uint, word},
    devnet::{Devnet, Funds, Side},
    events::{self, Event},
    kind::Kind,
    node::{Node, Pace, Receipt},
    proof,
    requesters::Request,
    steps,
    straight::Workers,
};
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{Address, B256, Bytes, U256, keccak256, tx::Signed};
use std::time::{Duration, Instant};

pub(crate) const GAS: u64 = 800_000;
/// Time for a state root to be anchored.
const LIMIT: Duration = Duration::from_secs(60);

/// A declared message.
#[derive(Debug, Clone)]
pub struct Message {
    /// What was asked.
    pub request: Request,
    /// Its hash.
    pub hash: B256,
    /// Source block of its declaration.
    pub declared: u64,
    /// What opens it.
    pub secret: B256,
}

/// The other facilitator.
#[derive(Debug)]
pub struct Stranger(Workers);

pub(crate) async fn mined(node: &Node, signed: &[Signed]) -> Result<Vec<Receipt>> {
    let hashes = node.send_signed(signed).await?;
    let receipts = node.mined(&hashes, Pace::Natural).await?;
    for receipt in &receipts {
        ensure!(receipt.success, "{} reverted: {}", receipt.hash, node.reason(receipt.hash).await);
    }
    Ok(receipts)
}

pub(crate) fn secret(sender: Address, nonce: U256) -> B256 {
    keccak256([sender.as_bytes().as_slice(), &nonce.to_be_bytes(), b"stranger"].concat())
}

pub(crate) fn declared(receipts: &[Receipt]) -> Result<(B256, u64)> {
    for receipt in receipts {
        for log in &receipt.logs {
            if let Some(Event::Declared { message, .. }) = events::read(log)? {
                return Ok((message, receipt.block));
            }
        }
    }
    anyhow::bail!("no message was declared")
}

const fn other(side: Side) -> Side {
    match side {
        Side::Origin => Side::Auxiliary,
        Side::Auxiliary => Side::Origin,
    }
}

const fn anchor_on(devnet: &Devnet, side: Side) -> Address {
    match side {
        Side::Origin => devnet.contracts.origin.anchor,
        Side::Auxiliary => devnet.contracts.auxiliary.anchor,
    }
}

/// The newest root of `from` that the other chain's anchor has, once it is at `height` or above.
async fn anchored(devnet: &Devnet, from: Side, height: u64) -> Result<u64> {
    let to = other(from);
    let start = Instant::now();
    loop {
        let latest = call("getLatestStateRootBlockHeight()", &[]);
        let latest = devnet.node(to).view(anchor_on(devnet, to), latest).await?;
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

    const fn account(&self, side: Side) -> &Account {
        match side {
            Side::Origin => &self.0.origin,
            Side::Auxiliary => &self.0.auxiliary,
        }
    }

    /// Sends calls to the box of a side.
    async fn call_box(&self, devnet: &Devnet, side: Side, calls: Vec<Bytes>) -> Result<Vec<Receipt>> {
        let to = devnet.contracts.first().box_on(side);
        let signed =
            calls.into_iter().map(|data| self.account(side).sign(to, data, GAS)).collect::<Result<Vec<_>>>()?;
        mined(devnet.node(side), &signed).await
    }

    /// Accepts a request.
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn accept(&self, devnet: &Devnet, request: &Request) -> Result<Message> {
        let kind = request.kind;
        let (account, pool) = (self.account(kind.source()), kind.pool(devnet));
        let secret = secret(request.proxy, request.nonce);
        let accept = steps::accept(request, secret);
        let options = &devnet.options.deploy;
        let signed = match kind {
            Kind::Stake => {
                let approve = call("approve(address,uint256)", &[address(pool), uint(options.gateway_bounty)]);
                let token = devnet.contracts.origin.base_token;
                vec![account.sign(token, approve, GAS)?, account.sign(pool, accept, GAS)?]
            }
            Kind::Redeem => vec![account.sign_paying(pool, accept, GAS, options.cogateway_bounty)?],
        };
        let (hash, block) = declared(&mined(devnet.node(kind.source()), &signed).await?)?;
        Ok(Message { request: request.clone(), hash, declared: block, secret })
    }

    /// Waits for a root, proves the gateway, and confirms; the block of the confirmation.
    ///
    /// # Errors
    /// When a transaction fails or no root is anchored.
    pub async fn confirm(&self, devnet: &Devnet, message: &Message) -> Result<u64> {
        let kind = message.request.kind;
        let height = anchored(devnet, kind.source(), message.declared).await?;
        let proof = self.of_outbox(devnet, message, height).await?;
        let nodes = proof.storage_nodes.first().context("no storage proof")?;
        let confirm = steps::confirm(&message.request, message.secret, height, nodes);
        let receipts = self.call_box(devnet, kind.target(), vec![steps::prove(height, &proof), confirm]).await?;
        Ok(receipts.last().context("no receipt")?.block)
    }

    async fn of_outbox(&self, devnet: &Devnet, message: &Message, height: u64) -> Result<proof::Proof> {
        let source = message.request.kind.source();
        let gateway = devnet.contracts.first().box_on(source);
        proof::of_outbox(devnet.node(source), gateway, &[message.hash], height).await
    }

    /// Progresses the source leg with the secret.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn progress_source(&self, devnet: &Devnet, message: &Message) -> Result<()> {
        let kind = message.request.kind;
        let progress = steps::progress_source(kind, message.hash, message.secret);
        self.call_box(devnet, kind.source(), vec![progress]).await.map(drop)
    }

    /// Progresses the target leg with the secret.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn progress_target(&self, devnet: &Devnet, message: &Message) -> Result<()> {
        let kind = message.request.kind;
        let progress = steps::progress_target(kind, message.hash, message.secret);
        self.call_box(devnet, kind.target(), vec![progress]).await.map(drop)
    }

    /// Progresses the source leg by proof of the confirmation in block `confirmed`.
    ///
    /// # Errors
    /// When a transaction fails or no root is anchored.
    pub async fn prove_source(&self, devnet: &Devnet, message: &Message, confirmed: u64) -> Result<()> {
        let name = message.request.kind.pick("progressStakeWithProof", "progressRedeemWithProof");
        self.on_source(devnet, message, confirmed, |proof, height| with_proof(name, message.hash, proof, height)).await
    }

    /// Confirms that the sender takes the message back, which it began in block `reverted`; the block of that.
    ///
    /// # Errors
    /// When a transaction fails or no root is anchored.
    pub async fn confirm_revert(&self, devnet: &Devnet, message: &Message, reverted: u64) -> Result<u64> {
        let kind = message.request.kind;
        let height = anchored(devnet, kind.source(), reverted).await?;
        let proof = self.of_outbox(devnet, message, height).await?;
        let name = kind.pick("confirmRevertStakeIntent", "confirmRevertRedeemIntent");
        let calls = vec![steps::prove(height, &proof), of_revert(name, message.hash, &proof, height)?];
        let receipts = self.call_box(devnet, kind.target(), calls).await?;
        Ok(receipts.last().context("no receipt")?.block)
    }

    /// Gives the sender its tokens back, by proof of the confirmation in block `confirmed`.
    ///
    /// # Errors
    /// When a transaction fails or no root is anchored.
    pub async fn progress_revert(&self, devnet: &Devnet, message: &Message, confirmed: u64) -> Result<()> {
        let name = message.request.kind.pick("progressRevertStake", "progressRevertRedeem");
        self.on_source(devnet, message, confirmed, |proof, height| of_revert(name, message.hash, proof, height)).await
    }

    /// Proves the gateway of the target side as of block `since` or later, and sends what is made of the inbox's proof.
    async fn on_source(
        &self,
        devnet: &Devnet,
        message: &Message,
        since: u64,
        make: impl FnOnce(&proof::Proof, u64) -> Result<Bytes>,
    ) -> Result<()> {
        let kind = message.request.kind;
        let height = anchored(devnet, kind.target(), since).await?;
        let inbox = devnet.contracts.first().box_on(kind.target());
        let proof = proof::of_inbox(devnet.node(kind.target()), inbox, message.hash, height).await?;
        let calls = vec![steps::prove(height, &proof), make(&proof, height)?];
        self.call_box(devnet, kind.source(), calls).await.map(drop)
    }

    /// Progresses the target leg by proof of the declaration.
    ///
    /// # Errors
    /// When a transaction fails or no root is anchored.
    pub async fn prove_target(&self, devnet: &Devnet, message: &Message) -> Result<()> {
        let kind = message.request.kind;
        let height = anchored(devnet, kind.source(), message.declared).await?;
        let proof = self.of_outbox(devnet, message, height).await?;
        let name = kind.pick("progressMintWithProof", "progressUnstakeWithProof");
        let calls = vec![steps::prove(height, &proof), with_proof(name, message.hash, &proof, height)?];
        self.call_box(devnet, kind.target(), calls).await.map(drop)
    }
}

/// With the message at Declared in the other box.
fn with_proof(function: &str, message: B256, proof: &proof::Proof, height: u64) -> Result<Bytes> {
    let nodes = proof.storage_nodes.first().context("no storage proof")?;
    let arguments = [word(message), bytes(nodes.0.clone()), uint(height), uint(1_u64)];
    Ok(call(&format!("{function}(bytes32,bytes,uint256,uint256)"), &arguments))
}

/// Of the steps by which a message is taken back.
fn of_revert(function: &str, message: B256, proof: &proof::Proof, height: u64) -> Result<Bytes> {
    let nodes = proof.storage_nodes.first().context("no storage proof")?;
    let arguments = [word(message), uint(height), bytes(nodes.0.clone())];
    Ok(call(&format!("{function}(bytes32,uint256,bytes)"), &arguments))
}
