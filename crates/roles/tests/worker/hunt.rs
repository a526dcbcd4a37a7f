//! Messages that others left: nothing of ours but the gas, so nothing is done that does not pay, and no secret is used
//! that is not public.

use crate::chains::{Chains, data};
use crate::script::{Played, Script};
use crate::world::{DECLARED, SOURCE_WORKER, TARGET_WORKER, foreign, gateway, message, secret, uint};
use facilitator_chain::reader::Answer;
use facilitator_eth::abi::{Revert, Value};
use facilitator_eth::{B256, Decimal, U256};
use facilitator_protocol::contracts::gateway::{Leg, progress, progress_with_proof};
use facilitator_protocol::contracts::token;
use facilitator_protocol::model::MessageStatus::{Declared, DeclaredRevocation, Progressed, Undeclared};
use facilitator_protocol::model::{FinePrint, Kind, MessageStatus, Side, Stage, State, Step, Wait};
use facilitator_protocol::proof::serialise_storage;
use facilitator_protocol::transfer::accept::InFlight;
use facilitator_protocol::transfer::hunt::{MOST_FAILURES, MOST_HOLDS};
use facilitator_roles::messages::{FailedStep, Hunt, Job};
use facilitator_sender::{Failure, SubmitAnswer, Visibility};

const READ: [&str; 2] = ["read origin", "read auxiliary"];
const BOUNTY: u64 = 10_000_000;

fn hash_lock() -> B256 {
    secret(0).hash_lock()
}

fn scene(job: &Job, outbox: MessageStatus, inbox: MessageStatus) -> Chains {
    let mut chains = Chains::settled(outbox, inbox);
    chains.kept(job, hash_lock(), 400_000, BOUNTY);
    chains
}

fn hunt(job: &mut Job) -> &mut Hunt {
    job.hunt.as_mut().unwrap()
}

fn print(job: &Job) -> FinePrint {
    let terms = &job.request.terms;
    FinePrint { hash_lock: hash_lock(), gas_price: terms.gas_price, gas_limit: terms.gas_limit }
}

/// As the scan makes the row: no event says what a gas unit is worth.
fn unread(mut job: Job) -> Job {
    (job.request.terms.gas_price, job.request.terms.gas_limit) = (U256::ZERO, U256::ZERO);
    job
}

#[track_caller]
fn left_alone(played: &Played, why: &str) {
    let park = played.park();
    assert_eq!((park.update.state, &park.wait), (Some(State::Skipped), &Wait::End));
    let reason = park.update.last_error.as_deref().unwrap_or_default();
    assert!(reason.starts_with("left alone: ") && reason.contains(why), "{reason}");
    assert!(played.submits().is_empty());
}

#[tokio::test]
async fn a_declared_one_is_confirmed_once_what_it_says_is_committed() {
    let mut job = foreign();
    let mut chains = scene(&job, Declared, Undeclared);
    job.roots = vec![chains.block(DECLARED + 5, Declared)];
    hunt(&mut job).roots = vec![chains.target_block(70, Undeclared)];
    chains.proven(DECLARED + 5, false);
    let expected = print(&job);
    let played = Script::new(chains).run(unread(job)).await;
    let rest = [
        "save",
        "read origin",
        "read auxiliary",
        "save",
        "submit auxiliary prove_gateway",
        "submit auxiliary confirm",
        "submit auxiliary progress_target",
        "park",
    ];
    assert_eq!(played.outline(), [READ.as_slice(), &READ, &rest].concat());
    let known = played.saves()[0];
    assert_eq!(known.fine_print, Some(expected), "before anything is sent");
    assert_eq!((known.origin_worker, known.auxiliary_worker), (Some(SOURCE_WORKER), Some(TARGET_WORKER)));
    assert_eq!(known.bounty, Some(uint(BOUNTY)), "two thirds of the penalty");
    let prove = format!("prove:{}:{}", gateway().cogateway.to_lower_hex(), DECLARED + 5);
    let names = [prove, format!("confirm:{}", message(0)), format!("progress_target:{}", message(0))];
    let submits = played.submits();
    assert_eq!(submits.iter().map(|submit| submit.intent.clone()).collect::<Vec<_>>(), names);
    assert_eq!(submits[1].after.as_ref(), Some(&names[0]));
    // The reward is anybody's as soon as the confirmation is mined (protocol.md R5): the leg goes right behind it, by the
    // same proof.
    assert_eq!(submits[2].after.as_ref(), Some(&names[1]));
    let nodes = serialise_storage_of_nothing();
    let leg = progress_with_proof(Kind::Stake, Leg::Target, message(0), &nodes, DECLARED + 5, Declared);
    assert_eq!(submits[2].data.0[..36], leg.0[..36], "function and message");
    assert_eq!(submits[2].data.0[68..132], leg.0[68..132], "height and status");
    assert_eq!(submits[2].visibility, Visibility::Public);
}

