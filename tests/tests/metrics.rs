//! Metrics, health and the pages, of a real facilitator between two nodes.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    devnet::DevnetOptions,
    node::Pace,
    pages::{Metrics, Pages},
    stakers::Stakers,
    world::{World, WorldOptions},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, task::JoinHandle};

const LIMIT: Duration = Duration::from_secs(120);

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, ..WorldOptions::default() }
}

/// Waits until what is looked for is there.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        ensure!(start.elapsed() < LIMIT, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The names that `config/metrics.md` explains.
fn documented() -> Result<BTreeSet<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/metrics.md");
    let text = fs::read_to_string(file)?;
    let names = text.lines().filter_map(|line| line.strip_prefix("| `facilitator_")?.split('`').next());
    Ok(names.map(|name| format!("facilitator_{name}")).collect())
}

/// Gas by chain, as the ledger of the command line adds it up.
fn gas(ledger: &Json, chain: u64) -> String {
    let totals = ledger["totals"].as_array().cloned().unwrap_or_default();
    let own = |total: &&Json| total["asset"]["kind"] == "coin" && total["asset"]["chain_id"] == chain;
    totals.iter().find(own).and_then(|total| total["gas"].as_str()).unwrap_or("0").to_owned()
}

/// The sum of a metric over all gateways.
fn sum(metrics: &Metrics, name: &str, chain: u64) -> u128 {
    let own = |labels: &str| labels.contains(&format!("chain=\"{chain}\""));
    metrics.of(name).iter().filter(|(labels, _)| own(labels)).filter_map(|(_, value)| value.parse::<u128>().ok()).sum()
}

#[tokio::test]
async fn right_after_a_restart_metrics_and_pages_say_what_database_and_commands_say() -> Result<()> {
    let world = World::new(quick()).await?;
    let operator = &world.operator;
    let pages = Pages::configure(operator).await?;
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let daemon = operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    operator.wait_requests(LIMIT, |rows| rows.iter().all(|row| row.state == "COMPLETE")).await?;
    operator.stop(daemon).await?;
    ensure!(pages.get("/healthz").await.is_err(), "pages outlive the facilitator");

    let daemon = operator.start().await?;
    pages.wait(LIMIT).await?;
    let metrics = pages.metrics().await?;
    assert_eq!(metrics.get("facilitator_running")?, "1");
    assert_eq!(metrics.get("facilitator_requests{kind=\"stake\",state=\"COMPLETE\"}")?, "2");
    assert_eq!(metrics.get("facilitator_requests{kind=\"redeem\",state=\"COMPLETE\"}")?, "0");
    assert_eq!(metrics.get("facilitator_requests_completed{kind=\"stake\"}")?, "2");
    assert_eq!(metrics.get("facilitator_requests_unfinished{kind=\"stake\"}")?, "0");
    let took: f64 = metrics.get("facilitator_requests_completed_duration_seconds{kind=\"stake\"}")?.parse()?;
    assert!(took > 0.0, "two stakes took no time");
    let ledger = operator.ask(&["ledger", "--chain-id", "1406", "--json"]).await?;
    for chain in operator.chains {
        let told = sum(&metrics, "facilitator_ledger_gas_wei", chain);
        assert!(told > 0 && told.to_string() == gas(&ledger, chain), "chain {chain}: {told}\n{ledger:#}");
    }
    let rows = operator.requests().await?;
    let sent: usize = rows.iter().map(|row| row.transactions.len()).sum();
    let counted: u64 = metrics.of("facilitator_transactions").iter().filter_map(|(_, n)| n.parse::<u64>().ok()).sum();
    // An approval is of no request, and the proof may be of both.
    assert!(counted + 1 >= u64::try_from(sent)? && counted <= u64::try_from(sent)? + 2, "{counted} for {sent}");
    same_as_commands(&world, &pages).await?;
    manners(&pages).await?;
    senders_are_counted(&world, &pages).await?;

    // Every metric that is explained is exported, and none beside them.
    let documented = documented()?;
    until("all metrics", async || {
        let metrics = pages.metrics().await?;
        let names: BTreeSet<String> = metrics.names().into_iter().map(str::to_owned).collect();
        ensure!(names.is_subset(&documented), "not explained: {:?}", names.difference(&documented));
        Ok((names == documented).then_some(()))
    })
    .await?;
    until("ready", async || Ok((pages.get("/readyz").await?.status == 200).then_some(()))).await?;
    operator.stop(daemon).await
}

