//! The table of foreign messages, and what they are worth.

use super::*;
use crate::model::{Kind, Request, Step};
use crate::transfer::accept::{ActiveMessage, FeeLevel, Hold, InFlight, Payment, Policy, Refusal};
use crate::transfer::profit::{ChainPrices, Prices, RewardIn};
use crate::transfer::{BoxStatus, expected_gas, expected_gas_by_proof};
use MessageStatus::{Declared, DeclaredRevocation, Progressed, Revoked, Undeclared};
use facilitator_eth::{Address, B256, Decimal, U256};

fn settled(outbox: MessageStatus, inbox: MessageStatus) -> Statuses {
    Statuses { outbox: BoxStatus::settled(outbox), inbox: BoxStatus::settled(inbox) }
}

fn by(legs: Legs, means: Means) -> HuntStep {
    HuntStep::Progress(Opening { legs, means })
}

#[test]
fn settled_pairs_follow_the_table_with_and_without_the_secret() {
    for (public, means) in [(true, Means::Secret), (false, Means::Proof)] {
        let table = [
            ((Undeclared, Undeclared), HuntStep::Await(Awaited::DeclarationFinal)),
            ((Undeclared, Declared), HuntStep::Await(Awaited::DeclarationFinal)),
            ((Undeclared, Progressed), HuntStep::Await(Awaited::DeclarationFinal)),
            ((Undeclared, Revoked), HuntStep::Contradiction),
            ((Declared, Undeclared), HuntStep::Confirm),
            ((Declared, Declared), by(Legs::Both, means)),
            ((Declared, Progressed), by(Legs::Source, means)),
            ((Declared, Revoked), HuntStep::Contradiction),
            ((Progressed, Undeclared), HuntStep::Confirm),
            ((Progressed, Declared), by(Legs::Target, means)),
            ((Progressed, Progressed), HuntStep::Finish(State::Complete)),
            ((Progressed, Revoked), HuntStep::Contradiction),
            ((DeclaredRevocation, Undeclared), HuntStep::Leave),
            ((DeclaredRevocation, Declared), HuntStep::Leave),
            ((DeclaredRevocation, Progressed), by(Legs::Source, Means::Proof)),
            ((DeclaredRevocation, Revoked), HuntStep::Leave),
            ((Revoked, Undeclared), HuntStep::Finish(State::Revoked)),
            ((Revoked, Declared), HuntStep::Finish(State::Revoked)),
            ((Revoked, Progressed), HuntStep::Finish(State::Revoked)),
            ((Revoked, Revoked), HuntStep::Finish(State::Revoked)),
        ];
        for ((outbox, inbox), expected) in table {
            assert_eq!(decide_hunt(settled(outbox, inbox), public), expected, "({outbox}, {inbox}), public: {public}");
        }
    }
}

fn all() -> impl Iterator<Item = Statuses> {
    let boxes = || {
        let pairs = MessageStatus::ALL.iter().flat_map(|a| MessageStatus::ALL.iter().map(|b| (*a, *b)));
        pairs.map(|(latest, finalised)| BoxStatus { latest, finalised })
    };
    boxes().flat_map(move |outbox| boxes().map(move |inbox| Statuses { outbox, inbox }))
}

/// Law 4, over every combination there is. By proof too: an anchored root may be that of a block that vanishes.
#[test]
fn no_leg_is_progressed_before_the_inbox_is_final() {
    for statuses in all() {
        for public in [true, false] {
            if let HuntStep::Progress(_) = decide_hunt(statuses, public) {
                assert!(matches!(statuses.inbox.finalised, Declared | Progressed), "{statuses:?}");
                assert!(matches!(statuses.inbox.latest, Declared | Progressed), "{statuses:?}");
            }
        }
    }
}

