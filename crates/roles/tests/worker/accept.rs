//! REQUESTED to ACCEPTED.

use crate::chains::{Active, Chains};
use crate::script::{Played, Script};
use crate::world::{
    PROXY, RECHECK_MS, SOURCE_WORKER, TARGET_WORKER, accepted, gateway, message, requested, secret, secret_of, uint,
};
use facilitator_chain::reader::Answer;
use facilitator_eth::abi::{Revert, Value};
use facilitator_eth::{Address, B256, Decimal, U256};
use facilitator_protocol::contracts::pool;
use facilitator_protocol::gateway::Mints;
use facilitator_protocol::hashes;
use facilitator_protocol::model::{Attempt, Kind, MessageStatus, Side, Stage, State, Step, Terms, Wait};
use facilitator_protocol::secret::SecretInput;
use facilitator_protocol::transfer::profit::{ChainPrices, Prices};
use facilitator_roles::messages::{FailedStep, Job};
use facilitator_sender::{Allowance, Failure, Head, SubmitAnswer, Visibility};

const READS: [&str; 2] = ["read origin", "read auxiliary"];
/// A message that is not ours.
const FOREIGN: Active = Some((B256([6; 32]), MessageStatus::Declared, 0));

async fn play(job: Job, change: impl FnOnce(&mut Chains)) -> Played {
    let mut chains = Chains::ready_to_accept(&job);
    change(&mut chains);
    Script::new(chains).run(job).await
}

/// An end state with its reason, and nothing signed.
#[track_caller]
fn refused(played: &Played, state: State, reason: &str) {
    let park = played.park();
    assert_eq!((park.update.state, &park.wait, park.retry_in_ms), (Some(state), &Wait::End, None));
    let said = park.update.last_error.as_deref().unwrap_or_default();
    assert!(said.contains(reason), "no word of `{reason}`: {said}");
    assert_eq!((played.saves().len(), played.submits().len()), (0, 0));
}

#[tokio::test]
async fn a_gateway_that_is_not_configured_is_refused_without_a_look() {
    let played = Script::new(Chains::default()).run(Job { gateway: None, ..requested() }).await;
    assert_eq!(played.outline(), ["park"]);
    refused(&played, State::Skipped, "not one of the configured gateways");
}

/// Money is locked in it: the operator is told what to do.
#[tokio::test]
async fn what_was_accepted_through_a_gateway_that_is_no_longer_configured_is_not_given_up() {
    let played = Script::new(Chains::default()).run(Job { gateway: None, ..accepted() }).await;
    assert_eq!(played.outline(), ["park"]);
    let park = played.park();
    assert_eq!((&park.wait, park.update.state), (&Wait::Happening, Some(State::Accepted)));
    let waits = park.waiting_for.as_deref().unwrap_or_default();
    assert!(waits.contains("put the gateway back"), "{waits}");
    assert!(park.retry_in_ms.is_some());
}

#[tokio::test]
async fn terms_that_do_not_pay_are_refused() {
    type Change = fn(&mut Terms);
    let cases: [(Change, &str); 4] = [
        (|terms| terms.gas_price = uint(9), "unprofitable: its gas price 9"),
        (|terms| terms.gas_limit = uint(99_999), "unprofitable: its gas limit 99999"),
        (|terms| terms.amount = uint(1_000_000), "is not less than the amount"),
        (|terms| terms.beneficiary = Address::ZERO, "zero address"),
    ];
    for (change, reason) in cases {
        let mut job = requested();
        change(&mut job.request.terms);
        let played = play(job, |_| {}).await;
        refused(&played, State::Skipped, reason);
    }
}

