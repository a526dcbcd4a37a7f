//! An operator: a home folder of its own and the `facilitator` binary, used as `docs/interface.md` says.
//!
//! Black box: only commands, files, signals and exit codes. Nothing here links to the product.

use crate::{
    daemon::Daemon,
    database,
    devnet::{Devnet, Side},
    hosts::Host,
};
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::Address;
use nix::unistd::{Gid, Uid};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::{
    env, fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// Of the origin workers.
pub const ORIGIN_PASSWORD: &str = "origin password";
/// Of the auxiliary workers.
pub const AUXILIARY_PASSWORD: &str = "auxiliary password";
/// Longest wait for any command but `start`.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// The binary under test: `$FACILITATOR`, else the one built beside this program.
///
/// # Errors
/// When it was not built.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os("FACILITATOR") {
        return Ok(path.into());
    }
    let here = env::current_exe()?;
    let near = here.ancestors().skip(1).take(2).map(|folder| folder.join("facilitator"));
    near.into_iter().find(|path| path.is_file()).context("no facilitator binary: run cargo build --workspace")
}

/// What a command said.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Answer {
    /// Standard output as JSON.
    ///
    /// # Errors
    /// When it isn't.
    pub fn json(&self) -> Result<Json> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON: {self:?}"))
    }
}

/// One request as `requests list --json` tells it.
#[derive(Debug, Clone, Deserialize)]
pub struct RequestRow {
    /// `stake` or `redeem`.
    pub kind: String,
    /// Hash of the request.
    pub request_hash: String,
    /// Hash of its message, once it has one.
    pub message_hash: Option<String>,
    /// Where it stands.
    pub state: String,
    /// What it waits for.
    pub waiting_for: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Its transactions.
    #[serde(default)]
    pub transactions: Vec<TransactionRow>,
}

/// A transaction of a request.
#[derive(Debug, Clone, Deserialize)]
pub struct TransactionRow {
    /// What it was for.
    pub step: String,
    /// Its chain.
    pub chain_id: u64,
    /// Its hash, once it is signed.
    pub hash: Option<String>,
    /// How far it got.
    pub status: String,
    /// Its block, once it is mined.
    pub block_number: Option<u64>,
    /// Gas it used, once it is mined.
    pub gas_used: Option<u64>,
}

/// How `init` is called.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// Where the origin node answers: itself, or a proxy before it.
    pub origin_rpc: String,
    /// Where the auxiliary node answers.
    pub auxiliary_rpc: String,
    /// Keys on each chain.
    pub workers: usize,
    /// The config of another instance of the same operator, to be joined.
    pub join: Option<PathBuf>,
    /// Whether key stores are as weak as tests like them, or as strong as `init` makes them by itself.
    pub light_kdf: bool,
}

impl InitOptions {
    /// One key on each chain, and the nodes themselves.
    #[must_use]
    pub fn direct(devnet: &Devnet) -> Self {
        Self {
            origin_rpc: devnet.origin.url.clone(),
            auxiliary_rpc: devnet.auxiliary.url.clone(),
            workers: 1,
            join: None,
            light_kdf: true,
        }
    }
}

/// An operator with a home folder.
#[derive(Debug)]
pub struct Operator {
    home: TempDir,
    binary: PathBuf,
    environment: Vec<(String, String)>,
    user: Option<(Uid, Gid)>,
    namespace: Option<String>,
    /// Chain ids: origin, auxiliary.
    pub chains: [u64; 2],
    /// The facilitator config that `init` wrote.
    pub config: PathBuf,
    /// Workers on the origin chain.
    pub origin_workers: Vec<Address>,
    /// Workers on the auxiliary chain.
    pub auxiliary_workers: Vec<Address>,
}

impl Operator {
    /// A new home in which `init` was run for this devnet.
    ///
    /// # Errors
    /// When `init` fails or does not print what it must.
    pub async fn init(devnet: &Devnet, options: &InitOptions) -> Result<Self> {
        Self::init_in(Self::bare(devnet)?, devnet, options).await
    }

