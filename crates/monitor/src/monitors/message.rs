//! Messages between the gateways, whoever carries them.

use super::{Findings, Look, Monitor, aged, judge, tell, told::about};
use crate::{Alert, SystemEvent, Task, Topic, Window, chains::Seen, recall::Condition};
use facilitator_eth::{Address, B256};
use facilitator_protocol::{
    contracts::gateway,
    gateway::GatewaySet,
    model::{Kind, Side},
};
use facilitator_store::{Store, monitor::Designated};
use std::collections::HashSet;

/// Watches messages on both chains.
#[derive(Debug, Clone)]
pub struct MessageMonitor {
    /// Blocks after which a message should be finished.
    pub unfinished: u64,
    /// Blocks that must stand on a declaration before it is confirmed: origin chain, auxiliary chain.
    pub confirmations: [u64; 2],
    /// Says whose task a message is, where there is a facilitator.
    pub store: Option<Store>,
}

const SIDES: [Side; 2] = [Side::Origin, Side::Auxiliary];

const fn kind_to(target: Side) -> Kind {
    match target {
        Side::Auxiliary => Kind::Stake,
        Side::Origin => Kind::Redeem,
    }
}

impl MessageMonitor {
    /// Confirmations on the target chain without what they confirm on the source chain, or with something else.
    async fn unmatched(&self, look: &Look<'_>, target: Side) -> Result<Vec<SystemEvent>, String> {
        let (chain, source) = (look.on(target)?, look.on(target.other())?);
        let seen = chain.events(chain.window).await?;
        let found: Vec<_> = seen.iter().filter_map(|seen| Some((seen, judge::confirmed(&seen.event)?))).collect();
        if let Some((_, ahead)) = found.iter().find(|(_, confirmed)| confirmed.height > source.window.to) {
            let (id, to, height) = (source.chain_id, source.window.to, ahead.height);
            return Err(format!("the node of chain {id} is at block {to}, block {height} of which was proven already"));
        }
        let on = |set: &GatewaySet| set.box_on(source.side);
        let statuses: Vec<_> =
            found.iter().map(|(seen, c)| (on(&seen.set), gateway::outbox_status(c.message))).collect();
        let stored: Vec<_> = found.iter().map(|(seen, c)| (on(&seen.set), gateway::messages(c.message))).collect();
        let (statuses, stored) = (source.ask(&statuses).await?, source.ask(&stored).await?);
        let mut present = Vec::new();
        for (((seen, confirmed), outbox), stored) in found.iter().zip(statuses).zip(stored) {
            if let Some(fault) = judge::fault(confirmed, on(&seen.set), outbox, stored.intent_hash) {
                let alert = fault.alert();
                let key = format!("{}/{}", alert.title(), confirmed.message);
                present.push(Condition::new(key, about(chain, alert, seen)));
            }
        }
        look.recall(&format!("message/unmatched/{}", chain.chain_id), present, chain.window).await
    }

    /// Confirmations of what has not got enough confirmations itself.
    async fn too_early(&self, look: &Look<'_>, target: Side) -> Result<Vec<SystemEvent>, String> {
        let (chain, source) = (look.on(target)?, look.on(target.other())?);
        let needed = match source.side {
            Side::Origin => self.confirmations[0],
            Side::Auxiliary => self.confirmations[1],
        };
        let seen = chain.events(chain.window).await?;
        let found: Vec<_> = seen.iter().filter_map(|seen| Some((seen, judge::confirmed(&seen.event)?))).collect();
        let mut present = Vec::new();
        if needed > 0 && !found.is_empty() {
            let shallow = Window { from: source.window.to.saturating_sub(needed), to: source.window.to };
            let shallow = source.events(shallow).await?;
            // What was added since this run began counts for the confirmation.
            let newest = source.newest().await?;
            let young = shallow.iter().filter(|seen| seen.log.block_number.saturating_add(needed) > newest);
            let young: HashSet<B256> = young.filter_map(|seen| judge::declared(&seen.event).map(|d| d.1)).collect();
            let early = found.iter().filter(|(_, confirmed)| young.contains(&confirmed.message));
            present.extend(early.map(|(seen, confirmed)| {
                let event = about(chain, Alert::ConfirmedTooEarly, seen).with("needed_confirmations", needed);
                Condition::new(confirmed.message.to_string(), event)
            }));
        }
        look.recall(&format!("message/early/{}", chain.chain_id), present, chain.window).await
    }

