//! The two chains as one run sees them.
//!
//! Invariant: within a run a chain is one node up to one block; what is asked twice is read once. A chain that can't be
//! reached keeps no monitor from looking at the other.

use crate::{Alert, SystemEvent, Window};
use facilitator_chain::{
    reader::{Answer, At, Query, Reader, ReaderOptions},
    rpc::{Call, Rpc, RpcError, RpcOptions},
    scan::{Failed, FetchError, LogFilter, ScanPlan, fetch_chain_id, fetch_head, fetch_range},
    types::{Header, parse_checked_header},
};
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::{
    contracts::{self, View},
    emitter::genuine,
    events::{Event, Log},
    gateway::GatewaySet,
    model::Side,
};
use serde_json::json;
use std::{collections::HashMap, fmt, sync::Arc};
use tokio::sync::Mutex;

/// Blocks that a node may be behind the one that another chain's anchor was fed by.
const MAX_LAG: u64 = 64;

/// The nodes of one chain, from run to run.
#[derive(Debug, Clone)]
pub struct Endpoints {
    side: Side,
    chain_id: u64,
    clients: Vec<Rpc>,
    max_range: u64,
}

/// Why a chain can't be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unseen {
    /// No node answers.
    #[error("{0}")]
    Unreachable(String),
    /// The node serves another chain.
    #[error("network mismatch: {0}")]
    Mismatch(String),
}

impl Endpoints {
    /// Makes the clients; connects only when asked.
    ///
    /// # Errors
    /// [`RpcError::Endpoint`] of a URL that can't be used.
    pub fn new(
        side: Side,
        chain_id: u64,
        urls: &[String],
        options: &RpcOptions,
        max_range: u64,
    ) -> Result<Self, RpcError> {
        let clients = urls.iter().map(|url| Rpc::new(url, options.clone())).collect::<Result<_, _>>()?;
        Ok(Self { side, chain_id, clients, max_range })
    }

    /// The chain.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The first node that serves the chain.
    ///
    /// # Errors
    /// [`Unseen`], the mismatch first.
    pub async fn connect(&self) -> Result<Rpc, Unseen> {
        let mut unseen = Unseen::Unreachable("it has no endpoint".to_owned());
        for rpc in &self.clients {
            match fetch_chain_id(rpc).await {
                Ok(id) if id == self.chain_id => return Ok(rpc.clone()),
                Ok(id) => {
                    let text = format!("{} serves chain {id}, expected is chain {}", rpc.endpoint(), self.chain_id);
                    unseen = Unseen::Mismatch(text);
                }
                Err(error) if matches!(unseen, Unseen::Unreachable(_)) => {
                    unseen = Unseen::Unreachable(error.to_string());
                }
                Err(_) => {}
            }
        }
        Err(unseen)
    }

    /// The chain up to its newest block. The window is made of that block's height.
    ///
    /// # Errors
    /// [`Unseen`].
    pub async fn look(&self, sets: &Arc<[GatewaySet]>, window: impl FnOnce(u64) -> Window) -> Result<Chain, Unseen> {
        let rpc = self.connect().await?;
        let head = fetch_head(&rpc).await.map_err(|error| Unseen::Unreachable(error.to_string()))?;
        Ok(Chain {
            side: self.side,
            chain_id: self.chain_id,
            window: window(head.number),
            reader: Reader::start(rpc.clone(), ReaderOptions::default()),
            filter: LogFilter::new(addresses(sets, self.side), Event::TOPICS.to_vec()),
            sets: Arc::clone(sets),
            rpc,
            plan: Mutex::new(ScanPlan::new(self.max_range)),
            read: Mutex::new(HashMap::new()),
        })
    }
}

/// All contracts on a side whose events are read.
fn addresses(sets: &[GatewaySet], side: Side) -> Vec<Address> {
    let of = |set: &GatewaySet| {
        let pool = match side {
            Side::Origin => Some(set.composer),
            Side::Auxiliary => set.redeem_pool,
        };
        [Some(set.box_on(side)), Some(set.anchor_on(side)), pool].into_iter().flatten().collect::<Vec<_>>()
    };
    sets.iter().flat_map(of).collect()
}

/// An event of a configured contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The gateway pair that it belongs to.
    pub set: GatewaySet,
    /// Where it stands.
    pub log: Log,
    /// What it says.
    pub event: Event,
}

