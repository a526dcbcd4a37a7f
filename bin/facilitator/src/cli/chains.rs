//! Commands about the chains: how they are read, by whom, and how they are in step.
#![allow(rustdoc::invalid_html_tags, reason = "these comments are the help texts, where <home> is a place-holder")]

use super::{PairArgs, examples};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Arguments of `connections`.
#[derive(Debug, Args)]
pub(crate) struct ConnectionsArgs {
    /// Which facilitator.
    #[command(flatten)]
    pub(crate) pair: PairArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Commands about the reading of a chain.
#[derive(Debug, Subcommand)]
pub(crate) enum ScannerCommand {
    /// Go back to a block and read the chain again from there.
    ///
    /// For a fork that is too deep to be followed by itself: everything that was learnt from later blocks is undone,
    /// in one transaction, and learnt anew from the chain as it is now. Requests that were acted upon keep their secret
    /// and are looked at again. A facilitator that runs notices by itself. If the block is not remembered, the next
    /// lower one that is serves; if there is none, the chain is read from its start_block.
    #[command(after_help = examples::SCANNER)]
    Rewind {
        /// Id of the chain to rewind: of the auxiliary chain, or of the origin chain of a configured pair.
        #[arg(long, value_name = "N")]
        chain_id: u64,
        /// The newest block to keep.
        #[arg(long, value_name = "BLOCK")]
        to: u64,
        /// Facilitator config instead of <home>/<AUX>/facilitator-config.json.
        #[arg(long, value_name = "FILE")]
        facilitator_config: Option<PathBuf>,
        /// Mosaic config instead of <home>/<AUX>/mosaic-config.json.
        #[arg(long, value_name = "FILE")]
        mosaic_config: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Commands about the synchronisation of the pair.
#[derive(Debug, Subcommand)]
pub(crate) enum SyncCommand {
    /// Show stage, heights and what each chain waits for. No work is done before both are in stage `working`.
    ///
    /// For a start that does not become ready, and when nothing moves although both nodes answer. From the database, so
    /// it answers whatever the nodes do.
    #[command(after_help = examples::SYNC)]
    Status {
        /// Which facilitator.
        #[command(flatten)]
        pair: PairArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
