//! `facilitator db`: brings the schema up to date, looks whether the database is sound, and moves all of it elsewhere.

use super::key_guard::KeyGuard;
use super::{context, start};
use crate::cli::{DbCommand, PairArgs};
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::Loaded;
use facilitator_roles::clock::now_ms;
use facilitator_roles::running;
use facilitator_store::requests::Filter;
use facilitator_store::{Access, Copied, Location, Server, Store};
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// Does it.
pub(crate) async fn run(command: DbCommand) -> Result<Exit, Failure> {
    match command {
        DbCommand::Migrate { pair, json } => migrate(&load(&pair).await?, json).await,
        DbCommand::Check { pair, json } => check(&load(&pair).await?, json).await,
        DbCommand::Copy { pair, to, json } => copy(&load(&pair).await?, &to, json).await,
    }
}

async fn load(pair: &PairArgs) -> Result<Loaded, Failure> {
    context::load_config(&context::selection(pair), &context::home()?).await
}

/// What `migrate` and `check` say.
#[derive(Serialize)]
struct State {
    database: String,
    version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<u64>,
}

/// As `start` does, without starting anything.
async fn migrate(loaded: &Loaded, json: bool) -> Result<Exit, Failure> {
    refuse_running(loaded).await?;
    // An older program that runs on an older schema is not seen there.
    let _held = KeyGuard::take(loaded)?;
    let store = context::open(loaded, Access::Owner).await?;
    let state = State { database: context::location(loaded)?.name(), version: store.version().await?, requests: None };
    store.close().await;
    if json {
        output::json(&state)?;
    } else {
        output::line(&format!("{} has schema version {}", state.database, state.version));
    }
    Ok(Exit::Done)
}

/// Changes nothing; also beside a facilitator that runs.
async fn check(loaded: &Loaded, json: bool) -> Result<Exit, Failure> {
    let store = context::open(loaded, Access::Reader).await?;
    let name = context::location(loaded)?.name();
    store.check_pages().await?;
    let found = store.contradictions().await?;
    if !found.is_empty() {
        let found = found.join(", ");
        let text = format!(
            "database {name} contradicts itself: {found}; restore it from a backup, or rebuild it from the chains with `facilitator recover`"
        );
        return Err(Failure::new(Exit::Database, text));
    }
    let requests = read_all(&store).await?;
    let state = State { database: name, version: store.version().await?, requests: Some(requests) };
    store.close().await;
    if json {
        output::json(&state)?;
    } else {
        let State { database, version, .. } = &state;
        output::line(&format!("{database} is sound: schema version {version}, {requests} requests"));
    }
    Ok(Exit::Done)
}

/// Every request with its life and transactions: a value that is none of its type is found when it is read.
async fn read_all(store: &Store) -> Result<u64, Failure> {
    let (mut filter, mut count) = (Filter::default(), 0_u64);
    loop {
        let page = store.list(&filter).await?;
        let Some(last) = page.last() else { return Ok(count) };
        filter.after = Some(last.request.id);
        let ids: Vec<_> = page.iter().map(|record| record.request.id).collect();
        store.transactions(&ids).await?;
        count = count.saturating_add(u64::try_from(page.len()).unwrap_or(u64::MAX));
    }
}

/// What `copy` says.
#[derive(Serialize)]
struct Moved {
    from: String,
    to: String,
    tables: Vec<Table>,
}

#[derive(Serialize)]
struct Table {
    table: String,
    rows: u64,
}

async fn copy(loaded: &Loaded, to: &str, json: bool) -> Result<Exit, Failure> {
    let from = context::location(loaded)?;
    let to = target(to)?;
    if from == to {
        return Err(Failure::new(Exit::Usage, format!("--to: {} is the database of the config itself", to.name())));
    }
    refuse_running(loaded).await?;
    // Nobody begins meanwhile on this host, whatever the database.
    let _held = KeyGuard::take(loaded)?;
    let source = context::open(loaded, Access::Writer).await?;
    let target = context::open_at(&to, Access::Owner, context::pair(loaded)).await?;
    let mut shown = Shown(Instant::now());
    let copied = source.copy_to(&target, &mut |table, rows| shown.tell(table, rows)).await;
    source.close().await;
    target.close().await;
    let copied = copied?;
    tell(loaded, &from, &to, copied, json)?;
    Ok(Exit::Done)
}

/// The database that `--to` names. A password may stand in the environment instead.
fn target(to: &str) -> Result<Location, Failure> {
    if !Server::is_meant(to) {
        if to.contains("://") {
            let text = "--to: must be a file, or begin with postgres:// or postgresql://";
            return Err(Failure::new(Exit::Usage, text));
        }
        return Ok(Location::Sqlite(std::path::absolute(Path::new(to))?));
    }
    context::server(to, None, None)
        .map_err(|failure| Failure::new(Exit::Usage, failure.message.replacen("db.url", "--to", 1)))
}

/// A running facilitator would write on into the database that is left.
async fn refuse_running(loaded: &Loaded) -> Result<(), Failure> {
    let Some(store) = context::open_if_readable(loaded).await? else { return Ok(()) };
    let found = running::find(&store, now_ms()).await;
    store.close().await;
    found?.map_or(Ok(()), |process| Err(start::already_running(&process)))
}

fn tell(loaded: &Loaded, from: &Location, to: &Location, copied: Vec<Copied>, json: bool) -> Result<(), Failure> {
    let tables: Vec<Table> = copied.into_iter().map(|Copied { table, rows }| Table { table, rows }).collect();
    if json {
        return output::json(&Moved { from: from.name(), to: to.name(), tables });
    }
    let head = vec!["TABLE".to_owned(), "ROWS".to_owned()];
    let rows: Vec<Vec<String>> = std::iter::once(head)
        .chain(tables.iter().map(|table| vec![table.table.clone(), table.rows.to_string()]))
        .collect();
    output::line(&output::table(&rows));
    let db = match to {
        Location::Sqlite(path) => format!("{{ \"db_path\": \"{}\" }}", path.display()),
        Location::Postgres(server) => {
            format!(
                "{{ \"url\": \"{}\", \"password\": \"…\" }} (without \"password\" PGPASSWORD is used)",
                server.name()
            )
        }
    };
    output::line(&format!("\nCopied {} to {}. Next:", from.name(), to.name()));
    output::line(&format!("  1. In {} set \"db\": {db}", loaded.facilitator.file.display()));
    let chain = loaded.facilitator.auxiliary.chain_id;
    output::line(&format!("  2. facilitator db check --chain-id {chain} && facilitator start --chain-id {chain}"));
    output::line(
        "The former database is as it was; keep it until the new one has proved itself, and never start on it again.",
    );
    Ok(())
}

/// How far the copy is, now and then, on standard error: when the last line was.
struct Shown(Instant);

/// Time between two lines.
const PAUSE: Duration = Duration::from_secs(2);

impl Shown {
    fn tell(&mut self, table: &str, rows: u64) {
        if self.0.elapsed() >= PAUSE {
            self.0 = Instant::now();
            output::remark(&format!("copying {table}: {rows} rows"));
        }
    }
}
