//! The instances of an operator: how they are shown, how one is enrolled, and the commands about their life.

use super::{context, start};
use crate::cli::{InstanceArgs, MaintenanceCommand, ParamsCommand, StatsArgs};
use crate::failure::{Exit, Failure};
use crate::output;
use crate::terminal::{Cell, Look, fitted};
use facilitator_config::Loaded;
use facilitator_heartbeat::{Event, Params, Refusal, Status};
use facilitator_roles::clock::now_ms;
use facilitator_roles::running;
use facilitator_roles::views::instances::{HeartbeatView, InstanceView, TransitionView, views};
use facilitator_roles::views::time;
use facilitator_store::instances::NewInstance;
use facilitator_store::{Access, Store};
use serde::Serialize;
use std::collections::BTreeMap;

/// Heartbeats and changes of status that `stats --json` tells of each instance.
const REMEMBERED: u32 = 50;

/// Where the configuration names an instance.
pub(super) const NAME: &str = "heartbeat.instance";

/// Columns for people.
pub(super) fn lines(views: &[InstanceView], look: Look) -> Vec<String> {
    let head =
        ["INSTANCE", "HOST", "PID", "STATUS", "LAST ACTIVE", "MISSED", "SIGNED", "EVER SIGNED", "DOWNTIME", "NOW DOWN"];
    let none = || "-".to_owned();
    let row = |one: &InstanceView| -> Vec<Cell> {
        vec![
            one.instance.clone().into(),
            one.host.clone().into(),
            one.pid.map_or_else(none, |pid| pid.to_string()).into(),
            one.status.clone().into(),
            one.last_active_timestamp.clone().unwrap_or_else(none).into(),
            one.missed_heartbeats.to_string().into(),
            one.txs_signed.to_string().into(),
            one.total_txs_signed.saturating_add(one.txs_signed).to_string().into(),
            one.total_downtime.clone().into(),
            one.current_interval_downtime.clone().into(),
        ]
    };
    fitted(look, &head, &views.iter().map(row).collect::<Vec<_>>())
}

/// Registers the instance of a configuration, or finds it again. A start ends its maintenance.
///
/// # Errors
/// The database's; or it was deregistered.
pub(super) async fn enroll(store: &Store, loaded: &Loaded) -> Result<(), Failure> {
    let params = store.seed_parameters(&start::params(loaded), now_ms()).await?;
    let new = NewInstance {
        name: start::instance(loaded),
        host: running::host(),
        weight: loaded.facilitator.heartbeat.weight.into(),
        keys: start::keys_by_chain(loaded),
    };
    let row = store.enroll(&new, now_ms()).await?;
    match row.instance.status {
        Status::Deregistered => Err(gone(loaded)),
        Status::InMaintenance => {
            let outcome = store.end_maintenance(&new.name, &params, now_ms()).await?;
            outcome.map(drop).map_err(|refusal| refused(&new.name, &refusal))
        }
        // Whoever asked for it has had it: the instance was stopped.
        Status::RequestMaintenance => {
            let outcome = store.instance_event(&new.name, Event::CancelMaintenance, &params, now_ms()).await?;
            outcome.map(drop).map_err(|refusal| refused(&new.name, &refusal))
        }
        Status::Inactive | Status::Active => Ok(()),
    }
}

/// Refuses an instance that was deregistered, before anything is unlocked for it.
///
/// # Errors
/// The database's; or [`Exit::Config`], since another name is needed.
pub(super) async fn refuse_deregistered(store: &Store, loaded: &Loaded) -> Result<(), Failure> {
    let row = store.instance(&start::instance(loaded)).await?;
    if row.is_some_and(|row| row.instance.status == Status::Deregistered) { Err(gone(loaded)) } else { Ok(()) }
}

/// Of an instance that the configuration names, or leaves to be named by host and key.
fn gone(loaded: &Loaded) -> Failure {
    let (file, name) = (loaded.facilitator.file.display(), start::instance(loaded));
    let text = format!("{file}: {NAME}: instance {name}: {}", Refusal::Gone);
    Failure { path: Some(NAME.to_owned()), ..Failure::new(Exit::Config, text) }
}

