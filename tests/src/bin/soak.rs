//! The soak: stakes and redeems flow while processes are killed at random; in the end nothing may be lost, done twice or stranded.

// What a soak shows belongs on standard output.
#![allow(clippy::print_stdout)]

use anyhow::{Result, ensure};
use facilitator_tests::{
    arguments::Arguments,
    soak::{
        self, Plan, Progress, Until,
        shared::{self, Shared},
    },
    world::Database,
};
use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const USAGE: &str = "\
usage: scripts/soak --instances N [--db postgres|sqlite] [--requests N] [--faults N] [--kill-every SECONDS] [--seed S]
Lets N instances of one operator share a database (postgres) and the work on N requests (200), half of them stakes and half
redeems, while they are killed, stopped for a while, cut off from the network and started again at random, and the server
too, N times (40), one each S seconds (2) on average. Each lives in a network namespace where this user may make them. In the end each step must have happened once, and each instance have counted what its keys sent.

usage: scripts/soak [--minutes M | --kills N] [--kill-every SECONDS] [--in-flight N] [--seed S] [--failing PERCENT]
Keeps N stakes and redeems (12) in flight between two chains of your own machine for M minutes (5), or until N deaths, and kills
processes of the facilitator with SIGKILL, one each S seconds (1) on average: workers, scanners, senders, the parent,
all at once, and whoever comes to a named kill point. With --failing so many of
100 requests to the nodes fail: dropped, lost on the way back, refused.
Ends with a report, and with 1 if anything was lost, done twice, left behind or kept.";
/// Longest time for everything to end once faults have stopped.
const DEADLINE: Duration = Duration::from_secs(180);
/// Pause between two lines where the output is no terminal.
const LINE: Duration = Duration::from_secs(15);

fn line(progress: &Progress) -> String {
    let Progress { elapsed, draining, asked, finished, kills, resident_kib } = progress;
    let what = if *draining { "no more faults" } else { "killing" };
    format!(
        "{:6.1} s  {what:<14}  requests {asked:>5}  completed {finished:>5}  kills {kills:>5}  parent {:>4} MiB",
        elapsed.as_secs_f64(),
        resident_kib >> 10,
    )
}

/// Shows the progress: a line that changes on a terminal, now and then a line elsewhere.
fn teller() -> impl FnMut(&Progress) {
    let live = std::io::stdout().is_terminal();
    let mut next = Duration::ZERO;
    move |progress| {
        if live {
            print!("\r{}", line(progress));
            // A terminal that is gone shows nothing; the soak goes on.
            let _ = std::io::stdout().flush();
        } else if progress.elapsed >= next {
            next = progress.elapsed + LINE;
            println!("{}", line(progress));
        }
    }
}

fn plan(arguments: &Arguments) -> Result<Plan> {
    let minutes = Duration::from_secs(60 * arguments.number("--minutes", 5)?);
    ensure!(arguments.number("--failing", 0)? <= 90, "--failing must be at most 90: something has to get through");
    let every: f64 = arguments.word("--kill-every").unwrap_or("1").parse()?;
    ensure!((0.01..=3600.0).contains(&every), "--kill-every must be 0.01 to 3600 seconds");
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(Plan {
        until: match arguments.number("--kills", 0)? {
            0 => Until::Time(minutes),
            kills => Until::Kills(kills),
        },
        kill_every: Duration::from_secs_f64(every),
        in_flight: usize::try_from(arguments.number("--in-flight", 12)?)?,
        seed: arguments.number("--seed", now)?,
        failing: arguments.number("--failing", 0)?,
        deadline: DEADLINE,
    })
}

/// Several instances that share a database.
async fn share(arguments: &Arguments) -> Result<ExitCode> {
    let every: f64 = arguments.word("--kill-every").unwrap_or("2").parse()?;
    ensure!((0.01..=3600.0).contains(&every), "--kill-every must be 0.01 to 3600 seconds");
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let plan = Shared {
        instances: usize::try_from(arguments.number("--instances", 2)?)?,
        requests: usize::try_from(arguments.number("--requests", 200)?)?,
        database: match arguments.word("--db").unwrap_or("postgres") {
            "postgres" => Database::Postgres,
            "sqlite" => Database::Sqlite,
            other => anyhow::bail!("--db must be postgres or sqlite, not {other}"),
        },
        every: Duration::from_secs_f64(every),
        faults: arguments.number("--faults", 40)?,
        seed: arguments.number("--seed", now)?,
        deadline: DEADLINE.saturating_mul(4),
    };
    println!("soak of {} instances with seed {}", plan.instances, plan.seed);
    let outcome = Box::pin(shared::run(plan)).await?;
    println!(
        "{outcome:#?}
lost 0, duplicated 0"
    );
    Ok(ExitCode::SUCCESS)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let names = [
        "--minutes",
        "--kills",
        "--kill-every",
        "--in-flight",
        "--seed",
        "--failing",
        "--instances",
        "--requests",
        "--faults",
        "--db",
    ];
    let arguments = Arguments::read(&names, &["--help"])?;
    if arguments.has("--help") {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.word("--instances").is_some() {
        return share(&arguments).await;
    }
    let plan = plan(&arguments)?;
    println!("soak with seed {}", plan.seed);
    let report = soak::run(plan, &mut teller()).await?;
    println!("\n{report}");
    Ok(if report.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
