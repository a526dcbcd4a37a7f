//! What the facilitator needs for many stakes at once, beside a straight script on the same kind of devnet in the same
//! run, and beside what others were measured to need.

use super::blocks::Late;
use crate::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    devnet::{Devnet, DevnetOptions, Funds, Side},
    measure::{self, Memory, Watch, per},
    node::{Node, Pace},
    operator,
    rpc_proxy::{Counts, RpcProxy},
    stakers::Stakers,
    straight::{self, Workers},
    table,
    verify::{self, Spent},
    world::{World, WorldOptions},
};
use anyhow::{Context as _, Result};
use facilitator_eth::Address;
use std::{
    fmt,
    path::Path,
    time::{Duration, Instant},
};

/// Longest time for all stakes.
const LIMIT: Duration = Duration::from_secs(600);
/// Starts that are measured.
const STARTS: usize = 31;

/// What others were measured to need for a stake: mosaic-contracts 0.12.0, anvil 1.7.1, two cores.
const OTHERS: [[&str; 8]; 3] = [
    ["mosaic.js, one after the other", "1 s", "10/10", "60 s", "52", "52", "2.2", "120"],
    ["mosaic.js, all at once", "none", "1/10", "-", "-", "-", "-", "-"],
    ["straight script in JavaScript", "1 s", "100/100", "7.4 s", "23.8", "0.52", "1.0", "125"],
];

/// One run's result.
#[derive(Debug)]
struct Measured {
    name: &'static str,
    stakes: usize,
    finished: usize,
    wall: Duration,
    counts: [Counts; 2],
    spent: [Spent; 2],
    proofs: usize,
    late: Late,
    cpu_seconds: Option<f64>,
    memory: Option<Memory>,
}

impl Measured {
    fn row(&self, blocks: &str) -> Vec<String> {
        let calls = self.counts.iter().map(Counts::total).sum();
        let requests = self.counts.iter().map(|counts| counts.requests).sum();
        vec![
            self.name.to_owned(),
            blocks.to_owned(),
            format!("{}/{}", self.finished, self.stakes),
            format!("{:.1} s", self.wall.as_secs_f64()),
            per(calls, self.stakes),
            per(requests, self.stakes),
            self.cpu_seconds.map_or("-".to_owned(), |seconds| format!("{seconds:.1}")),
            self.memory.map_or("-".to_owned(), |memory| (memory.all_kib / 1024).to_string()),
        ]
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gas: u64 = self.spent.iter().map(|spent| spent.gas).sum();
        let reverted: u64 = self.spent.iter().map(|spent| spent.reverted).sum();
        writeln!(f, "\n{}: {} of {} in {:.2} s", self.name, self.finished, self.stakes, self.wall.as_secs_f64())?;
        writeln!(f, "{}", measure::calls_table(&self.counts, self.stakes))?;
        let per_stake = |spent: &Spent| table::grouped(spent.gas / self.stakes.max(1) as u64);
        let [origin, auxiliary] = &self.spent;
        writeln!(
            f,
            "gas for each stake: {} ({} origin, {} auxiliary); {} transactions, {reverted} reverted, {} gateway proofs",
            table::grouped(gas / self.stakes.max(1) as u64),
            per_stake(origin),
            per_stake(auxiliary),
            origin.transactions + auxiliary.transactions,
            self.proofs,
        )?;
        writeln!(f, "{}", self.late)?;
        let (Some(cpu), Some(memory)) = (self.cpu_seconds, self.memory) else { return Ok(()) };
        writeln!(f, "processor: {cpu:.2} s, of all processes")?;
        writeln!(
            f,
            "memory: parent {} KiB at most; a worker {} KiB at most, {} KiB of it private; all {} KiB; {} workers seen",
            table::grouped(memory.parent.peak_kib),
            table::grouped(memory.worker.peak_kib),
            table::grouped(memory.worker.private_kib),
            table::grouped(memory.all_kib),
            memory.workers,
        )
    }
}

/// The two sides of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Racer {
    /// The straight script.
    Straight,
    /// The facilitator.
    Facilitator,
}

/// What was measured of those that ran.
#[derive(Debug)]
pub struct Stakes {
    measured: Vec<Measured>,
    blocks: String,
    /// A bare process and a worker, to their first bytes; none where the facilitator did not run.
    starts: Option<[Duration; 2]>,
}

impl fmt::Display for Stakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.measured.iter().try_for_each(|one| one.fmt(f))?;
        if let Some([bare, worker]) = self.starts {
            writeln!(f, "\nstart of a process to its first byte, median of {STARTS}:")?;
            writeln!(f, "  /bin/echo             {:.2} ms", bare.as_secs_f64() * 1e3)?;
            writeln!(f, "  worker, to its hello  {:.2} ms", worker.as_secs_f64() * 1e3)?;
        }
        let others = OTHERS.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect());
        let rows: Vec<Vec<String>> = self.measured.iter().map(|one| one.row(&self.blocks)).chain(others).collect();
        let header = ["", "blocks", "finished", "wall", "calls/stake", "HTTP/stake", "CPU s", "RSS MiB"];
        write!(f, "\n{}", table::layout(&header, &rows))
    }
}

/// Measures one side, or one after the other.
///
/// # Errors
/// When a world fails, or a stake does not end as it must.
pub async fn run(settings: &Settings, only: Option<Racer>) -> Result<Stakes> {
    let mut measured = Vec::new();
    if only != Some(Racer::Facilitator) {
        measured.push(straight(settings).await?);
    }
    if only != Some(Racer::Straight) {
        measured.push(facilitator(settings).await?);
    }
    let starts = if only == Some(Racer::Straight) { None } else { Some(starts()?) };
    let blocks = match settings.devnet().mining {
        Mining::Every(time) => format!("{} s", time.as_secs_f64()),
        Mining::Auto | Mining::OnDemand => "none".to_owned(),
    };
    Ok(Stakes { measured, blocks, starts })
}