/// Of an own message, and of one whose secret is public, the target leg is opened by the secret once it may be.
#[tokio::test]
async fn a_public_secret_is_not_replaced_by_a_proof() {
    let mut job = foreign();
    job.request.unlock_secret = Some(secret(0).reveal());
    let mut chains = scene(&job, Progressed, Undeclared);
    let kept = chains.block(DECLARED + 2, Declared);
    (job.roots, job.target_head.base_fee, job.priority_fees) = (vec![kept], None, (U256::ZERO, U256::ZERO));
    chains.proven(kept.height, true);
    let played = Script::new(chains).run(job).await;
    assert_eq!(played.submits().iter().map(|submit| submit.step).collect::<Vec<_>>(), [Step::Confirm]);
}

/// The sender holds back what comes behind a confirmation; if it takes it not at all, that is no failure of the
/// confirmation.
#[tokio::test]
async fn a_leg_that_is_not_taken_behind_the_confirmation_is_left_for_later() {
    let mut job = foreign();
    let mut chains = scene(&job, Declared, Undeclared);
    job.roots = vec![chains.block(DECLARED + 5, Declared)];
    hunt(&mut job).roots = vec![chains.target_block(70, Undeclared)];
    chains.proven(DECLARED + 5, true);
    let full = SubmitAnswer::Failed(Failure::Busy { limit: 1 });
    let played = Script::new(chains).answering(Step::ProgressTarget, full).run(job).await;
    assert_eq!((&played.park().wait, played.park().update.state), (&Wait::Happening, Some(State::Accepted)));
}

/// Anybody could prove and prove for a message that the inbox will not take (protocol.md R9, R11).
#[tokio::test]
async fn nothing_is_proven_for_a_message_that_cannot_be_confirmed() {
    type Change = fn(&Job, &mut Chains);
    let held: [(Change, &str); 2] = [
        (|_, chains| chains.last_in_inbox(Some((B256([6; 32]), Declared, 0))), "the sender's earlier message"),
        (|job, chains| chains.payment(job, Answer::Reverted(Revert::Empty)), "the mint to"),
    ];
    for (change, why) in held {
        let looked = |holds: u32| {
            let mut job = foreign();
            job.request.holds = holds;
            let mut chains = scene(&job, Declared, Undeclared);
            job.roots = vec![chains.block(DECLARED + 5, Declared)];
            hunt(&mut job).roots = vec![chains.target_block(70, Undeclared)];
            change(&job, &mut chains);
            Script::new(chains).run(job)
        };
        let first = looked(0).await;
        assert!(first.submits().is_empty() && first.saves().is_empty(), "{why}");
        let park = first.park();
        assert_eq!((&park.wait, park.update.holds), (&Wait::Happening, Some(1)));
        assert!(park.waiting_for.as_deref().is_some_and(|text| text.contains(why)), "{park:?}");
        // Not for ever.
        let last = looked(MOST_HOLDS - 1).await;
        left_alone(&last, why);
        left_alone(&last, "in 20 looks");
    }
    let mut job = foreign();
    let mut chains = scene(&job, Declared, Undeclared);
    let exists = token::exists(job.request.terms.beneficiary).data;
    chains.say(Side::Auxiliary, gateway().utility_token, &exists, &[Value::Bool(false)]);
    job.roots = vec![chains.block(DECLARED + 5, Declared)];
    left_alone(&Script::new(chains).run(job).await, "does not know its beneficiary");
}

