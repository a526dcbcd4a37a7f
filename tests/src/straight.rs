//! A straight script that plays the facilitator: the lower bound that the product is measured against.
//!
//! It is handed everything beforehand (the requests, the contracts, fixed limits of gas), finds nothing out, keeps
//! nothing and survives nothing. It does keep the law that no secret is revealed before the confirmation is mined.

use crate::{
    account::Account,
    calls::{address, bytes, call, read_uint, uint, word},
    devnet::Devnet,
    events::{self, Event},
    node::{Node, Receipt},
    proof,
    stakers::Stake,
};
use anyhow::{Context as _, Result, bail, ensure};
use facilitator_eth::{Address, B256, Bytes, U256, keccak256, tx::Signed};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Gas limits: above what the steps were measured to use, since refunds come only after the gas was there.
const APPROVE_GAS: u64 = 60_000;
const ACCEPT_GAS: u64 = 550_000;
const PROVE_GAS: u64 = 400_000;
const CONFIRM_GAS: u64 = 640_000;
const PROGRESS_STAKE_GAS: u64 = 200_000;
const PROGRESS_MINT_GAS: u64 = 250_000;
/// Longest time for all stakes.
const LIMIT: Duration = Duration::from_secs(300);

/// The steps that cost gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Allowance for the bounties.
    Approve,
    /// Acceptance of a request.
    Accept,
    /// Proof of the gateway.
    Prove,
    /// Confirmation of a message.
    Confirm,
    /// Source leg.
    ProgressStake,
    /// Target leg.
    ProgressMint,
}

/// What a run took.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// From the first transaction to the last receipt.
    pub wall: Duration,
    /// For each step: how many transactions, and their gas.
    pub gas: BTreeMap<Step, (u64, u64)>,
}

impl Outcome {
    /// Gas of all steps.
    #[must_use]
    pub fn total_gas(&self) -> u64 {
        self.gas.values().map(|(_, gas)| gas).sum()
    }
}

/// The keys of the script: one on each chain.
#[derive(Debug)]
pub struct Workers {
    /// On the origin chain.
    pub origin: Account,
    /// On the auxiliary chain.
    pub auxiliary: Account,
}

impl Workers {
    /// New accounts for this devnet.
    ///
    /// # Errors
    /// Never met.
    pub fn new(devnet: &Devnet) -> Result<Self> {
        Ok(Self {
            origin: Account::named("straight origin", devnet.origin.chain_id)?,
            auxiliary: Account::named("straight auxiliary", devnet.auxiliary.chain_id)?,
        })
    }
}

/// Signed transactions, what they are for, and the stakes that they are for.
type Batch = Vec<(Step, usize, Signed)>;

/// A transaction under way and the stake that it is for.
struct Sent {
    step: Step,
    stake: usize,
    hash: B256,
}

/// The transactions of one chain that are not mined yet.
#[derive(Default)]
struct Lane {
    head: u64,
    waiting: Vec<Sent>,
}

impl Lane {
    /// Receipts of what was mined since the last look; asks for them only when there is a new block.
    async fn look(&mut self, node: &Node, outcome: &mut Outcome) -> Result<Vec<(Step, usize, Receipt)>> {
        let head = node.head().await?;
        if head == self.head || self.waiting.is_empty() {
            return Ok(vec![]);
        }
        self.head = head;
        let hashes: Vec<B256> = self.waiting.iter().map(|sent| sent.hash).collect();
        let receipts = node.receipts(&hashes).await?;
        let mut mined = Vec::new();
        let mut waiting = Vec::new();
        for (sent, receipt) in self.waiting.drain(..).zip(receipts) {
            let Some(receipt) = receipt else {
                waiting.push(sent);
                continue;
            };
            if !receipt.success {
                bail!("{:?} reverted: {}", sent.step, node.reason(sent.hash).await);
            }
            let (count, gas) = outcome.gas.entry(sent.step).or_default();
            *count += 1;
            *gas += receipt.gas_used;
            mined.push((sent.step, sent.stake, receipt));
        }
        self.waiting = waiting;
        Ok(mined)
    }

    async fn send(&mut self, node: &Node, signed: Batch) -> Result<()> {
        let (marks, transactions): (Vec<_>, Vec<_>) =
            signed.into_iter().map(|(step, stake, signed)| ((step, stake), signed)).unzip();
        let hashes = node.send_signed(&transactions).await?;
        let sent = marks.into_iter().zip(hashes).map(|((step, stake), hash)| Sent { step, stake, hash });
        self.waiting.extend(sent);
        Ok(())
    }
}