/// Scanners alone would leave out what is sent and looked up by the senders.
async fn senders_are_counted(world: &World, pages: &Pages) -> Result<()> {
    for chain in world.operator.chains {
        until("calls of both roles", async || {
            let metrics = pages.metrics().await?;
            let calls = metrics.of("facilitator_endpoint_calls_total");
            let counts = |role: &str| {
                let own = |(labels, value): &(&str, &str)| {
                    labels.contains(&format!("chain=\"{chain}\"")) && labels.contains(role) && *value != "0"
                };
                calls.iter().any(own)
            };
            Ok((counts("role=\"scanner\"") && counts("role=\"sender\"")).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// Pages and commands of the same words.
async fn same_as_commands(world: &World, pages: &Pages) -> Result<()> {
    let operator = &world.operator;
    let (page, command) = (pages.json("/status").await?, operator.status().await?);
    for field in ["chain_id", "origin_chain_id", "pid", "instance", "started_at", "queue", "unfinished"] {
        assert_eq!(page[field], command[field], "{field}");
    }
    let keys = |status: &Json| status.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
    assert_eq!(keys(&page), keys(&command));
    let mut listed = operator.ask(&["requests", "list", "--chain-id", "1406", "--json"]).await?;
    listed.as_array_mut().context("no list")?.reverse();
    assert_eq!(pages.json("/requests").await?, listed);
    assert_eq!(pages.json("/requests?state=unfinished").await?, json!([]));
    let hash = listed[0]["request_hash"].as_str().context("no hash")?;
    let shown = operator.ask(&["requests", "show", "--chain-id", "1406", "--json", hash]).await?;
    assert_eq!(pages.json(&format!("/requests/{hash}")).await?, shown);
    let ledger = operator.ask(&["ledger", "--chain-id", "1406", "--json", "--period", "month"]).await?;
    assert_eq!(pages.json("/ledger?period=month").await?["lines"], ledger["lines"]);
    let activity = pages.json("/activity").await?;
    assert_eq!(activity[0]["state"], "COMPLETE", "{activity:#}");
    let workers = operator.origin_workers.len() + operator.auxiliary_workers.len();
    let signed = |key: &Json| key["signed"].as_u64().is_some_and(|signed| signed > 0);
    let keys = pages.json("/keys").await?;
    assert!(keys.as_array().is_some_and(|keys| keys.len() == workers && keys.iter().all(signed)), "{keys:#}");
    Ok(())
}

/// What the pages are asked that they must refuse, and how the status page protects itself.
async fn manners(pages: &Pages) -> Result<()> {
    let own = pages.address.to_string();
    for (method, path, host, status) in [
        ("GET", "/nowhere", own.as_str(), 404),
        ("GET", "/requests/0x12345678", &own, 404),
        ("GET", "/requests/0x12", &own, 400),
        ("GET", "/requests?state=DONE", &own, 400),
        ("GET", "/../etc/passwd", &own, 404),
        ("POST", "/status", &own, 405),
        ("GET", "/status", "rebound.example", 421),
        ("HEAD", "/status", "localhost", 200),
    ] {
        let reply = pages.ask(method, path, host).await?;
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
        assert_eq!(reply.body.is_empty(), method == "HEAD");
    }
    let page = pages.get("/").await?;
    assert!(page.status == 200 && page.head.contains("text/html"), "{}", page.head);
    for part in ["default-src 'none'", "script-src 'sha256-", "style-src 'sha256-", "frame-ancestors 'none'"] {
        assert!(page.head.contains(part), "{part}: {}", page.head);
    }
    assert!(!page.head.contains("unsafe"), "{}", page.head);
    Ok(())
}

/// An endpoint that counts who comes, and says nothing.
struct Unheard {
    url: String,
    count: Arc<AtomicUsize>,
    waiting: JoinHandle<()>,
}

impl Unheard {
    async fn listen() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let waiting = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok(connection) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                held.push(connection);
            }
        });
        Ok(Self { url, count, waiting })
    }

    fn connections(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        self.waiting.abort();
    }
}

#[tokio::test]
async fn with_every_endpoint_down_status_names_the_oldest_request_its_reason_and_what_happens_next() -> Result<()> {
    let world = World::new(WorldOptions { anchoring: None, ..quick() }).await?;
    let operator = &world.operator;
    let pages = Pages::configure(operator).await?;
    for (key, ms) in [("rpc_timeout_ms", 500), ("connection_timeout_ms", 3_000), ("cycle_interval_ms", 1_000)] {
        operator.set_on_chains(key, &json!(ms))?;
    }
    let daemon = operator.start().await?;
    Stakers::new(&world.devnet, 0, 1).await?.request_all(&world.devnet, Pace::Natural).await?;
    let waits = |rows: &[facilitator_tests::operator::RequestRow]| {
        rows.iter().any(|row| row.state == "ACCEPTED" && row.waiting_for.is_some())
    };
    let rows = operator.wait_requests(LIMIT, waits).await?;
    // The nodes take every connection and never answer: whoever asks them waits for ever.
    world.origin_proxy.set_stalling(true);
    world.auxiliary_proxy.set_stalling(true);
    until("trouble with the nodes", async || {
        let status = operator.status().await?;
        let blocked = !status["standing"]["synchronization"].is_null();
        Ok(blocked.then_some(()))
    })
    .await?;
    // Whoever looks asks no node at all, so that no node can keep it from answering: the process that serves the pages is
    // told of none, and the commands find other endpoints here, which nobody ever speaks to.
    let unheard = Unheard::listen().await?;
    operator.set_on_chains("rpc", &json!([unheard.url]))?;
    let page = pages.json("/status").await?;
    let command = operator.status().await?;
    for status in [page, command] {
        let oldest = &status["oldest_unfinished"];
        assert_eq!(oldest["request_hash"], rows[0].request_hash.as_str(), "{status:#}");
        assert_eq!(oldest["state"], "ACCEPTED");
        assert!(oldest["age_s"].as_i64().is_some_and(|age| age >= 0), "{oldest}");
        assert!(oldest["waiting_for"].as_str().is_some_and(|reason| reason.contains("state root")), "{oldest}");
        let next = oldest["next"].as_str().unwrap_or_default();
        assert!(next.contains("not before this is over: synchronization"), "{oldest}");
    }
    let words = operator.run(&["status", "--chain-id", "1406"]).await?;
    assert!(words.stdout.contains("not before this is over"), "{}", words.stdout);
    for command in [&["requests", "list", "--chain-id", "1406"][..], &["connections", "--chain-id", "1406"]] {
        let words = operator.run(command).await?;
        assert_eq!(words.code, Some(0), "{words:?}");
    }
    assert_eq!(unheard.connections(), 0, "a command that only looks asked a node");
    let metrics = pages.metrics().await?;
    assert_eq!(metrics.get("facilitator_work_blocked{reason=\"synchronization\"}")?, "1");
    assert_eq!(metrics.get("facilitator_ready")?, "0");
    let age: f64 = metrics.get("facilitator_oldest_unfinished_age_seconds{kind=\"stake\"}")?.parse()?;
    assert!(age > 0.0);
    assert_eq!(pages.get("/healthz").await?.status, 200, "it lives, it only waits");
    let ready = pages.get("/readyz").await?;
    assert!(ready.status == 503 && ready.body.contains("synchronization"), "{ready:?}");
    drop(daemon);
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_or_a_death_of_the_metrics_process_stops_nobody() -> Result<()> {
    let world = World::new(quick()).await?;
    let operator = &world.operator;
    let pages = Pages::configure(operator).await?;
    let holder = TcpListener::bind(pages.address).await?;
    let daemon = operator.start().await?;
    let child = async || {
        let status = operator.status().await?;
        let children = status["standing"]["children"].as_array().cloned().unwrap_or_default();
        anyhow::Ok(children.into_iter().find(|child| child["role"] == "metrics").unwrap_or_default())
    };
    until("trouble", async || {
        let trouble = child().await?["trouble"].as_str().unwrap_or_default().to_owned();
        Ok(trouble.contains("metrics.listen").then_some(()))
    })
    .await?;
    drop(holder);
    pages.wait(LIMIT).await?;
    let stakes = Stakers::new(&world.devnet, 0, 1).await?.request_all(&world.devnet, Pace::Natural).await?;
    for _ in 0..2 {
        let pids = daemon.in_role("metrics");
        let [pid] = pids[..] else { anyhow::bail!("{pids:?} serve metrics: {}", daemon.log_tail()) };
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGKILL)?;
        until("another one", async || {
            Ok((!daemon.in_role("metrics").is_empty() && daemon.in_role("metrics") != [pid]).then_some(()))
        })
        .await?;
        pages.wait(LIMIT).await?;
    }
    world.finish(&daemon, &stakes, LIMIT).await?;
    until("two restarts", async || Ok((child().await?["restarts"].as_u64() >= Some(2)).then_some(()))).await?;
    operator.stop(daemon).await
}

#[tokio::test]
async fn doctor_warns_of_metrics_for_everybody() -> Result<()> {
    let world = World::new(quick()).await?;
    for (listen, grade) in [(json!(9184), "ok       metrics"), (json!("0.0.0.0:9184"), "warning  metrics")] {
        world.operator.edit_config(|config| config["metrics"] = json!({ "listen": listen }))?;
        let doctor = world.operator.doctor().await?;
        assert!(doctor.stdout.contains(grade), "{listen}: {}", doctor.stdout);
    }
    Ok(())
}
