//! The life of this instance among those that share the database: its heartbeats, and what its status allows.
//!
//! Statuses are decided by `facilitator-heartbeat` in the database's transactions. The parent asks each second, and acts on
//! the answer; the senders' signatures are checked against the database once more.

use super::clerk::{Desk, Readiness};
use super::{Parent, ParentError};
use crate::clock::now_ms;
use facilitator_heartbeat::{Closed, Event, Instance, Moved, Params, Status, hours_minutes_seconds};
use facilitator_kill::kill_point;
use facilitator_store::StoreError;
use facilitator_store::instances::{InstanceRow, Tending};
use std::time::Duration;
use tokio::time::Instant;

/// Time between two looks at the instances.
const PULSE: Duration = Duration::from_secs(1);

impl Parent {
    /// Whether the status of this instance allows work.
    pub(super) fn may_work(&self) -> bool {
        self.life.is_some_and(Status::may_sign)
    }

    /// Gives a sign of life now and then, also while it stops: what it has signed is its own until then.
    pub(super) fn beat(&mut self, now: Instant) {
        if now < self.next_pulse || self.clerk.is_pulsing() {
            return;
        }
        self.next_pulse = now + PULSE;
        let is_ready = self.is_working() && self.is_taking_work();
        self.clerk.pulse(if is_ready { Readiness::Ready } else { Readiness::NotReady });
    }

    /// What the database says of this instance.
    pub(super) fn lives_as(&mut self, status: Status) {
        if self.life == Some(status) {
            return;
        }
        let (was_open, worked) = (self.is_open(), self.may_work());
        self.life = Some(status);
        self.next_heartbeat = Instant::now();
        if worked && !status.may_sign() {
            self.crew.dismiss_all();
        }
        self.claim_wanted |= status.may_sign();
        self.gate_was(was_open);
        if status == Status::Deregistered {
            self.give_up(ParentError::Deregistered { instance: self.setup.instance.clone() });
        }
    }
}

impl Desk {
    /// Says what is to be said and tends all instances; the own status afterwards.
    pub(super) async fn pulse(&self, readiness: Readiness) -> Result<Option<Status>, StoreError> {
        let params = self.persist(|| self.store.parameters(&self.params)).await?;
        let Some(mut row) = self.own().await? else { return Ok(None) };
        if is_due(&row.instance, &params) {
            self.heartbeat(&params).await?;
        }
        let is_ready = readiness == Readiness::Ready;
        if row.instance.status != Status::Deregistered && row.instance.ready != is_ready {
            let event = if is_ready { Event::Ready } else { Event::NotReady };
            let said = self.persist(|| self.store.instance_event(&self.owner, event, &params, now_ms())).await?;
            kill_point!("parent.readiness_said");
            if let Err(refusal) = said {
                tracing::debug!(%refusal, "not ready after all");
            }
        }
        let tended = self.persist(|| self.store.tend_instances(&self.owner, &params, now_ms())).await?;
        if tended != Tending::default() {
            kill_point!("parent.instances_tended");
            tell(&tended);
            if let Some(fresh) = self.own().await? {
                row = fresh;
            }
        }
        Ok(Some(row.instance.status))
    }

    async fn own(&self) -> Result<Option<InstanceRow>, StoreError> {
        self.persist(|| self.store.instance(&self.owner)).await
    }

    /// One that is refused is tried again at the next interval.
    async fn heartbeat(&self, params: &Params) -> Result<(), StoreError> {
        let sent_ms = now_ms();
        let sent = self.persist(|| self.store.instance_heartbeat(&self.owner, sent_ms, params, now_ms())).await?;
        match sent {
            Ok(status) => {
                let counted = self.own().await?.map(|row| row.instance.statistics).unwrap_or_default();
                tracing::info!(
                    instance = self.owner,
                    %status,
                    txs_signed = counted.txs_signed,
                    total_txs_signed = counted.total_txs_signed,
                    total_downtime = hours_minutes_seconds(counted.total_downtime_ms),
                    total_inactive = hours_minutes_seconds(counted.total_inactive_ms),
                    total_voted_time = hours_minutes_seconds(counted.total_voted_ms),
                    "heartbeat sent"
                );
            }
            Err(refusal) => tracing::warn!(instance = self.owner, %refusal, "heartbeat refused"),
        }
        Ok(())
    }
}

/// A sign of life that lies in the future is one of a clock that has gone back since.
fn is_due(instance: &Instance, params: &Params) -> bool {
    let (now, heard) = (now_ms(), instance.heard_ms());
    let next = heard.saturating_add(params.heartbeat_frequency_ms);
    instance.status.may_sign() && (now >= next || heard > now.saturating_add(params.tolerance_ms))
}

/// Every change of status with its reason, and what became of proposals.
fn tell(tended: &Tending) {
    for Moved { name, from, to, reason } in &tended.moved {
        if to.may_sign() || *to == Status::InMaintenance {
            tracing::info!(instance = name, %from, %to, reason, "status changed");
        } else {
            tracing::warn!(instance = name, %from, %to, reason, "status changed");
        }
    }
    for proposal in &tended.raised {
        tracing::warn!(about = proposal.target, proposer = proposal.proposer, "proposed to deregister an instance");
    }
    for Closed { proposal, vote } in &tended.closed {
        tracing::warn!(about = proposal.target, ?vote, "a proposal to deregister an instance ended");
    }
    if tended.freed > 0 {
        tracing::warn!(count = tended.freed, "work of instances that may not work is free for others");
    }
}
