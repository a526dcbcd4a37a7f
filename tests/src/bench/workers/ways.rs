//! The ways to start a process that are compared.

use crate::{operator, process};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Pause between two looks whether processes have ended.
const LOOK: Duration = Duration::from_micros(500);

/// How a process is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A program that does nothing.
    Bare,
    /// The product's worker.
    Worker,
    /// Node's `child_process.fork`.
    NodeFork,
    /// A fork server.
    ForkServer,
}

/// For each number that it is told: starts so many children, and says in one line the milliseconds until all had said
/// something, and their process ids; an empty line ends them.
const NODE_PARENT: &str = r"
const { fork } = require('child_process');
let children = [];
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const count = Number(line);
  if (!count) {
    let left = children.length;
    for (const child of children) child.on('exit', () => { if (--left === 0) console.log('gone'); });
    for (const child of children) child.disconnect();
    children = [];
    return;
  }
  const start = process.hrtime.bigint();
  let silent = count;
  for (let index = 0; index < count; index += 1) {
    const child = fork(process.argv[1]);
    children.push(child);
    child.once('message', () => {
      silent -= 1;
      if (silent === 0) {
        const took = Number(process.hrtime.bigint() - start) / 1e6;
        console.log([took, ...children.map((child) => child.pid)].join(' '));
      }
    });
  }
}).on('close', () => process.exit());
";
/// Says a word and stays until its parent lets it go.
const NODE_CHILD: &str = "process.on('disconnect', () => process.exit()); process.send('hello');\n";

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::Bare, Self::Worker, Self::NodeFork, Self::ForkServer];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "/bin/cat, a bare program",
            Self::Worker => "facilitator's worker",
            Self::NodeFork => "Node's fork",
            Self::ForkServer => "fork server",
        }
    }

    /// Its name in figures.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Worker => "worker",
            Self::NodeFork => "node",
            Self::ForkServer => "fork_server",
        }
    }

    pub(super) const fn explained() -> &'static str {
        "A bare program: `/bin/cat`, which gives back a byte. The worker: the shipped program executed again, until its hello. \
         Node's fork: `child_process.fork` of a script of one line, until its message. A fork server: a small program with one \
         thread that forks a child, which makes the runtime of a worker, connects to a socket and says its process id; all \
         that a worker is beside that (its keys, messages, limits) is left out."
    }

    pub(super) fn starter(self) -> Result<Starter> {
        Ok(match self {
            Self::Bare => Starter::Own { program: "/bin/cat".into(), arguments: vec![], word: true },
            // A child checks that its parent is the one it was told.
            Self::Worker => {
                let own = std::process::id().to_string();
                let arguments = ["__role".to_owned(), "worker".to_owned(), own].to_vec();
                Starter::Own { program: operator::binary()?, arguments, word: false }
            }
            Self::NodeFork => Starter::Node(Server::node()?),
            Self::ForkServer => {
                let folder = TempDir::new()?;
                let socket = folder.path().join("hello");
                let listener = UnixListener::bind(&socket)?;
                let here = env::current_exe()?;
                let program = here.with_file_name("fork-server");
                let server = Server::start(Command::new(program).arg(&socket), folder)?;
                Starter::Fork { server, listener }
            }
        })
    }
}

/// Starts processes in one way.
pub(super) enum Starter {
    /// By this process itself; `word`: a byte is written to it first.
    Own { program: PathBuf, arguments: Vec<String>, word: bool },
    /// By a Node process.
    Node(Server),
    /// By the fork server, whose children come to the listener.
    Fork { server: Server, listener: UnixListener },
}

/// A process that starts others.
pub(super) struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl Server {
    fn start(command: &mut Command, folder: TempDir) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Self { child, input, output, _folder: folder })
    }

    fn node() -> Result<Self> {
        let folder = TempDir::new()?;
        let script = folder.path().join("child.js");
        std::fs::write(&script, NODE_CHILD)?;
        Self::start(Command::new("node").args(["-e", NODE_PARENT]).arg(script), folder)
    }

    fn say(&mut self, line: &str) -> Result<String> {
        writeln!(self.input, "{line}")?;
        let mut answer = String::new();
        ensure!(self.output.read_line(&mut answer)? > 0, "Node said nothing");
        Ok(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended; nothing more is wanted of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processes that live.
pub(super) struct Started {
    /// From the first call until the last one's first word.
    pub(super) took: Duration,
    pub(super) pids: Vec<u32>,
    children: Vec<Child>,
    connections: Vec<UnixStream>,
}

impl Starter {
    /// Starts so many, and waits until each has said its first word.
    pub(super) fn start(&mut self, count: usize) -> Result<Started> {
        let start = Instant::now();
        match self {
            Self::Own { program, arguments, word } => {
                let mut children = Vec::new();
                for _ in 0..count {
                    let mut child = Command::new(&*program)
                        .args(&*arguments)
                        .stdin(Stdio::piped())
                        .stdout(Stdio::piped())
                        .stderr(Stdio::null())
                        .spawn()
                        .with_context(|| format!("cannot start {}", program.display()))?;
                    if *word {
                        child.stdin.as_mut().context("no input")?.write_all(b"x")?;
                    }
                    children.push(child);
                }
                for child in &mut children {
                    child.stdout.as_mut().context("no output")?.read_exact(&mut [0])?;
                }
                let took = start.elapsed();
                let pids = children.iter().map(Child::id).collect();
                Ok(Started { took, pids, children, connections: vec![] })
            }
            Self::Node(server) => {
                let answer = server.say(&count.to_string())?;
                let mut words = answer.split_whitespace();
                let took: f64 = words.next().context("Node told no time")?.parse()?;
                let pids = words.map(|pid| Ok(pid.parse()?)).collect::<Result<Vec<u32>>>()?;
                Ok(Started { took: Duration::from_secs_f64(took / 1e3), pids, children: vec![], connections: vec![] })
            }
            Self::Fork { server, listener } => {
                server.input.write_all(&vec![0; count])?;
                let (mut pids, mut connections) = (Vec::new(), Vec::new());
                for _ in 0..count {
                    let mut stream = listener.accept()?.0;
                    let mut pid = [0; 8];
                    stream.read_exact(&mut pid)?;
                    pids.push(u32::try_from(u64::from_le_bytes(pid))?);
                    connections.push(stream);
                }
                Ok(Started { took: start.elapsed(), pids, children: vec![], connections })
            }
        }
    }

    /// Lets them end and waits until they have.
    pub(super) fn end(&mut self, started: Started) -> Result<()> {
        let Started { pids, children, connections, .. } = started;
        drop(connections);
        for mut child in children {
            drop(child.stdin.take());
            child.wait()?;
        }
        if let Self::Node(server) = self {
            ensure!(server.say("")?.trim() == "gone", "Node's children stay");
        }
        let start = Instant::now();
        while pids.iter().any(|pid| process::alive(*pid)) {
            if start.elapsed() > Duration::from_secs(30) {
                bail!("a process does not end");
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}
