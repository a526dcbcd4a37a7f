//! The commands around a running facilitator, by the letter of the interface: fields, exit codes, words.

use anyhow::{Context as _, Result, ensure};
use facilitator_eth::U256;
use facilitator_tests::{
    anvil::Mining,
    daemon::Daemon,
    devnet::{Devnet, DevnetOptions, Funds},
    node::Pace,
    operator::{InitOptions, Operator, RequestRow},
    process,
    rpc_proxy::Fault,
    stakers::{Ask, Stakers},
    verify::{self, Ledger},
    world::{World, WorldOptions},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{fs, time::Duration};

const LIMIT: Duration = Duration::from_secs(120);

/// What `requests list --json` names at least.
const REQUEST: [&str; 19] = [
    "kind",
    "request_hash",
    "message_hash",
    "state",
    "origin_chain_id",
    "auxiliary_chain_id",
    "gateway_address",
    "sender",
    "sender_proxy",
    "beneficiary",
    "amount",
    "hash_lock",
    "origin_worker_address",
    "auxiliary_worker_address",
    "pid",
    "waiting_for",
    "last_error",
    "created_at",
    "updated_at",
];
const TRANSACTION: [&str; 7] = ["step", "chain_id", "hash", "nonce", "status", "block_number", "gas_used"];

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, ..WorldOptions::default() }
}

/// A facilitator in the background, ended with the test.
struct Background(u32);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.0).ok().filter(|_| process::alive(self.0)) {
            // It has ended meanwhile, or it is ended now.
            let _ended = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

async fn detach(operator: &Operator) -> Result<Background> {
    let ready = operator.ask(&["start", "--chain-id", "1406", "--detach", "--json"]).await?;
    assert_eq!((&ready["ready"], &ready["chain_id"]), (&json!(true), &json!(1406)), "{ready}");
    let pid = ready["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).context("no pid")?;
    ensure!(process::alive(pid), "it does not live: {ready}");
    Ok(Background(pid))
}

#[tokio::test]
async fn what_one_facilitator_began_the_next_one_finishes_in_the_background() -> Result<()> {
    let world = World::new(quick()).await?;
    let operator = &world.operator;
    let stakers = Stakers::new(&world.devnet, 0, 5).await?;
    let daemon = operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let log = daemon.log().to_owned();
    operator.stop(daemon).await?;
    // A stop is no fault of anybody, and how much memory may be locked is the machine's affair.
    let log = fs::read_to_string(log)?;
    let complains = |line: &&str| line.contains("WARN") || line.contains("ERROR");
    let about_swap = |line: &&str| line.contains("keys may be swapped out");
    let warned: Vec<&str> = log.lines().filter(complains).filter(|line| !about_swap(line)).collect();
    assert!(warned.is_empty(), "{warned:#?}");
    assert_eq!(operator.ask(&["list", "--json"]).await?, json!([]));
    let status = operator.status().await?;
    assert_eq!((&status["status"], &status["pid"]), (&json!("stopped"), &Value::Null), "{status:#}");

    let background = detach(operator).await?;
    let listed = operator.ask(&["list", "--json"]).await?;
    let one = listed[0].as_object().context("nothing listed")?;
    let mut fields: Vec<&str> = one.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["chain_id", "config", "instance", "origin_chain_id", "pid", "started_at", "status"]);
    assert_eq!((&one["chain_id"], &one["origin_chain_id"]), (&json!(1406), &json!(3)));
    assert_eq!((&one["pid"], &one["config"]), (&json!(background.0), &json!(operator.config)));
    let status = operator.status().await?;
    assert_eq!((&status["pid"], &status["chain_id"]), (&json!(background.0), &json!(1406)), "{status:#}");
    let again = operator.run(&["start", "--chain-id", "1406", "--detach"]).await?;
    assert_eq!(again.code, Some(4), "{again:?}");
    assert!(again.stderr.contains(&background.0.to_string()), "does not tell who runs: {}", again.stderr);

    verify::wait_finished(&world.devnet, &stakes, LIMIT).await?;
    verify::finished(&world.devnet, &stakes).await?;
    let stopped = operator.ask(&["stop", "--chain-id", "1406", "--json"]).await?;
    assert_eq!(stopped, json!([{ "chain_id": 1406, "pid": background.0 }]));
    ensure!(!process::alive(background.0), "it outlived its stop");
    assert_eq!(operator.ask(&["list", "--json"]).await?, json!([]));
    Ok(())
}

/// Nodes may be away for days: whoever typed the command learns where to look meanwhile.
#[tokio::test]
async fn a_start_in_the_background_that_waits_says_where_the_reason_stands() -> Result<()> {
    let world = World::new(quick()).await?;
    world.auxiliary_proxy.set_rule(|_| Fault::Drop);
    let start = ["start", "--chain-id", "1406", "--detach"];
    let heal = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        world.auxiliary_proxy.set_rule(|_| Fault::None);
    };
    let (answer, ()) = tokio::join!(world.operator.run(&start), heal);
    let answer = answer?;
    let pid = answer.stdout.trim().strip_prefix("ready: chain 1406, pid ").context("not ready")?;
    let _background = Background(pid.parse()?);
    for words in ["not ready yet", "facilitator status --chain-id 1406", "facilitator.log"] {
        ensure!(answer.stderr.contains(words), "never {words}: {}", answer.stderr);
    }
    world.operator.ask(&["stop", "--chain-id", "1406", "--json"]).await.map(drop)
}

