//! One file a command; here the way from the command line to it.

mod adopt;
mod completions;
mod connections;
mod context;
mod db;
mod doctor;
mod init;
mod instances;
mod key_guard;
mod ledger;
mod list;
mod monitor;
mod recover;
mod requests;
mod scanner;
mod start;
mod status;
mod stop;
mod sync;

use crate::cli::{Cli, Command, LogFormat};
use crate::failure::{Exit, Failure};
use crate::output;
use clap::Parser;
use facilitator_telemetry::Identity;
use std::process::ExitCode;

/// Reads the command line and does what it says.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return wrong_usage(&error),
    };
    let as_json = cli.command.wants_json();
    match perform(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => output::fail(&failure, as_json),
    }
}

/// Help and version go to standard output; what is wrong with a command line is one line like every other failure.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _reader_may_be_gone = error.print();
        return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
    }
    let text = error.render().to_string();
    let what = text.split("\n\nUsage:").next().unwrap_or(&text).trim_start_matches("error: ");
    let as_json = std::env::args_os().any(|argument| argument == "--json");
    output::fail(&Failure::new(Exit::Usage, format!("{what}; see `facilitator --help`")), as_json)
}

fn perform(cli: Cli) -> Result<Exit, Failure> {
    let logging = Logging { level: cli.log_level, format: cli.log_format };
    match cli.command {
        // It sets up its logs itself, once it knows what the configuration says about them.
        Command::Start(args) => start::run(&args, &logging),
        Command::Monitor(args) => monitor::run(&args, &logging),
        Command::Recover(args) => recover::run(&args, &logging),
        Command::Completions { shell } => completions::run(shell),
        other @ (Command::Init(_)
        | Command::Adopt(_)
        | Command::Stop(_)
        | Command::List(_)
        | Command::Status(_)
        | Command::Sync(_)
        | Command::Requests(_)
        | Command::Ledger(_)
        | Command::Connections(_)
        | Command::Scanner(_)
        | Command::Maintenance(_)
        | Command::Stats(_)
        | Command::Params(_)
        | Command::Deregister(_)
        | Command::Db(_)
        | Command::Doctor(_)) => {
            logging.begin("warn", facilitator_telemetry::LogFormat::Text, "command")?;
            runtime()?.block_on(perform_async(other))
        }
    }
}

async fn perform_async(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(args).await,
        Command::Adopt(args) => adopt::run(args).await,
        Command::Stop(args) => stop::run(args).await,
        Command::List(args) => list::run(args).await,
        Command::Status(args) => status::run(args).await,
        Command::Sync(command) => sync::run(command).await,
        Command::Requests(command) => requests::run(command).await,
        Command::Ledger(args) => ledger::run(args).await,
        Command::Connections(args) => connections::run(args).await,
        Command::Scanner(command) => scanner::run(command).await,
        Command::Maintenance(command) => instances::maintenance(command).await,
        Command::Stats(args) => instances::stats(args).await,
        Command::Params(command) => instances::params(command).await,
        Command::Deregister(args) => instances::deregister(args).await,
        Command::Db(command) => db::run(command).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Start(_) | Command::Monitor(_) | Command::Recover(_) | Command::Completions { .. } => Ok(Exit::Done),
    }
}

/// A runtime on this thread alone: children are started from the main thread only.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// What the command line says about logs.
#[derive(Clone)]
pub(crate) struct Logging {
    level: Option<String>,
    format: Option<LogFormat>,
}

impl Logging {
    /// What is logged: the command line's word, else `RUST_LOG`, else `default`.
    fn filter(&self, default: &str) -> String {
        let set = |text: &String| !text.is_empty();
        let variable = std::env::var("RUST_LOG").ok().filter(set);
        self.level.clone().or(variable).unwrap_or_else(|| default.to_owned())
    }

    /// What wins over the configuration's level, in words.
    fn decided_by(&self) -> Option<&'static str> {
        let variable = std::env::var("RUST_LOG").is_ok_and(|text| !text.is_empty());
        match (&self.level, variable) {
            (Some(_), _) => Some("`--log-level` wins"),
            (None, true) => Some("`RUST_LOG` wins"),
            (None, false) => None,
        }
    }

    fn format(&self, default: facilitator_telemetry::LogFormat) -> facilitator_telemetry::LogFormat {
        match self.format {
            Some(LogFormat::Text) => facilitator_telemetry::LogFormat::Text,
            Some(LogFormat::Json) => facilitator_telemetry::LogFormat::Json,
            None => default,
        }
    }

    /// Begins to log.
    fn begin(&self, level: &str, format: facilitator_telemetry::LogFormat, role: &str) -> Result<(), Failure> {
        let identity = Identity { role: role.to_owned(), chain: None, request: None };
        facilitator_telemetry::init(&self.filter(level), self.format(format), &identity)
            .map_err(|error| Failure::new(Exit::Usage, format!("log level: {error}")))
    }
}
