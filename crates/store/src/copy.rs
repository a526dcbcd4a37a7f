//! Moving everything from one database to another, whatever either of them is.
//!
//! The tables of the source are found, not listed: a table that a later version adds is copied without a word here. Both
//! databases are held for the time of it, so that nothing changes underway; the target gets all in one transaction, or
//! nothing.

use crate::{
    Store,
    db::{Row, Tx, Value},
    error::{Result, StoreError},
};
use std::collections::BTreeSet;

/// Rows that are read at a time.
const PAGE: usize = 1_000;

/// Most values of one statement: SQLite takes no more than 32,766.
const VALUES: usize = 30_000;

/// The tables that say what the database itself is, and who wrote to it last; the target has its own.
const OWN: [&str; 2] = ["schema_versions", "commits"];

/// Which rows of a table are copied: the target knows its pair.
fn copied_rows(table: &str) -> &'static str {
    if table == "settings" { "name <> 'pair'" } else { "1 = 1" }
}

/// How many rows of a table were copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
}

impl Store {
    /// Whether nothing is stored in it but its schema and pair.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn is_empty(&self) -> Result<bool> {
        let mut tx = self.db.begin_alone().await?;
        is_empty(&mut tx).await
    }

    /// Copies every row into another database of the same schema and pair, which must be empty, and tells `progress` of
    /// the rows of each table. The source is not changed; nobody writes to either meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`]; else [`StoreError`] of either database. The target is as it was then.
    pub async fn copy_to(&self, target: &Self, progress: &mut (dyn FnMut(&str, u64) + Send)) -> Result<Vec<Copied>> {
        let mut from = self.db.begin_alone().await?;
        let mut to = target.db.begin_alone().await?;
        if !is_empty(&mut to).await? {
            return Err(StoreError::NotEmpty { name: target.db.name().to_owned() });
        }
        let mut copied = Vec::new();
        for table in in_order(&mut from).await? {
            let rows = copy_table(&mut from, &mut to, &table, progress).await?;
            copied.push(Copied { table, rows });
        }
        for one in &copied {
            let arrived = count(&mut to, &one.table).await?;
            if arrived != one.rows {
                let problem = format!("{} of {} rows of `{}` arrived", arrived, one.rows, one.table);
                return Err(StoreError::Damaged { name: target.db.name().to_owned(), problem });
            }
        }
        to.commit().await?;
        Ok(copied)
    }

    /// What contradicts itself in what is stored, in words: events above the checkpoint that they were stored with, and
    /// rows that belong to none. Pages are looked at by [`Store::check_pages`].
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for a value that is none of its type; else [`StoreError`] of the database.
    pub async fn contradictions(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for (sql, says) in CONTRADICTIONS {
            let count: i64 = self.db.fetch(*sql, Vec::new()).await?.first_mut().map_or(Ok(0), Row::take)?;
            if count > 0 {
                found.push(format!("{count} {says}"));
            }
        }
        Ok(found)
    }
}

/// Questions whose answer is 0 in a sound database.
const CONTRADICTIONS: &[(&str, &str)] = &[
    (
        "SELECT COUNT(*) FROM events WHERE block_number > COALESCE(
            (SELECT MAX(block_number) FROM checkpoints WHERE checkpoints.chain_id = events.chain_id), -1)",
        "events stand above the checkpoint of their chain",
    ),
    (
        "SELECT COUNT(*) FROM transactions WHERE state IN ('signed', 'broadcast', 'mined', 'final')
            AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.transaction_id = transactions.id)",
        "transactions count as signed without any signed bytes",
    ),
    (
        "SELECT COUNT(*) FROM transactions WHERE state IN ('signed', 'broadcast', 'mined', 'final')
            AND (nonce IS NULL OR account IS NULL)",
        "transactions count as signed without account or nonce",
    ),
    (
        "SELECT COUNT(*) FROM attempts WHERE NOT EXISTS
            (SELECT 1 FROM transactions WHERE transactions.id = attempts.transaction_id)",
        "signed transactions belong to no intent",
    ),
    (
        "SELECT COUNT(*) FROM waiters WHERE NOT EXISTS (SELECT 1 FROM requests WHERE requests.id = waiters.request_id)",
        "requests are waited for that do not exist",
    ),
    (
        "SELECT COUNT(*) FROM request_log WHERE NOT EXISTS
            (SELECT 1 FROM requests WHERE requests.id = request_log.request_id)",
        "lines tell of requests that do not exist",
    ),
];

