//! One run: so many requests of one direction at once, carried to their end by the facilitator or by a straight script,
//! on a devnet of its own.

use super::blocks::Late;
use crate::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    daemon::Daemon,
    devnet::{Devnet, DevnetOptions, Funds},
    kind::Kind,
    measure::{self, Memory, Watch},
    node::{Node, Pace},
    requesters::{Request, Requesters},
    rpc_proxy::{Counts, RpcProxy},
    straight::{self, Manner, Workers},
    verify::{self, Ledger, Spent},
    world::{Database, World, WorldOptions},
};
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::Address;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Longest time for all requests.
const LIMIT: Duration = Duration::from_secs(600);
/// Pause between two looks for a new block.
const LOOK: Duration = Duration::from_millis(50);

/// Who runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Racer {
    /// The straight script.
    Straight(Manner),
    /// The facilitator.
    Facilitator,
}

impl Racer {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Straight(Manner::OncePerHeight) => "straight script",
            Self::Straight(Manner::ForEachMessage) => "straight script, a proof for each message",
            Self::Facilitator => "facilitator",
        }
    }
}

/// How a run is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Race {
    pub(super) kind: Kind,
    /// Requests, all asked for at once.
    pub(super) count: usize,
    /// Time between two blocks; zero for a block with each transaction.
    pub(super) block_time: Duration,
    /// How often the nodes are asked for the newest block.
    pub(super) poll: Duration,
    /// Blocks until a block counts as final.
    pub(super) confirmations: u64,
    /// Most worker processes at one time, unless it is the default.
    pub(super) max_workers: Option<u64>,
}

/// What was measured in a run.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) count: usize,
    pub(super) finished: usize,
    /// Until both legs of all requests are done: since the facilitator could see them, or since the script began.
    pub(super) wall: Duration,
    pub(super) counts: [Counts; 2],
    pub(super) spent: [Spent; 2],
    /// Proofs of the gateway that were mined, those of a height that was proven already among them.
    pub(super) proofs: usize,
    /// Heights that messages were confirmed with.
    pub(super) heights: usize,
    /// Of stakes.
    pub(super) late: Option<Late>,
    /// Of the facilitator.
    pub(super) daemon: Option<OfDaemon>,
}

/// What only a daemon has.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfDaemon {
    /// Processor seconds of all its processes.
    pub(super) cpu_seconds: f64,
    pub(super) memory: Memory,
    /// Workers that were started, as its database counts them.
    pub(super) starts: u64,
}

impl Measured {
    pub(super) fn calls(&self) -> u64 {
        self.counts.iter().map(Counts::total).sum()
    }

    pub(super) fn requests(&self) -> u64 {
        self.counts.iter().map(|counts| counts.requests).sum()
    }

    pub(super) fn gas(&self) -> u64 {
        self.spent.iter().map(|spent| spent.gas).sum()
    }

    /// All of it as numbers for each request, where it is of many.
    pub(super) fn numbers(&self) -> BTreeMap<&'static str, f64> {
        let each = |count: u64| count as f64 / self.count.max(1) as f64;
        let mut numbers = BTreeMap::from([
            ("wall_s", self.wall.as_secs_f64()),
            ("calls", each(self.calls())),
            ("http", each(self.requests())),
            ("gas", each(self.gas())),
            ("transactions", each(self.spent.iter().map(|spent| spent.transactions).sum())),
            ("reverted", self.spent.iter().map(|spent| spent.reverted).sum::<u64>() as f64),
            ("proofs", self.proofs as f64),
            ("heights", self.heights as f64),
        ]);
        if let Some(late) = &self.late {
            let [origin, auxiliary] = late.means();
            numbers.extend([("lost_origin", origin), ("lost_auxiliary", auxiliary)]);
            numbers.extend([("fill_origin", late.fill[0]), ("fill_auxiliary", late.fill[1])]);
        }
        if let Some(daemon) = &self.daemon {
            let mib = |kib: u64| kib as f64 / 1024.0;
            numbers.extend([
                ("cpu_s", daemon.cpu_seconds / self.count.max(1) as f64),
                ("starts", each(daemon.starts)),
                ("all_mib", mib(daemon.memory.all_kib)),
                ("parent_mib", mib(daemon.memory.parent.peak_kib)),
            ]);
            numbers.extend(daemon.memory.worker.private_kib.map(|private| ("worker_mib", mib(private))));
        }
        numbers
    }
}

