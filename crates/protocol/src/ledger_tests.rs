use super::*;
use crate::{
    gateway::Mints,
    model::{RequestId, Step},
};
use facilitator_eth::{B256, U256};

const ORIGIN: u64 = 3;
const AUXILIARY: u64 = 1406;
const WORKER: Address = Address([0x11; 20]);
const BASE: Address = Address([9; 20]);
const COMPOSER: Address = Address([1; 20]);

fn n(number: u64) -> U256 {
    U256::from(number)
}

fn hash(number: u64) -> B256 {
    n(number).to_word()
}

fn pair() -> Assets {
    Assets {
        origin_chain_id: ORIGIN,
        auxiliary_chain_id: AUXILIARY,
        gateway: Address([2; 20]),
        cogateway: Address([4; 20]),
        composer: COMPOSER,
        redeem_pool: Some(Address([6; 20])),
        value_token: Address([8; 20]),
        base_token: BASE,
        utility_token: Address([10; 20]),
        mints: Mints::BaseCoin,
    }
}

fn other_pair() -> Assets {
    Assets { gateway: Address([32; 20]), cogateway: Address([34; 20]), mints: Mints::Token, ..pair() }
}

fn party(request: i64) -> Party {
    Party { request: RequestId(request), gateway: pair().gateway }
}

fn paid(id: i64, step: Step, cost: u64, parties: &[i64]) -> Paid {
    Paid {
        id,
        chain_id: ORIGIN,
        step,
        account: WORKER,
        nonce: u64::try_from(id).unwrap(),
        to: pair().gateway,
        value: U256::ZERO,
        allowance: matches!(step, Step::Approve | Step::Accept).then_some((BASE, COMPOSER)),
        hash: hash(id.unsigned_abs()),
        cost: n(cost),
        at_ms: id * 1_000,
        parties: parties.iter().copied().map(party).collect(),
    }
}

fn effect(by: &Paid, happening: Happening, request: i64, bounty: Option<u64>) -> Effect {
    Effect {
        chain_id: by.chain_id,
        box_address: by.to,
        tx_hash: by.hash,
        paid_by: Some(by.id),
        message_hash: hash(500 + request.unsigned_abs()),
        request: Some((party(request), bounty.map(n))),
        declared: Some(Place { block_number: 100, log_index: 1 }),
        happening,
    }
}

fn ledger(paid: &[Paid], effects: &[Effect]) -> Ledger {
    build(paid, effects, &[], &[pair()])
}

/// (request, reason, amount) of every line.
fn told(ledger: &Ledger) -> Vec<(Option<i64>, Reason, u64)> {
    let line = |line: &Line| (line.request.map(|id| id.0), line.reason, line.amount.to_u64().unwrap());
    ledger.lines.iter().map(line).collect()
}

#[test]
fn parts_are_the_whole_to_the_last_unit() {
    for (amount, parts) in [(10, 1), (10, 3), (2, 5), (0, 4), (u64::MAX, 7)] {
        let split = split(n(amount), parts);
        assert_eq!(split.len(), parts);
        let sum = split.iter().try_fold(U256::ZERO, |sum, part| sum.checked_add(*part));
        assert_eq!(sum, Some(n(amount)));
        let (most, least) = (split.iter().max().unwrap(), split.iter().min().unwrap());
        assert!(most.saturating_sub(*least) <= U256::ONE, "{split:?}");
    }
    assert_eq!(split(n(5), 0), []);
}