#[tokio::test]
async fn the_attempt_is_committed_before_the_accept_is_handed_over() {
    let job = requested();
    let (request, set) = (job.request.clone(), gateway());
    let played = play(job, |_| {}).await;
    assert_eq!(
        played.outline(),
        ["read origin", "read auxiliary", "secret", "save", "submit origin accept", "park"],
        "law 2"
    );
    let hash_lock = secret(0).hash_lock();
    let saved = played.saves()[0];
    assert_eq!(saved.attempt, Some(Attempt { number: 0, hash_lock, message_hash: message(0) }));
    assert_eq!((saved.origin_worker, saved.auxiliary_worker), (Some(SOURCE_WORKER), Some(TARGET_WORKER)));
    assert_eq!((saved.message_sender, saved.bounty, saved.state), (Some(PROXY), Some(uint(50)), None));

    let submit = played.submits()[0];
    assert_eq!((submit.intent.as_str(), submit.request_id), ("accept:7:0", Some(request.id)));
    assert_eq!((submit.from, submit.to, submit.value), (Some(SOURCE_WORKER), set.composer, U256::ZERO));
    assert_eq!(submit.data, pool::accept(Kind::Stake, &request.terms, hash_lock));
    let exact = Allowance { token: set.base_token, spender: set.composer, amount: uint(50) };
    assert_eq!((submit.allowance, submit.expect), (Some(exact), Some(message(0))), "law 10");
    assert_eq!((submit.visibility, &submit.after), (Visibility::Public, &None));

    let park = played.park();
    assert_eq!((&park.wait, park.retry_in_ms), (&Wait::Happening, Some(RECHECK_MS)));
    assert_eq!(park.update.state, Some(State::Requested), "accepted is what the chain says, finally");
}

#[tokio::test]
async fn a_gateway_without_a_bounty_needs_no_allowance() {
    let played = play(requested(), |chains| chains.bounty(0)).await;
    assert_eq!(played.submits()[0].allowance, None);
}

#[tokio::test]
async fn what_the_chain_says_may_end_it() {
    let job = requested;
    let gone = play(job(), |chains| chains.pending(&job(), false, false)).await;
    refused(&gone, State::Revoked, "no longer pending");
    let taken = play(job(), |chains| {
        chains.pending(&job(), false, false);
        chains.active(PROXY, 1, FOREIGN, None);
    })
    .await;
    refused(&taken, State::TakenByOther, "another facilitator accepted it");
    let gone = play(job(), |chains| {
        let proxy = pool::proxy_of(Kind::Stake, job().request.terms.sender).data;
        chains.say(Side::Origin, gateway().composer, &proxy, &[Value::Address(Address::ZERO)]);
    })
    .await;
    refused(&gone, State::Skipped, "no proxy any more");
}

/// What time or the operator mends is looked at again, often, and is no failure of the step.
#[tokio::test]
async fn what_may_be_mended_holds_the_request() {
    type Change = fn(&Job, &mut Chains);
    let cases: [(Change, &str); 7] = [
        (|job, chains| chains.pending(job, false, true), "not final yet"),
        (|_, chains| chains.active(PROXY, 0, FOREIGN, None), "earlier message"),
        (|_, chains| chains.active(PROXY, 0, None, FOREIGN), "earlier message to be finished on the target chain"),
        (|_, chains| chains.bounty(51), "a lower bounty"),
        (|job, chains| chains.payment(job, Answer::Reverted(Revert::Empty)), "the mint to"),
        (|_, chains| chains.coin(Side::Origin, 10), "gas funds"),
        (|_, chains| chains.coin(Side::Auxiliary, 10), "gas funds"),
    ];
    for (change, reason) in cases {
        let mut job = requested();
        job.request.holds = 9;
        let played = play(job.clone(), |chains| change(&job, chains)).await;
        assert_eq!((played.saves().len(), played.submits().len()), (0, 0), "{reason}");
        let park = played.park();
        assert_eq!((park.update.state, park.update.failures), (Some(State::Requested), None), "{reason}");
        assert_eq!((park.update.holds, &park.wait, park.retry_in_ms), (Some(10), &Wait::Happening, Some(30_000)));
        let text = park.waiting_for.as_deref().unwrap_or_default();
        assert!(text.contains(reason), "no word of `{reason}`: {text}");
    }
}