/// One line for people, one object for scripts, and the exit code either way.
async fn refused(operator: &Operator, arguments: &[&str], code: i32) -> Result<()> {
    let answer = operator.run(arguments).await?;
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(code), ""), "{answer:?}");
    assert_eq!(answer.stderr.lines().count(), 1, "{}", answer.stderr);
    let answer = operator.run(&[arguments, &["--json"]].concat()).await?;
    assert_eq!(answer.code, Some(code), "{answer:?}");
    let error: Value = serde_json::from_str(&answer.stderr).with_context(|| answer.stderr.clone())?;
    assert_eq!(error["error"]["code"], code, "{error}");
    assert!(error["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    assert!(error["error"].get("path").is_some(), "{error}");
    Ok(())
}

#[tokio::test]
async fn where_nobody_runs_there_is_nothing_to_stop() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let operator = Operator::init(&devnet, &InitOptions::direct(&devnet)).await?;
    let stop = ["stop", "--chain-id", "1406"];
    refused(&operator, &stop, 5).await?;
    refused(&operator, &["stop", "--all"], 5).await?;
    // One that could not say good-bye is not taken for a running one.
    let daemon = operator.start().await?;
    daemon.kill().await?;
    refused(&operator, &stop, 5).await?;
    assert_eq!(operator.ask(&["list", "--json"]).await?, json!([]));
    let daemon = operator.start().await?;
    operator.stop(daemon).await?;
    refused(&operator, &stop, 5).await
}

#[tokio::test]
async fn completions_name_every_command_and_no_hidden_role() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let operator = Operator::bare(&devnet)?;
    for shell in ["bash", "zsh", "fish"] {
        let answer = operator.run(&["completions", shell]).await?;
        assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{shell}");
        for word in [
            "init",
            "start",
            "stop",
            "list",
            "status",
            "requests",
            "doctor",
            "connections",
            "scanner",
            "completions",
            "--chain-id",
        ] {
            let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
            assert!(answer.stdout.contains(word), "{shell}: no {word}");
        }
        assert!(!answer.stdout.contains("__role"), "{shell}: shows a hidden role");
    }
    assert_eq!(operator.run(&["completions", "tcl"]).await?.code, Some(2));
    Ok(())
}

fn all_in(state: &'static str) -> impl Fn(&[RequestRow]) -> bool {
    move |requests| !requests.is_empty() && requests.iter().all(|request| request.state == state)
}

#[track_caller]
fn has_fields(object: &Value, fields: &[&str]) {
    for field in fields {
        assert!(object.get(field).is_some(), "no `{field}`: {object:#}");
    }
}

