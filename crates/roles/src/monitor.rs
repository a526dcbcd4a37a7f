//! The monitor as a child: one run after another, until the parent says stop or is gone.

use crate::child::{self, ChildError, ms};
use crate::clock::now_ms;
use crate::messages::{FromMonitor, MonitorSetup, ToMonitor};
use crate::pulse;
use crate::terms::Terms;
use facilitator_ipc::{FrameReader, FrameSender};
use facilitator_monitor::Manager;
use std::pin::pin;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

/// Name of the role.
pub const ROLE: &str = "monitor";

type ToParent = FrameSender<FromMonitor>;
type FromParent = FrameReader<ToMonitor, pipe::Receiver>;

/// Runs a monitor over standard input and output.
///
/// # Errors
/// [`ChildError`]; the parent starts another one, which goes on at the checkpoint.
pub async fn run(terms: &Terms) -> Result<(), ChildError> {
    let (link, first) = child::begin::<FromMonitor, ToMonitor>(ROLE).await?;
    let ToMonitor::Setup(setup) = first else { return Err(ChildError::OutOfTurn) };
    let parent = link.sender.clone();
    // However long a run takes, each call of it has a limit of its own.
    let work = serve(*setup, link.sender, link.receiver);
    let result = Box::pin(pulse::beating(work, parent, terms.heartbeat, Duration::MAX)).await;
    link.writer.finish().await?;
    result
}

async fn serve(setup: MonitorSetup, parent: ToParent, mut orders: FromParent) -> Result<(), ChildError> {
    let store = child::open_store(&setup.chain, now_ms()).await?;
    let owner = format!("the facilitator's monitor, pid {}", std::process::id());
    let manager = setup.setup.manager(Some(store), owner).map_err(|error| ChildError::Monitor(error.to_string()))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(ChildError::Signals)?;
    let mut pause = ms(setup.setup.interval_ms);
    loop {
        let mut run = pin!(once(&manager, &parent));
        loop {
            tokio::select! {
                order = orders.next() => if heard(order?, &mut pause)? == Next::Stop { return Ok(()) },
                _ = terminate.recv() => return Ok(()),
                said = &mut run => break said?,
            }
        }
        let since = Instant::now();
        loop {
            tokio::select! {
                order = orders.next() => if heard(order?, &mut pause)? == Next::Stop { return Ok(()) },
                _ = terminate.recv() => return Ok(()),
                () = sleep_until(since + pause) => break,
            }
        }
    }
}

/// A run may be cut off anywhere: what was told is remembered, and the next one looks at the same blocks again.
async fn once(manager: &Manager, parent: &ToParent) -> Result<(), ChildError> {
    let report = manager.trigger().await;
    let text = report.to_json();
    if report.succeeded() {
        tracing::debug!(report = text, "monitoring run succeeded");
    } else {
        tracing::warn!(report = text, "monitoring run failed: its blocks are looked at again");
    }
    Ok(parent.send(&FromMonitor::Ran(report.errors.into_iter().next())).await?)
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Next {
    On,
    Stop,
}

fn heard(order: Option<ToMonitor>, pause: &mut Duration) -> Result<Next, ChildError> {
    match order {
        Some(ToMonitor::Interval(interval_ms)) => *pause = ms(interval_ms),
        Some(ToMonitor::Log(filter)) => child::log_by(&filter),
        Some(ToMonitor::Stop) => return Ok(Next::Stop),
        Some(ToMonitor::Setup(_)) => return Err(ChildError::OutOfTurn),
        None => return Err(ChildError::ParentGone),
    }
    Ok(Next::On)
}