/// With prices the token of the reward is asked for its digits, in the same round; without it is not.
#[tokio::test]
async fn with_prices_what_does_not_pay_at_present_fees_waits_for_lower_ones() {
    let price = |coin: &str| ChainPrices { coin: coin.parse().unwrap(), tokens: Vec::new() };
    let mut job = requested();
    (job.request.terms.gas_price, job.request.terms.amount) = (uint(1_000), U256::exp10(12));
    let mut judged = async |origin: &str, token_reward: bool| {
        job.policy.prices = Some(Prices { origin: price(origin), auxiliary: price("1"), min_profit: Decimal::ZERO });
        if token_reward {
            let token = gateway().utility_token;
            job.gateway.as_mut().unwrap().mints = Mints::Token;
            let prices = job.policy.prices.as_mut().unwrap();
            prices.auxiliary.tokens.push((token, "1".parse().unwrap()));
            return play(job.clone(), |chains| chains.say_decimals(Side::Auxiliary, token, 18)).await;
        }
        play(job.clone(), |_| {}).await
    };
    assert_eq!(judged("0", false).await.submits().len(), 1);
    assert_eq!(judged("0", true).await.submits().len(), 1);
    let held = judged("1000", true).await;
    assert_eq!(held.submits().len(), 0);
    let waits = held.park().waiting_for.clone().unwrap_or_default();
    assert!(waits.contains("it would earn") && waits.contains("`min_profit`"), "{waits}");
}

/// On a chain without a base fee the sender pays what its node suggests, whatever the priority fee is.
#[tokio::test]
async fn without_a_base_fee_funds_and_profit_are_judged_by_the_price_that_the_sender_pays() {
    let legacy = |gas_price: u64| {
        let mut job = requested();
        job.source_head = Head { base_fee: None, gas_price: Some(uint(gas_price)), ..job.source_head };
        job
    };
    // (50 + 410 + 105) thousand gas at 150 %: the key has 1,000,000,000 wei.
    assert_eq!(play(legacy(1_000), |_| {}).await.submits().len(), 1);
    let held = play(legacy(2_000), |_| {}).await;
    assert!(held.submits().is_empty());
    let waits = held.park().waiting_for.clone().unwrap_or_default();
    assert!(waits.contains("gas funds") && waits.contains("need 1695000000 wei"), "{waits}");

    let price = || ChainPrices { coin: "1".parse().unwrap(), tokens: Vec::new() };
    let with_prices = |gas_price: u64| {
        let mut job = legacy(gas_price);
        (job.request.terms.gas_price, job.request.terms.amount) = (uint(1_000), U256::exp10(12));
        job.policy.prices = Some(Prices { origin: price(), auxiliary: price(), min_profit: Decimal::ZERO });
        job
    };
    assert_eq!(play(with_prices(10), |_| {}).await.submits().len(), 1);
    let held = play(with_prices(900), |_| {}).await;
    assert!(held.submits().is_empty(), "565,000 gas at 900 is more than 100,000 gas at 1,000");
    let waits = held.park().waiting_for.clone().unwrap_or_default();
    assert!(waits.contains("it would earn"), "{waits}");
}

/// The bounties of accepts that are not mined yet are spoken for.
#[tokio::test]
async fn accepts_under_way_count_against_the_bounty_tokens() {
    let mut job = requested();
    job.source_workers[0].bounties = uint(50);
    let played = play(job, |_| {}).await;
    assert!(played.submits().is_empty());
    let text = played.park().waiting_for.as_deref().unwrap_or_default();
    assert!(text.contains("need 100"), "{text}");
}

