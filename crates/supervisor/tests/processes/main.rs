//! Real children of this test's own executable, started from its main thread: what the supervisor sees of them.
//!
//! A harness of its own, because the standard one runs tests on threads and children must come from the main thread.
//! The arguments are parts of names; a case runs if one of them matches, or if there are none.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a test program"
)]

mod bed;
mod ends;
mod isolation;
mod protocol;
mod roles;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use facilitator_supervisor::child::RoleRequest;

/// One test: a name and what it does.
type Case = (&'static str, fn());

/// A table of async functions as cases, each on a current-thread runtime of its own.
#[macro_export]
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        pub(crate) const CASES: &[$crate::Case] = &[$((stringify!($name), || $crate::bed::block_on($name()))),*];
    };
}

fn main() -> ExitCode {
    match RoleRequest::from_args(std::env::args_os().skip(1)) {
        Ok(Some(request)) => return roles::play(&request),
        Ok(None) => {}
        Err(error) => panic!("{error}"),
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut failed = 0_u8;
    for (name, run) in [ends::CASES, protocol::CASES, isolation::CASES].concat() {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let started = std::time::Instant::now();
        let passed = catch_unwind(AssertUnwindSafe(run)).is_ok();
        println!("test {name} ... {} ({} ms)", if passed { "ok" } else { "FAILED" }, started.elapsed().as_millis());
        failed += u8::from(!passed);
    }
    ExitCode::from(failed.min(1))
}
