//! The road back: the same steps between the same two chains, the other way round.

use crate::chains::{Chains, data};
use crate::script::{Played, Script};
use crate::world::{
    DECLARED, PROXY, RECHECK_MS, SOURCE_WORKER, TARGET_WORKER, accepted_of, gateway, message_of, pool, requested_of,
    secret_for, uint,
};
use facilitator_chain::reader::Answer;
use facilitator_eth::abi::Revert;
use facilitator_eth::{Address, U256};
use facilitator_protocol::contracts::gateway::{self as gateways, Leg};
use facilitator_protocol::contracts::pool as pools;
use facilitator_protocol::model::MessageStatus::{Declared, Undeclared};
use facilitator_protocol::model::{Attempt, Kind, Side, State, Wait};
use facilitator_protocol::proof::serialise_storage;
use facilitator_roles::messages::Job;
use facilitator_sender::Visibility;

const REDEEM: Kind = Kind::Redeem;

async fn play(change: impl FnOnce(&Job, &mut Chains)) -> Played {
    let job = requested_of(REDEEM);
    let mut chains = Chains::ready_to_accept(&job);
    change(&job, &mut chains);
    Script::new(chains).run(job).await
}

/// The bounty is sent along, to the wei: the pool takes neither more nor less, and no allowance is needed.
#[tokio::test]
async fn an_accept_carries_exactly_the_bounty_as_coin() {
    let played = play(|_, chains| chains.bounty(37)).await;
    assert_eq!(
        played.outline(),
        ["read auxiliary", "read origin", "secret", "save", "submit auxiliary accept", "park"],
        "law 2"
    );
    let hash_lock = secret_for(REDEEM, 0).hash_lock();
    let saved = played.saves()[0];
    assert_eq!(saved.attempt, Some(Attempt { number: 0, hash_lock, message_hash: message_of(REDEEM, 0) }));
    assert_eq!((saved.origin_worker, saved.auxiliary_worker), (Some(TARGET_WORKER), Some(SOURCE_WORKER)));
    assert_eq!(saved.bounty, Some(uint(37)));
    let submit = played.submits()[0];
    assert_eq!((submit.value, submit.allowance), (uint(37), None));
    assert_eq!((submit.from, submit.to), (Some(SOURCE_WORKER), pool(REDEEM)));
    let terms = requested_of(REDEEM).request.terms;
    assert_eq!(submit.data, pools::accept(REDEEM, &terms, hash_lock));
    assert_eq!(submit.expect, Some(message_of(REDEEM, 0)));
}

#[tokio::test]
async fn a_redeem_to_nobody_is_refused() {
    let mut job = requested_of(REDEEM);
    job.request.terms.beneficiary = Address::ZERO;
    let played = Script::new(Chains::ready_to_accept(&job)).run(job).await;
    assert!(played.submits().is_empty() && played.saves().is_empty());
    let park = played.park();
    assert_eq!((park.update.state, &park.wait), (Some(State::Skipped), &Wait::End));
    assert!(park.update.last_error.as_deref().unwrap_or_default().contains("zero address"));
}

/// What would keep the redeem from being finished, or paid for, holds it before its bounty is locked.
#[tokio::test]
async fn what_may_be_mended_holds_a_redeem() {
    type Change = fn(&Job, &mut Chains);
    let cases: [(Change, &str); 5] = [
        (|_, chains| chains.vault(1_000_000), "the stake vault to hold 1000001"),
        (|job, chains| chains.payment(job, Answer::Reverted(Revert::Empty)), "the unstake to"),
        // (360,000 + 80,000) gas at 3 wei and 150 %, and the bounty of 50.
        (|_, chains| chains.coin(Side::Auxiliary, 1_980_049), "coin for bounty and gas"),
        (|_, chains| chains.coin(Side::Origin, 10), "gas funds"),
        (|_, chains| chains.bounty(51), "a lower bounty"),
    ];
    for (change, reason) in cases {
        let played = play(change).await;
        assert_eq!((played.saves().len(), played.submits().len()), (0, 0), "{reason}");
        let text = played.park().waiting_for.as_deref().unwrap_or_default();
        assert!(text.contains(reason), "no word of `{reason}`: {text}");
    }
    assert_eq!(play(|_, chains| chains.coin(Side::Auxiliary, 1_980_050)).await.submits().len(), 1);
}

