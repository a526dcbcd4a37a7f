//! `facilitator doctor`: looks at everything that a facilitator needs, changes nothing, and says how to mend what is
//! wrong.

mod chains;
mod prices;

use super::{context, start};
use crate::cli::DoctorArgs;
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::{Loaded, permission_warning};
use facilitator_roles::clock::now_ms;
use facilitator_roles::running;
use facilitator_store::{Access, StoreError};
use serde::Serialize;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Ok,
    Warning,
    Error,
}

/// One line of the examination.
#[derive(Debug, Serialize)]
struct Finding {
    check: String,
    result: Grade,
    message: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

/// All lines.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, check: &str, message: impl Into<String>) {
        self.add(check, Grade::Ok, message.into(), None);
    }

    fn warning(&mut self, check: &str, message: impl Into<String>, mend: &str) {
        self.add(check, Grade::Warning, message.into(), Some(mend.to_owned()));
    }

    fn error(&mut self, check: &str, message: impl Into<String>, mend: &str) {
        self.add(check, Grade::Error, message.into(), Some(mend.to_owned()));
    }

    fn add(&mut self, check: &str, result: Grade, message: String, mend: Option<String>) {
        self.0.push(Finding { check: check.to_owned(), result, message, mend });
    }

    fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.result == Grade::Error)
    }
}

/// Does it.
pub(crate) async fn run(args: DoctorArgs) -> Result<Exit, Failure> {
    let home = context::home()?;
    let loaded = context::load_config(&context::selection(&args.pair), &home).await?;
    let mut findings = Findings::default();
    configuration(&loaded, &mut findings);
    metrics(&loaded, &mut findings);
    database(&loaded, &mut findings).await;
    match start::configured_gateways(&loaded) {
        Ok(gateways) => chains::check(&loaded, &gateways, &mut findings).await,
        Err(failure) => findings.error("contracts", failure.message, "complete the mosaic config"),
    }
    if args.json {
        output::json(&findings.0)?;
    } else {
        findings.0.iter().for_each(show);
    }
    Ok(if findings.has_errors() { Exit::Failed } else { Exit::Done })
}

fn show(finding: &Finding) {
    let grade = match finding.result {
        Grade::Ok => "ok     ",
        Grade::Warning => "warning",
        Grade::Error => "error  ",
    };
    output::line(&format!("{grade}  {}: {}", finding.check, finding.message));
    if let Some(mend) = &finding.mend {
        output::line(&format!("         → {mend}"));
    }
}

fn configuration(loaded: &Loaded, findings: &mut Findings) {
    let facilitator = &loaded.facilitator;
    findings.ok("config", format!("{} and {} are valid", facilitator.file.display(), loaded.mosaic_config.display()));
    if let Some(warning) = permission_warning(&facilitator.file) {
        findings.warning("config", warning, "chmod 600 the file: it holds encrypted keys");
    }
    if facilitator.encrypted_hash_lock_key.is_none() {
        findings.error(
            "keys",
            "the config has no encrypted_hash_lock_key: no unlock secret can be derived",
            "run `facilitator adopt`, or take the key over from another instance with `facilitator init --join`",
        );
    }
}

fn metrics(loaded: &Loaded, findings: &mut Findings) {
    let Some(listen) = loaded.facilitator.metrics.listen else { return };
    if listen.ip().is_loopback() {
        findings
            .ok("metrics", format!("metrics and the status page are served at http://{listen}/ for this host alone"));
    } else {
        findings.warning(
            "metrics",
            format!("metrics.listen is {listen}: whoever reaches it sees balances and requests, without a password"),
            "let a firewall or a reverse proxy guard it, or listen on 127.0.0.1 alone",
        );
    }
}

async fn database(loaded: &Loaded, findings: &mut Findings) {
    let location = match context::location(loaded) {
        Ok(location) => location,
        Err(failure) => return findings.error("database", failure.message, "correct `db` in the config"),
    };
    let name = location.name();
    if !location.may_exist() {
        return findings.ok("database", format!("{name} is created by the first start"));
    }
    match context::try_open(loaded, Access::Reader).await {
        Err(failure) => findings.error("database", failure.message, "see the message"),
        Ok(Err(StoreError::Missing { .. })) => {
            findings.ok("database", format!("{name} can be reached; its tables are created by the first start"));
        }
        Ok(Err(error)) => findings.error("database", error.to_string(), "see the message"),
        Ok(Ok(store)) => {
            let running = running::own(&store, &start::instance(loaded), now_ms()).await.ok().flatten();
            let who = running.map_or_else(
                || "no facilitator runs on it".to_owned(),
                |process| format!("the facilitator with pid {} runs on it", process.registered.pid),
            );
            findings.ok("database", format!("{name} can be read; {who}"));
        }
    }
}
