//! The parent and its children when something is wrong with a process: stopped, silent, dying again and again, short of
//! files. And the terminal's Ctrl-C. Everything is seen from outside.

#![allow(clippy::print_stdout, reason = "what was measured is shown to who asks for it")]

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    daemon::Daemon,
    devnet::DevnetOptions,
    node::Pace,
    operator::{Operator, RequestRow},
    pages::Pages,
    process,
    stakers::{Stake, Stakers},
    verify,
    world::{World, WorldOptions},
};
use nix::{
    pty::openpty,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{Read, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(120);

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, confirmations: 1, ..WorldOptions::default() }
}

fn without_anchors() -> WorldOptions {
    WorldOptions { anchoring: None, ..quick() }
}

fn in_role(daemon: &Daemon, role: &str) -> Vec<u32> {
    let plays = |pid: &u32| process::command_line(*pid).split(' ').any(|word| word == role);
    daemon.children().into_iter().filter(plays).collect()
}

/// Scanners and senders, which stay.
fn services(daemon: &Daemon) -> Vec<u32> {
    let mut pids = in_role(daemon, "scanner");
    pids.extend(in_role(daemon, "sender"));
    pids.sort_unstable();
    pids
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    Ok(kill(Pid::from_raw(i32::try_from(pid)?), signal)?)
}

/// Waits until what is looked for is there.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        ensure!(start.elapsed() < LIMIT, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn child<'a>(status: &'a Value, role: &str, side: &str) -> Option<&'a Value> {
    let children = status["standing"]["children"].as_array()?;
    children.iter().find(|child| child["role"] == role && child["side"] == side)
}

/// All stakes are minted, each step exactly once, and nothing reverted.
async fn all_well(world: &World, daemon: &Daemon, stakes: &[Stake]) -> Result<()> {
    let ledger = world.finish(daemon, stakes, LIMIT).await?;
    verify::one_proof_per_height(&ledger)?;
    for (node, workers) in [
        (&world.devnet.origin, &world.operator.origin_workers),
        (&world.devnet.auxiliary, &world.operator.auxiliary_workers),
    ] {
        let spent = verify::spent(node, workers, 0).await?;
        ensure!(spent.reverted == 0, "transactions reverted on chain {}: {spent:?}", node.chain_id);
    }
    let complete = |rows: &[RequestRow]| rows.iter().all(|row| row.state == "COMPLETE");
    ensure!(world.operator.wait_requests(LIMIT, complete).await?.len() == stakes.len());
    Ok(())
}

#[tokio::test]
async fn children_that_are_stopped_are_replaced_and_nothing_happens_twice() -> Result<()> {
    let world = World::new(quick()).await?;
    world.operator.edit_config(|config| {
        config["child_heartbeat_ms"] = json!(200);
        config["child_silence_ms"] = json!(1_500);
    })?;
    let stakers = Stakers::new(&world.devnet, 0, 6).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let worker = until("a worker that can be stopped", async || {
        Ok(in_role(&daemon, "worker").into_iter().find(|pid| signal(*pid, Signal::SIGSTOP).is_ok()))
    });
    let worker = worker.await?;
    let stopped = services(&daemon);
    ensure!(stopped.len() == 4, "{} services", stopped.len());
    for pid in stopped.iter().copied() {
        signal(pid, Signal::SIGSTOP)?;
    }
    let all = [stopped.clone(), vec![worker]].concat();
    ensure!(process::all_gone(&all, LIMIT).await, "somebody is still stopped: {all:?}");
    all_well(&world, &daemon, &stakes).await?;
    let status = world.operator.status().await?;
    for role in ["scanner", "sender"] {
        for side in ["origin", "auxiliary"] {
            let found = child(&status, role, side).context("a child")?;
            ensure!(found["restarts"] == 1 && found["state"] == "working", "{found}");
        }
    }
    let log = fs::read_to_string(daemon.log())?;
    ensure!(log.matches("hung: sent nothing in time").count() >= 4, "the log does not say why:\n{log}");
    world.operator.stop(daemon).await
}

