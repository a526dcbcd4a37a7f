//! A seeded simulation of the whole facilitator, to look for what its laws forbid.
//!
//! One number decides a run: when which process goes on, which dies, what the chains, the nodes and strangers do. The
//! product's own code runs in it: the worker, the sender, the follower of the scanner, and the pure cores of the rest;
//! around them stand two modelled chains, a disk that keeps what was committed, and the parent's loop. Every call to a
//! node and every commit is a step boundary, at which another process may go first or the caller may die.
//!
//! Invariant: no threads, no clock, no other source of chance. The same seed gives the same run.

mod allowance;
mod boxes;
mod chain;
mod clerk;
mod contracts;
mod deeds;
mod desk;
mod disk;
mod ending;
mod hire;
mod keep;
mod money;
mod mutation;
mod names;
mod node;
mod parent;
mod run;
mod scanner;
mod sender;
mod slot;
mod state;
mod strangers;
mod trie;
mod trouble;
mod truth;
mod views;
mod world;

use facilitator_dice as rng;

pub use mutation::Mutation;
pub use rng::Rng;
pub use run::{Outcome, run, run_only};
pub use world::{Telling, Violation};

#[expect(clippy::print_stdout, reason = "a run that is told aloud is a result")]
fn say(line: &str) {
    println!("{line}");
}

/// A run that broke an invariant, in words: seed, step, invariant and the last events.
#[must_use]
pub fn report(outcome: &Outcome, mutation: Mutation) -> Option<String> {
    let broken = outcome.violation.as_ref()?;
    let told = run(outcome.seed, mutation, Telling::Remember);
    let depth = if outcome.deep { "forks deeper than the confirmations" } else { "forks within the confirmations" };
    let Outcome { seed, steps, requests, deaths, .. } = outcome;
    Some(format!(
        "seed {seed}, step {steps} ({requests} requests, {deaths} deaths, {depth}): `{}` is broken: {}\n{}\n\
         replay: scripts/simulate --seed {seed}",
        broken.invariant,
        broken.found,
        told.tale.join("\n")
    ))
}
