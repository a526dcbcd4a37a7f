//! The whole product on a database server: stakes, deaths on either side, loss, and the way from a file and back.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    books::Books,
    daemon::Daemon,
    devnet::DevnetOptions,
    node::Pace,
    operator::RequestRow,
    pages::Pages,
    postgres::Postgres,
    requesters::{Request, Requesters},
    stakers::Stakers,
    verify,
    world::{Database, World, WorldOptions},
};
use nix::sys::signal::Signal;
use serde_json::json;
use std::{
    fs,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(120);

fn options() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, database: Database::Postgres, ..WorldOptions::default() }
}

fn all_in<'a>(state: &'a str, count: usize) -> impl Fn(&[RequestRow]) -> bool + 'a {
    move |rows| rows.len() == count && rows.iter().all(|row| row.state == state)
}

fn server(world: &World) -> Result<&Postgres> {
    world.postgres.as_ref().context("the world has no server")
}

/// `count` stakes and as many redeems, and the books as they were before.
async fn ask_both_ways(world: &World, count: usize) -> Result<(Books, Vec<Request>)> {
    let devnet = &world.devnet;
    let (stakers, redeemers) =
        (Requesters::new(devnet, 0, count).await?, Requesters::redeemers(devnet, 0, count).await?);
    let books = Books::read(devnet, &world.operator).await?;
    let (stakes, redeems) =
        tokio::try_join!(stakers.request_all(devnet, Pace::Natural), redeemers.request_all(devnet, Pace::Natural))?;
    Ok((books, [stakes, redeems].concat()))
}

/// Neither the arguments of a daemon and its children hold the password, nor the environment of its children, nor what
/// they all have logged.
fn password_stays_hidden(daemon: &Daemon, password: &str) -> Result<()> {
    let children = daemon.children();
    ensure!(!children.is_empty(), "it has no children");
    let read = |pid: u32, what: &str| {
        // Workers come and go.
        String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default()).into_owned()
    };
    ensure!(!read(daemon.pid, "cmdline").contains(password), "in the arguments of the daemon");
    for child in children {
        let arguments = read(child, "cmdline");
        ensure!(!arguments.contains(password), "{arguments}");
        ensure!(!read(child, "environ").contains(password), "in the environment of {arguments}");
    }
    let log = fs::read_to_string(daemon.log())?;
    let at = log.find(password).map(|at| &log[at.saturating_sub(200)..at]);
    ensure!(at.is_none(), "in the log: {at:?}");
    Ok(())
}

#[tokio::test]
async fn a_stake_and_a_redeem_end_exact_to_the_wei_and_the_password_stays_hidden() -> Result<()> {
    let world = World::new(options()).await?;
    let (operator, chain) = (&world.operator, world.operator.chains[1].to_string());
    let postgres = server(&world)?;
    operator.edit_config(|config| config["log_level"] = json!("trace"))?;
    let doctor = operator.run(&["doctor", "--chain-id", &chain]).await?;
    ensure!(doctor.stdout.contains("its tables are created by the first start"), "{doctor:?}");
    let daemon = operator.start().await?;
    let (books, requests) = ask_both_ways(&world, 1).await?;
    world.finish_exactly(&daemon, &requests, &books, LIMIT).await?;
    world.nothing_reverted().await?;
    password_stays_hidden(&daemon, postgres.password()?)?;
    let listed = operator.run(&["list", "--json"]).await?.json()?;
    ensure!(listed[0]["status"] == "active", "{listed}");
    let mut said = String::new();
    for command in [
        &["doctor", "--chain-id", &chain][..],
        &["status", "--chain-id", &chain],
        &["ledger", "--chain-id", &chain],
        &["db", "check", "--chain-id", &chain],
        &["recover", "--set-aside", "--chain-id", &chain],
        &["db", "copy", "--chain-id", &chain, "--to", "/tmp/never.db"],
    ] {
        let answer = operator.run(command).await?;
        said.push_str(&format!("{command:?}: {answer:?}\n"));
    }
    ensure!(!said.contains(postgres.password()?), "{said}");
    for wanted in ["is sound: schema version", "RENAME", "runs already", "can be read; the facilitator with pid"] {
        ensure!(said.contains(wanted), "{wanted}: {said}");
    }
    operator.stop(daemon).await
}

