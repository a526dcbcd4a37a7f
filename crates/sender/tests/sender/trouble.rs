//! A database that can't be used for a while, from any call on, with the fate of that call unknown.

use crate::{
    chain::{Chain, TARGET, fine},
    http::FakeNode,
    world::{CHAIN, accept, admit, key, plain, settings, submit},
};
use facilitator_chain::rpc::{Rpc, RpcOptions};
use facilitator_eth::{Address, U256};
use facilitator_protocol::model::Step;
use facilitator_sender::{Head, Keep, Node, Records, Sender, SenderError, Submit, SubmitAnswer, Visibility};
use facilitator_store::{
    Access, Location, Pair, Patience, Store, StoreError,
    journal::{Entry, EntryId, EntryState, Failed, Inclusion, NewEntry, Notify, Queued, Sent, Signature},
    leases::{Acquired, Lease},
};
use std::{cell::RefCell, collections::BTreeMap, ops::Range, rc::Rc, time::Duration};

/// What the database does to the call with each number.
#[derive(Default)]
struct Faults {
    calls: usize,
    /// These are refused.
    refused: Range<usize>,
    /// This one is carried out, but reported as failed.
    lied_about: Option<usize>,
    /// The request of this entry is another instance's when it is first to be signed.
    taken_over: Option<EntryId>,
}

/// The real journal, with faults.
#[derive(Clone)]
struct Faulty {
    records: Records,
    faults: Rc<RefCell<Faults>>,
}

fn trouble() -> StoreError {
    StoreError::Unavailable { name: "test.db".to_owned(), problem: "disk I/O error".to_owned() }
}

impl Faulty {
    /// Counts a call; whether its outcome is kept secret.
    fn begin(&self) -> Result<bool, StoreError> {
        let mut faults = self.faults.borrow_mut();
        let number = faults.calls;
        faults.calls += 1;
        if faults.refused.contains(&number) {
            return Err(trouble());
        }
        Ok(faults.lied_about == Some(number))
    }
}

macro_rules! kept {
    ($($name:ident($($argument:ident: $type:ty),*) -> $out:ty;)*) => {
        impl Keep for Faulty {
            async fn sign(&self, leases: &[Lease], signed: &[Signature], now_ms: i64) -> Result<(), StoreError> {
                let lie = self.begin()?;
                let taken = self.faults.borrow_mut().taken_over.take_if(|id| signed.iter().any(|one| one.id == *id));
                if let Some(id) = taken {
                    return Err(StoreError::ClaimLost { entries: vec![id], request: 1, holder: "two".to_owned() });
                }
                self.records.sign(leases, signed, now_ms).await?;
                if lie { Err(trouble()) } else { Ok(()) }
            }

            $(async fn $name(&self, $($argument: $type),*) -> Result<$out, StoreError> {
                let lie = self.begin()?;
                let done = self.records.$name($($argument),*).await?;
                if lie { Err(trouble()) } else { Ok(done) }
            })*
        }
    };
}

kept! {
    queue(leases: &[Lease], entries: &[NewEntry], now_ms: i64) -> Vec<Queued>;
    sent(leases: &[Lease], sent: &[Sent], now_ms: i64) -> ();
    mined(leases: &[Lease], mined: &[(EntryId, Inclusion)], notify: Notify, now_ms: i64) -> ();
    finalise(leases: &[Lease], ids: &[EntryId], notify: Notify, now_ms: i64) -> ();
    reopen(leases: &[Lease], ids: &[EntryId], now_ms: i64) -> ();
    supersede(leases: &[Lease], ids: &[EntryId], now_ms: i64) -> ();
    requeue(leases: &[Lease], ids: &[EntryId], now_ms: i64) -> ();
    fail(leases: &[Lease], failed: &[Failed], now_ms: i64) -> ();
    note(leases: &[Lease], notes: &[(EntryId, Option<String>)], now_ms: i64) -> ();
    live() -> Vec<Entry>;
    by_intent(intent: &str) -> Option<Entry>;
    highest_nonce(account: Address) -> Option<u64>;
    holding(account: Address, nonce: u64) -> Option<Entry>;
    last_account() -> Option<Address>;
    orphans() -> Vec<Address>;
    acquire_lease(account: Address, owner: &str, ttl_ms: i64, now_ms: i64) -> Acquired;
    renew_lease(lease: &Lease, ttl_ms: i64, now_ms: i64) -> Lease;
    release_lease(lease: &Lease) -> ();
}