/// A step that always fails burns gas for ever: after some failures the message is left alone, and stays so.
#[tokio::test]
async fn a_step_that_failed_too_often_is_not_tried_again() {
    let failing = |step, count, refused| {
        let mut job = foreign();
        job.failed = vec![FailedStep { step, count, refused, error: "Invalid nonce".to_owned() }];
        job
    };
    for step in [Step::ProveGateway, Step::Confirm] {
        let job = failing(step, MOST_FAILURES, MOST_FAILURES);
        let played = Script::new(scene(&job, Declared, Undeclared)).run(job).await;
        left_alone(&played, &format!("{step} has failed 5 times, last: Invalid nonce"));
        left_alone(&played, "requests retry");
        assert_eq!(played.outline(), [READ.as_slice(), &["park"]].concat(), "nothing is even asked");
    }
    // Failures of another step don't count, nor fewer of them, nor any that say nothing of the step: fees, a closed gate.
    let passing = [
        (Step::ProgressSource, MOST_FAILURES, MOST_FAILURES),
        (Step::Confirm, MOST_FAILURES - 1, MOST_FAILURES - 1),
        (Step::Confirm, MOST_FAILURES, 1),
    ];
    for (step, count, refused) in passing {
        let mut job = failing(step, count, refused);
        job.request.failures = count;
        let mut chains = scene(&job, Declared, Undeclared);
        job.roots = vec![chains.block(DECLARED + 5, Declared)];
        hunt(&mut job).roots = vec![chains.target_block(70, Undeclared)];
        chains.proven(DECLARED + 5, true);
        let played = Script::new(chains).run(job).await;
        assert_eq!(played.submits().first().map(|submit| submit.step), Some(Step::Confirm), "{step}");
    }
    // A leg whose simulation fails each time.
    let mut job = foreign();
    job.request.state = State::Failed(Stage::ProgressSource);
    (job.request.failures, job.request.last_error) = (MOST_FAILURES, Some("would revert".to_owned()));
    left_alone(&Script::new(scene(&job, Declared, Progressed)).run(job).await, "5 times in a row, last: would revert");
}

/// What own requests need is no hunter's money.
#[tokio::test]
async fn a_key_whose_coin_own_requests_need_pays_for_nothing_else() {
    let mut job = foreign();
    job.request.unlock_secret = Some(secret(0).reveal());
    let chains = |job: &Job, wei| {
        let mut chains = scene(job, Declared, Progressed);
        chains.coin(Side::Origin, wei);
        chains.leg(Leg::Source, data(&[]));
        chains.coin(Side::Origin, wei);
        chains
    };
    // 105,000 gas at three wei, half as much again.
    let gas = 105_000 * 3 * 3 / 2;
    let idle = Script::new(chains(&job, gas + 1)).run(job.clone()).await;
    assert_eq!(idle.submits().len(), 1);
    for worker in &mut job.source_workers {
        worker.in_flight = InFlight { stakes: 1, redeems: 0 };
    }
    let busy = Script::new(chains(&job, gas + 1)).run(job.clone()).await;
    assert!(busy.submits().is_empty());
    assert!(busy.park().waiting_for.as_deref().is_some_and(|text| text.contains("own requests")), "{:?}", busy.park());
    assert_eq!(Script::new(chains(&job, 2 * gas)).run(job).await.submits().len(), 1, "enough for both");
}