#[tokio::test]
async fn ten_stakes_outlive_a_server_that_ends_and_begins_again() -> Result<()> {
    let world = World::new(WorldOptions { workers: 2, ..options() }).await?;
    let stakers = Stakers::new(&world.devnet, 0, 10).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    for pause in [0, 300, 2_500] {
        tokio::time::sleep(Duration::from_millis(700)).await;
        server(&world)?.stop()?;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        server(&world)?.resume()?;
    }
    let ledger = world.finish(&daemon, &stakes, LIMIT).await?;
    verify::one_proof_per_height(&ledger)?;
    world.operator.wait_requests(LIMIT, all_in("COMPLETE", 10)).await?;
    world.operator.stop(daemon).await
}

/// Whoever looks for journal and ledger finds them locked; whoever wants to know whether it lives does not wait for that.
#[tokio::test]
async fn a_history_that_can_not_be_looked_through_keeps_nobody_from_the_rest() -> Result<()> {
    let world = World::new(options()).await?;
    let pages = Pages::configure(&world.operator).await?;
    let daemon = world.operator.start().await?;
    pages.wait(LIMIT).await?;
    let figures = "facilitator_figures_age_seconds";
    // Until it is ended below.
    let postgres = server(&world)?;
    let mut holding =
        postgres.begin("BEGIN; LOCK TABLE gateway_assets IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)")?;
    let looked = look_while_locked(&pages).await;
    let others = "query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()";
    postgres.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))?;
    holding.wait()?;
    looked?;
    let start = Instant::now();
    while !pages.get("/metrics").await?.body.contains(figures) {
        ensure!(start.elapsed() < LIMIT, "never looked through again");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    ensure!(pages.get("/ledger").await?.status == 200, "no ledger");
    world.operator.stop(daemon).await
}

