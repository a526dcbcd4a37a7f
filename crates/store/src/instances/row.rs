//! Instances as they are stored.

use crate::{
    db::{Row, Tx, args},
    error::Result,
};
use facilitator_eth::Address;
use facilitator_heartbeat::{Instance, Statistics, Status};

/// A stored instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRow {
    /// Row number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The machine it last started on.
    pub host: String,
    /// Its weight in the choice of the active set.
    pub weight: u64,
    /// When it was registered first, Unix milliseconds.
    pub registered_at_ms: i64,
    /// Where it stands.
    pub instance: Instance,
}

/// A worker key of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceKey {
    /// The chain.
    pub chain_id: u64,
    /// The account.
    pub account: Address,
    /// Its last sign of life, Unix milliseconds.
    pub last_active_ms: Option<i64>,
}

/// One heartbeat. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// By the sender's clock.
    pub sent_at_ms: i64,
    /// When it was stored.
    pub received_at_ms: i64,
    /// Status of the instance then.
    pub status: Status,
    /// Why it was refused; `None` if it was accepted.
    pub refusal: Option<String>,
}

/// One change of status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// From.
    pub from: Status,
    /// To.
    pub to: Status,
    /// Why.
    pub reason: String,
}

pub(super) const COLUMNS: &str =
    "id, name, host, weight, registered_at_ms, status, since_ms, ready, unready_since_ms, last_tick_ms,
    txs_signed, total_txs_signed, total_downtime_ms, ended_downtime_ms, last_down_timestamp_ms,
    last_active_timestamp_ms, deregistered_timestamp_ms, missed_heartbeats, total_inactive_ms, total_voted_time_ms";

/// In the order of [`COLUMNS`].
pub(super) fn read(mut row: Row) -> Result<InstanceRow> {
    Ok(InstanceRow {
        id: row.take()?,
        name: row.take()?,
        host: row.take()?,
        weight: row.take()?,
        registered_at_ms: row.take()?,
        instance: Instance {
            status: status(&mut row)?,
            since_ms: row.take()?,
            ready: row.take()?,
            unready_since_ms: row.take()?,
            last_tick_ms: row.take()?,
            statistics: Statistics {
                txs_signed: row.take()?,
                total_txs_signed: row.take()?,
                total_downtime_ms: row.take()?,
                ended_downtime_ms: row.take()?,
                last_down_ms: row.take()?,
                last_active_ms: row.take()?,
                deregistered_ms: row.take()?,
                missed_heartbeats: row.take()?,
                total_inactive_ms: row.take()?,
                total_voted_ms: row.take()?,
            },
        },
    })
}

pub(super) fn key(mut row: Row) -> Result<InstanceKey> {
    Ok(InstanceKey { chain_id: row.take()?, account: row.take()?, last_active_ms: row.take()? })
}

pub(super) fn heartbeat(mut row: Row) -> Result<Heartbeat> {
    let (sent_at_ms, received_at_ms) = (row.take()?, row.take()?);
    Ok(Heartbeat { sent_at_ms, received_at_ms, status: status(&mut row)?, refusal: row.take()? })
}

pub(super) fn transition(mut row: Row) -> Result<Transition> {
    let at_ms = row.take()?;
    Ok(Transition { at_ms, from: status(&mut row)?, to: status(&mut row)?, reason: row.take()? })
}

fn status(row: &mut Row) -> Result<Status> {
    let text: String = row.take()?;
    text.parse().map_err(|problem: facilitator_heartbeat::UnknownStatus| row.damaged(&problem.to_string()))
}

pub(super) async fn write(tx: &mut Tx, id: i64, instance: &Instance) -> Result<()> {
    let sql = "UPDATE instances SET status = $2, since_ms = $3, ready = $4, last_tick_ms = $5, txs_signed = $6,
            total_txs_signed = $7, total_downtime_ms = $8, ended_downtime_ms = $9, last_down_timestamp_ms = $10,
            last_active_timestamp_ms = $11, deregistered_timestamp_ms = $12, missed_heartbeats = $13,
            total_inactive_ms = $14, total_voted_time_ms = $15, unready_since_ms = $16
        WHERE id = $1";
    let Instance { status, since_ms, ready, unready_since_ms, last_tick_ms, statistics } = instance;
    let args = args![
        id,
        status.as_str(),
        since_ms,
        ready,
        last_tick_ms,
        statistics.txs_signed,
        statistics.total_txs_signed,
        statistics.total_downtime_ms,
        statistics.ended_downtime_ms,
        statistics.last_down_ms,
        statistics.last_active_ms,
        statistics.deregistered_ms,
        statistics.missed_heartbeats,
        statistics.total_inactive_ms,
        statistics.total_voted_ms,
        unready_since_ms,
    ];
    tx.execute(sql, args).await.map(drop)
}
