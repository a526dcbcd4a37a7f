//! A database that refuses: one clear line with file and mend, exit code 8, nothing sent that was not committed, nothing
//! lost once it works again.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    database,
    devnet::{Devnet, DevnetOptions},
    node::Pace,
    operator::{Answer, InitOptions, Operator},
    process,
    stakers::Stakers,
    world::{World, WorldOptions},
};
use nix::unistd::{Gid, Uid};
use serde_json::Value;
use sqlx::{
    Connection as _, Executor as _,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(120);
/// Who nobody is: root may write whatever the mode says.
const NOBODY: u32 = 65_534;

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, confirmations: 1, ..WorldOptions::default() }
}

/// Exit code 8 and one line that names the file and says these words, as text and as JSON.
fn refused(answer: &Answer, file: &Path, words: &[&str]) -> Result<()> {
    ensure!(answer.code == Some(8), "{answer:?}");
    let line = answer.stderr.lines().last().unwrap_or_default();
    let name = file.to_string_lossy();
    for word in words.iter().chain(&[&*name]) {
        ensure!(line.contains(word), "no word of `{word}`: {}", answer.stderr);
    }
    Ok(())
}

/// An operator whose facilitator has run once.
async fn used(devnet: &Devnet) -> Result<(Operator, PathBuf)> {
    let operator = Operator::init(devnet, &InitOptions::direct(devnet)).await?;
    let daemon = operator.start().await?;
    operator.stop(daemon).await?;
    let file = database::file(&operator.config);
    Ok((operator, file))
}

/// Every command that opens the database says the same of it, and none changes it.
async fn all_commands_say(operator: &Operator, file: &Path, words: &[&str]) -> Result<()> {
    let before = fs::read(file)?;
    for line in ["start", "status", "requests list", "stop", "requests retry --state SKIPPED"] {
        let arguments: Vec<&str> = line.split(' ').chain(["--chain-id", "1406"]).collect();
        refused(&operator.run(&arguments).await?, file, words).with_context(|| line.to_owned())?;
        let json = operator.run(&[&arguments[..], &["--json"]].concat()).await?;
        let error: Value = serde_json::from_str(json.stderr.lines().last().unwrap_or_default())?;
        ensure!(error["error"]["code"] == 8, "{line}: {json:?}");
    }
    refused(&operator.run(&["list"]).await?, file, words).context("list")?;
    let doctor = operator.doctor().await?;
    ensure!(doctor.code == Some(1), "{doctor:?}");
    let finding = doctor.stdout.lines().find(|line| line.starts_with("error") && line.contains("database:"));
    let finding = finding.with_context(|| format!("{doctor:?}"))?;
    ensure!(words.iter().all(|word| finding.contains(word)), "{finding}");
    ensure!(fs::read(file)? == before, "{} was changed", file.display());
    Ok(())
}

#[tokio::test]
async fn a_file_of_another_kind_is_named_and_left() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let (operator, file) = used(&devnet).await?;
    // Nothing of the former one is to be left: what stands in its log is read before the file.
    database::lose(&operator.config)?;
    fs::write(&file, "no database ".repeat(1_000))?;
    all_commands_say(&operator, &file, &["not a database", "facilitator recover --set-aside"]).await
}

#[tokio::test]
async fn a_truncated_database_is_named_and_left() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let (operator, file) = used(&devnet).await?;
    let length = fs::metadata(&file)?.len();
    fs::OpenOptions::new().write(true).open(&file)?.set_len(length / 2 + 100)?;
    let before = fs::read(&file)?;
    let answer = operator.run(&["start", "--chain-id", "1406"]).await?;
    refused(&answer, &file, &["damaged", "facilitator recover --set-aside"])?;
    let answer = operator.run(&["recover", "--chain-id", "1406"]).await?;
    refused(&answer, &file, &["damaged", "facilitator recover --set-aside"])?;
    assert!(fs::read(&file)? == before, "the database was changed");
    let report = operator.ask(&["recover", "--chain-id", "1406", "--set-aside", "--json"]).await?;
    assert!(fs::read(report["set_aside"].as_str().context("not kept")?)? == before, "another one was kept");
    let daemon = operator.start().await?;
    operator.stop(daemon).await
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_named_and_left() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let (operator, file) = used(&devnet).await?;
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&file)).await?;
    connection.execute("INSERT INTO schema_versions VALUES (9000, 'to come', 0)").await?;
    connection.close().await?;
    let words = ["schema version 9000", "use the newer facilitator"];
    all_commands_say(&operator, &file, &words).await?;
    let again = operator.run(&["start", "--chain-id", "1406"]).await?;
    ensure!(!again.stderr.contains("unlocking"), "keys were opened for nothing: {again:?}");
    // Not even set aside: a newer program goes on with it.
    for flags in [&[][..], &["--set-aside"]] {
        refused(&operator.run(&[&["recover", "--chain-id", "1406"][..], flags].concat()).await?, &file, &words)?;
    }
    ensure!(file.exists(), "it was set aside");
    Ok(())
}

/// Runs the operator's commands from now on as a user whom modes bind.
fn become_bound(operator: &mut Operator) -> Result<()> {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    operator.become_user(Uid::from_raw(NOBODY), Gid::from_raw(NOBODY))
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

/// The user is one whom modes bind: as root nothing would be shown.
#[tokio::test]
async fn a_database_that_must_not_be_written_is_named_at_the_start() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let (mut operator, file) = used(&devnet).await?;
    become_bound(&mut operator)?;
    let folder = file.parent().context("no folder")?.to_owned();
    let words = ["cannot be written", "check owner, mode"];
    // As that user it works at all.
    let daemon = operator.start().await?;
    operator.stop(daemon).await?;

    set_mode(&file, 0o444)?;
    refused(&operator.run(&["start", "--chain-id", "1406"]).await?, &file, &words).context("read-only file")?;
    set_mode(&file, 0o600)?;

    set_mode(&folder, 0o555)?;
    refused(&operator.run(&["start", "--chain-id", "1406"]).await?, &file, &words).context("read-only folder")?;
    set_mode(&folder, 0o700)?;
    database::lose(&operator.config)?;
    set_mode(&folder, 0o555)?;
    for command in ["start", "recover"] {
        let answer = operator.run(&[command, "--chain-id", "1406"]).await?;
        refused(&answer, &file, &words).with_context(|| format!("{command} in a read-only folder"))?;
    }
    set_mode(&folder, 0o700)?;
    let daemon = operator.start().await?;
    operator.stop(daemon).await
}

/// What the log alone held is gone, as after a copy of the database file without it: an older state, which the chains
/// and the key bring up to date.
#[tokio::test]
async fn stakes_outlive_a_lost_log() -> Result<()> {
    let world = World::new(quick()).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let stakers = Stakers::new(devnet, 0, 6).await?;
    let mut daemon = operator.start().await?;
    let stakes = stakers.request_all(devnet, Pace::Natural).await?;
    operator.wait_requests(LIMIT, |rows| rows.iter().any(|row| row.state != "REQUESTED")).await?;
    let children = daemon.kill().await?;
    ensure!(process::all_gone(&children, LIMIT).await, "children outlive their parent");
    let file = database::file(&operator.config);
    for ending in ["-wal", "-shm"] {
        fs::remove_file(format!("{}{ending}", file.display()))?;
    }
    daemon = operator.start().await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    operator.stop(daemon).await
}
