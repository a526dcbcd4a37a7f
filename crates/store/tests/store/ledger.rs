//! The ledger: read back from journal and events, whatever was undone and done again.

use crate::support::{
    AUXILIARY, Bed, ME, ORIGIN, address, admit, attempt, block, claim_and_park, declared, log, minted, scan,
    scan_stakes, set, word,
};
use facilitator_eth::{Address, B256, Bytes, U256, tx::Fee};
use facilitator_protocol::{
    events::{self, Event, Log},
    ledger::{Asset, Ledger, Reason, Sum},
    model::{RequestId, Step, Update, Wait},
};
use facilitator_store::{
    Store,
    journal::{Allowance, EntryId, Failed, Failure, Inclusion, NewEntry, Notify, Signature, Visibility},
    leases::{Acquired, Lease},
};

const WORKER: Address = Address([60; 20]);
const BOUNTY: u64 = 1_000;

fn n(number: u64) -> U256 {
    U256::from(number)
}

async fn lease(store: &Store, chain_id: u64) -> Lease {
    admit(store, ME, 1).await;
    match store.acquire_lease(chain_id, WORKER, ME, 1_000, 1).await.unwrap() {
        Acquired::Held(lease) => lease,
        Acquired::Refused { owner, .. } => panic!("held by {owner}"),
    }
}

fn entry(name: &str, step: Step, request: Option<i64>) -> NewEntry {
    let spends = step == Step::Accept;
    NewEntry {
        intent: name.to_owned(),
        request_id: request.map(RequestId),
        step,
        account: Some(WORKER),
        to: set().gateway,
        value: U256::ZERO,
        data: Bytes::default(),
        visibility: Visibility::Public,
        after: None,
        allowance: spends.then(|| Allowance { token: set().base_token, spender: set().composer, amount: n(BOUNTY) }),
        expect: None,
    }
}

fn signature(id: EntryId, nonce: u64, hash: B256) -> Signature {
    let fee = Fee::Legacy { gas_price: n(3) };
    Signature { id, account: WORKER, nonce, hash, raw: Bytes(vec![1]), gas_limit: 21_000, fee }
}

fn inclusion(hash: B256, gas_used: u64) -> Inclusion {
    Inclusion { hash, block_number: 30, block_hash: word(31), gas_used, gas_price: n(3) }
}

/// A transaction that these requests asked for, mined with the hash of a log; costs three times its gas.
async fn mine(store: &Store, chain_id: u64, new: NewEntry, nonce: u64, gas: u64, others: &[i64], log: &Log) -> EntryId {
    let journal = store.journal(chain_id);
    let held = [lease(store, chain_id).await];
    let mut wanted = vec![new.clone()];
    wanted.extend(others.iter().map(|id| NewEntry { request_id: Some(RequestId(*id)), ..new.clone() }));
    let id = journal.queue(&held, &wanted, 1_000).await.unwrap()[0].entry.id;
    journal.sign(&held, &[signature(id, nonce, log.tx_hash)], 2).await.unwrap();
    journal.mined(&held, &[(id, inclusion(log.tx_hash, gas))], Notify::Nobody, 3).await.unwrap();
    id
}

fn staked(message: B256) -> Event {
    events::StakeProgressed {
        message_hash: message,
        staker: address(21),
        nonce: n(0),
        amount: U256::MAX,
        proof_progress: false,
        unlock_secret: word(5),
    }
    .into()
}

/// Two stakes that were accepted by one approval and share a gateway proof; the first is through.
struct Scene {
    store: Store,
    accept: EntryId,
    legs: [(Log, Event); 2],
}

