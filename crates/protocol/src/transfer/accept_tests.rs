//! The checklist as a table: a request and facts that pass, then one thing changed at a time.

use super::*;
use crate::model::{LogPosition, RequestId, State, Terms};
use crate::transfer::profit::{ChainPrices, Prices, RewardIn};
use facilitator_eth::{B256, Decimal};

const PROXY: Address = Address([5; 20]);
const FIRST: Address = Address([0xa1; 20]);
const SECOND: Address = Address([0xa2; 20]);
const TARGET: Address = Address([0xb1; 20]);

pub(in crate::transfer) fn request() -> Request {
    Request {
        id: RequestId(1),
        kind: Kind::Stake,
        state: State::Requested,
        origin_chain_id: 3,
        auxiliary_chain_id: 1406,
        pool: Address([1; 20]),
        terms: Terms {
            amount: U256::from(1_000_001u64),
            beneficiary: Address([2; 20]),
            gas_price: U256::from(10u64),
            gas_limit: U256::from(100_000u64),
            nonce: U256::from(4u64),
            sender: Address([3; 20]),
            sender_proxy: PROXY,
            gateway: Address([4; 20]),
            request_hash: B256([7; 32]),
        },
        position: LogPosition {
            chain_id: 3,
            block_number: 9,
            block_hash: B256([9; 32]),
            tx_hash: B256([8; 32]),
            log_index: 0,
        },
        hunted: false,
        attempt: 0,
        hash_lock: None,
        message_hash: None,
        message_sender: None,
        unlock_secret: None,
        origin_worker: None,
        auxiliary_worker: None,
        declared_block: None,
        proof_height: None,
        bounty: None,
        reward: None,
        paid_out: None,
        failures: 0,
        holds: 0,
        wakes: 0,
        waiting_for: None,
        last_error: None,
        claim_seq: 0,
    }
}

fn policy() -> Policy {
    Policy {
        prices: None,
        min_gas_price: U256::from(10u64),
        min_gas_limit: U256::from(100_000u64),
        max_bounty: U256::from(50u64),
        worker_expiry_margin_blocks: 10,
        min_origin_balance: U256::ZERO,
        min_auxiliary_balance: U256::ZERO,
        funds_safety_percent: 150,
    }
}

fn worker(address: Address) -> WorkerFacts {
    WorkerFacts {
        address,
        expires_at: U256::from(111u64),
        coin: U256::from(10_000_000u64),
        bounty_token: U256::from(50u64),
        in_flight: InFlight::default(),
        bounties: U256::ZERO,
    }
}

fn finished(nonce: u64) -> Option<ActiveMessage> {
    Some(ActiveMessage {
        hash: B256([6; 32]),
        status: MessageStatus::Progressed,
        nonce: U256::from(nonce),
        hash_lock: B256::ZERO,
    })
}

fn facts() -> AcceptFacts {
    AcceptFacts {
        activated: true,
        pending_latest: true,
        pending_final: true,
        proxy: PROXY,
        next_nonce: U256::from(4u64),
        outbox: finished(3),
        former: None,
        inbox: finished(3),
        payment: Payment { beneficiary_exists: true, goes_through: true, vault: None },
        reward_in: RewardIn::Coin,
        bounty: U256::from(50u64),
        escrow: U256::from(1_000_001u64),
        source_head: 100,
        source_fee: FeeLevel { per_gas: U256::from(2u64), present: U256::from(2u64) },
        target_fee: FeeLevel { per_gas: U256::from(1u64), present: U256::from(1u64) },
        source_workers: vec![worker(FIRST), worker(SECOND)],
        target_workers: vec![worker(TARGET)],
    }
}

fn verdict(change: impl FnOnce(&mut Request, &mut AcceptFacts)) -> Verdict {
    let (mut request, mut facts) = (request(), facts());
    change(&mut request, &mut facts);
    judge(&request, &facts, &policy())
}

fn refusal(change: impl FnOnce(&mut Request, &mut AcceptFacts)) -> Refusal {
    match verdict(change) {
        Verdict::Refuse(refusal) => refusal,
        other @ (Verdict::Accept { .. } | Verdict::Hold(_)) => panic!("expected a refusal, not {other:?}"),
    }
}

fn hold(change: impl FnOnce(&mut Request, &mut AcceptFacts)) -> Hold {
    match verdict(change) {
        Verdict::Hold(hold) => hold,
        other @ (Verdict::Accept { .. } | Verdict::Refuse(_)) => panic!("expected a hold, not {other:?}"),
    }
}