    /// A further instance of this operator, with a home, keys and config of its own on the same database.
    ///
    /// # Errors
    /// As [`Operator::init`].
    pub async fn join(&self, devnet: &Devnet, options: &InitOptions) -> Result<Self> {
        let mut other = Self::bare(devnet)?;
        for worker in &self.origin_workers {
            other.set_variable(&format!("MOSAIC_ADDRESS_PASSW_{worker}"), ORIGIN_PASSWORD);
        }
        let options = InitOptions { join: Some(self.config.clone()), ..options.clone() };
        let other = Self::init_in(other, devnet, &options).await?;
        let config: Json = serde_json::from_slice(&fs::read(&self.config)?)?;
        let mut db = config["db"].clone();
        if db["db_path"].is_string() {
            db = json!({ "db_path": database::file(&self.config) });
        }
        other.edit_config(|config| config["db"] = db)?;
        Ok(other)
    }

    async fn init_in(mut operator: Self, devnet: &Devnet, options: &InitOptions) -> Result<Self> {
        let mosaic = operator.home().join("mosaic-config.json");
        fs::write(&mosaic, serde_json::to_vec_pretty(&devnet.mosaic_config())?)?;
        let mosaic = mosaic.to_string_lossy().into_owned();
        let (chain, workers) = (operator.chains[1].to_string(), options.workers.to_string());
        let arguments = [
            ["--mosaic-config", &mosaic],
            ["--chain-id", &chain],
            ["--origin-rpc", &options.origin_rpc],
            ["--aux-rpc", &options.auxiliary_rpc],
            ["--workers", &workers],
        ];
        let arguments = ["init", "--json"].into_iter().chain(arguments.into_iter().flatten());
        let arguments = arguments.chain(options.light_kdf.then_some("--light-kdf"));
        let join = options.join.as_ref().map(|config| config.to_string_lossy().into_owned());
        let arguments = arguments.chain(join.iter().flat_map(|config| ["--join", config]));
        let told = operator.ask(&arguments.collect::<Vec<_>>()).await?;
        operator.take_over(&told)?;
        Ok(operator)
    }