/// One run.
struct Run<'a> {
    devnet: &'a Devnet,
    workers: &'a Workers,
    stakes: &'a [Stake],
    /// Messages, and the origin block that declared each, as far as known.
    declared: Vec<Option<(B256, u64)>>,
    /// Declared, not yet proven.
    unproven: Vec<usize>,
    done: usize,
    outcome: Outcome,
}

/// Carries all stakes to their end through `origin` and `auxiliary`, which may be proxies of the devnet's nodes.
/// The workers must be enrolled, and somebody must anchor the origin's state roots.
///
/// # Errors
/// When a transaction reverts or the stakes take longer than five minutes.
pub async fn run(
    devnet: &Devnet,
    (origin, auxiliary): (&Node, &Node),
    workers: &Workers,
    stakes: &[Stake],
    poll: Duration,
) -> Result<Outcome> {
    let start = Instant::now();
    let mut run = Run {
        devnet,
        workers,
        stakes,
        declared: vec![None; stakes.len()],
        unproven: vec![],
        done: 0,
        outcome: Outcome::default(),
    };
    let (mut source, mut target) = (Lane::default(), Lane::default());
    source.send(origin, run.accepts()?).await?;
    while run.done < 2 * stakes.len() {
        ensure!(start.elapsed() < LIMIT, "only {} of {} legs done", run.done, 2 * stakes.len());
        for (step, stake, receipt) in source.look(origin, &mut run.outcome).await? {
            run.note_origin(step, stake, &receipt)?;
        }
        if let Some(height) = run.provable(auxiliary).await? {
            let signed = run.proofs(origin, height).await?;
            target.send(auxiliary, signed).await?;
        }
        let mined = target.look(auxiliary, &mut run.outcome).await?;
        run.done += mined.iter().filter(|(step, ..)| *step == Step::ProgressMint).count();
        let confirmed: Vec<usize> =
            mined.iter().filter(|(step, ..)| *step == Step::Confirm).map(|(_, stake, _)| *stake).collect();
        if !confirmed.is_empty() {
            let (on_origin, on_auxiliary) = run.progresses(&confirmed)?;
            tokio::try_join!(source.send(origin, on_origin), target.send(auxiliary, on_auxiliary))?;
        }
        tokio::time::sleep(poll).await;
    }
    run.outcome.wall = start.elapsed();
    Ok(run.outcome)
}

fn secret(stake: &Stake) -> B256 {
    keccak256([stake.transaction.0.as_slice(), b"straight"].concat())
}