/// How the comparison is to be.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Stakes, all asked for at once.
    pub stakes: usize,
    /// Time between two blocks; zero for a block with each transaction.
    pub block_time: Duration,
    /// How often the nodes are asked for the newest block.
    pub poll: Duration,
    /// Blocks until a block counts as final.
    pub confirmations: u64,
    /// Most worker processes at one time, unless it is the default.
    pub max_workers: Option<u64>,
}

impl Settings {
    fn devnet(&self) -> DevnetOptions {
        let mining = if self.block_time.is_zero() { Mining::Auto } else { Mining::Every(self.block_time) };
        DevnetOptions { mining, ..DevnetOptions::default() }
    }

    fn policy() -> Policy {
        Policy { only_from: Some(Side::Origin), ..Policy::default() }
    }
}

async fn spent(devnet: &Devnet, workers: [&[Address]; 2], heads: [u64; 2]) -> Result<[Spent; 2]> {
    let [origin, auxiliary] = workers;
    let spent = tokio::try_join!(
        verify::spent(&devnet.origin, origin, heads[0] + 1),
        verify::spent(&devnet.auxiliary, auxiliary, heads[1] + 1)
    )?;
    Ok([spent.0, spent.1])
}

async fn straight(settings: &Settings) -> Result<Measured> {
    let devnet = Devnet::start(settings.devnet()).await?;
    let workers = Workers::new(&devnet)?;
    devnet.enroll(&[workers.origin.address], &[workers.auxiliary.address], Funds::default()).await?;
    let proxies = (RpcProxy::start(&devnet.origin.url).await?, RpcProxy::start(&devnet.auxiliary.url).await?);
    let origin = Node::new(&proxies.0.url, devnet.origin.chain_id)?;
    let auxiliary = Node::new(&proxies.1.url, devnet.auxiliary.chain_id)?;
    let stakers = Stakers::new(&devnet, 0, settings.stakes).await?;
    let _anchoring = Anchoring::start(&devnet, Settings::policy());
    let stakes = stakers.request_all(&devnet, Pace::Hurried).await?;
    let heads = measure::heads(&devnet).await?;
    let outcome = straight::run(&devnet, (&origin, &auxiliary), &workers, &stakes, settings.poll).await?;
    let ledger = verify::finished(&devnet, &stakes).await?;
    let spent = spent(&devnet, [&[workers.origin.address], &[workers.auxiliary.address]], heads).await?;
    // It waits for no confirmations.
    let late = Late::read(&devnet, &stakes, &ledger, 0, heads).await?;
    Ok(Measured {
        name: "straight script",
        stakes: stakes.len(),
        finished: ledger.progress(&stakes).finished,
        wall: outcome.wall,
        counts: [proxies.0.counts(), proxies.1.counts()],
        spent,
        proofs: ledger.proven.len(),
        late,
        cpu_seconds: None,
        memory: None,
    })
}

async fn facilitator(settings: &Settings) -> Result<Measured> {
    let options = WorldOptions {
        devnet: settings.devnet(),
        anchoring: Some(Settings::policy()),
        confirmations: settings.confirmations,
        poll: settings.poll,
        ..WorldOptions::default()
    };
    let world = World::new(options).await?;
    if let Some(most) = settings.max_workers {
        world.operator.edit_config(|config| config["max_workers"] = most.into())?;
    }
    let devnet = &world.devnet;
    let stakers = Stakers::new(devnet, 0, settings.stakes).await?;
    let daemon = world.operator.start().await?;
    let heads = measure::heads(devnet).await?;
    let before = world.counts();
    let cpu_before = measure::cpu_seconds(daemon.pid)?;
    let watch = Watch::start(daemon.pid);
    let stakes = stakers.request_all(devnet, Pace::Hurried).await?;
    let start = Instant::now();
    let outcome = verify::wait_finished(devnet, &stakes, LIMIT).await;
    let wall = start.elapsed();
    let counts = world.counts();
    let cpu_seconds = measure::cpu_seconds(daemon.pid)? - cpu_before;
    let memory = watch.stop();
    outcome.with_context(|| daemon.log_tail())?;
    let ledger = verify::finished(devnet, &stakes).await?;
    let workers = [world.operator.origin_workers.as_slice(), world.operator.auxiliary_workers.as_slice()];
    let spent = spent(devnet, workers, heads).await?;
    let late = Late::read(devnet, &stakes, &ledger, settings.confirmations, heads).await?;
    world.operator.stop(daemon).await?;
    Ok(Measured {
        name: "facilitator",
        stakes: stakes.len(),
        finished: ledger.progress(&stakes).finished,
        wall,
        counts: [counts[0].since(&before[0]), counts[1].since(&before[1])],
        spent,
        proofs: ledger.proven.len(),
        late,
        cpu_seconds: Some(cpu_seconds),
        memory: Some(memory),
    })
}

/// A bare process and a worker, to their first bytes.
fn starts() -> Result<[Duration; 2]> {
    let bare = measure::first_byte(Path::new("/bin/echo"), &["x"], STARTS)?;
    // A child checks that its parent is the one it was told.
    let own = std::process::id().to_string();
    Ok([bare, measure::first_byte(&operator::binary()?, &["__role", "worker", &own], STARTS)?])
}
