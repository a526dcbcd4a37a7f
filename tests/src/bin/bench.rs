//! The benchmark: what the facilitator needs for many stakes at once, how soon it goes on after a death, and what a
//! restart with many unfinished requests needs, each beside a comparison in the same run.

// A benchmark's result belongs on standard output.
#![allow(clippy::print_stdout)]

use anyhow::{Result, bail};
use facilitator_tests::{
    arguments::Arguments,
    bench::{
        deaths, instances, orphans, restart, scan,
        stakes::{self, Racer, Settings},
    },
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const USAGE: &str = "\
usage: scripts/bench [--only stakes|straight|facilitator|deaths|parent|restart|scan|instances] [--stakes N] [--block-time-ms MS]
                     [--poll-ms MS] [--confirmations N] [--max-workers N] [--deaths N] [--parents N] [--rows N]
                     [--blocks N] [--takeovers N] [--seed S]
Measures six things, or one of them alone:
  stakes   the facilitator beside a straight script (each alone: facilitator, straight): 100 stakes at once (--stakes)
           and one-second blocks unless told otherwise
  deaths   from the SIGKILL of a worker in the midst of its work until the next one goes on: 120 deaths (--deaths)
  parent   from the SIGKILL of the parent until no child is alive: 25 deaths (--parents)
  restart  from a start with 10000 unfinished requests (--rows) until the first transaction is sent, beside one with 10
  scan     a chain of 100000 blocks (--blocks) read from the first one on, beside a bare loop of the same calls
  instances  the same stakes by 1, 2 and 5 instances on one PostgreSQL server, and from the SIGKILL of one of two until
           the other has its work: 10 deaths (--takeovers)
--seed decides who dies when; what the processes are doing just then is the machine's choice.";

/// What is to be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Stakes(Option<Racer>),
    Deaths,
    Parent,
    Restart,
    Scan,
    Instances,
}

fn parts(only: Option<&str>) -> Result<Vec<Part>> {
    Ok(match only {
        None => vec![Part::Stakes(None), Part::Deaths, Part::Parent, Part::Restart, Part::Scan, Part::Instances],
        Some("stakes") => vec![Part::Stakes(None)],
        Some("straight") => vec![Part::Stakes(Some(Racer::Straight))],
        Some("facilitator") => vec![Part::Stakes(Some(Racer::Facilitator))],
        Some("deaths") => vec![Part::Deaths],
        Some("parent") => vec![Part::Parent],
        Some("restart") => vec![Part::Restart],
        Some("scan") => vec![Part::Scan],
        Some("instances") => vec![Part::Instances],
        Some(other) => {
            bail!(
                "--only {other}: there are stakes, straight, facilitator, deaths, parent, restart, scan and instances"
            )
        }
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let names = ["--stakes", "--block-time-ms", "--poll-ms", "--confirmations", "--max-workers", "--only"];
    let names = [names.as_slice(), &["--deaths", "--parents", "--rows", "--blocks", "--takeovers", "--seed"]].concat();
    let arguments = Arguments::read(&names, &["--help"])?;
    if arguments.has("--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let count = |name: &str, default| anyhow::Ok(usize::try_from(arguments.number(name, default)?)?);
    let settings = Settings {
        stakes: count("--stakes", 100)?,
        block_time: Duration::from_millis(arguments.number("--block-time-ms", 1000)?),
        poll: Duration::from_millis(arguments.number("--poll-ms", 200)?),
        confirmations: arguments.number("--confirmations", 0)?,
        max_workers: Some(arguments.number("--max-workers", 0)?).filter(|most| *most > 0),
    };
    let (deaths, parents, rows) = (count("--deaths", 120)?, count("--parents", 25)?, count("--rows", 10_000)?);
    let takeovers = count("--takeovers", 10)?;
    let blocks = arguments.number("--blocks", 100_000)?;
    let seed = arguments.number("--seed", SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    for part in parts(arguments.word("--only"))? {
        match part {
            Part::Stakes(racer) => println!("{}", stakes::run(&settings, racer).await?),
            Part::Deaths => println!("\n(seed {seed}) {}", deaths::run(deaths, seed).await?),
            Part::Parent => println!("\n(seed {seed}) {}", orphans::run(parents, seed).await?),
            Part::Restart => println!("\n{}", restart::run(rows).await?),
            Part::Scan => println!("\n{}", scan::run(blocks).await?),
            Part::Instances => println!("\n{}", instances::run(settings.stakes, takeovers).await?),
        }
    }
    Ok(())
}
