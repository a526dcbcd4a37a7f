//! Standing faults: each stands from the call that sets it until it is taken back, or [`RpcProxy::heal`] takes all.
//!
//! Two kinds: trouble keeps answers away, lies change them. A lie is told the same to everybody who asks, in every call
//! that could contradict it.

use super::{
    RpcProxy,
    branch::Branch,
    calls::{calls_mut, each_answer, method, refuse},
    freeze,
    http::{Message, Upstream},
    logs::{self, Invented},
};
use anyhow::Result;
use facilitator_dice::Rng;
use facilitator_eth::{Address, B256, Bytes};
use serde_json::{Value as Json, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// What a torn answer says about its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// That of the half that is sent: only the JSON is torn.
    Right,
    /// That of the whole: the connection ends too early.
    Wrong,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trouble {
    None,
    Drop,
    LoseAnswer,
    Stall,
    Unavailable,
    RateLimit(Duration),
    Error(i64, &'static str),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    pub(super) latency: Option<Duration>,
    pub(super) truncating: Option<Length>,
    failing: Option<(u64, Rng)>,
    dropping: bool,
    stalling: bool,
    rate_limit: Option<Duration>,
    limit_errors: bool,
    chain_id: Option<u64>,
    head: Option<u64>,
    branch: Option<Arc<Mutex<Branch>>>,
    hidden_permille: u64,
    invented: Vec<Invented>,
    widest_range: Option<u64>,
    strange: bool,
    dark: bool,
}

impl Faults {
    /// What becomes of the next request.
    pub(super) fn next(&mut self) -> Trouble {
        if self.dropping {
            return Trouble::Drop;
        }
        if self.stalling {
            return Trouble::Stall;
        }
        if let Some(pause) = self.rate_limit {
            return Trouble::RateLimit(pause);
        }
        if self.limit_errors {
            return Trouble::Error(-32005, "limit exceeded");
        }
        let Some((permille, rng)) = &mut self.failing else { return Trouble::None };
        if !rng.chance(*permille) {
            return Trouble::None;
        }
        match rng.below(4) {
            0 => Trouble::Drop,
            1 => Trouble::LoseAnswer,
            2 => Trouble::Unavailable,
            _ => Trouble::Error(-32000, "internal error"),
        }
    }

    /// Whether answers are to be changed.
    pub(super) fn lies(&self) -> bool {
        self.chain_id.is_some()
            || self.head.is_some()
            || self.branch.is_some()
            || self.hidden_permille > 0
            || !self.invented.is_empty()
            || self.widest_range.is_some()
            || self.strange
    }

    /// Whether a WebSocket may pass: nothing is kept away, and no head that it may announce contradicts a lie.
    pub(super) fn sockets_pass(&self) -> bool {
        let kept_away = self.dropping || self.stalling || self.rate_limit.is_some() || self.limit_errors;
        let contradicted = self.chain_id.is_some() || self.head.is_some() || self.branch.is_some() || self.strange;
        !kept_away && !contradicted && self.truncating.is_none()
    }

    /// Asks the node and changes what it says.
    pub(super) async fn exchange(&self, message: &Message, asked: &Json, node: &mut Upstream) -> Result<Message> {
        let mut question = asked.clone();
        if let Some(branch) = &self.branch {
            branch.lock().await.ask(&mut question);
        }
        if let Some(head) = self.head {
            calls_mut(&mut question).iter_mut().for_each(|call| freeze::ask(call, head));
        }
        let mut message = message.clone();
        if question != *asked {
            message.set_body(question.to_string().into_bytes());
        }
        let mut answer = node.exchange(&message).await?;
        let Ok(mut told) = serde_json::from_slice::<Json>(&answer.body) else { return Ok(answer) };
        each_answer(&question, &mut told, |call, answer| self.tell(call, answer));
        if let Some(head) = self.head {
            // By the question as it was: about what lies beyond the head.
            each_answer(asked, &mut told, |call, answer| freeze::tell(call, answer, head));
        }
        if let Some(branch) = &self.branch {
            branch.lock().await.tell(&mut told, node).await?;
        }
        if let Some(widest) = self.widest_range {
            each_answer(asked, &mut told, |call, answer| {
                if logs::is_wider(call, widest) {
                    refuse(answer, -32602, &format!("block range is too large: at most {widest} blocks"));
                }
            });
        }
        answer.set_body(told.to_string().into_bytes());
        Ok(answer)
    }

    fn tell(&self, call: &Json, answer: &mut Json) {
        let Some(result) = answer.get_mut("result") else { return };
        match (method(call), self.chain_id) {
            ("eth_chainId", Some(id)) => *result = json!(format!("{id:#x}")),
            ("net_version", Some(id)) => *result = json!(id.to_string()),
            (_, _) => {}
        }
        logs::hide(call, result, self.hidden_permille);
        if self.strange && matches!(method(call), "eth_getBlockByNumber" | "eth_getBlockByHash") && result.is_object() {
            estrange(result, self.dark);
        }
        self.invented.iter().for_each(|invented| invented.tell(call, result));
    }
}

/// Gives a header a form that is not known.
fn estrange(header: &mut Json, dark: bool) {
    header["strangeRoot"] = json!(B256::ZERO);
    // A known form would show whether the hash is right.
    header["extraData"] = json!("0x737472616e6765");
    if dark {
        header["logsBloom"] = json!(format!("0x{}", "00".repeat(256)));
    }
}

impl RpcProxy {
    fn change(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.shared.lock().faults);
        self.shared.changes.send_replace(());
    }

    /// All faults end; rule and edit stay.
    pub fn heal(&self) {
        self.change(|faults| *faults = Faults::default());
    }

    /// Each request is passed on so much later.
    pub fn set_latency(&self, latency: Option<Duration>) {
        self.change(|faults| faults.latency = latency);
    }

    /// So many of 1000 requests fail, each in one of four ways: the connection is dropped, the node acts and its answer
    /// is lost, HTTP 503, or a JSON-RPC error for each call. The seed alone says which; 0 ends it.
    pub fn set_failing(&self, permille: u64, seed: u64) {
        self.change(|faults| faults.failing = (permille > 0).then(|| (permille, Rng::new(seed))));
    }

    /// Each connection is dropped as soon as something is asked over it.
    pub fn set_dropping(&self, dropping: bool) {
        self.change(|faults| faults.dropping = dropping);
    }

    /// Nothing is answered or closed any more. What is asked meanwhile is never answered, not even later.
    pub fn set_stalling(&self, stalling: bool) {
        self.change(|faults| faults.stalling = stalling);
    }

    /// Each answer is cut in the middle.
    pub fn set_truncating(&self, length: Option<Length>) {
        self.change(|faults| faults.truncating = length);
    }

    /// Each request is answered with HTTP 429 and this `Retry-After`, in whole seconds.
    pub fn set_rate_limit(&self, retry_after: Option<Duration>) {
        self.change(|faults| faults.rate_limit = retry_after);
    }

    /// Each call is answered with the JSON-RPC error −32005, "limit exceeded".
    pub fn set_limit_errors(&self, limited: bool) {
        self.change(|faults| faults.limit_errors = limited);
    }

    /// `eth_getLogs` over more blocks than this is refused with an error that names the limit.
    pub fn set_widest_range(&self, blocks: Option<u64>) {
        self.change(|faults| faults.widest_range = blocks);
    }

    /// The node says that its chain has this id.
    pub fn pretend_chain(&self, id: Option<u64>) {
        self.change(|faults| faults.chain_id = id);
    }

    /// The node's newest block stays the one at this height: it knows none above.
    pub fn freeze_head(&self, height: Option<u64>) {
        self.change(|faults| faults.head = height);
    }

    /// From a height on the node tells of another branch: the blocks have other hashes and their parents link. With
    /// `sealed` each hash is that of the header told with it, so that only a comparison with other nodes shows the lie;
    /// else it is a hash of nothing. Proxies with the same `salt` before nodes with the same chain tell the same.
    pub fn pretend_branch(&self, from: u64, salt: u8, sealed: bool) {
        let branch = Arc::new(Mutex::new(Branch::new(from, salt, sealed)));
        self.change(|faults| faults.branch = Some(branch));
    }

    /// The node tells of its own branch again.
    pub fn end_branch(&self) {
        self.change(|faults| faults.branch = None);
    }

    /// So many of 1000 logs are left out of logs and receipts, always the same ones; 1000 leaves out all, 0 none.
    pub fn hide_logs(&self, permille: u64) {
        self.change(|faults| faults.hidden_permille = permille);
    }

    /// The node's headers have a field that no fork has added yet, so that nothing shows whether the hash is that of the
    /// others. With `dark` their filters deny every log.
    pub fn set_strange_headers(&self, strange: bool, dark: bool) {
        self.change(|faults| (faults.strange, faults.dark) = (strange, dark));
    }

    /// A log that nobody emitted is told with the logs of a block and in an invented receipt.
    ///
    /// # Errors
    /// When the node doesn't have the block.
    pub async fn invent_log(&self, block: u64, address: Address, topics: &[B256], data: &Bytes) -> Result<()> {
        let mut node = Upstream::new(Arc::clone(&self.upstream));
        let invented = Invented::new(&mut node, block, address, topics, data).await?;
        self.change(|faults| faults.invented.push(invented));
        Ok(())
    }

    /// Invented logs are told no more.
    pub fn forget_invented_logs(&self) {
        self.change(|faults| faults.invented.clear());
    }
}