type Read = Result<Arc<Vec<Seen>>, String>;

/// One chain in one run.
pub struct Chain {
    /// Which one.
    pub side: Side,
    /// Its id.
    pub chain_id: u64,
    /// The blocks to look at; the last one is the newest.
    pub window: Window,
    sets: Arc<[GatewaySet]>,
    rpc: Rpc,
    reader: Reader,
    filter: LogFilter,
    plan: Mutex<ScanPlan>,
    read: Mutex<HashMap<(u64, u64), Read>>,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({} {})", self.side, self.chain_id)
    }
}

impl Chain {
    /// The events of a window in the order of the chain, read once a run.
    ///
    /// # Errors
    /// In words.
    pub async fn events(&self, window: Window) -> Read {
        let mut read = self.read.lock().await;
        if let Some(found) = read.get(&(window.from, window.to)) {
            return found.clone();
        }
        let found = self.fetch(window).await.map(Arc::new).map_err(|error| error.to_string());
        read.insert((window.from, window.to), found.clone());
        found
    }

    /// Those that have just reached an age of so many blocks.
    ///
    /// # Errors
    /// In words.
    pub async fn events_aged(&self, blocks: u64) -> Read {
        match self.window.earlier(blocks) {
            Some(window) => self.events(window).await,
            None => Ok(Arc::default()),
        }
    }

    async fn fetch(&self, window: Window) -> Result<Vec<Seen>, FetchError> {
        let mut plan = self.plan.lock().await;
        let mut next = window.from;
        let mut seen = Vec::new();
        while let Some(span) = plan.next(next, window.to) {
            match fetch_range(&self.rpc, &self.filter, span).await {
                Ok(range) => {
                    plan.succeeded(span);
                    next = span.to.saturating_add(1);
                    seen.extend(range.entries.into_iter().filter_map(|entry| self.seen(entry.log, entry.event)));
                }
                Err(FetchError::Rpc(error)) => match plan.failed(span, &error) {
                    Failed::Smaller => {}
                    Failed::Same | Failed::Stuck => return Err(error.into()),
                },
                Err(
                    error @ (FetchError::Missing { .. } | FetchError::Inconsistent { .. } | FetchError::Lied { .. }),
                ) => {
                    return Err(error);
                }
            }
        }
        Ok(seen)
    }

    /// The event, if it comes from the contract that emits it, and is not about somebody else's gateway.
    fn seen(&self, log: Log, event: Event) -> Option<Seen> {
        let named = if let Event::StakeRequested(event) = &event {
            Some(event.gateway)
        } else if let Event::RedeemRequested(event) = &event {
            Some(event.cogateway)
        } else {
            None
        };
        let set = match named {
            Some(gateway) => {
                let pools = |set: &&GatewaySet| set.composer == log.address || set.redeem_pool == Some(log.address);
                self.sets.iter().filter(pools).find(|set| set.box_on(self.side) == gateway)
            }
            None => genuine(&self.sets, self.chain_id, log.address, &event),
        };
        set.cloned().map(|set| Seen { set, log, event })
    }

    /// The gateway pairs.
    #[must_use]
    pub fn sets(&self) -> &[GatewaySet] {
        &self.sets
    }

    /// What contracts say at the newest block, in the order asked.
    ///
    /// # Errors
    /// In words, of the first that does not answer as it must.
    pub async fn ask<T: contracts::Answer>(&self, views: &[(Address, View<T>)]) -> Result<Vec<T>, String> {
        self.ask_at(views, self.window.to).await
    }

    /// What one contract says at the newest block.
    ///
    /// # Errors
    /// As [`Chain::ask`].
    pub async fn ask_one<T: contracts::Answer>(&self, to: Address, view: View<T>) -> Result<T, String> {
        self.ask(&[(to, view)]).await?.pop().ok_or_else(|| "no answer".to_owned())
    }