#[test]
fn a_request_that_passes_everything_is_accepted_by_the_first_worker_in_turn() {
    assert_eq!(verdict(|_, _| {}), Verdict::Accept { source_worker: FIRST, target_worker: TARGET });
}

#[test]
fn a_worker_that_cannot_pay_is_passed_over() {
    let second = Verdict::Accept { source_worker: SECOND, target_worker: TARGET };
    assert_eq!(verdict(|_, f| f.source_workers[0].bounty_token = U256::from(49u64)), second);
    assert_eq!(verdict(|_, f| f.source_workers[0].coin = U256::ZERO), second);
    assert_eq!(verdict(|_, f| f.source_workers[0].expires_at = U256::from(110u64)), second);
}

#[test]
fn what_can_never_be_finished_is_refused() {
    let limits = (U256::from(10u64), U256::from(100_000u64));
    let reward = |amount| Refusal::RewardTooLarge { gas_price: limits.0, gas_limit: limits.1, amount };
    let amount = U256::from(1_000_000u64);
    assert_eq!(refusal(|r, _| r.terms.amount = amount), reward(amount));
    assert!(matches!(refusal(|r, _| r.terms.gas_limit = U256::MAX), Refusal::RewardTooLarge { .. }));
    assert_eq!(refusal(|r, _| r.terms.beneficiary = Address::ZERO), Refusal::NoBeneficiary);
    assert!(matches!(refusal(|r, _| r.terms.gas_price = U256::from(9u64)), Refusal::GasPriceTooLow { .. }));
    assert!(matches!(refusal(|r, _| r.terms.gas_limit = U256::from(99_999u64)), Refusal::GasLimitTooLow { .. }));
    assert_eq!(refusal(|_, f| f.activated = false), Refusal::GatewayDeactivated);
    assert!(matches!(refusal(|_, f| f.payment.beneficiary_exists = false), Refusal::UnknownBeneficiary(_)));
    assert_eq!(refusal(|_, f| f.proxy = Address::ZERO), Refusal::ProxyDestroyed);
    assert!(matches!(refusal(|_, f| f.next_nonce = U256::from(5u64)), Refusal::NonceUsed { .. }));
}

#[test]
fn a_closed_request_ends_by_who_closed_it_and_only_once_that_is_final() {
    assert_eq!(hold(|_, f| f.pending_latest = false), Hold::ClosingNotFinal);
    let closed = |f: &mut AcceptFacts| (f.pending_latest, f.pending_final) = (false, false);
    assert_eq!(refusal(|_, f| closed(f)), Refusal::NoLongerPending);
    let foreign = ActiveMessage {
        hash: B256([9; 32]),
        status: MessageStatus::Declared,
        nonce: U256::from(4u64),
        hash_lock: B256::ZERO,
    };
    let taken = refusal(|_, f| {
        closed(f);
        f.outbox = Some(foreign);
    });
    assert_eq!(taken, Refusal::TakenByOther(foreign.hash));
    assert_eq!(taken.state(), State::TakenByOther);
    // The sender has had further messages since.
    let long_ago = refusal(|_, f| {
        closed(f);
        f.next_nonce = U256::from(6u64);
        f.outbox = Some(ActiveMessage { nonce: U256::from(5u64), ..foreign });
    });
    assert_eq!((long_ago.state(), long_ago), (State::TakenByOther, Refusal::TakenLongAgo));
}

/// Pending is the same request made again by way of another proxy: that one has a row of its own.
#[test]
fn a_request_whose_former_proxy_has_used_its_nonce_is_not_accepted_again() {
    let judged = |nonce, is_final| {
        let message = finished(nonce).unwrap();
        verdict(|_, f| f.former = Some(Former { message, is_final }))
    };
    assert_eq!(judged(4, false), Verdict::Hold(Hold::ClosingNotFinal));
    assert_eq!(judged(4, true), Verdict::Refuse(Refusal::TakenByOther(B256([6; 32]))));
    assert_eq!(judged(5, true), Verdict::Refuse(Refusal::TakenLongAgo));
}