#[tokio::test]
async fn a_request_is_told_by_the_letter_of_the_interface() -> Result<()> {
    let world = World::new(quick()).await?;
    let operator = &world.operator;
    operator.edit_config(|config| config["min_gas_price"] = json!("1000"))?;
    let stakers = Stakers::new(&world.devnet, 0, 1).await?;
    let ask = Ask { gas_price: U256::from(999u64), ..stakers.ask(&world.devnet, 0) };
    let daemon = operator.start().await?;
    let stakes = stakers.request(&world.devnet, &[(0, ask)], Pace::Natural).await?;
    operator.wait_requests(LIMIT, all_in("SKIPPED")).await?;
    let skipped = listed(operator, "SKIPPED").await?;
    has_fields(&skipped, &REQUEST);
    has_fields(&skipped, &["transactions"]);
    for field in ["message_hash", "hash_lock", "origin_worker_address", "auxiliary_worker_address", "pid"] {
        assert_eq!(skipped[field], Value::Null, "{field}");
    }
    assert_eq!(skipped["transactions"], json!([]));
    assert!(skipped["last_error"].as_str().is_some_and(|text| text.contains("unprofitable")), "{skipped:#}");
    operator.stop(daemon).await?;

    // The operator changes the terms and lets it be judged again.
    operator.edit_config(|config| config["min_gas_price"] = json!("1"))?;
    let daemon = operator.start().await?;
    let hash = stakes[0].request_hash.to_string();
    let retried = operator.ask(&["requests", "retry", "--chain-id", "1406", "--json", &hash]).await?;
    assert_eq!(retried, json!([{ "request_hash": hash, "state": "SKIPPED", "retried": true }]));
    let ledger = world.finish(&daemon, &stakes, LIMIT).await?;
    operator.wait_requests(LIMIT, all_in("COMPLETE")).await?;
    let complete = listed(operator, "complete").await?;
    is_complete(operator, &complete, &stakes[0], &ledger)?;
    is_shown(operator, &complete).await?;
    // What has ended well is not tried again.
    let retry = operator.run(&["requests", "retry", "--chain-id", "1406", "--json", &hash]).await?;
    assert_eq!(retry.code, Some(1), "{retry:?}");
    assert_eq!(retry.json()?[0]["retried"], false);
    refused(operator, &["requests", "show", "--chain-id", "1406", &"ab".repeat(32)], 1).await?;
    refused(operator, &["requests", "show", "--chain-id", "1406", "0x12"], 2).await?;
    refused(operator, &["requests", "list", "--chain-id", "1406", "--state", "DONE"], 2).await?;
    operator.stop(daemon).await
}

/// The one request in a state.
async fn listed(operator: &Operator, state: &str) -> Result<Value> {
    let told = operator.ask(&["requests", "list", "--chain-id", "1406", "--json", "--state", state]).await?;
    let none = operator.ask(&["requests", "list", "--chain-id", "1406", "--json", "--state", "UNKNOWN"]).await?;
    assert_eq!((told.as_array().map(Vec::len), none), (Some(1), json!([])), "{told:#}");
    Ok(told[0].clone())
}

