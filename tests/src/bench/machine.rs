//! The machine that was measured on, and the versions of all that took part.

use crate::artifacts;
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, UNIX_EPOCH},
};

/// What the report itself changes: no reason to call the code changed.
const OWN: [&str; 4] = [":!README.md", ":!docs/src/benchmarks.md", ":!docs/src/benchmarks.json", ":!docs/src/images"];

/// Behind a commit that files differ from.
const CHANGED: &str = ", changed";

/// The machine and the versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// Its cores.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Operating system, with its kernel.
    pub system: String,
    /// Of the nodes.
    pub anvil: String,
    /// The compiler.
    pub rustc: String,
    /// Profile that product and benchmark were built in.
    pub build: String,
    /// Of the comparison with Node.
    pub node: String,
    /// The contracts.
    pub contracts: String,
    /// Whether the product is another one than was built with the benchmark: that of `$FACILITATOR`.
    pub is_foreign: bool,
    /// Commit of the code, with `, changed` where files differ from it.
    pub commit: String,
}

fn told_by(program: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(artifacts::repository());
    let output = command.output().with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(output.status.success(), "{} {} failed", program.display(), arguments.join(" "));
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// The value of a line `name : value`, or `name=value`.
fn value(file: &str, name: &str) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let found = text.lines().find_map(|line| {
        let (own, value) = line.split_once([':', '='])?;
        (own.trim() == name).then(|| value.trim().trim_matches('"').to_owned())
    });
    found.with_context(|| format!("{file} has no {name}"))
}

impl Machine {
    /// This machine, as it is now.
    ///
    /// # Errors
    /// When something about it can't be found out.
    pub fn read() -> Result<Self> {
        let memory = value("/proc/meminfo", "MemTotal")?;
        let kib: u64 = memory.split(' ').next().unwrap_or_default().parse().context("MemTotal")?;
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let package = artifacts::repository().join("node_modules/@openst/mosaic-contracts/package.json");
        let package: Json = serde_json::from_slice(&fs::read(&package).context("run scripts/devnet-tools")?)?;
        let git = Path::new("git");
        let changes = told_by(git, &[["status", "--porcelain", "--", "."], OWN].concat())?;
        let commit = told_by(git, &["rev-parse", "--short=12", "HEAD"])?;
        let text = |name: &str| package[name].as_str().with_context(|| format!("the contracts have no {name}"));
        Ok(Self {
            processor: value("/proc/cpuinfo", "model name")?,
            cores: std::thread::available_parallelism()?.get(),
            memory_mib: kib / 1024,
            system: format!("{}, Linux {}", value("/etc/os-release", "PRETTY_NAME")?, kernel.trim()),
            anvil: told_by(&artifacts::anvil_path()?, &["--version"])?,
            rustc: told_by(Path::new("rustc"), &["--version"])?,
            build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            node: format!("Node.js {}", told_by(Path::new("node"), &["--version"])?),
            contracts: format!("{} {}", text("name")?, text("version")?),
            is_foreign: std::env::var_os("FACILITATOR").is_some(),
            commit: if changes.is_empty() { commit } else { format!("{commit}{CHANGED}") },
        })
    }

    /// Checks that it tells of the product as it ships, built from a commit.
    ///
    /// # Errors
    /// What it tells of instead.
    pub(super) fn ships(&self) -> Result<()> {
        ensure!(self.build == "release", "a {} build, not a release", self.build);
        ensure!(!self.commit.ends_with(CHANGED), "files differ from the commit: {}", self.commit);
        ensure!(!self.is_foreign, "$FACILITATOR names another product");
        Ok(())
    }

    /// Its rows in the report.
    #[must_use]
    pub fn rows(&self) -> Vec<Vec<String>> {
        let rows = [
            ("processor", format!("{}, {} cores", self.processor, self.cores)),
            ("memory", format!("{} MiB", self.memory_mib)),
            ("system", self.system.clone()),
            ("nodes", self.anvil.clone()),
            ("contracts", self.contracts.clone()),
            ("compiler", format!("{}, {} build", self.rustc, self.build)),
            ("product", if self.is_foreign { "of $FACILITATOR" } else { "built with the benchmark" }.to_owned()),
            ("for the comparison", self.node.clone()),
            ("commit", self.commit.clone()),
        ];
        rows.map(|(what, is)| vec![what.to_owned(), is]).to_vec()
    }
}

/// The day of a time in seconds since 1970.
pub(super) fn day(seconds: u64) -> String {
    let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}
