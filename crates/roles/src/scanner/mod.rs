//! The scanner: reads one chain into the database and answers the workers' questions about it.
//!
//! It is the only process that reads this chain for anybody: what hundred workers ask within a moment becomes one HTTP
//! request. Events and checkpoint are committed together (law 6) and only once final; then the parent is told.
//! Killed anywhere it repeats a range, which the database recognises.

mod announce;
mod board;
pub mod check;
mod endpoints;
mod follow;
mod funds;
mod pair;
mod scene;

use crate::child::{self, ChildError, ms};
use crate::clock::now_ms;
use crate::messages::{FromScanner, ScannerSetup, ToScanner, Unfit};
use crate::pulse;
use crate::terms::Terms;
use board::Board;
pub(crate) use endpoints::Endpoints;
use facilitator_chain::connector::EndpointId;
use facilitator_chain::reader::{Reader, ReaderOptions};
use facilitator_chain::rpc::Rpc;
use facilitator_ipc::{FrameReader, FrameSender};
use facilitator_kill::kill_point;
pub use follow::{Follower, Heard, Unread};
use pair::Pair;
pub use scene::Scene;
pub(crate) use scene::{Audience, Live};
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

/// Name of the role.
pub const ROLE: &str = "scanner";

/// Time between two looks at the funds of the worker keys.
const FUNDS_INTERVAL: Duration = Duration::from_secs(30);

/// Time between two looks at whether the parent has to be told of the endpoints.
const SHOWN_INTERVAL: Duration = Duration::from_secs(1);

/// Longest pause between two tries to reach the node at the beginning.
const MAX_PAUSE: Duration = Duration::from_secs(10);

type ToParent = FrameSender<FromScanner>;
type FromParent = FrameReader<ToScanner, pipe::Receiver>;

/// Runs a scanner over standard input and output.
///
/// # Errors
/// [`ChildError`]; the parent starts another one, but for [`ChildError::Unfit`].
pub async fn run(terms: &Terms) -> Result<(), ChildError> {
    let (link, first) = child::begin::<FromScanner, ToScanner>(ROLE).await?;
    let ToScanner::Setup(setup) = first else { return Err(ChildError::OutOfTurn) };
    let longest = pulse::longest_pass(ms(setup.chain.rpc_timeout_ms));
    let parent = link.sender.clone();
    let work = serve(*setup, link.sender, link.receiver);
    let result = Box::pin(pulse::beating(work, parent, terms.heartbeat, longest)).await;
    // What was said last must reach the parent.
    link.writer.finish().await?;
    result
}

async fn serve(setup: ScannerSetup, parent: ToParent, mut orders: FromParent) -> Result<(), ChildError> {
    let store = child::open_store(&setup.chain, now_ms()).await?;
    let endpoints = Endpoints::new(&setup.chain)?;
    let reader = Reader::start(endpoints.get(EndpointId(0)), ReaderOptions::default());
    if !prepare(&setup, &endpoints, &reader, &parent, &mut orders).await? {
        return Ok(());
    }
    let audience = parent.clone();
    let scene = Live {
        store: store.clone(),
        endpoints: endpoints.clone(),
        reader: reader.clone(),
        audience,
        began: Instant::now().into_std(),
    };
    let follower = Follower::begin(&setup, endpoints.names(), scene).await?;
    let begin = |settings| Pair::begin(&setup, settings, &follower, store, endpoints.clone(), parent.clone());
    let pair = setup.pair.map(begin);
    watch(setup, follower, pair, endpoints, reader, parent, orders).await
}

/// Checks nodes and contracts until they answer, then waits for the other chain's scanner to have done so too. `false`:
/// asked to stop.
async fn prepare(
    setup: &ScannerSetup,
    endpoints: &Endpoints,
    reader: &Reader,
    parent: &ToParent,
    orders: &mut FromParent,
) -> Result<bool, ChildError> {
    let mut pause = ms(setup.chain.poll_interval_ms).min(MAX_PAUSE);
    loop {
        pulse::busy();
        match checked(setup, endpoints, reader).await {
            Ok(found) => {
                kill_point!("scanner.checked");
                parent.send(&FromScanner::Checked(found)).await?;
                kill_point!("scanner.checks_told");
                return wait_for_begin(orders).await;
            }
            Err(check::CheckError::Unfit(unfit)) => {
                parent.send(&FromScanner::Unfit(unfit.clone())).await?;
                return Err(ChildError::Unfit(unfit));
            }
            Err(check::CheckError::Unreachable(text)) => {
                parent.send(&FromScanner::Trouble(Some(text))).await?;
            }
        }
        pulse::idle();
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(MAX_PAUSE),
            order = orders.next() => match order? {
                Some(ToScanner::Stop) | None => return Ok(false),
                Some(ToScanner::Log(filter)) => child::log_by(&filter),
                Some(ToScanner::Setup(_) | ToScanner::Begin | ToScanner::Read(..) | ToScanner::Sync(_)) => {}
            },
        }
    }
}

