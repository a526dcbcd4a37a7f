//! The instances that share a database, and their life.
//!
//! What an event makes of an instance is decided by `facilitator-heartbeat`; here it is read, decided and written in one
//! transaction, so that two who look at the same time never both change it.

mod board;
mod gone;
mod parameters;
mod row;
mod sign;

pub use board::Tending;
pub(crate) use gone::UNTENDED;
pub use row::{Heartbeat, InstanceKey, InstanceRow, Transition};
pub(crate) use sign::{admit, check_claims, refuse_idle};

use crate::{
    Store,
    db::{Tx, args},
    error::{Result, StoreError},
};
use facilitator_eth::Address;
use facilitator_heartbeat::{Applied, Candidate, Event, Instance, Params, Refusal, Status, active_set, apply};
use row::{COLUMNS, read, write};

/// How long heartbeats are remembered, in milliseconds: a week.
const HEARTBEATS_KEPT_MS: i64 = 604_800_000;

/// An instance that starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInstance {
    /// Its name, the same after every restart.
    pub name: String,
    /// The machine.
    pub host: String,
    /// Its weight in the choice of the active set.
    pub weight: u64,
    /// Its worker keys, with their chains.
    pub keys: Vec<(u64, Address)>,
}

impl Store {
    /// Registers an instance, or finds it again: a restart keeps status and statistics. The row.
    ///
    /// Its readiness is not kept: it says anew when both chains work. Another one that had one of its keys has it no
    /// longer, and works no longer: to be called once it is known that no living process has them ([`Store::register`]).
    /// So an instance that comes back under another name, as the host's may be part of it, need not wait until its former
    /// self is found silent.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn enroll(&self, new: &NewInstance, now_ms: i64) -> Result<InstanceRow> {
        let mut tx = self.db.begin().await?;
        // In the order in which who judges them locks them too.
        let sql = format!("SELECT {COLUMNS} FROM instances ORDER BY name{}", tx.dialect().for_update());
        let known = tx.fetch(sql, Vec::new()).await?.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        let sql = "INSERT INTO instances (name, host, weight, status, since_ms, ready, unready_since_ms, registered_at_ms,
                txs_signed, total_txs_signed, total_downtime_ms, ended_downtime_ms, missed_heartbeats, total_inactive_ms,
                total_voted_time_ms)
            VALUES ($1, $2, $3, $4, $5, 0, $5, $5, 0, 0, 0, 0, 0, 0, 0)
            ON CONFLICT (name) DO UPDATE SET host = excluded.host, weight = excluded.weight, ready = 0,
                unready_since_ms = excluded.unready_since_ms";
        let status = Instance::registered(now_ms).status;
        tx.execute(sql, args![new.name, new.host, new.weight, status.as_str(), now_ms]).await?;
        let row = find(&mut tx, &new.name).await?;
        for former in known.iter().filter(|former| former.name != new.name) {
            if take_keys(&mut tx, former, &new.keys).await? > 0 {
                // What the event makes of it does not depend on parameters.
                let _status = change(&mut tx, former, Event::Replaced, &Params::default(), now_ms).await?;
            }
        }
        tx.execute("DELETE FROM instance_keys WHERE instance_id = $1", args![row.id]).await?;
        for (chain_id, account) in &new.keys {
            let sql = "INSERT INTO instance_keys (instance_id, chain_id, account) VALUES ($1, $2, $3)
                ON CONFLICT (instance_id, chain_id, account) DO NOTHING";
            tx.execute(sql, args![row.id, chain_id, account]).await?;
        }
        tx.commit().await?;
        Ok(row)
    }

    /// Every instance, by name.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn instances(&self) -> Result<Vec<InstanceRow>> {
        let sql = format!("SELECT {COLUMNS} FROM instances ORDER BY name");
        self.db.fetch(sql, Vec::new()).await?.into_iter().map(read).collect()
    }

    /// Carries an event out on an instance.
    ///
    /// The inner error is the life cycle's: nothing was changed.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] for a name that nobody has; others of the database.
    pub async fn instance_event(
        &self,
        name: &str,
        event: Event,
        params: &Params,
        now_ms: i64,
    ) -> Result<std::result::Result<Status, Refusal>> {
        let mut tx = self.db.begin().await?;
        let row = find(&mut tx, name).await?;
        let outcome = change(&mut tx, &row, event, params, now_ms).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// Ends the maintenance of an instance, which belongs to the active set or does not (H5).
    ///
    /// # Errors
    /// As [`Store::instance_event`].
    pub async fn end_maintenance(
        &self,
        name: &str,
        params: &Params,
        now_ms: i64,
    ) -> Result<std::result::Result<Status, Refusal>> {
        let mut tx = self.db.begin().await?;
        let sql = format!("SELECT {COLUMNS} FROM instances ORDER BY name{}", tx.dialect().for_update());
        let rows = tx.fetch(sql, Vec::new()).await?.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        let candidate = |row: &InstanceRow| Candidate {
            name: row.name.clone(),
            weight: row.weight,
            status: row.instance.status,
            ready: row.instance.ready,
        };
        let set = active_set(&rows.iter().map(candidate).collect::<Vec<_>>(), params.maximum_active);
        let event = Event::Return { in_active_set: set.iter().any(|member| member == name) };
        let row = rows.into_iter().find(|row| row.name == name);
        let row = row.ok_or_else(|| StoreError::Unknown { what: "instance", name: name.to_owned() })?;
        let outcome = change(&mut tx, &row, event, params, now_ms).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// A heartbeat of an instance; it is remembered whether it was accepted or not (H17, H19).
    ///
    /// # Errors
    /// As [`Store::instance_event`].
    pub async fn instance_heartbeat(
        &self,
        name: &str,
        sent_ms: i64,
        params: &Params,
        now_ms: i64,
    ) -> Result<std::result::Result<Status, Refusal>> {
        let mut tx = self.db.begin().await?;
        let row = find(&mut tx, name).await?;
        let outcome = change(&mut tx, &row, Event::Heartbeat { sent_ms }, params, now_ms).await?;
        let sql = "INSERT INTO heartbeats (instance_id, sent_at_ms, received_at_ms, status, refusal)
            VALUES ($1, $2, $3, $4, $5)";
        let refusal = outcome.as_ref().err().map(Refusal::to_string);
        tx.execute(sql, args![row.id, sent_ms, now_ms, row.instance.status.as_str(), refusal]).await?;
        if outcome.is_ok() {
            let sql = "UPDATE instance_keys SET last_active_ms = $2 WHERE instance_id = $1";
            tx.execute(sql, args![row.id, sent_ms]).await?;
        }
        let old = now_ms.saturating_sub(HEARTBEATS_KEPT_MS);
        tx.execute("DELETE FROM heartbeats WHERE received_at_ms < $1", args![old]).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// One instance.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn instance(&self, name: &str) -> Result<Option<InstanceRow>> {
        let sql = format!("SELECT {COLUMNS} FROM instances WHERE name = $1");
        self.db.fetch(sql, args![name]).await?.into_iter().next().map(read).transpose()
    }

    /// The worker keys of an instance, with their chains and when they last gave a sign of life.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn instance_keys(&self, instance: i64) -> Result<Vec<InstanceKey>> {
        let sql = "SELECT chain_id, account, last_active_ms FROM instance_keys WHERE instance_id = $1
            ORDER BY chain_id, account";
        self.db.fetch(sql, args![instance]).await?.into_iter().map(row::key).collect()
    }

    /// The newest heartbeats of an instance, newest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn heartbeats(&self, instance: i64, limit: u32) -> Result<Vec<Heartbeat>> {
        let sql = "SELECT sent_at_ms, received_at_ms, status, refusal FROM heartbeats WHERE instance_id = $1
            ORDER BY id DESC LIMIT $2";
        let rows = self.db.fetch(sql, args![instance, limit]).await?;
        rows.into_iter().map(row::heartbeat).collect()
    }

    /// The newest changes of status of an instance, newest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn transitions(&self, instance: i64, limit: u32) -> Result<Vec<Transition>> {
        let sql = "SELECT at_ms, from_status, to_status, reason FROM status_transitions WHERE instance_id = $1
            ORDER BY id DESC LIMIT $2";
        let rows = self.db.fetch(sql, args![instance, limit]).await?;
        rows.into_iter().map(row::transition).collect()
    }
}

