//! A mistake in the program: a process panics while it holds keys or a secret that is not public yet, with words that were
//! put together while it ran. The log tells where, and none of the words.

use anyhow::{Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    devnet::DevnetOptions,
    kill_points,
    node::Pace,
    operator::RequestRow,
    stakers::Stakers,
    verify,
    world::{World, WorldOptions},
};
use std::{
    fs,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(120);
/// What the process says as it panics: stands for anything it holds.
const WORDS: &str = "0xfeedfacecafebeef-held-in-memory";

/// Where, and who holds what there.
const POINTS: [(&str, &str); 4] = [
    // The worker keys and the hash-lock key.
    ("sender.broadcast", "sender"),
    // The secret of one request, which no chain knows yet.
    ("worker.progress_simulated", "worker"),
    // Simulated call data that reveals it, from time to time.
    ("scanner.fetched", "scanner"),
    // All keys, to start senders again.
    ("parent.worker_started", "parent"),
];

#[tokio::test]
async fn a_panic_says_where_and_nothing_of_what_the_process_holds() -> Result<()> {
    for (point, role) in POINTS {
        panics_at(point, role).await.map_err(|error| error.context(point))?;
    }
    Ok(())
}

async fn panics_at(point: &str, role: &str) -> Result<()> {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    let mut world = World::new(WorldOptions { devnet, confirmations: 1, ..WorldOptions::default() }).await?;
    let mark = world.operator.home().join("panicked");
    world.operator.use_binary(kill_points::armed_binary()?);
    world.operator.set_variable("RUST_LOG", "trace");
    world.operator.set_variable("RUST_BACKTRACE", "full");
    kill_points::arm_with_panic(&mut world.operator, point, WORDS, &mark);
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let mut daemon = world.operator.spawn()?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let start = Instant::now();
    let complete = |rows: &[RequestRow]| rows.len() == 2 && rows.iter().all(|row| row.state == "COMPLETE");
    while !mark.exists() || !complete(&world.operator.requests().await.unwrap_or_default()) {
        ensure!(start.elapsed() < LIMIT, "panicked: {}\n{}", mark.exists(), daemon.log_tail());
        if daemon.has_ended()?.is_some() {
            daemon = world.operator.spawn()?;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ledger = verify::finished(&world.devnet, &stakes).await?;
    verify::one_proof_per_height(&ledger)?;
    let log = fs::read_to_string(daemon.log())?;
    let told = log.lines().find(|line| line.contains("panic: this is a bug")).unwrap_or_default();
    ensure!(told.contains(&format!("{role}[")) && told.contains("not shown"), "{role} did not panic: {told}");
    ensure!(told.contains(".rs:"), "it does not say where: {told}");
    ensure!(!log.contains("feedfacecafebeef"), "the log shows what the process said");
    world.operator.stop(daemon).await
}