    /// Messages that should be finished by now.
    async fn unfinished(&self, look: &Look<'_>, kind: Kind) -> Result<Vec<SystemEvent>, String> {
        let (source, target) = (look.on(kind.source())?, look.on(kind.target())?);
        let Some(window) = source.window.earlier(self.unfinished) else { return Ok(Vec::new()) };
        let of_kind = |seen: &Seen| judge::declared(&seen.event).filter(|declared| declared.0 == kind);
        let old = aged(source, self.unfinished, of_kind).await?;
        let outboxes: Vec<_> =
            old.iter().map(|(seen, d)| (seen.set.box_on(source.side), gateway::outbox_status(d.1))).collect();
        let inboxes: Vec<_> =
            old.iter().map(|(seen, d)| (seen.set.box_on(target.side), gateway::inbox_status(d.1))).collect();
        let (outboxes, inboxes) = (source.ask(&outboxes).await?, target.ask(&inboxes).await?);
        let open = old.iter().zip(outboxes.iter().zip(&inboxes));
        let open = open.filter(|(_, (outbox, inbox))| !judge::is_finished(**outbox, **inbox));
        let present = open.map(|((seen, declared), (outbox, inbox))| {
            let event = about(source, Alert::MessageUnfinished, seen).with("outbox", outbox).with("inbox", inbox);
            Condition::new(declared.1.to_string(), event)
        });
        look.recall(&format!("message/unfinished/{}", source.chain_id), present.collect(), window).await
    }

    /// What others did of what our database holds for our task.
    async fn by_others(&self, look: &Look<'_>, side: Side) -> Result<Vec<SystemEvent>, String> {
        let (Some(store), chain) = (&self.store, look.on(side)?) else { return Ok(Vec::new()) };
        let mut events = Vec::new();
        for seen in chain.events(chain.window).await?.iter() {
            let Some((alert, designated)) = designated(store, seen).await? else { continue };
            let worker: Option<Address> = match side {
                Side::Origin => designated.origin,
                Side::Auxiliary => designated.auxiliary,
            };
            let Some(worker) = worker else { continue };
            let sender = chain.sender(seen.log.tx_hash).await?;
            if sender != worker {
                let event = about(chain, alert, seen);
                events.push(event.with("designated_worker", worker).with("worker", sender));
            }
        }
        Ok(events)
    }
}

/// Whose task it was, if our database says that it is ours.
async fn designated(store: &Store, seen: &Seen) -> Result<Option<(Alert, Designated)>, String> {
    let found = if let Some((_, _, sender, nonce)) = judge::declared(&seen.event) {
        let gateway = seen.log.address;
        store.designated_workers(gateway, sender, nonce).await.map(|found| (Alert::AcceptedByAnother, found))
    } else if let Some(message) = judge::progressed(&seen.event) {
        store.designated_workers_of(message).await.map(|found| (Alert::ProgressedByAnother, found))
    } else {
        return Ok(None);
    };
    let (alert, found) = found.map_err(|error| error.to_string())?;
    Ok(found.map(|found| (alert, found)))
}

impl Monitor for MessageMonitor {
    fn name(&self) -> &'static str {
        Topic::Message.name()
    }

    fn check<'a>(&'a self, look: &'a Look<'_>) -> Task<'a, Findings> {
        Box::pin(async move {
            let mut findings = Findings::default();
            for side in SIDES {
                findings.add(tell(look, side, Topic::Message).await);
                findings.add(self.unmatched(look, side).await);
                findings.add(self.too_early(look, side).await);
                findings.add(self.unfinished(look, kind_to(side)).await);
                findings.add(self.by_others(look, side).await);
            }
            findings
        })
    }
}