#[test]
fn a_stake_that_went_well_has_its_bounty_back_its_reward_and_the_gas_of_both_chains() {
    let accept = paid(1, Step::Accept, 400, &[1]);
    let source = paid(2, Step::ProgressSource, 70, &[1]);
    let target = Paid { chain_id: AUXILIARY, to: pair().cogateway, ..paid(3, Step::ProgressTarget, 120, &[1]) };
    let effects = [
        effect(&accept, Happening::Declared, 1, Some(1_000)),
        effect(&source, Happening::BountyPaid, 1, Some(1_000)),
        effect(&target, Happening::RewardPaid(n(55)), 1, None),
    ];
    let ledger = ledger(&[accept, source, target], &effects);
    let bounty = Asset::Token { chain_id: ORIGIN, address: BASE };
    let coin = |chain_id| Asset::Coin { chain_id };
    let found: Vec<_> = ledger.lines.iter().map(|l| (l.reason, l.asset, l.amount.to_u64().unwrap())).collect();
    assert_eq!(
        found,
        [
            (Reason::Gas, coin(ORIGIN), 400),
            (Reason::BountyOut, bounty, 1_000),
            (Reason::Gas, coin(ORIGIN), 70),
            (Reason::BountyBack, bounty, 1_000),
            (Reason::Gas, coin(AUXILIARY), 120),
            (Reason::Reward, coin(AUXILIARY), 55),
        ]
    );
    assert!(ledger.lines.iter().all(|l| l.request == Some(RequestId(1)) && l.gateway == Some(pair().gateway)));
    let mut sum = Sum::default();
    ledger.lines.iter().filter(|line| line.asset == coin(AUXILIARY)).for_each(|line| sum.add(line));
    assert_eq!((sum.net(), sum.net().to_string()), (Net::Loss(n(65)), "-65".to_owned()));
}

#[test]
fn what_bounty_and_reward_are_of_follows_from_direction_and_token() {
    use crate::model::Side;
    let (prime, plain) = (pair(), other_pair());
    assert_eq!(prime.bounty(Side::Auxiliary), Asset::Coin { chain_id: AUXILIARY });
    assert_eq!(prime.reward(Side::Auxiliary), Asset::Coin { chain_id: AUXILIARY });
    assert_eq!(plain.reward(Side::Auxiliary), Asset::Token { chain_id: AUXILIARY, address: plain.utility_token });
    assert_eq!(plain.reward(Side::Origin), Asset::Token { chain_id: ORIGIN, address: plain.value_token });
}

#[test]
fn a_gateway_proof_is_shared_by_all_that_waited_for_it() {
    let proof = paid(1, Step::ProveGateway, 100, &[4, 5, 6]);
    let shared = ledger(&[proof], &[]);
    assert_eq!(told(&shared), [(Some(4), Reason::Gas, 34), (Some(5), Reason::Gas, 33), (Some(6), Reason::Gas, 33)]);
    assert!(shared.lines.iter().all(|line| line.shared_by == 3));
}

#[test]
fn an_approval_is_shared_by_the_accepts_between_it_and_the_next_one() {
    let all = [
        paid(1, Step::Approve, 10, &[]),
        paid(2, Step::Accept, 0, &[1]),
        paid(3, Step::Accept, 0, &[2]),
        // Also one that reverted was approved for; the same request again bears no second part.
        paid(4, Step::Accept, 0, &[2]),
        paid(5, Step::Approve, 20, &[]),
        paid(6, Step::Approve, 30, &[]),
        paid(7, Step::Accept, 0, &[3]),
        // Of another allowance.
        Paid { allowance: Some((BASE, Address([77; 20]))), ..paid(8, Step::Approve, 40, &[]) },
    ];
    let gas: Vec<_> = told(&ledger(&all, &[])).into_iter().filter(|(_, _, amount)| *amount > 0).collect();
    assert_eq!(
        gas,
        [
            (Some(1), Reason::Gas, 5),
            (Some(2), Reason::Gas, 5),
            // Approved in vain: nobody's.
            (None, Reason::Gas, 20),
            (Some(3), Reason::Gas, 30),
            (None, Reason::Gas, 40),
        ]
    );
}

