//! The processes that run on a database, and the rule that a worker key is used by one instance.
//!
//! Whether a registered process still lives is the caller's knowledge: a row alone proves nothing after a SIGKILL, and
//! its number may belong to somebody else by now.

use crate::{
    Store,
    db::{Row, Tx, args},
    error::Result,
    names::stored_names,
};
use facilitator_eth::Address;

stored_names! {
    /// What a process is.
    ProcessKind, "kind of process" {
        /// The parent.
        Facilitator = "facilitator",
        /// Reads one chain.
        Scanner = "scanner",
        /// Signs for one chain.
        Sender = "sender",
        /// Watches the others.
        Monitor = "monitor",
    }
}

/// A process that wants to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProcess {
    /// What it is.
    pub kind: ProcessKind,
    /// The instance that it belongs to.
    pub instance: String,
    /// The chain of a scanner or sender; `None` for a parent.
    pub chain_id: Option<u64>,
    /// The machine.
    pub host: String,
    /// Process number.
    pub pid: u32,
    /// Tells it from a later process with the same number, e.g. its start time in clock ticks.
    pub pid_started: String,
    /// Path of its config.
    pub config: Option<String>,
    /// The worker keys it uses, with their chains.
    pub keys: Vec<(u64, Address)>,
}

/// A registered process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Row number.
    pub id: i64,
    /// What it registered with.
    pub registered: NewProcess,
    /// Unix time in milliseconds.
    pub started_at_ms: i64,
    /// Last sign of life, Unix time in milliseconds.
    pub heartbeat_at_ms: i64,
    /// How things stand by its own word, as JSON; see [`Store::report`].
    pub detail: Option<String>,
}

/// The outcome of [`Store::register`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It has this row.
    As(i64),
    /// A living process of the same kind has the same instance and chain, or one of the keys.
    Refused(Box<Process>),
}

impl Store {
    /// Registers a process unless a living one is in its way; dead ones that are in its way are removed.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn register(
        &self,
        new: &NewProcess,
        is_alive: &(dyn Fn(&Process) -> bool + Send + Sync),
        now_ms: i64,
    ) -> Result<Registered> {
        // Alone: of two that look at the same time neither would see the other.
        let mut tx = self.db.begin_alone().await?;
        for process in read(&mut tx).await? {
            if !is_in_the_way(new, &process.registered) {
                continue;
            }
            if is_alive(&process) {
                return Ok(Registered::Refused(Box::new(process)));
            }
            tx.execute("DELETE FROM processes WHERE id = $1", args![process.id]).await?;
        }
        let sql = "INSERT INTO processes (kind, instance, chain_id, host, pid, pid_started, config, started_at_ms,
                heartbeat_at_ms)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING id";
        let NewProcess { kind, instance, chain_id, host, pid, pid_started, config, keys } = new;
        let args = args![kind.as_str(), instance, chain_id, host, pid, pid_started, config, now_ms];
        let id: i64 = tx.fetch_one(sql, args).await?.map_or(Ok(0), |mut row| row.take())?;
        for (chain_id, account) in keys {
            let sql = "INSERT INTO process_keys (process_id, chain_id, account) VALUES ($1, $2, $3)
                ON CONFLICT DO NOTHING";
            tx.execute(sql, args![id, chain_id, account]).await?;
        }
        tx.commit().await?;
        Ok(Registered::As(id))
    }

    /// Every registered process, dead ones included, oldest first.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn processes(&self) -> Result<Vec<Process>> {
        let processes = self.db.fetch(PROCESSES, Vec::new()).await?;
        let keys = self.db.fetch(KEYS, Vec::new()).await?;
        assemble(processes, keys)
    }

    /// A sign of life; whether the process is still registered.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn heartbeat(&self, id: i64, now_ms: i64) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let sql = "UPDATE processes SET heartbeat_at_ms = $2 WHERE id = $1";
        let found = tx.execute(sql, args![id, now_ms]).await? > 0;
        tx.commit().await?;
        Ok(found)
    }

    /// A sign of life with how things stand, for whoever looks at the database without asking the process; whether the
    /// process is still registered.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn report(&self, id: i64, detail: &str, now_ms: i64) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let sql = "UPDATE processes SET heartbeat_at_ms = $2, detail = $3 WHERE id = $1";
        let found = tx.execute(sql, args![id, now_ms, detail]).await? > 0;
        tx.commit().await?;
        Ok(found)
    }

    /// Removes a process: at its orderly end, or when its parent knows that it died.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn deregister(&self, id: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        tx.execute("DELETE FROM processes WHERE id = $1", args![id]).await?;
        tx.commit().await
    }
}

/// Same task, or same key: two of a kind for one chain of one instance, or a key that two would use.
fn is_in_the_way(new: &NewProcess, other: &NewProcess) -> bool {
    let same_task = new.instance == other.instance && new.chain_id == other.chain_id;
    let same_key = new.keys.iter().any(|key| other.keys.contains(key));
    new.kind == other.kind && (same_task || same_key)
}

const PROCESSES: &str = "SELECT id, kind, instance, chain_id, host, pid, pid_started, config, started_at_ms,
    heartbeat_at_ms, detail FROM processes ORDER BY id";
const KEYS: &str = "SELECT process_id, chain_id, account FROM process_keys ORDER BY process_id, chain_id, account";

async fn read(tx: &mut Tx) -> Result<Vec<Process>> {
    let processes = tx.fetch(PROCESSES, Vec::new()).await?;
    let keys = tx.fetch(KEYS, Vec::new()).await?;
    assemble(processes, keys)
}

fn assemble(processes: Vec<Row>, keys: Vec<Row>) -> Result<Vec<Process>> {
    let mut found = processes.into_iter().map(process).collect::<Result<Vec<_>>>()?;
    for mut row in keys {
        let (id, chain_id, account): (i64, u64, Address) = (row.take()?, row.take()?, row.take()?);
        if let Some(process) = found.iter_mut().find(|process| process.id == id) {
            process.registered.keys.push((chain_id, account));
        }
    }
    Ok(found)
}

fn process(mut row: Row) -> Result<Process> {
    let id = row.take()?;
    let kind: String = row.take()?;
    let kind = kind.parse::<ProcessKind>().map_err(|problem| row.damaged(&problem.to_string()))?;
    let registered = NewProcess {
        kind,
        instance: row.take()?,
        chain_id: row.take()?,
        host: row.take()?,
        pid: row.take()?,
        pid_started: row.take()?,
        config: row.take()?,
        keys: Vec::new(),
    };
    Ok(Process { id, registered, started_at_ms: row.take()?, heartbeat_at_ms: row.take()?, detail: row.take()? })
}
