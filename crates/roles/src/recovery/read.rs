//! The scanner's loop, once to the newest final block.

use super::{Progress, RecoveryError, Tell};
use crate::child::ChildError;
use crate::messages::{Discovered, FromScanner, ScannerSetup, Unfit};
use crate::parent::setup::combine;
use crate::parent::{PerSide, Setup};
use crate::scanner::check::CheckError;
use crate::scanner::{Audience, Endpoints, Follower, Live, checked};
use facilitator_chain::connector::EndpointId;
use facilitator_chain::reader::{Reader, ReaderOptions};
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::Side;
use facilitator_sender::Head;
use facilitator_store::Store;
use std::cell::RefCell;
use std::time::Duration;
use tokio::time::Instant;

/// How long a node that fails is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

/// A chain that can be asked.
#[derive(Clone)]
pub struct Reach {
    /// Its nodes.
    endpoints: Endpoints,
    /// Gathers calls to one of them.
    pub(super) reader: Reader,
}

/// Asks both nodes which chains they serve and both sets of contracts whether they are the configured ones.
///
/// # Errors
/// [`RecoveryError`]; nothing was changed.
pub async fn reach(setup: &Setup) -> Result<(PerSide<Reach>, Vec<GatewaySet>), RecoveryError> {
    let ((origin, on_origin), (auxiliary, on_auxiliary)) =
        tokio::try_join!(ask(&setup.scanners.origin), ask(&setup.scanners.auxiliary))?;
    let configured = &setup.scanners.origin.gateways;
    let sets: Result<Vec<GatewaySet>, String> =
        configured.iter().map(|gateway| combine(gateway, &on_origin, &on_auxiliary)).collect();
    Ok((PerSide { origin, auxiliary }, sets.map_err(RecoveryError::Contracts)?))
}

async fn ask(setup: &ScannerSetup) -> Result<(Reach, Vec<Discovered>), RecoveryError> {
    let side = setup.chain.side;
    let unreachable = |text: String| RecoveryError::Unreachable { side, text };
    let endpoints = Endpoints::new(&setup.chain).map_err(|error| unreachable(error.to_string()))?;
    let reader = Reader::start(endpoints.get(EndpointId(0)), ReaderOptions::default());
    match checked(setup, &endpoints, &reader).await {
        Ok(found) => Ok((Reach { endpoints, reader }, found)),
        Err(CheckError::Unreachable(text)) => Err(unreachable(text)),
        Err(CheckError::Unfit(Unfit::WrongChain(text))) => Err(RecoveryError::WrongChain { side, text }),
        Err(CheckError::Unfit(Unfit::Contracts(text) | Unfit::Database(text))) => Err(RecoveryError::Contracts(text)),
    }
}

/// What the follower has told.
#[derive(Default)]
struct Heard {
    head: Option<Head>,
    in_step: bool,
    /// The present trouble and since when it lasts.
    trouble: Option<(String, Instant)>,
}

struct Ear<'a> {
    side: Side,
    heard: &'a RefCell<Heard>,
    tell: Tell<'a>,
}

impl Audience for Ear<'_> {
    async fn tell(&self, message: FromScanner) -> Result<(), ChildError> {
        let mut heard = self.heard.borrow_mut();
        match message {
            FromScanner::Head(head) => heard.head = Some(head),
            FromScanner::Trouble(text) => {
                if text.is_some() != heard.trouble.is_some() {
                    (self.tell)(Progress::Trouble { side: self.side, text: text.clone() });
                }
                let since = heard.trouble.as_ref().map_or_else(Instant::now, |(_, since)| *since);
                heard.trouble = text.map(|text| (text, since));
            }
            FromScanner::InStep(in_step) => heard.in_step = in_step,
            FromScanner::Balances(_)
            | FromScanner::Checked(_)
            | FromScanner::Woke
            | FromScanner::Sync(_)
            | FromScanner::Critical(_)
            | FromScanner::Elected(_)
            | FromScanner::Connections(_)
            | FromScanner::Answers(..)
            | FromScanner::Unfit(_) => {}
        }
        Ok(())
    }
}

/// Reads one chain into the database until no final block is left; its newest block.
pub(super) async fn chain(
    setup: &ScannerSetup,
    store: &Store,
    reach: &Reach,
    tell: Tell<'_>,
) -> Result<Head, RecoveryError> {
    let side = setup.chain.side;
    let heard = RefCell::new(Heard::default());
    let audience = Ear { side, heard: &heard, tell };
    let Reach { endpoints, reader } = reach.clone();
    let names = endpoints.names();
    let scene = Live { store: store.clone(), endpoints, reader, audience, began: Instant::now().into_std() };
    let failed = |error| failure(side, error);
    // Nothing is done on the chains here: each is read by itself.
    let setup = ScannerSetup { pair: None, ..setup.clone() };
    let mut follower = Follower::begin(&setup, names, scene).await.map_err(failed)?;
    let mut last = None;
    loop {
        let due = follower.wait();
        tokio::select! {
            heard = follower.hear() => follower.take(heard).await.map_err(failed)?,
            () = tokio::time::sleep(due) => follower.tick().await.map_err(failed)?,
        }
        give_up_on_trouble(side, &heard)?;
        let reached = follower.reached();
        if let (at, Some(of)) = reached
            && last.replace(reached) != Some(reached)
        {
            tell(Progress::Reading { side, at, of });
        }
        let heard = heard.borrow();
        if let Some(head) = heard.head.filter(|_| heard.in_step && heard.trouble.is_none() && follower.is_in_step()) {
            return Ok(head);
        }
    }
}

fn give_up_on_trouble(side: Side, heard: &RefCell<Heard>) -> Result<(), RecoveryError> {
    match &heard.borrow().trouble {
        Some((text, since)) if since.elapsed() >= PATIENCE => {
            Err(RecoveryError::Unreachable { side, text: text.clone() })
        }
        Some(_) | None => Ok(()),
    }
}

fn failure(side: Side, error: ChildError) -> RecoveryError {
    match error {
        ChildError::Store(error) => error.into(),
        ChildError::Rpc(error) => RecoveryError::Unreachable { side, text: error.to_string() },
        ChildError::Unfit(Unfit::Database(text) | Unfit::WrongChain(text) | Unfit::Contracts(text)) => {
            RecoveryError::Contracts(text)
        }
        error @ (ChildError::Ipc(_)
        | ChildError::ParentGone
        | ChildError::NoSetup
        | ChildError::OutOfTurn
        | ChildError::Sender(_)
        | ChildError::Monitor(_)
        | ChildError::Signals(_)) => RecoveryError::Broken(error.to_string()),
    }
}
