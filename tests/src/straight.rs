//! A straight script that plays the facilitator: the yardstick that the product is measured against.
//!
//! It is handed everything beforehand (the requests, the contracts, fixed limits of gas), finds nothing out, keeps
//! nothing and survives nothing, but sends again what a node has lost. It does keep the law that no secret is revealed
//! before the confirmation is mined.

use crate::{
    account::Account,
    calls::{address, call, read_uint, uint},
    devnet::{Devnet, Side},
    events::{self, Event},
    kind::Kind,
    node::{Node, Receipt},
    proof,
    requesters::Request,
    steps,
};
use anyhow::{Context as _, Result, bail, ensure};
use facilitator_eth::{B256, U256, keccak256, tx::Signed};
use serde_json::json;
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// Limit of gas of every transaction: above what the dearest step was measured to use. One for all, since anvil goes on to the
/// next transaction where one has no room in a block: if that is a smaller one of the same account it takes its nonce for
/// wrong, and throws it away with all behind it.
const GAS: u64 = 640_000;
/// Transactions that a node holds at one time and that are not mined: as many as the facilitator gives it of one account. And
/// nodes take bodies of at most 2 MB.
const WINDOW: usize = 200;
/// Blocks in which nothing moves until the first that wait are sent again, and how many of them: behind one that a node has
/// lost all others wait for ever.
const LOST_AFTER: u64 = 3;
const AGAIN: usize = 10;
/// Longest time for all requests.
const LIMIT: Duration = Duration::from_secs(600);

/// The steps that cost gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Allowance for the bounties of stakes.
    Approve,
    /// Acceptance of a request.
    Accept,
    /// Proof of the gateway.
    Prove,
    /// Confirmation of a message.
    Confirm,
    /// Source leg.
    ProgressSource,
    /// Target leg.
    ProgressTarget,
}

/// How often the source gateway is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Once for all messages that are confirmed at a height.
    OncePerHeight,
    /// Before each confirmation, as a script does that knows only its own message.
    ForEachMessage,
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

    const fn on(&self, side: Side) -> &Account {
        match side {
            Side::Origin => &self.origin,
            Side::Auxiliary => &self.auxiliary,
        }
    }
}

/// Signed transactions, what they are for, and the requests that they are for.
type Batch = Vec<(Step, usize, Signed)>;

/// A transaction under way and the request that it is for.
struct Sent {
    step: Step,
    request: usize,
    signed: Signed,
}

/// The transactions of one chain that are not mined yet.
#[derive(Default)]
struct Lane {
    head: u64,
    /// The newest block when something was last seen to move.
    moved: Option<u64>,
    /// The node has them.
    waiting: Vec<Sent>,
    /// Signed, and sent when there is room in the window, in this order.
    queue: VecDeque<Sent>,
}

impl Lane {
    /// Receipts of what was mined since the last look; asks for them only when there is a new block.
    async fn look(&mut self, node: &Node, outcome: &mut Outcome) -> Result<Vec<(Step, usize, Receipt)>> {
        let head = node.head().await?;
        if head == self.head || self.waiting.is_empty() {
            return Ok(vec![]);
        }
        self.head = head;
        let hashes: Vec<B256> = self.waiting.iter().map(|sent| sent.signed.hash).collect();
        let receipts = node.receipts(&hashes).await?;
        let mut mined = Vec::new();
        let mut waiting = Vec::new();
        for (sent, receipt) in self.waiting.drain(..).zip(receipts) {
            let Some(receipt) = receipt else {
                waiting.push(sent);
                continue;
            };
            if !receipt.success {
                bail!("{:?} reverted: {}", sent.step, node.reason(sent.signed.hash).await);
            }
            let (count, gas) = outcome.gas.entry(sent.step).or_default();
            *count += 1;
            *gas += receipt.gas_used;
            mined.push((sent.step, sent.request, receipt));
        }
        self.waiting = waiting;
        let moved = *self.moved.get_or_insert(head);
        if !mined.is_empty() {
            self.moved = Some(head);
        } else if head >= moved + LOST_AFTER {
            self.moved = Some(head);
            // The one that was lost has the lowest nonce of all that wait; those that the node knows it refuses.
            let again = self.waiting.iter().take(AGAIN).map(|sent| json!([sent.signed.raw])).collect();
            node.each("eth_sendRawTransaction", again).await?;
        }
        self.fill(node).await?;
        Ok(mined)
    }

