//! How a transaction is known again whose commit was not answered.
//!
//! The server's own number of it does not suffice: a server that crashed before it wrote anything of the transaction to
//! its disk gives the same number to another one after its restart, and says of that that it is committed. So each
//! transaction that changes something leaves a number of this program in the table `commits`, one row a writer.

use super::{Asked, PgTx, Postgres, Trouble, run, within};
use crate::error::{Result, StoreError};
use sqlx::Row as _;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// Pause between two questions about the fate of a commit.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the mark of a writer that commits nothing more is kept; nobody asks about a commit for so long.
const KEPT_SECS: u32 = 86_400;

/// What a transaction is known by.
pub(super) struct Mark {
    /// The server's number of it.
    number: String,
    /// When the server started to which it was told.
    life: String,
    writer: i64,
    commit: i64,
}

/// What became of it.
enum Fate {
    Committed,
    Undone,
    /// The server has not noticed yet that nobody is there any more.
    Open,
}

impl Mark {
    /// None if the transaction has changed nothing.
    pub(super) async fn of(tx: &mut PgTx) -> Asked<Option<Self>> {
        let asked = sqlx::query("SELECT pg_current_xact_id_if_assigned()::text, pg_postmaster_start_time()::text");
        let row = within(tx.server.answer, asked.fetch_one(&mut tx.held.connection)).await?;
        let (number, life): (Option<String>, String) = (row.try_get(0)?, row.try_get(1)?);
        let (writer, commit) = tx.server.next_commit();
        Ok(number.map(|number| Self { number, life, writer, commit }))
    }

    /// Commits in one message to the server, and leaves the mark in doing so.
    pub(super) fn commit(&self) -> String {
        let Self { writer, commit, .. } = self;
        format!(
            "INSERT INTO commits (writer, number, at_s) VALUES ({writer}, {commit}, EXTRACT(EPOCH FROM now())::BIGINT)
            ON CONFLICT (writer) DO UPDATE SET number = EXCLUDED.number, at_s = EXCLUDED.at_s; COMMIT"
        )
    }

    /// Asks what became of it until that is known, for as long as the server's patience says.
    pub(super) async fn settle(&self, server: &Arc<Postgres>, name: &Arc<str>, problem: &str) -> Result<()> {
        let unknown = || StoreError::Uncertain { name: name.to_string(), problem: problem.to_owned() };
        let until = Instant::now() + server.settle;
        while Instant::now() < until {
            match self.fate(server).await {
                Ok(Fate::Committed) => return Ok(()),
                Ok(Fate::Undone) => {
                    let problem = format!("the connection was lost before a commit: {problem}");
                    return Err(StoreError::Unavailable { name: name.to_string(), problem });
                }
                Ok(Fate::Open) | Err(Trouble::Lost(_) | Trouble::Locked) => {}
                Err(Trouble::Said(_)) => return Err(unknown()),
            }
            sleep(PAUSE).await;
        }
        Err(unknown())
    }

    async fn fate(&self, server: &Arc<Postgres>) -> Asked<Fate> {
        let mut held = server.take().await?;
        // The server refuses a number that it has not given out yet, as after a crash that swallowed the transaction.
        let asked = sqlx::query(
            "SELECT CASE WHEN $1::text::xid8 < pg_snapshot_xmax(pg_current_snapshot())
                THEN pg_xact_status($1::text::xid8) ELSE 'aborted' END,
                pg_postmaster_start_time()::text,
                EXISTS (SELECT 1 FROM commits WHERE writer = $2 AND number = $3)",
        );
        let asked = asked.bind(&self.number).bind(self.writer).bind(self.commit);
        let row = within(server.answer, asked.fetch_one(&mut held.connection)).await?;
        held.give_back();
        let (status, life, marked): (Option<String>, String, bool) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(match status.as_deref() {
            Some("in progress") => Fate::Open,
            Some("aborted") => Fate::Undone,
            Some("committed") if life == self.life => Fate::Committed,
            // Of another transaction, perhaps, or of one that the server has forgotten.
            _ if marked => Fate::Committed,
            _ => Fate::Undone,
        })
    }
}

/// Removes the marks of writers that are long gone.
pub(in crate::db) async fn forget(server: &Arc<Postgres>) -> Asked<()> {
    let mut held = server.take().await?;
    let sql = format!("DELETE FROM commits WHERE at_s < EXTRACT(EPOCH FROM now())::BIGINT - {KEPT_SECS}");
    run(&mut held.connection, sql, server.answer).await?;
    held.give_back();
    Ok(())
}
