//! ACCEPTED to STAKE_INTENT_CONFIRMED.

use crate::chains::Chains;
use crate::script::{Played, Script};
use crate::world::{DECLARED, PROXY, RECHECK_MS, TARGET_WORKER, accepted, gateway, message, secret};
use facilitator_chain::reader::Answer;
use facilitator_eth::abi::Revert;
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::contracts::gateway as gateways;
use facilitator_protocol::model::MessageStatus::{Declared, Progressed, Undeclared};
use facilitator_protocol::model::{Kind, Park, Stage, State, Step, Wait};
use facilitator_protocol::proof::{AccountProof, serialise_account, serialise_nodes, serialise_storage};
use facilitator_roles::messages::{AnchoredRoot, Job};
use facilitator_sender::{Failure, SubmitAnswer, Visibility};

/// How many anchored heights a worker tries at most.
const MAX_HEIGHTS: usize = 4;

/// The source chain alone has the message; these heights have it as declared and are not proven yet.
fn scene(heights: &[u64]) -> (Job, Chains) {
    let mut chains = Chains::settled(Declared, Undeclared);
    let mut job = accepted();
    for height in heights {
        job.roots.push(chains.block(*height, Declared));
        chains.proven(*height, false);
    }
    (job, chains)
}

async fn play((job, chains): (Job, Chains)) -> Played {
    Script::new(chains).run(job).await
}

#[track_caller]
fn waits_for_root(park: &Park, at_least: u64) {
    let wait = Wait::Root { chain_id: 1406, anchor: gateway().co_anchor, at_least };
    assert_eq!((&park.wait, park.retry_in_ms), (&wait, Some(RECHECK_MS)));
    assert_eq!(park.update.state, Some(State::Accepted));
    let text = park.waiting_for.as_deref().unwrap_or_default();
    assert!(text.contains(&format!("block {at_least} or later")), "{text}");
}

#[tokio::test]
async fn without_a_root_it_parks_for_the_first_one_that_can_prove_the_declaration() {
    let played = play(scene(&[])).await;
    assert_eq!(played.outline(), ["read origin", "read auxiliary", "park"]);
    waits_for_root(played.park(), DECLARED);
    // Roots of heights before the declaration prove nothing and are not even asked about.
    let played = play(scene(&[DECLARED - 1])).await;
    assert_eq!(played.outline(), ["read origin", "read auxiliary", "park"]);
    waits_for_root(played.park(), DECLARED);
}

#[tokio::test]
async fn gateway_and_message_are_proven_with_one_height() {
    let (job, chains) = scene(&[DECLARED]);
    let account = account_of(&chains, DECLARED);
    let terms = job.request.terms.clone();
    let played = play((job, chains)).await;
    assert_eq!(
        played.outline(),
        ["read origin", "read auxiliary", "save", "submit auxiliary prove_gateway", "submit auxiliary confirm", "park"],
        "law 2; the proof comes with the statuses"
    );
    assert_eq!(played.saves()[0].proof_height, Some(DECLARED));
    let cogateway = gateway().cogateway;
    let intent = format!("prove:{}:{DECLARED}", cogateway.to_lower_hex());
    let [prove, confirm] = played.submits()[..] else { panic!("two transactions") };
    assert_eq!((&prove.intent, &prove.after), (&intent, &None), "shared by all requests of the height");
    let nodes = serialise_nodes(&account.account_nodes);
    assert_eq!(prove.data, gateways::prove_gateway(DECLARED, &serialise_account(&account), &nodes));
    assert_eq!((&confirm.intent, &confirm.after), (&format!("confirm:{}", message(0)), &Some(intent)));
    let intent = gateways::Intent {
        sender: PROXY,
        nonce: U256::ZERO,
        beneficiary: terms.beneficiary,
        amount: terms.amount,
        gas_price: terms.gas_price,
        gas_limit: terms.gas_limit,
        hash_lock: secret(0).hash_lock(),
    };
    let nodes = serialise_storage(&account.storage[0]);
    assert_eq!(confirm.data, gateways::confirm(Kind::Stake, &intent, DECLARED, &nodes));
    for submit in [prove, confirm] {
        assert_eq!((submit.from, submit.to), (Some(TARGET_WORKER), cogateway));
        assert_eq!((submit.visibility, submit.allowance), (Visibility::Public, None));
    }
    assert_eq!((&played.park().wait, played.park().update.state), (&Wait::Happening, Some(State::Accepted)));
}

fn account_of(chains: &Chains, height: u64) -> AccountProof {
    let key = facilitator_protocol::proof::outbox_key(message(0), gateway().message_box_offset);
    let query = facilitator_chain::reader::Query::Proof { address: gateway().gateway, key, height };
    let answer = chains.answer(facilitator_protocol::model::Side::Origin, &query);
    let Answer::Proof(account) = answer else { panic!("no proof: {answer:?}") };
    account
}

#[tokio::test]
async fn a_height_that_is_proven_already_is_not_paid_for_again() {
    let (job, mut chains) = scene(&[DECLARED]);
    chains.proven(DECLARED, true);
    let played = play((job, chains)).await;
    let steps: Vec<Step> = played.submits().iter().map(|submit| submit.step).collect();
    assert_eq!((steps, &played.submits()[0].after), (vec![Step::Confirm], &None));
}

