//! `facilitator recover`: what a lost database knew is found on the chains, and nothing is sent or changed on the way.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    daemon::Daemon,
    database,
    devnet::{Devnet, DevnetOptions, Side},
    events::{self, Event},
    node::Pace,
    operator::{Answer, InitOptions, Operator, RequestRow},
    process,
    rpc_proxy::{Fault, Request, RpcProxy},
    stakers::Stakers,
    verify,
    world::{World, WorldOptions},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(90);
const RECOVER: [&str; 3] = ["recover", "--chain-id", "1406"];

fn quick(anchoring: Option<Policy>) -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, anchoring, confirmations: 1, ..WorldOptions::default() }
}

async fn recover(operator: &Operator, flags: &[&str]) -> Result<Answer> {
    operator.run(&[&RECOVER, flags].concat()).await
}

async fn recovered(operator: &Operator, flags: &[&str]) -> Result<Value> {
    let flags = [flags, &["--json"]].concat();
    operator.ask(&[&RECOVER[..], &flags].concat()).await
}

/// The only line of an error, with the exit code it must have.
fn refused(answer: &Answer, code: i32, words: &[&str]) -> Result<()> {
    ensure!(answer.code == Some(code), "{answer:?}");
    let line = answer.stderr.lines().last().unwrap_or_default();
    ensure!(line.starts_with("facilitator: "), "{answer:?}");
    for word in words {
        ensure!(line.contains(word), "no word of `{word}`: {line}");
    }
    Ok(())
}