/// Says that this instance was stopped in order, so that others have its requests at once. What can't be said is found out
/// by them after two heartbeats.
pub(super) async fn leave(store: &Store, loaded: &Loaded) {
    let (name, params) = (start::instance(loaded), start::params(loaded));
    match store.instance_event(&name, Event::Stopped, &params, now_ms()).await {
        Ok(Ok(status)) => tracing::info!(instance = name, %status, "stopped in order"),
        Ok(Err(refusal)) => tracing::debug!(instance = name, %refusal, "no word of the stop"),
        Err(error) => tracing::warn!(instance = name, %error, "others learn of the stop by silence alone"),
    }
}

fn refused(instance: &str, refusal: &Refusal) -> Failure {
    Failure::new(Exit::Failed, format!("instance {instance}: {refusal}"))
}

#[derive(Serialize)]
struct Changed {
    instance: String,
    status: String,
}

/// `facilitator maintenance`.
pub(crate) async fn maintenance(command: MaintenanceCommand) -> Result<Exit, Failure> {
    let (args, event) = match &command {
        MaintenanceCommand::Request(args) => (args, Some(Event::RequestMaintenance)),
        MaintenanceCommand::Cancel(args) => (args, Some(Event::CancelMaintenance)),
        MaintenanceCommand::End(args) => (args, None),
    };
    change(args, event).await
}

/// `facilitator deregister`.
pub(crate) async fn deregister(args: InstanceArgs) -> Result<Exit, Failure> {
    change(&args, Some(Event::Deregister)).await
}

/// Carries an event out; `None`: the end of a maintenance.
async fn change(args: &InstanceArgs, event: Option<Event>) -> Result<Exit, Failure> {
    let loaded = context::load_config(&context::selection(&args.pair), &context::home()?).await?;
    let store = context::open(&loaded, Access::Writer).await?;
    let name = args.instance.clone().unwrap_or_else(|| start::instance(&loaded));
    let params = store.parameters(&start::params(&loaded)).await?;
    let outcome = match event {
        Some(event) => store.instance_event(&name, event, &params, now_ms()).await,
        None => store.end_maintenance(&name, &params, now_ms()).await,
    };
    store.close().await;
    let status = outcome?.map_err(|refusal| refused(&name, &refusal))?;
    if args.json {
        output::json(&Changed { instance: name, status: status.to_string() })?;
    } else {
        output::line(&format!("instance {name} is {status}"));
    }
    Ok(Exit::Done)
}

/// `facilitator stats`.
pub(crate) async fn stats(args: StatsArgs) -> Result<Exit, Failure> {
    let loaded = context::load_config(&context::selection(&args.pair), &context::home()?).await?;
    let views = match context::open_if_made(&loaded).await? {
        Some(store) => {
            let mut views = views(&store, now_ms()).await?;
            for view in &mut views {
                remember(&store, view).await?;
            }
            store.close().await;
            views
        }
        None => Vec::new(),
    };
    if args.json {
        output::json(&views)?;
    } else if views.is_empty() {
        output::line("No instance has been started on this database yet.");
    } else {
        lines(&views, Look::of_stdout()).iter().for_each(|line| output::line(line));
    }
    Ok(Exit::Done)
}

/// What has happened to an instance of late.
async fn remember(store: &Store, view: &mut InstanceView) -> Result<(), Failure> {
    let Some(row) = store.instance(&view.instance).await? else { return Ok(()) };
    view.transitions = store
        .transitions(row.id, REMEMBERED)
        .await?
        .into_iter()
        .map(|moved| TransitionView {
            at: time(moved.at_ms),
            from: moved.from.to_string(),
            to: moved.to.to_string(),
            reason: moved.reason,
        })
        .collect();
    view.heartbeats = store
        .heartbeats(row.id, REMEMBERED)
        .await?
        .into_iter()
        .map(|beat| HeartbeatView {
            sent_at: time(beat.sent_at_ms),
            received_at: time(beat.received_at_ms),
            status: beat.status.to_string(),
            refusal: beat.refusal,
        })
        .collect();
    Ok(())
}

