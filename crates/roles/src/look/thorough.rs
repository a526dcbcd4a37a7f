//! What only a pass over journal and ledger shows.

use super::kept::Looked;
use crate::child;
use crate::clock::now_ms;
use crate::views::keys::{Spending, spendings};
use crate::views::ledger::{LedgerView, Period, TotalView};
use bytes::Bytes;
use facilitator_eth::Address;
use facilitator_protocol::ledger::{Asset, Assets, Ledger, Sum};
use facilitator_store::figures::{KeyFigures, Took, TransactionCount};
use facilitator_store::{Pair, Store, StoreError};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// For how long it serves at least, and how many times as long as it took; one that failed rests for so many times too.
const FRESH: Duration = Duration::from_secs(2);
pub(super) const SPARE: u32 = 20;

/// Sums of journal and ledger; of their lines none is kept.
#[derive(Debug, Clone, Default)]
pub struct Thorough {
    pub(crate) at_ms: i64,
    /// By gateway and asset; those of no gateway too.
    pub(crate) sums: BTreeMap<(Option<Address>, Asset), Sum>,
    /// Messages of which an amount can't be told.
    pub(crate) unknown: u64,
    pub(crate) spending: BTreeMap<(u64, Address), Spending>,
    pub(crate) keys: Vec<KeyFigures>,
    pub(crate) transactions: Vec<TransactionCount>,
    pub(crate) took: Vec<Took>,
    /// By asset.
    pub totals: Vec<TotalView>,
    /// The ledger as JSON, as `facilitator ledger --json` prints it; without a period of which it can't be written.
    pub(crate) pages: BTreeMap<Period, Bytes>,
}

/// The rows that it is made from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    pub(crate) ledger: Ledger,
    pub(crate) assets: Vec<Assets>,
    pub(crate) keys: Vec<KeyFigures>,
    pub(crate) transactions: Vec<TransactionCount>,
    pub(crate) took: Vec<Took>,
}

impl Rows {
    async fn read(store: &Store) -> Result<Self, StoreError> {
        Ok(Self {
            ledger: store.ledger().await?,
            assets: store.gateway_assets().await?,
            keys: store.key_figures().await?,
            transactions: store.transaction_counts().await?,
            took: store.took().await?,
        })
    }
}

impl Thorough {
    /// What rows come to.
    pub(crate) fn of(rows: Rows, pair: Pair, at_ms: i64) -> Self {
        let Rows { ledger, assets, keys, transactions, took } = rows;
        let view = |period| LedgerView::of(&ledger, &assets, pair, period, None, at_ms);
        let page = |period| Some((period, Bytes::from(serde_json::to_vec(&view(period)).ok()?)));
        Self {
            at_ms,
            sums: sums(&ledger, &assets),
            unknown: u64::try_from(ledger.unknown.len()).unwrap_or(u64::MAX),
            spending: spendings(&ledger.lines, at_ms),
            keys,
            transactions,
            took,
            totals: view(Period::All).totals,
            pages: Period::EACH.into_iter().filter_map(page).collect(),
        }
    }
}

/// What moved by gateway and asset; nothing at all where a reward of a configured gateway would stand, so that the first
/// one is seen to be one.
fn sums(ledger: &Ledger, assets: &[Assets]) -> BTreeMap<(Option<Address>, Asset), Sum> {
    let mut sums: BTreeMap<(Option<Address>, Asset), Sum> = BTreeMap::new();
    for pair in assets {
        for asset in pair.all() {
            sums.entry((Some(pair.gateway), asset)).or_default();
        }
    }
    for line in &ledger.lines {
        sums.entry((line.gateway, line.asset)).or_default().add(line);
    }
    sums
}

/// Looks, on a thread and a connection of its own: what goes through whole tables keeps neither those waiting who ask for
/// something else nor the heartbeat of this process.
pub(super) async fn look(database: String, pair: (u64, u64)) -> Looked<Thorough> {
    let (tell, told) = oneshot::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let looked = match runtime {
            Ok(runtime) => runtime.block_on(read(&database, pair)),
            Err(error) => Err(no_thread(&error)),
        };
        // Whoever wanted to know may be gone with the process.
        let _gone = tell.send(looked);
    };
    std::thread::Builder::new().name("look".to_owned()).spawn(work).map_err(|error| no_thread(&error))?;
    told.await.unwrap_or_else(|_| Err(unavailable("looking through journal and ledger broke off".to_owned())))
}

async fn read(database: &str, pair: (u64, u64)) -> Looked<Thorough> {
    let began = Instant::now();
    let at_ms = now_ms();
    let store = child::open_to_look(database, pair, at_ms).await?;
    let rows = Rows::read(&store).await;
    store.close().await;
    let thorough = Thorough::of(rows?, store.pair(), at_ms);
    Ok((thorough, began.elapsed().saturating_mul(SPARE).max(FRESH)))
}

fn no_thread(error: &std::io::Error) -> StoreError {
    unavailable(format!("no thread to look through journal and ledger: {error}"))
}

fn unavailable(problem: String) -> StoreError {
    StoreError::Unavailable { name: "journal and ledger".to_owned(), problem }
}