fn is_complete(
    operator: &Operator,
    told: &Value,
    stake: &facilitator_tests::stakers::Stake,
    ledger: &Ledger,
) -> Result<()> {
    has_fields(told, &REQUEST);
    let (message, _) = ledger.life(stake).context("not declared")?;
    for (field, expected) in [
        ("kind", "stake".to_owned()),
        ("state", "COMPLETE".to_owned()),
        ("request_hash", stake.request_hash.to_string()),
        ("message_hash", message.to_string()),
        ("gateway_address", stake.ask.gateway.to_string()),
        ("sender", stake.sender.to_string()),
        ("sender_proxy", stake.proxy.to_string()),
        ("beneficiary", stake.ask.beneficiary.to_string()),
        ("amount", stake.ask.amount.to_string()),
        ("origin_worker_address", operator.origin_workers[0].to_string()),
        ("auxiliary_worker_address", operator.auxiliary_workers[0].to_string()),
    ] {
        assert_eq!(told[field], expected, "{field}");
    }
    assert_eq!((&told["origin_chain_id"], &told["auxiliary_chain_id"]), (&json!(3), &json!(1406)));
    assert_eq!((&told["pid"], &told["waiting_for"]), (&Value::Null, &Value::Null));
    assert!(told["hash_lock"].as_str().is_some_and(|lock| lock.len() == 66), "{told:#}");
    let transactions = told["transactions"].as_array().context("no transactions")?;
    for step in ["accept", "prove_gateway", "confirm", "progress_source", "progress_target"] {
        let found = transactions.iter().find(|one| one["step"] == step);
        let found = found.with_context(|| format!("no {step}: {told:#}"))?;
        has_fields(found, &TRANSACTION);
        for number in ["chain_id", "nonce", "block_number", "gas_used"] {
            assert!(found[number].is_u64(), "{number} of {found:#}");
        }
        let chain = if matches!(step, "accept" | "progress_source") { 3 } else { 1406 };
        assert_eq!(found["chain_id"], chain, "{step}");
        assert!(found["hash"].as_str().is_some_and(|hash| hash.len() == 66), "{found:#}");
    }
    Ok(())
}

/// `show` tells what `list` tells, the life of the request and its money, by any of its names.
async fn is_shown(operator: &Operator, listed: &Value) -> Result<()> {
    let (request, message) = (listed["request_hash"].as_str(), listed["message_hash"].as_str());
    let (request, message) = (request.context("no hash")?, message.context("no message")?);
    for name in [request, message, &request[..12], request.trim_start_matches("0x")] {
        let mut shown = operator.ask(&["requests", "show", "--chain-id", "1406", "--json", name]).await?;
        let fields = shown.as_object_mut().context("no object")?;
        let (log, ledger) = (fields.remove("log").context("no log")?, fields.remove("ledger").context("no ledger")?);
        has_fields(&ledger, &["lines", "totals", "taken", "incomplete"]);
        assert_eq!(&shown, listed, "by {name}");
        let lines = log.as_array().context("no lines")?;
        assert!(lines.len() > 3, "{log:#}");
        lines.iter().for_each(|line| has_fields(line, &["at", "state", "text"]));
    }
    let text = operator.run(&["requests", "show", "--chain-id", "1406", request]).await?;
    assert_eq!(text.code, Some(0));
    assert!(text.stdout.contains("is COMPLETE") && text.stdout.contains("progress_target"), "{}", text.stdout);
    Ok(())
}

async fn waits(operator: &Operator) -> Result<Vec<RequestRow>> {
    let waits = |requests: &[RequestRow]| requests.iter().any(|one| one.waiting_for.is_some());
    operator.wait_requests(LIMIT, waits).await
}

#[tokio::test]
async fn a_request_that_its_staker_takes_back_before_the_accept_ends_revoked() -> Result<()> {
    let funds = Funds { coin: U256::ZERO, ..Funds::default() };
    let world = World::new(WorldOptions { funds, ..quick() }).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let stakers = Stakers::new(devnet, 0, 1).await?;
    let daemon: Daemon = operator.start().await?;
    let stakes = stakers.request_all(devnet, Pace::Natural).await?;
    // Without funds for its worker it waits.
    let requests = waits(operator).await?;
    assert_eq!(requests[0].state, "REQUESTED", "{requests:#?}");
    stakers.revoke(devnet, 0, &stakes[0], Pace::Natural).await?;
    let requests = operator.wait_requests(LIMIT, all_in("REVOKED")).await?;
    assert_eq!(requests[0].waiting_for, None, "{requests:#?}");
    assert!(Ledger::read(devnet).await?.lives.is_empty(), "nothing may be declared");
    let status = operator.status().await?;
    assert_eq!((&status["unfinished"], &status["oldest_unfinished"]), (&json!(0), &Value::Null), "{status:#}");
    operator.stop(daemon).await
}
