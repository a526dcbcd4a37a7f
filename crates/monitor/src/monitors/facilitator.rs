//! The operator's own facilitator, by its database and by the balances of its keys.

use super::{Findings, Look, Monitor};
use crate::{Alert, SystemEvent, Task, Topic, chains::Chain, now_ms, recall::Condition};
use facilitator_eth::{Address, U256};
use facilitator_heartbeat::{Status, is_intended};
use facilitator_protocol::model::{Side, Stage, State};
use facilitator_store::{
    Store,
    instances::{InstanceRow, Transition},
    processes::{Process, ProcessKind},
    requests::{Filter, Record},
};
use serde::Deserialize;

/// Most failed requests that are told of; more are one event each as these get well.
const MOST_FAILED: u32 = 100;

/// Watches the facilitator of a database.
#[derive(Debug, Clone)]
pub struct FacilitatorMonitor {
    /// Its database, if there is one.
    pub store: Option<Store>,
    /// Its worker keys: on the origin chain, on the auxiliary chain.
    pub workers: [Vec<Address>; 2],
    /// How old its last sign of life may be, in milliseconds. It gives one every two seconds.
    pub silence_ms: u64,
    /// A key with less coin than this needs more, in wei.
    pub low_balance: U256,
}

/// What a running facilitator says of itself, as far as it is watched here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Standing {
    chains: Vec<ChainStanding>,
    children: Vec<ChildStanding>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChainStanding {
    chain_id: u64,
    trouble: Option<String>,
    critical: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChildStanding {
    role: String,
    side: String,
    state: String,
    trouble: Option<String>,
}

/// How the connector begins to say that a fork is too deep.
const FORK_PROTECTION: &str = "fork protection";

/// Makes events with the place and time of this run.
struct Now {
    chain_id: u64,
    block: u64,
    silence_ms: u64,
}

impl Now {
    fn event(&self, alert: Alert) -> SystemEvent {
        SystemEvent::new(alert, self.chain_id, self.block)
    }

    /// What one process says and does.
    fn process(&self, process: &Process, now_ms: i64) -> Vec<Condition> {
        let registered = &process.registered;
        if registered.kind != ProcessKind::Facilitator {
            return Vec::new();
        }
        let instance = &registered.instance;
        if u64::try_from(now_ms.saturating_sub(process.heartbeat_at_ms)).unwrap_or(0) > self.silence_ms {
            let event = self.event(Alert::FacilitatorSilent);
            let event = event.with("instance", instance).with("host", &registered.host).with("pid", registered.pid);
            return vec![Condition::new(format!("silent/{instance}"), event)];
        }
        let standing = process.detail.as_deref().and_then(|detail| serde_json::from_str(detail).ok());
        self.standing(instance, &standing.unwrap_or_default())
    }

    fn standing(&self, instance: &str, standing: &Standing) -> Vec<Condition> {
        let mut present = Vec::new();
        for child in standing.children.iter().filter(|child| child.state == "quarantined") {
            let event = self.event(Alert::ProcessQuarantined).with("instance", instance);
            let event = event.with("role", &child.role).with("side", &child.side);
            let event = event.with("reason", child.trouble.as_deref().unwrap_or("it kept dying"));
            present.push(Condition::new(format!("quarantined/{instance}/{}/{}", child.role, child.side), event));
        }
        for chain in &standing.chains {
            let protected = chain.trouble.as_ref().filter(|trouble| trouble.starts_with(FORK_PROTECTION));
            let told = [(Alert::ForkProtectionHit, protected), (Alert::ChainsContradict, chain.critical.as_ref())];
            for (alert, reason) in told {
                let Some(reason) = reason else { continue };
                let event = self.event(alert).with("instance", instance);
                let event = event.with("on_chain", chain.chain_id).with("reason", reason);
                present.push(Condition::new(format!("{}/{instance}/{}", alert.title(), chain.chain_id), event));
            }
        }
        present
    }

    /// An instance that may not work. One that never could is new, and one that was stopped in order rests as it should:
    /// no reason to worry.
    fn resting(&self, row: &InstanceRow, last: Option<&Transition>) -> Option<Condition> {
        let alert = match row.instance.status {
            Status::Active | Status::RequestMaintenance => return None,
            Status::Inactive => Alert::InstanceInactive,
            Status::InMaintenance => Alert::InstanceInMaintenance,
            Status::Deregistered => Alert::InstanceDeregistered,
        };
        let (name, status, reason) = (&row.name, row.instance.status, &last?.reason);
        if status == Status::Inactive && is_intended(reason) {
            return None;
        }
        let event = self.event(alert).with("instance", name).with("reason", reason);
        Some(Condition::new(format!("resting/{name}/{status}"), event))
    }

    fn failed(&self, record: &Record) -> Condition {
        let request = &record.request;
        let state = request.state.name(request.kind);
        let event = self
            .event(Alert::RequestFailed)
            .with("kind", request.kind)
            .with("request_hash", request.terms.request_hash)
            .with("state", state)
            .with("reason", request.last_error.as_deref().unwrap_or("-"));
        Condition::new(format!("failed/{}/{state}", request.id), event)
    }
}

impl FacilitatorMonitor {
    async fn by_database(&self, look: &Look<'_>) -> Result<Vec<SystemEvent>, String> {
        let Some(store) = &self.store else { return Ok(Vec::new()) };
        // The database is of neither chain; what is found there is placed on the origin chain.
        let chain = look.on(Side::Origin)?;
        let now = Now { chain_id: chain.chain_id, block: chain.window.to, silence_ms: self.silence_ms };
        let processes = store.processes().await.map_err(|error| error.to_string())?;
        let mut present: Vec<Condition> = processes.iter().flat_map(|process| now.process(process, now_ms())).collect();
        for row in store.instances().await.map_err(|error| error.to_string())? {
            let last = store.transitions(row.id, 1).await.map_err(|error| error.to_string())?;
            present.extend(now.resting(&row, last.first()));
        }
        let mut states: Vec<State> = Stage::ALL.iter().map(|stage| State::Failed(*stage)).collect();
        states.push(State::Unknown);
        let filter = Filter { states, limit: MOST_FAILED, ..Filter::default() };
        let failed = store.list(&filter).await.map_err(|error| error.to_string())?;
        present.extend(failed.iter().map(|record| now.failed(record)));
        look.recall("facilitator/database", present, chain.window).await
    }

    async fn balances(&self, look: &Look<'_>, side: Side) -> Result<Vec<SystemEvent>, String> {
        let [origin, auxiliary] = &self.workers;
        let workers = match side {
            Side::Origin => origin,
            Side::Auxiliary => auxiliary,
        };
        let chain: &Chain = look.on(side)?;
        let balances = chain.balances(workers).await?;
        let low = workers.iter().zip(balances).filter(|(_, balance)| *balance < self.low_balance);
        let present = low.map(|(worker, balance)| {
            let event = SystemEvent::new(Alert::WorkerBalanceLow, chain.chain_id, chain.window.to);
            Condition::new(worker.to_string(), event.with("worker", worker).with("balance", balance))
        });
        look.recall(&format!("facilitator/balances/{}", chain.chain_id), present.collect(), chain.window).await
    }
}

impl Monitor for FacilitatorMonitor {
    fn name(&self) -> &'static str {
        Topic::Facilitator.name()
    }

    fn check<'a>(&'a self, look: &'a Look<'_>) -> Task<'a, Findings> {
        Box::pin(async move {
            let mut findings = Findings::default();
            findings.add(self.by_database(look).await);
            for side in [Side::Origin, Side::Auxiliary] {
                findings.add(self.balances(look, side).await);
            }
            findings
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_facilitator_says_of_itself_is_understood() {
        let detail = serde_json::json!({
            "status": "active",
            "chains": [
                { "chain_id": 3, "trouble": "fork protection: http://a has another chain than ours", "critical": null },
                { "chain_id": 1406, "trouble": "http://b can't be reached", "critical": "anchored state root differs" },
            ],
            "children": [
                { "role": "scanner", "side": "origin", "state": "working" },
                { "role": "sender", "side": "auxiliary", "state": "quarantined", "trouble": "died 10 times" },
            ],
        });
        let standing: Standing = serde_json::from_value(detail).unwrap();
        let now = Now { chain_id: 3, block: 9, silence_ms: 1 };
        let told: Vec<_> = now.standing("host:1406", &standing).into_iter().map(|condition| condition.event).collect();
        let titles: Vec<_> = told.iter().map(|event| event.title.as_str()).collect();
        assert_eq!(
            titles,
            [Alert::ProcessQuarantined, Alert::ForkProtectionHit, Alert::ChainsContradict].map(Alert::title)
        );
        assert_eq!(told[0].data["role"], "sender");
        assert!(now.standing("host:1406", &Standing::default()).is_empty());
    }
}
