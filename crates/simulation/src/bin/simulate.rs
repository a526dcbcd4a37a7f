//! Runs seeds: `simulate --seeds N [--from S]`, or one of them aloud: `simulate --seed S`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

use facilitator_simulation::{Mutation, Telling, report, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1)?.parse::<u64>().ok()
    };
    match (value("--seed"), value("--seeds")) {
        (Some(seed), None) => one(seed),
        (None, Some(count)) => many(value("--from").unwrap_or(0), count),
        _ => {
            eprintln!("simulate --seeds N [--from S] | --seed S");
            ExitCode::from(2)
        }
    }
}

fn one(seed: u64) -> ExitCode {
    let outcome = run(seed, Mutation::None, Telling::Aloud);
    println!("seed {seed}: {} steps, {} requests, {} deaths", outcome.steps, outcome.requests, outcome.deaths);
    if outcome.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn many(from: u64, count: u64) -> ExitCode {
    let (mut broken, mut requests, mut deaths) = (0_u64, 0, 0);
    for seed in from..from.saturating_add(count) {
        let outcome = run(seed, Mutation::None, Telling::Silent);
        requests += outcome.requests;
        deaths += outcome.deaths;
        if let Some(text) = report(&outcome, Mutation::None) {
            broken += 1;
            eprintln!("{text}\n");
        }
    }
    println!("{count} seeds from {from}: {requests} requests, {deaths} deaths, {broken} violations");
    if broken > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