struct Scene {
    node: FakeNode,
    store: Store,
    keep: Faulty,
    sender: Option<Sender<Node, Faulty>>,
    now: i64,
    /// Not taken yet: kept as the role keeps them.
    held: Vec<Submit>,
    answers: BTreeMap<String, SubmitAnswer>,
    troubles: usize,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn new(faults: Faults) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Location::Sqlite(dir.path().join("facilitator.db"));
        let pair = Pair { origin_chain_id: 3, auxiliary_chain_id: CHAIN };
        let patience = Patience { limit: Duration::from_secs(5) };
        let store = Store::open(&place, Access::Owner, pair, patience, 0).await.unwrap();
        admit(&store, "one", &[key(1), key(2)], 0).await;
        let node = FakeNode::start(Chain::new(Some(100))).await;
        let keep = Faulty { records: Records::new(&store, CHAIN), faults: Rc::new(RefCell::new(faults)) };
        let (held, answers) = (Vec::new(), BTreeMap::new());
        Self { node, store, keep, sender: None, now: 1_000, held, answers, troubles: 0, _dir: dir }
    }

    /// Begins as often as it takes.
    async fn begin(&mut self) {
        for _ in 0..100 {
            let rpc = Rpc::new(&self.node.url, RpcOptions::default()).unwrap();
            let (node, keep, keys) = (Node::new(rpc), self.keep.clone(), vec![key(1), key(2)]);
            match Sender::over(node, keep, keys, settings(), "one", self.now).await {
                Ok(sender) => {
                    self.sender = Some(sender);
                    return;
                }
                Err(error) => assert!(error.passes(), "{error}"),
            }
            self.now += 100;
        }
        panic!("it never began");
    }

    /// A round of the role: submits what is held, then works.
    async fn round(&mut self) -> Result<(), SenderError> {
        self.now += 10;
        let sender = self.sender.as_mut().unwrap();
        if sender.trouble().is_some() {
            self.troubles += 1;
            for outcome in sender.work(self.now).await? {
                self.answers.insert(outcome.intent, outcome.answer);
            }
        }
        if sender.trouble().is_none() && !self.held.is_empty() {
            match sender.submit(self.held.clone(), self.now).await {
                Ok(answers) => {
                    let intents = self.held.drain(..).map(|submit| submit.intent);
                    self.answers.extend(intents.zip(answers));
                }
                Err(error) if error.passes() => assert!(sender.trouble().is_some()),
                Err(error) => return Err(error),
            }
        }
        for outcome in sender.work(self.now).await? {
            self.answers.insert(outcome.intent, outcome.answer);
        }
        let wake = sender.next_wake().unwrap();
        assert!(sender.trouble().is_none() || wake > self.now, "it would try again without a pause");
        Ok(())
    }

    async fn head(&mut self) -> Result<(), SenderError> {
        self.now += 1_000;
        let head = {
            let chain = self.node.chain();
            Head { number: chain.head(), base_fee: chain.base_fee.map(U256::from), gas_price: None }
        };
        self.sender.as_mut().unwrap().on_head(head, self.now);
        self.round().await
    }

    fn is_final(&self, intent: &str) -> bool {
        matches!(self.answers.get(intent), Some(SubmitAnswer::Final { .. }))
    }
}

fn load() -> Vec<Submit> {
    let from = Some(key(1).address());
    let secret = Submit { visibility: Visibility::Reveals, ..submit("secret", fine(8)) };
    let proof = Submit { step: Step::ProveGateway, from, ..submit("prove", fine(7)) };
    let confirm =
        Submit { after: Some("prove".to_owned()), from: Some(key(2).address()), ..submit("confirm", fine(9)) };
    vec![plain(1), plain(2), accept(3, 5), accept(4, 6), secret, proof, confirm]
}

/// Everything that happens in the life of some transactions, two of them revealing a secret, while the database fails.
async fn play(faults: Faults) -> (Scene, String) {
    let name = format!("refused {:?}, lied about {:?}", faults.refused, faults.lied_about);
    let mut scene = Scene::new(faults).await;
    scene.begin().await;
    scene.held = load();
    for _ in 0..24 {
        scene.head().await.unwrap_or_else(|error| panic!("{name}: the process ended: {error}"));
        // The worker whose request was woken by a failure submits again.
        let failed = |submit: &Submit| matches!(scene.answers.get(&submit.intent), Some(SubmitAnswer::Failed(_)));
        let again: Vec<Submit> = load().into_iter().filter(failed).collect();
        again.iter().for_each(|submit| drop(scene.answers.remove(&submit.intent)));
        scene.held.extend(again);
        scene.node.chain().mine();
    }
    (scene, name)
}

