//! ACCEPTED to STAKE_INTENT_CONFIRMED: the gateway's storage root, then the message's own proof.
//!
//! Both transactions are handed over together; the sender signs the confirmation behind the gateway proof.
//! Behind the confirmation of a foreign message, whose secret nobody knows, goes its target leg by the same proof.
//! A death anywhere here repeats reads and finds the submitted intents again.

use super::answers::{Reading, latest};
use super::carry::{Exhibit, candidates, next_height, oldest_first};
use super::case::Case;
use super::desk::{Errands, Leave};
use super::{by_proof, hunt};
use crate::messages::AnchoredRoot;
use facilitator_chain::reader::{At, Query};
use facilitator_eth::U256;
use facilitator_kill::kill_point;
use facilitator_protocol::contracts::{anchor, gateway as gateways};
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{MessageStatus, Park, Side, Stage, State, Step, Update};
use facilitator_protocol::proof::{self, AccountProof};
use facilitator_sender::{Submit, SubmitAnswer, Visibility};

/// How many anchored heights are tried before the next anchor is awaited.
pub(super) const MAX_HEIGHTS: usize = 4;

pub(super) async fn run<D: Errands>(desk: &mut D, case: &mut Case, gateway: &GatewaySet) -> Result<Park, Leave> {
    if case.is_under_way(Step::Confirm) {
        return Ok(case.wait_for_happening("the confirmation to be mined and confirmed".to_owned()));
    }
    for (step, stage) in [(Step::ProveGateway, Stage::Prove), (Step::Confirm, Stage::Confirm)] {
        if let Some((count, error)) = case.fresh_failure(step) {
            return Ok(case.failed_times(stage, &error, count));
        }
    }
    let Some(message) = case.request().message_hash else {
        return Err(Leave::OutOfTurn("a request to be proven has no message"));
    };
    let lowest = lowest(case);
    // Only heights at which the message was still Declared serve: the older, the likelier (protocol.md §4.5).
    let is_late = case.statuses.is_some_and(|statuses| statuses.outbox.latest == MessageStatus::Progressed);
    let candidates = if is_late { oldest_first(&case.job.roots, lowest) } else { usual_heights(case) };
    let exhibit = Exhibit::outbox(case, gateway, message, &[MessageStatus::Declared]);
    let mut complaint = None;
    for root in &candidates {
        match exhibit.at(desk, case, *root).await? {
            Ok((account, _)) => match standing(desk, case, gateway, &exhibit, &account, is_late).await? {
                Standing::Proven => return submit(desk, case, gateway, &account, None).await,
                Standing::ToBeProven(prove) => return submit(desk, case, gateway, &account, Some(*prove)).await,
                Standing::Gone => complaint = Some(format!("the root of height {} is no longer kept", root.height)),
            },
            Err(why) => complaint = Some(why),
        }
    }
    let mut park = case.wait_for_root(gateway, next_height(&case.job.roots, lowest));
    if let Some(why) = complaint {
        park.update.log = Some(why.clone());
        park.update.last_error = Some(why);
    }
    Ok(park)
}

/// The block from which on a height holds the message.
fn lowest(case: &Case) -> u64 {
    case.request().declared_block.unwrap_or(case.request().position.block_number)
}

/// The heights that are tried while the message waits in the outbox.
fn usual_heights(case: &Case) -> Vec<AnchoredRoot> {
    // A height that is paid for saves gas, but not again after it failed: its storage root may have been evicted (R18).
    let paid = if case.request().failures == 0 { case.job.proving.as_slice() } else { &[] };
    let mut heights = candidates(&case.job.roots, paid, lowest(case));
    heights.truncate(MAX_HEIGHTS);
    heights
}

/// What [`run`] will ask first, if the row is right about what is to be done: it can be asked with the statuses. It reveals
/// nothing, and a proof at a height is the same whenever it is asked for. Not after trouble: a node that is slow at proofs
/// would keep the statuses back too, each time again.
pub(super) fn foreseen(case: &Case, gateway: &GatewaySet) -> Vec<(Side, Query)> {
    let request = case.request();
    if request.failures > 0 || request.holds > 0 {
        return Vec::new();
    }
    let is_next = match request.state {
        State::Requested | State::Accepted | State::AccountProven => {
            !request.hunted && request.declared_block.is_some()
        }
        State::IntentConfirmed
        | State::SourceProgressed
        | State::TargetProgressed
        | State::Complete
        | State::Failed(_)
        | State::Rejected
        | State::Revoked
        | State::Skipped
        | State::TakenByOther
        | State::Unknown => false,
    };
    let Some(message) = request.message_hash.filter(|_| is_next && !case.is_under_way(Step::Confirm)) else {
        return Vec::new();
    };
    let exhibit = Exhibit::outbox(case, gateway, message, &[MessageStatus::Declared]);
    let height = usual_heights(case).first().map(|root| root.height);
    height.map(|height| exhibit.questions(case, gateway, height)).unwrap_or_default()
}

