//! The one connection of a process: made when needed, checked after a rest, never used again once anything failed on it.

use super::super::{Access, Patience, location::Server};
use super::{Asked, error::Trouble, run, within};
use crate::error::{Result, StoreError};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};
use std::sync::atomic::{AtomicI64, Ordering};
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

/// Statements kept prepared: more than there are in this crate.
const PREPARED: usize = 256;

/// Longest wait for a new connection.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection that rested for so long is asked whether it still lives before it is relied upon.
const RESTED: Duration = Duration::from_secs(1);

/// Longest wait for an answer beyond the time for which a lock is waited for.
const ANSWER: Duration = Duration::from_secs(30);

/// How long the parent asks what became of a commit that was not answered: as long as a server may be away. Others end
/// and are started again.
const OWNER_SETTLES: Duration = Duration::from_secs(600);

/// A server with the connection to it.
pub(crate) struct Postgres {
    options: PgConnectOptions,
    session: String,
    slot: Arc<Mutex<Option<Rested>>>,
    /// How long another task of this process may have the connection.
    patience: Duration,
    /// Longest wait for an answer.
    pub(super) answer: Duration,
    /// Longest wait for the fate of a commit.
    pub(super) settle: Duration,
    /// Which writer this is; drawn by lot.
    writer: i64,
    commits: AtomicI64,
}

#[derive(Debug)]
struct Rested {
    connection: PgConnection,
    since: Instant,
}

/// The connection, in use. Dropped without [`Held::give_back`] it is closed.
#[derive(Debug)]
pub(crate) struct Held {
    place: OwnedMutexGuard<Option<Rested>>,
    pub(super) connection: PgConnection,
}

/// The turn of whoever has the connection, without one: nobody else of this process writes meanwhile.
#[derive(Debug)]
pub(super) struct Turn {
    _place: OwnedMutexGuard<Option<Rested>>,
}

impl Held {
    /// Gives up the connection, and keeps the turn.
    pub(super) fn keep_turn(self) -> Turn {
        Turn { _place: self.place }
    }

    /// Nothing is open on it: it may be used again.
    pub(super) fn give_back(self) {
        let Self { mut place, connection } = self;
        *place = Some(Rested { connection, since: Instant::now() });
    }
}

impl fmt::Debug for Postgres {
    /// Never shows the password among the options.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Postgres")
    }
}

impl Postgres {
    /// Reaches the server once, so that a wrong address is known at once.
    pub(crate) async fn open(server: &Server, access: Access, patience: Patience) -> Result<Arc<Self>> {
        let options = server.options()?.statement_cache_capacity(PREPARED).disable_statement_logging();
        let limit = patience.limit.max(Duration::from_millis(1));
        let opened = Arc::new(Self {
            options,
            session: session(access, limit),
            slot: Arc::new(Mutex::new(None)),
            patience: limit,
            answer: limit.saturating_add(ANSWER),
            settle: match access {
                Access::Owner => OWNER_SETTLES,
                Access::Writer | Access::Reader => limit,
            },
            writer: lot(server.name())?,
            commits: AtomicI64::new(0),
        });
        let held = opened.take().await.map_err(|trouble| trouble.into_error(server.name()))?;
        held.give_back();
        Ok(opened)
    }

    /// The connection, once no other task of this process has it.
    pub(super) async fn take(&self) -> Asked<Held> {
        let slot = Arc::clone(&self.slot).lock_owned();
        let mut place = timeout(self.patience, slot).await.map_err(|_| Trouble::Locked)?;
        if let Some(Rested { mut connection, since }) = place.take()
            && (since.elapsed() < RESTED || within(CONNECT.min(self.answer), connection.ping()).await.is_ok())
        {
            return Ok(Held { place, connection });
        }
        let connection = self.connect().await?;
        Ok(Held { place, connection })
    }

    /// By which numbers the next commit is known: the writer's and its own.
    pub(super) fn next_commit(&self) -> (i64, i64) {
        (self.writer, self.commits.fetch_add(1, Ordering::Relaxed))
    }

    /// A connection for one whose turn it is.
    pub(super) async fn beside(&self, _turn: &Turn) -> Asked<PgConnection> {
        self.connect().await
    }

    async fn connect(&self) -> Asked<PgConnection> {
        let limit = CONNECT.min(self.patience.saturating_add(Duration::from_secs(1)));
        let mut connection = within(limit, PgConnection::connect_with(&self.options)).await?;
        run(&mut connection, self.session.clone(), limit).await?;
        Ok(connection)
    }

    /// Ends the connection.
    pub(crate) async fn close(&self) {
        let Ok(mut place) = timeout(self.patience, self.slot.lock()).await else { return };
        if let Some(rested) = place.take() {
            // All that was to be stored is committed.
            let _closed = timeout(CONNECT, rested.connection.close()).await;
        }
    }
}

/// A number that no other writer has.
fn lot(name: &str) -> Result<i64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|problem| StoreError::Unavailable {
        name: name.to_owned(),
        problem: format!("the system gives no random numbers: {problem}"),
    })?;
    Ok(i64::from_le_bytes(bytes))
}

/// What each connection is told first.
fn session(access: Access, limit: Duration) -> String {
    let lock_ms = limit.as_millis().clamp(1, 2_000_000_000);
    let read_only = if access == Access::Reader { "on" } else { "off" };
    // A commit that is told of must survive a power cut (law 2). What is stricter is left as it is. Whoever vanishes
    // without a word must not keep others waiting for longer than its locks are waited for anyway.
    format!(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
        SET lock_timeout = {lock_ms}; SET idle_in_transaction_session_timeout = 10000;
        SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
        SET default_transaction_read_only = {read_only}; SET client_min_messages = warning"
    )
}

/// Whether the server keeps what it commits, by its setting `fsync`.
///
/// # Errors
/// [`StoreError::Unavailable`] if it was told not to.
pub(crate) fn check_durable(name: &str, fsync: Option<&str>) -> Result<()> {
    if fsync == Some("on") {
        return Ok(());
    }
    let problem = "the server runs with `fsync = off`, so that a power cut may damage what was committed; set it to `on` in postgresql.conf";
    Err(StoreError::Unavailable { name: name.to_owned(), problem: problem.to_owned() })
}
