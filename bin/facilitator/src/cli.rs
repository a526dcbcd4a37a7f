//! The command line as `clap` reads it.
#![allow(rustdoc::invalid_html_tags, reason = "these comments are the help texts, where <home> is a place-holder")]

mod chains;
mod db;
#[cfg(test)]
mod documents;
mod examples;
mod init;
mod instances;
mod ledger;
mod requests;
mod run;

pub(crate) use chains::{ConnectionsArgs, ScannerCommand, SyncCommand};
pub(crate) use db::DbCommand;
pub(crate) use init::{AdoptArgs, InitArgs};
pub(crate) use instances::{InstanceArgs, MaintenanceCommand, ParamsCommand, StatsArgs};
pub(crate) use ledger::{LedgerArgs, Period};
pub(crate) use requests::RequestsCommand;
pub(crate) use run::{MonitorArgs, StartArgs, StopArgs};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Where the help shows what all commands take: behind their own options.
const LOGGING: &str = "Logging";

/// Moves tokens between two EVM chains through OpenST Mosaic gateways: accepts stake requests on the origin chain and
/// sees each one through to minted tokens on the auxiliary chain, and redeem requests the same way back.
///
/// Begin with `facilitator init`, look over the result with `facilitator doctor`, then `facilitator start`.
#[derive(Debug, Parser)]
#[command(name = "facilitator", version, propagate_version = true, max_term_width = 100, after_help = examples::MAIN)]
pub(crate) struct Cli {
    /// What is logged to standard error: error, warn, info, debug, trace, or a filter such as
    /// `info,facilitator_sender=debug`. `RUST_LOG` does the same.
    #[arg(long, global = true, value_name = "LEVEL", help_heading = LOGGING)]
    pub(crate) log_level: Option<String>,
    /// How log lines look.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", help_heading = LOGGING)]
    pub(crate) log_format: Option<LogFormat>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create worker keys and the configuration of a chain pair.
    ///
    /// Makes one new worker key for each chain and the hash-lock key, all encrypted, and writes them with the endpoints
    /// into the facilitator config: everything or nothing. Afterwards fund the printed addresses and have the
    /// organization whitelist them.
    ///
    /// Passwords come from --origin-password / --aux-password, else from the environment variables
    /// MOSAIC_ORIGIN_PASSWORD / MOSAIC_AUX_PASSWORD, else they are asked for twice.
    #[command(after_help = examples::INIT)]
    Init(InitArgs),
    /// Take over the configuration of the earlier, TypeScript facilitator, which has no hash-lock key.
    ///
    /// Its file is read as it is, keys included; this adds the one key that it lacks, encrypted with the password of
    /// the first origin worker, and keeps what was there beside it. Nothing else is changed.
    ///
    /// The password comes from MOSAIC_ADDRESS_PASSW_<address>, else it is asked for.
    #[command(after_help = examples::ADOPT)]
    Adopt(AdoptArgs),
    /// Run the facilitator of one or more chain pairs.
    ///
    /// Prints `ready` once both chains are in working mode. SIGTERM or Ctrl-C ends it in order, a second one at once;
    /// SIGHUP has it read its configuration again.
    /// The password of each worker key comes from MOSAIC_ADDRESS_PASSW_<address>, else it is asked for.
    #[command(after_help = examples::START)]
    Start(StartArgs),
    /// End a running facilitator in order and wait for its end.
    ///
    /// Workers hand back what they are at, senders end in order. A facilitator that a service manager
    /// runs is stopped by it: `systemctl stop facilitator@1406`.
    #[command(after_help = examples::STOP)]
    Stop(StopArgs),
    /// List the running facilitators.
    ///
    /// Of all chain pairs that are configured in this home (MOSAIC_HOME, else $HOME/.mosaic); with them the other
    /// instances that share their databases, on other hosts too.
    #[command(after_help = examples::LIST)]
    List(JsonArg),
    /// Show how a facilitator is doing: chains, processes, queue, the oldest unfinished request and why it waits.
    #[command(after_help = examples::STATUS)]
    Status(StatusArgs),
    /// How the two chains are synchronised with each other.
    #[command(subcommand, after_help = examples::SYNC)]
    Sync(SyncCommand),
    /// Look at requests, or try one again.
    #[command(subcommand, after_help = examples::REQUESTS)]
    Requests(RequestsCommand),
    /// Show what was earned and spent: bounties, rewards and gas, per gateway, period and asset.
    ///
    /// Every amount is in smallest units (wei) and to the last of them: what the columns say is by how much the balances
    /// of the worker keys have changed by this facilitator's transactions, also by those that reverted. The cost of a
    /// transaction that several requests needed, such as a gateway proof or an approval, is shared among them equally.
    /// Bounty and reward of a message that somebody else progressed are not in it: they were not earned.
    ///
    /// Made from the journal and the events in the database, so it answers whatever the nodes do. After a loss of the
    /// database it begins anew: what was sent before is not known to be ours.
    #[command(after_help = examples::LEDGER)]
    Ledger(LedgerArgs),
    /// Check configuration, database, nodes, contracts, whitelisting, balances and allowances.
    ///
    /// For a new configuration, after a change of it, and whenever requests wait or are skipped. Each finding says how to mend it. Exit code 1 if there is an error.
    #[command(after_help = examples::DOCTOR)]
    Doctor(DoctorArgs),
    /// Show the endpoints of both chains: health, heights, calls, errors, and which one is read.
    ///
    /// From the last report of the running facilitator, so that it answers whatever the nodes do.
    #[command(after_help = examples::CONNECTIONS)]
    Connections(ConnectionsArgs),
    /// Watch the gateways of a chain pair and everybody's work on them, and tell whoever is to know.
    ///
    /// Runs again and again, or once, and prints each run's report as a line of JSON: to standard output if nothing
    /// failed, else to standard error. A run that failed leaves its checkpoint where it was, so nothing is missed; what a
    /// receiver has had it does not get again.
    ///
    /// ENVIRONMENT (mainnet or testnet), ETHEREUM_URL and AUXILIARY_URL are needed; DISCORD_WEBHOOK_URL, SENTRY_DSN,
    /// WEBHOOK_URL (with WEBHOOK_SECRET), LARGE_STAKE_THRESHOLD, LARGE_REDEEM_THRESHOLD and DATA_DIR_PATH may be set. The
    /// object `monitor` of the facilitator config may say the same.
    #[command(after_help = examples::MONITOR)]
    Monitor(MonitorArgs),
    /// What an operator decides about the reading of a chain.
    #[command(subcommand, after_help = examples::SCANNER)]
    Scanner(ScannerCommand),
    /// Rebuild a lost or damaged database from both chains and the configuration.
    ///
    /// Reads both chains from `start_block` to their newest final blocks, recognises by the hash-lock key what this
    /// operator has accepted, and says of every request where it stands and what the next `start` does with it. Sends
    /// nothing. A sound database is left as it is; one that can't be read is kept under another name, if --set-aside
    /// says so. May be interrupted and run again.
    ///
    /// Needs the passwords of the worker keys, as `start` does.
    #[command(after_help = examples::RECOVER)]
    Recover(RecoverArgs),
    /// Take an instance out of service for a while, and back.
    #[command(subcommand, after_help = examples::MAINTENANCE)]
    Maintenance(MaintenanceCommand),
    /// Show the instances that share the database: status, transactions signed, downtime.
    ///
    /// Where one operator runs several instances for a chain pair, this says which of them work. Signed transactions are
    /// counted since the last reward run and ever.
    #[command(after_help = examples::STATS)]
    Stats(StatsArgs),
    /// Show or change what the life of the instances goes by. It counts for all of them at once.
    #[command(subcommand, after_help = examples::PARAMS)]
    Params(ParamsCommand),
    /// End an instance for good: it signs nothing any more, and another one takes its requests over.
    ///
    /// For an instance whose host or keys are gone. Stop it first, if it still runs.
    #[command(after_help = examples::DEREGISTER)]
    Deregister(InstanceArgs),
    /// Look after the database: bring its schema up to date, check it, or move it to another one.
    #[command(subcommand, after_help = examples::DB)]
    Db(DbCommand),
    /// Print shell completions.
    ///
    /// With them a shell completes commands and options at the tab key.
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// `--json`, for commands with nothing else.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct JsonArg {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which chain pair, by which files.
#[derive(Debug, Clone, Args)]
pub(crate) struct PairArgs {
    /// Id of the auxiliary chain.
    #[arg(long, value_name = "AUX")]
    pub(crate) chain_id: u64,
    /// Facilitator config instead of <home>/<AUX>/facilitator-config.json.
    #[arg(long, value_name = "FILE")]
    pub(crate) facilitator_config: Option<PathBuf>,
    /// Mosaic config instead of <home>/<AUX>/mosaic-config.json.
    #[arg(long, value_name = "FILE")]
    pub(crate) mosaic_config: Option<PathBuf>,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Which facilitator.
    #[command(flatten)]
    pub(crate) pair: PairArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Show it again every two seconds until interrupted; a terminal gives its whole screen, and has it back afterwards.
    #[arg(long)]
    pub(crate) watch: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Which facilitator.
    #[command(flatten)]
    pub(crate) pair: PairArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `recover`.
#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// Which facilitator.
    #[command(flatten)]
    pub(crate) pair: PairArgs,
    /// Keep the present database under another name beside it, and rebuild in a new one.
    #[arg(long)]
    pub(crate) set_aside: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Command {
    /// Whether results and errors are wanted as JSON.
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Init(args) => args.json,
            Self::Adopt(args) => args.json,
            Self::Start(args) => args.json,
            Self::Stop(args) => args.json,
            Self::List(args) => args.json,
            Self::Status(args) => args.json,
            Self::Doctor(args) => args.json,
            Self::Recover(args) => args.json,
            Self::Connections(args) => args.json,
            Self::Ledger(args) => args.json,
            Self::Monitor(args) => args.json,
            Self::Stats(args) => args.json,
            Self::Deregister(args) => args.json,
            Self::Maintenance(command) => command.args().json,
            Self::Params(ParamsCommand::Get { json, .. } | ParamsCommand::Set { json, .. }) => *json,
            Self::Sync(SyncCommand::Status { json, .. })
            | Self::Scanner(ScannerCommand::Rewind { json, .. })
            | Self::Db(
                DbCommand::Migrate { json, .. } | DbCommand::Check { json, .. } | DbCommand::Copy { json, .. },
            )
            | Self::Requests(
                RequestsCommand::List { json, .. }
                | RequestsCommand::Show { json, .. }
                | RequestsCommand::Retry { json, .. },
            ) => *json,
            Self::Completions { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_of_the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn unknown_flags_and_missing_parts_are_usage_errors() {
        for line in [
            "facilitator",
            "facilitator start --chain-di 1",
            "facilitator stop",
            "facilitator init --chain-id 1 --origin-rpc http://a --aux-rpc http://b",
            "facilitator requests retry --chain-id 1",
            "facilitator status --chain-id abc",
            "facilitator monitor --once --interval 5",
            "facilitator monitor --interval 0",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