/// A height that is paid for saves gas; after a failure it is no longer preferred: it may have been evicted.
#[tokio::test]
async fn a_height_under_way_comes_first_unless_it_failed() {
    for (failures, height) in [(0, 92), (1, 99)] {
        let (mut job, chains) = scene(&[99, 92]);
        (job.proving, job.request.failures) = (vec![92], failures);
        let played = play((job, chains)).await;
        assert_eq!(played.saves()[0].proof_height, Some(height), "after {failures} failures");
    }
}

/// Every way in which a height may not serve: the next one does, and without one a later root is awaited.
#[tokio::test]
async fn a_proof_that_does_not_fit_leads_to_the_next_root() {
    type Spoil = fn(&mut Chains, &mut AnchoredRoot);
    fn altered(chains: &mut Chains, alter: fn(&mut AccountProof)) {
        let mut account = account_of(chains, 99);
        alter(&mut account);
        chains.proof(99, Answer::Proof(account));
    }
    let cases: [(Spoil, &str); 7] = [
        (|_, root| root.root = B256([1; 32]), "does not fit the chain"),
        (|chains, _| altered(chains, |account| account.state_root = None), ""),
        (|chains, _| altered(chains, |account| account.balance = U256::ONE), "proven to be another than stated"),
        (|chains, _| altered(chains, |account| account.storage[0].value = crate::world::uint(2)), "another value"),
        (|chains, _| altered(chains, |account| account.address = Address([1; 20])), "of another account"),
        (|chains, _| chains.proof(99, Answer::Failed("missing trie node".into())), "missing trie node"),
        (|chains, root| *root = chains.block(99, Progressed), "has status 2 in the outbox"),
    ];
    for (spoil, complaint) in cases {
        let spoilt = |heights| {
            let (mut job, mut chains) = scene(heights);
            spoil(&mut chains, &mut job.roots[0]);
            (job, chains)
        };
        let fits = complaint.is_empty();
        let played = play(spoilt(&[99, 95])).await;
        assert_eq!(played.saves()[0].proof_height, Some(if fits { 99 } else { 95 }), "{complaint}");
        let played = play(spoilt(&[99])).await;
        if fits {
            continue;
        }
        assert!(played.submits().is_empty(), "{complaint}");
        waits_for_root(played.park(), 100);
        let error = played.park().update.last_error.as_deref().unwrap_or_default();
        assert!(error.contains(complaint), "no word of `{complaint}`: {error}");
    }
}

#[tokio::test]
async fn only_so_many_roots_are_tried() {
    let (mut job, chains) = scene(&[99, 98, 97, 96, 95, 94]);
    job.roots.iter_mut().for_each(|root| root.root = B256([1; 32]));
    let played = play((job, chains)).await;
    // The first one comes with the statuses.
    assert_eq!(played.outline().len(), 2 + (MAX_HEIGHTS - 1) + 1, "{:?}", played.outline());
    waits_for_root(played.park(), 100);
}

#[tokio::test]
async fn a_refused_transaction_is_named_by_its_step() {
    let reverts = || SubmitAnswer::Failed(Failure::WouldRevert(Revert::Empty));
    for (step, stage) in [(Step::ProveGateway, Stage::Prove), (Step::Confirm, Stage::Confirm)] {
        let (job, chains) = scene(&[DECLARED]);
        let played = Script::new(chains).answering(step, reverts()).run(job).await;
        assert_eq!(played.park().update.state, Some(State::Failed(stage)));
    }
    // Without a gateway proof of its own the first transaction is the confirmation.
    let (job, mut chains) = scene(&[DECLARED]);
    chains.proven(DECLARED, true);
    let played = Script::new(chains).answering(Step::Confirm, reverts()).run(job).await;
    assert_eq!(played.park().update.state, Some(State::Failed(Stage::Confirm)));
}

/// The source leg was progressed by somebody while the inbox does not know the message: an older height proves it.
#[tokio::test]
async fn a_message_that_is_progressed_on_the_source_is_proven_by_an_older_height() {
    let (mut job, mut chains) = scene(&[95]);
    chains.statuses((Progressed, Progressed), (Undeclared, Undeclared));
    job.roots.insert(0, chains.block(99, Progressed));
    chains.proven(99, false);
    let played = play((job, chains)).await;
    assert_eq!(played.saves()[0].proof_height, Some(95));
}

/// What was asked for beforehand and is not needed is passed over: the chains say what is to be done.
#[tokio::test]
async fn a_proof_that_came_with_the_statuses_is_used_only_if_they_ask_for_one() {
    let (mut job, mut chains) = scene(&[DECLARED]);
    chains.statuses((Declared, Declared), (Declared, Undeclared));
    let played = play((job.clone(), chains)).await;
    assert_eq!(played.outline(), ["read origin", "read auxiliary", "park"], "confirmed, not yet finally");
    assert!(played.submits().is_empty());
    // What never came with them is asked for as ever.
    (job, chains) = scene(&[DECLARED]);
    job.request.state = State::Failed(Stage::Confirm);
    let played = play((job, chains)).await;
    assert_eq!(played.outline()[..4], ["read origin", "read auxiliary", "read origin", "read auxiliary"]);
    assert_eq!(played.submits().len(), 2);
}

#[tokio::test]
async fn a_confirmation_under_way_is_waited_for() {
    let (mut job, chains) = scene(&[DECLARED]);
    job.alive = vec![Step::Confirm];
    let played = play((job, chains)).await;
    assert_eq!(played.outline(), ["read origin", "read auxiliary", "park"]);
    assert_eq!(played.park().wait, Wait::Happening);
}