/// Lets one of them run.
///
/// # Errors
/// When the world fails, or a request does not end as it must.
pub(super) async fn run(racer: Racer, race: &Race) -> Result<Measured> {
    match racer {
        Racer::Straight(manner) => straight(race, manner).await,
        Racer::Facilitator => facilitator(race).await,
    }
}

impl Race {
    fn devnet(&self) -> DevnetOptions {
        let mining = if self.block_time.is_zero() { Mining::Auto } else { Mining::Every(self.block_time) };
        DevnetOptions { mining, ..DevnetOptions::default() }
    }

    fn policy(&self) -> Policy {
        Policy { only_from: Some(self.kind.source()), ..Policy::default() }
    }

    async fn requesters(&self, devnet: &Devnet) -> Result<Requesters> {
        Requesters::at(devnet, self.kind, devnet.contracts.first(), 0, self.count).await
    }

    /// All ask at once; tells since when they could be seen. They share a block that comes when the chain's clock says so:
    /// which blocks were lost is told only where none is made beside the clock.
    async fn request(&self, devnet: &Devnet, requesters: &Requesters) -> Result<(Vec<Request>, Instant)> {
        if self.block_time.is_zero() {
            let asked = Instant::now();
            Ok((requesters.request_all(devnet, Pace::Natural).await?, asked))
        } else {
            requesters.request_in_one_block(devnet).await
        }
    }

    /// What the chains tell of a run that is over.
    async fn read(
        &self,
        devnet: &Devnet,
        requests: &[Request],
        heads: [u64; 2],
        workers: [&[Address]; 2],
    ) -> Result<Chains> {
        let ledger = verify::finished(devnet, requests).await?;
        let [origin, auxiliary] = workers;
        let spent = tokio::try_join!(
            verify::spent(&devnet.origin, origin, heads[0] + 1),
            verify::spent(&devnet.auxiliary, auxiliary, heads[1] + 1)
        )?;
        // What the treasury staked for redeemers was proven on the other side.
        let side = self.kind.target();
        // Headers count time in seconds: which block of one chain came after one of the other is known only where blocks are
        // no closer than that.
        let is_told = self.block_time >= Duration::from_secs(1);
        let late = match self.kind {
            Kind::Stake if is_told => Some(Late::read(devnet, requests, &ledger, self.confirmations, heads).await?),
            Kind::Stake | Kind::Redeem => None,
        };
        let proofs = ledger.proven.iter().filter(|((on, ..), _)| *on == side);
        Ok(Chains {
            finished: ledger.progress(requests).finished,
            spent: [spent.0, spent.1],
            proofs: proofs.map(|(_, (new, vain))| new.len() + vain.len()).sum(),
            heights: ledger.confirmed_at.keys().filter(|(on, ..)| *on == side).count(),
            late,
        })
    }
}

/// What the chains tell.
struct Chains {
    finished: usize,
    spent: [Spent; 2],
    proofs: usize,
    heights: usize,
    late: Option<Late>,
}

async fn straight(race: &Race, manner: Manner) -> Result<Measured> {
    let devnet = Devnet::start(race.devnet()).await?;
    let workers = Workers::new(&devnet)?;
    devnet.enroll(&[workers.origin.address], &[workers.auxiliary.address], Funds::default()).await?;
    let proxies = [RpcProxy::start(&devnet.origin.url).await?, RpcProxy::start(&devnet.auxiliary.url).await?];
    let origin = Node::new(&proxies[0].url, devnet.origin.chain_id)?;
    let auxiliary = Node::new(&proxies[1].url, devnet.auxiliary.chain_id)?;
    let requesters = race.requesters(&devnet).await?;
    let _anchoring = Anchoring::start(&devnet, race.policy());
    let heads = measure::heads(&devnet).await?;
    let (requests, _) = race.request(&devnet, &requesters).await?;
    let options = straight::Options { poll: race.poll, manner };
    let outcome = straight::run(&devnet, [&origin, &auxiliary], &workers, &requests, options).await?;
    // It waits for no confirmations.
    let race = Race { confirmations: 0, ..*race };
    let own = [workers.origin.address, workers.auxiliary.address];
    let [origin, auxiliary] = &own;
    let chains =
        race.read(&devnet, &requests, heads, [std::slice::from_ref(origin), std::slice::from_ref(auxiliary)]).await?;
    let counts = proxies.each_ref().map(RpcProxy::counts);
    Ok(chains.measured(&race, outcome.wall, counts, None))
}