#[tokio::test]
async fn a_new_proxy_of_the_sender_is_what_counts() {
    let proxy = Address([0x55; 20]);
    let job = requested();
    let terms = job.request.terms.clone();
    let played = play(job, |chains| {
        let view = pool::proxy_of(Kind::Stake, terms.sender).data;
        chains.say(Side::Origin, gateway().composer, &view, &[Value::Address(proxy)]);
        chains.active(proxy, 0, None, None);
    })
    .await;
    let twice = [READS, READS].concat();
    assert_eq!(played.outline(), [twice, vec!["secret", "save", "submit origin accept", "park"]].concat());
    let Terms { request_hash, nonce, gateway, .. } = terms;
    let input = SecretInput {
        chain_id: 3,
        pool: crate::world::gateway().composer,
        gateway,
        request_hash,
        proxy,
        nonce,
        attempt: 0,
    };
    let hash_lock = secret_of(&input).hash_lock();
    let message_hash = hashes::message_of_request(Kind::Stake, &terms, proxy, hash_lock);
    let saved = played.saves()[0];
    assert_eq!(saved.message_sender, Some(proxy));
    assert_eq!(saved.attempt, Some(Attempt { number: 0, hash_lock, message_hash }));
}

/// Pending is the same request, made again by way of the new proxy. It has a row of its own: if this one took it, both
/// would end with the same message.
#[tokio::test]
async fn a_request_that_was_taken_before_its_proxy_was_destroyed_is_not_taken_again() {
    let (new_proxy, job) = (Address([0x55; 20]), requested());
    let scene = |pending: bool, last: Active| {
        let (sender, job) = (job.request.terms.sender, job.clone());
        move |chains: &mut Chains| {
            let view = pool::proxy_of(Kind::Stake, sender).data;
            chains.say(Side::Origin, gateway().composer, &view, &[Value::Address(new_proxy)]);
            chains.pending(&job, pending, pending);
            chains.active(new_proxy, 0, None, None);
            chains.active(PROXY, 1, last, None);
        }
    };
    for pending in [true, false] {
        let taken = play(job.clone(), scene(pending, FOREIGN)).await;
        refused(&taken, State::TakenByOther, "another facilitator accepted it");
        let not_final = play(job.clone(), |chains| {
            scene(pending, FOREIGN)(chains);
            chains.final_nonce(PROXY, 0);
        })
        .await;
        assert_eq!((not_final.saves().len(), not_final.submits().len()), (0, 0));
        let waits = not_final.park().waiting_for.clone().unwrap_or_default();
        assert!(waits.contains("not final yet"), "{waits}");
        let ours = Some((message(0), MessageStatus::Declared, 0));
        let adopted = play(job.clone(), |chains| {
            scene(pending, ours)(chains);
            chains.own_message(0, MessageStatus::Declared);
        })
        .await;
        let saved = adopted.saves()[0];
        assert_eq!((saved.message_sender, saved.attempt.map(|own| own.message_hash)), (Some(PROXY), Some(message(0))));
        assert!(adopted.submits().is_empty());
    }
}

/// Law 3: a secret that is public and whose message no chain knows is never used again.
#[tokio::test]
async fn only_a_burnt_secret_is_replaced() {
    use MessageStatus::{Declared, Undeclared};
    let on_target = Some((message(0), Declared, 0));
    for (published, inbox, number) in [(false, None, 0), (true, None, 1), (true, on_target, 0)] {
        let mut job = accepted();
        job.request.state = State::Requested;
        job.request.unlock_secret = published.then(|| secret(0).reveal());
        let status = inbox.map_or(Undeclared, |_| Declared);
        let played = play(job, |chains| {
            chains.statuses((Undeclared, Undeclared), (status, status));
            chains.active(PROXY, 0, None, inbox);
        })
        .await;
        let attempt = played.saves()[0].attempt.unwrap();
        assert_eq!((attempt.number, attempt.message_hash), (number, message(number)), "published: {published}");
        assert_eq!(played.submits()[0].intent, format!("accept:7:{number}"));
    }
}