impl Run<'_> {
    fn stake(&self, index: usize) -> Result<&Stake> {
        self.stakes.get(index).with_context(|| format!("no stake {index}"))
    }

    fn message(&self, index: usize) -> Result<(B256, u64)> {
        self.declared.get(index).copied().flatten().with_context(|| format!("stake {index} is not declared"))
    }

    /// One allowance for all bounties, then all acceptances.
    fn accepts(&self) -> Result<Batch> {
        let origin = &self.devnet.contracts.origin;
        let worker = &self.workers.origin;
        let bounties = self.devnet.options.deploy.gateway_bounty.saturating_mul(U256::from(self.stakes.len() as u64));
        let approve = call("approve(address,uint256)", &[address(origin.composer), uint(bounties)]);
        let mut signed = vec![(Step::Approve, 0, worker.sign(origin.base_token, approve, APPROVE_GAS)?)];
        for (index, stake) in self.stakes.iter().enumerate() {
            let ask = &stake.ask;
            let arguments = [
                uint(ask.amount),
                address(ask.beneficiary),
                uint(ask.gas_price),
                uint(ask.gas_limit),
                uint(stake.nonce),
                address(stake.sender),
                address(ask.gateway),
                word(keccak256(secret(stake))),
            ];
            let signature = "acceptStakeRequest(uint256,address,uint256,uint256,uint256,address,address,bytes32)";
            signed.push((Step::Accept, index, worker.sign(origin.composer, call(signature, &arguments), ACCEPT_GAS)?));
        }
        Ok(signed)
    }

    fn note_origin(&mut self, step: Step, stake: usize, receipt: &Receipt) -> Result<()> {
        match step {
            Step::ProgressStake => self.done += 1,
            Step::Accept => {
                for log in &receipt.logs {
                    if let Some(Event::Declared { message, .. }) = events::read(log)?
                        && let Some(place) = self.declared.get_mut(stake)
                    {
                        *place = Some((message, receipt.block));
                        self.unproven.push(stake);
                    }
                }
            }
            Step::Approve | Step::Prove | Step::Confirm | Step::ProgressMint => {}
        }
        Ok(())
    }

    /// The newest anchored height when it holds a message that is not proven yet.
    async fn provable(&self, auxiliary: &Node) -> Result<Option<u64>> {
        let oldest = self.unproven.iter().filter_map(|index| self.message(*index).ok()).map(|(_, block)| block).min();
        let Some(oldest) = oldest else { return Ok(None) };
        let latest = call("getLatestStateRootBlockHeight()", &[]);
        let latest = auxiliary.view(self.devnet.contracts.auxiliary.anchor, latest).await?;
        Ok(read_uint(&latest)?.to_u64().filter(|height| *height >= oldest))
    }

    /// One proof of the gateway and the confirmations of all messages that stand at `height`.
    async fn proofs(&mut self, origin: &Node, height: u64) -> Result<Batch> {
        let mut ready = Vec::new();
        for index in std::mem::take(&mut self.unproven) {
            let (_, block) = self.message(index)?;
            if block <= height { ready.push(index) } else { self.unproven.push(index) }
        }
        let messages = ready.iter().map(|index| Ok(self.message(*index)?.0)).collect::<Result<Vec<B256>>>()?;
        let proof = proof::of_outbox(origin, self.devnet.contracts.origin.gateway, &messages, height).await?;
        let cogateway = self.devnet.contracts.auxiliary.cogateway;
        let worker = &self.workers.auxiliary;
        let arguments = [uint(height), bytes(proof.account.0.clone()), bytes(proof.account_nodes.0.clone())];
        let prove = call("proveGateway(uint256,bytes,bytes)", &arguments);
        let mut signed = vec![(Step::Prove, 0, worker.sign(cogateway, prove, PROVE_GAS)?)];
        for (index, nodes) in ready.into_iter().zip(proof.storage_nodes) {
            let data = confirm(self.stake(index)?, height, &nodes);
            signed.push((Step::Confirm, index, worker.sign(cogateway, data, CONFIRM_GAS)?));
        }
        Ok(signed)
    }

    /// Both legs of the confirmed stakes: origin, auxiliary.
    fn progresses(&self, confirmed: &[usize]) -> Result<(Batch, Batch)> {
        let gateway = self.devnet.contracts.origin.gateway;
        let cogateway = self.devnet.contracts.auxiliary.cogateway;
        let leg = |worker: &Account, to: Address, signature: &str, gas: u64, index: usize| {
            let arguments = [word(self.message(index)?.0), word(secret(self.stake(index)?))];
            worker.sign(to, call(signature, &arguments), gas)
        };
        let (mut on_origin, mut on_auxiliary) = (Vec::new(), Vec::new());
        for index in confirmed.iter().copied() {
            let (origin, auxiliary) = (&self.workers.origin, &self.workers.auxiliary);
            let source = leg(origin, gateway, "progressStake(bytes32,bytes32)", PROGRESS_STAKE_GAS, index)?;
            let target = leg(auxiliary, cogateway, "progressMint(bytes32,bytes32)", PROGRESS_MINT_GAS, index)?;
            on_origin.push((Step::ProgressStake, index, source));
            on_auxiliary.push((Step::ProgressMint, index, target));
        }
        Ok((on_origin, on_auxiliary))
    }
}

fn confirm(stake: &Stake, height: u64, nodes: &Bytes) -> Bytes {
    let ask = &stake.ask;
    let arguments = [
        address(stake.proxy),
        uint(stake.nonce),
        address(ask.beneficiary),
        uint(ask.amount),
        uint(ask.gas_price),
        uint(ask.gas_limit),
        word(keccak256(secret(stake))),
        uint(height),
        bytes(nodes.0.clone()),
    ];
    let signature = "confirmStakeIntent(address,uint256,address,uint256,uint256,uint256,bytes32,uint256,bytes)";
    call(signature, &arguments)
}