#[test]
fn messages_of_one_sender_go_one_after_the_other_on_both_chains() {
    let open = |nonce: u64| {
        Some(ActiveMessage {
            hash: B256([6; 32]),
            status: MessageStatus::Declared,
            nonce: U256::from(nonce),
            hash_lock: B256::ZERO,
        })
    };
    assert_eq!(hold(|_, f| f.outbox = open(3)), Hold::EarlierMessageOnSource(B256([6; 32])));
    assert!(matches!(hold(|_, f| f.inbox = open(3)), Hold::EarlierMessageOnTarget { .. }));
    assert!(matches!(hold(|_, f| f.inbox = None), Hold::EarlierMessageOnTarget { .. }));
    assert!(matches!(hold(|_, f| f.inbox = finished(2)), Hold::EarlierMessageOnTarget { .. }));
    assert!(matches!(hold(|_, f| f.next_nonce = U256::from(3u64)), Hold::NonceAhead { .. }));
    let first = verdict(|r, f| {
        r.terms.nonce = U256::ZERO;
        (f.next_nonce, f.outbox, f.inbox) = (U256::ZERO, None, None);
    });
    assert!(matches!(first, Verdict::Accept { .. }));
}

#[test]
fn after_a_reorg_of_the_source_the_same_message_may_be_declared_again() {
    let again = verdict(|r, f| {
        r.message_hash = Some(B256([6; 32]));
        f.inbox = Some(ActiveMessage { status: MessageStatus::Declared, ..finished(4).unwrap() });
    });
    assert!(matches!(again, Verdict::Accept { .. }));
}

#[test]
fn lacking_funds_say_who_lacks_how_much() {
    let lack = hold(|_, f| f.source_workers.iter_mut().for_each(|w| w.bounty_token = U256::from(1u64)));
    assert_eq!(lack, Hold::NoBountyFunds { account: FIRST, has: U256::from(1u64), needs: U256::from(50u64) });
    // (50,000 + 410,000 + 105,000) gas at 2 wei and 150 %.
    let lack = hold(|_, f| f.source_workers.iter_mut().for_each(|w| w.coin = U256::from(1_694_999u64)));
    assert_eq!(
        lack,
        Hold::NoGasFunds { account: FIRST, has: U256::from(1_694_999u64), needs: U256::from(1_695_000u64) }
    );
    // Ten messages under way on the target: (320 + 11 x (540 + 136)) thousand gas at 1 wei and 150 %.
    let lack = hold(|_, f| (f.target_workers[0].in_flight.stakes, f.target_workers[0].coin) = (10, U256::ZERO));
    assert_eq!(lack, Hold::NoGasFunds { account: TARGET, has: U256::ZERO, needs: U256::from(11_634_000u64) });
    // Two accepts that are not mined yet take a bounty each as well.
    let lack = hold(|_, f| f.source_workers.iter_mut().for_each(|w| w.bounties = U256::from(100u64)));
    assert_eq!(lack, Hold::NoBountyFunds { account: FIRST, has: U256::from(50u64), needs: U256::from(150u64) });
    assert!(matches!(hold(|_, f| f.bounty = U256::from(51u64)), Hold::BountyTooHigh { .. }));
    assert!(matches!(hold(|_, f| f.payment.goes_through = false), Hold::MintWouldRevert(_)));
    assert!(matches!(hold(|_, f| f.source_workers.clear()), Hold::NoWhitelistedWorker { .. }));
    assert!(matches!(hold(|_, f| f.escrow = U256::ONE), Hold::EscrowDrained { .. }));
}

fn redeem(change: impl FnOnce(&mut Request, &mut AcceptFacts)) -> Verdict {
    verdict(|request, facts| {
        request.kind = Kind::Redeem;
        facts.payment.vault = Some(request.terms.amount);
        facts.source_workers.iter_mut().for_each(|worker| worker.bounty_token = U256::ZERO);
        change(request, facts);
    })
}

#[test]
fn a_redeem_passes_by_the_same_checklist() {
    assert_eq!(redeem(|_, _| {}), Verdict::Accept { source_worker: FIRST, target_worker: TARGET });
    let refused = |change: fn(&mut Request)| redeem(|request, _| change(request));
    // The contract would take it, and nobody could ever confirm it (R11 b).
    assert_eq!(refused(|r| r.terms.beneficiary = Address::ZERO), Verdict::Refuse(Refusal::NoBeneficiary));
    let low = refused(|r| r.terms.gas_limit = U256::from(99_999u64));
    assert!(matches!(low, Verdict::Refuse(Refusal::GasLimitTooLow { .. })));
    let gone = redeem(|_, f| (f.pending_latest, f.pending_final) = (false, false));
    assert_eq!(gone, Verdict::Refuse(Refusal::NoLongerPending));
    let drained = redeem(|_, f| f.escrow = U256::ONE);
    assert!(matches!(drained, Verdict::Hold(Hold::EscrowDrained { .. })));
}

