//! Many unfinished requests in the facilitator's database, beside the real ones that it has found itself.
//!
//! The one place that links to the product: the rows are written by its own functions, in the order in which scanner and
//! workers write them. To it they are requests that it has accepted and that wait for a state root. The chains know
//! nothing of them, which each one's next worker finds out.

use crate::{database, world::World};
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{Address, B256, Bytes, U256, keccak256};
use facilitator_protocol::{
    events::{Event, Log, StakeRequested},
    model::{Attempt, Park, Request, State, Update, Wait},
};
use facilitator_store::{
    Access, Location, Pair, Patience, Store,
    requests::{Change, Filter},
    scan::ScanCommit,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// Who takes the claims while the rows are made.
const OWNER: &str = "benchmark";
/// As long as the product lets a request wait for what wakes it before it looks again.
const RECHECK_MS: i64 = 3_600_000;

fn now_ms() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

/// Opens the database of a facilitator that does not run.
async fn open(world: &World) -> Result<Store> {
    let [origin_chain_id, auxiliary_chain_id] = world.operator.chains;
    let location = Location::Sqlite(database::file(&world.operator.config));
    let pair = Pair { origin_chain_id, auxiliary_chain_id };
    Ok(Store::open(&location, Access::Owner, pair, Patience::default(), now_ms()?).await?)
}

/// How many rows are unfinished.
///
/// # Errors
/// The database's.
pub async fn unfinished(world: &World) -> Result<usize> {
    let store = open(world).await?;
    let rows = store.list(&Filter { limit: u32::MAX, ..Filter::default() }).await?;
    store.close().await;
    Ok(rows.iter().filter(|row| !row.request.state.is_end()).count())
}

/// Puts `count` more requests behind the real ones, all like the first of these: accepted, declared, waiting for a root.
///
/// # Errors
/// The database's, or when the facilitator has no such request.
pub async fn fill(world: &World, count: usize) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let store = open(world).await?;
    let rows = store.list(&Filter { states: vec![State::Accepted], ..Filter::default() }).await?;
    let like = &rows.first().context("no accepted request to begin with")?.request;
    let chain = like.position.chain_id;
    let checkpoint = store.checkpoint(chain).await?.context("nothing was scanned")?;
    let events = (0..count).map(|index| asked(like, index)).collect();
    let commit = ScanCommit { chain_id: chain, previous: Some(checkpoint), blocks: vec![], events, checkpoint };
    let made = store.commit_scan(&commit, now_ms()?).await?.requests.len();
    ensure!(made == count, "{made} of {count} requests were stored");
    let claimed = store.claim_ready(OWNER, u32::try_from(count)?, now_ms()?).await?;
    ensure!(claimed.len() == count, "{} of {count} requests were claimed", claimed.len());
    let gateways = store.gateways().await?;
    let anchor = gateways.iter().find(|set| set.gateway == like.terms.gateway).context("no gateway")?.co_anchor;
    let changes = claimed
        .iter()
        .map(|request| {
            let (park, retry_at_ms) = (accepted(request, like, anchor), Some(now_ms()? + RECHECK_MS));
            Ok(Change::Park { id: request.id, park, retry_at_ms })
        })
        .collect::<Result<Vec<_>>>()?;
    let saved = store.save(OWNER, &changes, now_ms()?).await?;
    ensure!(saved.lost.is_empty() && saved.ready.is_empty(), "{} lost, {} ready", saved.lost.len(), saved.ready.len());
    store.close().await;
    Ok(())
}

fn hash(what: &str, index: usize) -> B256 {
    keccak256(format!("{what} {index}"))
}

/// The event of a request like another one, in the same block.
fn asked(like: &Request, index: usize) -> (Log, Event) {
    let (terms, at) = (&like.terms, &like.position);
    let log = Log {
        address: like.pool,
        topics: vec![StakeRequested::TOPIC],
        data: Bytes::default(),
        block_number: at.block_number,
        block_hash: at.block_hash,
        tx_hash: hash("transaction", index),
        tx_index: 0,
        // Beyond those of the real ones in this block.
        log_index: 1_000 + index as u64,
    };
    let event = StakeRequested {
        amount: terms.amount,
        beneficiary: Address::from_word(&hash("beneficiary", index)),
        gas_price: terms.gas_price,
        gas_limit: terms.gas_limit,
        nonce: U256::ONE,
        gateway: terms.gateway,
        staker: Address::from_word(&hash("staker", index)),
        staker_proxy: Address::from_word(&hash("proxy", index)),
        request_hash: hash("request", index),
    };
    (log, Event::StakeRequested(event))
}

/// How a worker leaves a request whose message is declared and whose root is not anchored.
fn accepted(request: &Request, like: &Request, anchor: Address) -> Park {
    let index = usize::try_from(request.id.0).unwrap_or(0);
    let declared = like.declared_block.unwrap_or(like.position.block_number);
    let attempt = Attempt { number: 0, hash_lock: hash("lock", index), message_hash: hash("message", index) };
    Park {
        update: Update {
            state: Some(State::Accepted),
            attempt: Some(attempt),
            message_sender: Some(request.terms.sender_proxy),
            origin_worker: like.origin_worker,
            auxiliary_worker: like.auxiliary_worker,
            declared_block: Some(declared),
            bounty: like.bounty,
            log: Some("accepted".to_owned()),
            ..Update::default()
        },
        wait: Wait::Root { chain_id: request.auxiliary_chain_id, anchor, at_least: declared },
        waiting_for: Some("a state root".to_owned()),
        retry_in_ms: None,
        wakes_seen: request.wakes,
    }
}