#[test]
fn what_nobody_asked_for_is_nobodys_and_its_gateway_is_told_where_there_is_but_one() {
    let cancel = Paid { to: WORKER, ..paid(1, Step::Cancel, 21, &[]) };
    let approval = paid(2, Step::Approve, 10, &[]);
    let of = |pairs: &[Assets]| -> Vec<_> {
        build(&[cancel.clone(), approval.clone()], &[], &[], pairs).lines.iter().map(|line| line.gateway).collect()
    };
    assert_eq!(of(&[pair()]), [None, Some(pair().gateway)]);
    // Both gateways share the composer.
    assert_eq!(of(&[pair(), other_pair()]), [None, None]);
}

/// Deeper than the confirmations: the journal keeps both rows, the chain one transaction.
#[test]
fn a_nonce_is_paid_for_once() {
    let old = Paid { nonce: 9, ..paid(1, Step::Accept, 400, &[1]) };
    let new = Paid { nonce: 9, ..paid(2, Step::Cancel, 21, &[]) };
    let elsewhere = Paid { nonce: 9, chain_id: AUXILIARY, ..paid(3, Step::Confirm, 7, &[1]) };
    assert_eq!(told(&ledger(&[new, old, elsewhere], &[])), [(None, Reason::Gas, 21), (Some(1), Reason::Gas, 7)]);
}

#[test]
fn what_went_to_a_stranger_was_not_ours_and_is_said() {
    let accept = paid(1, Step::Accept, 400, &[1]);
    let stolen = Effect { paid_by: None, tx_hash: hash(99), ..effect(&accept, Happening::BountyPaid, 1, Some(1_000)) };
    let effects = [effect(&accept, Happening::Declared, 1, Some(1_000)), stolen];
    let ledger = ledger(&[accept], &effects);
    assert_eq!(told(&ledger), [(Some(1), Reason::Gas, 400), (Some(1), Reason::BountyOut, 1_000)]);
    assert_eq!(ledger.taken, [(Reason::BountyBack, hash(501), hash(99))]);
}

#[test]
fn a_message_of_two_requests_is_booked_to_the_one_that_asked_for_its_transaction() {
    let accept = paid(1, Step::Accept, 400, &[1]);
    // By the hash of the message alone it would be the later one's.
    let declared = effect(&accept, Happening::Declared, 2, Some(1_000));
    assert_eq!(
        told(&ledger(&[accept], &[declared])),
        [(Some(1), Reason::Gas, 400), (Some(1), Reason::BountyOut, 1_000)]
    );
}

/// The bounty was read before the accept was sent; the gateway takes what stands when it is mined, and pays that back.
#[test]
fn a_bounty_that_changed_meanwhile_counts_as_it_stood_at_the_declaration() {
    let change = |block_number, before, after| BountyChange {
        chain_id: ORIGIN,
        box_address: pair().gateway,
        at: Place { block_number, log_index: 0 },
        before: n(before),
        after: n(after),
    };
    let foreign = BountyChange { box_address: other_pair().gateway, ..change(99, 1, 2) };
    let accept = paid(1, Step::Accept, 0, &[1]);
    let declared = effect(&accept, Happening::Declared, 1, Some(1_000));
    let of = |changes: &[BountyChange], effect: &Effect| {
        let ledger = build(std::slice::from_ref(&accept), std::slice::from_ref(effect), changes, &[pair()]);
        let out = ledger.lines.iter().find(|line| line.reason == Reason::BountyOut);
        out.map(|line| line.amount.to_u64().unwrap())
    };
    assert_eq!(of(&[foreign], &declared), Some(1_000));
    assert_eq!(of(&[change(90, 500, 800), change(50, 400, 500)], &declared), Some(800));
    assert_eq!(of(&[change(101, 700, 900), change(150, 900, 1)], &declared), Some(700));
    assert_eq!(of(&[change(90, 5, 6), change(101, 6, 900)], &declared), Some(6));
    // Nobody knows: it is not guessed.
    let unknown = Effect { request: None, ..declared };
    assert_eq!(of(&[], &unknown), None);
    let message = unknown.message_hash;
    assert_eq!(ledger(std::slice::from_ref(&accept), &[unknown]).unknown, [message]);
}