#[test]
fn a_redeem_waits_for_what_its_unstake_would_pay_from() {
    let low = redeem(|_, f| f.payment.vault = Some(U256::from(1_000_000u64)));
    let (holds, needs) = (U256::from(1_000_000u64), U256::from(1_000_001u64));
    assert_eq!(low, Verdict::Hold(Hold::VaultTooLow { holds, needs }));
    let refused = redeem(|_, f| f.payment.goes_through = false);
    assert_eq!(refused, Verdict::Hold(Hold::UnstakeWouldRevert(Address([2; 20]))));
}

#[test]
fn the_bounty_of_a_redeem_comes_out_of_the_same_coin_as_its_gas() {
    // (360,000 + 80,000) gas at 2 wei and 150 %, and one bounty; a bounty token does not count.
    let enough = U256::from(1_320_050u64);
    let with = |coin: U256| {
        redeem(|_, f| {
            f.source_workers.iter_mut().for_each(|worker| worker.coin = coin);
        })
    };
    assert!(matches!(with(enough), Verdict::Accept { .. }));
    let has = enough.saturating_sub(U256::ONE);
    let lack = Hold::NoCoin { account: FIRST, has, needs: enough, bounties: U256::from(50u64) };
    assert_eq!(with(has), Verdict::Hold(lack));
}

/// `min_balance` is what stays on a key, beside bounty and gas of the accept itself: the sender asks the same.
#[test]
fn what_a_key_keeps_is_what_an_accept_leaves_on_it() {
    let mut policy = policy();
    let kept = U256::from(5_000_000u64);
    (policy.min_auxiliary_balance, policy.min_origin_balance) = (kept, kept);
    // (50,000 + 410,000) gas of a stake at 2 wei and 150 %; 360,000 of a redeem, and its bounty.
    for (kind, enough) in [(Kind::Stake, 6_380_000_u64), (Kind::Redeem, 6_080_050)] {
        let judged = |coin: u64| {
            let (request, mut facts) = (Request { kind, ..request() }, facts());
            facts.payment.vault = (kind == Kind::Redeem).then_some(request.terms.amount);
            facts.source_workers.iter_mut().for_each(|worker| worker.coin = U256::from(coin));
            judge(&request, &facts, &policy)
        };
        let lack = judged(enough - 1);
        assert!(matches!(lack, Verdict::Hold(Hold::NoCoin { .. } | Hold::NoGasFunds { .. })), "{kind}: {lack:?}");
        assert!(matches!(judged(enough), Verdict::Accept { .. }), "{kind}");
    }
}

/// A key of the auxiliary chain is the target of stakes and the source of redeems: both draw on the same coin.
#[test]
fn what_a_key_owes_for_the_other_direction_is_reserved_too() {
    let lack = hold(|_, f| {
        let worker = &mut f.target_workers[0];
        (worker.in_flight, worker.bounties) = (InFlight { stakes: 1, redeems: 2 }, U256::from(100u64));
        worker.coin = U256::ZERO;
    });
    // (320 + 2 x (540 + 136) + 2 x 80) thousand gas at 1 wei and 150 %, and two bounties.
    let (needs, bounties) = (U256::from(2_748_100u64), U256::from(100u64));
    assert_eq!(lack, Hold::NoCoin { account: TARGET, has: U256::ZERO, needs, bounties });
    // On the origin chain bounties are tokens, no coin.
    let lack = redeem(|_, f| {
        let worker = &mut f.target_workers[0];
        (worker.in_flight, worker.bounties) = (InFlight { stakes: 3, redeems: 1 }, U256::from(100u64));
        worker.coin = U256::ZERO;
    });
    // (320 + 2 x (525 + 130) + 3 x 105) thousand gas.
    let needs = U256::from(2_917_500u64);
    assert_eq!(lack, Verdict::Hold(Hold::NoGasFunds { account: TARGET, has: U256::ZERO, needs }));
}