/// The roots of the auxiliary chain stand in the anchor of the origin chain.
#[tokio::test]
async fn a_redeem_waits_for_a_root_of_the_auxiliary_chain_on_the_origin_chain() {
    let job = accepted_of(REDEEM);
    let played = Script::new(Chains::settled_of(REDEEM, Declared, Undeclared)).run(job).await;
    assert_eq!(played.outline(), ["read auxiliary", "read origin", "park"]);
    let wait = Wait::Root { chain_id: 3, anchor: gateway().anchor, at_least: DECLARED };
    assert_eq!((&played.park().wait, played.park().retry_in_ms), (&wait, Some(RECHECK_MS)));
}

#[tokio::test]
async fn a_redeem_is_proven_and_confirmed_on_the_origin_chain() {
    let mut job = accepted_of(REDEEM);
    let mut chains = Chains::settled_of(REDEEM, Declared, Undeclared);
    job.roots.push(chains.block(DECLARED, Declared));
    chains.proven(DECLARED, false);
    let query = facilitator_chain::reader::Query::Proof {
        address: gateway().cogateway,
        key: facilitator_protocol::proof::outbox_key(message_of(REDEEM, 0), gateway().message_box_offset),
        height: DECLARED,
    };
    let Answer::Proof(account) = chains.answer(Side::Auxiliary, &query) else { panic!("no proof") };
    let terms = job.request.terms.clone();
    let played = Script::new(chains).run(job).await;
    let [prove, confirm] = played.submits()[..] else { panic!("two transactions: {:?}", played.outline()) };
    assert!(played.outline().contains(&"submit origin confirm".to_owned()), "{:?}", played.outline());
    let set = gateway();
    assert_eq!(prove.intent, format!("prove:{}:{DECLARED}", set.gateway.to_lower_hex()));
    let intent = gateways::Intent {
        sender: PROXY,
        nonce: U256::ZERO,
        beneficiary: terms.beneficiary,
        amount: terms.amount,
        gas_price: terms.gas_price,
        gas_limit: terms.gas_limit,
        hash_lock: secret_for(REDEEM, 0).hash_lock(),
    };
    let nodes = serialise_storage(&account.storage[0]);
    assert_eq!(confirm.data, gateways::confirm(REDEEM, &intent, DECLARED, &nodes));
    for submit in [prove, confirm] {
        assert_eq!((submit.from, submit.to, submit.value), (Some(TARGET_WORKER), set.gateway, U256::ZERO));
    }
}

/// Law 4 holds on the road back: both legs are simulated before the secret is handed over.
#[tokio::test]
async fn both_legs_of_a_redeem_are_simulated_before_either_is_handed_over() {
    let scene = || {
        let mut chains = Chains::settled_of(REDEEM, Declared, Declared);
        for leg in [Leg::Source, Leg::Target] {
            chains.leg(leg, data(&[]));
        }
        chains
    };
    let played = Script::new(scene()).run(accepted_of(REDEEM)).await;
    let [source, target] = played.submits()[..] else { panic!("two transactions: {:?}", played.outline()) };
    let set = gateway();
    for (submit, leg, from, to) in
        [(source, Leg::Source, SOURCE_WORKER, set.cogateway), (target, Leg::Target, TARGET_WORKER, set.gateway)]
    {
        let secret = secret_for(REDEEM, 0);
        assert_eq!(submit.data, gateways::progress(REDEEM, leg, message_of(REDEEM, 0), &secret));
        assert_eq!((submit.from, submit.to, submit.visibility), (Some(from), to, Visibility::Reveals));
    }
    let mut chains = scene();
    // A worker that is a contract would not take the bounty's 2,300 gas: the chain says so before anything is revealed.
    chains.leg(Leg::Source, Answer::Reverted(Revert::Empty));
    let played = Script::new(chains).run(accepted_of(REDEEM)).await;
    assert!(played.submits().is_empty());
    assert!(played.park().update.last_error.as_deref().unwrap_or_default().contains("the secret is kept"));
}
