//! The synchronisation of the chain pair: no work before both chains are read and agree, whatever happens to either.

use anyhow::{Context as _, Result, ensure};
use facilitator_eth::B256;
use facilitator_tests::{
    anchoring,
    anvil::Mining,
    daemon::Daemon,
    devnet::{DevnetOptions, Side},
    node::Pace,
    operator::RequestRow,
    process,
    rpc_proxy::{Fault, RpcProxy},
    stakers::Stakers,
    world::{World, WorldOptions},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

const LIMIT: Duration = Duration::from_secs(120);
const SEND: &str = "eth_sendRawTransaction";
/// The way to work, in order.
const STAGES: [&str; 5] = ["checkpoint-sync", "dag-sync", "head-sync-ready", "head-sync", "working"];

fn options(mining: Mining) -> WorldOptions {
    let devnet = DevnetOptions { mining, slots_in_an_epoch: Some(4), ..DevnetOptions::default() };
    WorldOptions { devnet, ..WorldOptions::default() }
}

/// Blocks each quarter of a second.
fn steady() -> WorldOptions {
    WorldOptions { confirmations: 1, ..options(Mining::Every(Duration::from_millis(250))) }
}

async fn world(options: WorldOptions) -> Result<World> {
    let world = World::new(options).await?;
    world.operator.set_on_chains("slots_per_epoch", &json!(4))?;
    world.operator.edit_config(|config| config["log_format"] = json!("json"))?;
    Ok(world)
}

/// Waits until what is looked for is there.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        ensure!(start.elapsed() < LIMIT, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The lines of a log.
fn lines(log: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(log)?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

fn says(line: &Value, text: &str) -> bool {
    line["message"].as_str().is_some_and(|message| message.contains(text))
}

/// When a chain entered which stage, by the log.
fn stages(log: &Path, chain: u64) -> Result<Vec<(String, String)>> {
    let stage = |line: &Value| {
        let stage = line["message"].as_str()?.strip_prefix("stage ")?.to_owned();
        (line["chain"] == chain).then(|| Some((line["time"].as_str()?.to_owned(), stage)))?
    };
    Ok(lines(log)?.iter().filter_map(stage).collect())
}

fn names(stages: &[(String, String)]) -> Vec<&str> {
    stages.iter().map(|(_, stage)| stage.as_str()).collect()
}

/// When a chain entered a stage first.
fn entered(stages: &[(String, String)], name: &str) -> Result<String> {
    let found = stages.iter().find(|(_, stage)| stage == name);
    Ok(found.with_context(|| format!("never in {name}: {stages:?}"))?.0.clone())
}

async fn sync(world: &World) -> Result<Value> {
    world.operator.ask(&["sync", "status", "--json", "--chain-id", "1406"]).await
}

/// A chain of `sync status` in a stage.
async fn in_stage(world: &World, side: &str, stage: &str) -> Result<Value> {
    until(&format!("{side} in {stage}"), async || {
        // A daemon that has just been started is not known yet.
        let status = sync(world).await.unwrap_or_default();
        let chains = status["chains"].as_array().cloned().unwrap_or_default();
        Ok(chains.into_iter().find(|chain| chain["side"] == side && chain["stage"] == stage))
    })
    .await
}

fn sent(proxy: &RpcProxy) -> u64 {
    proxy.counts().calls.get(SEND).copied().unwrap_or(0)
}

fn nothing_sent(world: &World) -> Result<()> {
    let sent = [&world.origin_proxy, &world.auxiliary_proxy].map(sent);
    ensure!(sent == [0, 0], "transactions were sent: {sent:?}");
    Ok(())
}

fn complete(rows: &[RequestRow]) -> bool {
    !rows.is_empty() && rows.iter().all(|row| row.state == "COMPLETE")
}

/// ST1.
#[tokio::test]
async fn both_chains_go_through_all_stages_side_by_side_and_only_then_anything_is_sent() -> Result<()> {
    let world = world(steady()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    tokio::try_join!(world.devnet.origin.mine(300), world.devnet.auxiliary.mine(300))?;
    let first = Arc::new(Mutex::new(None));
    for proxy in [&world.origin_proxy, &world.auxiliary_proxy] {
        let first = Arc::clone(&first);
        proxy.set_rule(move |request| {
            if request.methods.iter().any(|method| method == SEND) {
                first.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(SystemTime::now());
            }
            Fault::None
        });
    }
    let daemon = world.operator.start().await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    let [origin, auxiliary] = [3, 1406].map(|chain| stages(daemon.log(), chain));
    let (origin, auxiliary) = (origin?, auxiliary?);
    for stages in [&origin, &auxiliary] {
        let names = names(stages);
        ensure!(names.starts_with(&STAGES[..3]) && names.ends_with(&STAGES[3..]), "{stages:?}");
    }
    let span = |stages: &[(String, String)]| {
        Ok::<_, anyhow::Error>((entered(stages, STAGES[0])?, entered(stages, STAGES[2])?))
    };
    let (a, b) = (span(&origin)?, span(&auxiliary)?);
    ensure!(a.0 < b.1 && b.0 < a.1, "one after the other: {a:?}, {b:?}");
    let working = entered(&origin, "working")?.max(entered(&auxiliary, "working")?);
    let working = humantime(&working)?;
    let first = first.lock().unwrap_or_else(std::sync::PoisonError::into_inner).context("nothing was sent")?;
    ensure!(first >= working, "sent at {first:?}, working at {working:?}");
    world.operator.stop(daemon).await
}

/// The time of a line of the log.
fn humantime(text: &str) -> Result<SystemTime> {
    humantime::parse_rfc3339(text).with_context(|| format!("{text} is no time"))
}

/// ST2 and ST4.
#[tokio::test]
async fn the_origin_waits_for_an_auxiliary_node_that_is_down_and_records_meanwhile() -> Result<()> {
    one_waits(Side::Auxiliary).await
}

/// ST3.
#[tokio::test]
async fn the_auxiliary_waits_for_an_origin_node_that_is_down_and_reads_on() -> Result<()> {
    one_waits(Side::Origin).await
}

async fn one_waits(down: Side) -> Result<()> {
    let world = world(steady()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let (proxy, ready) = match down {
        Side::Origin => (&world.origin_proxy, "auxiliary"),
        Side::Auxiliary => (&world.auxiliary_proxy, "origin"),
    };
    proxy.set_rule(|_| Fault::Drop);
    let mut daemon = world.operator.spawn()?;
    let waiting = in_stage(&world, ready, "head-sync-ready").await?;
    ensure!(waiting["ready_since"].is_string() && waiting["waits_for"].is_string(), "{waiting}");
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    match down {
        Side::Auxiliary => recorded_and_not_acted_upon(&world, &daemon).await?,
        Side::Origin => {
            let head = waiting["max_block"].as_u64().context("no head")?;
            let grows = async || {
                let status = in_stage(&world, ready, "head-sync-ready").await?;
                let reached = [status["max_block"].as_u64(), status["current_block"].as_u64()];
                Ok(reached.iter().all(|block| block.is_some_and(|block| block > head + 8)).then_some(()))
            };
            until("the waiting chain reads on", grows).await?;
        }
    }
    let status = world.operator.status().await?;
    ensure!(
        status["standing"]["synchronization"].as_str().is_some_and(|why| why.contains("synchronization")),
        "{status:#}"
    );
    nothing_sent(&world)?;
    proxy.set_rule(|_| Fault::None);
    daemon.ready().await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    ensure!(world.operator.wait_requests(LIMIT, complete).await?.len() == 2);
    world.operator.stop(daemon).await
}

async fn recorded_and_not_acted_upon(world: &World, daemon: &Daemon) -> Result<()> {
    let attempts =
        || Ok::<_, anyhow::Error>(lines(daemon.log())?.iter().filter(|line| says(line, "readiness attempt")).count());
    let requested = |rows: &[RequestRow]| rows.len() == 2 && rows.iter().all(|row| row.state == "REQUESTED");
    let rows = world.operator.wait_requests(LIMIT, requested).await?;
    let (begun, before) = (Instant::now(), attempts()?);
    let hash = rows[0].request_hash.clone();
    let chain = world.operator.chains[1].to_string();
    let refused = world.operator.run(&["requests", "retry", "--chain-id", &chain, &hash]).await?;
    ensure!(refused.code == Some(1), "{refused:?}");
    for word in ["synchronization", "head-sync-ready"] {
        ensure!(refused.stderr.contains(word), "{refused:?}");
    }
    let show = ["requests", "show", "--json", "--chain-id", &chain, &hash];
    let row = world.operator.ask(&show).await?;
    ensure!(row["state"] == "REQUESTED" && row["transactions"] == json!([]) && row["last_error"].is_null(), "{row:#}");
    until("three more attempts", async || Ok((attempts()? >= before + 3).then_some(()))).await?;
    let took = begun.elapsed();
    ensure!(took >= Duration::from_millis(1_900), "three attempts within {took:?}");
    ensure!(requested(&world.operator.requests().await?));
    Ok(())
}

/// ST5.
#[tokio::test]
async fn a_false_root_keeps_the_pair_from_working_until_a_right_one_of_a_later_block_is_final() -> Result<()> {
    let world = world(WorldOptions { anchoring: None, ..steady() }).await?;
    let devnet = &world.devnet;
    let stakers = Stakers::new(devnet, 0, 1).await?;
    stakers.request_all(devnet, Pace::Natural).await?;
    let height = devnet.origin.head().await?;
    anchoring::lie(devnet, Side::Origin, height, B256([0xbd; 32])).await?;
    devnet.auxiliary.mine(3).await?;
    let mut daemon = world.operator.spawn()?;
    let alarm = async || {
        let alarms = lines(daemon.log())?.into_iter().find(|line| says(line, "anchored state root differs"));
        Ok(alarms.filter(|line| line["level"].as_str().is_some_and(|level| level.eq_ignore_ascii_case("error"))))
    };
    let alarm = until("the alarm", alarm).await?;
    ensure!(alarm["chain"] == 1406, "{alarm}");
    let shown = async || {
        let status = sync(&world).await?;
        let critical = status["chains"][1]["critical"].as_str().is_some_and(|text| text.contains("differs"));
        Ok((critical && status["working"] == false).then_some(()))
    };
    until("the alarm in the status", shown).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    ensure!(daemon.has_ended()?.is_none(), "the process ended");
    ensure!(sync(&world).await?["working"] == false, "works on a false root");
    for chain in [3, 1406] {
        ensure!(!names(&stages(daemon.log(), chain)?).contains(&"working"), "worked on a false root");
    }
    nothing_sent(&world)?;
    anchoring::once(devnet, Side::Origin).await?;
    daemon.ready().await?;
    let status = sync(&world).await?;
    ensure!(status["chains"][1]["critical"].is_null() && status["chains"][0]["last_error"].is_null(), "{status:#}");
    world.operator.wait_requests(LIMIT, |rows| rows.iter().all(|row| row.state == "ACCEPTED")).await?;
    world.operator.stop(daemon).await
}

/// ST6.
#[tokio::test]
async fn a_chain_that_jumps_two_epochs_is_synchronised_again_and_one_that_jumps_one_is_not() -> Result<()> {
    let world = world(options(Mining::Auto)).await?;
    let origin = &world.devnet.origin;
    let stakers = Stakers::new(&world.devnet, 0, 1).await?;
    let head = origin.head().await?;
    origin.mine(4 - head % 4).await?;
    let daemon = world.operator.start().await?;
    let resyncs = |daemon: &Daemon| {
        Ok::<_, anyhow::Error>(names(&stages(daemon.log(), 3)?).iter().filter(|name| **name == "resync").count())
    };
    let head = origin.head().await?;
    let scanned = |to: u64| {
        let world = &world;
        async move {
            until("the head is read", async || {
                Ok((sync(world).await?["chains"][0]["current_block"].as_u64() >= Some(to)).then_some(()))
            })
            .await
        }
    };
    scanned(head).await?;
    origin.mine(4).await?;
    scanned(head + 4).await?;
    ensure!(resyncs(&daemon)? == 0, "a jump of one epoch");
    origin.mine(12).await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    until("a resync", async || Ok((resyncs(&daemon)? == 1).then_some(()))).await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    for chain in [3, 1406] {
        let stages = stages(daemon.log(), chain)?;
        let works = names(&stages).iter().filter(|name| **name == "working").count();
        ensure!(works >= 2, "{stages:?}");
    }
    world.operator.stop(daemon).await
}

/// ST7.
#[tokio::test]
async fn a_stop_in_any_stage_is_orderly_and_the_next_start_goes_on_where_it_was() -> Result<()> {
    let world = world(steady()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    tokio::try_join!(world.devnet.origin.mine(300), world.devnet.auxiliary.mine(300))?;
    // While it waits, with everything read.
    world.auxiliary_proxy.set_rule(|_| Fault::Drop);
    let daemon = world.operator.spawn()?;
    let read = in_stage(&world, "origin", "head-sync-ready").await?;
    let read = read["current_block"].as_u64().context("nothing was read")?;
    end(daemon).await?;
    world.auxiliary_proxy.set_rule(|_| Fault::None);
    // At moments that fall into the other stages, with nodes that take their time.
    for proxy in [&world.origin_proxy, &world.auxiliary_proxy] {
        proxy.set_rule(|_| Fault::Delay(Duration::from_millis(60)));
    }
    for stage in ["checkpoint-sync", "dag-sync", "head-sync-ready", "head-sync"] {
        let daemon = world.operator.spawn()?;
        let seen = stages(daemon.log(), 1406)?.len();
        until(stage, async || {
            Ok(names(&stages(daemon.log(), 1406)?).iter().skip(seen).any(|name| *name == stage).then_some(()))
        })
        .await?;
        end(daemon).await?;
    }
    for proxy in [&world.origin_proxy, &world.auxiliary_proxy] {
        proxy.set_rule(|_| Fault::None);
    }
    let daemon = world.operator.start().await?;
    let status = sync(&world).await?;
    let origin = &status["chains"][0];
    let start = origin["starting_block"].as_u64().context("no start")?;
    ensure!(start > read, "read {read}, goes on at {start}");
    world.finish(&daemon, &stakes, LIMIT).await?;
    ensure!(world.operator.wait_requests(LIMIT, complete).await?.len() == 2, "rows were doubled");
    world.operator.stop(daemon).await
}

async fn end(daemon: Daemon) -> Result<()> {
    daemon.signal(Signal::SIGTERM)?;
    let begun = Instant::now();
    let status = daemon.ended().await?;
    ensure!(status.code() == Some(0), "ended with {status}");
    ensure!(begun.elapsed() < Duration::from_secs(20), "ended after {:?}", begun.elapsed());
    Ok(())
}

/// ST8.
#[tokio::test]
async fn a_scanner_that_dies_takes_the_pair_back_to_the_handshake_and_not_the_other_one_with_it() -> Result<()> {
    let world = world(steady()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let daemon = world.operator.start().await?;
    let of = |chain: u64| {
        let mut scanners = daemon.in_role("scanner").into_iter();
        scanners.find(|pid| process::command_line(*pid).ends_with(&chain.to_string()))
    };
    for (killed, other) in [(3, 1406), (1406, 3)] {
        let (victim, survivor) = (of(killed).context("no scanner")?, of(other).context("no other scanner")?);
        let before = stages(daemon.log(), other)?.len();
        kill(Pid::from_raw(i32::try_from(victim)?), Signal::SIGKILL)?;
        until("both work again", async || {
            let stages = stages(daemon.log(), other)?;
            let since = stages.get(before..).unwrap_or_default();
            Ok(names(since).contains(&"working").then_some(()))
        })
        .await?;
        let stages = stages(daemon.log(), other)?;
        ensure!(names(&stages)[before] == "head-sync-ready", "{stages:?}");
        ensure!(of(other) == Some(survivor), "the other scanner was restarted");
        ensure!(of(killed).is_some_and(|pid| pid != victim));
    }
    until("the status", async || Ok((sync(&world).await?["working"] == true).then_some(()))).await?;
    let status = world.operator.status().await?;
    ensure!(status["standing"]["chains"][0]["trouble"].is_null(), "{status:#}");
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    world.operator.stop(daemon).await
}

/// Where nothing was ever anchored, the beginning of the chain is agreed on at once.
#[tokio::test]
async fn a_pair_without_anchored_roots_works() -> Result<()> {
    let world = world(WorldOptions { anchoring: None, ..options(Mining::Auto) }).await?;
    let daemon = world.operator.start().await?;
    let status = sync(&world).await?;
    for chain in status["chains"].as_array().context("no chains")? {
        ensure!(chain["stage"] == "working" && chain["last_coord"] == 0, "{chain:#}");
    }
    ensure!(lines(daemon.log())?.iter().filter(|line| says(line, "readiness attempt")).count() <= 2);
    world.operator.stop(daemon).await
}

/// A root may be right and yet useless: what it proves can't be read any more.
#[tokio::test]
async fn an_origin_node_without_the_checkpoints_state_is_not_worked_with() -> Result<()> {
    let world = world(steady()).await?;
    anchoring::once(&world.devnet, Side::Origin).await?;
    tokio::try_join!(world.devnet.origin.mine(10), world.devnet.auxiliary.mine(10))?;
    world.origin_proxy.set_edit(|method, params, answer| {
        if method == "eth_getBalance" && params[1] != "latest" {
            *answer = json!({ "jsonrpc": "2.0", "id": answer["id"], "error": { "code": -32000, "message": "missing trie node" } });
        }
    });
    let mut daemon = world.operator.spawn()?;
    let refused = async || {
        let waiting = in_stage(&world, "origin", "head-sync-ready").await?;
        let error = waiting["last_error"].as_str().map(str::to_owned);
        Ok(error.filter(|error| error.contains("checkpoint state not found")))
    };
    until("the refusal", refused).await?;
    nothing_sent(&world)?;
    world.origin_proxy.clear_edit();
    daemon.ready().await?;
    let status = sync(&world).await?;
    ensure!(status["chains"][0]["last_coord"].as_u64() > Some(0), "{status:#}");
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn nodes_without_a_finalized_block_are_worked_with() -> Result<()> {
    let world = world(steady()).await?;
    for proxy in [&world.origin_proxy, &world.auxiliary_proxy] {
        proxy.set_edit(|method, params, answer| {
            if method == "eth_getBlockByNumber" && params[0] == "finalized" {
                *answer =
                    json!({ "jsonrpc": "2.0", "id": answer["id"], "error": { "code": -32602, "message": "bad tag" } });
            }
        });
    }
    let stakers = Stakers::new(&world.devnet, 0, 1).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    world.operator.stop(daemon).await
}
