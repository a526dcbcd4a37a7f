//! The `facilitator` executable: the command line, and the hidden roles that it starts itself in.

mod cli;
mod commands;
mod failure;
mod names;
mod output;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A system that refuses it leaves its own way: the process ends, as it may at any point.
    let _ends_then = facilitator_supervisor::limits::outlive_file_size();
    names::resolve_without_modules();
    // Before anything else: a worker's start costs what stands before it.
    match facilitator_roles::role_of(std::env::args_os().skip(1)) {
        Ok(Some(role)) => facilitator_roles::play(&role),
        Ok(None) => commands::run(),
        Err(error) => output::usage(&error.to_string()),
    }
}