async fn scene(bed: &Bed) -> Scene {
    let store = bed.store().await;
    scan_stakes(&store, 0..2).await;
    claim_and_park(&store, &Update { bounty: Some(n(BOUNTY)), ..Update::default() }, &Wait::Nothing).await;
    let claimed = store.claim_ready(ME, 1, 200).await.unwrap();
    let first = &claimed[0];
    let update = Update { bounty: Some(n(BOUNTY)), ..attempt(word(50)) };
    let change = facilitator_store::requests::Change::Park {
        id: first.id,
        park: crate::support::park(update, Wait::Happening, first.wakes),
        retry_at_ms: None,
    };
    store.save(ME, &[change], 200).await.unwrap();

    let at = |chain: Address, block: u64, index: u64| log(chain, block, index);
    let (gateway, cogateway) = (set().gateway, set().cogateway);
    let name = format!("approve:{}:{}:2", set().base_token.to_lower_hex(), set().composer.to_lower_hex());
    mine(&store, ORIGIN, entry(&name, Step::Approve, None), 0, 11, &[], &at(gateway, 40, 0)).await;
    let accepted = at(gateway, 11, 1);
    let accept = mine(&store, ORIGIN, entry("accept:1", Step::Accept, Some(1)), 1, 100, &[], &accepted).await;
    mine(&store, ORIGIN, entry("accept:2", Step::Accept, Some(2)), 2, 100, &[], &at(gateway, 40, 2)).await;
    let proof = entry("prove:1", Step::ProveGateway, Some(1));
    mine(&store, AUXILIARY, proof, 0, 5, &[2], &at(cogateway, 40, 3)).await;
    let (source, target) = (at(gateway, 12, 4), at(cogateway, 12, 5));
    mine(&store, ORIGIN, entry("source:1", Step::ProgressSource, Some(1)), 3, 20, &[], &source).await;
    mine(&store, AUXILIARY, entry("target:1", Step::ProgressTarget, Some(1)), 1, 30, &[], &target).await;
    scan(&store, ORIGIN, 11, vec![(accepted, declared(0, word(50)))]).await;
    let legs = [(source, staked(word(50))), (target, minted(word(50), word(5), false))];
    scan(&store, ORIGIN, 12, vec![legs[0].clone()]).await;
    scan(&store, AUXILIARY, 12, vec![legs[1].clone()]).await;
    Scene { store, accept, legs }
}

fn sum(ledger: &Ledger, asset: Asset, of: impl Fn(Option<i64>) -> bool) -> Sum {
    let mut sum = Sum::default();
    let wanted = ledger.lines.iter().filter(|line| line.asset == asset && of(line.request.map(|id| id.0)));
    wanted.for_each(|line| sum.add(line));
    sum
}

fn coin(chain_id: u64) -> Asset {
    Asset::Coin { chain_id }
}

fn bounty() -> Asset {
    Asset::Token { chain_id: ORIGIN, address: set().base_token }
}

#[tokio::test]
async fn what_requests_cost_and_earned_comes_out_of_journal_and_events() {
    let bed = Bed::new();
    let Scene { store, .. } = scene(&bed).await;
    let whole = store.ledger().await.unwrap();
    let all = |asset| sum(&whole, asset, |_| true);
    assert_eq!(all(bounty()), Sum { bounty_out: n(BOUNTY), bounty_back: n(BOUNTY), ..Sum::default() });
    assert_eq!(all(coin(ORIGIN)), Sum { gas: n(3 * (11 + 100 + 100 + 20)), ..Sum::default() });
    assert_eq!(all(coin(AUXILIARY)), Sum { gas: n(3 * (5 + 30)), reward: n(2), ..Sum::default() });
    assert_eq!((whole.unknown.len(), whole.taken.len()), (0, 0));
    // An odd approval and an odd proof are shared to the last wei.
    let of = |asset, request: i64| sum(&whole, asset, |id| id == Some(request));
    assert_eq!(of(coin(ORIGIN), 1).gas, n(17 + 300 + 60));
    assert_eq!(of(coin(ORIGIN), 2).gas, n(16 + 300));
    assert_eq!(of(coin(AUXILIARY), 1).gas, n(8 + 90));
    assert_eq!(of(coin(AUXILIARY), 2).gas, n(7));
    // One request alone says the same as the whole.
    for request in [1, 2] {
        let own = store.ledger_of(RequestId(request)).await.unwrap();
        let mut lines = whole.lines.clone();
        lines.retain(|line| line.request == Some(RequestId(request)));
        let key = |line: &facilitator_protocol::ledger::Line| (line.tx_hash, line.reason);
        lines.sort_by_key(key);
        let mut found = own.lines;
        found.sort_by_key(key);
        assert_eq!(found, lines);
    }
}

