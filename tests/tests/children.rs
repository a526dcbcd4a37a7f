//! Children that are killed one by one while the parent goes on, and what can be seen of them from outside.

use anyhow::{Result, ensure};
use facilitator_eth::keystore;
use facilitator_tests::{
    anvil::Mining,
    daemon::Daemon,
    devnet::{DevnetOptions, Funds},
    node::Pace,
    operator::Operator,
    process,
    stakers::Stakers,
    verify,
    world::{World, WorldOptions},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(120);
const ROLES: [&str; 3] = ["scanner", "sender", "worker"];

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, confirmations: 1, ..WorldOptions::default() }
}

/// Kills children of a role as they come, with a pause after each; how many there were.
async fn kill_some(daemon: &Daemon, role: &str, most: usize, pause: Duration, within: Duration) -> Result<usize> {
    let start = Instant::now();
    let mut killed = 0;
    while killed < most && start.elapsed() < within {
        let children = daemon.in_role(role);
        // In turn, so that both chains lose theirs.
        match children.get(killed % children.len().max(1)) {
            // One that has ended by itself meanwhile is none.
            Some(pid) if kill(Pid::from_raw(i32::try_from(*pid)?), Signal::SIGKILL).is_ok() => {
                killed += 1;
                tokio::time::sleep(pause).await;
            }
            Some(_) | None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
    Ok(killed)
}

/// Ten stakes, in the middle of which children of a role are killed: each must end, everything exactly once.
async fn stakes_outlive_killed(role: &str, kills: usize, pause: Duration) -> Result<()> {
    let world = World::new(quick()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 10).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let killed = kill_some(&daemon, role, kills, pause, Duration::from_secs(20)).await?;
    ensure!(killed * 2 >= kills, "only {killed} {role}s could be killed");
    let ledger = world.finish(&daemon, &stakes, LIMIT).await?;
    verify::one_proof_per_height(&ledger)?;
    let bounties = verify::bounty_balances(&world.devnet, &world.operator.origin_workers).await?;
    assert!(bounties.iter().all(|balance| *balance == Funds::default().bounty), "{bounties:?}");
    for (node, workers) in [
        (&world.devnet.origin, &world.operator.origin_workers),
        (&world.devnet.auxiliary, &world.operator.auxiliary_workers),
    ] {
        let spent = verify::spent(node, workers, 0).await?;
        assert_eq!(spent.reverted, 0, "transactions reverted on chain {}: {spent:?}", node.chain_id);
    }
    let complete = |rows: &[facilitator_tests::operator::RequestRow]| rows.iter().all(|row| row.state == "COMPLETE");
    assert_eq!(world.operator.wait_requests(LIMIT, complete).await?.len(), 10);
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn killed_scanners_miss_nothing() -> Result<()> {
    stakes_outlive_killed("scanner", 8, Duration::from_millis(400)).await
}

#[tokio::test]
async fn killed_senders_send_nothing_twice() -> Result<()> {
    stakes_outlive_killed("sender", 8, Duration::from_millis(400)).await
}

#[tokio::test]
async fn killed_workers_leave_nothing_undone() -> Result<()> {
    stakes_outlive_killed("worker", 20, Duration::from_millis(20)).await
}

/// Passwords and keys, as they must be seen nowhere.
fn hidden(operator: &Operator) -> Result<Vec<String>> {
    let passwords: BTreeSet<String> =
        operator.environment().iter().filter(is_password).map(|one| one.1.clone()).collect();
    let config: Value = serde_json::from_slice(&fs::read(&operator.config)?)?;
    let accounts = config["encrypted_accounts"].as_object().into_iter().flatten().map(|(_, store)| store);
    let stores: Vec<&Value> = accounts.chain([&config["encrypted_hash_lock_key"]]).collect();
    let open = |store: &Value| passwords.iter().find_map(|password| keystore::decrypt(store, password).ok());
    let keys: Vec<String> = stores.iter().filter_map(|store| open(store)).map(|key| hex::encode(*key)).collect();
    ensure!(keys.len() == stores.len() && keys.len() == 3, "{} of {} keys", keys.len(), stores.len());
    Ok(passwords.into_iter().chain(keys).collect())
}

fn is_password(variable: &&(String, String)) -> bool {
    variable.0.contains("PASS")
}

/// What can be seen of a child's arguments and environment. Until it has become a child of its own (`exec`) it shares
/// its parent's memory, so its arguments are looked at first.
fn seen(pid: u32) -> Option<String> {
    let arguments = process::command_line(pid);
    if !ROLES.iter().any(|role| arguments.split(' ').any(|word| word == *role)) {
        return None;
    }
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    Some(format!("{arguments} {}", String::from_utf8_lossy(&environment)).to_lowercase())
}

#[tokio::test]
async fn no_child_and_no_log_shows_a_password_or_a_key() -> Result<()> {
    let mut world = World::new(quick()).await?;
    world.operator.set_variable("RUST_LOG", "trace");
    let hidden = hidden(&world.operator)?;
    let stakers = Stakers::new(&world.devnet, 0, 4).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let mut roles = BTreeSet::new();
    let finishing = world.finish(&daemon, &stakes, LIMIT);
    let looking = async {
        loop {
            for (pid, text) in daemon.children().into_iter().filter_map(|pid| Some((pid, seen(pid)?))) {
                let shown: Vec<&String> = hidden.iter().filter(|one| text.contains(&one.to_lowercase())).collect();
                assert!(shown.is_empty(), "shown by {}", process::command_line(pid));
                assert!(!text.contains("passw"), "a password variable reached {}", process::command_line(pid));
                roles.extend(ROLES.into_iter().filter(|role| text.contains(role)));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        result = finishing => result.map(drop)?,
        () = looking => {}
    }
    assert_eq!(roles.len(), 3, "only {roles:?} were looked at");
    let log = fs::read_to_string(daemon.log())?.to_lowercase();
    assert!(log.contains("trace"), "the log is not at its loudest");
    world.operator.stop(daemon).await?;
    assert!(!hidden.iter().any(|one| log.contains(&one.to_lowercase())), "the log shows a password or a key");
    Ok(())
}