#[test]
fn a_secret_that_is_not_public_is_never_the_means_and_a_revocation_never_fought() {
    for statuses in all() {
        if let HuntStep::Progress(opening) = decide_hunt(statuses, false) {
            assert_eq!(opening.means, Means::Proof, "{statuses:?}");
        }
        if statuses.outbox.latest == DeclaredRevocation {
            match decide_hunt(statuses, true) {
                // With the secret the source leg would revert, and only what can't be taken back any more is finished.
                HuntStep::Progress(opening) => {
                    assert_eq!(opening, Opening { legs: Legs::Source, means: Means::Proof });
                    assert_eq!(statuses.inbox, BoxStatus::settled(Progressed));
                }
                HuntStep::Await(_) | HuntStep::Leave => {}
                step @ (HuntStep::Confirm | HuntStep::Finish(_) | HuntStep::Contradiction) => {
                    panic!("{step:?} for {statuses:?}")
                }
            }
        }
    }
}

#[test]
fn a_proof_shows_what_the_contracts_take() {
    for leg in [Leg::Source, Leg::Target] {
        assert_eq!(provable(leg, settled(Declared, Declared)), [Declared, Progressed]);
    }
    assert_eq!(provable(Leg::Source, settled(DeclaredRevocation, Progressed)), [Progressed]);
}

const GAS_PRICE: u64 = 10;
const BOUNTY: u64 = 1_000_000;
const BOUNTY_TOKEN: Address = Address([7; 20]);
const NONCE: u64 = 4;

fn request(kind: Kind) -> Request {
    let request = crate::transfer::accept::tests::request();
    assert_eq!(request.terms.nonce, U256::from(NONCE));
    Request { kind, state: State::Accepted, hunted: true, message_hash: Some(B256([7; 32])), ..request }
}

/// No reserve but what a test asks for.
fn limits() -> Policy {
    Policy {
        prices: None,
        min_gas_price: U256::ZERO,
        min_gas_limit: U256::ZERO,
        max_bounty: U256::MAX,
        worker_expiry_margin_blocks: 0,
        min_origin_balance: U256::ZERO,
        min_auxiliary_balance: U256::ZERO,
        funds_safety_percent: 100,
    }
}

fn worker(number: u8, coin: u64) -> Purse {
    Purse {
        address: Address([number; 20]),
        coin: U256::from(coin),
        own: InFlight::default(),
        foreign: InFlight::default(),
        bounties: U256::ZERO,
    }
}

/// The sender's last message in the inbox.
fn last(nonce: u64, status: MessageStatus) -> Option<ActiveMessage> {
    Some(ActiveMessage { hash: B256([6; 32]), status, nonce: U256::from(nonce), hash_lock: B256::ZERO })
}

/// Gas costs one wei on either chain.
fn facts(outbox: MessageStatus, inbox: MessageStatus) -> HuntFacts {
    let fee = FeeLevel { per_gas: U256::ONE, present: U256::ONE };
    HuntFacts {
        statuses: settled(outbox, inbox),
        secret_is_public: false,
        inbox: last(NONCE - 1, Progressed),
        payment: Some(Payment { beneficiary_exists: true, goes_through: true, vault: None }),
        bounty: U256::from(BOUNTY),
        bounty_in: RewardIn::Token { address: BOUNTY_TOKEN, decimals: Some(18) },
        reward_in: RewardIn::Coin,
        roots_come_back: true,
        gas_price: U256::from(GAS_PRICE),
        gas_limit: U256::from(10_000_000_u64),
        counted: U256::ZERO,
        source_fee: fee,
        target_fee: fee,
        source_workers: vec![worker(1, 10_000_000)],
        target_workers: vec![worker(2, 10_000_000)],
    }
}

fn wage(facts: &HuntFacts) -> Wage {
    facts.wage(Kind::Stake, decide_hunt(facts.statuses, facts.secret_is_public))
}

/// Everything is worth the same.
fn policy() -> HuntPolicy {
    let tokens = vec![(BOUNTY_TOKEN, Decimal::one())];
    let origin = ChainPrices { coin: Decimal::one(), tokens };
    let auxiliary = ChainPrices { coin: Decimal::one(), tokens: vec![] };
    HuntPolicy { min_profit: Decimal::ZERO, prices: Prices { origin, auxiliary, min_profit: Decimal::ZERO } }
}

