//! The scenes in which kill points are reached that an undisturbed stake never comes to: forks within and beyond the
//! confirmations, nonces that others took, prices that jump, a lost database, a node that lies.
//!
//! Blocks are made by hand, so that each scene meddles at the moment that it needs.

use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{U256, abi};
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    daemon::Daemon,
    devnet::{DevnetOptions, Side},
    kind::Kind,
    long_ago,
    requesters::Request,
    stranger::Stranger,
    verify::Ledger,
    world::{World, WorldOptions},
};
use serde_json::{Value as Json, json};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const PROVE: &str = "proveGateway(uint256,bytes,bytes)";
const CONFIRM_STAKE: &str = "confirmStakeIntent(address,uint256,address,uint256,uint256,uint256,bytes32,uint256,bytes)";
const CONFIRM_REDEEM: &str =
    "confirmRedeemIntent(address,uint256,address,uint256,uint256,uint256,uint256,bytes32,bytes)";

/// What happens around a stake or redeem whose processes die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scene {
    /// Nothing but blocks at their own pace.
    Plain,
    /// All is done, and the facilitator runs on until somebody has died.
    Idle,
    /// All is done, and the facilitator is asked to stop.
    Stop,
    /// The block with the accept is replaced before it is final.
    Fork,
    /// The blocks with approval and accept are replaced after they were final.
    DeepFork,
    /// The same, and foreign transactions took their nonces there.
    DeepTheft,
    /// A foreign transaction takes the nonce of the approval.
    RobbedApproval,
    /// A foreign transaction takes the nonce of the accept.
    RobbedAccept,
    /// The same, and a fork takes the foreign one out again after it was final.
    Gap,
    /// The base fee jumps to the tenfold while the accept waits.
    Spike,
    /// It jumps beyond the cap.
    Cap,
    /// The node says that what was proven is not, once.
    Lie,
    /// The database is lost after the accept.
    LostDatabase,
    /// So was it long ago, and the node's index of logs has a hole there.
    Hole,
    /// Another facilitator has accepted the requests and left the messages.
    Abandoned,
}

/// Stakes of long ago, in [`Scene::Hole`].
const LONG_AGO: usize = 3;

impl Scene {
    /// The scene in which a kill point is reached.
    pub(crate) fn of(point: &str) -> Self {
        match point {
            "sender.lease_renewed" => Self::Idle,
            "sender.lease_released" | "parent.children_gone" | "parent.deregistered" => Self::Stop,
            "sender.fork_seen" | "sender.fork_reopened" => Self::Fork,
            "scanner.fork_found"
            | "scanner.rolled_back"
            | "sender.finals_judged"
            | "sender.vanished_reopened"
            | "sender.gap_reopened" => Self::DeepFork,
            "sender.lost_reopened" | "sender.lost_failed" => Self::DeepTheft,
            "sender.failed" | "sender.failure_committed" => Self::RobbedApproval,
            "sender.nonce_lost" | "sender.requeued" => Self::RobbedAccept,
            "sender.gap_queued" => Self::Gap,
            "sender.replacement_committed" => Self::Spike,
            "sender.reason_noted" => Self::Cap,
            "sender.undone_superseded" => Self::Lie,
            "scanner.gone_back" => Self::Hole,
            "worker.own_lock_found" | "worker.adopted" => Self::LostDatabase,
            "parent.foreign_found"
            | "worker.foreign_terms_read"
            | "worker.foreign_terms_committed"
            | "worker.foreign_proof_ready"
            | "worker.foreign_progress_submitted" => Self::Abandoned,
            _ => Self::Plain,
        }
    }

    /// Whether blocks are made by hand.
    pub(crate) const fn by_hand(self) -> bool {
        !matches!(self, Self::Plain | Self::Idle | Self::Stop | Self::Hole | Self::Abandoned)
    }

    /// How its world is to be.
    pub(crate) fn options(self) -> WorldOptions {
        let mining = if self.by_hand() { Mining::OnDemand } else { Mining::Every(Duration::from_millis(250)) };
        let confirmations = if self == Self::Fork { 2 } else { 1 };
        let later = [Self::DeepFork, Self::DeepTheft, Self::Lie, Self::LostDatabase].contains(&self);
        let anchoring = (!later).then(Policy::default);
        let devnet = DevnetOptions { mining, ..DevnetOptions::default() };
        WorldOptions { devnet, anchoring, confirmations, ..WorldOptions::default() }
    }

    /// What is changed before the facilitator starts.
    pub(crate) async fn prepare(self, world: &World) -> Result<()> {
        if self == Self::Abandoned {
            world.price_everything_at_one()?;
            world.operator.edit_config(|config| config["hunter"] = json!({ "enabled": true, "after_blocks": 2 }))?;
        }
        if self == Self::Cap {
            // Enough for the price at the beginning.
            world.operator.set_on_chains("max_fee_per_gas", &json!(U256::exp10(10).to_string()))?;
        }
        if self == Self::Hole {
            long_ago::stakes(world, 10, LONG_AGO).await?;
            long_ago::lose_the_second(world).await?;
        }
        Ok(())
    }

