//! STAKE_INTENT_CONFIRMED to COMPLETE: the secret is revealed on both chains at once.
//!
//! By the time this is called the inbox is final (law 4). Both legs are simulated before either is handed over, so that
//! a leg that would revert never publishes the secret (protocol.md R4); they leave together.

use super::answers::Reading;
use super::case::Case;
use super::desk::{Errands, Leave};
use facilitator_chain::reader::{At, Query};
use facilitator_eth::{Address, B256, Bytes, U256};
use facilitator_kill::kill_point;
use facilitator_protocol::contracts::gateway as gateways;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{Kind, Park, Side, Stage, Step};
use facilitator_protocol::secret::UnlockSecret;
use facilitator_protocol::transfer::accept::Hold;
use facilitator_protocol::transfer::{Legs, expected_gas};
use facilitator_sender::{Submit, SubmitAnswer, Visibility};

/// What a request waits for once its progress is handed over.
pub(super) const PROGRESS_SENT: &str = "the progress transactions to be mined and confirmed";

pub(super) struct Leg {
    pub(super) leg: gateways::Leg,
    pub(super) side: Side,
    pub(super) step: Step,
    pub(super) stage: Stage,
}

pub(super) fn legs_of(kind: Kind, legs: Legs) -> Vec<Leg> {
    let source = || Leg {
        leg: gateways::Leg::Source,
        side: kind.source(),
        step: Step::ProgressSource,
        stage: Stage::ProgressSource,
    };
    let target = || Leg {
        leg: gateways::Leg::Target,
        side: kind.target(),
        step: Step::ProgressTarget,
        stage: Stage::ProgressTarget,
    };
    match legs {
        Legs::Both => vec![source(), target()],
        Legs::Source => vec![source()],
        Legs::Target => vec![target()],
    }
}

pub(super) async fn run<D: Errands>(
    desk: &mut D,
    case: &mut Case,
    gateway: &GatewaySet,
    legs: Legs,
) -> Result<Park, Leave> {
    let legs: Vec<Leg> = legs_of(case.kind(), legs).into_iter().filter(|leg| !case.is_under_way(leg.step)).collect();
    if legs.is_empty() {
        return Ok(case.wait_for_happening(PROGRESS_SENT.to_owned()));
    }
    for leg in &legs {
        if let Some((count, error)) = case.fresh_failure(leg.step) {
            return Ok(case.failed_times(leg.stage, &error, count));
        }
    }
    let Some(message) = case.request().message_hash else {
        return Err(Leave::OutOfTurn("a request to be progressed has no message"));
    };
    let secret = secret_of(desk, case).await?;
    if Some(secret.hash_lock()) != case.request().hash_lock {
        let error = "the hash-lock key does not give this message's secret: it was accepted under another key";
        return Ok(case.failed(Stage::ProgressSource, error));
    }
    if let Some(park) = simulate(desk, case, gateway, &legs, message, &secret).await? {
        return Ok(park);
    }
    let submits = legs.iter().map(|leg| (leg.side, transaction(case, gateway, leg, message, &secret))).collect();
    kill_point!("worker.progress_simulated");
    let answers = desk.submit_many(submits).await?;
    kill_point!("worker.progress_submitted");
    for (answer, leg) in answers.iter().zip(&legs) {
        if let SubmitAnswer::Failed(failure) = answer {
            return Ok(case.submit_failed(leg.stage, failure));
        }
    }
    Ok(case.wait_for_happening(PROGRESS_SENT.to_owned()))
}

/// That of our own message follows from our key; that of a foreign one is public, or we have none.
async fn secret_of<D: Errands>(desk: &mut D, case: &Case) -> Result<UnlockSecret, Leave> {
    let request = case.request();
    if request.hunted {
        let public = request.unlock_secret.map(UnlockSecret::public);
        return public.ok_or(Leave::OutOfTurn("the secret of a foreign message is not public"));
    }
    let proxy = request.message_sender.unwrap_or(request.terms.sender_proxy);
    desk.secret(case.secret_input(proxy, request.attempt)).await
}

