//! The ways to leave a request that need no step: waiting, done, contradiction, a chain that is down, a stop, the end of
//! the parent.

use crate::chains::Chains;
use crate::script::{Played, Script};
use crate::world::{DECLARED, RECHECK_MS, accepted, requested};
use facilitator_eth::abi::Revert;
use facilitator_protocol::contracts::gateway::Leg;
use facilitator_protocol::model::MessageStatus::{self, Declared, DeclaredRevocation, Progressed, Revoked, Undeclared};
use facilitator_protocol::model::{Side, State, Update, Wait};
use facilitator_roles::messages::{FromWorker, Job};
use facilitator_roles::worker::Leave;

const LOOK: [&str; 3] = ["read origin", "read auxiliary", "park"];

async fn look(outbox: (MessageStatus, MessageStatus), inbox: (MessageStatus, MessageStatus)) -> Played {
    Script::new(Chains::at(outbox, inbox)).run(accepted()).await
}

/// Latest and final status of outbox and inbox, what is waited for, and the state that is stored.
#[tokio::test]
async fn what_is_not_final_is_waited_for() {
    let declared = (Declared, Declared);
    let undeclared = (Undeclared, Undeclared);
    let cases = [
        ((Declared, Undeclared), undeclared, "the declared message", State::Requested),
        (declared, (Declared, Undeclared), "the confirmed message", State::Accepted),
        ((Progressed, Declared), (Progressed, Declared), "the progress transactions", State::IntentConfirmed),
        ((Progressed, Progressed), (Progressed, Declared), "the progress transactions", State::SourceProgressed),
        ((Progressed, Declared), (Progressed, Progressed), "the progress transactions", State::TargetProgressed),
        ((DeclaredRevocation, Declared), undeclared, "revocation", State::Accepted),
    ];
    for (outbox, inbox, what, state) in cases {
        let played = look(outbox, inbox).await;
        assert_eq!(played.outline(), LOOK, "{outbox:?} {inbox:?}");
        let park = played.park();
        assert!(park.waiting_for.as_deref().unwrap_or_default().contains(what), "{park:?}");
        assert_eq!((&park.wait, park.retry_in_ms), (&Wait::Happening, Some(RECHECK_MS)));
        assert_eq!(park.update.state, Some(state), "{outbox:?} {inbox:?}");
        assert_eq!((park.update.outbox, park.update.inbox), (Some(outbox.0), Some(inbox.0)));
    }
}

/// Law 1: whatever the row says, the chains decide.
#[tokio::test]
async fn what_both_chains_have_finished_is_finished() {
    for (outbox, inbox, state) in [(Progressed, Progressed, State::Complete), (Revoked, Revoked, State::Revoked)] {
        for before in [State::Requested, State::Accepted, State::Unknown] {
            let mut job = accepted();
            (job.request.state, job.request.failures) = (before, 4);
            let played = Script::new(Chains::settled(outbox, inbox)).run(job).await;
            assert_eq!(played.outline(), LOOK);
            let park = played.park();
            assert_eq!((park.update.state, park.update.failures), (Some(state), Some(0)));
            assert_eq!((&park.wait, &park.waiting_for, park.retry_in_ms), (&Wait::End, &None, None));
        }
    }
}

#[tokio::test]
async fn chains_that_contradict_each_other_are_for_the_operator() {
    let played = look((Declared, Declared), (Revoked, Revoked)).await;
    let park = played.park();
    assert_eq!((park.update.state, park.retry_in_ms), (Some(State::Unknown), Some(300_000)));
    let error = park.update.last_error.as_deref().unwrap_or_default();
    assert!(error.contains("declared in the outbox and revoked in the inbox"), "{error}");
}

#[tokio::test]
async fn a_chain_that_cannot_be_read_is_tried_again_ever_more_slowly() {
    for (side, holds, pause) in [(Side::Origin, 0, 1_000), (Side::Auxiliary, 3, 8_000), (Side::Origin, 40, 30_000)] {
        let mut chains = Chains::settled(Declared, Undeclared);
        chains.go_down(side, "connection refused");
        let mut job = accepted();
        job.request.holds = holds;
        let played = Script::new(chains).run(job).await;
        let park = played.park();
        let text = format!("could not read the {side} chain: connection refused");
        let update = Update { holds: Some(holds + 1), last_error: Some(text.clone()), ..Update::default() };
        assert_eq!(park.update, update, "the step has not failed: its state stays");
        assert_eq!((park.retry_in_ms, park.waiting_for.as_ref()), (Some(pause), Some(&text)));
    }
}

