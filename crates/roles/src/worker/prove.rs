//! ACCEPTED to STAKE_INTENT_CONFIRMED: the gateway's storage root, then the message's own proof.
//!
//! Both transactions are handed over together; the sender holds the confirmation back until the gateway proof is mined.
//! The gateway proof's intent names gateway and height, so that all requests of one height cause one transaction.
//! A death anywhere here repeats reads and finds the submitted intents again.

use super::case::Case;
use super::desk::{Errands, Leave};
use crate::messages::AnchoredRoot;
use facilitator_chain::reader::{Answer, At, Query};
use facilitator_eth::{Address, B256, U256};
use facilitator_kill::kill_point;
use facilitator_protocol::contracts::gateway as gateways;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{MessageStatus, Park, Stage, Step, Update};
use facilitator_protocol::proof::{self, AccountProof};
use facilitator_sender::{Submit, SubmitAnswer, Visibility};

/// How many anchored heights are tried before the next anchor is awaited.
const MAX_HEIGHTS: usize = 4;

/// Outbox value that a confirmation proves: Declared (protocol.md §4.3).
const DECLARED: u64 = 1;

pub(super) async fn run<D: Errands>(desk: &mut D, case: &mut Case, gateway: &GatewaySet) -> Result<Park, Leave> {
    if case.is_under_way(Step::Confirm) {
        return Ok(case.wait_for_happening("the confirmation to be mined and confirmed".to_owned()));
    }
    for (step, stage) in [(Step::ProveGateway, Stage::Prove), (Step::Confirm, Stage::Confirm)] {
        if let Some((count, error)) = case.fresh_failure(step) {
            return Ok(case.failed_times(stage, &error, count));
        }
    }
    let lowest = case.request().declared_block.unwrap_or(case.request().position.block_number);
    let candidates = match case.statuses.map(|statuses| statuses.outbox.latest) {
        // Only heights at which the message was still Declared serve: the older, the likelier (protocol.md §4.5).
        Some(MessageStatus::Progressed) => oldest_first(&case.job.roots, lowest),
        Some(_) | None => {
            // A height that is paid for saves gas, but not again after it failed: its storage root may have been
            // evicted (R18).
            let paid = if case.request().failures == 0 { case.job.proving.as_slice() } else { &[] };
            let mut candidates = candidates(&case.job.roots, paid, lowest);
            candidates.truncate(MAX_HEIGHTS);
            candidates
        }
    };
    let mut complaint = None;
    for root in &candidates {
        match usable_proof(desk, case, gateway, *root).await? {
            Ok(account) => return submit(desk, case, gateway, &account).await,
            Err(why) => complaint = Some(why),
        }
    }
    let next = case.job.roots.first().map_or(lowest, |newest| lowest.max(newest.height.saturating_add(1)));
    let mut park = case.wait_for_root(gateway, next);
    if let Some(why) = complaint {
        park.update.log = Some(why.clone());
        park.update.last_error = Some(why);
    }
    Ok(park)
}

/// Anchored heights at or above `lowest`: first those whose gateway proof is paid for already, then newest first.
fn candidates(roots: &[AnchoredRoot], proving: &[u64], lowest: u64) -> Vec<AnchoredRoot> {
    let usable = || roots.iter().copied().filter(|root| root.height >= lowest);
    let paid = usable().filter(|root| proving.contains(&root.height));
    let fresh = usable().filter(|root| !proving.contains(&root.height));
    paid.chain(fresh).collect()
}

/// All anchored heights from `lowest` on, the oldest first.
fn oldest_first(roots: &[AnchoredRoot], lowest: u64) -> Vec<AnchoredRoot> {
    roots.iter().rev().copied().filter(|root| root.height >= lowest).collect()
}

/// Fetches the message's proof at an anchored height and checks it against the root; `Err` says in words why the height
/// can't be used: its block was orphaned (protocol.md R16), the node lacks its state, or the message had another status.
async fn usable_proof<D: Errands>(
    desk: &mut D,
    case: &Case,
    gateway: &GatewaySet,
    root: AnchoredRoot,
) -> Result<Result<AccountProof, String>, Leave> {
    let Some(message) = case.request().message_hash else {
        return Err(Leave::OutOfTurn("a request to be proven has no message"));
    };
    let key = proof::outbox_key(message, gateway.message_box_offset);
    let address = gateway.box_on(case.source());
    let query = Query::Proof { address, key, height: root.height };
    let answers = desk.read(case.source(), vec![query]).await?;
    let height = root.height;
    Ok(match answers.into_iter().next() {
        Some(Answer::Proof(account)) => check(account, root, address, key),
        Some(Answer::Failed(text)) => Err(format!("no proof at height {height}: {text}")),
        Some(Answer::Data(_) | Answer::Reverted(_) | Answer::Number(_) | Answer::Root(_)) | None => {
            return Err(Leave::OutOfTurn("no proof"));
        }
    })
}

