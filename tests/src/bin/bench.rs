//! The benchmark: measures its parts one after the other, prints what they found, and writes the report.

// A benchmark's result belongs on standard output.
#![allow(clippy::print_stdout)]

use anyhow::{Result, ensure};
use facilitator_tests::{
    arguments::Arguments,
    artifacts,
    bench::{self, Machine, Part, Report, Settings, say},
};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const USAGE: &str = "\
usage: scripts/bench [--only PART[,PART…]] [--report FOLDER | --book] [--render] [options]
Measures, and prints, all parts or those named:
  stakes     1, 10, 100 and 1000 stakes at once by the facilitator beside a straight script (--sizes N,N…; --runs N of
             each, 3 by default, one from 1000 on; --block-time-ms MS, --poll-ms MS, --confirmations N, --max-workers N)
  gas        gas of 1, 10 and 100 stakes and redeems, beside a script that proves once a height, and once a message
             (--gas-sizes N,N…)
  fees       the fee policy beside others over a series of 800 base fees (--fee-blocks N) that is recorded in the run
  workers    the start of a worker and its memory beside a bare program, Node's fork and a fork server (--starts N, 60)
  restart    with 10, 100, 1000 and 10000 unfinished requests (--rows N,N…) until the first transaction is sent
  scan       a chain of 100000 blocks (--blocks N) read from the first one on, beside a bare loop of the same calls
  deaths     from the SIGKILL of a worker in the midst of its work until the next one goes on: 60 deaths (--deaths N)
  parent     from the SIGKILL of the parent until no child is alive: 15 deaths (--parents N)
  instances  100 stakes (--shared N) by 1, 2 and 5 instances on one PostgreSQL server, and from the SIGKILL of one of two
             until the other has its work: 5 deaths (--takeovers N)
--seed N decides who dies when and how the load of the fees swings; what processes do just then is the machine's choice.
--report FOLDER writes benchmarks.md with its plots at the end, and benchmarks.json with the values after each part, so
  that what was measured is not lost. With --only the other parts stay as they are, if they are of the same machine, commit
  and settings.
--book reports into docs/src and writes the README's table; that needs all parts, no fewer samples than the default, a
  release build and no files that differ from the commit. Values are kept in target/bench until all are there: what a run
  that failed has measured is gone on with by --book --only.
--render writes page, plots and table anew from the values alone.";

/// Options with a value, beside those that choose what is done.
const NUMBERS: [&str; 12] = [
    "--runs",
    "--block-time-ms",
    "--poll-ms",
    "--confirmations",
    "--max-workers",
    "--fee-blocks",
    "--starts",
    "--deaths",
    "--parents",
    "--blocks",
    "--shared",
    "--takeovers",
];
const OTHERS: [&str; 6] = ["--sizes", "--gas-sizes", "--rows", "--seed", "--only", "--report"];

fn settings(arguments: &Arguments) -> Result<Settings> {
    let full = Settings::default();
    let number = |name: &str, default| arguments.number(name, default);
    // Of nothing there is nothing to tell.
    let count = |name: &str, default: usize| {
        let count = usize::try_from(arguments.number(name, default as u64)?)?;
        ensure!(count > 0, "{name} 0: at least 1");
        anyhow::Ok(count)
    };
    let milliseconds = |name: &str, default: Duration| {
        let default = u64::try_from(default.as_millis())?;
        anyhow::Ok(Duration::from_millis(arguments.number(name, default)?))
    };
    Ok(Settings {
        sizes: arguments.numbers("--sizes", &full.sizes)?,
        runs: count("--runs", full.runs)?,
        block_time: milliseconds("--block-time-ms", full.block_time)?,
        poll: milliseconds("--poll-ms", full.poll)?,
        confirmations: number("--confirmations", full.confirmations)?,
        max_workers: Some(number("--max-workers", 0)?).filter(|most| *most > 0),
        gas_sizes: arguments.numbers("--gas-sizes", &full.gas_sizes)?,
        fee_blocks: count("--fee-blocks", full.fee_blocks)?,
        starts: count("--starts", full.starts)?,
        deaths: count("--deaths", full.deaths)?,
        parents: count("--parents", full.parents)?,
        rows: arguments.numbers("--rows", &full.rows)?,
        blocks: number("--blocks", full.blocks)?,
        shared: count("--shared", full.shared)?,
        takeovers: count("--takeovers", full.takeovers)?,
        seed: number("--seed", SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?,
    })
}

/// Where the report goes: its folder, and the README that gets a table.
struct Target {
    folder: PathBuf,
    readme: Option<PathBuf>,
}

impl Target {
    fn read(arguments: &Arguments) -> Result<Option<Self>> {
        let folder = arguments.word("--report").map(PathBuf::from);
        ensure!(folder.is_none() || !arguments.has("--book"), "--report and --book exclude each other");
        let repository = artifacts::repository();
        Ok(match folder {
            Some(folder) => Some(Self { folder, readme: None }),
            None => arguments
                .has("--book")
                .then(|| Self { folder: repository.join("docs/src"), readme: Some(repository.join("README.md")) }),
        })
    }

    /// Where values are kept while it is measured: the book's report stays as it is until a new one is whole.
    fn work(&self) -> PathBuf {
        match self.readme {
            Some(_) => artifacts::repository().join("target/bench"),
            None => self.folder.clone(),
        }
    }

    fn write(&self, report: &Report) -> Result<()> {
        if self.readme.is_some() {
            // Whether there is a table is known before anything of the old report is replaced.
            report.readme()?;
        }
        report.write(&self.folder)?;
        self.readme.as_deref().map_or(Ok(()), |readme| report.write_readme(readme))?;
        say(&format!("written into {}", self.folder.display()));
        Ok(())
    }
}

async fn measure(parts: &[Part], mut report: Report, work: Option<&Path>) -> Result<Report> {
    let all = Instant::now();
    let settings = report.settings.clone();
    for (index, part) in parts.iter().enumerate() {
        say(&format!("part {} of {}: {}", index + 1, parts.len(), part.name()));
        let start = Instant::now();
        let chapter = bench::run(*part, &settings).await?;
        println!("{chapter}");
        report.put(chapter);
        if let Some(work) = work {
            report.keep(work)?;
        }
        let (took, whole) = (start.elapsed().as_secs(), all.elapsed().as_secs());
        say(&format!("part {} took {took} s, {whole} s since the start", part.name()));
    }
    Ok(report)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::read(&[NUMBERS.as_slice(), &OTHERS].concat(), &["--help", "--book", "--render"])?;
    if arguments.has("--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let target = Target::read(&arguments)?;
    if arguments.has("--render") {
        let target = target.map_or_else(|| anyhow::bail!("--render needs --report or --book"), Ok)?;
        return target.write(&Report::read(&target.folder)?);
    }
    let only = arguments.word("--only");
    let parts = match only {
        None => Part::ALL.to_vec(),
        Some(names) => names.split(',').map(Part::named).collect::<Result<_>>()?,
    };
    let (settings, machine) = (settings(&arguments)?, Machine::read()?);
    let work = target.as_ref().map(Target::work);
    let report = match work.as_deref().filter(|_| only.is_some()) {
        Some(work) => Report::go_on(work, machine, settings)?,
        None => Report::new(machine, settings)?,
    };
    if arguments.has("--book") {
        // Before half an hour is spent on it.
        report.is_worthy()?;
    }
    let report = measure(&parts, report, work.as_deref()).await?;
    target.map_or(Ok(()), |target| target.write(&report))
}
