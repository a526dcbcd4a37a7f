//! The demonstration: two nodes, the whole Mosaic set, an operator who initialises and starts, stakers, and a table.

// What a demonstration shows belongs on standard output.
#![allow(clippy::print_stdout)]

use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{Address, B256};
use facilitator_tests::{
    anchoring::Policy,
    anvil::Mining,
    arguments::Arguments,
    daemon::Daemon,
    devnet::{Devnet, DevnetOptions, Side},
    kind::Kind,
    node::{Node, Pace},
    process,
    requesters::{Request, Requesters},
    table::{self, grouped, short, token_text},
    verify::{self, Ledger, Life, Place, Progress},
    world::{World, WorldOptions},
};
use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

const USAGE: &str = "\
usage: scripts/demo [--stakes N] [--redeems N] [--block-time-ms MS] [--confirmations N] [--workers N] [--keep]
Carries N stakes (10) from one chain of your own machine to another, and N redeems (none) back at the same time. --keep leaves everything running until Ctrl-C.";
/// Longest time for all stakes, and how often their progress is looked at.
const LIMIT: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(200);
/// Columns of the bar that shows how far all are.
const BAR: usize = 20;
/// Longest time that any process may outlive the daemon.
const GONE: Duration = Duration::from_secs(1);

/// When a payment was first seen: the time since all asked, and the heads of both chains.
type Seen = BTreeMap<B256, (Duration, [u64; 2])>;

struct Settings {
    stakes: usize,
    redeems: usize,
    confirmations: u64,
    block_time: Duration,
    workers: usize,
}

fn step(text: &str) {
    println!("● {text}");
}

fn addresses(list: &[Address]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

async fn prepare(settings: &Settings) -> Result<World> {
    let start = Instant::now();
    let options = WorldOptions {
        devnet: DevnetOptions { mining: Mining::Every(settings.block_time), ..DevnetOptions::default() },
        anchoring: Some(Policy::default()),
        workers: settings.workers,
        confirmations: settings.confirmations,
        poll: settings.block_time / 5,
        ..WorldOptions::default()
    };
    let world = World::new(options).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let (origin, auxiliary) = (&devnet.contracts.origin, &devnet.contracts.auxiliary);
    step(&format!("two nodes and the Mosaic contracts, ready in {:.1} s", start.elapsed().as_secs_f64()));
    let row = |name: &str, node: &Node, contracts: [Address; 3]| {
        let mut cells = vec![name.to_owned(), node.chain_id.to_string(), node.url.clone()];
        cells.extend(contracts.iter().map(short));
        cells
    };
    let rows = [
        row("origin", &devnet.origin, [origin.gateway, origin.composer, origin.anchor]),
        row("auxiliary", &devnet.auxiliary, [auxiliary.cogateway, auxiliary.redeem_pool, auxiliary.anchor]),
    ];
    println!("{}", table::layout(&["chain", "id", "node", "gateway", "pool", "anchor"], &rows));
    step("facilitator init: a key for each chain, whitelisted and funded by the organizations");
    println!("    origin     {}", addresses(&operator.origin_workers));
    println!("    auxiliary  {}\n", addresses(&operator.auxiliary_workers));
    Ok(world)
}

async fn doctor(world: &World) -> Result<()> {
    step("facilitator doctor");
    let answer = world.operator.doctor().await?;
    answer.stdout.lines().for_each(|line| println!("    {line}"));
    println!();
    ensure!(answer.code == Some(0), "doctor found an error: {}", answer.stderr);
    Ok(())
}

fn progress_line(progress: Progress, count: usize, elapsed: Duration) -> String {
    format!(
        "{:5.1} s   accepted {:>3}   confirmed {:>3}   bounty back {:>3}   paid out {:>3}   of {count}",
        elapsed.as_secs_f64(),
        progress.declared,
        progress.confirmed,
        progress.source,
        progress.target,
    )
}

/// How much of all steps is done, on a terminal.
fn progress_bar(progress: Progress, count: usize) -> String {
    let done = progress.declared + progress.confirmed + progress.source + progress.target;
    let full = (done * BAR).checked_div(4 * count).unwrap_or(BAR).min(BAR);
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full))
}

