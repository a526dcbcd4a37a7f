//! One anvil node as a child process.
//!
//! Invariant: the node ends with the process that started it, however that one ends. A small shell holds the node and
//! kills it when its standard input closes, which the kernel does even for a starter that was killed itself.

use crate::{artifacts, node::Node, process};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Starts the node in the background, tells its process id, and ends it when nobody holds standard input any more.
const KEEPER: &str = r#"log=$1; shift; "$@" >"$log" 2>&1 & echo $!; read -r line; kill -9 $! 2>/dev/null; wait"#;
/// Longest wait for a node's first answer.
const START_LIMIT: Duration = Duration::from_secs(20);
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
}

/// A running node.
#[derive(Debug)]
pub struct Anvil {
    keeper: Child,
    folder: TempDir,
    /// Process id of the node itself.
    pub pid: u32,
    /// Its address for JSON-RPC.
    pub url: String,
}

impl Anvil {
    /// Starts a node on a free port and waits for its first answer.
    ///
    /// # Errors
    /// When there is no anvil or it does not start.
    pub async fn start(options: &AnvilOptions) -> Result<Self> {
        for _ in 0..PORT_TRIES {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let node = Self::spawn(options, port)?;
            if node.answers(options.chain_id).await? {
                return Ok(node);
            }
        }
        bail!("anvil did not start in {PORT_TRIES} tries")
    }

    fn spawn(options: &AnvilOptions, port: u16) -> Result<Self> {
        let folder = TempDir::new()?;
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(folder.path().join("log"))
            .arg(artifacts::anvil_path()?)
            .args(arguments(options, port))
            .arg("--cache-path")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start anvil")?;
        let stdout = keeper.stdout.take().context("no output of the keeper")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let pid = line.trim().parse().context("the keeper told no process id")?;
        Ok(Self { keeper, folder, pid, url: format!("http://127.0.0.1:{port}") })
    }

    /// Whether the node answers; `false` when another one sits on its port.
    async fn answers(&self, chain_id: u64) -> Result<bool> {
        let node = Node::new(&self.url, chain_id)?;
        let start = Instant::now();
        loop {
            let answer = node.call("eth_chainId", serde_json::json!([])).await;
            if !process::alive(self.pid) {
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

impl Drop for Anvil {
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
