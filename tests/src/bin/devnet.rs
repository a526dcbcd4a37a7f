//! A devnet that stays: two nodes with the whole Mosaic set between them and an anchoring service, for whoever follows
//! the book. `start` leaves it running in the background; the other commands speak to it through a socket in its folder.

// What was done belongs on standard output.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use anyhow::{Context as _, Result, bail, ensure};
use facilitator_eth::Address;
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    devnet::{Devnet, DevnetOptions, Funds},
    kind::Kind,
    node::Pace,
    requesters::Requesters,
    verify,
};
use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
};

const USAGE: &str = "\
usage: scripts/devnet start [--block-time-ms MS]   two nodes and the Mosaic contracts, in the background
       scripts/devnet enroll ORIGIN AUXILIARY      whitelists and funds a worker key of each chain
       scripts/devnet stake [N]                    N stakers ask (1), and are waited for until all are paid out
       scripts/devnet redeem [N]                   N redeemers ask, the other way
       scripts/devnet ask [N]                      N stakers ask, and are not waited for
       scripts/devnet stop
The nodes listen on 127.0.0.1:8545 (origin, chain 3) and 127.0.0.1:8546 (auxiliary, chain 1406); the mosaic config is
written to .devnet/mosaic-config.json.";
/// Its folder, below the repository; relative, since addresses of sockets must be short.
const FOLDER: &str = ".devnet";
const SOCKET: &str = ".devnet/control";
const PORTS: [u16; 2] = [8545, 8546];
const BLOCK_TIME_MS: u64 = 500;
/// Longest time for requests to be paid out.
const LIMIT: Duration = Duration::from_secs(300);
/// What an answer ends with.
const DONE: &str = "done";
const FAILED: &str = "failed: ";

/// The devnet and who asked on it so far.
struct Playground {
    devnet: Devnet,
    asked: [usize; 2],
}

impl Playground {
    /// Does what a line says and tells about it.
    async fn obey(&mut self, line: &str) -> Result<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["enroll", origin, auxiliary] => {
                let read = |text: &str| text.parse::<Address>().ok().with_context(|| format!("{text} is no address"));
                let (origin, auxiliary) = (read(origin)?, read(auxiliary)?);
                self.devnet.enroll(&[origin], &[auxiliary], Funds::default()).await?;
                Ok(format!("whitelisted and funded: {origin} on chain 3, {auxiliary} on chain 1406\n"))
            }
            ["stake", more @ ..] => self.ask(Kind::Stake, more, true).await,
            ["redeem", more @ ..] => self.ask(Kind::Redeem, more, true).await,
            ["ask", more @ ..] => self.ask(Kind::Stake, more, false).await,
            _ => bail!("unknown command\n{USAGE}"),
        }
    }

    async fn ask(&mut self, kind: Kind, more: &[&str], wait: bool) -> Result<String> {
        let count = match more {
            [] => 1,
            [count] => count.parse().with_context(|| format!("{count} is no number"))?,
            _ => bail!("too many words\n{USAGE}"),
        };
        ensure!((1..=100).contains(&count), "between 1 and 100 at a time");
        let first = &mut self.asked[kind.pick(0, 1)];
        let from = *first;
        *first += count;
        let requesters = Requesters::at(&self.devnet, kind, self.devnet.contracts.first(), from, count).await?;
        let requests = requesters.request_all(&self.devnet, Pace::Natural).await?;
        let name = kind.pick("stake", "redeem");
        let mut told: String =
            requests.iter().map(|request| format!("{name} {} is requested\n", request.request_hash)).collect();
        if wait {
            verify::wait_finished(&self.devnet, &requests, LIMIT)
                .await
                .with_context(|| format!("{told}not paid out: does a facilitator run, with keys that are enrolled?"))?;
            verify::finished(&self.devnet, &requests).await?;
            told += &format!("{count} of {count} paid out\n");
        }
        Ok(told)
    }
}

/// Runs the devnet in this process until somebody says `stop`.
async fn serve(block_time_ms: u64) -> Result<()> {
    let options = DevnetOptions {
        mining: Mining::Every(Duration::from_millis(block_time_ms)),
        ports: Some(PORTS),
        ..DevnetOptions::default()
    };
    let devnet = Devnet::start(options).await?;
    let _anchoring = Anchoring::start(&devnet, Policy::default());
    let config = Path::new(FOLDER).join("mosaic-config.json");
    fs::write(&config, serde_json::to_vec_pretty(&devnet.mosaic_config())?)?;
    let listener = UnixListener::bind(SOCKET).context("its socket can't be made")?;
    println!("origin chain 3: {}", devnet.origin.url);
    println!("auxiliary chain 1406: {}", devnet.auxiliary.url);
    println!("wrote {}", config.display());
    println!("{DONE}");
    let mut playground = Playground { devnet, asked: [0, 0] };
    loop {
        let (mut stream, _) = listener.accept().await?;
        let (reading, mut writing) = stream.split();
        let mut lines = tokio::io::BufReader::new(reading).lines();
        let Some(line) = lines.next_line().await? else { continue };
        if line == "stop" {
            fs::remove_file(SOCKET)?;
            writing.write_all(format!("{DONE}\n").as_bytes()).await?;
            return Ok(());
        }
        let answer = match playground.obey(&line).await {
            Ok(told) => format!("{told}{DONE}\n"),
            Err(error) => format!("{FAILED}{error:#}\n"),
        };
        // Who asked may have gone.
        drop(writing.write_all(answer.as_bytes()).await);
    }
}

/// Shows an answer up to its end.
fn show(answer: impl std::io::Read) -> Result<()> {
    for line in BufReader::new(answer).lines() {
        let line = line?;
        if line == DONE {
            return Ok(());
        }
        if let Some(why) = line.strip_prefix(FAILED) {
            bail!("{why}");
        }
        println!("{line}");
    }
    bail!("it ended; see {FOLDER}/log")
}

/// Starts the devnet as a process that stays, and returns once it is there.
fn start(block_time_ms: u64) -> Result<()> {
    ensure!(UnixStream::connect(SOCKET).is_err(), "it runs already: scripts/devnet stop");
    drop(fs::remove_file(SOCKET));
    fs::create_dir_all(FOLDER)?;
    let log = fs::File::create(Path::new(FOLDER).join("log"))?;
    let mut child = Command::new(env::current_exe()?)
        .args(["serve", "--block-time-ms", &block_time_ms.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0)
        .spawn()?;
    show(child.stdout.take().context("it says nothing")?)
}

fn tell(words: &[String]) -> Result<()> {
    let mut stream = UnixStream::connect(SOCKET).context("no devnet runs: scripts/devnet start")?;
    writeln!(stream, "{}", words.join(" "))?;
    show(stream)
}

fn run() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let given: Vec<&str> = words.iter().map(String::as_str).collect();
    let block_time = |text: &str| text.parse().with_context(|| format!("{text} is no number"));
    match given.as_slice() {
        [] | ["--help" | "-h", ..] => println!("{USAGE}"),
        ["start"] => start(BLOCK_TIME_MS)?,
        ["start", "--block-time-ms", text] => start(block_time(text)?)?,
        ["serve", "--block-time-ms", text] => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(block_time(text)?))?;
        }
        _ => tell(&words)?,
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("devnet: {error:#}");
            ExitCode::FAILURE
        }
    }
}