    /// Requests that were made before those of the scenario.
    pub(crate) const fn before(self) -> usize {
        match self {
            Self::Hole => LONG_AGO,
            Self::Plain
            | Self::Idle
            | Self::Stop
            | Self::Fork
            | Self::DeepFork
            | Self::DeepTheft
            | Self::RobbedApproval
            | Self::RobbedAccept
            | Self::Gap
            | Self::Spike
            | Self::Cap
            | Self::Lie
            | Self::LostDatabase
            | Self::Abandoned => 0,
        }
    }
}

/// Lets another facilitator accept the requests, and leave it at that.
pub(crate) async fn abandon(world: &World, requests: &[Request]) -> Result<()> {
    let stranger = Stranger::new(&world.devnet).await?;
    for request in requests {
        stranger.accept(&world.devnet, request).await?;
    }
    Ok(())
}

/// Whether requests of this kind are played at a kill point: stakes at all; redeems where an allowance is no part of it,
/// since their bounty is coin.
///
/// One instance alone never comes to the taking over of another's transactions: `heartbeat` has two.
pub(crate) fn comes_to(kind: Kind, point: &str) -> bool {
    if point == "sender.orphans_taken" {
        return false;
    }
    match kind {
        Kind::Stake => true,
        Kind::Redeem => {
            let stakes_alone = [Scene::RobbedApproval, Scene::Hole, Scene::Abandoned].contains(&Scene::of(point));
            // That gap comes about only where an approval is final before the accept.
            !stakes_alone && !["sender.approval_queued", "sender.gap_reopened"].contains(&point)
        }
    }
}

/// A scene in progress.
pub(crate) struct Play {
    scene: Scene,
    kind: Kind,
    /// How often the scene has been moved on.
    act: u32,
    /// The block before the first of ours.
    start: Option<u64>,
    /// What the worker had mined by then.
    mined: u64,
    /// Nonces that foreign transactions took for good.
    pub(crate) foreign: Vec<(Side, u64)>,
    lies: Arc<AtomicBool>,
    anchoring: Option<Anchoring>,
}

impl Play {
    pub(crate) fn new(scene: Scene, kind: Kind) -> Self {
        let lies = Arc::new(AtomicBool::new(true));
        Self { scene, kind, act: 0, start: None, mined: 0, foreign: Vec::new(), lies, anchoring: None }
    }

    /// The chain on which the requests stand and are accepted.
    const fn source(&self) -> Side {
        self.kind.source()
    }

    /// The nonce of the first accept: a stake's bounty has to be approved before.
    const fn accept_nonce(&self) -> u64 {
        self.kind.pick(1, 0)
    }

    /// Whether a message of the requests' kind is declared; the tokens of redeemers were staked before.
    async fn declared(&self, world: &World) -> Result<bool> {
        Ok(Ledger::read(&world.devnet).await?.messages.keys().any(|(kind, ..)| *kind == self.kind))
    }

    /// Whether the journal must account for every nonce: not where it is lost, or where what it has as final was undone
    /// by a fork that nobody is obliged to notice.
    pub(crate) fn is_accountable(&self) -> bool {
        ![Scene::LostDatabase, Scene::DeepTheft].contains(&self.scene)
    }

    /// Does before the next block what the scene wants; the daemon is replaced where the scene ends it.
    pub(crate) async fn meddle(&mut self, world: &World, daemon: Daemon) -> Result<Daemon> {
        match self.scene {
            Scene::Plain | Scene::Idle | Scene::Stop | Scene::Hole | Scene::Abandoned => {}
            Scene::Fork => self.fork(world).await?,
            Scene::DeepFork | Scene::DeepTheft => self.deep_fork(world).await?,
            Scene::RobbedApproval => self.rob(world, 0).await?,
            Scene::RobbedAccept => self.rob(world, self.accept_nonce()).await?,
            Scene::Gap => self.gap(world).await?,
            Scene::Spike => self.spike(world, 30).await?,
            Scene::Cap => self.spike(world, 60).await?,
            Scene::Lie => self.lie(world).await?,
            Scene::LostDatabase => return self.lose_database(world, daemon).await,
        }
        Ok(daemon)
    }

    async fn fork(&mut self, world: &World) -> Result<()> {
        if self.act == 0 && self.declared(world).await? {
            world.fork(self.source(), 1).await?;
            self.act = 1;
        }
        Ok(())
    }

