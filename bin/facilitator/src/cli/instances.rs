//! The commands about the life of the instances.

use super::{PairArgs, examples};
use clap::{Args, Subcommand};

/// Which instance.
#[derive(Debug, Clone, Args)]
pub(crate) struct InstanceArgs {
    /// Which facilitator.
    #[command(flatten)]
    pub(crate) pair: PairArgs,
    /// Name of the instance; that of the config if it is left out. `facilitator stats` lists them.
    #[arg(long, value_name = "NAME")]
    pub(crate) instance: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Commands about maintenance.
#[derive(Debug, Subcommand)]
pub(crate) enum MaintenanceCommand {
    /// Ask for maintenance: from the next maintenance tick on the instance signs nothing, and others take its requests.
    ///
    /// For work on its host or its nodes, so that nothing waits meanwhile. Until the tick it works on; how far apart
    /// ticks are says the parameter maintenance_interval_ms.
    #[command(alias = "request-son-maintenance", after_help = examples::MAINTENANCE_REQUEST)]
    Request(InstanceArgs),
    /// Take a request for maintenance back, as long as it has not begun.
    #[command(alias = "cancel-request-son-maintenance", after_help = examples::MAINTENANCE_CANCEL)]
    Cancel(InstanceArgs),
    /// End the maintenance. A start of the instance does so too.
    ///
    /// It is active again at once, unless heavier instances hold all places (parameter maximum_active): maintenance
    /// keeps its place.
    #[command(after_help = examples::MAINTENANCE_END)]
    End(InstanceArgs),
}

impl MaintenanceCommand {
    /// Its arguments.
    pub(crate) const fn args(&self) -> &InstanceArgs {
        match self {
            Self::Request(args) | Self::Cancel(args) | Self::End(args) => args,
        }
    }
}

/// Arguments of `stats`.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// Which facilitator.
    #[command(flatten)]
    pub(crate) pair: PairArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Commands about parameters.
#[derive(Debug, Subcommand)]
pub(crate) enum ParamsCommand {
    /// Show one parameter, or all.
    #[command(after_help = examples::PARAMS_GET)]
    Get {
        /// Which facilitator.
        #[command(flatten)]
        pair: PairArgs,
        /// Its name, e.g. son_heartbeat_frequency_ms.
        name: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Change a parameter, for all instances.
    ///
    /// It is stored in the database and counts from then on, whatever the configs say; no restart is needed.
    #[command(after_help = examples::PARAMS_SET)]
    Set {
        /// Which facilitator.
        #[command(flatten)]
        pair: PairArgs,
        /// Its name. A time without `_ms` is given in seconds: `son_heartbeat_frequency 5`.
        name: String,
        /// Its value, a whole number.
        value: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
