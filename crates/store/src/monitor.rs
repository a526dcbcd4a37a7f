//! What the monitor keeps between its runs: checkpoints, handled system events, memories of single monitors, and the
//! run that is under way.
//!
//! Invariants: one run at a time; a checkpoint moves together with the end of what is remembered below it; an event
//! that a receiver has handled stays handled. What an event is, is not known here.

use crate::{
    Store,
    db::{Row, args},
    error::Result,
};
use facilitator_eth::{Address, B256, U256};

/// Runs whose reports are kept.
const KEPT_RUNS: i64 = 100;

/// A run that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run(i64);

/// The outcome of [`Store::begin_monitor_run`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It may run.
    As(Run),
    /// Another one is under way.
    Refused {
        /// Who runs it.
        owner: String,
        /// Unix time in milliseconds from which it counts as dead without a further sign of life.
        alive_until_ms: i64,
    },
}

/// A system event that a receiver has handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandledEvent {
    /// Names it.
    pub id: String,
    /// Its chain.
    pub chain_id: u64,
    /// Its block.
    pub block: u64,
    /// As JSON.
    pub event: String,
}

/// A checkpoint that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovedCheckpoint {
    /// The chain.
    pub chain_id: u64,
    /// The last block that was watched.
    pub block: u64,
    /// Handled events of lower blocks are forgotten.
    pub forget_below: u64,
}