/// How an anchored height stands on the target chain.
enum Standing {
    /// The gateway has its storage root.
    Proven,
    /// The gateway must be proven first.
    ToBeProven(Box<Submit>),
    /// Its root is evicted.
    Gone,
}

/// A foreign message may need a height so old that its root is evicted: from the anchor, the gateway, or both. While the
/// storage root is in the gateway the confirmation goes through (protocol.md §4.5).
async fn standing<D: Errands>(
    desk: &mut D,
    case: &Case,
    gateway: &GatewaySet,
    exhibit: &Exhibit<'_>,
    account: &AccountProof,
    is_late: bool,
) -> Result<Standing, Leave> {
    let proof = exhibit.gateway_proof(desk, case, gateway, account).await?;
    let Some(proof) = proof else { return Ok(Standing::Proven) };
    let unproven = Standing::ToBeProven(Box::new(proof));
    let Some(confirm) = confirm_transaction(case, gateway, account, None).filter(|_| is_late && case.request().hunted)
    else {
        return Ok(unproven);
    };
    let target = case.target();
    let root = anchor::get_state_root(account.height);
    let queries = vec![
        latest(gateway.anchor_on(target), &root),
        Query::Call { from: case.target_worker(), to: confirm.to, data: confirm.data, at: At::Latest },
    ];
    let answers = desk.read(target, queries).await?;
    let mut reading = Reading::new(target, &answers);
    let is_anchored = !reading.view(&root)?.is_zero();
    Ok(match (reading.simulation()?, is_anchored) {
        (Ok(()), _) => Standing::Proven,
        (Err(_), true) => unproven,
        (Err(_), false) => Standing::Gone,
    })
}

async fn submit<D: Errands>(
    desk: &mut D,
    case: &Case,
    gateway: &GatewaySet,
    account: &AccountProof,
    prove: Option<Submit>,
) -> Result<Park, Leave> {
    let target = case.target();
    let proven = prove.is_none();
    let after = prove.as_ref().map(|prove| prove.intent.clone());
    let Some(confirm) = confirm_transaction(case, gateway, account, after) else {
        return Err(Leave::OutOfTurn("a request to be confirmed has no message"));
    };
    let leg = target_leg(case, gateway, account, &confirm);
    let submits = prove.into_iter().chain([confirm]).chain(leg).map(|submit| (target, submit)).collect();
    kill_point!("worker.proof_checked");
    desk.save(Update { proof_height: Some(account.height), ..Update::default() }).await?;
    let stages = if proven { vec![Stage::Confirm] } else { vec![Stage::Prove, Stage::Confirm] };
    kill_point!("worker.proof_ready");
    let answers = desk.submit_many(submits).await?;
    kill_point!("worker.confirm_submitted");
    // What became of the leg does not matter here: if need be it is handed over again once the confirmation is final.
    for (answer, stage) in answers.iter().zip(stages) {
        if let SubmitAnswer::Failed(failure) = answer {
            return Ok(case.submit_failed(stage, failure));
        }
    }
    let what = format!("the confirmation with the state root of height {} to be mined and confirmed", account.height);
    Ok(case.wait_for_happening(what))
}

/// What goes behind the confirmation of a foreign message: with a secret that is public its target leg is cheaper.
fn target_leg(case: &Case, gateway: &GatewaySet, account: &AccountProof, confirm: &Submit) -> Option<Submit> {
    let request = case.request();
    let message = request.message_hash.filter(|_| request.hunted && !hunt::has_public_secret(request))?;
    if case.is_under_way(Step::ProgressTarget) {
        return None;
    }
    by_proof::behind_confirmation(case, gateway, message, account, confirm.intent.clone())
}

fn confirm_transaction(
    case: &Case,
    gateway: &GatewaySet,
    account: &AccountProof,
    after: Option<String>,
) -> Option<Submit> {
    let request = case.request();
    let (message, hash_lock) = (request.message_hash?, request.hash_lock?);
    let nodes = proof::serialise_storage(account.storage.first()?);
    let terms = &request.terms;
    let intent = gateways::Intent {
        sender: request.message_sender.unwrap_or(terms.sender_proxy),
        nonce: terms.nonce,
        beneficiary: terms.beneficiary,
        amount: terms.amount,
        gas_price: terms.gas_price,
        gas_limit: terms.gas_limit,
        hash_lock,
    };
    let data = gateways::confirm(request.kind, &intent, account.height, &nodes);
    Some(Submit {
        intent: format!("confirm:{message}"),
        request_id: Some(request.id),
        step: Step::Confirm,
        from: case.target_worker(),
        to: gateway.box_on(case.target()),
        value: U256::ZERO,
        data,
        allowance: None,
        after,
        visibility: Visibility::Public,
        expect: None,
        seen: case.head_on(case.target()),
    })
}