/// Shows how far the requests are until all are done: one line that changes on a terminal, a line a change elsewhere.
async fn follow(devnet: &Devnet, requests: &[Request], daemon: &Daemon, start: Instant) -> Result<Seen> {
    let live = std::io::stdout().is_terminal();
    let mut seen = Seen::new();
    let mut last = None;
    loop {
        let ledger = Ledger::read(devnet).await?;
        let heads = facilitator_tests::measure::heads(devnet).await?;
        for (message, life) in requests.iter().filter_map(|request| ledger.life(request)) {
            if !life.target.is_empty() {
                seen.entry(message).or_insert((start.elapsed(), heads));
            }
        }
        let progress = ledger.progress(requests);
        let line = progress_line(progress, requests.len(), start.elapsed());
        if live {
            print!("\r    {} {line}", progress_bar(progress, requests.len()));
            std::io::stdout().flush()?;
        } else if last != Some(progress) {
            println!("    {line}");
        }
        last = Some(progress);
        if progress.finished == requests.len() {
            println!();
            return Ok(seen);
        }
        ensure!(process::alive(daemon.pid), "the facilitator ended:\n{}", daemon.log_tail());
        ensure!(start.elapsed() < LIMIT, "not all finished within {LIMIT:?}:\n{}", daemon.log_tail());
        tokio::time::sleep(LOOK).await;
    }
}

/// What was done for a message on a side.
fn done_on(side: Side, kind: Kind, life: &Life) -> [&Vec<Place>; 2] {
    if kind.source() == side { [&life.declared, &life.source] } else { [&life.confirmed, &life.target] }
}

/// The gas of each transaction that did a step, by its hash.
async fn gas_by_transaction(
    devnet: &Devnet,
    ledger: &Ledger,
    requests: &[Request],
) -> Result<[BTreeMap<B256, u64>; 2]> {
    let hashes = |side| -> Vec<B256> {
        let lives = requests.iter().filter_map(|request| Some((request.kind, ledger.life(request)?.1)));
        lives.flat_map(|(kind, life)| done_on(side, kind, life)).flatten().map(|place| place.transaction).collect()
    };
    let (origin, auxiliary) = (hashes(Side::Origin), hashes(Side::Auxiliary));
    let receipts = tokio::try_join!(devnet.origin.receipts(&origin), devnet.auxiliary.receipts(&auxiliary))?;
    Ok([receipts.0, receipts.1].map(|list| list.into_iter().flatten().map(|one| (one.hash, one.gas_used)).collect()))
}

/// Gateway proofs of both chains since these heads.
fn proofs(ledger: &Ledger, heads: [u64; 2]) -> usize {
    let since = |side: Side| if side == Side::Origin { heads[0] } else { heads[1] };
    let fresh = |side: Side, new: &[Place]| new.iter().any(|place| place.block > since(side));
    ledger.proven.iter().filter(|((side, ..), (new, _))| fresh(*side, new)).count()
}

async fn result(world: &World, requests: &[Request], seen: &Seen, heads: [u64; 2]) -> Result<()> {
    let devnet = &world.devnet;
    let ledger = verify::finished(devnet, requests).await?;
    let [on_origin, on_auxiliary] = gas_by_transaction(devnet, &ledger, requests).await?;
    let gas = |gas: &BTreeMap<B256, u64>, places: [&Vec<Place>; 2]| {
        let each = places.into_iter().flatten().filter_map(|place| gas.get(&place.transaction));
        grouped(each.sum())
    };
    let mut rows = Vec::new();
    for request in requests {
        let (message, life) = ledger.life(request).context("not declared")?;
        let (seconds, then) = seen.get(&message).copied().unwrap_or_default();
        let head = request.kind.pick(then[0], then[1]);
        rows.push(vec![
            request.kind.pick("stake", "redeem").to_owned(),
            short(&request.request_hash),
            token_text(request.ask.amount),
            token_text(life.amount),
            token_text(life.reward),
            gas(&on_origin, done_on(Side::Origin, request.kind, life)),
            gas(&on_auxiliary, done_on(Side::Auxiliary, request.kind, life)),
            head.saturating_sub(request.block).to_string(),
            format!("{:.1}", seconds.as_secs_f64()),
        ]);
    }
    let header =
        ["kind", "request", "amount", "paid out", "reward", "gas origin", "gas auxiliary", "blocks", "seconds"];
    println!("\n{}", table::layout(&header, &rows));
    let operator = &world.operator;
    let origin = verify::spent(&devnet.origin, &operator.origin_workers, heads[0] + 1).await?;
    let auxiliary = verify::spent(&devnet.auxiliary, &operator.auxiliary_workers, heads[1] + 1).await?;
    println!(
        "All {} paid out. {} gas in {} transactions, {} of them reverted; {} gateway proofs served {} confirmations.\n",
        requests.len(),
        grouped(origin.gas + auxiliary.gas),
        origin.transactions + auxiliary.transactions,
        origin.reverted + auxiliary.reverted,
        proofs(&ledger, heads),
        requests.len(),
    );
    Ok(())
}

