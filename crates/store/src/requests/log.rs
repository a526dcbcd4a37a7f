//! The life of a request in words, for `requests show`.

use crate::{
    Store,
    db::{Tx, args},
    error::Result,
};
use facilitator_protocol::model::{RequestId, State};

/// A line of a request's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Unix time in milliseconds.
    pub at_ms: i64,
    /// State of the request after it.
    pub state: State,
    /// What happened.
    pub text: String,
}

impl Store {
    /// The life of a request, oldest line first.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn request_log(&self, id: RequestId) -> Result<Vec<LogLine>> {
        let sql = "SELECT at_ms, state, text FROM request_log WHERE request_id = $1 ORDER BY id";
        let mut rows = self.db.fetch(sql, args![id]).await?;
        let line =
            |row: &mut crate::db::Row| Ok(LogLine { at_ms: row.take()?, state: super::state(row)?, text: row.take()? });
        rows.iter_mut().map(line).collect()
    }
}

/// Adds a line with the state that the request has in this transaction.
pub(crate) async fn append(tx: &mut Tx, id: RequestId, text: &str, now_ms: i64) -> Result<()> {
    let sql =
        "INSERT INTO request_log (request_id, at_ms, state, text) SELECT id, $2, state, $3 FROM requests WHERE id = $1";
    tx.execute(sql, args![id, now_ms, text]).await.map(drop)
}