    /// A new home with nothing in it.
    ///
    /// # Errors
    /// When there is no binary.
    pub fn bare(devnet: &Devnet) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("mosaic-home-").tempdir()?;
        let environment = vec![
            ("MOSAIC_HOME".to_owned(), home.path().to_string_lossy().into_owned()),
            ("MOSAIC_ORIGIN_PASSWORD".to_owned(), ORIGIN_PASSWORD.to_owned()),
            ("MOSAIC_AUX_PASSWORD".to_owned(), AUXILIARY_PASSWORD.to_owned()),
        ];
        Ok(Self {
            home,
            binary: binary()?,
            environment,
            user: None,
            namespace: None,
            chains: [devnet.options.origin_chain_id, devnet.options.auxiliary_chain_id],
            config: PathBuf::new(),
            origin_workers: vec![],
            auxiliary_workers: vec![],
        })
    }

    /// Reads what `init --json` printed.
    fn take_over(&mut self, told: &Json) -> Result<()> {
        self.config = told["config"].as_str().context("init tells no config")?.into();
        self.origin_workers = serde_json::from_value(told["origin"]["workers"].clone()).context("origin workers")?;
        self.auxiliary_workers = serde_json::from_value(told["auxiliary"]["workers"].clone())?;
        for worker in &self.origin_workers {
            self.environment.push((format!("MOSAIC_ADDRESS_PASSW_{worker}"), ORIGIN_PASSWORD.to_owned()));
        }
        for worker in &self.auxiliary_workers {
            self.environment.push((format!("MOSAIC_ADDRESS_PASSW_{worker}"), AUXILIARY_PASSWORD.to_owned()));
        }
        let named: Vec<String> = serde_json::from_value(told["password_variables"].clone())?;
        let known = |name: &String| self.environment.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        ensure!(named.iter().all(known), "password variables {named:?} don't belong to the workers");
        Ok(())
    }

    /// The home folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Sets or replaces an environment variable of every later command.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.environment.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Takes an environment variable away from every later command.
    pub fn unset_variable(&mut self, name: &str) {
        self.environment.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
    }

    /// Works with another binary from now on.
    pub fn use_binary(&mut self, binary: PathBuf) {
        self.binary = binary;
    }

    /// Works from now on as another user, whom modes and limits bind; the home becomes that user's. Only root can.
    ///
    /// # Errors
    /// When the binary can't be copied or the home not be given away.
    pub fn become_user(&mut self, user: Uid, group: Gid) -> Result<()> {
        // A binary below a folder that is closed to others must be reachable.
        let copy = self.home().join("facilitator");
        fs::copy(self.binary(), &copy)?;
        self.use_binary(copy);
        give_away(self.home(), user, group)?;
        self.user = Some((user, group));
        Ok(())
    }

    /// The environment in which this operator works, for a person who wants to look around.
    #[must_use]
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// The path of the binary.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Changes the facilitator config.
    ///
    /// # Errors
    /// When it can't be read or written.
    pub fn edit_config(&self, edit: impl FnOnce(&mut Json)) -> Result<()> {
        let mut config = serde_json::from_slice(&fs::read(&self.config)?)?;
        edit(&mut config);
        fs::write(&self.config, serde_json::to_vec_pretty(&config)?)?;
        Ok(())
    }

    /// Sets a value on one chain.
    ///
    /// # Errors
    /// When the config can't be read or written.
    pub fn set_on(&self, side: Side, key: &str, value: &Json) -> Result<()> {
        let chain = match side {
            Side::Origin => self.chains[0],
            Side::Auxiliary => self.chains[1],
        };
        self.edit_config(|config| config["chains"][chain.to_string()][key] = value.clone())
    }

    /// Sets the same value on both chains, e.g. `confirmations`.
    ///
    /// # Errors
    /// When the config can't be read or written.
    pub fn set_on_chains(&self, key: &str, value: &Json) -> Result<()> {
        let chains = self.chains;
        self.edit_config(|config| {
            for chain in chains {
                config["chains"][chain.to_string()][key] = value.clone();
            }
        })
    }

    /// Shortens the times that real chains need: blocks count as final after `confirmations`, and nodes are asked for
    /// the newest block each `poll`.
    ///
    /// # Errors
    /// When the config can't be read or written.
    pub fn quicken(&self, confirmations: u64, poll: Duration) -> Result<()> {
        self.set_on_chains("confirmations", &json!(confirmations))?;
        let poll = u64::try_from(poll.as_millis()).unwrap_or(u64::MAX);
        self.set_on_chains("poll_interval_ms", &json!(poll))?;
        self.edit_config(|config| config["retry_base_ms"] = json!(100))
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.dress(Command::new(&self.binary), arguments)
    }

    fn dress(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments).env_clear().envs(env::vars_os().filter(|(name, _)| {
            let name = name.to_string_lossy();
            !name.to_uppercase().starts_with("MOSAIC_")
        }));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some((user, group)) = self.user {
            command.uid(user.as_raw()).gid(group.as_raw());
        }
        command.current_dir(self.home.path()).kill_on_drop(true).stdin(Stdio::null());
        command
    }

    /// Has the daemon live on another host from its next start on; commands stay on this one.
    ///
    /// # Errors
    /// When the config can't be read or written.
    pub fn move_to(&mut self, host: &Host) -> Result<()> {
        self.namespace = host.namespace().map(str::to_owned);
        self.edit_config(|config| host.rewrite(config))
    }

    /// The daemon's program, on the host where it lives.
    fn program(&self) -> Command {
        let Some(namespace) = &self.namespace else { return Command::new(&self.binary) };
        let mut program = Command::new("ip");
        program.args(["netns", "exec", namespace]).arg(&self.binary);
        program
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it can't be run or takes longer than a minute.
    pub async fn run(&self, arguments: &[&str]) -> Result<Answer> {
        let output = tokio::time::timeout(COMMAND_LIMIT, self.command(arguments).output()).await;
        let output = output.with_context(|| format!("{arguments:?} did not end"))??;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Answer { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }

    /// Begins a command and does not wait for its end; killed when dropped.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn begin(&self, arguments: &[&str]) -> Result<Child> {
        Ok(self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    }

    /// Runs a command that must succeed and print JSON.
    ///
    /// # Errors
    /// When it doesn't.
    pub async fn ask(&self, arguments: &[&str]) -> Result<Json> {
        let answer = self.run(arguments).await?;
        ensure!(answer.code == Some(0), "{arguments:?} ended with {:?}: {}", answer.code, answer.stderr.trim_end());
        answer.json()
    }

    fn chain(&self) -> String {
        self.chains[1].to_string()
    }

    /// All requests.
    ///
    /// # Errors
    /// When the command fails or prints something else.
    pub async fn requests(&self) -> Result<Vec<RequestRow>> {
        let chain = self.chain();
        let told = self.ask(&["requests", "list", "--chain-id", &chain, "--json"]).await?;
        serde_json::from_value(told.clone()).with_context(|| format!("no requests: {told}"))
    }

    /// The status.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn status(&self) -> Result<Json> {
        let chain = self.chain();
        self.ask(&["status", "--chain-id", &chain, "--json"]).await
    }

    /// Runs `doctor`; its findings stand in the answer.
    ///
    /// # Errors
    /// When it can't be run.
    pub async fn doctor(&self) -> Result<Answer> {
        let chain = self.chain();
        self.run(&["doctor", "--chain-id", &chain]).await
    }

    /// Waits until the requests are as wanted.
    ///
    /// # Errors
    /// When they aren't within `limit`: what they were.
    pub async fn wait_requests(
        &self,
        limit: Duration,
        wanted: impl Fn(&[RequestRow]) -> bool,
    ) -> Result<Vec<RequestRow>> {
        let start = Instant::now();
        loop {
            let requests = self.requests().await?;
            if wanted(&requests) {
                return Ok(requests);
            }
            ensure!(start.elapsed() < limit, "not within {limit:?}: {requests:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Starts the daemon and waits for `ready`.
    ///
    /// # Errors
    /// When it ends before, or is not ready within a minute: the end of its log.
    pub async fn start(&self) -> Result<Daemon> {
        let mut daemon = self.spawn()?;
        daemon.ready().await?;
        Ok(daemon)
    }

    /// The same with further arguments.
    ///
    /// # Errors
    /// As [`Operator::start`].
    pub async fn start_with(&self, more: &[&str]) -> Result<Daemon> {
        let mut daemon = self.spawn_with(more)?;
        daemon.ready().await?;
        Ok(daemon)
    }

    /// Starts the daemon and does not wait.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn spawn(&self) -> Result<Daemon> {
        self.spawn_with(&[])
    }

    fn spawn_with(&self, more: &[&str]) -> Result<Daemon> {
        let log = self.home.path().join("facilitator.log");
        let stderr = fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut command = self.dress(self.program(), &[&["start", "--chain-id", &self.chain()], more].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).process_group(0).spawn()?;
        let pid = child.id().context("the daemon ended at once")?;
        let lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        Ok(Daemon { child, lines, log, pid })
    }

    /// Stops the daemon with the `stop` command and checks that it ended well.
    ///
    /// # Errors
    /// When it doesn't end, or not with 0.
    pub async fn stop(&self, daemon: Daemon) -> Result<()> {
        let chain = self.chain();
        let answer = self.run(&["stop", "--chain-id", &chain]).await?;
        ensure!(answer.code == Some(0), "stop ended with {:?}: {}", answer.code, answer.stderr);
        let status = daemon.ended().await?;
        ensure!(status.code() == Some(0), "the daemon ended with {status}");
        Ok(())
    }
}

fn give_away(path: &Path, user: Uid, group: Gid) -> Result<()> {
    chown(path, Some(user.as_raw()), Some(group.as_raw()))?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            give_away(&entry?.path(), user, group)?;
        }
    }
    Ok(())
}