/// `facilitator params`.
pub(crate) async fn params(command: ParamsCommand) -> Result<Exit, Failure> {
    match command {
        ParamsCommand::Get { pair, name, json } => {
            let loaded = context::load_config(&context::selection(&pair), &context::home()?).await?;
            let configured = start::params(&loaded);
            let params = match context::open_if_made(&loaded).await? {
                Some(store) => store.parameters(&configured).await?,
                None => configured,
            };
            let chosen = name.as_deref().map(|name| stored_name(name).map(|(name, _)| name)).transpose()?;
            let wanted = |named: &(&'static str, i64)| chosen.is_none_or(|chosen| chosen == named.0);
            show(params.named().into_iter().filter(wanted).collect(), json)
        }
        ParamsCommand::Set { pair, name, value, json } => {
            let (stored, factor) = stored_name(&name)?;
            let value = whole(&name, &value, factor)?;
            let loaded = context::load_config(&context::selection(&pair), &context::home()?).await?;
            let store = context::open(&loaded, Access::Writer).await?;
            let before = store.parameters(&start::params(&loaded)).await?;
            let after = before.with(&BTreeMap::from([(stored.to_owned(), value)]));
            let unfit = |what: &str| Failure::new(Exit::Usage, format!("{name}: {what}"));
            after.check().map_err(|error| unfit(error.problem))?;
            if after.named().iter().all(|(known, now)| *known != stored || *now != value) {
                return Err(unfit("does not fit"));
            }
            store.set_parameters(&after, now_ms()).await?;
            store.close().await;
            show(vec![(stored, value)], json)
        }
    }
}

/// The stored name of a parameter and by what a given value is multiplied: a time without a unit is in seconds.
fn stored_name(name: &str) -> Result<(&'static str, i64), Failure> {
    let known = Params::default().named();
    let find = |wanted: &str| known.iter().find(|(known, _)| *known == wanted).map(|(known, _)| *known);
    let in_seconds = name.trim_end_matches("_s");
    find(name)
        .map(|known| (known, 1))
        .or_else(|| find(&format!("{in_seconds}_ms")).map(|known| (known, 1_000)))
        .ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
            let names = names.join(", ");
            Failure::new(
                Exit::Usage,
                format!("`{name}` is no parameter; there are {names}, and times in seconds without `_ms`"),
            )
        })
}

fn whole(name: &str, text: &str, factor: i64) -> Result<i64, Failure> {
    let value = text.parse::<i64>().ok().and_then(|value| value.checked_mul(factor));
    value.ok_or_else(|| Failure::new(Exit::Usage, format!("{name}: `{text}` is no whole number that fits")))
}

fn show(named: Vec<(&'static str, i64)>, json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&named.into_iter().collect::<BTreeMap<_, _>>())?;
    } else {
        let rows: Vec<Vec<String>> =
            named.into_iter().map(|(name, value)| vec![name.to_owned(), value.to_string()]).collect();
        output::line(&output::table(&rows));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_unit_is_in_seconds() {
        assert_eq!(stored_name("son_heartbeat_frequency").unwrap(), ("son_heartbeat_frequency_ms", 1_000));
        assert_eq!(stored_name("son_heartbeat_frequency_s").unwrap(), ("son_heartbeat_frequency_ms", 1_000));
        assert_eq!(stored_name("son_heartbeat_frequency_ms").unwrap(), ("son_heartbeat_frequency_ms", 1));
        assert_eq!(stored_name("maximum_active").unwrap(), ("maximum_active", 1));
        assert_eq!(stored_name("son_hartbeat").unwrap_err().exit, Exit::Usage);
        assert_eq!(whole("a", "5", 1_000).unwrap(), 5_000);
        assert!(whole("a", "9223372036854775807", 1_000).is_err());
    }
}