impl Chains {
    fn measured(self, race: &Race, wall: Duration, counts: [Counts; 2], daemon: Option<OfDaemon>) -> Measured {
        let Self { finished, spent, proofs, heights, late } = self;
        Measured { count: race.count, finished, wall, counts, spent, proofs, heights, late, daemon }
    }
}

async fn facilitator(race: &Race) -> Result<Measured> {
    let options = WorldOptions {
        devnet: race.devnet(),
        anchoring: Some(race.policy()),
        confirmations: race.confirmations,
        poll: race.poll,
        database: Database::Sqlite,
        ..WorldOptions::default()
    };
    let world = World::new(options).await?;
    if let Some(most) = race.max_workers {
        world.operator.edit_config(|config| config["max_workers"] = most.into())?;
    }
    let devnet = &world.devnet;
    let requesters = race.requesters(devnet).await?;
    let daemon = world.operator.start().await?;
    let heads = measure::heads(devnet).await?;
    let before = world.counts();
    let cpu_before = measure::cpu_seconds(daemon.pid)?;
    let watch = Watch::start(daemon.pid);
    let (requests, start) = race.request(devnet, &requesters).await?;
    let outcome = all_done(devnet, &requests, &daemon).await;
    let wall = start.elapsed();
    outcome?;
    // The chains are done; what it does until it knows that itself is its cost as well.
    all_known(&world, race.count).await?;
    let now = world.counts();
    let cpu_seconds = measure::cpu_seconds(daemon.pid)? - cpu_before;
    let memory = watch.stop();
    let workers = [world.operator.origin_workers.as_slice(), world.operator.auxiliary_workers.as_slice()];
    let chains = race.read(devnet, &requests, heads, workers).await?;
    world.operator.stop(daemon).await?;
    let starts = starts(&world).await?;
    let counts = [now[0].since(&before[0]), now[1].since(&before[1])];
    Ok(chains.measured(race, wall, counts, Some(OfDaemon { cpu_seconds, memory, starts })))
}

/// Waits until both legs of all requests are done; looks at the events with each new block alone, so that the looking
/// costs little beside the work.
async fn all_done(devnet: &Devnet, requests: &[Request], daemon: &Daemon) -> Result<()> {
    let (start, mut seen) = (Instant::now(), [0; 2]);
    loop {
        let heads = measure::heads(devnet).await?;
        if heads != seen {
            seen = heads;
            let progress = Ledger::read(devnet).await?.progress(requests);
            if progress.finished == requests.len() {
                return Ok(());
            }
            let count = requests.len();
            ensure!(start.elapsed() < LIMIT, "{count} did not finish: {progress:?}\n{}", daemon.log_tail());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until so many rows are there and all of them done.
async fn all_known(world: &World, count: usize) -> Result<()> {
    let sql = "SELECT COUNT(*), COALESCE(SUM(CASE WHEN done = 0 THEN 1 ELSE 0 END), 0) FROM requests";
    let start = Instant::now();
    loop {
        let (all, left): (i64, i64) = sqlx::query_as(sql).fetch_one(&mut world.journal().await?).await?;
        if usize::try_from(all)? >= count && left == 0 {
            return Ok(());
        }
        ensure!(start.elapsed() < LIMIT, "{left} of {all} rows, of {count} requests, are not done");
        tokio::time::sleep(LOOK).await;
    }
}

/// How often a worker took up a request.
async fn starts(world: &World) -> Result<u64> {
    let sql = "SELECT COALESCE(SUM(claim_seq), 0) FROM requests";
    let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut world.journal().await?).await.context("no requests")?;
    Ok(u64::try_from(count)?)
}