/// Asks both chains whether the legs would succeed; `Some` parks the request because one would not.
async fn simulate<D: Errands>(
    desk: &mut D,
    case: &Case,
    gateway: &GatewaySet,
    legs: &[Leg],
    message: B256,
    secret: &UnlockSecret,
) -> Result<Option<Park>, Leave> {
    let query = |leg: &Leg| {
        let (to, data) = (gateway.box_on(leg.side), call_data(case.kind(), leg, message, secret));
        // As the account that will send it: bounty and reward are paid to the caller, and tokens may refuse others.
        let from = case.worker_on(leg.side);
        let simulation = match leg.leg {
            // Pays the caller alone, so no other one can be what lets it succeed.
            gateways::Leg::Source => Query::trial(from, to, data, At::Latest),
            // Pays the beneficiary, whose code or token may take it only because another one was paid before: behind
            // a payment that may never be made it would seem to succeed (law 4).
            gateways::Leg::Target => Query::Call { from, to, data, at: At::Latest },
        };
        let mut queries = vec![simulation];
        queries.extend(case.worker_on(leg.side).map(|address| Query::Balance { address, at: At::Latest }));
        (leg.side, queries)
    };
    let answers = desk.read_many(legs.iter().map(query).collect()).await?;
    for (leg, answers) in legs.iter().zip(&answers) {
        let mut reading = Reading::new(leg.side, answers);
        if let Err(revert) = reading.simulation()? {
            let error = format!("{} would revert, so the secret is kept: {revert}", leg.step);
            return Ok(Some(case.failed(leg.stage, &error)));
        }
        let Some(account) = case.worker_on(leg.side) else { continue };
        let has = reading.number()?;
        // Of a secret that is public already whatever can go should go.
        if legs.len() > 1
            && case.request().unlock_secret.is_none()
            && let Some(hold) = unpaid(case, leg, account, has)
        {
            return Ok(Some(case.hold(hold.to_string())));
        }
    }
    Ok(None)
}

/// A simulation asks nothing of the caller's purse. A leg that cannot be paid for would leave its money to whoever reads
/// the secret in the other one (protocol.md R4).
fn unpaid(case: &Case, leg: &Leg, account: Address, has: U256) -> Option<Hold> {
    let fee = case.fee_on(leg.side).per_gas;
    // With what the sender adds to its estimate.
    let percent = U256::from(case.job.policy.funds_safety_percent);
    // Those that reveal at the same time draw on the same balance.
    let others = case.reveals_on(leg.side, account);
    let step_of = |kind: Kind| if kind.source() == leg.side { Step::ProgressSource } else { Step::ProgressTarget };
    let gas_of = |kind: &Kind| expected_gas(*kind, step_of(*kind)).saturating_mul(others.of(*kind));
    let own = expected_gas(case.kind(), leg.step);
    let gas = U256::from(Kind::ALL.iter().map(gas_of).fold(own, u64::saturating_add));
    let needs = gas.saturating_mul(fee).saturating_mul(percent).checked_div(U256::from(100u64)).unwrap_or(U256::MAX);
    (has < needs).then_some(Hold::NoGasFunds { account, has, needs })
}

fn call_data(kind: Kind, leg: &Leg, message: B256, secret: &UnlockSecret) -> Bytes {
    gateways::progress(kind, leg.leg, message, secret)
}

fn transaction(case: &Case, gateway: &GatewaySet, leg: &Leg, message: B256, secret: &UnlockSecret) -> Submit {
    Submit {
        intent: format!("{}:{message}", leg.step),
        request_id: Some(case.request().id),
        step: leg.step,
        from: case.worker_on(leg.side),
        to: gateway.box_on(leg.side),
        value: U256::ZERO,
        data: call_data(case.kind(), leg, message, secret),
        allowance: None,
        after: None,
        visibility: Visibility::Reveals,
        expect: None,
        seen: case.head_on(leg.side),
    }
}
