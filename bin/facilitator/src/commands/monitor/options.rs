//! What a monitor works by: environment variables, else the object `monitor` of the facilitator config.

use crate::commands::start;
use crate::failure::{Exit, Failure};
use facilitator_config::{Chain, Endpoint, Environment, Loaded, MonitorSettings, Secret};
use facilitator_eth::U256;
use facilitator_monitor::setup::{self, ChainSetup, Hidden, Limits, ReceiverSetup, Setup};
use facilitator_roles::parent::addresses;
use std::path::PathBuf;
use std::time::Duration;

/// What the command line says.
pub(crate) struct Given {
    /// Pause between two runs.
    pub(crate) interval: Option<Duration>,
    /// The first checkpoint.
    pub(crate) from_block: Option<u64>,
    /// Folder for a file instead of the database.
    pub(crate) data_dir: Option<PathBuf>,
    /// Whether nodes must be named for the monitor alone; else those of `chains` serve.
    pub(crate) own_nodes: bool,
}

/// A facilitator writes its sign of life every two seconds; what comes a little late is no silence.
const LEAST_SILENCE: Duration = Duration::from_secs(5);

type Environ<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Puts it together.
///
/// # Errors
/// What is missing or wrong, by the name of its variable.
pub(crate) fn setup(loaded: &Loaded, environ: Environ<'_>, given: &Given) -> Result<Setup, Failure> {
    let settings = &loaded.facilitator.monitor;
    let variables = Variables(environ);
    let environment = variables.environment(settings.environment)?;
    let (origin, auxiliary) = (&loaded.facilitator.origin, &loaded.facilitator.auxiliary);
    let origin = variables.chain(origin, "ETHEREUM_URL", settings.ethereum_url.as_ref(), given.own_nodes)?;
    let auxiliary = variables.chain(auxiliary, "AUXILIARY_URL", settings.auxiliary_url.as_ref(), given.own_nodes)?;
    let own_folder = given.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
    let interval = given.interval.unwrap_or(settings.interval);
    let setup = Setup {
        environment,
        origin,
        auxiliary,
        gateways: start::configured_gateways(loaded)?.iter().map(addresses).collect(),
        limits: variables.limits(settings, loaded.facilitator.settings.child_silence)?,
        receivers: variables.receivers(settings)?,
        data_dir: own_folder.or_else(|| variables.text("DATA_DIR_PATH")).or_else(|| settings.data_dir_path.clone()),
        from_block: given.from_block,
        interval_ms: millis(interval),
    };
    if setup.receivers.webhook_url.is_some() && setup.receivers.webhook_secret.is_none() {
        tracing::warn!("what goes to WEBHOOK_URL is not signed: set WEBHOOK_SECRET");
    }
    Ok(setup)
}

struct Variables<'a>(Environ<'a>);