    /// What contracts said at a block.
    ///
    /// # Errors
    /// As [`Chain::ask`].
    pub async fn ask_at<T: contracts::Answer>(
        &self,
        views: &[(Address, View<T>)],
        block: u64,
    ) -> Result<Vec<T>, String> {
        let query = |(to, view): &(Address, View<T>)| Query::Call {
            from: None,
            to: *to,
            data: view.data.clone(),
            at: At::Block(block),
        };
        let answers = self.reader.ask(views.iter().map(query).collect()).await;
        let read = |((to, view), answer): (&(Address, View<T>), Answer)| match answer {
            Answer::Data(data) => view.decode(&data).map_err(|error| format!("contract {to} answers wrongly: {error}")),
            Answer::Reverted(revert) => Err(format!("contract {to} refuses: {revert}")),
            Answer::Failed(text) => Err(text),
            Answer::Number(_) | Answer::Proof(_) | Answer::Root(_) => Err("another kind of answer".to_owned()),
        };
        views.iter().zip(answers).map(read).collect()
    }

    /// What one contract said at a block; `None` if it was not there yet.
    ///
    /// # Errors
    /// In words, also where the node has no state that old.
    pub async fn ask_past<T: contracts::Answer>(
        &self,
        to: Address,
        view: View<T>,
        block: u64,
    ) -> Result<Option<T>, String> {
        let code = self.reader.ask_one(Query::Code { address: to, at: At::Block(block) }).await;
        match code {
            Answer::Data(code) if code.is_empty() => Ok(None),
            Answer::Failed(text) => Err(text),
            Answer::Data(_) | Answer::Reverted(_) | Answer::Number(_) | Answer::Proof(_) | Answer::Root(_) => {
                Ok(self.ask_at(&[(to, view)], block).await?.pop())
            }
        }
    }

    /// Coins of accounts at the newest block, in the order asked.
    ///
    /// # Errors
    /// In words.
    pub async fn balances(&self, accounts: &[Address]) -> Result<Vec<U256>, String> {
        let at = At::Block(self.window.to);
        let answers =
            self.reader.ask(accounts.iter().map(|address| Query::Balance { address: *address, at }).collect());
        let read = |answer: Answer| match answer {
            Answer::Number(balance) => Ok(balance),
            Answer::Failed(text) => Err(text),
            Answer::Data(_) | Answer::Reverted(_) | Answer::Proof(_) | Answer::Root(_) => {
                Err("another kind of answer".to_owned())
            }
        };
        answers.await.into_iter().map(read).collect()
    }

    /// The headers at these heights as the chain is now, in their order; `None` where it certainly has no such block.
    ///
    /// # Errors
    /// In words; also where the node may just be behind.
    pub async fn headers(&self, numbers: &[u64]) -> Result<Vec<Option<Header>>, String> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let call = |number: &u64| Call::new("eth_getBlockByNumber", json!([U256::from(*number).to_quantity(), false]));
        let calls: Vec<Call> = numbers.iter().map(call).collect();
        let outcomes = self.rpc.batch(&calls).await.map_err(|error| error.to_string())?;
        let read = |(number, outcome): (&u64, Result<serde_json::Value, RpcError>)| {
            let header = outcome.and_then(|value| parse_checked_header(&value)).map_err(|error| error.to_string())?;
            if header.is_none() && *number <= self.window.to.saturating_add(MAX_LAG) {
                return Err(format!("the node does not have block {number} yet, which the other chain knows"));
            }
            Ok(header)
        };
        numbers.iter().zip(outcomes).map(read).collect()
    }

    /// The height of the newest block, now.
    ///
    /// # Errors
    /// In words.
    pub async fn newest(&self) -> Result<u64, String> {
        fetch_head(&self.rpc).await.map(|head| head.number).map_err(|error| error.to_string())
    }

    /// Who sent a transaction.
    ///
    /// # Errors
    /// In words.
    pub async fn sender(&self, transaction: B256) -> Result<Address, String> {
        let answer = self.rpc.call("eth_getTransactionByHash", json!([transaction])).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let sender = answer.get("from").and_then(|from| from.as_str()).and_then(|from| from.parse().ok());
        sender.ok_or_else(|| format!("the node does not know transaction {transaction}"))
    }

    /// An event that a log tells of.
    #[must_use]
    pub fn event(&self, alert: Alert, log: &Log) -> SystemEvent {
        SystemEvent::new(alert, self.chain_id, log.block_number)
            .with("transaction", log.tx_hash)
            .with("log_index", log.log_index)
            .with("contract", log.address)
    }
}