async fn check(scene: &Scene, name: &str) {
    for submit in load() {
        assert!(scene.is_final(&submit.intent), "{name}: {}: {:?}", submit.intent, scene.answers);
    }
    assert!(scene.store.journal(CHAIN).live().await.unwrap().is_empty(), "{name}");
    let chain = scene.node.chain();
    for data in load().iter().map(|submit| &submit.data) {
        assert_eq!(chain.effects(data), 1, "{name}");
    }
    assert!(chain.mined().iter().all(|mined| mined.success), "{name}");
    assert_eq!(chain.mined().len(), chain.seen.len(), "{name}: nothing was sent that is not in the chain");
    for account in [key(1).address(), key(2).address()] {
        assert_eq!(chain.allowance(account, TARGET), U256::ZERO, "{name}");
    }
}

#[tokio::test]
async fn one_failure_at_any_call_loses_and_doubles_nothing() {
    let (scene, name) = play(Faults::default()).await;
    check(&scene, &name).await;
    assert_eq!(scene.troubles, 0);
    let calls = scene.keep.faults.borrow().calls;
    assert!(calls > 20, "{calls}");
    for number in 0..calls {
        for faults in [
            Faults { refused: number..number + 1, ..Faults::default() },
            Faults { lied_about: Some(number), ..Faults::default() },
            Faults { refused: number..number + 4, ..Faults::default() },
        ] {
            let (scene, name) = play(faults).await;
            check(&scene, &name).await;
        }
    }
}

#[tokio::test]
async fn what_another_instance_works_on_ends_alone_and_leaves_no_gap() {
    let (alone, _) = play(Faults::default()).await;
    let (scene, name) = play(Faults { taken_over: Some(EntryId(2)), ..Faults::default() }).await;
    check(&scene, &name).await;
    assert_eq!(scene.troubles, 0, "the others were not kept waiting");
    assert_eq!(scene.node.chain().mined().len(), alone.node.chain().mined().len(), "a nonce was left out and filled");
    let ended = scene.store.journal(CHAIN).entry(EntryId(2)).await.unwrap().unwrap();
    assert_eq!(ended.state, EntryState::Failed);
    assert_eq!(ended.failure.unwrap().kind, "taken_over");
}

#[tokio::test]
async fn nothing_is_signed_or_sent_while_the_database_is_out_of_reach_and_the_pauses_grow() {
    let mut scene = Scene::new(Faults::default()).await;
    scene.begin().await;
    let calls = scene.keep.faults.borrow().calls;
    scene.keep.faults.borrow_mut().refused = calls..usize::MAX;
    scene.held = load();
    for _ in 0..40 {
        scene.head().await.unwrap();
    }
    assert!(scene.node.chain().seen.is_empty());
    let sender = scene.sender.as_ref().unwrap();
    assert_eq!(sender.trouble(), Some("database test.db cannot be used: disk I/O error"));
    let tried = scene.keep.faults.borrow().calls - calls;
    assert!((5..12).contains(&tried), "{tried} tries within 40 s");
    scene.keep.faults.borrow_mut().refused = 0..0;
    for _ in 0..50 {
        scene.node.chain().mine();
        scene.head().await.unwrap();
    }
    check(&scene, "mended").await;
    assert_eq!(scene.sender.as_ref().unwrap().trouble(), None);
}

#[tokio::test]
async fn what_can_not_pass_ends_the_process() {
    let mut scene = Scene::new(Faults::default()).await;
    scene.begin().await;
    // Another process has taken the account over while the database was out of reach.
    let calls = scene.keep.faults.borrow().calls;
    scene.keep.faults.borrow_mut().refused = calls..calls + 2;
    scene.held = vec![plain(1)];
    scene.head().await.unwrap();
    let later = scene.now + 60_000;
    scene.store.acquire_lease(CHAIN, key(1).address(), "two", 30_000, later).await.unwrap();
    scene.now = later;
    scene.head().await.unwrap();
    scene.now += 1_000;
    let error = scene.head().await.unwrap_err();
    assert!(matches!(error, SenderError::Store(StoreError::LeaseLost { .. })), "{error}");
    let live = scene.store.journal(CHAIN).live().await.unwrap();
    assert!(live.iter().all(|entry| entry.state == EntryState::Queued));
    assert!(scene.node.chain().seen.is_empty());
}
