//! `facilitator adopt`: the configuration of the earlier facilitator gets the hash-lock key that it lacks.

use super::context;
use super::init::ask;
use crate::cli::AdoptArgs;
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::init::add_hash_lock_key;
use facilitator_config::{Passwords, hash_lock_account, password_variable};
use facilitator_eth::keystore::Kdf;
use facilitator_supervisor::limits::{Memory, protect};
use serde::Serialize;
use std::path::Path;
use std::time::SystemTime;

/// What was done, as `--json` prints it.
#[derive(Serialize)]
struct Adopted<'a> {
    config: &'a Path,
    backup: Option<&'a Path>,
}

/// Does it.
pub(crate) async fn run(args: AdoptArgs) -> Result<Exit, Failure> {
    // A key is made in this process: nobody may read its memory, nor a core dump of it.
    protect(Memory::HoldsKeys).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let loaded = context::load_config(&context::selection(&args.pair), &context::home()?).await?;
    let facilitator = &loaded.facilitator;
    let account = hash_lock_account(facilitator)?;
    let mut passwords = Passwords::from_env(std::env::vars_os())?;
    if facilitator.encrypted_hash_lock_key.is_none() && passwords.get(account).is_none() {
        let password = ask(&format!("Password of {account}: "), &password_variable(account))?;
        passwords.insert(account, password);
    }
    let kdf = if args.light_kdf { Kdf::Light } else { Kdf::Standard };
    let backups = add_hash_lock_key(facilitator, &passwords, kdf, SystemTime::now())?;
    let adopted = Adopted { config: &facilitator.file, backup: backups.first().map(AsRef::as_ref) };
    if args.json {
        output::json(&adopted)?;
        return Ok(Exit::Done);
    }
    output::line(&format!("{} has a hash-lock key now, under the password of {account}", adopted.config.display()));
    for backup in &backups {
        output::line(&format!("Kept what was there as {}", backup.display()));
    }
    output::line("Next: keep a copy of the config in a safe place, for the key is needed to finish what is accepted;");
    output::line(&format!("      then facilitator doctor --chain-id {}", args.pair.chain_id));
    Ok(Exit::Done)
}
