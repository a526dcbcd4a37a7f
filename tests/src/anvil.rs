//! One anvil node as a child process.
//!
//! Invariant: the node ends with the process that started it, however that one ends. A small shell holds the node and
//! kills it when its standard input closes, which the kernel does even for a starter that was killed itself.

use crate::{artifacts, node::Node, process};
use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Starts the node in the background, tells its process id, and ends it when nobody holds standard input any more.
const KEEPER: &str = r#"log=$1; shift; "$@" >"$log" 2>&1 & echo $!; read -r line; kill -9 $! 2>/dev/null; wait"#;
/// Longest wait for a node's first answer.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often another port is tried when somebody else was faster to take the free one.
const PORT_TRIES: usize = 3;

/// When a node makes blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mining {
    /// A block for each transaction, at once.
    Auto,
    /// A block each time this has passed, with all the transactions that wait.
    Every(Duration),
    /// A block when asked for with `evm_mine`.
    OnDemand,
}

/// How a node is to run.
#[derive(Debug, Clone)]
pub struct AnvilOptions {
    /// Chain id.
    pub chain_id: u64,
    /// When blocks are made.
    pub mining: Mining,
    /// Hard fork by anvil's name; the newest when not given. Before `london` blocks have no base fee.
    pub hardfork: Option<String>,
    /// Gas of a block; anvil's own default when not given.
    pub gas_limit: Option<u64>,
    /// Blocks of an epoch: `finalized` is two epochs behind the head. Anvil's own default when not given.
    pub slots_in_an_epoch: Option<u64>,
    /// Its port; a free one when not given.
    pub port: Option<u16>,
}

/// A running node.
#[derive(Debug)]
pub struct Anvil {
    options: AnvilOptions,
    port: u16,
    folder: TempDir,
    /// `None` while it is down.
    running: Mutex<Option<Running>>,
    /// Its address for JSON-RPC.
    pub url: String,
}

/// The processes of a node.
#[derive(Debug)]
struct Running {
    keeper: Child,
    /// Of the node itself.
    pid: u32,
}

impl Anvil {
    /// Starts a node on a free port and waits for its first answer.
    ///
    /// # Errors
    /// When there is no anvil or it does not start.
    pub async fn start(options: &AnvilOptions) -> Result<Self> {
        for _ in 0..PORT_TRIES {
            let port = match options.port {
                Some(port) => port,
                None => TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
            };
            let node = Self {
                options: options.clone(),
                port,
                folder: TempDir::new()?,
                running: Mutex::new(None),
                url: format!("http://127.0.0.1:{port}"),
            };
            if node.comes_up(&[]).await? {
                return Ok(node);
            }
        }
        match options.port {
            Some(port) => bail!("port {port} is taken"),
            None => bail!("anvil did not start in {PORT_TRIES} tries"),
        }
    }

    /// Kills the node by SIGKILL. What it has of the chain is kept for [`Anvil::start_again`]; the transactions that wait
    /// in its pool are lost.
    ///
    /// # Errors
    /// When it is down already, or its chain can't be had.
    pub async fn kill(&self) -> Result<()> {
        // With the states behind earlier blocks: proofs are asked for at anchored heights.
        let dump = self.node()?.call("anvil_dumpState", json!([true])).await?;
        let dump = hex::decode(dump.as_str().context("no state")?.trim_start_matches("0x"))?;
        let packed = self.state().with_extension("gz");
        fs::write(&packed, dump)?;
        let unpacked = Command::new("gzip").arg("-df").arg(&packed).status().context("cannot run gzip")?;
        ensure!(unpacked.success(), "the state of the node is no gzip");
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let running = running.context("the node is down already")?;
        kill(Pid::from_raw(i32::try_from(running.pid)?), Signal::SIGKILL)?;
        Ok(())
    }

    /// Starts a killed node again, at its old address.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(&self) -> Result<()> {
        let state = self.state().display().to_string();
        ensure!(self.comes_up(&["--load-state".into(), state]).await?, "somebody else took the port");
        Ok(())
    }

    /// The file in which a killed node's chain is kept.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn node(&self) -> Result<Node> {
        Node::new(&self.url, self.options.chain_id)
    }

    /// Starts the node and waits for its first answer; `false` when another one sits on its port.
    async fn comes_up(&self, more: &[String]) -> Result<bool> {
        let running = self.spawn(more)?;
        let pid = running.pid;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        self.answers(pid).await
    }

    fn spawn(&self, more: &[String]) -> Result<Running> {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(self.folder.path().join("log"))
            .arg(artifacts::anvil_path()?)
            .args(arguments(&self.options, self.port))
            .args(more)
            .arg("--cache-path")
            .arg(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start anvil")?;
        let stdout = keeper.stdout.take().context("no output of the keeper")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let pid = line.trim().parse().context("the keeper told no process id")?;
        Ok(Running { keeper, pid })
    }

    /// Whether the node answers; `false` when another one sits on its port.
    async fn answers(&self, pid: u32) -> Result<bool> {
        let node = self.node()?;
        let start = Instant::now();
        loop {
            let answer = node.call("eth_chainId", json!([])).await;
            if !process::alive(pid) {
                let log = self.log();
                if log.contains("in use") {
                    return Ok(false);
                }
                bail!("anvil ended: {log}");
            }
            match answer {
                Ok(_) => return Ok(true),
                Err(error) if start.elapsed() > START_LIMIT => return Err(error).context(self.log()),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// What the node printed.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Closing its input is what tells the keeper; an error means that it has gone already.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn arguments(options: &AnvilOptions, port: u16) -> Vec<String> {
    // The owner hands out a whole token supply, hence so large a balance.
    let mut arguments = vec![
        "--port".into(),
        port.to_string(),
        "--chain-id".into(),
        options.chain_id.to_string(),
        "--balance".into(),
        "10000000000".into(),
        "--quiet".into(),
    ];
    match options.mining {
        Mining::Auto => {}
        Mining::Every(time) => arguments.extend(["--block-time".into(), time.as_secs_f64().to_string()]),
        Mining::OnDemand => arguments.push("--no-mining".into()),
    }
    if let Some(hardfork) = &options.hardfork {
        arguments.extend(["--hardfork".into(), hardfork.clone()]);
    }
    if let Some(gas_limit) = options.gas_limit {
        arguments.extend(["--gas-limit".into(), gas_limit.to_string()]);
    }
    if let Some(slots) = options.slots_in_an_epoch {
        arguments.extend(["--slots-in-an-epoch".into(), slots.to_string()]);
    }
    arguments
}
