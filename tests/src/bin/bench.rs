//! The benchmark: what the facilitator needs for many stakes at once, beside a straight script on the same kind of
//! devnet in the same run, and beside what others were measured to need.

// A benchmark's result belongs on standard output.
#![allow(clippy::print_stdout)]

use anyhow::Result;
use facilitator_eth::Address;
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    arguments::Arguments,
    devnet::{Devnet, DevnetOptions, Funds},
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
use std::{
    path::Path,
    time::{Duration, Instant},
};

const USAGE: &str = "\
usage: scripts/bench [--stakes N] [--block-time-ms MS] [--poll-ms MS] [--confirmations N] [--only straight|facilitator]
Measures the facilitator beside a straight script: 100 stakes at once and one-second blocks unless told otherwise.";
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
struct Measured {
    name: &'static str,
    stakes: usize,
    finished: usize,
    wall: Duration,
    counts: [Counts; 2],
    spent: [Spent; 2],
    proofs: usize,
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

    fn print(&self) {
        let gas: u64 = self.spent.iter().map(|spent| spent.gas).sum();
        let reverted: u64 = self.spent.iter().map(|spent| spent.reverted).sum();
        println!("\n{}: {} of {} in {:.2} s", self.name, self.finished, self.stakes, self.wall.as_secs_f64());
        println!("{}", measure::calls_table(&self.counts, self.stakes));
        let per_stake = |spent: &Spent| table::grouped(spent.gas / self.stakes.max(1) as u64);
        let [origin, auxiliary] = &self.spent;
        println!(
            "gas for each stake: {} ({} origin, {} auxiliary); {} transactions, {reverted} reverted, {} gateway proofs",
            table::grouped(gas / self.stakes.max(1) as u64),
            per_stake(origin),
            per_stake(auxiliary),
            origin.transactions + auxiliary.transactions,
            self.proofs,
        );
        if let (Some(cpu), Some(memory)) = (self.cpu_seconds, self.memory) {
            println!("processor: {cpu:.2} s, of all processes");
            println!(
                "memory: parent {} KiB at most; a worker {} KiB at most, {} KiB of it private; all {} KiB; {} workers seen",
                table::grouped(memory.parent.peak_kib),
                table::grouped(memory.worker.peak_kib),
                table::grouped(memory.worker.private_kib),
                table::grouped(memory.all_kib),
                memory.workers,
            );
        }
    }
}

struct Settings {
    stakes: usize,
    block_time: Duration,
    poll: Duration,
    confirmations: u64,
}

impl Settings {
    fn devnet(&self) -> DevnetOptions {
        let mining = if self.block_time.is_zero() { Mining::Auto } else { Mining::Every(self.block_time) };
        DevnetOptions { mining, ..DevnetOptions::default() }
    }

    fn policy() -> Policy {
        Policy { only_from: Some(facilitator_tests::devnet::Side::Origin), ..Policy::default() }
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
    Ok(Measured {
        name: "straight script",
        stakes: stakes.len(),
        finished: ledger.progress(&stakes).finished,
        wall: outcome.wall,
        counts: [proxies.0.counts(), proxies.1.counts()],
        spent,
        proofs: ledger.proven.len(),
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
    if outcome.is_err() {
        println!("{}", daemon.log_tail());
    }
    outcome?;
    let ledger = verify::finished(devnet, &stakes).await?;
    let workers = [world.operator.origin_workers.as_slice(), world.operator.auxiliary_workers.as_slice()];
    let spent = spent(devnet, workers, heads).await?;
    world.operator.stop(daemon).await?;
    Ok(Measured {
        name: "facilitator",
        stakes: stakes.len(),
        finished: ledger.progress(&stakes).finished,
        wall,
        counts: [counts[0].since(&before[0]), counts[1].since(&before[1])],
        spent,
        proofs: ledger.proven.len(),
        cpu_seconds: Some(cpu_seconds),
        memory: Some(memory),
    })
}

fn starts() -> Result<()> {
    let bare = measure::first_byte(Path::new("/bin/echo"), &["x"], STARTS)?;
    println!("\nstart of a process to its first byte, median of {STARTS}:");
    println!("  /bin/echo             {:.2} ms", bare.as_secs_f64() * 1e3);
    // A child checks that its parent is the one it was told.
    let own = std::process::id().to_string();
    match measure::first_byte(&operator::binary()?, &["__role", "worker", &own], STARTS) {
        Ok(worker) => println!("  worker, to its hello  {:.2} ms", worker.as_secs_f64() * 1e3),
        Err(error) => println!("  worker: {error:#}"),
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let names = ["--stakes", "--block-time-ms", "--poll-ms", "--confirmations", "--only"];
    let arguments = Arguments::read(&names, &["--help"])?;
    if arguments.has("--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let settings = Settings {
        stakes: usize::try_from(arguments.number("--stakes", 100)?)?,
        block_time: Duration::from_millis(arguments.number("--block-time-ms", 1000)?),
        poll: Duration::from_millis(arguments.number("--poll-ms", 200)?),
        confirmations: arguments.number("--confirmations", 0)?,
    };
    let only = arguments.word("--only");
    let mut measured = Vec::new();
    if only != Some("facilitator") {
        measured.push(straight(&settings).await?);
    }
    if only != Some("straight") {
        measured.push(facilitator(&settings).await?);
    }
    measured.iter().for_each(Measured::print);
    if only != Some("straight") {
        starts()?;
    }
    let blocks = match settings.devnet().mining {
        Mining::Every(time) => format!("{} s", time.as_secs_f64()),
        Mining::Auto | Mining::OnDemand => "none".to_owned(),
    };
    let others = OTHERS.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect());
    let rows: Vec<Vec<String>> = measured.iter().map(|one| one.row(&blocks)).chain(others).collect();
    let header = ["", "blocks", "finished", "wall", "calls/stake", "HTTP/stake", "CPU s", "RSS MiB"];
    println!("\n{}", table::layout(&header, &rows));
    Ok(())
}