/// Shorter than the silence that is allowed: they go on where they were, with what they had signed.
#[tokio::test]
async fn children_that_are_stopped_for_a_while_go_on_and_sign_nothing_twice() -> Result<()> {
    let world = World::new(quick()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 6).await?;
    let daemon = world.operator.start().await?;
    let before = services(&daemon);
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    for pid in before.iter().copied() {
        signal(pid, Signal::SIGSTOP)?;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        signal(pid, Signal::SIGCONT)?;
    }
    all_well(&world, &daemon, &stakes).await?;
    ensure!(services(&daemon) == before, "somebody was replaced");
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn a_facilitator_that_was_stopped_blames_nobody() -> Result<()> {
    let world = World::new(quick()).await?;
    world.operator.edit_config(|config| {
        config["child_heartbeat_ms"] = json!(200);
        config["child_silence_ms"] = json!(2_000);
    })?;
    let daemon = world.operator.start().await?;
    let before = services(&daemon);
    for _ in 0..2 {
        daemon.signal(Signal::SIGSTOP)?;
        tokio::time::sleep(Duration::from_secs(4)).await;
        daemon.signal(Signal::SIGCONT)?;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    ensure!(services(&daemon) == before, "children were replaced:\n{}", daemon.log_tail());
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    all_well(&world, &daemon, &stakes).await?;
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn a_child_that_keeps_dying_is_quarantined_shown_and_tried_again() -> Result<()> {
    let world = World::new(quick()).await?;
    world.operator.edit_config(|config| {
        config["restart_limit"] = json!(3);
        config["restart_base_ms"] = json!(10);
        config["quarantine_retry_s"] = json!(6);
    })?;
    let daemon = world.operator.start().await?;
    let sender = |pids: Vec<u32>| {
        let chain = world.operator.chains[1].to_string();
        pids.into_iter().find(|pid| process::command_line(*pid).ends_with(&chain))
    };
    let mut last = 0;
    for _ in 0..3 {
        let next = until("the next sender", async || {
            Ok(sender(in_role(&daemon, "sender")).filter(|pid| *pid != last && signal(*pid, Signal::SIGKILL).is_ok()))
        });
        last = next.await?;
    }
    let quarantined = until("the quarantine", async || {
        let status = world.operator.status().await?;
        Ok(child(&status, "sender", "auxiliary").filter(|child| child["state"] == "quarantined").cloned())
    });
    let quarantined = quarantined.await?;
    let why = quarantined["trouble"].as_str().context("no reason")?;
    ensure!(why.contains("died 3 times") && why.contains("SIGKILL"), "{why}");
    ensure!(quarantined["next_try_at_ms"].is_i64(), "{quarantined}");
    let chain = world.operator.chains[1].to_string();
    let told = world.operator.run(&["status", "--chain-id", &chain]).await?.stdout;
    ensure!(told.contains("The sender of the auxiliary chain is quarantined, and tried again in"), "{told}");
    let status = world.operator.status().await?;
    for (role, side) in [("scanner", "origin"), ("scanner", "auxiliary"), ("sender", "origin")] {
        let other = child(&status, role, side).context("a child")?;
        ensure!(other["state"] == "working" && other["restarts"] == 0, "{other}");
    }
    // What is asked for meanwhile waits, and is done once the sender is there again.
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    all_well(&world, &daemon, &stakes).await?;
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn a_request_whose_workers_keep_dying_says_so_and_does_not_spin() -> Result<()> {
    let world = World::new(quick()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 1).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let (start, mut last, mut killed) = (Instant::now(), 0, 0);
    while start.elapsed() < Duration::from_secs(8) {
        for pid in in_role(&daemon, "worker") {
            if pid != last && signal(pid, Signal::SIGKILL).is_ok() {
                (last, killed) = (pid, killed + 1);
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let row = world.operator.requests().await?.into_iter().next().context("the request")?;
    // 50 ms, doubled each time: eight of them take more than six seconds. Some workers may have got through.
    ensure!((2..=24).contains(&killed), "{killed} workers died");
    ensure!(row.state == "COMPLETE" || row.last_error.is_some_and(|error| error.contains("its worker died")));
    all_well(&world, &daemon, &stakes).await?;
    world.operator.stop(daemon).await
}

/// A program that lowers what it may use before it becomes the facilitator.
fn restrained(operator: &Operator, limits: &str) -> Result<PathBuf> {
    let path = operator.home().join("restrained");
    let real = operator.binary().display();
    fs::write(&path, format!("#!/bin/sh\n{limits}\nexec '{real}' \"$@\"\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

#[tokio::test]
async fn with_few_files_workers_wait_for_room_and_nothing_is_lost() -> Result<()> {
    let mut world = World::new(quick()).await?;
    let binary = restrained(&world.operator, "ulimit -n 36")?;
    let stakers = Stakers::new(&world.devnet, 0, 12).await?;
    let real = world.operator.binary().to_path_buf();
    world.operator.use_binary(binary);
    let daemon = world.operator.start().await?;
    world.operator.use_binary(real);
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    all_well(&world, &daemon, &stakes).await?;
    let log = fs::read_to_string(daemon.log())?;
    ensure!(log.contains("no room for another child process"), "there was room for all:\n{}", daemon.log_tail());
    world.operator.stop(daemon).await
}

fn limit_of(pid: u32, name: &str) -> Option<String> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find(|line| line.starts_with(name))?.to_owned();
    line[name.len()..].split_whitespace().next().map(str::to_owned)
}

#[tokio::test]
async fn each_child_has_its_limits_and_enough_room_within() -> Result<()> {
    let world = World::new(quick()).await?;
    Pages::configure(&world.operator).await?;
    let stakers = Stakers::new(&world.devnet, 0, 4).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let mut found = std::collections::BTreeMap::<&str, (u64, u64, u64)>::new();
    let looking = async {
        loop {
            for (role, space) in [("scanner", 2048_u64), ("sender", 1024), ("worker", 512), ("metrics", 1024)] {
                for pid in in_role(&daemon, role) {
                    // A child that has just begun has not come to its limits yet, but stands at its work when it reads.
                    let (Some(memory), Some(files), Some(core)) = (
                        limit_of(pid, "Max address space"),
                        limit_of(pid, "Max open files"),
                        limit_of(pid, "Max core file size"),
                    ) else {
                        continue;
                    };
                    let space = (space << 20).to_string();
                    let limited = [memory == space, files == "256", core == "0"].iter().all(|holds| *holds);
                    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                    let value = |name: &str| {
                        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
                        line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
                    };
                    let entry = found.entry(role).or_default();
                    entry.0 += u64::from(limited);
                    entry.1 = entry.1.max(value("VmPeak:"));
                    let open = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |open| open.count() as u64);
                    entry.2 = entry.2.max(open);
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        result = all_well(&world, &daemon, &stakes) => result?,
        () = looking => {}
    }
    for role in ["scanner", "sender", "worker", "metrics"] {
        let (limited, peak, files) = found.get(role).copied().unwrap_or_default();
        println!("{role}: limits seen {limited} times, {} MiB of address space at most, {files} files", peak >> 10);
        ensure!(limited > 0, "no {role} had its limits");
    }
    world.operator.stop(daemon).await
}

/// A facilitator in the foreground of a terminal of its own.
struct Terminal {
    process: tokio::process::Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    fn start(operator: &Operator) -> Result<Self> {
        let pty = openpty(None, None)?;
        let slave = || pty.slave.try_clone().map(Stdio::from);
        // `setsid` makes the terminal the one that it controls, as a login does.
        let mut command = tokio::process::Command::new("setsid");
        command.arg("--ctty").arg(operator.binary());
        command.args(["start", "--chain-id", &operator.chains[1].to_string()]);
        command.envs(operator.environment().iter().cloned()).current_dir(operator.home());
        command.stdin(slave()?).stdout(slave()?).stderr(slave()?).kill_on_drop(true);
        let process = command.spawn()?;
        drop(command);
        let screen = Arc::new(Mutex::new(String::new()));
        let (mut output, shown) = (File::from(pty.master.try_clone()?), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The terminal's end is an error of its reader.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                if let Ok(mut screen) = shown.lock() {
                    screen.push_str(&String::from_utf8_lossy(&bytes[..count]));
                }
            }
        });
        Ok(Self { process, keyboard: File::from(pty.master), screen })
    }

    fn text(&self) -> String {
        self.screen.lock().map(|screen| screen.clone()).unwrap_or_default()
    }

    async fn shows(&self, text: &str) -> Result<()> {
        let shown = until(text, async || Ok(self.text().contains(text).then_some(()))).await;
        shown.with_context(|| format!("on the screen:\n{}", self.text()))
    }

    fn ctrl_c(&mut self) -> Result<()> {
        Ok(self.keyboard.write_all(&[3])?)
    }

    async fn ended(&mut self) -> Result<Option<i32>> {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.process.wait());
        Ok(ended.await.with_context(|| format!("it does not end:\n{}", self.text()))??.code())
    }
}

#[tokio::test]
async fn ctrl_c_in_a_terminal_ends_everything_in_order() -> Result<()> {
    let world = World::new(quick()).await?;
    let mut terminal = Terminal::start(&world.operator)?;
    terminal.shows("both chains are in working mode").await?;
    let pid = terminal.process.id().context("it has ended")?;
    let children = process::children(pid);
    ensure!(children.len() == 4, "{} children", children.len());
    terminal.ctrl_c()?;
    ensure!(terminal.ended().await? == Some(0), "{}", terminal.text());
    // The screen may come after the end of who wrote on it.
    terminal.shows("facilitator ended").await?;
    let screen = terminal.text();
    ensure!(screen.contains("stopping: workers hand back"), "{screen}");
    ensure!(!screen.contains("a child process ended") && !screen.contains("SIGINT"), "children died:\n{screen}");
    ensure!(process::all_gone(&children, Duration::from_secs(1)).await, "children live on");
    Ok(())
}

#[tokio::test]
async fn a_second_ctrl_c_ends_it_at_once() -> Result<()> {
    let world = World::new(quick()).await?;
    world.operator.edit_config(|config| config["shutdown_timeout_s"] = json!(600))?;
    let mut terminal = Terminal::start(&world.operator)?;
    terminal.shows("both chains are in working mode").await?;
    let children = process::children(terminal.process.id().context("it has ended")?);
    // One that can't end in order, so that the first Ctrl-C alone would take ten minutes.
    signal(*children.first().context("no children")?, Signal::SIGSTOP)?;
    terminal.ctrl_c()?;
    terminal.shows("stopping: workers hand back").await?;
    terminal.ctrl_c()?;
    ensure!(terminal.ended().await? == Some(0), "{}", terminal.text());
    // The screen may come after the end of who wrote on it.
    terminal.shows("killing what is left").await?;
    ensure!(process::all_gone(&children, Duration::from_secs(1)).await, "children live on");
    Ok(())
}

/// What `status` shows, without what differs from run to run: process ids, times, heights.
fn lasting(status: &Value) -> Value {
    let children = status["standing"]["children"].as_array().cloned().unwrap_or_default();
    let child = |child: &Value| json!([child["role"], child["side"], child["state"], child["trouble"]]);
    let chains = status["standing"]["chains"].as_array().cloned().unwrap_or_default();
    let chain = |chain: &Value| json!([chain["side"], chain["chain_id"], chain["stage"], chain["workers"]]);
    json!({
        "status": status["status"],
        "queue": status["queue"],
        "unfinished": status["unfinished"],
        "oldest": status["oldest_unfinished"]["request_hash"],
        "children": children.iter().map(child).collect::<Vec<_>>(),
        "chains": chains.iter().map(chain).collect::<Vec<_>>(),
    })
}

/// Law 8: whatever the parent knows is in the database or told again by children that start.
#[tokio::test]
async fn a_parent_that_died_knows_the_same_again() -> Result<()> {
    let world = World::new(without_anchors()).await?;
    let stakers = Stakers::new(&world.devnet, 0, 3).await?;
    let daemon = world.operator.start().await?;
    stakers.request_all(&world.devnet, Pace::Natural).await?;
    let accepted = |rows: &[RequestRow]| rows.len() == 3 && rows.iter().all(|row| row.state == "ACCEPTED");
    world.operator.wait_requests(LIMIT, accepted).await?;
    let settled = |status: &Value| {
        let chains = status["standing"]["chains"].as_array().cloned().unwrap_or_default();
        chains.len() == 2 && chains.iter().all(|chain| chain["workers"].as_array().is_some_and(|all| !all.is_empty()))
    };
    // The funds are read each half minute, or later where the machine is busy: what is compared must have been read after
    // the last accept.
    let [worker] = world.operator.origin_workers[..] else { anyhow::bail!("not one key") };
    let coin = world.devnet.origin.balances(&[worker]).await?[0].to_string();
    let is_read = |status: &Value| {
        let chains = status["standing"]["chains"].as_array().cloned().unwrap_or_default();
        chains.iter().any(|chain| chain["side"] == "origin" && chain["workers"][0]["coin"] == coin.as_str())
    };
    let before = until("a settled status", async || {
        let status = world.operator.status().await?;
        Ok((settled(&status) && is_read(&status)).then(|| lasting(&status)))
    });
    let before = before.await?;
    daemon.kill().await?;
    let daemon = world.operator.start().await?;
    let mut after = Value::Null;
    let start = Instant::now();
    while after != before && start.elapsed() < LIMIT {
        tokio::time::sleep(Duration::from_millis(200)).await;
        after = lasting(&world.operator.status().await?);
    }
    ensure!(after == before, "before: {before:#}\nafter: {after:#}");
    world.operator.stop(daemon).await
}

/// A process that `stop` can find ends in order, however early it is asked to. One that had not come to its loop yet was
/// ended by the signal itself.
#[tokio::test]
async fn a_stop_right_after_the_start_is_orderly() -> Result<()> {
    let world = World::new(without_anchors()).await?;
    for _ in 0..8 {
        let daemon = world.operator.spawn()?;
        until("it is registered", async || {
            let status = world.operator.status().await?;
            Ok((status["pid"] == daemon.pid).then_some(()))
        })
        .await?;
        world.operator.stop(daemon).await?;
    }
    Ok(())
}