/// Whole coins of both chains at a price of one, so that everything is in coins; gas at 10^9.
fn judged_by_profit(kind: Kind, gas_price: u64, change: impl FnOnce(&mut AcceptFacts, &mut Policy)) -> Verdict {
    let mut request = Request { kind, ..request() };
    request.terms.gas_price = U256::from(gas_price);
    request.terms.gas_limit = U256::from(u64::MAX);
    request.terms.amount = U256::MAX;
    let price = || ChainPrices { coin: "1".parse().unwrap(), tokens: vec![(Address([8; 20]), "1".parse().unwrap())] };
    let prices = Prices { origin: price(), auxiliary: price(), min_profit: Decimal::ZERO };
    // Above both offers: with prices the par values say nothing.
    let par = U256::from(u64::MAX);
    let mut policy = Policy { prices: Some(prices), min_gas_price: par, min_gas_limit: U256::MAX, ..policy() };
    let gas = |present: u64| FeeLevel { per_gas: U256::ONE, present: U256::from(present) };
    let mut facts = AcceptFacts {
        escrow: U256::MAX,
        payment: Payment { vault: (kind == Kind::Redeem).then_some(U256::MAX), ..facts().payment },
        source_fee: gas(1_000_000_000),
        target_fee: gas(1_000_000_000),
        reward_in: match kind {
            Kind::Stake => RewardIn::Coin,
            Kind::Redeem => RewardIn::Token { address: Address([8; 20]), decimals: Some(18) },
        },
        ..facts()
    };
    change(&mut facts, &mut policy);
    judge(&request, &facts, &policy)
}

#[test]
fn with_prices_a_request_is_accepted_where_its_reward_pays_for_its_gas() {
    for kind in Kind::ALL.iter().copied() {
        let (pays, pays_less) = (4_000_000_000, 3_000_000_000);
        let accepted = |verdict| matches!(verdict, Verdict::Accept { .. });
        assert!(accepted(judged_by_profit(kind, pays, |_, _| {})), "{kind}");
        let held = judged_by_profit(kind, pays_less, |_, _| {});
        let Verdict::Hold(Hold::Unprofitable { earns, costs, .. }) = held else { panic!("{kind}: {held:?}") };
        assert!(earns < costs, "{kind}: {earns} {costs}");
        // What it waits for: fees that are lower on either chain.
        assert!(accepted(judged_by_profit(kind, pays_less, |facts, _| facts.source_fee.present = U256::ONE)), "{kind}");
        assert!(accepted(judged_by_profit(kind, pays_less, |facts, _| facts.target_fee.present = U256::ONE)), "{kind}");
        let asks = |policy: &mut Policy| policy.prices.as_mut().unwrap().min_profit = "0.001".parse().unwrap();
        let held = judged_by_profit(kind, pays, |_, policy| asks(policy));
        assert!(matches!(held, Verdict::Hold(Hold::Unprofitable { .. })), "{kind}: {held:?}");
    }
}

#[test]
fn what_cannot_pay_even_with_free_gas_is_refused_and_says_what_it_would_earn_and_cost() {
    let free =
        |facts: &mut AcceptFacts| (facts.source_fee.present, facts.target_fee.present) = (U256::ZERO, U256::ZERO);
    for kind in Kind::ALL.iter().copied() {
        // The whole limit at that price would be 18,446,744,073.7 coins.
        let (price, too_much) = (1_000_000_000, "18446744074");
        for (gas_price, least, with_free_gas) in [(0, "0", true), (price, too_much, true), (0, "0", false)] {
            let refused = judged_by_profit(kind, gas_price, |facts, policy| {
                policy.prices.as_mut().unwrap().min_profit = least.parse().unwrap();
                if with_free_gas {
                    free(facts);
                }
            });
            let Verdict::Refuse(refusal) = refused else { panic!("{kind}: {refused:?}") };
            assert_eq!(refusal.state(), State::Skipped);
        }
    }
    let refused = judged_by_profit(Kind::Stake, 0, |_, _| {});
    let Verdict::Refuse(refusal) = refused else { panic!("{refused:?}") };
    assert!(refusal.to_string().contains("earn 0 at most, and cost 0.001561 "), "{refusal}");
}

/// How much gas counts is known afterwards alone: a request may bring more than is expected of it.
#[test]
fn what_the_whole_gas_limit_would_pay_for_is_never_refused_for_good() {
    for kind in Kind::ALL.iter().copied() {
        let held = judged_by_profit(kind, 1_000_000_000, |_, policy| {
            policy.prices.as_mut().unwrap().min_profit = "18446744073".parse().unwrap();
        });
        assert!(matches!(held, Verdict::Hold(Hold::Unprofitable { .. })), "{kind}: {held:?}");
    }
}

#[test]
fn a_reward_in_a_token_without_a_price_waits_for_the_operator() {
    let token = Address([99; 20]);
    let held = judged_by_profit(Kind::Redeem, 1, |facts, _| {
        facts.reward_in = RewardIn::Token { address: token, decimals: Some(18) };
    });
    assert_eq!(held, Verdict::Hold(Hold::NoPrice(token)));
}
