//! Commands about requests.

use super::{PairArgs, examples};
use clap::Subcommand;

/// Commands about requests.
#[derive(Debug, Subcommand)]
pub(crate) enum RequestsCommand {
    /// List requests, newest last.
    #[command(after_help = examples::REQUESTS_LIST)]
    List {
        /// Which facilitator.
        #[command(flatten)]
        pair: PairArgs,
        /// Only those in this state, e.g. COMPLETE.
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show the whole life of a request: steps, transactions, gas, reward, what it waits for and what happens next.
    #[command(after_help = examples::REQUESTS_SHOW)]
    Show {
        /// Which facilitator.
        #[command(flatten)]
        pair: PairArgs,
        /// Request hash or message hash; the first eight digits are enough if they are unique.
        hash: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a request up again now: one that waits, failed, or was skipped.
    #[command(after_help = examples::REQUESTS_RETRY)]
    Retry {
        /// Which facilitator.
        #[command(flatten)]
        pair: PairArgs,
        /// Request hash or message hash.
        #[arg(required_unless_present = "state", conflicts_with = "state")]
        hash: Option<String>,
        /// All requests in this state, e.g. SKIPPED.
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
