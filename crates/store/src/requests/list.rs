//! Looking at requests without taking them.

use super::{COLUMNS, MORE_COLUMNS, Record, record, state};
use crate::{
    Store,
    db::{ToValue as _, Value, args},
    error::Result,
};
use facilitator_protocol::model::{Kind, RequestId, State};

/// Which requests to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only these states; all if empty.
    pub states: Vec<State>,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only rows behind this one, for paging.
    pub after: Option<RequestId>,
    /// At most so many, oldest first.
    pub limit: u32,
}

impl Default for Filter {
    fn default() -> Self {
        Self { states: Vec::new(), kind: None, after: None, limit: 10_000 }
    }
}

/// How many requests of a kind are in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Direction.
    pub kind: Kind,
    /// State.
    pub state: State,
    /// How many.
    pub count: u64,
}

impl Store {
    /// Requests of a filter, oldest first.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<Record>> {
        let mut args = args![filter.after.unwrap_or(RequestId(0)), filter.limit];
        let mut condition = String::from("id > $1");
        if let Some(kind) = filter.kind {
            args.push(kind.to_value()?);
            condition.push_str(&format!(" AND kind = ${}", args.len()));
        }
        if !filter.states.is_empty() {
            let places = names(&filter.states, &mut args)?;
            condition.push_str(&format!(" AND state IN ({places})"));
        }
        self.records(&condition, " ORDER BY id LIMIT $2", args).await
    }

    /// The newest requests in any of these states, or in whatever state if none is given, newest first.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn newest(&self, states: &[State], limit: u32) -> Result<Vec<Record>> {
        let mut args = args![limit];
        let condition = match states {
            [] => "id > 0".to_owned(),
            some => format!("state IN ({})", names(some, &mut args)?),
        };
        self.records(&condition, " ORDER BY id DESC LIMIT $1", args).await
    }

    /// One request.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn request(&self, id: RequestId) -> Result<Option<Record>> {
        Ok(self.records("id = $1", "", args![id]).await?.into_iter().next())
    }

    /// Requests whose request hash, message hash or transaction hash begins so, oldest first, at most 100. Something
    /// that is not hexadecimal finds nothing.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn find(&self, prefix: &str) -> Result<Vec<Record>> {
        let digits = prefix.strip_prefix("0x").unwrap_or(prefix).to_lowercase();
        // Also keeps the wild cards of LIKE out.
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(Vec::new());
        }
        let condition = "request_hash LIKE $1 OR message_hash LIKE $1 OR event_tx_hash LIKE $1";
        self.records(condition, " ORDER BY id LIMIT 100", args![format!("0x{digits}%")]).await
    }

    /// The oldest request that has not ended.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn oldest_unfinished(&self) -> Result<Option<Record>> {
        Ok(self.records("done = 0", " ORDER BY created_at_ms, id LIMIT 1", Vec::new()).await?.into_iter().next())
    }

    /// How many requests there are by kind and state.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn counts(&self) -> Result<Vec<Count>> {
        let sql = "SELECT kind, state, COUNT(*) FROM requests GROUP BY kind, state ORDER BY kind, state";
        let count = |row: &mut crate::db::Row| Ok(Count { kind: row.take()?, state: state(row)?, count: row.take()? });
        self.db.fetch(sql, Vec::new()).await?.iter_mut().map(count).collect()
    }

    async fn records(&self, condition: &str, order: &str, args: Vec<Value>) -> Result<Vec<Record>> {
        let sql = format!("SELECT {COLUMNS}, {MORE_COLUMNS} FROM requests WHERE {condition}{order}");
        self.db.fetch(sql, args).await?.iter_mut().map(record).collect()
    }
}

/// The stored names of states for both kinds, as places of a list.
fn names(states: &[State], args: &mut Vec<Value>) -> Result<String> {
    let mut names: Vec<&str> = states.iter().flat_map(|state| Kind::ALL.iter().map(|kind| state.name(*kind))).collect();
    names.sort_unstable();
    names.dedup();
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        args.push(name.to_value()?);
        places.push(format!("${}", args.len()));
    }
    Ok(places.join(", "))
}