#[tokio::test]
async fn without_the_secret_each_leg_is_progressed_by_a_proof_of_the_other_box() {
    let mut job = foreign();
    let mut chains = scene(&job, Declared, Declared);
    let (there, back) = (chains.block(DECLARED + 5, Declared), chains.target_block(70, Declared));
    job.roots = vec![there];
    job.proving = vec![there.height];
    *hunt(&mut job) = Hunt { confirmed_block: Some(60), roots: vec![back], ..hunt(&mut job).clone() };
    chains.proven(there.height, true);
    chains.proven_back(back.height, false);
    let played = Script::new(chains).run(job).await;
    let rest = ["save", "read auxiliary", "read origin", "read origin", "read auxiliary"];
    let sent =
        ["submit origin prove_gateway", "submit origin progress_source", "submit auxiliary progress_target", "park"];
    assert_eq!(played.outline(), [READ.as_slice(), &READ, &rest, &sent].concat());
    let [prove, source, target] = played.submits()[..] else { panic!("three transactions") };
    assert_eq!(prove.intent, format!("prove:{}:70", gateway().gateway.to_lower_hex()));
    assert_eq!(source.after.as_ref(), Some(&prove.intent));
    assert_eq!(target.after, None, "its height is proven");
    for (submit, worker, leg) in [(source, SOURCE_WORKER, Leg::Source), (target, TARGET_WORKER, Leg::Target)] {
        assert_eq!((submit.from, submit.intent.clone()), (Some(worker), format!("{}:{}", submit.step, message(0))));
        let start = progress_with_proof(Kind::Stake, leg, message(0), &serialise_storage_of_nothing(), 0, Declared);
        assert_eq!(submit.data.0[..36], start.0[..36], "function and message");
        assert!(!format!("{:?}", submit.data).contains(&format!("{:x?}", secret(0).reveal().0)));
    }
    assert!(!played.outline().contains(&"secret".to_owned()), "ours does not open it");
}

fn serialise_storage_of_nothing() -> facilitator_eth::Bytes {
    serialise_storage(&facilitator_protocol::proof::StorageProof { key: B256::ZERO, value: U256::ZERO, nodes: vec![] })
}

/// The bounty needs a root of the target chain that has the confirmation.
#[tokio::test]
async fn the_source_leg_waits_for_a_root_of_the_other_chain() {
    let mut job = foreign();
    let chains = scene(&job, Declared, Progressed);
    let too_old = facilitator_roles::messages::AnchoredRoot { height: 50, root: B256::ZERO };
    *hunt(&mut job) = Hunt { confirmed_block: Some(60), roots: vec![too_old], ..hunt(&mut job).clone() };
    let played = Script::new(chains).run(job).await;
    assert!(played.submits().is_empty());
    let wait = Wait::Root { chain_id: 3, anchor: gateway().anchor, at_least: 60 };
    assert_eq!((&played.park().wait, played.park().update.state), (&wait, Some(State::TargetProgressed)));
}

#[tokio::test]
async fn a_public_secret_opens_the_other_leg_and_is_simulated_first() {
    for (outbox, inbox, leg, side, step) in [
        (Progressed, Declared, Leg::Target, Side::Auxiliary, Step::ProgressTarget),
        (Declared, Progressed, Leg::Source, Side::Origin, Step::ProgressSource),
    ] {
        let mut job = foreign();
        job.request.unlock_secret = Some(secret(0).reveal());
        let mut chains = scene(&job, outbox, inbox);
        chains.leg(leg, data(&[]));
        let played = Script::new(chains).run(job).await;
        let rest = ["save".to_owned(), format!("read {side}"), format!("submit {side} {step}"), "park".to_owned()];
        assert_eq!(played.outline(), [READ.map(str::to_owned).as_slice(), &READ.map(str::to_owned), &rest].concat());
        assert_eq!(played.submits()[0].data, progress(Kind::Stake, leg, message(0), &secret(0)));
    }
}

/// Law 4, for foreign messages as for our own.
#[tokio::test]
async fn nothing_is_progressed_before_the_confirmation_is_final() {
    let mut job = foreign();
    job.request.unlock_secret = Some(secret(0).reveal());
    let played = Script::new(Chains::at((Declared, Declared), (Declared, Undeclared))).run(job).await;
    assert_eq!(played.outline(), [READ.as_slice(), &["park"]].concat());
}

