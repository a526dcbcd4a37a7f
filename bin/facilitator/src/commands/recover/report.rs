//! What a recovery found, as a table or as JSON.

use crate::commands::context;
use crate::failure::Failure;
use crate::output;
use facilitator_config::Loaded;
use facilitator_protocol::model::Step;
use facilitator_roles::recovery::Outlook;
use facilitator_store::Store;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The result of `recover`.
#[derive(Serialize)]
pub(super) struct Report {
    /// Whether anything was done; `false`: the database was sound.
    rebuilt: bool,
    database: String,
    /// Where the former database is kept.
    set_aside: Option<String>,
    /// The last block that is read, by chain.
    scanned: BTreeMap<u64, Option<u64>>,
    found: usize,
    /// Accepted under the lock that the own key gives.
    ours: usize,
    unfinished: usize,
    states: BTreeMap<&'static str, usize>,
    /// The unfinished ones, oldest first.
    requests: Vec<Row>,
    #[serde(skip)]
    chain_id: u64,
}

#[derive(Serialize)]
struct Row {
    kind: &'static str,
    request_hash: String,
    message_hash: Option<String>,
    state: &'static str,
    ours: bool,
    /// The steps that the next start sends at once.
    next: Vec<&'static str>,
    waiting_for: Option<String>,
}

/// Of a database that was rebuilt.
pub(super) async fn rebuilt(
    loaded: &Loaded,
    store: &Store,
    found: &[Outlook],
    aside: Option<PathBuf>,
) -> Result<Report, Failure> {
    let set_aside = aside.map(|path| path.display().to_string());
    Ok(Report { rebuilt: true, set_aside, ..as_it_is(loaded, store, found).await? })
}

/// Of a database that was left as it is.
pub(super) async fn as_it_is(loaded: &Loaded, store: &Store, found: &[Outlook]) -> Result<Report, Failure> {
    let pair = store.pair();
    let mut scanned = BTreeMap::new();
    for chain_id in [pair.origin_chain_id, pair.auxiliary_chain_id] {
        scanned.insert(chain_id, store.checkpoint(chain_id).await?.map(|block| block.number));
    }
    let mut states = BTreeMap::new();
    for outlook in found {
        let request = &outlook.record.request;
        *states.entry(request.state.name(request.kind)).or_default() += 1;
    }
    let unfinished = || found.iter().filter(|outlook| !outlook.record.request.state.is_end());
    Ok(Report {
        rebuilt: false,
        database: context::location(loaded)?.name(),
        set_aside: None,
        scanned,
        found: found.len(),
        ours: found.iter().filter(|outlook| outlook.is_ours()).count(),
        unfinished: unfinished().count(),
        states,
        requests: unfinished().map(row).collect(),
        chain_id: pair.auxiliary_chain_id,
    })
}

fn row(outlook: &Outlook) -> Row {
    let request = &outlook.record.request;
    Row {
        kind: request.kind.as_str(),
        request_hash: request.terms.request_hash.to_string(),
        message_hash: request.message_hash.map(|hash| hash.to_string()),
        state: request.state.name(request.kind),
        ours: outlook.is_ours(),
        next: outlook.next.iter().copied().map(Step::as_str).collect(),
        waiting_for: request.waiting_for.clone(),
    }
}

impl Report {
    /// Prints it for people.
    pub(super) fn show(&self) {
        if !self.requests.is_empty() {
            output::line(&format!("{}\n", self.table()));
        }
        for (chain, block) in &self.scanned {
            let block = block.map_or_else(|| "not read".to_owned(), |block| format!("read to block {block}"));
            output::line(&format!("Chain {chain}: {block}"));
        }
        let states: Vec<String> = self.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let states = if states.is_empty() { String::new() } else { format!(" ({})", states.join(", ")) };
        output::line(&format!(
            "{} requests{states}: {} accepted by us, {} unfinished",
            self.found, self.ours, self.unfinished
        ));
        if let Some(aside) = &self.set_aside {
            output::line(&format!("The former database is kept as {aside}"));
        }
        output::line(&if self.rebuilt {
            format!("{} is rebuilt; `facilitator start --chain-id {}` goes on from here", self.database, self.chain_id)
        } else {
            format!(
                "{} is sound: nothing was changed; `facilitator start --chain-id {}` goes on from here",
                self.database, self.chain_id
            )
        });
    }

    fn table(&self) -> String {
        let head = ["REQUEST", "STATE", "OURS", "AT THE NEXT START"].map(str::to_owned).to_vec();
        let row = |row: &Row| {
            let next = if row.next.is_empty() {
                row.waiting_for.as_ref().map_or_else(|| "is looked at".to_owned(), |what| format!("waits for {what}"))
            } else {
                format!("sends {}", row.next.join(", "))
            };
            let ours = if row.ours { "yes" } else { "no" };
            vec![row.request_hash.clone(), row.state.to_owned(), ours.to_owned(), next]
        };
        output::table(&std::iter::once(head).chain(self.requests.iter().map(row)).collect::<Vec<_>>())
    }
}
