//! One sender on a fake chain with a real journal in a temporary directory. Time and blocks move by command.

use crate::{
    chain::{Chain, TARGET, TOKEN, fine},
    http::FakeNode,
};
use facilitator_chain::rpc::{Rpc, RpcOptions};
use facilitator_eth::{Address, Bytes, U256, tx::SecretKey};
use facilitator_heartbeat::{Event, Params};
use facilitator_protocol::model::Step;
use facilitator_sender::{
    Allowance, Failure, Head, Outcome, Sender, SenderError, Settings, Submit, SubmitAnswer, Visibility,
};
use facilitator_store::{Access, Location, Pair, Patience, Store, instances::NewInstance};
use std::time::Duration;

pub(crate) const CHAIN: u64 = 1406;

pub(crate) struct World {
    pub(crate) node: FakeNode,
    pub(crate) store: Store,
    pub(crate) sender: Sender,
    pub(crate) now: i64,
    pub(crate) settings: Settings,
    pub(crate) outcomes: Vec<Outcome>,
    keys: u8,
    _dir: tempfile::TempDir,
}

pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32]).unwrap()
}

pub(crate) fn settings() -> Settings {
    Settings {
        confirmations: 3,
        max_fee_per_gas: U256::from(10_000u64),
        max_priority_fee_per_gas: U256::from(10u64),
        ..Settings::new(CHAIN)
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Chain::new(Some(100)), settings(), 1).await
    }

    /// Before a node that tries out no sequences, so that whatever relies on another waits until that is mined.
    pub(crate) async fn waiting() -> Self {
        let mut chain = Chain::new(Some(100));
        chain.knows_sequences = false;
        Self::with(chain, settings(), 1).await
    }

    pub(crate) async fn with(chain: Chain, settings: Settings, keys: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Location::Sqlite(dir.path().join("facilitator.db"));
        let pair = Pair { origin_chain_id: 3, auxiliary_chain_id: CHAIN };
        let patience = Patience { limit: Duration::from_secs(5) };
        let store = Store::open(&place, Access::Owner, pair, patience, 0).await.unwrap();
        let node = FakeNode::start(chain).await;
        let now = 1_000;
        let sender = open(&store, &node, keys, &settings, "one", now).await.unwrap();
        Self { node, store, sender, now, settings, outcomes: Vec::new(), keys, _dir: dir }
    }

    pub(crate) fn account(&self) -> Address {
        key(1).address()
    }

    /// The process is killed and another one starts.
    pub(crate) async fn restart(&mut self) {
        self.sender = open(&self.store, &self.node, self.keys, &self.settings, "one", self.now).await.unwrap();
    }

    /// One that has the same keys though they are another instance's.
    pub(crate) async fn another(&self, owner: &str) -> Result<Sender, SenderError> {
        admit(&self.store, owner, &[], self.now).await;
        begin(&self.store, &self.node, self.keys, &self.settings, owner, self.now).await
    }

    pub(crate) async fn submit(&mut self, submits: Vec<Submit>) -> Vec<SubmitAnswer> {
        self.sender.submit(submits, self.now).await.unwrap()
    }

    pub(crate) async fn work(&mut self) {
        self.now += 10;
        let news = self.sender.work(self.now).await.unwrap();
        self.outcomes.extend(news);
    }

    /// Tells the head and lets the sender work.
    pub(crate) async fn head(&mut self) {
        self.now += 1_000;
        let head = {
            let chain = self.node.chain();
            Head { number: chain.head(), base_fee: chain.base_fee.map(U256::from), gas_price: None }
        };
        self.sender.on_head(head, self.now);
        self.work().await;
    }

    /// So many blocks, one after the other.
    pub(crate) async fn blocks(&mut self, count: usize) {
        for _ in 0..count {
            self.node.chain().mine();
            self.head().await;
        }
    }

    /// The newest news of an intent.
    pub(crate) fn last(&self, intent: &str) -> Option<&SubmitAnswer> {
        self.outcomes.iter().rev().find(|outcome| outcome.intent == intent).map(|outcome| &outcome.answer)
    }

    pub(crate) fn is_final(&self, intent: &str) -> bool {
        matches!(self.last(intent), Some(SubmitAnswer::Final { .. }))
    }

    pub(crate) fn failure(&self, intent: &str) -> Option<&Failure> {
        match self.last(intent)? {
            SubmitAnswer::Failed(failure) => Some(failure),
            SubmitAnswer::Queued
            | SubmitAnswer::InFlight { .. }
            | SubmitAnswer::Mined { .. }
            | SubmitAnswer::Final { .. } => None,
        }
    }
}

/// An instance with these keys works from now on.
pub(crate) async fn admit(store: &Store, name: &str, keys: &[SecretKey], now: i64) {
    let keys = keys.iter().map(|key| (CHAIN, key.address())).collect();
    let new = NewInstance { name: name.to_owned(), host: "here".to_owned(), weight: 1, keys };
    store.enroll(&new, now).await.unwrap();
    for event in [Event::Ready, Event::Tick { in_active_set: true }] {
        store.instance_event(name, event, &Params::default(), now).await.unwrap().unwrap();
    }
}

async fn open(
    store: &Store,
    node: &FakeNode,
    keys: u8,
    settings: &Settings,
    owner: &str,
    now: i64,
) -> Result<Sender, SenderError> {
    let own: Vec<SecretKey> = (1..=keys).map(key).collect();
    admit(store, owner, &own, now).await;
    begin(store, node, keys, settings, owner, now).await
}

async fn begin(
    store: &Store,
    node: &FakeNode,
    keys: u8,
    settings: &Settings,
    owner: &str,
    now: i64,
) -> Result<Sender, SenderError> {
    let rpc = Rpc::new(&node.url, RpcOptions::default()).unwrap();
    Sender::new(store, rpc, (1..=keys).map(key).collect(), settings.clone(), owner, now).await
}

pub(crate) fn submit(intent: &str, data: Bytes) -> Submit {
    Submit {
        intent: intent.to_owned(),
        request_id: None,
        step: Step::Confirm,
        from: None,
        to: TARGET,
        value: U256::ZERO,
        data,
        allowance: None,
        after: None,
        expect: None,
        visibility: Visibility::Public,
        seen: u64::MAX,
    }
}

/// A harmless transaction.
pub(crate) fn plain(tag: u64) -> Submit {
    submit(&format!("plain:{tag}"), fine(tag))
}

/// An accept that takes `amount` tokens.
pub(crate) fn accept(tag: u64, amount: u64) -> Submit {
    let allowance = Some(Allowance { token: TOKEN, spender: TARGET, amount: U256::from(amount) });
    Submit { step: Step::Accept, allowance, ..submit(&format!("accept:{tag}"), crate::chain::spend(amount)) }
}