    async fn send(&mut self, node: &Node, batch: Batch) -> Result<()> {
        self.queue.extend(batch.into_iter().map(|(step, request, signed)| Sent { step, request, signed }));
        self.fill(node).await
    }

    /// Sends what the window has room for.
    async fn fill(&mut self, node: &Node) -> Result<()> {
        let room = WINDOW.saturating_sub(self.waiting.len()).min(self.queue.len());
        if room == 0 {
            return Ok(());
        }
        let some: Vec<Sent> = self.queue.drain(..room).collect();
        let transactions: Vec<Signed> = some.iter().map(|sent| sent.signed.clone()).collect();
        node.send_signed(&transactions).await?;
        self.waiting.extend(some);
        self.moved = None;
        Ok(())
    }
}

/// How a run is to be.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How often the nodes are looked at.
    pub poll: Duration,
    /// How often the source gateway is proven.
    pub manner: Manner,
}

/// One run.
struct Run<'a> {
    devnet: &'a Devnet,
    workers: &'a Workers,
    kind: Kind,
    manner: Manner,
    requests: &'a [Request],
    /// Messages, and the source block that declared each, as far as known.
    declared: Vec<Option<(B256, u64)>>,
    /// Declared, not yet proven.
    unproven: Vec<usize>,
    done: usize,
    outcome: Outcome,
}

/// Carries all requests, of one direction, to their end through nodes of origin and auxiliary chain, which may be
/// proxies of the devnet's. The workers must be enrolled, and somebody must anchor the source chain's state roots.
///
/// # Errors
/// When a transaction reverts, the requests are of two directions, or they take longer than ten minutes.
pub async fn run(
    devnet: &Devnet,
    nodes: [&Node; 2],
    workers: &Workers,
    requests: &[Request],
    options: Options,
) -> Result<Outcome> {
    let start = Instant::now();
    let Some(kind) = requests.first().map(|request| request.kind) else { return Ok(Outcome::default()) };
    ensure!(requests.iter().all(|request| request.kind == kind), "requests of both directions");
    let [origin, auxiliary] = nodes;
    let (source_node, target_node) = kind.pick((origin, auxiliary), (auxiliary, origin));
    let mut run = Run {
        devnet,
        workers,
        kind,
        manner: options.manner,
        requests,
        declared: vec![None; requests.len()],
        unproven: vec![],
        done: 0,
        outcome: Outcome::default(),
    };
    let (mut source, mut target) = (Lane::default(), Lane::default());
    source.send(source_node, run.accepts()?).await?;
    while run.done < 2 * requests.len() {
        ensure!(start.elapsed() < LIMIT, "only {} of {} legs done", run.done, 2 * requests.len());
        for (step, request, receipt) in source.look(source_node, &mut run.outcome).await? {
            run.note_source(step, request, &receipt)?;
        }
        if let Some(height) = run.provable(target_node).await? {
            let signed = run.proofs(source_node, height).await?;
            target.send(target_node, signed).await?;
        }
        let mined = target.look(target_node, &mut run.outcome).await?;
        run.done += mined.iter().filter(|(step, ..)| *step == Step::ProgressTarget).count();
        let confirmed: Vec<usize> =
            mined.iter().filter(|(step, ..)| *step == Step::Confirm).map(|(_, request, _)| *request).collect();
        if !confirmed.is_empty() {
            let (on_source, on_target) = run.progresses(&confirmed)?;
            tokio::try_join!(source.send(source_node, on_source), target.send(target_node, on_target))?;
        }
        // The pause is for what is still to come.
        if run.done < 2 * requests.len() {
            tokio::time::sleep(options.poll).await;
        }
    }
    run.outcome.wall = start.elapsed();
    Ok(run.outcome)
}

fn secret(request: &Request) -> B256 {
    keccak256([request.transaction.0.as_slice(), b"straight"].concat())
}

