//! The role's end of its pipes, with a real journal that can be made to refuse, and no node.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what cannot go wrong by panicking")]

use super::*;
use crate::messages::{ChainSetup, KeyBytes};
use facilitator_chain::rpc::{Rpc, RpcOptions};
use facilitator_eth::{Address, Bytes, U256};
use facilitator_heartbeat::{Event, Params};
use facilitator_ipc::{WriterOptions, WriterTask, start_writer};
use facilitator_protocol::model::{RequestId, Side, Step};
use facilitator_sender::Visibility;
use facilitator_store::instances::NewInstance;
use facilitator_store::journal::{Entry, EntryId, Failed, Inclusion, NewEntry, Notify, Queued, Sent, Signature};
use facilitator_store::leases::{Acquired, Lease};
use facilitator_store::{Access, Location, Pair, Patience, Store};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const CHAIN: u64 = 1406;
/// Nobody listens there.
const NO_NODE: &str = "http://127.0.0.1:9";

/// A directory of its own for each test.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("facilitator-sender-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn database(&self) -> PathBuf {
        self.0.join("facilitator.db")
    }

    async fn store(&self) -> Store {
        let pair = Pair { origin_chain_id: 3, auxiliary_chain_id: CHAIN };
        Store::open(&Location::Sqlite(self.database()), Access::Owner, pair, Patience::default(), 0).await.unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The journal, unless it is told to refuse.
#[derive(Clone)]
struct Moody {
    records: Records,
    refuses: Arc<AtomicBool>,
}

macro_rules! moody {
    ($($name:ident($($argument:ident: $type:ty),*) -> $out:ty;)*) => {
        impl Keep for Moody {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$out, StoreError> {
                if self.refuses.load(Ordering::Relaxed) {
                    return Err(StoreError::Full { name: "test.db".to_owned() });
                }
                self.records.$name($($argument),*).await
            })*
        }
    };
}

