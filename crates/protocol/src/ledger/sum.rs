//! Sums of lines in one asset.

use super::{Line, Reason};
use facilitator_eth::U256;
use std::fmt;

/// What moved in one asset, smallest units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Bounties put up.
    pub bounty_out: U256,
    /// Bounties that came back, also those that others had put up.
    pub bounty_back: U256,
    /// Rewards.
    pub reward: U256,
    /// Gas at the prices paid.
    pub gas: U256,
}

impl Sum {
    /// Adds what a line says.
    pub fn add(&mut self, line: &Line) {
        let field = match line.reason {
            Reason::BountyOut => &mut self.bounty_out,
            Reason::BountyBack => &mut self.bounty_back,
            Reason::Reward => &mut self.reward,
            Reason::Gas => &mut self.gas,
        };
        *field = field.saturating_add(line.amount);
    }

    /// What is left: by so much the balances of the worker keys have changed.
    #[must_use]
    pub fn net(&self) -> Net {
        let earned = self.bounty_back.saturating_add(self.reward);
        let spent = self.bounty_out.saturating_add(self.gas);
        match earned.checked_sub(spent) {
            Some(gain) => Net::Gain(gain),
            None => Net::Loss(spent.saturating_sub(earned)),
        }
    }
}

/// A difference with its sign; as text a decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Net {
    /// Zero or more.
    Gain(U256),
    /// Less than zero.
    Loss(U256),
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gain(amount) => amount.fmt(f),
            Self::Loss(amount) => write!(f, "-{amount}"),
        }
    }
}
