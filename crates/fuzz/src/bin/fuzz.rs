//! Runs targets for a while, or a number of cases: `fuzz [--seconds N | --cases N] [--from CASE] [TARGET …]`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

use facilitator_fuzz::{Tally, Target, run, targets};
use std::{
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const USAGE: &str = "\
usage: scripts/fuzz [--seconds N | --cases N] [--from CASE] [TARGET …]
Feeds damaged frames, configurations, answers of nodes, events and proofs to their readers: each target for N seconds
(30) or N cases. Cases are numbers; a case that breaks a promise is repeated by its number. Starts at a number of the
clock unless --from is given. Targets:";

struct Wish {
    seconds: u64,
    cases: u64,
    from: u64,
    targets: Vec<String>,
}

fn wish() -> Result<Wish, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut wish = Wish { seconds: 30, cases: u64::MAX, from: now << 32, targets: vec![] };
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        let mut number = || given.next().and_then(|text| text.parse().ok()).ok_or(format!("{word} needs a number"));
        match word.as_str() {
            "--seconds" => wish.seconds = number()?,
            "--cases" => (wish.cases, wish.seconds) = (number()?, u64::MAX >> 1),
            "--from" => wish.from = number()?,
            _ if targets().iter().any(|target| target.name == word) => wish.targets.push(word),
            _ => return Err(format!("there is no {word}")),
        }
    }
    Ok(wish)
}

/// Whether every promise was kept.
fn fuzz(target: &Target, wish: &Wish) -> bool {
    let (start, limit) = (Instant::now(), Duration::from_secs(wish.seconds));
    let mut tally = Tally::default();
    let mut done = 0;
    while done < wish.cases && start.elapsed() < limit {
        if let Err(finding) = run(target, wish.from.wrapping_add(done), &mut tally) {
            println!("{finding}");
            return false;
        }
        done += 1;
    }
    let Tally { taken, refused, peak } = tally;
    println!(
        "{:<12} {done} cases from {}: {taken} taken, {refused} refused, at most {} KiB",
        target.name,
        wish.from,
        peak >> 10
    );
    true
}

fn main() -> ExitCode {
    let wish = match wish() {
        Ok(wish) => wish,
        Err(problem) => {
            let names: Vec<&str> = targets().iter().map(|target| target.name).collect();
            eprintln!("fuzz: {problem}\n{USAGE} {}", names.join(", "));
            return ExitCode::from(2);
        }
    };
    // A panic is a finding, told with the number of its case.
    std::panic::set_hook(Box::new(|_| {}));
    let chosen = targets().into_iter().filter(|t| wish.targets.is_empty() || wish.targets.iter().any(|n| n == t.name));
    let kept: Vec<bool> = chosen.map(|target| fuzz(&target, &wish)).collect();
    if kept.into_iter().all(|kept| kept) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