async fn is_empty(tx: &mut Tx) -> Result<bool> {
    for table in in_order(tx).await? {
        if count(tx, &table).await? > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn count(tx: &mut Tx, table: &str) -> Result<u64> {
    let mut row =
        tx.fetch_one(format!("SELECT COUNT(*) FROM {table} WHERE {}", copied_rows(table)), Vec::new()).await?;
    row.as_mut().map_or(Ok(0), Row::take)
}

/// All tables, each behind those that it refers to.
async fn in_order(tx: &mut Tx) -> Result<Vec<String>> {
    let names = |rows: Vec<Row>| rows.into_iter().map(|mut row| row.take()).collect::<Result<Vec<String>>>();
    let tables = names(tx.fetch(tx.dialect().tables(), Vec::new()).await?)?;
    let mut waiting: Vec<(String, BTreeSet<String>)> = Vec::new();
    for table in tables.into_iter().filter(|table| !OWN.contains(&table.as_str())) {
        let parents = names(tx.fetch(tx.dialect().parents(), crate::db::args![table]).await?)?;
        waiting.push((table, parents.into_iter().collect()));
    }
    let mut ordered: Vec<String> = Vec::new();
    while !waiting.is_empty() {
        let is_free = |parents: &BTreeSet<String>| parents.iter().all(|parent| ordered.contains(parent));
        let at = waiting.iter().position(|(_, parents)| is_free(parents)).unwrap_or(0);
        ordered.push(waiting.remove(at).0);
    }
    Ok(ordered)
}

/// Columns and primary key, by the source.
struct Shape {
    columns: Vec<String>,
    key: Vec<String>,
}

async fn shape(tx: &mut Tx, table: &str) -> Result<Shape> {
    let (mut columns, mut key) = (Vec::new(), Vec::new());
    for mut row in tx.fetch(tx.dialect().columns(), crate::db::args![table]).await? {
        let (name, place): (String, i64) = (row.take()?, row.take()?);
        if place > 0 {
            key.push((place, name.clone()));
        }
        columns.push(name);
    }
    key.sort();
    Ok(Shape { columns, key: key.into_iter().map(|(_, name)| name).collect() })
}

async fn copy_table(
    from: &mut Tx,
    to: &mut Tx,
    table: &str,
    progress: &mut (dyn FnMut(&str, u64) + Send),
) -> Result<u64> {
    let Shape { columns, key } = shape(from, table).await?;
    let (listed, sorted) = (columns.join(", "), key.join(", "));
    let at_once = PAGE.min(VALUES / columns.len().max(1));
    let (mut rows, mut last): (u64, Vec<Value>) = (0, Vec::new());
    loop {
        let places: Vec<String> = (1..=last.len()).map(|place| format!("${place}")).collect();
        let behind = if last.is_empty() { String::new() } else { format!("AND ({sorted}) > ({})", places.join(", ")) };
        let chosen = copied_rows(table);
        let sql = format!("SELECT {listed} FROM {table} WHERE {chosen} {behind} ORDER BY {sorted} LIMIT {at_once}");
        let page: Vec<Vec<Value>> = from.fetch(sql, last).await?.into_iter().map(Row::into_values).collect();
        let Some(end) = page.last() else { break };
        let place_of = |name: &String| columns.iter().position(|column| column == name);
        last = key.iter().filter_map(place_of).filter_map(|at| end.get(at).cloned()).collect();
        rows = rows.saturating_add(u64::try_from(page.len()).unwrap_or(u64::MAX));
        insert(to, table, &listed, page).await?;
        progress(table, rows);
    }
    if columns.iter().any(|column| column == "id") {
        carry_number(from, to, table).await?;
    }
    Ok(rows)
}

/// The next row must not get the number of one that was deleted: some names are made of numbers.
async fn carry_number(from: &mut Tx, to: &mut Tx, table: &str) -> Result<()> {
    let mut highest = None;
    for sql in [from.dialect().last_number(table), format!("SELECT MAX(id) FROM {table}")] {
        let found: Option<i64> = from.fetch_one(sql, Vec::new()).await?.as_mut().map_or(Ok(None), Row::take)?;
        highest = highest.max(found);
    }
    let Some(highest) = highest else { return Ok(()) };
    let sql = to.dialect().set_last_number(table, highest);
    to.fetch(sql, Vec::new()).await.map(drop)
}

async fn insert(to: &mut Tx, table: &str, listed: &str, page: Vec<Vec<Value>>) -> Result<()> {
    let mut place = 0_usize;
    let mut tuples = Vec::with_capacity(page.len());
    for row in &page {
        // A null keeps no type on its way, and a wrong one would be refused.
        let one = row.iter().map(|value| {
            if value.is_null() {
                return "NULL".to_owned();
            }
            place += 1;
            format!("${place}")
        });
        tuples.push(format!("({})", one.collect::<Vec<_>>().join(", ")));
    }
    let values = page.into_iter().flatten().filter(|value| !value.is_null()).collect();
    to.execute(format!("INSERT INTO {table} ({listed}) VALUES {}", tuples.join(", ")), values).await.map(drop)
}
