//! How much is measured: what a report says of itself, and what a committed one must not fall short of.

use super::race::Race;
use crate::kind::Kind;
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How much is to be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Numbers of stakes at once.
    pub sizes: Vec<usize>,
    /// Runs of each number of stakes, whose median counts.
    pub runs: usize,
    /// Time between two blocks; zero for a block with each transaction.
    pub block_time: Duration,
    /// How often the nodes are asked for the newest block.
    pub poll: Duration,
    /// Blocks until a block counts as final.
    pub confirmations: u64,
    /// Most worker processes at one time, unless it is the default.
    pub max_workers: Option<u64>,
    /// Numbers of stakes and redeems whose gas is compared.
    pub gas_sizes: Vec<usize>,
    /// Blocks of the series over which fee policies are played.
    pub fee_blocks: usize,
    /// Starts of a process in each way.
    pub starts: usize,
    /// Deaths of workers.
    pub deaths: usize,
    /// Deaths of the parent.
    pub parents: usize,
    /// Numbers of unfinished requests at a restart.
    pub rows: Vec<usize>,
    /// Blocks of the chain that is read.
    pub blocks: u64,
    /// Stakes of several instances.
    pub shared: usize,
    /// Deaths of one of two instances.
    pub takeovers: usize,
    /// Decides who dies when, and how the load of the fees swings.
    pub seed: u64,
}

impl Default for Settings {
    /// Those of a committed report.
    fn default() -> Self {
        Self {
            sizes: vec![1, 10, 100, 1_000],
            runs: 3,
            block_time: Duration::from_secs(1),
            poll: Duration::from_millis(200),
            confirmations: 0,
            max_workers: None,
            gas_sizes: vec![1, 10, 100],
            fee_blocks: 800,
            starts: 60,
            deaths: 60,
            parents: 15,
            rows: vec![10, 100, 1_000, 10_000],
            blocks: 100_000,
            shared: 100,
            takeovers: 5,
            seed: 0,
        }
    }
}

impl Settings {
    pub(super) fn race(&self, kind: Kind, count: usize) -> Race {
        let Self { block_time, poll, confirmations, max_workers, .. } = *self;
        Race { kind, count, block_time, poll, confirmations, max_workers }
    }

    /// Checks that nothing is measured less often, of fewer or otherwise than by default.
    ///
    /// # Errors
    /// What is.
    pub(super) fn suffice(&self) -> Result<()> {
        let full = Self::default();
        let lists = [
            ("--sizes", &self.sizes, &full.sizes),
            ("--gas-sizes", &self.gas_sizes, &full.gas_sizes),
            ("--rows", &self.rows, &full.rows),
        ];
        for (name, own, all) in lists {
            ensure!(all.iter().all(|size| own.contains(size)), "{name} lacks one of {all:?}");
        }
        let counts = [
            ("--runs", self.runs, full.runs),
            ("--fee-blocks", self.fee_blocks, full.fee_blocks),
            ("--starts", self.starts, full.starts),
            ("--deaths", self.deaths, full.deaths),
            ("--parents", self.parents, full.parents),
            ("--blocks", usize::try_from(self.blocks)?, usize::try_from(full.blocks)?),
            ("--shared", self.shared, full.shared),
            ("--takeovers", self.takeovers, full.takeovers),
        ];
        for (name, own, least) in counts {
            ensure!(own >= least, "{name} {own}: at least {least}");
        }
        let ways = |settings: &Self| (settings.block_time, settings.poll, settings.confirmations, settings.max_workers);
        ensure!(ways(self) == ways(&full), "block time, poll, confirmations and workers must be the default ones");
        Ok(())
    }

    /// Whether both measure the same, whoever dies when.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        *self == Self { seed: self.seed, ..other.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_the_default_does_not_suffice() {
        let full = Settings::default;
        full().suffice().unwrap();
        Settings { runs: 5, sizes: vec![1, 5, 10, 100, 1_000], ..full() }.suffice().unwrap();
        for (less, why) in [
            (Settings { runs: 1, ..full() }, "--runs 1: at least 3"),
            (Settings { sizes: vec![1, 100], ..full() }, "--sizes lacks one of [1, 10, 100, 1000]"),
            (Settings { rows: vec![10_000], ..full() }, "--rows lacks one of [10, 100, 1000, 10000]"),
            (Settings { takeovers: 4, ..full() }, "--takeovers 4: at least 5"),
            (
                Settings { block_time: Duration::from_millis(500), ..full() },
                "block time, poll, confirmations and workers must be the default ones",
            ),
        ] {
            assert_eq!(less.suffice().unwrap_err().to_string(), why);
            assert!(!less.is_like(&full()));
        }
        assert!(Settings { seed: 7, ..full() }.is_like(&full()));
    }
}
