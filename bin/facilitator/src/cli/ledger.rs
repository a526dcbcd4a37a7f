//! Arguments of `facilitator ledger`.

use super::PairArgs;
use clap::{Args, ValueEnum};

/// Arguments of `ledger`.
#[derive(Debug, Args)]
pub(crate) struct LedgerArgs {
    /// Which facilitator.
    #[command(flatten)]
    pub(crate) pair: PairArgs,
    /// Only transactions from then on: a date (2026-01-31) or time (2026-01-31T12:00:00Z) in UTC, or how long ago
    /// (36h, 7d).
    #[arg(long, value_name = "TIME|DURATION", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// What to add up: days, months, or everything.
    #[arg(long, value_enum, value_name = "PERIOD", default_value = "day")]
    pub(crate) period: Period,
    /// Print JSON.
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// Print comma-separated values: a heading, one line for each period, gateway and asset, no totals.
    #[arg(long)]
    pub(crate) csv: bool,
}

/// What is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Period {
    /// A day in UTC.
    Day,
    /// A month in UTC.
    Month,
    /// Everything.
    All,
}
