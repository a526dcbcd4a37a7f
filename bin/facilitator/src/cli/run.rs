//! Arguments of what runs until it is ended, and of ending it: `start`, `stop`, `monitor`.
#![allow(rustdoc::invalid_html_tags, reason = "these comments are the help texts, where <home> is a place-holder")]

use clap::Args;
use std::path::PathBuf;

/// Arguments of `start`.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Id of the auxiliary chain; may be given several times. Without it all configured chains are started.
    #[arg(long, value_name = "AUX")]
    pub(crate) chain_id: Vec<u64>,
    /// Facilitator config instead of <home>/<AUX>/facilitator-config.json.
    #[arg(long, value_name = "FILE")]
    pub(crate) facilitator_config: Option<PathBuf>,
    /// Mosaic config instead of <home>/<AUX>/mosaic-config.json.
    #[arg(long, value_name = "FILE")]
    pub(crate) mosaic_config: Option<PathBuf>,
    /// Also watch the gateways, as `facilitator monitor` does. Without nodes of its own it asks those of `chains`.
    #[arg(long)]
    pub(crate) monitor: bool,
    /// Return once it is ready and let it run in the background, logging to <home>/<AUX>/facilitator.log.
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print the ready line as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Read the passwords as lines `address password` from standard input: how `start` hands them to its own children.
    #[arg(long, hide = true)]
    pub(crate) passwords_from_stdin: bool,
}

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Id of the auxiliary chain.
    #[arg(long, value_name = "AUX", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) chain_id: Option<u64>,
    /// End all running facilitators of this home.
    #[arg(long)]
    pub(crate) all: bool,
    /// Seconds to wait for the end.
    #[arg(long, value_name = "S", default_value_t = 30)]
    pub(crate) timeout: u64,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `monitor`.
#[derive(Debug, Args)]
pub(crate) struct MonitorArgs {
    /// Id of the auxiliary chain; may be left out if only one is configured.
    #[arg(long, value_name = "AUX")]
    pub(crate) chain_id: Option<u64>,
    /// Facilitator config instead of <home>/<AUX>/facilitator-config.json.
    #[arg(long, value_name = "FILE")]
    pub(crate) facilitator_config: Option<PathBuf>,
    /// Mosaic config instead of <home>/<AUX>/mosaic-config.json.
    #[arg(long, value_name = "FILE")]
    pub(crate) mosaic_config: Option<PathBuf>,
    /// One run; exit code 1 if anything failed.
    #[arg(long, conflicts_with = "interval")]
    pub(crate) once: bool,
    /// Seconds between two runs.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) interval: Option<u64>,
    /// Begin at this block of each chain that was not watched before, instead of at its newest blocks.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=1_000_000_000_000_000))]
    pub(crate) from_block: Option<u64>,
    /// Folder for a JSON file in which to keep what was done, instead of the database.
    #[arg(long, value_name = "D")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print a failure to begin as JSON; reports always are.
    #[arg(long)]
    pub(crate) json: bool,
}
