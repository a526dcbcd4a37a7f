//! `facilitator completions`.

use crate::cli::Cli;
use crate::failure::{Exit, Failure};
use clap::CommandFactory;
use clap_complete::Shell;

/// Prints the completions of a shell.
pub(crate) fn run(shell: Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "facilitator", &mut text);
    crate::output::line(String::from_utf8_lossy(&text).trim_end());
    Ok(Exit::Done)
}
