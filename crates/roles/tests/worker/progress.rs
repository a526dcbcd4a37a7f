//! STAKE_INTENT_CONFIRMED to COMPLETE: law 4.

use crate::chains::{Chains, data};
use crate::script::{Played, Script};
use crate::world::{SOURCE_WORKER, TARGET_WORKER, accepted, gateway, message, secret};
use facilitator_chain::reader::{Answer, Query};
use facilitator_eth::abi::Revert;
use facilitator_protocol::contracts::gateway::{Leg, progress};
use facilitator_protocol::model::MessageStatus::{self, Declared, Progressed, Undeclared};
use facilitator_protocol::model::{Kind, Side, Stage, State, Step, Wait};
use facilitator_protocol::transfer::accept::InFlight;
use facilitator_roles::messages::{FailedStep, FromWorker};
use facilitator_sender::{Failure, SubmitAnswer, Visibility};

const BEGIN: [&str; 3] = ["read origin", "read auxiliary", "secret"];

fn scene(outbox: MessageStatus, inbox: MessageStatus) -> Chains {
    let mut chains = Chains::settled(outbox, inbox);
    for leg in [Leg::Source, Leg::Target] {
        chains.leg(leg, data(&[]));
    }
    chains
}

async fn play(chains: Chains) -> Played {
    Script::new(chains).run(accepted()).await
}

#[tokio::test]
async fn both_legs_are_simulated_before_either_is_handed_over() {
    let played = play(scene(Declared, Declared)).await;
    let rest =
        ["read origin", "read auxiliary", "submit origin progress_source", "submit auxiliary progress_target", "park"];
    assert_eq!(played.outline(), [BEGIN.as_slice(), &rest].concat());
    let [source, target] = played.submits()[..] else { panic!("two transactions") };
    let set = gateway();
    for (submit, leg, from, to) in
        [(source, Leg::Source, SOURCE_WORKER, set.gateway), (target, Leg::Target, TARGET_WORKER, set.cogateway)]
    {
        assert_eq!(submit.data, progress(Kind::Stake, leg, message(0), &secret(0)));
        assert_eq!((submit.from, submit.to), (Some(from), to));
        assert_eq!(submit.visibility, Visibility::Reveals, "law 3: not in the database before it is signed");
        assert_eq!((submit.intent.clone(), &submit.after), (format!("{}:{}", submit.step, message(0)), &None));
    }
    let park = played.park();
    assert_eq!((&park.wait, park.update.state), (&Wait::Happening, Some(State::IntentConfirmed)));
}

/// Law 4: behind another payment, which may never be made, a leg that pays the beneficiary may succeed where it would not.
#[tokio::test]
async fn the_leg_that_pays_the_beneficiary_is_simulated_behind_no_other() {
    let played = play(scene(Declared, Declared)).await;
    for (leg, account) in [(Leg::Source, SOURCE_WORKER), (Leg::Target, TARGET_WORKER)] {
        let simulated = progress(Kind::Stake, leg, message(0), &secret(0));
        let mut asked = played.heard.iter().flat_map(|message| match message {
            FromWorker::Read(_, _, queries) => queries.as_slice(),
            FromWorker::Submit(..) | FromWorker::Secret(..) | FromWorker::Save(..) | FromWorker::Park(_) => &[],
        });
        let of_leg = |query: &Query| match query {
            Query::Call { from, data, .. } => (*data == simulated).then_some((*from, Leg::Target)),
            Query::Trial { from, data, .. } => (*data == simulated).then_some((Some(*from), Leg::Source)),
            Query::Balance { .. } | Query::Code { .. } | Query::Proof { .. } | Query::StateRoot { .. } => None,
        };
        let found = asked.find_map(of_leg).unwrap();
        assert_eq!(found, (Some(account), leg));
    }
}

/// Law 4: a leg that would revert keeps the secret hidden on both chains.
#[tokio::test]
async fn nothing_is_handed_over_if_one_leg_would_revert() {
    for (leg, stage) in [(Leg::Source, Stage::ProgressSource), (Leg::Target, Stage::ProgressTarget)] {
        let mut chains = scene(Declared, Declared);
        chains.leg(leg, Answer::Reverted(Revert::Reason("Invalid unlock secret.".into())));
        let played = play(chains).await;
        assert_eq!(played.outline(), [BEGIN.as_slice(), &["read origin", "read auxiliary", "park"]].concat());
        let park = played.park();
        assert_eq!(park.update.state, Some(State::Failed(stage)));
        let error = park.update.last_error.as_deref().unwrap_or_default();
        assert!(error.contains("the secret is kept: Invalid unlock secret."), "{error}");
        assert_eq!(park.retry_in_ms, Some(1_000));
    }
}

/// Protocol.md R4: the other leg alone would give the secret away, and with it what the unpaid leg brings.
#[tokio::test]
async fn nothing_is_handed_over_if_one_leg_cannot_be_paid_for() {
    for (side, account) in [(Side::Origin, SOURCE_WORKER), (Side::Auxiliary, TARGET_WORKER)] {
        let mut chains = scene(Declared, Declared);
        chains.coin(side, 100);
        let played = play(chains).await;
        assert!(played.submits().is_empty());
        let waits = played.park().waiting_for.clone().unwrap_or_default();
        assert!(waits.contains(&format!("gas funds: worker {account} has 100 wei")), "{waits}");
        assert_eq!(played.park().update.state, Some(State::IntentConfirmed));
    }
    let mut chains = scene(Progressed, Declared);
    chains.coin(Side::Auxiliary, 100);
    assert_eq!(play(chains).await.submits().len(), 1, "the secret is public already");
}