/// Restarts change nothing; what a reorg takes out is gone, and there again once it was done again.
#[tokio::test]
async fn a_reorg_takes_out_of_the_ledger_what_it_takes_out_of_the_chain() {
    let bed = Bed::new();
    let Scene { store, accept, legs } = scene(&bed).await;
    let before = store.ledger().await.unwrap();
    store.close().await;
    let store = bed.open(facilitator_store::Access::Writer).await.unwrap();
    assert_eq!(store.ledger().await.unwrap(), before);

    store.rollback_to(AUXILIARY, block(11), 300).await.unwrap();
    let held = [lease(&store, ORIGIN).await];
    store.journal(ORIGIN).reopen(&held, &[accept], 300).await.unwrap();
    let without = store.ledger().await.unwrap();
    assert_eq!(sum(&without, coin(AUXILIARY), |_| true).reward, U256::ZERO);
    assert_eq!(sum(&without, coin(ORIGIN), |_| true).gas, n(3 * (11 + 100 + 20)));

    scan(&store, AUXILIARY, 12, vec![legs[1].clone()]).await;
    let again = inclusion(log(set().gateway, 11, 1).tx_hash, 100);
    store.journal(ORIGIN).mined(&held, &[(accept, again)], Notify::Nobody, 400).await.unwrap();
    let mut after = store.ledger().await.unwrap();
    let mut expected = before.lines;
    let key = |line: &facilitator_protocol::ledger::Line| (line.tx_hash, line.reason, line.request);
    expected.sort_by_key(key);
    after.lines.sort_by_key(key);
    assert_eq!(after.lines, expected);
}

#[tokio::test]
async fn what_a_stranger_progressed_was_the_strangers() {
    let bed = Bed::new();
    let Scene { store, .. } = scene(&bed).await;
    store.rollback_to(ORIGIN, block(11), 300).await.unwrap();
    scan(&store, ORIGIN, 12, vec![(log(set().gateway, 12, 9), staked(word(50)))]).await;
    let whole = store.ledger().await.unwrap();
    assert_eq!(sum(&whole, bounty(), |_| true).bounty_back, U256::ZERO);
    let own = store.ledger_of(RequestId(1)).await.unwrap();
    assert_eq!(sum(&own, bounty(), |_| true).net().to_string(), format!("-{BOUNTY}"));
    assert_eq!(own.taken, [(Reason::BountyBack, word(50), log(set().gateway, 12, 9).tx_hash)]);
}

#[tokio::test]
async fn what_reverted_and_what_only_closed_a_gap_was_paid_for_too() {
    let bed = Bed::new();
    let Scene { store, .. } = scene(&bed).await;
    let journal = store.journal(ORIGIN);
    let held = [lease(&store, ORIGIN).await];
    let lost = entry("accept:2:1", Step::Accept, Some(2));
    let id = journal.queue(&held, &[lost], 1_000).await.unwrap()[0].entry.id;
    journal.sign(&held, &[signature(id, 4, word(900))], 2).await.unwrap();
    let failure = Failure { kind: "reverted".to_owned(), message: "taken".to_owned(), detail: None };
    let failed = Failed { id, inclusion: Some(inclusion(word(900), 7)), failure };
    journal.fail(&held, &[failed], 3).await.unwrap();
    let cancel = NewEntry { to: WORKER, ..entry("cancel:5", Step::Cancel, None) };
    mine(&store, ORIGIN, cancel, 5, 21, &[], &log(set().gateway, 40, 8)).await;
    let whole = store.ledger().await.unwrap();
    // The second request also bears a third of the approval that it was the third to take from.
    assert_eq!(sum(&whole, coin(ORIGIN), |id| id == Some(2)).gas, n(16 + 300 + 21));
    assert_eq!(sum(&whole, coin(ORIGIN), |id| id.is_none()).gas, n(63));
}

#[tokio::test]
async fn assets_of_a_gateway_that_is_no_longer_configured_are_still_named() {
    let bed = Bed::new();
    let Scene { store, .. } = scene(&bed).await;
    let before = store.ledger().await.unwrap();
    let other = facilitator_protocol::gateway::GatewaySet { gateway: address(90), cogateway: address(91), ..set() };
    // Its contracts were not read yet.
    let unread = facilitator_protocol::gateway::GatewaySet {
        value_token: Address::ZERO,
        base_token: Address::ZERO,
        utility_token: Address::ZERO,
        ..other
    };
    store.set_gateways(&[unread], 5).await.unwrap();
    assert_eq!(store.ledger().await.unwrap(), before);
    assert_eq!(store.gateway_assets().await.unwrap().len(), 1);
}