moody! {
    queue(leases: &[Lease], entries: &[NewEntry], now_ms: i64) -> Vec<Queued>;
    sign(leases: &[Lease], signed: &[Signature], now_ms: i64) -> ();
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

/// Both pipes, as the parent and the sender hold them.
struct Pipes {
    to_sender: FrameSender<ToSender>,
    /// Ended once all that was said is in the pipe.
    saying: WriterTask,
    orders: FromParent,
    parent: ToParent,
    _answering: WriterTask,
    heard: FrameReader<FromSender, pipe::Receiver>,
}

impl Pipes {
    fn new() -> Self {
        let (order_end, orders) = pipe::pipe().unwrap();
        let (answer_end, heard) = pipe::pipe().unwrap();
        let (to_sender, saying) = start_writer(order_end, None, WriterOptions::default());
        let (parent, answering) = start_writer(answer_end, None, WriterOptions::default());
        let (orders, heard) = (FrameReader::new(orders), FrameReader::new(heard));
        Self { to_sender, saying, orders, parent, _answering: answering, heard }
    }
}

fn key() -> SecretKey {
    SecretKey::from_bytes(&[1; 32]).unwrap()
}

/// The instance may sign.
async fn admit(store: &Store) {
    let keys = vec![(CHAIN, key().address())];
    let new = NewInstance { name: "one".to_owned(), host: "here".to_owned(), weight: 1, keys };
    store.enroll(&new, now_ms()).await.unwrap();
    for event in [Event::Ready, Event::Tick { in_active_set: true }] {
        store.instance_event("one", event, &Params::default(), now_ms()).await.unwrap().unwrap();
    }
}

async fn desk(store: &Store, parent: &ToParent, refuses: &Arc<AtomicBool>) -> Desk<Node, Moody> {
    admit(store).await;
    let keep = Moody { records: Records::new(store, CHAIN), refuses: Arc::clone(refuses) };
    let node = Node::new(Rpc::new(NO_NODE, RpcOptions::default()).unwrap());
    let settings = Settings { retry_base_ms: 20, ..Settings::new(CHAIN) };
    let sender = Sender::over(node, keep, vec![key()], settings, "one", now_ms()).await.unwrap();
    let hash_lock_key = HashLockKey::new([7; 32]);
    Desk {
        sender,
        endpoints: Vec::new(),
        hash_lock_key,
        parent: parent.clone(),
        submits: Vec::new(),
        trouble: None,
        calls: Vec::new(),
        calls_due: Instant::now(),
    }
}

fn leg(number: u64) -> ToSender {
    let submit = Submit {
        intent: format!("leg:{number}"),
        request_id: Some(RequestId(5)),
        step: Step::ProgressSource,
        from: None,
        to: Address([9; 20]),
        value: U256::ZERO,
        data: Bytes(vec![1, 2, 3, 4]),
        allowance: None,
        after: None,
        expect: None,
        visibility: Visibility::Public,
        seen: 0,
    };
    ToSender::Submit(Ask(number), Box::new(submit))
}

async fn intents(store: &Store) -> Vec<String> {
    store.journal(CHAIN).live().await.unwrap().into_iter().map(|entry| entry.intent).collect()
}

async fn hear(heard: &mut FrameReader<FromSender, pipe::Receiver>) -> FromSender {
    tokio::time::timeout(Duration::from_secs(20), heard.next()).await.unwrap().unwrap().unwrap()
}

fn answer(message: &FromSender) -> Option<(Ask, SubmitAnswer)> {
    match message {
        FromSender::Answer(ask, answer) => Some((*ask, answer.clone())),
        FromSender::Ready
        | FromSender::Secret(..)
        | FromSender::Woke
        | FromSender::Trouble(_)
        | FromSender::Calls(_)
        | FromSender::Unfit(_) => None,
    }
}

/// The next answers, whatever is said between them.
async fn answers(heard: &mut FrameReader<FromSender, pipe::Receiver>, count: usize) -> Vec<(Ask, SubmitAnswer)> {
    let mut found = Vec::new();
    while found.len() < count {
        found.extend(answer(&hear(heard).await));
    }
    found
}

/// Protocol.md R4: of two legs that are handed over together none may be dropped.
#[tokio::test]
async fn what_came_before_the_stop_is_journalled() {
    let place = Place::new();
    let store = place.store().await;
    let Pipes { to_sender, saying, orders, parent, mut heard, .. } = Pipes::new();
    let desk = desk(&store, &parent, &Arc::default()).await;
    for message in [leg(1), leg(2), ToSender::Stop] {
        to_sender.send(&message).await.unwrap();
    }
    saying.finish().await.unwrap();
    desk.run(orders).await.unwrap();
    assert_eq!(answers(&mut heard, 2).await, [(Ask(1), SubmitAnswer::Queued), (Ask(2), SubmitAnswer::Queued)]);
    assert_eq!(intents(&store).await, ["leg:1", "leg:2"]);
}

#[tokio::test]
async fn what_is_in_the_pipe_when_a_signal_comes_is_journalled() {
    let place = Place::new();
    let store = place.store().await;
    let Pipes { to_sender, saying, mut orders, parent, mut heard, .. } = Pipes::new();
    let mut desk = desk(&store, &parent, &Arc::default()).await;
    for message in [leg(1), leg(2)] {
        to_sender.send(&message).await.unwrap();
    }
    saying.finish().await.unwrap();
    assert!(desk.take_the_rest(&mut orders).await.unwrap() == Next::Stop);
    desk.end().await.unwrap();
    assert_eq!(answers(&mut heard, 2).await.len(), 2);
    assert_eq!(intents(&store).await, ["leg:1", "leg:2"]);
}

#[tokio::test]
async fn submissions_wait_until_the_database_is_well() {
    let place = Place::new();
    let store = place.store().await;
    let Pipes { to_sender, orders, parent, mut heard, .. } = Pipes::new();
    let refuses = Arc::new(AtomicBool::new(false));
    let desk = desk(&store, &parent, &refuses).await;
    refuses.store(true, Ordering::Relaxed);
    let running = tokio::task::LocalSet::new();
    let role = running.spawn_local(desk.run(orders));
    let told = running.run_until(async {
        to_sender.send(&leg(1)).await.unwrap();
        let FromSender::Trouble(Some(text)) = hear(&mut heard).await else { panic!("no word of the trouble") };
        assert!(text.contains("test.db cannot grow"), "{text}");
        // The worker has waited too long, and its successor asks again.
        let ToSender::Submit(_, again) = leg(1) else { panic!() };
        to_sender.send(&ToSender::Submit(Ask(7), again)).await.unwrap();
        assert_eq!(answers(&mut heard, 1).await, [(Ask(1), INTERRUPTED)]);
        refuses.store(false, Ordering::Relaxed);
        assert_eq!(answers(&mut heard, 1).await, [(Ask(7), SubmitAnswer::Queued)]);
        assert!(matches!(hear(&mut heard).await, FromSender::Trouble(None)));
        assert_eq!(intents(&store).await, ["leg:1"]);
        to_sender.send(&ToSender::Stop).await.unwrap();
        role.await.unwrap().unwrap();
    });
    told.await;
}

#[tokio::test]
async fn what_waits_for_the_database_is_handed_back_at_a_closed_gate() {
    let place = Place::new();
    let store = place.store().await;
    let Pipes { to_sender, orders, parent, mut heard, .. } = Pipes::new();
    let refuses = Arc::new(AtomicBool::new(false));
    let desk = desk(&store, &parent, &refuses).await;
    refuses.store(true, Ordering::Relaxed);
    let running = tokio::task::LocalSet::new();
    let role = running.spawn_local(desk.run(orders));
    let told = running.run_until(async {
        to_sender.send(&leg(1)).await.unwrap();
        let FromSender::Trouble(Some(_)) = hear(&mut heard).await else { panic!("no word of the trouble") };
        to_sender.send(&ToSender::Gate(false)).await.unwrap();
        assert_eq!(answers(&mut heard, 1).await, [(Ask(1), INTERRUPTED)]);
        refuses.store(false, Ordering::Relaxed);
        assert!(matches!(hear(&mut heard).await, FromSender::Trouble(None)));
        assert!(intents(&store).await.is_empty());
        to_sender.send(&ToSender::Stop).await.unwrap();
        role.await.unwrap().unwrap();
    });
    told.await;
}

#[tokio::test]
async fn at_a_stop_in_trouble_nothing_is_left_unanswered() {
    let place = Place::new();
    let store = place.store().await;
    let Pipes { to_sender, saying, orders, parent, mut heard, .. } = Pipes::new();
    let refuses = Arc::new(AtomicBool::new(false));
    let desk = desk(&store, &parent, &refuses).await;
    refuses.store(true, Ordering::Relaxed);
    for message in [leg(1), ToSender::Stop] {
        to_sender.send(&message).await.unwrap();
    }
    saying.finish().await.unwrap();
    desk.run(orders).await.unwrap();
    assert_eq!(answers(&mut heard, 1).await, [(Ask(1), INTERRUPTED)]);
    assert!(intents(&store).await.is_empty());
}

fn setup(database: &std::path::Path) -> SenderSetup {
    SenderSetup {
        chain: ChainSetup {
            side: Side::Auxiliary,
            chain_id: CHAIN,
            pair: (3, CHAIN),
            rpc: vec![NO_NODE.to_owned()],
            database: database.display().to_string(),
            confirmations: 1,
            poll_interval_ms: 20,
            rpc_timeout_ms: 1_000,
            max_batch: 100,
        },
        instance: "one".to_owned(),
        keys: vec![(key().address(), KeyBytes([1; 32]))],
        hash_lock_key: KeyBytes([7; 32]),
        max_fee_per_gas: U256::ONE,
        max_priority_fee_per_gas: U256::ONE,
        gas_margin_percent: 20,
        resend_after_blocks: 3,
        replace_bump_percent: 15,
        max_replacements: 3,
        min_balance: U256::ZERO,
    }
}

/// At the start, too, the database is waited for, and then the node.
#[tokio::test]
async fn a_database_that_can_not_be_opened_yet_is_tried_again() {
    let place = Place::new();
    let _store = place.store().await;
    let (link, mended) = (place.0.join("link"), place.0.join("mended"));
    // Not even a file.
    symlink(&place.0, &link).unwrap();
    symlink(place.database(), &mended).unwrap();
    let Pipes { to_sender, orders, parent, mut heard, .. } = Pipes::new();
    let running = tokio::task::LocalSet::new();
    let role = running.spawn_local(serve(setup(&link), parent, orders));
    let told = running.run_until(async {
        for _ in 0..2 {
            let FromSender::Trouble(Some(text)) = hear(&mut heard).await else { panic!("no word of the trouble") };
            assert!(text.contains("cannot be used"), "{text}");
        }
        std::fs::rename(mended, link).unwrap();
        loop {
            let FromSender::Trouble(Some(text)) = hear(&mut heard).await else { panic!("no word of the trouble") };
            if text.contains(NO_NODE) {
                break;
            }
        }
        to_sender.send(&ToSender::Stop).await.unwrap();
        role.await.unwrap().unwrap();
    });
    told.await;
}
