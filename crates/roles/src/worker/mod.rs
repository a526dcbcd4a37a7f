//! The worker: takes one request one step further and ends.
//!
//! It holds no key, no database and no connection to a node. It reads both chains through the parent, lets the pure
//! machine of [`facilitator_protocol::transfer`] decide, hands transactions to the senders and parks. Killed at any
//! instruction it loses nothing: whatever it had decided is in the row or can be read from the chains again.

mod accept;
mod answers;
mod by_proof;
mod carry;
mod case;
mod desk;
mod facts;
mod hunt;
mod progress;
mod prove;
mod rehearse;

pub use desk::{Desk, Errands, Leave};
use facilitator_kill::kill_point;
pub use rehearse::{Rehearsed, rehearse};

use crate::messages::{FromWorker, Job, PROTOCOL_VERSION, ToWorker};
use crate::terms::Terms;
use crate::{child, pulse};
use case::Case;
use facilitator_ipc::ChildLink;
use facilitator_protocol::model::{Kind, Park};
use facilitator_protocol::transfer::{Decision, decide};
use std::time::Duration;
use tracing::Instrument as _;

/// Name of the role, as in the child's hello and on its command line.
pub const ROLE: &str = "worker";

/// Runs a worker over standard input and output.
///
/// # Errors
/// [`Leave`] if the connection to the parent does not hold until the request is parked.
pub async fn run(terms: &Terms) -> Result<(), Leave> {
    let link = ChildLink::<_, ToWorker>::from_stdio(PROTOCOL_VERSION, ROLE, child::writer())?;
    let parent = link.sender.clone();
    // Each of its waits has a limit, and its parent ends a worker that lives too long.
    Box::pin(pulse::beating(work(link), parent, terms.heartbeat, Duration::MAX)).await
}

async fn work(link: ChildLink<FromWorker, ToWorker>) -> Result<(), Leave> {
    let mut desk = Desk::new(link.sender, link.receiver);
    let job = desk.job().await?;
    kill_point!("worker.briefed");
    // The request's hash stands on each line anyway; the chain is the one that it was made on.
    let span = tracing::info_span!("request", chain = job.request.position.chain_id);
    let state = job.request.state.name(job.request.kind);
    span.in_scope(|| tracing::debug!(state, "taking it a step further"));
    let kind = job.request.kind;
    let park = drive(&mut desk, job).instrument(span.clone()).await?;
    kill_point!("worker.decided");
    span.in_scope(|| tell(kind, &park));
    desk.park(park).instrument(span).await?;
    kill_point!("worker.parked");
    Ok(())
}

/// How the request is left, for the log.
fn tell(kind: Kind, park: &Park) {
    let state = park.update.state.map(|state| state.name(kind));
    let error = park.update.last_error.as_deref();
    let waits_for = park.waiting_for.as_deref();
    tracing::info!(state, waits_for, error, retry_in_ms = park.retry_in_ms, "leaving it");
}

/// From the green light to the decision how the request is left.
///
/// Trouble with a chain or a stop parks the request too: only a broken connection is an error.
///
/// # Errors
/// [`Leave`] if the parent is gone.
pub async fn drive<D: Errands>(desk: &mut D, job: Job) -> Result<Park, Leave> {
    let mut case = Case::new(job);
    match step(desk, &mut case).await {
        Ok(park) => Ok(park),
        Err(Leave::Stopped) => Ok(case.hand_back()),
        Err(Leave::Unreadable { side, text }) => Ok(case.unreadable(side, &text)),
        Err(fatal) => Err(fatal),
    }
}

async fn step<D: Errands>(desk: &mut D, case: &mut Case) -> Result<Park, Leave> {
    let Some(gateway) = case.job.gateway.clone() else {
        return Ok(accept::without_gateway(case));
    };
    let next = prove::foreseen(case, &gateway);
    let statuses = case.read_statuses(desk, &gateway, next).await?;
    if case.request().hunted {
        // Rare and large: on the heap, so that the others need no room for it.
        return Box::pin(hunt::run(desk, case, &gateway, statuses)).await;
    }
    match decide(statuses) {
        Decision::Inspect => accept::run(desk, case, &gateway).await,
        Decision::Prove => prove::run(desk, case, &gateway).await,
        Decision::Progress(legs) => progress::run(desk, case, &gateway, legs).await,
        Decision::Await(awaited) => Ok(case.wait_for_happening(awaited.to_string())),
        Decision::Finish(state) => Ok(case.finish(state, None)),
        Decision::Contradiction => Ok(case.contradiction(statuses)),
    }
}
