//! Fuzzing of everything that reads bytes from elsewhere: frames, configuration, nodes' answers, events, proofs.
//!
//! Real entries (recorded on the contracts, published configurations) are mutated with an eye to their structure, one
//! number a case, so that a finding is repeated by its number alone. Chosen over engines that are guided by coverage:
//! those need another compiler or a runner of their own, and without them they draw plain random bytes, which no
//! parser of JSON or of hash-linked nodes lets past its first line.
//!
//! Every case is bounded: time by its size, memory by [`Target::memory`]. A target says what must hold beyond "does
//! not panic". No part of the shipped program.

mod alloc;
mod corpus;
mod mutate;
mod targets;

use facilitator_dice::Rng;
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

pub use targets::all as targets;

/// What the product did with an input that kept every promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Taken,
    /// It was refused, as something damaged may be.
    Refused,
}

/// The outcome of a case: a verdict, or the promise that was broken.
pub type Outcome = Result<Verdict, String>;

/// One thing that reads bytes from elsewhere.
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Most memory in bytes that one case may hold beyond what it held before.
    pub memory: usize,
    /// One case, decided by the numbers it draws.
    pub case: Box<dyn Fn(&mut Rng) -> Outcome>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({})", self.name)
    }
}

/// What some cases came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Inputs that were taken.
    pub taken: u64,
    /// Inputs that were refused.
    pub refused: u64,
    /// Most memory that a case held, in bytes.
    pub peak: usize,
}

/// A case that broke a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The target.
    pub target: &'static str,
    /// The number of the case.
    pub case: u64,
    /// The promise, or the panic's message.
    pub what: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { target, case, what } = self;
        write!(f, "{target}, case {case}: {what}\nreplay: scripts/fuzz --from {case} --cases 1 {target}")
    }
}

/// Runs one case.
///
/// # Errors
/// [`Finding`] if it broke a promise.
pub fn run(target: &Target, case: u64, tally: &mut Tally) -> Result<(), Finding> {
    let finding = |what| Finding { target: target.name, case, what };
    let before = alloc::begin();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.case)(&mut Rng::new(case))));
    let peak = alloc::peak_since(before);
    tally.peak = tally.peak.max(peak);
    match outcome {
        Err(panic) => return Err(finding(format!("panic: {}", words(&*panic)))),
        Ok(Err(broken)) => return Err(finding(broken)),
        Ok(Ok(Verdict::Taken)) => tally.taken += 1,
        Ok(Ok(Verdict::Refused)) => tally.refused += 1,
    }
    if peak > target.memory {
        return Err(finding(format!("held {peak} bytes, more than {}", target.memory)));
    }
    Ok(())
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words").to_owned()
}

/// `Ok` if it holds, else the promise in words.
fn promise(holds: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(words()) }
}