/// Smallest units as that policy counts them.
fn units(amount: u64) -> Decimal {
    Decimal::one().worth(U256::from(amount), 18)
}

fn judged(facts: &HuntFacts, policy: &HuntPolicy) -> Result<(Address, Address), Unworthy> {
    let step = decide_hunt(facts.statuses, facts.secret_is_public);
    worth(&request(Kind::Stake), facts, step, policy, &limits())
}

#[test]
fn only_the_steps_that_are_left_count() {
    for kind in [Kind::Stake, Kind::Redeem] {
        let of = |facts: &HuntFacts| facts.wage(kind, decide_hunt(facts.statuses, facts.secret_is_public));
        let gas = |step| expected_gas(kind, step);
        let (prove, confirm) = (gas(crate::model::Step::ProveGateway), gas(crate::model::Step::Confirm));
        let (source, target) = (expected_gas_by_proof(Leg::Source), expected_gas_by_proof(Leg::Target));
        let whole = of(&facts(Declared, Undeclared));
        assert_eq!((whole.source_gas, whole.target_gas), (prove + source, prove + confirm + target));
        assert_eq!(whole.bounty, U256::from(BOUNTY));
        let late = of(&facts(Progressed, Undeclared));
        assert_eq!((late.source_gas, late.bounty), (0, U256::ZERO), "the bounty is gone");
        let half = of(&facts(Declared, Progressed));
        assert_eq!((half.target_gas, half.reward), (0, U256::ZERO), "the reward is gone");
        assert_eq!(half.source_gas, prove + source);
        let secret = HuntFacts { secret_is_public: true, ..facts(Declared, Progressed) };
        assert_eq!(of(&secret).source_gas, gas(crate::model::Step::ProgressSource));
    }
}

#[test]
fn the_reward_counts_the_gas_of_a_confirmation_that_is_done_and_ends_at_the_gas_limit() {
    let counted = |counted: u64, limit: u64| {
        let facts = HuntFacts {
            counted: U256::from(counted),
            gas_limit: U256::from(limit),
            secret_is_public: true,
            ..facts(Progressed, Declared)
        };
        wage(&facts).reward
    };
    assert_eq!(counted(400_000, 10_000_000), U256::from((400_000 + 17_000) * GAS_PRICE));
    assert_eq!(counted(400_000, 1_000), U256::from(1_000 * GAS_PRICE));
}

#[test]
fn a_bounty_that_no_anchored_root_can_open_is_not_counted() {
    let one_way = HuntFacts { roots_come_back: false, ..facts(Declared, Declared) };
    assert_eq!((wage(&one_way).bounty, wage(&one_way).source_gas), (U256::ZERO, 0));
    let public = HuntFacts { secret_is_public: true, ..one_way };
    assert_eq!(wage(&public).bounty, U256::from(BOUNTY));
}

#[test]
fn what_pays_by_less_than_the_minimum_is_left_alone() {
    let facts = facts(Declared, Undeclared);
    let wage = wage(&facts);
    let Profit { income, cost } = profit(Kind::Stake, &wage, &facts, &policy().prices).unwrap();
    let reward = wage.reward.to_u64().unwrap();
    let gas = wage.source_gas + wage.target_gas;
    assert_eq!((income, cost), (units(BOUNTY + reward), units(gas)));
    let gain = BOUNTY + reward - gas;
    let asking = |minimum| HuntPolicy { min_profit: units(minimum), ..policy() };
    assert_eq!(judged(&facts, &asking(gain)), Ok((Address([1; 20]), Address([2; 20]))));
    let minimum = units(gain + 1);
    assert_eq!(judged(&facts, &asking(gain + 1)), Err(Unworthy::Loss { income, cost, minimum }));
    // Where nothing comes in, not even free gas makes it worth a transaction.
    let free = FeeLevel { per_gas: U256::ZERO, present: U256::ZERO };
    let nothing = HuntFacts { bounty: U256::ZERO, gas_price: U256::ZERO, source_fee: free, target_fee: free, ..facts };
    assert!(matches!(judged(&nothing, &policy()), Err(Unworthy::Loss { .. })));
}

