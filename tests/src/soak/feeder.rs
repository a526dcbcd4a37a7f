//! Keeps stakes and redeems in flight: whenever too few are unfinished, new stakers and redeemers ask.

use crate::{
    devnet::Devnet,
    kind::Kind,
    node::Pace,
    requesters::{Request, Requesters},
    verify::Ledger,
};
use anyhow::Result;
use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

/// How often the chains are looked at.
const LOOK: Duration = Duration::from_millis(400);
/// Accounts that ask together.
const WAVE: usize = 4;

/// The requests of a soak.
#[derive(Debug)]
pub(crate) struct Feeder<'a> {
    devnet: &'a Devnet,
    kinds: &'static [Kind],
    in_flight: usize,
    requests: RefCell<Vec<Request>>,
    finished: Cell<usize>,
    stopped: Cell<bool>,
}

impl<'a> Feeder<'a> {
    pub(crate) fn new(devnet: &'a Devnet, kinds: &'static [Kind], in_flight: usize) -> Self {
        Self {
            devnet,
            kinds,
            in_flight,
            requests: RefCell::default(),
            finished: Cell::new(0),
            stopped: Cell::new(false),
        }
    }

    /// Asks again and again until it is stopped, with new accounts each time so that nobody is paid twice.
    pub(crate) async fn feed(&self) -> Result<()> {
        while !self.stopped.get() {
            self.look().await?;
            let asked = self.asked();
            if asked.saturating_sub(self.finished()) < self.in_flight {
                for kind in self.kinds.iter().copied() {
                    let pair = self.devnet.contracts.first();
                    let requesters = Requesters::at(self.devnet, kind, pair, asked, WAVE / self.kinds.len()).await?;
                    let requests = requesters.request_all(self.devnet, Pace::Natural).await?;
                    self.requests.borrow_mut().extend(requests);
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Nobody asks any more. A wave under way is asked to its end, so that every request is known.
    pub(crate) fn stop(&self) {
        self.stopped.set(true);
    }

    /// Counts what is finished.
    pub(crate) async fn look(&self) -> Result<()> {
        let ledger = Ledger::read(self.devnet).await?;
        self.finished.set(ledger.progress(&self.requests.borrow()).finished);
        Ok(())
    }

    pub(crate) fn asked(&self) -> usize {
        self.requests.borrow().len()
    }

    pub(crate) fn finished(&self) -> usize {
        self.finished.get()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }
}
