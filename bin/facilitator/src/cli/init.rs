//! Arguments of `facilitator init` and `facilitator adopt`.
#![allow(rustdoc::invalid_html_tags, reason = "these comments are the help texts, where <home> is a place-holder")]

use super::PairArgs;
use clap::Args;
use std::path::PathBuf;

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

/// Arguments of `adopt`.
#[derive(Debug, Args)]
pub(crate) struct AdoptArgs {
    /// Which facilitator.
    #[command(flatten)]
    pub(crate) pair: PairArgs,
    /// Encrypt with cheap parameters: fast, weak, for tests.
    #[arg(long)]
    pub(crate) light_kdf: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
