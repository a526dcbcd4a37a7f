//! A proxy before a node's JSON-RPC that counts what passes, and can be told to make trouble.
//!
//! Speaks as much HTTP/1.1 as JSON-RPC clients and nodes do: requests and answers with a length, connections kept
//! open, WebSockets passed through. What it passes on is passed byte for byte, unless it was told to lie.
//!
//! A rule ([`RpcProxy::set_rule`]) decides about single requests, an edit ([`RpcProxy::set_edit`]) about single
//! answers; standing faults, each with a method of its own, are in `faults`. All may be changed while it runs.

mod branch;
mod calls;
mod faults;
mod freeze;
pub(crate) mod http;
mod logs;
mod serve;
mod socket;

pub use faults::Length;

use anyhow::Result;
use faults::Faults;
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// What passed so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// HTTP requests.
    pub requests: u64,
    /// JSON-RPC calls by method.
    pub calls: BTreeMap<String, u64>,
    /// HTTP requests by the methods that are called in them.
    pub kinds: BTreeMap<String, u64>,
    /// WebSockets that were opened.
    pub sockets: u64,
}

impl Counts {
    /// All calls.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.calls.values().sum()
    }

    /// What passed since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let (calls, kinds) = (since(&self.calls, &earlier.calls), since(&self.kinds, &earlier.kinds));
        Self { requests: self.requests - earlier.requests, calls, kinds, sockets: self.sockets - earlier.sockets }
    }
}

fn since(now: &BTreeMap<String, u64>, earlier: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let before = |name: &str| earlier.get(name).copied().unwrap_or(0);
    let grown = now.iter().map(|(name, count)| (name.clone(), count - before(name)));
    grown.filter(|(_, count)| *count > 0).collect()
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Pass it on.
    None,
    /// Pass it on later.
    Delay(Duration),
    /// Answer with this HTTP status instead of passing it on.
    Status(u16),
    /// Close the connection instead of passing it on.
    Drop,
    /// Pass it on, and close the connection instead of bringing the answer.
    LoseAnswer,
}

/// A request as a rule sees it.
#[derive(Debug)]
pub struct Request<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// The methods called in it.
    pub methods: &'a [String],
}

type Rule = Box<dyn FnMut(&Request<'_>) -> Fault + Send>;
/// Changes the answer to a call, told its method and parameters.
type Edit = Box<dyn FnMut(&str, &Json, &mut Json) + Send>;

struct State {
    counts: Counts,
    rule: Rule,
    edit: Option<Edit>,
    faults: Faults,
}

/// What all connections share.
struct Shared {
    state: Mutex<State>,
    /// Tells that the faults have changed.
    changes: watch::Sender<()>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running proxy; ends when it is dropped.
pub struct RpcProxy {
    /// Its address for JSON-RPC.
    pub url: String,
    /// Host and port of the node.
    upstream: Arc<str>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl std::fmt::Debug for RpcProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RpcProxy({})", self.url)
    }
}

impl RpcProxy {
    /// Starts a proxy on a free port before the node at `upstream`, a URL without a path.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let upstream: Arc<str> = upstream.trim_start_matches("http://").trim_end_matches('/').into();
        let (rule, edit) = (Box::new(|_: &Request<'_>| Fault::None), None);
        let state = Mutex::new(State { counts: Counts::default(), rule, edit, faults: Faults::default() });
        let shared = Arc::new(Shared { state, changes: watch::Sender::new(()) });
        let (node, share) = (Arc::clone(&upstream), Arc::clone(&shared));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A connection that breaks off is the client's to notice.
                let serving = serve::serve(client, Arc::clone(&node), Arc::clone(&share));
                tokio::spawn(async move { drop(serving.await) });
            }
        });
        Ok(Self { url, upstream, shared, task })
    }

    /// What passed so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts.clone()
    }

    /// From now on `rule` decides about each request.
    pub fn set_rule(&self, rule: impl FnMut(&Request<'_>) -> Fault + Send + 'static) {
        self.shared.lock().rule = Box::new(rule);
    }

    /// From now on `edit` may change the answer to each call: it is told method, parameters, and the answer with its
    /// `result` or `error`.
    pub fn set_edit(&self, edit: impl FnMut(&str, &Json, &mut Json) + Send + 'static) {
        self.shared.lock().edit = Some(Box::new(edit));
    }

    /// Answers pass as they are again.
    pub fn clear_edit(&self) {
        self.shared.lock().edit = None;
    }
}

impl Drop for RpcProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