    /// Takes out everything that the worker had mined on the source chain, once it is final and scanned.
    async fn deep_fork(&mut self, world: &World) -> Result<()> {
        let (side, node) = (self.source(), world.devnet.node(self.source()));
        let head = node.head().await?;
        if world.count(side, "latest").await? == 0 {
            self.start = Some(head);
        }
        let rows = world.operator.requests().await.unwrap_or_default();
        let accepted = !rows.is_empty() && rows.iter().all(|row| row.state == "ACCEPTED");
        // One block more than the confirmations, so that the journal has them as final too.
        self.act += u32::from(self.act < 3 && accepted);
        if self.act != 3 {
            return Ok(());
        }
        self.act = 4;
        let depth = head - self.start.context("the accept was never pending")?;
        let nonces = if self.scene == Scene::DeepTheft { world.count(side, "latest").await? } else { 0 };
        let stolen = (0..nonces).map(|nonce| world.sign_foreign(side, nonce)).collect::<Result<Vec<_>>>()?;
        let pairs: Vec<_> = stolen.iter().map(|signed| json!([signed.raw, 0])).collect();
        node.call("anvil_reorg", json!([depth, pairs])).await?;
        self.foreign = (0..nonces).map(|nonce| (side, nonce)).collect();
        ensure!(world.count(side, "latest").await? == nonces, "the fork took out something else");
        self.anchoring = Some(Anchoring::start(&world.devnet, Policy::default()));
        Ok(())
    }

    async fn rob(&mut self, world: &World, nonce: u64) -> Result<()> {
        let side = self.source();
        if self.act == 0 && world.pool(side).await?.iter().any(|ours| ours.nonce == nonce) {
            world.foreign(side, nonce).await?;
            self.foreign.push((side, nonce));
            self.act = 1;
        }
        Ok(())
    }

    async fn gap(&mut self, world: &World) -> Result<()> {
        let (side, stolen) = (self.source(), self.accept_nonce());
        let head = world.devnet.node(side).head().await?;
        match self.act {
            0 => {
                self.rob(world, stolen).await?;
                (self.start, self.mined) = (Some(head), world.count(side, "latest").await?);
            }
            1 if world.pool(side).await?.iter().any(|ours| ours.nonce > stolen) => {
                world.fork(side, head - self.start.context("no block")?).await?;
                ensure!(world.count(side, "latest").await? == self.mined, "the foreign transaction is still there");
                self.foreign.clear();
                self.act = 2;
            }
            _ => {}
        }
        Ok(())
    }

    /// Seven blocks at a price that no transaction in flight pays.
    async fn spike(&mut self, world: &World, gwei: u64) -> Result<()> {
        let (side, accept) = (self.source(), self.accept_nonce());
        let waits = self.act > 0 || world.pool(side).await?.iter().any(|ours| ours.nonce == accept);
        if waits && self.act < 7 {
            self.act += 1;
            world.set_base_fee(side, gwei).await?;
        } else if self.act == 7 {
            self.act += 1;
            world.set_base_fee(side, 1).await?;
        }
        Ok(())
    }

    /// Confirmations are refused and proofs denied until the proof has been made a second time.
    async fn lie(&mut self, world: &World) -> Result<()> {
        if self.act == 0 {
            self.act = 1;
            self.anchoring = Some(Anchoring::start(&world.devnet, Policy::default()));
            let lies = Arc::clone(&self.lies);
            let starts = |signature: &str| format!("0x{}", hex::encode(abi::selector(signature)));
            let (prove, confirm) = (starts(PROVE), starts(self.kind.pick(CONFIRM_STAKE, CONFIRM_REDEEM)));
            let proxy = match self.kind.target() {
                Side::Origin => &world.origin_proxy,
                Side::Auxiliary => &world.auxiliary_proxy,
            };
            proxy.set_edit(move |method, params, answer| {
                let data_of = |call: &Json| {
                    let data = call["data"].as_str().or_else(|| call["input"].as_str());
                    data.unwrap_or_default().to_owned()
                };
                if method == "eth_simulateV1" && lies.load(Ordering::Relaxed) {
                    let calls = params[0]["blockStateCalls"][0]["calls"].as_array();
                    for (place, call) in calls.into_iter().flatten().enumerate() {
                        if data_of(call).starts_with(&confirm) {
                            answer["result"][0]["calls"][place]["status"] = json!("0x0");
                        }
                    }
                }
                let data = data_of(&params[0]);
                let denied = (method == "eth_call" && data.starts_with(&prove))
                    || (method == "eth_estimateGas" && data.starts_with(&confirm));
                if denied && lies.load(Ordering::Relaxed) {
                    let error = json!({ "code": 3, "message": "execution reverted", "data": "0x" });
                    *answer = json!({ "jsonrpc": "2.0", "id": answer["id"], "error": error });
                }
            });
        }
        let (ledger, target) = (Ledger::read(&world.devnet).await?, self.kind.target());
        let proven = || ledger.proven.iter().filter(|((side, ..), _)| *side == target).map(|(_, proofs)| proofs);
        if proven().next().is_some() {
            // Without newer roots the same one has to be proven again.
            self.anchoring = None;
        }
        if proven().any(|(new, vain)| new.len() + vain.len() > 1) {
            self.lies.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn lose_database(&mut self, world: &World, daemon: Daemon) -> Result<Daemon> {
        if self.act > 0 || !self.declared(world).await? {
            return Ok(daemon);
        }
        self.act = 1;
        daemon.kill().await?;
        let folder = world.operator.config.parent().context("no folder")?;
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("facilitator.db")) {
                fs::remove_file(&path)?;
            }
        }
        self.anchoring = Some(Anchoring::start(&world.devnet, Policy::default()));
        world.operator.spawn()
    }
}
