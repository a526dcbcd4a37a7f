//! How a transaction is known again whose commit was not answered.
//!
//! The server's own number of it tells only whether it is still under way: a server that crashed before it wrote anything
//! of the transaction to its disk gives the same number to another one after its recovery, and says of that that it is
//! committed. So each transaction that changes something leaves a number of this program in the table `commits`, one row a
//! writer, and that number decides. The writer commits nothing more until it is decided.

use super::{Asked, PgTx, Postgres, Trouble, connection::Turn, run, within};
use crate::error::{Result, StoreError};
use sqlx::Connection as _;
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
        let asked = sqlx::query_scalar("SELECT pg_current_xact_id_if_assigned()::text");
        let number: Option<String> = within(tx.server.answer, asked.fetch_one(&mut tx.held.connection)).await?;
        let (writer, commit) = tx.server.next_commit();
        Ok(number.map(|number| Self { number, writer, commit }))
    }

    /// Commits in one message to the server, and leaves the mark in doing so.
    pub(super) fn commit(&self) -> String {
        let Self { writer, commit, .. } = self;
        format!(
            "INSERT INTO commits (writer, number, at_s) VALUES ({writer}, {commit}, EXTRACT(EPOCH FROM now())::BIGINT)
            ON CONFLICT (writer) DO UPDATE SET number = EXCLUDED.number, at_s = EXCLUDED.at_s; COMMIT"
        )
    }

    /// Asks what became of it until that is known, for as long as the server's patience says; meanwhile it is nobody
    /// else's turn to write, who would leave another mark.
    pub(super) async fn settle(
        &self,
        server: &Arc<Postgres>,
        turn: &Turn,
        name: &Arc<str>,
        problem: &str,
    ) -> Result<()> {
        let unknown = || StoreError::Uncertain { name: name.to_string(), problem: problem.to_owned() };
        let until = Instant::now() + server.settle;
        while Instant::now() < until {
            match self.fate(server, turn).await {
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

    async fn fate(&self, server: &Arc<Postgres>, turn: &Turn) -> Asked<Fate> {
        let mut connection = server.beside(turn).await?;
        let asked = sqlx::query_scalar("SELECT pg_xact_status($1::text::xid8)").bind(&self.number);
        let status: Option<String> = match within(server.answer, asked.fetch_one(&mut connection)).await {
            Ok(status) => status,
            Err(Trouble::Said(said)) if is_number_of_the_future(&said) => return Ok(Fate::Undone),
            Err(trouble) => return Err(trouble),
        };
        if status.as_deref() == Some("in progress") {
            return Ok(Fate::Open);
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM commits WHERE writer = $1 AND number = $2)";
        let asked = sqlx::query_scalar(sql).bind(self.writer).bind(self.commit);
        let marked: bool = within(server.answer, asked.fetch_one(&mut connection)).await?;
        // The answer is there; how the connection ends changes nothing.
        let _closed = within(server.answer, connection.close()).await;
        Ok(if marked { Fate::Committed } else { Fate::Undone })
    }
}

/// Whether the server has not given the number out yet, as after a crash that swallowed the transaction.
fn is_number_of_the_future(said: &sqlx::Error) -> bool {
    said.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("22023")
}

/// Removes the marks of writers that are long gone.
pub(in crate::db) async fn forget(server: &Arc<Postgres>) -> Asked<()> {
    let mut held = server.take().await?;
    let sql = format!("DELETE FROM commits WHERE at_s < EXTRACT(EPOCH FROM now())::BIGINT - {KEPT_SECS}");
    run(&mut held.connection, sql, server.answer).await?;
    held.give_back();
    Ok(())
}