#[test]
fn prices_weigh_what_comes_in_against_what_goes_out() {
    let facts = facts(Declared, Undeclared);
    let with = |coin: &str, bounty: &str| {
        let tokens = vec![(BOUNTY_TOKEN, bounty.parse().unwrap())];
        let origin = ChainPrices { coin: coin.parse().unwrap(), tokens };
        let auxiliary = ChainPrices { coin: Decimal::one(), tokens: vec![] };
        HuntPolicy { prices: Prices { origin, auxiliary, min_profit: Decimal::ZERO }, ..policy() }
    };
    assert!(judged(&facts, &with("1", "1")).is_ok());
    assert!(matches!(judged(&facts, &with("1000", "1")), Err(Unworthy::Loss { .. })), "gas is dear");
    assert!(judged(&facts, &with("1000", "1000000")).is_ok(), "so is the bounty");
    let mut unnamed = with("1", "1");
    unnamed.prices.origin.tokens.clear();
    assert_eq!(judged(&facts, &unnamed), Err(Unworthy::NoPrice(BOUNTY_TOKEN)));
    // What is not to be had needs no price.
    let done = HuntFacts { counted: U256::from(400_000_u64), ..self::facts(Progressed, Declared) };
    assert!(judged(&done, &unnamed).is_ok());
}

#[test]
fn the_first_key_in_turn_that_has_the_gas_pays() {
    let mut facts = facts(Declared, Undeclared);
    facts.target_workers = vec![worker(8, 5), worker(9, 10_000_000)];
    assert_eq!(judged(&facts, &policy()), Ok((Address([1; 20]), Address([9; 20]))));
    facts.target_workers = vec![worker(8, 5)];
    let needs = U256::from(wage(&facts).target_gas);
    let lack = Unworthy::NoGasFunds { account: Address([8; 20]), has: U256::from(5_u64), needs };
    assert_eq!(judged(&facts, &policy()), Err(lack));
}

fn needs(worker: Purse, limits: &Policy) -> U256 {
    let facts = HuntFacts { target_workers: vec![Purse { coin: U256::ZERO, ..worker }], ..facts(Declared, Undeclared) };
    match worth(&request(Kind::Stake), &facts, HuntStep::Confirm, &policy(), limits) {
        Err(Unworthy::NoGasFunds { needs, .. }) => needs,
        other => panic!("{other:?}"),
    }
}

/// What own requests have yet to burn and to pay, and the least balance, is not the hunter's.
#[test]
fn no_key_pays_with_what_own_requests_need() {
    let (idle, limits) = (worker(8, 0), limits());
    let gas = wage(&facts(Declared, Undeclared)).target_gas;
    assert_eq!(needs(idle, &limits), U256::from(gas));
    let of = |kind, step| expected_gas(kind, step);
    // On the target chain a stake is confirmed and progressed, a redeem has its source leg there.
    let own = Purse { own: InFlight { stakes: 2, redeems: 3 }, ..idle };
    let reserved = 2 * (of(Kind::Stake, Step::Confirm) + of(Kind::Stake, Step::ProgressTarget))
        + 3 * of(Kind::Redeem, Step::ProgressSource);
    assert_eq!(needs(own, &limits), U256::from(gas + reserved));
    let bounties = Purse { bounties: U256::from(77_u64), ..own };
    assert_eq!(needs(bounties, &limits), U256::from(gas + reserved + 77));
    let least = |wei: u64| Policy { min_auxiliary_balance: U256::from(wei), ..limits.clone() };
    assert_eq!(needs(bounties, &least(reserved + 1)), U256::from(gas + reserved + 1 + 77), "what is more counts");
    assert_eq!(needs(bounties, &least(1)), U256::from(gas + reserved + 77));
    let safer = Policy { funds_safety_percent: 150, ..limits.clone() };
    assert_eq!(needs(idle, &safer), U256::from(gas * 3 / 2));
    // Other foreign messages that are under way come before this one.
    let another = Purse { foreign: InFlight { stakes: 1, redeems: 0 }, ..idle };
    let foreign = of(Kind::Stake, Step::Confirm) + expected_gas_by_proof(Leg::Target);
    assert_eq!(needs(another, &limits), U256::from(gas + foreign));
}