/// Leaves everything as it is until Ctrl-C.
async fn keep(world: &World, daemon: &Daemon) -> Result<()> {
    let chain = world.devnet.auxiliary.chain_id;
    step("everything goes on running; look around from another terminal:");
    for (name, value) in world.operator.environment() {
        println!("    export {name}='{value}'");
    }
    let binary = world.operator.binary().display();
    for command in ["status", "requests list", "doctor"] {
        println!("    {binary} {command} --chain-id {chain}");
    }
    println!("    tail -f {}", daemon.log().display());
    println!("    nodes: origin {}, auxiliary {}", world.devnet.origin.url, world.devnet.auxiliary.url);
    println!("\nCtrl-C ends it.");
    tokio::signal::ctrl_c().await?;
    println!();
    Ok(())
}

async fn demo(settings: &Settings, keep_running: bool) -> Result<()> {
    let world = prepare(settings).await?;
    doctor(&world).await?;
    let redeemers = Requesters::redeemers(&world.devnet, 0, settings.redeems).await?;
    let start = Instant::now();
    let daemon = world.operator.start().await?;
    step(&format!("facilitator start: ready after {:.2} s, process {}\n", start.elapsed().as_secs_f64(), daemon.pid));
    let stakers = Requesters::new(&world.devnet, 0, settings.stakes).await?;
    let heads = facilitator_tests::measure::heads(&world.devnet).await?;
    let others = match redeemers.count() {
        0 => String::new(),
        count => format!(" and {count} redeemers"),
    };
    let count = stakers.count();
    step(&format!("{count} stakers{others} ask, each with another amount; state roots are anchored every block"));
    let asked = Instant::now();
    let made = tokio::try_join!(
        stakers.request_all(&world.devnet, Pace::Natural),
        redeemers.request_all(&world.devnet, Pace::Natural)
    )?;
    let requests = [made.0, made.1].concat();
    let seen = follow(&world.devnet, &requests, &daemon, asked).await?;
    result(&world, &requests, &seen, heads).await?;
    if keep_running {
        keep(&world, &daemon).await?;
    }
    let family = [daemon.children(), vec![daemon.pid]].concat();
    world.operator.stop(daemon).await?;
    ensure!(process::all_gone(&family, GONE).await, "a process of the facilitator outlived it");
    step("facilitator stop: everything has ended cleanly");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let names = ["--stakes", "--redeems", "--block-time-ms", "--confirmations", "--workers"];
    let arguments = Arguments::read(&names, &["--keep", "--help"])?;
    if arguments.has("--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let settings = Settings {
        stakes: usize::try_from(arguments.number("--stakes", 10)?)?,
        redeems: usize::try_from(arguments.number("--redeems", 0)?)?,
        confirmations: arguments.number("--confirmations", 1)?,
        block_time: Duration::from_millis(arguments.number("--block-time-ms", 1000)?),
        workers: usize::try_from(arguments.number("--workers", 1)?)?,
    };
    ensure!(!settings.block_time.is_zero(), "--block-time-ms must be at least 1");
    demo(&settings, arguments.has("--keep")).await
}
