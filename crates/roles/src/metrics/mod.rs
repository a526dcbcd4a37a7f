//! The role that serves metrics, health and the status page: it looks at the database and answers over HTTP.
//!
//! It writes nothing, asks no node and holds no key; nothing waits for it. Everything it says is made from the database
//! when it is asked, so that it is as true right after a restart as before.

mod export;
mod pages;

use crate::child::{self, ChildError};
use crate::messages::{FromMetrics, MetricsSetup, ToMetrics};
use crate::pulse;
use crate::running;
use crate::terms::Terms;
use facilitator_ipc::{FrameReader, FrameSender};
use facilitator_telemetry::http::{self, Hosts};
use pages::StatusPages;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};

/// Name of the role.
pub const ROLE: &str = "metrics";

/// Pause until a port that is taken is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(2);

type ToParent = FrameSender<FromMetrics>;
type FromParent = FrameReader<ToMetrics, pipe::Receiver>;

/// Serves until the parent says stop or is gone.
///
/// # Errors
/// [`ChildError`]; the parent starts another one.
pub async fn run(terms: &Terms) -> Result<(), ChildError> {
    let (link, first) = child::begin::<FromMetrics, ToMetrics>(ROLE).await?;
    let ToMetrics::Setup(setup) = first else { return Err(ChildError::OutOfTurn) };
    let parent = link.sender.clone();
    let work = serve(*setup, link.sender, link.receiver);
    let result = Box::pin(pulse::beating(work, parent, terms.heartbeat, Duration::MAX)).await;
    link.writer.finish().await?;
    result
}

async fn serve(setup: MetricsSetup, parent: ToParent, mut orders: FromParent) -> Result<(), ChildError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ChildError::Signals)?;
    let listen = setup.listen;
    // Names of this host that a browser elsewhere may know it by.
    let hosts = Hosts::of(listen, setup.hosts.iter().cloned().chain([running::host()]));
    let pages: Arc<dyn http::Pages> = Arc::new(StatusPages::new(setup));
    let serving = async {
        let listener = listener(listen, &parent).await?;
        parent.send(&FromMetrics::Serving).await?;
        tracing::info!(%listen, "serving metrics and the status page");
        match http::serve(listener, pages, hosts).await {}
    };
    let mut serving = std::pin::pin!(serving);
    loop {
        tokio::select! {
            order = orders.next() => match order? {
                Some(ToMetrics::Log(filter)) => child::log_by(&filter),
                Some(ToMetrics::Stop) => return Ok(()),
                Some(ToMetrics::Setup(_)) => return Err(ChildError::OutOfTurn),
                None => return Err(ChildError::ParentGone),
            },
            _ = terminate.recv() => return Ok(()),
            ended = &mut serving => return ended,
        }
    }
}

/// A port that another process holds may be free later.
async fn listener(listen: std::net::SocketAddr, parent: &ToParent) -> Result<TcpListener, ChildError> {
    loop {
        match TcpListener::bind(listen).await {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let text = format!("metrics can't be served at {listen}: {error}; `metrics.listen` says where");
                parent.send(&FromMetrics::Trouble(text)).await?;
            }
        }
        tokio::time::sleep(LISTEN_AGAIN).await;
    }
}