#[test]
fn a_key_that_burns_nothing_needs_nothing() {
    let poor = Purse { own: InFlight { stakes: 9, redeems: 9 }, ..worker(2, 0) };
    let facts = HuntFacts { target_workers: vec![poor], ..facts(Declared, Progressed) };
    assert_eq!(judged(&facts, &policy()), Ok((Address([1; 20]), Address([2; 20]))));
}

/// Such a message can be proven again and again, and never be confirmed (protocol.md R9).
#[test]
fn a_message_whose_turn_it_is_not_in_the_inbox_is_not_confirmed() {
    let judged_with = |inbox| judged(&HuntFacts { inbox, ..facts(Declared, Undeclared) }, &policy());
    let held = |next: u64| {
        let (next, wanted) = (U256::from(next), U256::from(NONCE));
        Err(Unworthy::NotYet(Hold::EarlierMessageOnTarget { next, wanted }))
    };
    assert!(judged_with(last(NONCE - 1, Progressed)).is_ok());
    assert!(judged_with(last(NONCE - 1, Revoked)).is_ok());
    assert_eq!(judged_with(last(NONCE - 1, Declared)), held(NONCE), "undecided");
    assert_eq!(judged_with(last(NONCE - 2, Progressed)), held(NONCE - 1), "one is missing");
    assert_eq!(judged_with(None), held(0));
    // It is there already.
    let facts = HuntFacts { inbox: last(0, Declared), ..facts(Declared, Declared) };
    assert!(judged(&facts, &policy()).is_ok());
}

/// R11: neither a proof nor the tokens of whoever sent it are spent for what can't be paid out.
#[test]
fn a_message_that_cannot_be_paid_out_is_left_alone_unless_it_is_paid_out_already() {
    let paid = Payment { beneficiary_exists: true, goes_through: true, vault: None };
    let beneficiary = request(Kind::Stake).terms.beneficiary;
    let unknown = Unworthy::Never(Refusal::UnknownBeneficiary(beneficiary));
    let reverts = Unworthy::NotYet(Hold::MintWouldRevert(beneficiary));
    let (holds, needs) = (U256::ONE, request(Kind::Stake).terms.amount);
    for (payment, why) in [
        (Payment { beneficiary_exists: false, ..paid }, unknown),
        (Payment { goes_through: false, ..paid }, reverts),
        (Payment { vault: Some(holds), ..paid }, Unworthy::NotYet(Hold::VaultTooLow { holds, needs })),
    ] {
        for (outbox, inbox) in [(Declared, Undeclared), (Declared, Declared), (Progressed, Declared)] {
            let facts = HuntFacts { payment: Some(payment), counted: U256::from(400_000_u64), ..facts(outbox, inbox) };
            assert_eq!(judged(&facts, &policy()), Err(why.clone()), "({outbox}, {inbox})");
        }
        let facts = HuntFacts { payment: Some(payment), ..facts(Declared, Progressed) };
        assert!(judged(&facts, &policy()).is_ok(), "the target leg is done");
    }
    let mut nobody = request(Kind::Redeem);
    nobody.terms.beneficiary = Address::ZERO;
    let facts = facts(Declared, Undeclared);
    let refused = worth(&nobody, &facts, HuntStep::Confirm, &policy(), &limits());
    assert_eq!(refused, Err(Unworthy::Never(Refusal::NoBeneficiary)));
}
