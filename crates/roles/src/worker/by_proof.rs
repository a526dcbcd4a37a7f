//! Progress without the secret: a foreign message's legs are opened by a proof of the other chain's box.
//!
//! The target leg needs what the confirmation needed, a root of the source chain; the source leg a root of the target
//! chain in the anchor of the source chain. Each leg's two transactions are handed over together, the progress behind the
//! gateway proof. A death anywhere here repeats reads and finds the submitted intents again.

use super::carry::{Exhibit, candidates, next_height};
use super::case::Case;
use super::desk::{Errands, Leave};
use super::progress::{Leg, PROGRESS_SENT, legs_of};
use super::prove::MAX_HEIGHTS;
use crate::messages::AnchoredRoot;
use facilitator_eth::{B256, U256};
use facilitator_kill::kill_point;
use facilitator_protocol::contracts::gateway as gateways;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{MessageStatus, Park, Side, Stage, Step};
use facilitator_protocol::proof::{self, AccountProof};
use facilitator_protocol::transfer::hunt::provable;
use facilitator_protocol::transfer::{Legs, Statuses};
use facilitator_sender::{Submit, SubmitAnswer, Visibility};

/// What stands in the way of a leg.
struct Lack {
    /// Chain whose root is missing on the other one.
    from: Side,
    /// Lowest height that may serve.
    at_least: u64,
    /// What was wrong with the heights there are.
    complaint: Option<String>,
}

pub(super) async fn run<D: Errands>(
    desk: &mut D,
    case: &Case,
    gateway: &GatewaySet,
    legs: Legs,
    statuses: Statuses,
) -> Result<Park, Leave> {
    let legs = legs_of(case.kind(), legs);
    let waiting: Vec<&Leg> = legs.iter().filter(|leg| !case.is_under_way(leg.step)).collect();
    let gateway_proof = case.fresh_failure(Step::ProveGateway).map(|failure| (Stage::Prove, failure));
    let own = waiting.iter().find_map(|leg| Some((leg.stage, case.fresh_failure(leg.step)?)));
    if let Some((stage, (count, error))) = own.or(gateway_proof.filter(|_| !waiting.is_empty())) {
        return Ok(case.failed_times(stage, &error, count));
    }
    let (mut submits, mut stages, mut lacks) = (Vec::new(), Vec::new(), Vec::new());
    for leg in &waiting {
        match transactions(desk, case, gateway, leg, statuses).await? {
            Ok(ready) => {
                stages.extend((0..ready.len()).map(|_| leg.stage));
                submits.extend(ready.into_iter().map(|submit| (leg.side, submit)));
            }
            Err(lack) => lacks.push(lack),
        }
    }
    if submits.is_empty() && waiting.len() == legs.len() {
        return Ok(wait_for_root(case, gateway, lacks));
    }
    kill_point!("worker.foreign_proof_ready");
    let answers = desk.submit_many(submits).await?;
    kill_point!("worker.foreign_progress_submitted");
    for (answer, stage) in answers.iter().zip(stages) {
        if let SubmitAnswer::Failed(failure) = answer {
            return Ok(case.submit_failed(stage, failure));
        }
    }
    Ok(case.wait_for_happening(PROGRESS_SENT.to_owned()))
}

fn wait_for_root(case: &Case, gateway: &GatewaySet, lacks: Vec<Lack>) -> Park {
    let mut lacks = lacks.into_iter();
    // Of two missing roots that of the source leg is the rarer; what wakes the row for the other one is the recheck.
    let Some(Lack { from, at_least, complaint }) = lacks.next() else {
        return case.wait_for_happening(PROGRESS_SENT.to_owned());
    };
    let mut park = case.wait_for_root_of(from, gateway, at_least);
    if let Some(why) = complaint {
        park.update.log = Some(why.clone());
        park.update.last_error = Some(why);
    }
    park
}

/// The transactions that progress a leg, or what they lack.
async fn transactions<D: Errands>(
    desk: &mut D,
    case: &Case,
    gateway: &GatewaySet,
    leg: &Leg,
    statuses: Statuses,
) -> Result<Result<Vec<Submit>, Lack>, Leave> {
    let (Some(message), Some(hunt)) = (case.request().message_hash, case.job.hunt.as_ref()) else {
        return Err(Leave::OutOfTurn("a foreign message without a hash, or nobody who hunts"));
    };
    let wanted = provable(leg.leg, statuses);
    let declared = case.request().declared_block.unwrap_or(case.request().position.block_number);
    let (exhibit, roots, proving, lowest) = match leg.leg {
        gateways::Leg::Target => {
            (Exhibit::outbox(case, gateway, message, wanted), &case.job.roots, &case.job.proving, declared)
        }
        gateways::Leg::Source => {
            // Without a known block of the confirmation its proof at each height says whether it serves.
            let confirmed = hunt.confirmed_block.unwrap_or(0);
            (Exhibit::inbox(case, gateway, message, wanted), &hunt.roots, &hunt.proving, confirmed)
        }
    };
    // A height that is paid for saves gas, but not again after it failed: its storage root may have been evicted (R18).
    let paid = if case.request().failures == 0 { proving.as_slice() } else { &[] };
    let mut heights: Vec<AnchoredRoot> = candidates(roots, paid, lowest);
    heights.truncate(MAX_HEIGHTS);
    let mut complaint = None;
    for root in heights {
        match exhibit.at(desk, case, root).await? {
            Ok((account, status)) => {
                let prove = exhibit.gateway_proof(desk, case, gateway, &account).await?;
                let after = prove.as_ref().map(|prove| prove.intent.clone());
                let Some(progress) = progress(case, gateway, leg, message, (&account, status), after) else {
                    return Err(Leave::OutOfTurn("a proof without a slot"));
                };
                return Ok(Ok(prove.into_iter().chain([progress]).collect()));
            }
            Err(why) => complaint = Some(why),
        }
    }
    let at_least = next_height(roots, lowest);
    Ok(Err(Lack { from: exhibit.from, at_least, complaint }))
}

/// The target leg, to be handed over together with the confirmation of the same proof: the contract takes both by it, and
/// whoever comes second gets no reward (protocol.md R5, §5.4). It reveals nothing, so nothing hinges on the finality of
/// the confirmation: what takes the one out of the chain takes the other out with it.
pub(super) fn behind_confirmation(
    case: &Case,
    gateway: &GatewaySet,
    message: B256,
    account: &AccountProof,
    confirmation: String,
) -> Option<Submit> {
    let leg = legs_of(case.kind(), Legs::Target).into_iter().next()?;
    progress(case, gateway, &leg, message, (account, MessageStatus::Declared), Some(confirmation))
}

/// Public: it reveals nothing. The effect, and so the intent, is the same as with the secret.
fn progress(
    case: &Case,
    gateway: &GatewaySet,
    leg: &Leg,
    message: B256,
    (account, status): (&AccountProof, MessageStatus),
    after: Option<String>,
) -> Option<Submit> {
    let nodes = proof::serialise_storage(account.storage.first()?);
    Some(Submit {
        intent: format!("{}:{message}", leg.step),
        request_id: Some(case.request().id),
        step: leg.step,
        from: case.worker_on(leg.side),
        to: gateway.box_on(leg.side),
        value: U256::ZERO,
        data: gateways::progress_with_proof(case.kind(), leg.leg, message, &nodes, account.height, status),
        allowance: None,
        after,
        visibility: Visibility::Public,
        expect: None,
        seen: case.head_on(leg.side),
    })
}
