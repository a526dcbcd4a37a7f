//! The command line of the database: make it, check it, copy it.

use super::{PairArgs, examples};
use clap::Subcommand;

/// Commands about the database.
#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Make the database, or bring its schema up to date. `start` does so by itself.
    ///
    /// For an upgrade that is to be looked at before the start, and for a new, empty database server.
    #[command(after_help = examples::DB_MIGRATE)]
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
    #[command(after_help = examples::DB_CHECK)]
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
    #[command(after_help = examples::DB_COPY)]
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