/// Its source leg was progressed before the confirmation: only a height at which it still was Declared serves, and only
/// while the target chain keeps its root.
#[tokio::test]
async fn one_that_was_progressed_early_is_confirmed_at_an_old_height_that_is_still_kept() {
    let mut job = foreign();
    // Its bounty is gone, and its reward alone pays only where gas is cheap.
    (job.target_head.base_fee, job.priority_fees) = (None, (U256::ZERO, U256::ZERO));
    let mut chains = scene(&job, Progressed, Undeclared);
    let gone = chains.block(DECLARED + 1, Declared);
    let kept = chains.block(DECLARED + 2, Declared);
    let late = chains.block(DECLARED + 3, Progressed);
    job.roots = vec![late, kept, gone];
    for (root, anchored) in [(gone, false), (kept, true)] {
        chains.proven(root.height, false);
        chains.in_anchor(root, anchored);
        chains.confirmation_reverts(&job, hash_lock(), root.height);
    }
    let played = Script::new(chains).run(job).await;
    let heights: Vec<String> = played.submits().iter().map(|submit| submit.intent.clone()).collect();
    let prove = format!("prove:{}:{}", gateway().cogateway.to_lower_hex(), kept.height);
    assert_eq!(heights, [prove, format!("confirm:{}", message(0)), format!("progress_target:{}", message(0))]);
}

#[tokio::test]
async fn what_does_not_pay_is_left_alone_with_its_reason() {
    let mut job = foreign();
    hunt(&mut job).policy.min_profit = Decimal::one();
    let chains = scene(&job, Declared, Undeclared);
    let expected = print(&job);
    let played = Script::new(chains).run(unread(job.clone())).await;
    left_alone(&played, "it doesn't pay");
    assert_eq!(played.park().update.fine_print, Some(expected), "for whoever looks at it");
    assert!(played.park().update.log.is_some());
    // Judged anew with the same outcome, its life does not grow.
    job.request.last_error = played.park().update.last_error.clone();
    let played = Script::new(scene(&job, Declared, Undeclared)).run(job).await;
    left_alone(&played, "it doesn't pay");
    assert_eq!(played.park().update.log, None);
}

#[tokio::test]
async fn with_the_hunter_off_and_in_a_revocation_nothing_is_even_asked() {
    let mut off = foreign();
    off.hunt = None;
    let played = Script::new(Chains::settled(Declared, Undeclared)).run(off).await;
    left_alone(&played, "`hunter.enabled`");
    assert_eq!(played.outline(), [READ.as_slice(), &["park"]].concat());
    for inbox in [Undeclared, Declared] {
        let played = Script::new(Chains::settled(DeclaredRevocation, inbox)).run(foreign()).await;
        left_alone(&played, "its sender takes it back");
        assert_eq!(played.outline(), [READ.as_slice(), &["park"]].concat());
    }
}

#[tokio::test]
async fn terms_that_do_not_give_the_message_are_not_believed() {
    let job = foreign();
    let mut chains = scene(&job, Declared, Undeclared);
    chains.kept(&job, B256([1; 32]), 0, BOUNTY);
    left_alone(&Script::new(chains).run(unread(job)).await, "neither contract");
}

#[tokio::test]
async fn what_was_sent_for_it_is_waited_for_whatever_the_prices_say_now() {
    let mut job = foreign();
    hunt(&mut job).policy.min_profit = Decimal::one();
    for (inbox, alive) in [
        (Undeclared, vec![Step::Confirm]),
        (Declared, vec![Step::ProgressTarget]),
        (Progressed, vec![Step::ProgressSource]),
    ] {
        let mut job = job.clone();
        job.alive = alive;
        let played = Script::new(scene(&job, Declared, inbox)).run(job).await;
        assert_eq!(played.park().wait, Wait::Happening, "{inbox}");
        assert!(played.submits().is_empty());
    }
}

#[tokio::test]
async fn without_gas_it_is_held_until_there_is_some() {
    let mut job = foreign();
    job.request.unlock_secret = Some(secret(0).reveal());
    let mut chains = scene(&job, Declared, Progressed);
    chains.coin(Side::Origin, 5);
    let played = Script::new(chains).run(job).await;
    let park = played.park();
    assert_eq!((&park.wait, park.update.state), (&Wait::Happening, Some(State::TargetProgressed)));
    assert!(park.waiting_for.as_deref().is_some_and(|reason| reason.contains("send it base coin")), "{park:?}");
}
