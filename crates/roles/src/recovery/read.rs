//! The scanner's loop, once to the newest final block.

use super::{Progress, RecoveryError, Tell};
use crate::child::{self, ChildError};
use crate::messages::{Discovered, FromScanner, ScannerSetup, Unfit};
use crate::parent::setup::combine;
use crate::parent::{PerSide, Setup};
use crate::scanner::check::CheckError;
use crate::scanner::{Audience, Follower, Live, checked};
use facilitator_chain::reader::{Reader, ReaderOptions};
use facilitator_chain::rpc::Rpc;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::Side;
use facilitator_sender::Head;
use facilitator_store::Store;
use std::cell::RefCell;
use std::time::Duration;
use tokio::time::Instant;

/// How long a node that fails is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pause between two looks at a head that can't be read.
const PAUSE: Duration = Duration::from_millis(500);

/// A chain that can be asked.
#[derive(Clone)]
pub struct Reach {
    /// Its node.
    rpc: Rpc,
    /// Gathers calls to it.
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
    let rpc = child::client(&setup.chain).map_err(|error| unreachable(error.to_string()))?;
    let reader = Reader::start(rpc.clone(), ReaderOptions::default());
    match checked(setup, &rpc, &reader).await {
        Ok(found) => Ok((Reach { rpc, reader }, found)),
        Err(CheckError::Unreachable(text)) => Err(unreachable(text)),
        Err(CheckError::Unfit(Unfit::WrongChain(text))) => Err(RecoveryError::WrongChain { side, text }),
        Err(CheckError::Unfit(Unfit::Contracts(text) | Unfit::Database(text))) => Err(RecoveryError::Contracts(text)),
    }
}

/// What the follower has told.
#[derive(Default)]
struct Heard {
    head: Option<Head>,
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
            FromScanner::Balances(_)
            | FromScanner::Checked(_)
            | FromScanner::Woke
            | FromScanner::CaughtUp
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
    let scene = Live { store: store.clone(), rpc: reach.rpc.clone(), reader: reach.reader.clone(), audience };
    let failed = |error| failure(side, error);
    let mut follower = Follower::begin(setup, scene).await.map_err(failed)?;
    loop {
        follower.look().await.map_err(failed)?;
        while follower.is_behind() {
            follower.more().await;
            follower.step().await.map_err(failed)?;
            give_up_on_trouble(side, &heard)?;
            if let (at, Some(of)) = follower.reached() {
                tell(Progress::Reading { side, at, of });
            }
        }
        // Reading took its time: there may be new blocks, so it is over only once a look finds none.
        follower.look().await.map_err(failed)?;
        let (head, is_well) = (heard.borrow().head, heard.borrow().trouble.is_none());
        match head {
            Some(head) if is_well && !follower.is_behind() => {
                if let (at, Some(of)) = follower.reached() {
                    tell(Progress::Reading { side, at, of });
                }
                return Ok(head);
            }
            Some(_) | None => {}
        }
        if !is_well {
            give_up_on_trouble(side, &heard)?;
            tokio::time::sleep(PAUSE).await;
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
        | ChildError::Signals(_)) => RecoveryError::Broken(error.to_string()),
    }
}