fn check(account: AccountProof, root: AnchoredRoot, address: Address, key: B256) -> Result<AccountProof, String> {
    let height = root.height;
    if account.address != address || account.height != height {
        return Err(format!("the node answered with the proof of another account or height than {height}"));
    }
    proof::check(&account, root.root).map_err(|error| {
        format!("the root anchored for height {height} does not fit the chain ({error}); the next one is awaited")
    })?;
    let value = account.slot(key).map(|slot| slot.value);
    if value != Some(U256::from(DECLARED)) {
        let found = value.unwrap_or_default();
        return Err(format!("at height {height} the message has status {found} in the outbox, not {DECLARED}"));
    }
    Ok(account)
}

async fn submit<D: Errands>(
    desk: &mut D,
    case: &Case,
    gateway: &GatewaySet,
    account: &AccountProof,
) -> Result<Park, Leave> {
    let target = case.target();
    let prover = gateway.box_on(target);
    let probe = gateways::probe_proven(account.height);
    // Not a view: it must not be packed with others, so it is asked in the name of an account.
    let query = Query::Call { from: case.target_worker(), to: prover, data: probe, at: At::Latest };
    let answers = desk.read(target, vec![query]).await?;
    // The probe succeeds only where the height is proven already (protocol.md §2.5).
    let proven = matches!(answers.first(), Some(Answer::Data(_)));
    let prove_intent = format!("prove:{}:{}", prover.to_lower_hex(), account.height);
    let mut submits = Vec::with_capacity(2);
    if !proven {
        submits.push((target, prove_transaction(case, prover, account, &prove_intent)));
    }
    let Some(confirm) = confirm_transaction(case, gateway, account, (!proven).then_some(prove_intent)) else {
        return Err(Leave::OutOfTurn("a request to be confirmed has no message"));
    };
    submits.push((target, confirm));
    kill_point!("worker.proof_checked");
    desk.save(Update { proof_height: Some(account.height), ..Update::default() }).await?;
    let stages = if proven { vec![Stage::Confirm] } else { vec![Stage::Prove, Stage::Confirm] };
    kill_point!("worker.proof_ready");
    let answers = desk.submit_many(submits).await?;
    kill_point!("worker.confirm_submitted");
    for (answer, stage) in answers.iter().zip(stages) {
        if let SubmitAnswer::Failed(failure) = answer {
            return Ok(case.submit_failed(stage, failure));
        }
    }
    let what = format!("the confirmation with the state root of height {} to be mined and confirmed", account.height);
    Ok(case.wait_for_happening(what))
}

fn prove_transaction(case: &Case, prover: Address, account: &AccountProof, intent: &str) -> Submit {
    Submit {
        intent: intent.to_owned(),
        request_id: Some(case.request().id),
        step: Step::ProveGateway,
        from: case.target_worker(),
        to: prover,
        value: U256::ZERO,
        data: gateways::prove_gateway(
            account.height,
            &proof::serialise_account(account),
            &proof::serialise_nodes(&account.account_nodes),
        ),
        allowance: None,
        after: None,
        visibility: Visibility::Public,
        expect: None,
        seen: case.head_on(case.target()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use facilitator_eth::B256;

    #[test]
    fn heights_that_are_paid_for_come_first_and_none_below_the_declaration() {
        let roots: Vec<AnchoredRoot> = [30, 20, 10].map(|height| AnchoredRoot { height, root: B256::ZERO }).to_vec();
        let heights = |proving: &[u64], lowest| -> Vec<u64> {
            candidates(&roots, proving, lowest).iter().map(|root| root.height).collect()
        };
        assert_eq!(heights(&[], 5), [30, 20, 10]);
        assert_eq!(heights(&[20, 10], 15), [20, 30]);
        assert!(heights(&[30], 31).is_empty());
    }
}