/// The row of a name, locked until the transaction ends.
async fn find(tx: &mut Tx, name: &str) -> Result<InstanceRow> {
    let sql = format!("SELECT {COLUMNS} FROM instances WHERE name = $1{}", tx.dialect().for_update());
    let found = tx.fetch_one(sql, args![name]).await?;
    found.map_or_else(|| Err(StoreError::Unknown { what: "instance", name: name.to_owned() }), read)
}

/// Takes keys from whoever had them, with the leases of their accounts; how many it had.
async fn take_keys(tx: &mut Tx, former: &InstanceRow, keys: &[(u64, Address)]) -> Result<u64> {
    let mut taken = 0_u64;
    for (chain_id, account) in keys {
        let sql = "DELETE FROM instance_keys WHERE instance_id = $1 AND chain_id = $2 AND account = $3";
        let found = tx.execute(sql, args![former.id, chain_id, account]).await?;
        if found > 0 {
            taken = taken.saturating_add(found);
            let sql = "UPDATE leases SET expires_at_ms = 0 WHERE chain_id = $1 AND account = $2 AND owner = $3";
            tx.execute(sql, args![chain_id, account, former.name]).await?;
        }
    }
    Ok(taken)
}

async fn change(
    tx: &mut Tx,
    row: &InstanceRow,
    event: Event,
    params: &Params,
    now_ms: i64,
) -> Result<std::result::Result<Status, Refusal>> {
    match apply(&row.instance, event, now_ms, params) {
        Err(refusal) => Ok(Err(refusal)),
        Ok(Applied { instance, reason }) => {
            write(tx, row.id, &instance).await?;
            if let Some(reason) = reason {
                let moved = (row.instance.status, instance.status);
                append_transition(tx, row.id, moved, &reason, now_ms).await?;
            }
            Ok(Ok(instance.status))
        }
    }
}

async fn append_transition(
    tx: &mut Tx,
    id: i64,
    (from, to): (Status, Status),
    reason: &str,
    now_ms: i64,
) -> Result<()> {
    let sql = "INSERT INTO status_transitions (instance_id, at_ms, from_status, to_status, reason)
        VALUES ($1, $2, $3, $4, $5)";
    tx.execute(sql, args![id, now_ms, from.as_str(), to.as_str(), reason]).await.map(drop)
}
