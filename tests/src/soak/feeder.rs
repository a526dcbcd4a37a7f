//! Keeps stakes in flight: whenever too few are unfinished, new stakers ask.

use crate::{
    devnet::Devnet,
    node::Pace,
    stakers::{Stake, Stakers},
    verify::Ledger,
};
use anyhow::Result;
use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

/// How often the chains are looked at.
const LOOK: Duration = Duration::from_millis(400);
/// Stakers that ask together.
const WAVE: usize = 4;

/// The stakes of a soak.
#[derive(Debug)]
pub(crate) struct Feeder<'a> {
    devnet: &'a Devnet,
    in_flight: usize,
    stakes: RefCell<Vec<Stake>>,
    finished: Cell<usize>,
    stopped: Cell<bool>,
}

impl<'a> Feeder<'a> {
    pub(crate) fn new(devnet: &'a Devnet, in_flight: usize) -> Self {
        Self { devnet, in_flight, stakes: RefCell::default(), finished: Cell::new(0), stopped: Cell::new(false) }
    }

    /// Asks again and again until it is stopped, with new stakers each time so that nobody is paid twice.
    pub(crate) async fn feed(&self) -> Result<()> {
        while !self.stopped.get() {
            self.look().await?;
            let asked = self.asked();
            if asked.saturating_sub(self.finished()) < self.in_flight {
                let stakers = Stakers::new(self.devnet, asked, WAVE).await?;
                let stakes = stakers.request_all(self.devnet, Pace::Natural).await?;
                self.stakes.borrow_mut().extend(stakes);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Nobody asks any more. A wave under way is asked to its end, so that every stake is known.
    pub(crate) fn stop(&self) {
        self.stopped.set(true);
    }

    /// Counts what is finished.
    pub(crate) async fn look(&self) -> Result<()> {
        let ledger = Ledger::read(self.devnet).await?;
        self.finished.set(ledger.progress(&self.stakes.borrow()).finished);
        Ok(())
    }

    pub(crate) fn asked(&self) -> usize {
        self.stakes.borrow().len()
    }

    pub(crate) fn finished(&self) -> usize {
        self.finished.get()
    }

    pub(crate) fn stakes(&self) -> Vec<Stake> {
        self.stakes.borrow().clone()
    }
}