impl Variables<'_> {
    /// An empty variable is one that is not set.
    fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|text| !text.is_empty())
    }

    fn environment(&self, configured: Option<Environment>) -> Result<setup::Environment, Failure> {
        let known = |text: &str| Environment::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        let found = match self.text("ENVIRONMENT") {
            Some(text) => known(&text),
            None => configured,
        };
        match found {
            Some(Environment::Mainnet) => Ok(setup::Environment::Mainnet),
            Some(Environment::Testnet) => Ok(setup::Environment::Testnet),
            None => Err(failed("unknown environment; ENVIRONMENT env variable must be either [mainnet] or [testnet]")),
        }
    }

    fn chain(
        &self,
        chain: &Chain,
        variable: &str,
        configured: Option<&Secret>,
        own_nodes: bool,
    ) -> Result<ChainSetup, Failure> {
        let rpc = match self.url(variable, configured)? {
            Some(url) => vec![url],
            None if own_nodes => return Err(failed(&format!("{variable} env variable not set"))),
            None => chain.rpc.iter().map(|endpoint| Hidden(endpoint.url().to_owned())).collect(),
        };
        Ok(ChainSetup {
            chain_id: chain.chain_id,
            rpc,
            confirmations: chain.settings.confirmations,
            workers: chain.workers.clone(),
            max_log_range: chain.settings.max_log_range,
            rpc_timeout_ms: millis(chain.settings.rpc_timeout),
            max_batch: chain.settings.max_batch.into(),
        })
    }

    /// A URL, checked; the error does not repeat it.
    fn url(&self, variable: &str, configured: Option<&Secret>) -> Result<Option<Hidden>, Failure> {
        if let Some(text) = self.text(variable) {
            let checked =
                text.parse::<Endpoint>().map_err(|error| failed(&format!("{variable} env variable: {error}")))?;
            return Ok(Some(Hidden(checked.url().to_owned())));
        }
        Ok(configured.map(hidden))
    }

    fn amount(&self, variable: &str, configured: U256) -> Result<U256, Failure> {
        let Some(text) = self.text(variable) else { return Ok(configured) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.ok_or_else(|| failed(&format!("{variable} env variable must be a whole number in the smallest unit")))
    }

    fn limits(&self, settings: &MonitorSettings, silence: Duration) -> Result<Limits, Failure> {
        Ok(Limits {
            large_stake: self.amount("LARGE_STAKE_THRESHOLD", settings.large_stake_threshold)?,
            large_redeem: self.amount("LARGE_REDEEM_THRESHOLD", settings.large_redeem_threshold)?,
            reorg_depth: settings.reorg_depth_blocks,
            unaccepted: settings.unaccepted_blocks,
            unfinished: settings.unfinished_blocks,
            stale_redeem: settings.stale_redeem_blocks,
            stale_root: settings.stale_root_blocks,
            supply_span: settings.supply_span_blocks,
            supply_change_percent: settings.supply_change_percent,
            low_balance: settings.low_balance,
            silence_ms: millis(silence.max(LEAST_SILENCE)),
        })
    }

    fn receivers(&self, settings: &MonitorSettings) -> Result<ReceiverSetup, Failure> {
        let secret = self.text("WEBHOOK_SECRET").map(Hidden);
        Ok(ReceiverSetup {
            discord_webhook_url: self.url("DISCORD_WEBHOOK_URL", settings.discord_webhook_url.as_ref())?,
            sentry_dsn: self.url("SENTRY_DSN", settings.sentry_dsn.as_ref())?,
            webhook_url: self.url("WEBHOOK_URL", settings.webhook_url.as_ref())?,
            webhook_secret: secret.or_else(|| settings.webhook_secret.as_ref().map(hidden)),
            timeout_ms: millis(settings.receiver_timeout),
        })
    }
}

fn hidden(secret: &Secret) -> Hidden {
    Hidden(secret.expose().to_owned())
}

fn failed(text: &str) -> Failure {
    Failure::new(Exit::Failed, text)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(set: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn a_variable_wins_and_an_empty_one_is_not_there() {
        let environ = variables(&[("A", ""), ("B", "7"), ("C", "0x7"), ("D", "1e3")]);
        let variables = Variables(&environ);
        let ten = U256::from(10_u64);
        assert_eq!(variables.amount("A", ten), Ok(ten));
        assert_eq!(variables.amount("B", ten), Ok(U256::from(7_u64)));
        for wrong in ["C", "D"] {
            assert_eq!(variables.amount(wrong, ten).unwrap_err().exit, Exit::Failed);
        }
    }

    #[test]
    fn the_environment_is_one_of_two_words_from_either_place() {
        let found = |environ: &dyn Fn(&str) -> Option<String>, configured| Variables(environ).environment(configured);
        let none = variables(&[]);
        let foo = variables(&[("ENVIRONMENT", "foo")]);
        let mainnet = variables(&[("ENVIRONMENT", "mainnet")]);
        assert_eq!(found(&mainnet, Some(Environment::Testnet)), Ok(setup::Environment::Mainnet));
        assert_eq!(found(&none, Some(Environment::Testnet)), Ok(setup::Environment::Testnet));
        for wrong in [found(&none, None), found(&foo, Some(Environment::Testnet))] {
            let text = "unknown environment; ENVIRONMENT env variable must be either [mainnet] or [testnet]";
            assert_eq!(wrong.unwrap_err().message, text);
        }
    }

    #[test]
    fn a_wrong_url_is_named_by_its_variable_and_never_repeated() {
        let environ = variables(&[("WEBHOOK_URL", "https://user:secret@host:0/x")]);
        let error = Variables(&environ).url("WEBHOOK_URL", None).unwrap_err();
        assert!(error.message.contains("WEBHOOK_URL") && !error.message.contains("secret"), "{error}");
    }
}