/// Asks the nodes which chain they serve, and the contracts whether they are those of the configuration. One node alone
/// is not believed that they are not while another one can be asked.
///
/// # Errors
/// [`check::CheckError`].
pub(crate) async fn checked(
    setup: &ScannerSetup,
    endpoints: &Endpoints,
    reader: &Reader,
) -> Result<Vec<crate::messages::Discovered>, check::CheckError> {
    let all: Vec<Rpc> = endpoints.iter().cloned().collect();
    let ours = match child::who_serves(&all, &setup.chain).await {
        child::Serves::Ours(ours) => ours,
        child::Serves::Another(unfit) => return Err(check::CheckError::Unfit(unfit)),
        child::Serves::Unknown(text) => return Err(check::CheckError::Unreachable(text)),
    };
    let mut worst = check::CheckError::Unreachable("no endpoint answered".to_owned());
    for index in ours {
        let rpc = endpoints.get(EndpointId(index));
        reader.use_endpoint(rpc.clone());
        match check::contracts(setup.chain.side, &setup.gateways, reader).await {
            Ok(found) => return Ok(found),
            // A node that has not come to the contracts' blocks yet answers as if there were none.
            Err(check::CheckError::Unfit(Unfit::Contracts(text))) if is_syncing(&rpc).await => {
                let text = format!("the node is still synchronising; for now {text}");
                worst = check::CheckError::Unreachable(text);
            }
            Err(error) => worst = error,
        }
    }
    Err(worst)
}

/// Whether the node says that it is behind its own chain. One that does not say is believed to be there.
async fn is_syncing(rpc: &Rpc) -> bool {
    let answer = rpc.call("eth_syncing", serde_json::Value::Array(Vec::new())).await;
    answer.is_ok_and(|state| state.is_object())
}

async fn wait_for_begin(orders: &mut FromParent) -> Result<bool, ChildError> {
    pulse::idle();
    loop {
        match orders.next().await? {
            Some(ToScanner::Begin) => return Ok(true),
            Some(ToScanner::Stop) | None => return Ok(false),
            Some(ToScanner::Log(filter)) => child::log_by(&filter),
            Some(ToScanner::Setup(_) | ToScanner::Read(..) | ToScanner::Sync(_)) => {}
        }
    }
}

async fn watch(
    setup: ScannerSetup,
    mut follower: Follower<'static, Live<ToParent>>,
    mut pair: Option<Pair>,
    endpoints: Endpoints,
    reader: Reader,
    parent: ToParent,
    mut orders: FromParent,
) -> Result<(), ChildError> {
    let mut terminated = signal(SignalKind::terminate()).map_err(ChildError::Signals)?;
    let mut funds = interval_at(Instant::now() + Duration::from_secs(1), FUNDS_INTERVAL);
    let mut shown = interval(SHOWN_INTERVAL);
    shown.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut board = Board::new(&setup, endpoints.clone());
    let mut announcements = announce::subscribe(&endpoints);
    loop {
        let due = follower.wait();
        pulse::idle();
        tokio::select! {
            order = orders.next() => match order? {
                Some(ToScanner::Read(ask, queries)) => {
                    let (reader, parent) = (reader.clone(), parent.clone());
                    // Questions gather in the reader while others are asked; scanning does not wait for them.
                    tokio::spawn(async move {
                        let answers = reader.ask(queries).await;
                        kill_point!("scanner.read");
                        if let Err(error) = parent.send(&FromScanner::Answers(ask, answers)).await {
                            tracing::debug!(%error, "an answer was not delivered");
                        }
                    });
                }
                Some(ToScanner::Sync(relayed)) => {
                    if let Some(pair) = &mut pair {
                        pulse::busy();
                        pair.relayed(*relayed, &mut follower).await?;
                    }
                }
                Some(ToScanner::Log(filter)) => child::log_by(&filter),
                Some(ToScanner::Stop) => return follower.close().await,
                Some(ToScanner::Setup(_) | ToScanner::Begin) => {}
                None => return Err(ChildError::ParentGone),
            },
            _ = terminated.recv() => return follower.close().await,
            heard = follower.hear() => { pulse::busy(); follower.take(heard).await? },
            Some(heard) = announcements.recv() => { pulse::busy(); follower.take(heard).await? },
            () = tokio::time::sleep(due) => { pulse::busy(); follower.tick().await? },
            came = hear(&mut pair) => if let Some(pair) = &mut pair {
                pulse::busy();
                pair.take(came, &mut follower).await?;
            },
            _ = funds.tick() => funds::report(&setup, &reader, &parent),
            _ = shown.tick() => board.show(&follower, &parent).await?,
        }
        if let Some(pair) = &mut pair {
            pair.look(&mut follower).await?;
        }
        board.look(&follower, &parent).await?;
    }
}

/// Never returns where a chain is read alone.
async fn hear(pair: &mut Option<Pair>) -> Option<pair::Came> {
    match pair {
        Some(pair) => pair.hear().await,
        None => std::future::pending().await,
    }
}

/// The database says that this scanner must not go on.
fn unfit(text: String) -> Unfit {
    Unfit::Database(text)
}