/// Each of those that reveal together sees the whole balance: they share it.
#[tokio::test]
async fn legs_of_others_that_reveal_at_the_same_time_are_paid_for_first() {
    // 136,000 gas of a mint, 80,000 of a redeem's source leg, at 3 wei and 150 %.
    let (mint, redeem) = (612_000_u64, 360_000_u64);
    for (reveals, needs) in [
        (InFlight::default(), mint),
        (InFlight { stakes: 2, redeems: 0 }, 3 * mint),
        (InFlight { stakes: 1, redeems: 1 }, 2 * mint + redeem),
    ] {
        let mut job = accepted();
        job.target_workers[0].reveals = reveals;
        for (has, submits) in [(needs, 2), (needs - 1, 0)] {
            let mut chains = scene(Declared, Declared);
            chains.coin(Side::Auxiliary, has);
            let played = Script::new(chains).run(job.clone()).await;
            assert_eq!(played.submits().len(), submits, "{reveals:?}: {has}");
        }
    }
}

#[tokio::test]
async fn nothing_is_handed_over_if_one_leg_cannot_be_simulated() {
    for (leg, side) in [(Leg::Source, Side::Origin), (Leg::Target, Side::Auxiliary)] {
        let mut chains = scene(Declared, Declared);
        chains.leg(leg, Answer::Failed("timed out".into()));
        let played = play(chains).await;
        assert!(played.submits().is_empty());
        let error = format!("could not read the {side} chain: timed out");
        assert_eq!((played.park().update.state, played.park().update.last_error.as_ref()), (None, Some(&error)));
    }
}

#[tokio::test]
async fn the_secret_is_not_even_asked_for_before_the_inbox_is_final() {
    for inbox in [(Declared, Undeclared), (Progressed, Undeclared)] {
        let played = play(Chains::at((Declared, Declared), inbox)).await;
        assert_eq!(played.outline(), ["read origin", "read auxiliary", "park"], "{inbox:?}");
        assert_eq!(played.park().update.state, Some(State::Accepted));
    }
}

#[tokio::test]
async fn a_leg_that_is_done_is_not_done_again() {
    let cases = [
        ((Declared, Progressed), ["read origin", "submit origin progress_source"], State::TargetProgressed),
        ((Progressed, Declared), ["read auxiliary", "submit auxiliary progress_target"], State::SourceProgressed),
    ];
    for ((outbox, inbox), steps, state) in cases {
        let played = play(scene(outbox, inbox)).await;
        assert_eq!(played.outline(), [BEGIN.as_slice(), &steps, &["park"]].concat());
        assert_eq!(played.park().update.state, Some(state));
    }
}

#[tokio::test]
async fn a_secret_that_does_not_open_the_lock_is_not_shown_to_any_node() {
    let script = Script { another_key: true, ..Script::new(scene(Declared, Declared)) };
    let played = script.run(accepted()).await;
    assert_eq!(played.outline(), [BEGIN.as_slice(), &["park"]].concat());
    let park = played.park();
    assert_eq!(park.update.state, Some(State::Failed(Stage::ProgressSource)));
    let error = park.update.last_error.as_deref().unwrap_or_default();
    assert!(error.contains("accepted under another key"), "{error}");
}

#[tokio::test]
async fn a_refused_leg_is_named_by_its_step() {
    for (step, stage) in [(Step::ProgressSource, Stage::ProgressSource), (Step::ProgressTarget, Stage::ProgressTarget)]
    {
        let script = Script::new(scene(Declared, Declared));
        let played = script.answering(step, SubmitAnswer::Failed(Failure::Interrupted)).run(accepted()).await;
        assert_eq!(played.park().update.state, Some(State::Failed(stage)));
        // By the journal alone the same is waited for before anything is asked or simulated.
        let mut job = accepted();
        job.failed = vec![FailedStep { step, count: 1, refused: 1, error: "reverted".into() }];
        let played = Script::new(scene(Declared, Declared)).run(job).await;
        assert_eq!(played.outline(), ["read origin", "read auxiliary", "park"]);
        assert_eq!(played.park().update.state, Some(State::Failed(stage)));
    }
}

/// A leg whose transaction is on its way is neither simulated nor handed over again.
#[tokio::test]
async fn legs_under_way_are_waited_for() {
    let cases = [
        (vec![Step::ProgressSource], vec!["secret", "read auxiliary", "submit auxiliary progress_target", "park"]),
        (vec![Step::ProgressTarget], vec!["secret", "read origin", "submit origin progress_source", "park"]),
        (vec![Step::ProgressSource, Step::ProgressTarget], vec!["park"]),
    ];
    for (alive, rest) in cases {
        let mut job = accepted();
        job.alive = alive;
        let played = Script::new(scene(Declared, Declared)).run(job).await;
        assert_eq!(played.outline(), [vec!["read origin", "read auxiliary"], rest].concat());
        assert_eq!(played.park().wait, Wait::Happening);
    }
}