fn all_in<'a>(states: &'a [&'a str], count: usize) -> impl Fn(&[RequestRow]) -> bool + 'a {
    move |rows| rows.len() == count && rows.iter().all(|row| states.contains(&row.state.as_str()))
}

/// Everybody is gone by SIGKILL.
async fn kill_all(daemon: Daemon) -> Result<()> {
    let children = daemon.kill().await?;
    ensure!(process::all_gone(&children, LIMIT).await, "children outlive their parent");
    Ok(())
}

/// State by request, as a report tells it.
fn told(report: &Value) -> BTreeMap<String, (String, bool)> {
    let rows = report["requests"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.map(|row| (text(&row["request_hash"]), (text(&row["state"]), row["ours"] == true))).collect()
}

/// Three stakes of each stage, from asked for to finished, survive the loss of everything but the config.
#[tokio::test]
async fn stakes_of_every_stage_are_found_again_and_finished_exactly_once() -> Result<()> {
    let world = World::new(quick(None)).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let daemon = operator.start().await?;
    // Finished.
    let anchoring = Anchoring::start(devnet, Policy::default());
    let finished = Stakers::new(devnet, 0, 2).await?;
    let mut stakes = finished.request_all(devnet, Pace::Natural).await?;
    operator.wait_requests(LIMIT, all_in(&["COMPLETE"], 2)).await?;
    drop(anchoring);
    // Accepted: no root comes any more.
    let accepted = Stakers::new(devnet, 10, 3).await?;
    stakes.extend(accepted.request_all(devnet, Pace::Natural).await?);
    operator.wait_requests(LIMIT, all_in(&["COMPLETE", "ACCEPTED"], 5)).await?;
    kill_all(daemon).await?;
    // Asked for while nobody runs.
    let asked = Stakers::new(devnet, 20, 3).await?;
    stakes.extend(asked.request_all(devnet, Pace::Natural).await?);
    devnet.origin.mine(2).await?;
    database::lose(&operator.config)?;

    let head = devnet.origin.head().await?;
    let spent = || verify::spent(&devnet.origin, &operator.origin_workers, 0);
    let before = spent().await?;
    let report = recovered(operator, &[]).await?;
    assert_eq!(
        (&report["rebuilt"], &report["found"], &report["ours"]),
        (&json!(true), &json!(8), &json!(5)),
        "{report:#}"
    );
    assert_eq!(report["states"], json!({"COMPLETE": 2, "ACCEPTED": 3, "REQUESTED": 3}), "{report:#}");
    devnet.origin.mine(1).await?;
    assert_eq!(spent().await?, before, "recover sent something");
    let read = report["scanned"]["3"].as_u64().context("not read")?;
    ensure!(read + 1 >= head, "read to {read} of {head}");
    let found = told(&report);
    for (index, stake) in stakes.iter().enumerate().skip(2) {
        let expected = if index < 5 { ("ACCEPTED".to_owned(), true) } else { ("REQUESTED".to_owned(), false) };
        assert_eq!(found.get(&stake.request_hash.to_string()), Some(&expected), "{report:#}");
    }
    // The list says the same, and another recovery finds a sound database.
    assert_eq!(operator.requests().await?.len(), 8);
    assert_eq!(recovered(operator, &[]).await?["rebuilt"], json!(false));

    let _anchoring = Anchoring::start(devnet, Policy::default());
    let daemon = operator.start().await?;
    let ledger = world.finish(&daemon, &stakes, LIMIT).await?;
    verify::one_proof_per_height(&ledger)?;
    operator.wait_requests(LIMIT, all_in(&["COMPLETE"], 8)).await?;
    operator.stop(daemon).await
}

/// Confirmed, and then with one leg done: the secret is public on the origin chain, the mint is still to come.
#[tokio::test]
async fn stakes_whose_secret_is_half_spent_are_finished() -> Result<()> {
    let world = World::new(WorldOptions { confirmations: 3, ..quick(Some(Policy::default())) }).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let stakers = Stakers::new(devnet, 0, 3).await?;
    let daemon = operator.start().await?;
    let stakes = stakers.request_all(devnet, Pace::Natural).await?;
    // All are confirmed, and from now on no transaction reaches the auxiliary chain.
    wait_for(devnet, Side::Auxiliary, stakes.len(), |event| matches!(event, Event::Confirmed { .. })).await?;
    let sends = |method: &String| method == "eth_sendRawTransaction";
    let refuse = move |request: &Request<'_>| {
        if request.methods.iter().any(sends) { Fault::Status(503) } else { Fault::None }
    };
    world.auxiliary_proxy.set_rule(refuse);
    wait_for(devnet, Side::Origin, stakes.len(), |event| matches!(event, Event::SourceProgressed { .. })).await?;
    kill_all(daemon).await?;
    database::lose(&operator.config)?;
    devnet.origin.mine(4).await?;

    let report = recovered(operator, &[]).await?;
    assert_eq!((&report["found"], &report["ours"]), (&json!(3), &json!(3)), "{report:#}");
    assert_eq!(report["states"], json!({"PROGRESS_STAKE": 3}), "{report:#}");
    for row in report["requests"].as_array().into_iter().flatten() {
        assert_eq!(row["next"], json!(["progress_target"]), "{row:#}");
    }
    world.auxiliary_proxy.set_rule(|_| Fault::None);
    let daemon = operator.start().await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    operator.wait_requests(LIMIT, all_in(&["COMPLETE"], 3)).await?;
    operator.stop(daemon).await
}

/// Waits until so many of the gateway's or cogateway's events are as wanted.
async fn wait_for(devnet: &Devnet, side: Side, count: usize, wanted: impl Fn(&Event) -> bool) -> Result<()> {
    let contract = match side {
        Side::Origin => devnet.contracts.origin.gateway,
        Side::Auxiliary => devnet.contracts.auxiliary.cogateway,
    };
    let start = Instant::now();
    loop {
        let logs = devnet.node(side).logs(&[contract], 0).await?;
        let events: Vec<Option<Event>> = logs.iter().map(events::read).collect::<Result<_>>()?;
        let found = events.iter().flatten().filter(|event| wanted(event)).count();
        if found >= count {
            return Ok(());
        }
        ensure!(start.elapsed() < LIMIT, "only {found} of {count} events");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_sound_database_is_left_as_it_is_to_the_last_byte() -> Result<()> {
    let world = World::new(quick(Some(Policy::default()))).await?;
    let operator = &world.operator;
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let daemon = operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    // While it runs.
    refused(&recover(operator, &[]).await?, 4, &["runs already", &daemon.pid.to_string(), "stop"])?;
    refused(&recover(operator, &["--set-aside"]).await?, 4, &["runs already"])?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    operator.wait_requests(LIMIT, all_in(&["COMPLETE"], 2)).await?;
    operator.stop(daemon).await?;

    let file = database::file(&operator.config);
    let before = fs::read(&file)?;
    let answer = recover(operator, &[]).await?;
    assert_eq!(answer.code, Some(0), "{answer:?}");
    ensure!(answer.stdout.contains("is sound: nothing was changed"), "{answer:?}");
    assert!(fs::read(&file)? == before, "the database was changed");

    // Told to, it begins anew and keeps the old one.
    let report = recovered(operator, &["--set-aside"]).await?;
    assert_eq!((&report["rebuilt"], &report["states"]), (&json!(true), &json!({"COMPLETE": 2})), "{report:#}");
    let aside = report["set_aside"].as_str().context("not set aside")?;
    assert!(fs::read(aside)? == before, "the kept database is another one");
    Ok(())
}

/// The database is deleted under a facilitator that goes on: a second one with its keys must not begin.
#[tokio::test]
async fn a_deleted_database_does_not_hide_who_runs() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let operator = Operator::init(&devnet, &InitOptions::direct(&devnet)).await?;
    let daemon = operator.start().await?;
    database::lose(&operator.config)?;
    let pid = daemon.pid.to_string();
    refused(&recover(&operator, &[]).await?, 4, &["runs already", &pid])?;
    refused(&operator.run(&["start", "--chain-id", "1406"]).await?, 4, &["runs already", &pid])?;
    ensure!(!database::file(&operator.config).exists(), "a second database was begun");
    kill_all(daemon).await?;
    // The keys are free again.
    let report = recovered(&operator, &[]).await?;
    assert_eq!((&report["rebuilt"], &report["found"]), (&json!(true), &json!(0)), "{report:#}");
    let daemon = operator.start().await?;
    operator.stop(daemon).await
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_and_only_when_told() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let operator = Operator::init(&devnet, &InitOptions::direct(&devnet)).await?;
    let daemon = operator.start().await?;
    operator.stop(daemon).await?;
    let file = database::file(&operator.config);
    let name = file.to_string_lossy().into_owned();
    fs::write(&file, b"this is a letter to my aunt, and no database at all")?;
    let before = fs::read(&file)?;
    refused(&recover(&operator, &[]).await?, 8, &[&name, "not a database", "recover --set-aside"])?;
    assert_eq!(fs::read(&file)?, before);
    let report = recovered(&operator, &["--set-aside"]).await?;
    assert_eq!(fs::read(report["set_aside"].as_str().context("not set aside")?)?, before);
    let daemon = operator.start().await?;
    operator.stop(daemon).await
}

#[tokio::test]
async fn what_is_refused_is_refused_before_a_file_is_touched() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let mut operator = Operator::init(&devnet, &InitOptions::direct(&devnet)).await?;
    let worker = operator.origin_workers.first().context("no worker")?.to_string();
    let variable = format!("MOSAIC_ADDRESS_PASSW_{worker}");
    operator.set_variable(&variable, "not it");
    refused(&recover(&operator, &[]).await?, 6, &[&worker])?;
    ensure_none(&operator)?;
    operator.set_variable(&variable, "origin password");

    let (origin, auxiliary) = (devnet.origin.url.clone(), devnet.auxiliary.url.clone());
    let rpc = |operator: &Operator, chain: &str, url: &str| {
        operator.edit_config(|config| config["chains"][chain]["rpc"] = json!([url]))
    };
    rpc(&operator, "3", "http://127.0.0.1:9")?;
    refused(&recover(&operator, &[]).await?, 7, &["origin chain", "127.0.0.1:9"])?;
    ensure_none(&operator)?;
    rpc(&operator, "3", &origin)?;
    rpc(&operator, "1406", &origin)?;
    refused(&recover(&operator, &[]).await?, 7, &["auxiliary chain", "serves chain 3", "chains.1406.rpc"])?;
    let json = operator.run(&[&RECOVER[..], &["--json"]].concat()).await?;
    let error: Value = serde_json::from_str(json.stderr.lines().last().unwrap_or_default())?;
    assert_eq!((json.code, &error["error"]["code"]), (Some(7), &json!(7)));
    ensure_none(&operator)?;
    rpc(&operator, "1406", &auxiliary)
}

fn ensure_none(operator: &Operator) -> Result<()> {
    ensure!(!database::file(&operator.config).exists(), "a database was made");
    Ok(())
}

/// Cut off while it reads, it goes on where it was; so does a start.
#[tokio::test]
async fn a_recovery_that_is_cut_off_is_gone_on_with() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions { mining: Mining::Auto, ..DevnetOptions::default() }).await?;
    let proxy = RpcProxy::start(&devnet.origin.url).await?;
    let init = InitOptions { origin_rpc: proxy.url.clone(), ..InitOptions::direct(&devnet) };
    let operator = Operator::init(&devnet, &init).await?;
    operator.quicken(0, Duration::from_millis(100))?;
    operator.set_on_chains("max_log_range", &json!(1))?;
    let stakers = Stakers::new(&devnet, 0, 3).await?;
    stakers.request_all(&devnet, Pace::Hurried).await?;
    devnet.origin.mine(400).await?;
    let mut cut_off = operator.begin(&RECOVER)?;
    database::wait_for(&operator.config, LIMIT).await?;
    // It registers first; then reading begins.
    let reading = async {
        while operator.status().await?["scanned"]["3"].is_null() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(LIMIT, reading).await??;
    let second = operator.run(&["start", "--chain-id", "1406"]).await?;
    refused(&second, 4, &["runs already"])?;
    cut_off.kill().await?;
    let read = operator.status().await?["scanned"]["3"].as_u64().context("not read")?;
    ensure!(read < 400, "it was over before it could be cut off");
    let report = recovered(&operator, &[]).await?;
    assert_eq!((&report["rebuilt"], &report["found"]), (&json!(true), &json!(3)), "{report:#}");
    assert_eq!(recovered(&operator, &[]).await?["rebuilt"], json!(false));
    Ok(())
}