impl Store {
    /// Begins a run, unless another one is under way.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn begin_monitor_run(&self, owner: &str, ttl_ms: i64, now_ms: i64) -> Result<Begun> {
        // Alone: of two that look at the same time neither would see the other.
        let mut tx = self.db.begin_alone().await?;
        let sql = "SELECT owner, alive_until_ms FROM monitor_runs
            WHERE finished_at_ms IS NULL AND alive_until_ms > $1 ORDER BY id DESC LIMIT 1";
        if let Some(mut row) = tx.fetch_one(sql, args![now_ms]).await? {
            return Ok(Begun::Refused { owner: row.take()?, alive_until_ms: row.take()? });
        }
        // What has shown no life is over.
        let sql = "UPDATE monitor_runs SET finished_at_ms = alive_until_ms WHERE finished_at_ms IS NULL";
        tx.execute(sql, Vec::new()).await?;
        let sql = "INSERT INTO monitor_runs (owner, started_at_ms, alive_until_ms) VALUES ($1, $2, $3) RETURNING id";
        let args = args![owner, now_ms, now_ms.saturating_add(ttl_ms)];
        let id: i64 = tx.fetch_one(sql, args).await?.map_or(Ok(0), |mut row| row.take())?;
        tx.execute("DELETE FROM monitor_runs WHERE id <= $1", args![id.saturating_sub(KEPT_RUNS)]).await?;
        tx.commit().await?;
        Ok(Begun::As(Run(id)))
    }

    /// A sign of life of a run; whether it is still the one under way.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn prolong_monitor_run(&self, run: Run, ttl_ms: i64, now_ms: i64) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let sql = "UPDATE monitor_runs SET alive_until_ms = $2 WHERE id = $1 AND finished_at_ms IS NULL";
        let found = tx.execute(sql, args![run.0, now_ms.saturating_add(ttl_ms)]).await? > 0;
        tx.commit().await?;
        Ok(found)
    }

    /// The end of a run, with its report as JSON.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn end_monitor_run(&self, run: Run, report: &str, now_ms: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let sql = "UPDATE monitor_runs SET finished_at_ms = $2, report = $3 WHERE id = $1";
        tx.execute(sql, args![run.0, now_ms, report]).await?;
        tx.commit().await
    }

    /// The last block of a chain that was watched.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn monitor_checkpoint(&self, chain_id: u64) -> Result<Option<u64>> {
        let sql = "SELECT block_number FROM monitor_checkpoints WHERE chain_id = $1";
        let found = self.db.fetch(sql, args![chain_id]).await?;
        found.into_iter().next().map(|mut row| row.take()).transpose()
    }

    /// Moves the checkpoints of several chains at once, and forgets what can never be seen again.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database; none has moved then.
    pub async fn move_monitor_checkpoints(&self, moved: &[MovedCheckpoint], now_ms: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        for MovedCheckpoint { chain_id, block, forget_below } in moved {
            let sql = "INSERT INTO monitor_checkpoints (chain_id, block_number, updated_at_ms) VALUES ($1, $2, $3)
                ON CONFLICT (chain_id) DO UPDATE
                    SET block_number = excluded.block_number, updated_at_ms = excluded.updated_at_ms";
            tx.execute(sql, args![*chain_id, *block, now_ms]).await?;
            let sql = "DELETE FROM monitor_handled_events WHERE chain_id = $1 AND block_number < $2";
            tx.execute(sql, args![*chain_id, *forget_below]).await?;
        }
        tx.commit().await
    }

    /// The names of all events that a receiver has handled.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn handled_monitor_events(&self, receiver: &str) -> Result<Vec<String>> {
        let sql = "SELECT event_id FROM monitor_handled_events WHERE receiver = $1 ORDER BY event_id";
        self.db.fetch(sql, args![receiver]).await?.iter_mut().map(Row::take).collect()
    }

    /// Remembers that a receiver has handled these events.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn handle_monitor_events(&self, receiver: &str, events: &[HandledEvent], now_ms: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        for HandledEvent { id, chain_id, block, event } in events {
            let sql = "INSERT INTO monitor_handled_events (receiver, event_id, chain_id, block_number, event,
                    handled_at_ms)
                VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (receiver, event_id) DO NOTHING";
            tx.execute(sql, args![receiver, id, *chain_id, *block, event, now_ms]).await?;
        }
        tx.commit().await
    }

    /// What a monitor remembers under a name.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn monitor_state(&self, name: &str) -> Result<Option<String>> {
        let found = self.db.fetch("SELECT value FROM monitor_state WHERE name = $1", args![name]).await?;
        found.into_iter().next().map(|mut row| row.take()).transpose()
    }

    /// Replaces what a monitor remembers under a name.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn set_monitor_state(&self, name: &str, value: &str) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let sql = "INSERT INTO monitor_state (name, value) VALUES ($1, $2)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        tx.execute(sql, args![name, value]).await?;
        tx.commit().await
    }

    /// The worker keys that the row of a request names, by what its message's declaration tells: gateway, sender and
    /// nonce. Origin worker, auxiliary worker. A message of others that was left is nobody's task.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn designated_workers(
        &self,
        gateway: Address,
        sender: Address,
        nonce: U256,
    ) -> Result<Option<Designated>> {
        let sql = "SELECT origin_worker_address, auxiliary_worker_address, message_hash FROM requests
            WHERE gateway_address = $1 AND sender_proxy = $2 AND nonce = $3 AND origin_worker_address IS NOT NULL
              AND hunted = 0
            ORDER BY id DESC LIMIT 1";
        let found = self.db.fetch(sql, args![gateway, sender, nonce]).await?;
        found.into_iter().next().map(designated).transpose()
    }

    /// The same by the message.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn designated_workers_of(&self, message: B256) -> Result<Option<Designated>> {
        let sql = "SELECT origin_worker_address, auxiliary_worker_address, message_hash FROM requests
            WHERE message_hash = $1 AND hunted = 0 ORDER BY id DESC LIMIT 1";
        let found = self.db.fetch(sql, args![message]).await?;
        found.into_iter().next().map(designated).transpose()
    }
}

/// Whose task a request is, by its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Designated {
    /// The key that works on the origin chain.
    pub origin: Option<Address>,
    /// The key that works on the auxiliary chain.
    pub auxiliary: Option<Address>,
    /// The message that was accepted.
    pub message: Option<B256>,
}

fn designated(mut row: Row) -> Result<Designated> {
    Ok(Designated { origin: row.take()?, auxiliary: row.take()?, message: row.take()? })
}