impl Run<'_> {
    fn request(&self, index: usize) -> Result<&Request> {
        self.requests.get(index).with_context(|| format!("no request {index}"))
    }

    fn message(&self, index: usize) -> Result<(B256, u64)> {
        self.declared.get(index).copied().flatten().with_context(|| format!("request {index} is not declared"))
    }

    /// All acceptances: of stakes behind one allowance for all bounties, of redeems each with its bounty as coin.
    fn accepts(&self) -> Result<Batch> {
        let (worker, pool) = (self.workers.on(self.kind.source()), self.kind.pool(self.devnet));
        let deploy = &self.devnet.options.deploy;
        let mut signed = Vec::new();
        if self.kind == Kind::Stake {
            let bounties = deploy.gateway_bounty.saturating_mul(U256::from(self.requests.len() as u64));
            let approve = call("approve(address,uint256)", &[address(pool), uint(bounties)]);
            let token = self.devnet.contracts.origin.base_token;
            signed.push((Step::Approve, 0, worker.sign(token, approve, GAS)?));
        }
        let coin = self.kind.pick(U256::ZERO, deploy.cogateway_bounty);
        for (index, request) in self.requests.iter().enumerate() {
            let accept = steps::accept(request, secret(request));
            signed.push((Step::Accept, index, worker.sign_paying(pool, accept, GAS, coin)?));
        }
        Ok(signed)
    }

    fn note_source(&mut self, step: Step, request: usize, receipt: &Receipt) -> Result<()> {
        match step {
            Step::ProgressSource => self.done += 1,
            Step::Accept => {
                for log in &receipt.logs {
                    if let Some(Event::Declared { message, .. }) = events::read(log)?
                        && let Some(place) = self.declared.get_mut(request)
                    {
                        *place = Some((message, receipt.block));
                        self.unproven.push(request);
                    }
                }
            }
            Step::Approve | Step::Prove | Step::Confirm | Step::ProgressTarget => {}
        }
        Ok(())
    }

    /// The newest anchored height when it holds a message that is not proven yet.
    async fn provable(&self, target: &Node) -> Result<Option<u64>> {
        let oldest = self.unproven.iter().filter_map(|index| self.message(*index).ok()).map(|(_, block)| block).min();
        let Some(oldest) = oldest else { return Ok(None) };
        let contracts = &self.devnet.contracts;
        let anchor = self.kind.pick(contracts.auxiliary.anchor, contracts.origin.anchor);
        let latest = target.view(anchor, call("getLatestStateRootBlockHeight()", &[])).await?;
        Ok(read_uint(&latest)?.to_u64().filter(|height| *height >= oldest))
    }

    /// The proofs of the gateway and the confirmations of all messages that stand at `height`.
    async fn proofs(&mut self, source: &Node, height: u64) -> Result<Batch> {
        let mut ready = Vec::new();
        for index in std::mem::take(&mut self.unproven) {
            let (_, block) = self.message(index)?;
            if block <= height { ready.push(index) } else { self.unproven.push(index) }
        }
        let messages = ready.iter().map(|index| Ok(self.message(*index)?.0)).collect::<Result<Vec<B256>>>()?;
        let pair = self.devnet.contracts.first();
        let proof = proof::of_outbox(source, pair.box_on(self.kind.source()), &messages, height).await?;
        let (gateway, worker) = (pair.box_on(self.kind.target()), self.workers.on(self.kind.target()));
        let mut signed = Vec::new();
        for (index, nodes) in ready.into_iter().zip(&proof.storage_nodes) {
            if signed.is_empty() || self.manner == Manner::ForEachMessage {
                signed.push((Step::Prove, index, worker.sign(gateway, steps::prove(height, &proof), GAS)?));
            }
            let request = self.request(index)?;
            let confirm = steps::confirm(request, secret(request), height, nodes);
            signed.push((Step::Confirm, index, worker.sign(gateway, confirm, GAS)?));
        }
        Ok(signed)
    }

    /// Both legs of confirmed requests: source, target.
    fn progresses(&self, confirmed: &[usize]) -> Result<(Batch, Batch)> {
        let (kind, pair) = (self.kind, self.devnet.contracts.first());
        let (mut on_source, mut on_target) = (Vec::new(), Vec::new());
        for index in confirmed.iter().copied() {
            let (message, secret) = (self.message(index)?.0, secret(self.request(index)?));
            let (source, target) = (kind.source(), kind.target());
            let data = steps::progress_source(kind, message, secret);
            let signed = self.workers.on(source).sign(pair.box_on(source), data, GAS)?;
            on_source.push((Step::ProgressSource, index, signed));
            let data = steps::progress_target(kind, message, secret);
            let signed = self.workers.on(target).sign(pair.box_on(target), data, GAS)?;
            on_target.push((Step::ProgressTarget, index, signed));
        }
        Ok((on_source, on_target))
    }
}