#[tokio::test]
async fn an_accept_that_fails_is_tried_again_after_a_pause() {
    let job = requested();
    let revert = Failure::WouldRevert(Revert::Reason("Stake request must exists.".into()));
    let script = Script::new(Chains::ready_to_accept(&job)).answering(Step::Accept, SubmitAnswer::Failed(revert));
    let played = script.run(job).await;
    let park = played.park();
    assert_eq!(park.update.state, Some(State::Failed(Stage::Accept)));
    assert_eq!((park.update.failures, park.retry_in_ms, &park.wait), (Some(1), Some(1_000), &Wait::Clock));
    let error = park.update.last_error.as_deref().unwrap_or_default();
    assert!(error.contains("Stake request must exists."), "{error}");
}

/// A failure that the journal tells of is waited for once, then the next try follows.
#[tokio::test]
async fn a_failure_in_the_journal_is_paused_for_once() {
    let failed = |waited| {
        let mut job = requested();
        job.request.failures = waited;
        job.failed = vec![FailedStep { step: Step::Accept, count: 3, refused: 3, error: "out of luck".into() }];
        job
    };
    let played = play(failed(2), |_| {}).await;
    assert_eq!(played.outline(), ["park"]);
    let park = played.park();
    assert_eq!(park.update.state, Some(State::Failed(Stage::Accept)));
    assert_eq!((park.update.failures, park.retry_in_ms), (Some(3), Some(4_000)));
    assert_eq!(park.update.last_error.as_deref(), Some("out of luck"));
    let played = play(failed(3), |_| {}).await;
    assert_eq!(played.submits().len(), 1);
}

/// A step whose transaction is on its way is not taken again, whatever the journal tells of earlier tries.
#[tokio::test]
async fn an_accept_under_way_is_waited_for_without_a_look() {
    let mut job = requested();
    job.alive = vec![Step::Accept];
    job.failed = vec![FailedStep { step: Step::Accept, count: 3, refused: 3, error: "out of luck".into() }];
    let played = Script::new(Chains::default()).run(job).await;
    assert_eq!(played.outline(), ["park"]);
    let park = played.park();
    assert_eq!((&park.wait, park.retry_in_ms), (&Wait::Happening, Some(RECHECK_MS)));
}

/// Law 3: after a loss of the database the key tells that a declared message is our own, also when its sender has
/// declared another one since: the earlier one may still have to be finished on the target chain.
#[tokio::test]
async fn a_message_under_our_own_lock_is_taken_up() {
    let later = Some((B256([6; 32]), MessageStatus::Declared, 1));
    for number in [0, 1] {
        for (status, active) in [
            (MessageStatus::Declared, Some((message(number), MessageStatus::Declared, 0))),
            (MessageStatus::Progressed, Some((message(number), MessageStatus::Progressed, 0))),
            (MessageStatus::Progressed, later),
        ] {
            let job = requested();
            let played = play(job.clone(), |chains| {
                chains.pending(&job, false, false);
                chains.active(PROXY, 1, active, None);
                chains.own_message(number, status);
            })
            .await;
            assert!(played.submits().is_empty());
            let hash_lock = secret(number).hash_lock();
            let saved = played.saves()[0];
            assert_eq!(saved.attempt, Some(Attempt { number, hash_lock, message_hash: message(number) }));
            assert_eq!((saved.message_sender, saved.origin_worker), (Some(PROXY), Some(SOURCE_WORKER)));
            // The next worker begins with the message at once.
            assert_eq!((&played.park().wait, played.park().retry_in_ms), (&Wait::Nothing, None));
        }
    }
}

/// After a loss of the database; the money is locked, whatever would be accepted now.
#[tokio::test]
async fn a_message_under_our_own_lock_is_taken_up_though_its_terms_would_be_refused_today() {
    let mut job = requested();
    job.policy.min_gas_price = U256::MAX;
    let played = play(job.clone(), |chains| {
        chains.pending(&job, false, false);
        chains.active(PROXY, 1, Some((message(0), MessageStatus::Declared, 0)), None);
        chains.own_message(0, MessageStatus::Declared);
    })
    .await;
    assert_eq!(played.saves()[0].attempt.map(|attempt| attempt.message_hash), Some(message(0)));
    assert_eq!(&played.park().wait, &Wait::Nothing);
}
