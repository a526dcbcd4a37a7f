//! `facilitator init`: worker keys, hash-lock key and configuration, whole or not at all.

use super::context;
use crate::cli::InitArgs;
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::init::{Init, InitPasswords, Source, Summary, plan};
use facilitator_config::{Db, Endpoint, Overwrite, Passwords, Secret, password_variable};
use facilitator_eth::keystore::Kdf;
use facilitator_supervisor::limits::{Memory, protect};
use std::io::IsTerminal;
use std::time::SystemTime;

/// Does it.
pub(crate) async fn run(args: InitArgs) -> Result<Exit, Failure> {
    // Keys are made in this process: nobody may read its memory, nor a core dump of it.
    protect(Memory::HoldsKeys).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let home = context::home()?;
    let init = request(&args)?;
    let plan = context::with_names(|names| plan(&init, &home, names)).await?;
    let mut join = Passwords::from_env(std::env::vars_os())?;
    if let Some(account) = plan.join_account()
        && join.get(account).is_none()
    {
        let password = ask(&format!("Password of {account} in the joined config: "), &password_variable(account))?;
        join.insert(account, password);
    }
    let passwords = InitPasswords {
        origin: new_password(args.origin_password, "MOSAIC_ORIGIN_PASSWORD", "origin")?,
        auxiliary: new_password(args.aux_password, "MOSAIC_AUX_PASSWORD", "auxiliary")?,
        join,
    };
    let kdf = if args.light_kdf { Kdf::Light } else { Kdf::Standard };
    let summary = plan.write(&passwords, kdf, SystemTime::now())?;
    if args.json {
        output::json(&summary)?
    } else {
        show(&summary)
    }
    Ok(Exit::Done)
}

fn request(args: &InitArgs) -> Result<Init, Failure> {
    let source = match (&args.mosaic_config, &args.gateway_config) {
        (_, Some(file)) => Source::Gateway(file.clone()),
        (Some(file), None) => Source::Mosaic(file.clone()),
        (None, None) => return Err(Failure::new(Exit::Usage, "give --mosaic-config or --gateway-config")),
    };
    let db = match (&args.db_url, &args.db_path) {
        (Some(url), _) => {
            // What `start` would refuse.
            context::server(url, args.db_username.as_deref(), None)
                .map_err(|failure| Failure::new(Exit::Usage, failure.message.replacen("db.url", "--db-url", 1)))?;
            Some(Db::Url {
                url: Secret::new(url.clone()),
                username: args.db_username.clone(),
                password: args.db_password.clone().map(Secret::new),
            })
        }
        (None, Some(path)) => Some(Db::Sqlite(path.clone())),
        (None, None) => None,
    };
    Ok(Init {
        source,
        auxiliary_chain_id: args.chain_id,
        origin_rpc: endpoints(&args.origin_rpc, "--origin-rpc")?,
        auxiliary_rpc: endpoints(&args.aux_rpc, "--aux-rpc")?,
        db,
        config: args.facilitator_config.clone(),
        join: args.join.clone(),
        workers: args.workers,
        overwrite: if args.force { Overwrite::Backup } else { Overwrite::Refuse },
    })
}

fn endpoints(urls: &[String], flag: &str) -> Result<Vec<Endpoint>, Failure> {
    let parse =
        |url: &String| url.parse::<Endpoint>().map_err(|error| Failure::new(Exit::Usage, format!("{flag}: {error}")));
    urls.iter().map(parse).collect()
}

/// A password for new keys: flag, environment, or asked for twice.
fn new_password(flag: Option<String>, variable: &str, chain: &str) -> Result<Secret, Failure> {
    if let Some(password) = flag.or_else(|| std::env::var(variable).ok()) {
        return Ok(Secret::new(password));
    }
    let first = ask(&format!("New password for the {chain} worker: "), variable)?;
    let second = ask("The same again: ", variable)?;
    if first != second {
        return Err(Failure::new(
            Exit::Usage,
            format!("the two passwords for the {chain} worker differ: nothing was written"),
        ));
    }
    Ok(first)
}

/// Asks for a password on the terminal.
pub(super) fn ask(prompt: &str, variable: &str) -> Result<Secret, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, format!("no password: set {variable}, or run this on a terminal")));
    }
    Ok(Secret::new(rpassword::prompt_password(prompt)?))
}

fn show(summary: &Summary) {
    output::line(&format!("Wrote {}", summary.config.display()));
    for backup in &summary.backups {
        output::line(&format!("Kept what was there as {}", backup.display()));
    }
    if !summary.backups.is_empty() {
        output::line(
            "Keep that backup: requests that were accepted with the earlier keys can only be finished with them.",
        );
    }
    for (name, chain) in [("origin", &summary.origin), ("auxiliary", &summary.auxiliary)] {
        for worker in &chain.workers {
            output::line(&format!("New worker of the {name} chain {}: {worker}", chain.chain_id));
        }
    }
    output::line("");
    output::line("Next:");
    output::line(
        "  1. Fund the origin workers with base coin for gas and with bounty tokens, the auxiliary workers with base coin\n     for gas and for the bounties of redeems.",
    );
    output::line("  2. Have the organization of the composer whitelist the origin workers: setWorker(worker, height),");
    output::line("     and that of the redeem pool the auxiliary workers.");
    output::line(
        "     Keep a copy of the config in a safe place: the hash-lock key in it is needed to finish what was accepted.",
    );
    output::line(&format!("  3. Set {}", summary.password_variables.join(" and ")));
    output::line(&format!(
        "  4. facilitator doctor --chain-id {0} && facilitator start --chain-id {0}",
        summary.auxiliary.chain_id
    ));
}