/// Asks until a ledger is refused, since the lock has come, and sees that the rest is told then.
async fn look_while_locked(pages: &Pages) -> Result<()> {
    let start = Instant::now();
    while pages.get("/ledger").await?.status == 200 {
        ensure!(start.elapsed() < LIMIT, "the ledger is never refused");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for _ in 0..3 {
        ensure!(pages.get("/healthz").await?.status == 200, "it lives all the same");
        ensure!(pages.get("/status").await?.status == 200, "no status");
        let metrics = pages.get("/metrics").await?;
        ensure!(metrics.status == 200 && metrics.body.contains("\nfacilitator_running 1\n"), "{metrics:?}");
    }
    Ok(())
}

/// The password is in the environment alone here.
#[tokio::test]
async fn requests_outlive_deaths_of_the_facilitator_and_the_loss_of_the_database() -> Result<()> {
    let mut world = World::new(WorldOptions { anchoring: None, ..options() }).await?;
    let password = server(&world)?.password()?.to_owned();
    world.operator.set_variable("PGPASSWORD", &password);
    world.operator.edit_config(|config| {
        let _moved = config["db"].as_object_mut().and_then(|db| db.remove("password"));
    })?;
    let daemon = world.operator.start().await?;
    let (books, requests) = ask_both_ways(&world, 2).await?;
    let daemon = world.kill_and_start(daemon).await?;
    world.operator.wait_requests(LIMIT, all_in("ACCEPTED", 4)).await?;
    password_stays_hidden(&daemon, &password)?;
    world.operator.stop(daemon).await?;

    server(&world)?.lose()?;
    let chain = world.operator.chains[1].to_string();
    let told = world.operator.run(&["recover", "--chain-id", &chain, "--json"]).await?;
    ensure!(told.code == Some(0), "{told:?}");
    let daemon = world.operator.start().await?;
    world.operator.wait_requests(LIMIT, all_in("ACCEPTED", 4)).await?;
    let _anchoring = Anchoring::start(&world.devnet, Policy::default());
    world.finish_exactly(&daemon, &requests, &books, LIMIT).await?;
    world.operator.stop(daemon).await
}

/// With requests half done; nothing is lost or done twice on the way.
#[tokio::test]
async fn an_operator_moves_from_a_file_to_a_server_and_back() -> Result<()> {
    let world = World::new(WorldOptions { anchoring: None, database: Database::Sqlite, ..options() }).await?;
    let postgres = Postgres::start()?;
    let operator = &world.operator;
    let chain = operator.chains[1].to_string();
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let daemon = operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    operator.wait_requests(LIMIT, all_in("ACCEPTED", 2)).await?;
    let url = postgres.shown_url()?.replace('@', &format!(":{}@", postgres.password()?));
    let copy = ["db", "copy", "--chain-id", &chain, "--to", &url];
    let refused = operator.run(&copy).await?;
    ensure!(refused.code == Some(4), "{refused:?}");
    operator.stop(daemon).await?;

    let told = operator.run(&copy).await?;
    ensure!(told.code == Some(0) && told.stdout.contains("requests "), "{told:?}");
    ensure!(told.stdout.contains(&postgres.shown_url()?) && !told.stdout.contains(postgres.password()?), "{told:?}");
    let again = operator.run(&copy).await?;
    ensure!(again.code == Some(8) && again.stderr.contains("not empty"), "{again:?}");
    operator.edit_config(|config| config["db"] = postgres.config().unwrap_or_default())?;
    let checked = operator.run(&["db", "check", "--chain-id", &chain, "--json"]).await?;
    ensure!(checked.json()?["requests"] == 2, "{checked:?}");
    let daemon = operator.start().await?;
    let _anchoring = Anchoring::start(&world.devnet, Policy::default());
    world.finish(&daemon, &stakes, LIMIT).await?;
    operator.wait_requests(LIMIT, all_in("COMPLETE", 2)).await?;
    operator.stop(daemon).await?;

    let file = operator.home().join("back.db");
    let told = operator.run(&["db", "copy", "--chain-id", &chain, "--to", &file.to_string_lossy()]).await?;
    ensure!(told.code == Some(0), "{told:?}");
    operator.edit_config(|config| config["db"] = json!({ "db_path": file }))?;
    let migrated = operator.run(&["db", "migrate", "--chain-id", &chain, "--json"]).await?;
    ensure!(migrated.code == Some(0) && migrated.json()?["version"].is_u64(), "{migrated:?}");
    let daemon = operator.start().await?;
    let rows = operator.wait_requests(LIMIT, all_in("COMPLETE", 2)).await?;
    ensure!(rows.iter().all(|row| !row.transactions.is_empty()), "{rows:?}");
    operator.stop(daemon).await
}

/// Nobody can be told of the stop; a service manager would take another code for a failure, and start it again.
#[tokio::test]
async fn a_stop_while_the_server_is_away_is_an_orderly_one() -> Result<()> {
    let world = World::new(WorldOptions { anchoring: None, ..options() }).await?;
    let daemon = world.operator.start().await?;
    server(&world)?.stop()?;
    daemon.signal(Signal::SIGTERM)?;
    let log = daemon.log().to_owned();
    let ended = daemon.ended().await?;
    let log = fs::read_to_string(log)?;
    ensure!(ended.code() == Some(0), "it ended with {ended}: {log}");
    ensure!(log.contains("the database was not told of the end"), "{log}");
    server(&world)?.resume()?;
    let daemon = world.operator.start().await?;
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn a_server_that_is_not_there_ends_commands_with_the_code_of_the_database() -> Result<()> {
    let world = World::new(WorldOptions { anchoring: None, ..options() }).await?;
    let chain = world.operator.chains[1].to_string();
    server(&world)?.stop()?;
    for command in [["status", "--chain-id", &chain], ["start", "--chain-id", &chain]] {
        let answer = world.operator.run(&command).await?;
        ensure!(answer.code == Some(8) && answer.stderr.contains("refused"), "{command:?}: {answer:?}");
    }
    world.operator.edit_config(|config| config["db"]["url"] = json!("postgres://127.0.0.1/x?sslmod=require"))?;
    let answer = world.operator.run(&["status", "--chain-id", &chain, "--json"]).await?;
    ensure!(answer.code == Some(3) && answer.stderr.contains("\"path\":\"db.url\""), "{answer:?}");
    Ok(())
}
