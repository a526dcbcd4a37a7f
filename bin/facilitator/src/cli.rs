//! The command line as `clap` reads it.
#![allow(rustdoc::invalid_html_tags, reason = "these comments are the help texts, where <home> is a place-holder")]

mod instances;
mod ledger;

pub(crate) use instances::{InstanceArgs, MaintenanceCommand, ParamsCommand, StatsArgs};
pub(crate) use ledger::{LedgerArgs, Period};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Moves tokens between two EVM chains through OpenST Mosaic gateways: accepts stake requests on the origin chain and
/// sees each one through to minted tokens on the auxiliary chain, and redeem requests the same way back.
///
/// Begin with `facilitator init`, look over the result with `facilitator doctor`, then `facilitator start`.
#[derive(Debug, Parser)]
#[command(name = "facilitator", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// What is logged to standard error: error, warn, info, debug, trace, or a filter such as
    /// `info,facilitator_sender=debug`. `RUST_LOG` does the same.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// How log lines look.
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
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
    Init(InitArgs),
    /// Run the facilitator of one or more chain pairs.
    ///
    /// Prints `ready` once both chains are in working mode. SIGTERM or Ctrl-C ends it in order, a second one at once.
    /// The password of each worker key comes from MOSAIC_ADDRESS_PASSW_<address>, else it is asked for.
    Start(StartArgs),
    /// End a running facilitator in order and wait for its end.
    Stop(StopArgs),
    /// List the running facilitators.
    List(JsonArg),
    /// Show how a facilitator is doing: chains, processes, queue, the oldest unfinished request and why it waits.
    Status(StatusArgs),
    /// How the two chains are synchronised with each other.
    #[command(subcommand)]
    Sync(SyncCommand),
    /// Look at requests, or try one again.
    #[command(subcommand)]
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
    Ledger(LedgerArgs),
    /// Check configuration, database, nodes, contracts, whitelisting, balances and allowances.
    ///
    /// Each finding says how to mend it. Exit code 1 if there is an error.
    Doctor(DoctorArgs),
    /// Show the endpoints of both chains: health, heights, calls, errors, and which one is read.
    ///
    /// From the last report of the running facilitator, so that it answers whatever the nodes do.
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
    Monitor(MonitorArgs),
    /// What an operator decides about the reading of a chain.
    #[command(subcommand)]
    Scanner(ScannerCommand),
    /// Rebuild a lost or damaged database from both chains and the configuration.
    ///
    /// Reads both chains from `start_block` to their newest final blocks, recognises by the hash-lock key what this
    /// operator has accepted, and says of every request where it stands and what the next `start` does with it. Sends
    /// nothing. A sound database is left as it is; one that can't be read is kept under another name, if --set-aside
    /// says so. May be interrupted and run again.
    ///
    /// Needs the passwords of the worker keys, as `start` does.
    Recover(RecoverArgs),
    /// Take an instance out of service for a while, and back.
    #[command(subcommand)]
    Maintenance(MaintenanceCommand),
    /// Show the instances that share the database: status, transactions signed, downtime.
    Stats(StatsArgs),
    /// Show or change what the life of the instances goes by. It counts for all of them at once.
    #[command(subcommand)]
    Params(ParamsCommand),
    /// End an instance for good: it signs nothing any more, and another one takes its requests over.
    Deregister(InstanceArgs),
    /// Look after the database: bring its schema up to date, check it, or move it to another one.
    #[command(subcommand)]
    Db(DbCommand),
    /// Print shell completions.
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

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Mosaic config with the contracts of the chain pair.
    #[arg(long, value_name = "FILE", required_unless_present = "gateway_config", conflicts_with = "gateway_config")]
    pub(crate) mosaic_config: Option<PathBuf>,
    /// Gateway config of a gateway beside OST's own.
    #[arg(long, value_name = "FILE")]
    pub(crate) gateway_config: Option<PathBuf>,
    /// Id of the auxiliary chain.
    #[arg(long, value_name = "AUX")]
    pub(crate) chain_id: u64,
    /// A node of the origin chain; may be given several times.
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) origin_rpc: Vec<String>,
    /// A node of the auxiliary chain; may be given several times.
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) aux_rpc: Vec<String>,
    /// Password of the origin workers. Other users of this machine can see it in the process list: prefer
    /// MOSAIC_ORIGIN_PASSWORD or the prompt.
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) origin_password: Option<String>,
    /// Password of the auxiliary workers; see --origin-password.
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) aux_password: Option<String>,
    /// SQLite database instead of <home>/<AUX>/facilitator.db.
    #[arg(long, value_name = "FILE", conflicts_with = "db_url")]
    pub(crate) db_path: Option<PathBuf>,
    /// Database server, e.g. postgres://host/name.
    #[arg(long, value_name = "URL")]
    pub(crate) db_url: Option<String>,
    /// User of the database server.
    #[arg(long, value_name = "NAME", requires = "db_url")]
    pub(crate) db_username: Option<String>,
    /// Password of the database server.
    #[arg(long, value_name = "PASSWORD", requires = "db_url")]
    pub(crate) db_password: Option<String>,
    /// Where to write the facilitator config.
    #[arg(long, value_name = "OUT")]
    pub(crate) facilitator_config: Option<PathBuf>,
    /// Take the hash-lock key over from the config of another instance of the same operator.
    #[arg(long, value_name = "CONFIG")]
    pub(crate) join: Option<PathBuf>,
    /// Worker keys for each chain.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) workers: u32,
    /// Encrypt with cheap parameters: fast, weak, for tests.
    #[arg(long)]
    pub(crate) light_kdf: bool,
    /// Replace files that exist, keeping a backup of each.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

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

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Which facilitator.
    #[command(flatten)]
    pub(crate) pair: PairArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Show it again every two seconds until interrupted.
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

/// Commands about the reading of a chain.
#[derive(Debug, Subcommand)]
pub(crate) enum ScannerCommand {
    /// Go back to a block and read the chain again from there.
    ///
    /// For a fork that is too deep to be followed by itself: everything that was learnt from later blocks is undone,
    /// in one transaction, and learnt anew from the chain as it is now. Requests that were acted upon keep their secret
    /// and are looked at again. A facilitator that runs notices by itself. If the block is not remembered, the next
    /// lower one that is serves; if there is none, the chain is read from its start_block.
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
    Status {
        /// Which facilitator.
        #[command(flatten)]
        pair: PairArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Commands about the database.
#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Make the database, or bring its schema up to date. `start` does so by itself.
    Migrate {
        /// Which facilitator.
        #[command(flatten)]
        pair: PairArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Read all of it and say whether it is sound. Changes nothing.
    ///
    /// Checks version and chain pair, that every page or row can be read, and that what is stored does not contradict
    /// itself. Exit code 8 if something is wrong.
    Check {
        /// Which facilitator.
        #[command(flatten)]
        pair: PairArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Copy everything into another, empty database: from a file to a server, or back.
    ///
    /// In one transaction: all of it or nothing. Refused while the facilitator runs, and if the other database has
    /// rows. This one is left as it is. Afterwards the command says what to change in the config.
    Copy {
        /// Which facilitator.
        #[command(flatten)]
        pair: PairArgs,
        /// Where to: postgres://user@host/database, or the path of a file. A password in it is visible in the process
        /// list; better set PGPASSWORD.
        #[arg(long, value_name = "URL")]
        to: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Commands about requests.
#[derive(Debug, Subcommand)]
pub(crate) enum RequestsCommand {
    /// List requests, newest last.
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

impl Command {
    /// Whether results and errors are wanted as JSON.
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Init(args) => args.json,
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
