//! An operator who watches: a devnet, and three programs that `facilitator monitor` tells.

use crate::{
    mailbox::{Letter, Mailbox},
    operator::Answer,
    world::{World, WorldOptions},
};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value as Json, json};

/// The key of the signed webhook.
pub const SECRET: &str = "shared secret";

/// The world and who is told of it.
#[derive(Debug)]
pub struct Watch {
    /// The world; the operator's variables name the receivers.
    pub world: World,
    /// Takes informational events.
    pub discord: Mailbox,
    /// Takes the others.
    pub sentry: Mailbox,
    /// Takes all.
    pub webhook: Mailbox,
}

/// A run as it ended.
#[derive(Debug)]
pub struct Run {
    /// Its report.
    pub report: Json,
    /// The exit code.
    pub code: Option<i32>,
    /// What it logged.
    pub log: String,
}

impl Run {
    /// First and last block of the origin chain.
    #[must_use]
    pub fn window(&self) -> (u64, u64) {
        let block = |name: &str| self.report[name].as_u64().unwrap_or(u64::MAX);
        (block("fromBlock"), block("toBlock"))
    }

    /// Fails unless nothing went wrong.
    ///
    /// # Errors
    /// What did.
    pub fn good(self) -> Result<Self> {
        ensure!(self.code == Some(0) && self.report["status"] == "success", "{}\n{}", self.report, self.log);
        Ok(self)
    }

    /// Fails unless something went wrong.
    ///
    /// # Errors
    /// When nothing did.
    pub fn bad(self) -> Result<Self> {
        ensure!(self.code == Some(1) && self.report["status"] == "failure", "{}\n{}", self.report, self.log);
        Ok(self)
    }

    /// All errors in one text.
    #[must_use]
    pub fn errors(&self) -> String {
        self.report["errors"].to_string()
    }
}

impl Watch {
    /// A new world whose operator watches it through its proxies.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn new(options: WorldOptions) -> Result<Self> {
        let mut world = World::new(options).await?;
        let (discord, sentry, webhook) = (Mailbox::open().await?, Mailbox::open().await?, Mailbox::open().await?);
        for (name, value) in [
            ("ENVIRONMENT", "testnet".to_owned()),
            ("ETHEREUM_URL", world.origin_proxy.url.clone()),
            ("AUXILIARY_URL", world.auxiliary_proxy.url.clone()),
            ("DISCORD_WEBHOOK_URL", format!("http://{}/api/webhooks/1/token", discord.address)),
            ("SENTRY_DSN", format!("http://publickey@{}/42", sentry.address)),
            ("WEBHOOK_URL", format!("http://{}/events", webhook.address)),
            ("WEBHOOK_SECRET", SECRET.to_owned()),
        ] {
            world.operator.set_variable(name, &value);
        }
        Ok(Self { world, discord, sentry, webhook })
    }

    /// Sets a value of the object `monitor` in the config.
    ///
    /// # Errors
    /// When the config can't be read or written.
    pub fn set(&self, key: &str, value: &Json) -> Result<()> {
        self.world.operator.edit_config(|config| config["monitor"][key] = value.clone())
    }

    /// One run.
    ///
    /// # Errors
    /// When it prints no report.
    pub async fn run(&self, more: &[&str]) -> Result<Run> {
        let answer = self.ask(more).await?;
        let lines = answer.stdout.lines().chain(answer.stderr.lines());
        let report =
            lines.filter_map(|line| serde_json::from_str::<Json>(line).ok()).find(|json| json["status"].is_string());
        let report = report.with_context(|| format!("no report: {answer:?}"))?;
        Ok(Run { report, code: answer.code, log: answer.stderr })
    }

    /// One run as it comes.
    ///
    /// # Errors
    /// When it can't be run.
    pub async fn ask(&self, more: &[&str]) -> Result<Answer> {
        let chain = self.world.operator.chains[1].to_string();
        let arguments = [&["monitor", "--once", "--chain-id", &chain], more].concat();
        self.world.operator.run(&arguments).await
    }

    /// The titles of what Discord took, in order.
    #[must_use]
    pub fn informed(&self) -> Vec<String> {
        let title = |letter: &Letter| letter.lines().first().map(|json| json["embeds"][0]["title"].clone());
        self.discord.taken().iter().filter_map(title).filter_map(|title| title.as_str().map(str::to_owned)).collect()
    }

    /// Level and title of what Sentry took, in order.
    #[must_use]
    pub fn warned(&self) -> Vec<(String, String)> {
        let taken = self.sentry.taken();
        let payloads = taken.iter().filter_map(|letter| letter.lines().pop());
        payloads
            .filter_map(|payload| {
                let (title, _hash) = payload["message"].as_str()?.rsplit_once(" [")?;
                Some((payload["level"].as_str()?.to_owned(), title.to_owned()))
            })
            .collect()
    }

    /// The events of this title that the webhook took, in order.
    #[must_use]
    pub fn events(&self, title: &str) -> Vec<Json> {
        let taken = self.webhook.taken();
        let events = taken.iter().filter_map(|letter| letter.lines().pop());
        events.filter(|event| event["title"] == title).collect()
    }

    /// What the only event of this level and title says beside its chain, once its receivers have it: the webhook, and
    /// Discord or Sentry.
    ///
    /// # Errors
    /// When one of them has it more than once or not at all.
    pub fn once(&self, level: &str, title: &str) -> Result<Json> {
        let events = self.events(title);
        let [event] = events.as_slice() else { bail!("told {} times of `{title}`: {events:?}", events.len()) };
        ensure!(event["type"] == level, "{event}");
        let told = match level {
            "informational" => self.count_informed(title),
            "critical" => self.count("fatal", title),
            _ => self.count(level, title),
        };
        ensure!(told == 1, "one receiver was told {told} times of `{title}`, the webhook once");
        Ok(event["data"].clone())
    }

    /// How often Sentry took an event of this level and title.
    #[must_use]
    pub fn count(&self, level: &str, title: &str) -> usize {
        self.warned().iter().filter(|(found, named)| found == level && named == title).count()
    }

    /// How often Discord took an event of this title.
    #[must_use]
    pub fn count_informed(&self, title: &str) -> usize {
        self.informed().iter().filter(|found| *found == title).count()
    }

    /// Sets a whole number of the object `monitor`.
    ///
    /// # Errors
    /// When the config can't be read or written.
    pub fn set_number(&self, key: &str, value: u64) -> Result<()> {
        self.set(key, &json!(value))
    }
}