/// The proof is asked for together with the statuses, but where that went wrong no longer.
#[tokio::test]
async fn a_node_that_is_slow_at_proofs_does_not_hide_that_a_request_is_done() {
    let look = async |holds, failures| {
        let mut chains = Chains::settled(Progressed, Progressed);
        let mut job = accepted();
        job.roots.push(chains.block(DECLARED, Declared));
        chains.proven(DECLARED, false);
        chains.slow_proofs();
        (job.request.holds, job.request.failures) = (holds, failures);
        Script::new(chains).run(job).await
    };
    let first = look(0, 0).await;
    let update = &first.park().update;
    assert_eq!((update.state, update.holds), (None, Some(1)), "{update:?}");
    for (holds, failures) in [(1, 0), (0, 1), (7, 3)] {
        let next = look(holds, failures).await;
        assert_eq!((next.park().update.state, &next.park().wait), (Some(State::Complete), &Wait::End));
    }
}

#[tokio::test]
async fn a_contract_that_is_none_is_a_chain_that_cannot_be_read() {
    let job = requested();
    let mut chains = Chains::ready_to_accept(&job);
    chains.say(Side::Origin, crate::world::gateway().gateway, &bounty(), &[]);
    let played = Script::new(chains).run(job).await;
    assert!(played.submits().is_empty());
    let error = played.park().update.last_error.as_deref().unwrap_or_default();
    assert!(error.starts_with("could not read the origin chain"), "{error}");
}

fn bounty() -> facilitator_eth::Bytes {
    facilitator_protocol::contracts::gateway::bounty().data
}

type Scene = (&'static str, Job, fn(&Job) -> Chains);

/// The scenes that take the most messages.
fn scenes() -> Vec<Scene> {
    let accept: fn(&Job) -> Chains = Chains::ready_to_accept;
    let progress: fn(&Job) -> Chains = |_| both_legs();
    vec![("accept", requested(), accept), ("progress", accepted(), progress)]
}

fn both_legs() -> Chains {
    let mut chains = Chains::settled(Declared, Declared);
    for leg in [Leg::Source, Leg::Target] {
        chains.leg(leg, crate::chains::data(&[]));
    }
    chains
}

/// A stop at every point: the request is handed back for the next one and nothing more is done; but what is handed to a
/// sender is seen through, since leaving then could drop one leg of a revealed secret.
#[tokio::test]
async fn a_stop_hands_back_whenever_it_comes() {
    for (name, job, chains) in scenes() {
        let whole = Script::new(chains(&job)).run(job.clone()).await.outline();
        for count in 0..whole.len() {
            let script = Script { stop_after: Some(count), ..Script::new(chains(&job)) };
            let played = script.run(job.clone()).await;
            let (park, outline) = (played.park(), played.outline());
            if whole[count].starts_with("submit") || whole[count] == "park" {
                assert_eq!((&outline, &park.wait), (&whole, &Wait::Happening), "{name}, stopped at {count}");
                continue;
            }
            assert_eq!((&park.wait, park.retry_in_ms), (&Wait::Nothing, None), "{name}, stopped at {count}");
            assert_eq!(park.update, Update::default(), "{name}: whatever was decided is decided again");
            // Both questions of a pair may have left already.
            let more = outline.len() - 1 - count;
            assert!((1..=2).contains(&more), "{name}, stopped at {count}: {outline:?}");
            assert!(played.submits().is_empty(), "{name}, stopped at {count}: {outline:?}");
        }
    }
}

#[tokio::test]
async fn a_parent_that_is_gone_ends_the_worker_whenever_it_goes() {
    for (name, job, chains) in scenes() {
        let whole = Script::new(chains(&job)).run(job.clone()).await.heard.len();
        for count in 0..whole {
            let script = Script { gone_after: Some(count), ..Script::new(chains(&job)) };
            let played = script.run(job.clone()).await;
            let result = played.result.unwrap_err();
            assert!(matches!(result, Leave::ParentGone | Leave::Ipc(_)), "{name}, gone at {count}: {result}");
        }
    }
}

/// Nothing that a log could show of any message holds the secret, in either direction.
#[tokio::test]
async fn the_secret_is_asked_for_and_never_shown() {
    let hidden = hex(crate::world::secret(0).reveal().as_bytes());
    for (name, job, chains) in scenes() {
        let played = Script::new(chains(&job)).run(job).await;
        assert!(played.heard.iter().any(|message| matches!(message, FromWorker::Secret(..))), "{name}: not asked for");
        let line = played.told.lines().find(|line| line.contains(&hidden));
        assert_eq!(line, None, "{name}: shows the secret");
    }
    let mut reverting = both_legs();
    reverting.leg(Leg::Target, facilitator_chain::reader::Answer::Reverted(Revert::Empty));
    let played = Script::new(reverting).run(accepted()).await;
    assert!(!played.told.contains(&hidden), "shows the secret");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
