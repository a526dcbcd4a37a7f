//! How many blocks each step of some requests was mined later than it could have been: beyond what confirmations,
//! anchoring and full blocks force.

use crate::{
    devnet::{Devnet, Side},
    events::{self, Event},
    node::{Node, quantity},
    requesters::Request,
    verify::{Ledger, Life, Place},
};
use anyhow::{Context as _, Result};
use serde_json::json;
use std::collections::BTreeMap;

/// Part of its limit of gas from which on a block counts as full, percent: the rest of a usual one, 1,500,000, has room for
/// one or two transactions more.
const FULL: u64 = 95;
/// Columns of the table: so many blocks lost, the last one for all beyond.
const COLUMNS: u64 = 4;

/// A block as far as it is asked about.
#[derive(Debug, Clone, Copy)]
struct Block {
    timestamp: u64,
    used: u64,
    limit: u64,
}

impl Block {
    const fn is_full(self) -> bool {
        self.used * 100 >= self.limit * FULL
    }
}

/// The blocks of a chain by number.
#[derive(Debug)]
struct Chain(BTreeMap<u64, Block>);

impl Chain {
    async fn read(node: &Node, from: u64) -> Result<Self> {
        let head = node.head().await?;
        let asked = (from..=head).map(|number| json!([format!("{number:#x}"), false])).collect();
        let mut blocks = BTreeMap::new();
        for block in node.all("eth_getBlockByNumber", asked).await? {
            let of = |field: &str| quantity(&block[field]);
            let block = Block { timestamp: of("timestamp")?, used: of("gasUsed")?, limit: of("gasLimit")? };
            blocks.insert(of("number")?, block);
        }
        Ok(Self(blocks))
    }

    /// Blocks with room that passed from the earliest possible one on until that of `at`.
    fn lost(&self, earliest: u64, at: u64) -> u64 {
        (earliest..at).filter(|number| self.0.get(number).is_some_and(|block| !block.is_full())).count() as u64
    }

    /// Blocks with room that passed after a moment of the other chain until that of `at`; none where no block came after it:
    /// then `at` is of the same second.
    fn lost_since(&self, timestamp: u64, at: u64) -> u64 {
        let after = self.0.iter().find(|(_, block)| block.timestamp > timestamp).map(|(number, _)| *number);
        after.map_or(0, |earliest| self.lost(earliest, at))
    }

    /// Gas that was used of the room in these blocks, percent.
    fn fill(&self, from: u64, to: u64) -> f64 {
        let blocks = || self.0.iter().filter(|(number, _)| (from..=to).contains(*number)).map(|(_, block)| block);
        let (used, limit): (u64, u64) =
            (blocks().map(|block| block.used).sum(), blocks().map(|block| block.limit).sum());
        used as f64 * 100.0 / limit.max(1) as f64
    }

    fn timestamp(&self, number: u64) -> Option<u64> {
        self.0.get(&number).map(|block| block.timestamp)
    }
}

/// For each step how many stakes lost how many blocks.
#[derive(Debug, Clone, Default)]
pub(super) struct Late {
    steps: [BTreeMap<u64, u64>; 4],
    stakes: usize,
    /// Gas that was used of the room in all blocks from a chain's first step to its last one, percent: origin, auxiliary.
    pub(super) fill: [f64; 2],
}

const STEPS: [&str; 4] = ["accept", "confirm", "progress source", "progress target"];
/// Of [`Late::rows`].
pub(super) const HEADER: [&str; 5] = ["stakes whose step lost so many blocks", "0", "1", "2", "3 or more"];

impl Late {
    /// Reads it from the chains, for stakes that are all finished; `from`: blocks before any of them, origin and auxiliary.
    ///
    /// # Errors
    /// A node's.
    pub(super) async fn read(
        devnet: &Devnet,
        stakes: &[Request],
        ledger: &Ledger,
        confirmations: u64,
        from: [u64; 2],
    ) -> Result<Self> {
        let (origin, auxiliary) =
            tokio::try_join!(Chain::read(&devnet.origin, from[0]), Chain::read(&devnet.auxiliary, from[1]))?;
        let anchored = anchored(devnet, from[1]).await?;
        let mut late = Self { stakes: stakes.len(), ..Self::default() };
        let mut spans = [(u64::MAX, 0); 2];
        for stake in stakes {
            let (_, life) = ledger.life(stake).context("a stake without a message")?;
            let [declared, confirmed, source, target] = places(life).context("a stake that is not finished")?;
            let when = declared + confirmations;
            let root = anchored.iter().find(|(height, _)| **height >= when).map(|(_, block)| *block);
            let root = root.context("no state root was anchored for a stake")?;
            let known = auxiliary.timestamp(confirmed + confirmations).context("a confirmation that is not final")?;
            let lost = [
                origin.lost(stake.block + confirmations + 1, declared),
                auxiliary.lost(root + confirmations + 1, confirmed),
                origin.lost_since(known, source),
                auxiliary.lost(confirmed + confirmations + 1, target),
            ];
            for (counts, lost) in late.steps.iter_mut().zip(lost) {
                *counts.entry(lost).or_default() += 1;
            }
            for ((first, last), (from, to)) in spans.iter_mut().zip([(declared, source), (confirmed, target)]) {
                (*first, *last) = ((*first).min(from), (*last).max(to));
            }
        }
        let [of_origin, of_auxiliary] = spans;
        late.fill = [origin.fill(of_origin.0, of_origin.1), auxiliary.fill(of_auxiliary.0, of_auxiliary.1)];
        Ok(late)
    }

    /// Blocks that a stake lost in the mean: on the origin, on the auxiliary chain.
    pub(super) fn means(&self) -> [f64; 2] {
        let lost = |counts: &BTreeMap<u64, u64>| counts.iter().map(|(blocks, stakes)| blocks * stakes).sum::<u64>();
        let [accept, confirm, source, target] = self.steps.each_ref().map(lost);
        [accept + source, confirm + target].map(|lost| lost as f64 / self.stakes.max(1) as f64)
    }

    /// A row for each step: its name, then how many stakes lost no block, one, two, and more.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let row = |(counts, name): (&BTreeMap<u64, u64>, &str)| {
            let none_or_few = (0..COLUMNS - 1).map(|blocks| counts.get(&blocks).copied().unwrap_or(0));
            let more = counts.range(COLUMNS - 1..).map(|(_, stakes)| stakes).sum();
            let counts = none_or_few.chain([more]).map(|count: u64| count.to_string());
            [name.to_owned()].into_iter().chain(counts).collect()
        };
        self.steps.iter().zip(STEPS).map(row).collect()
    }
}

fn places(life: &Life) -> Option<[u64; 4]> {
    let block = |places: &Vec<Place>| places.first().map(|place| place.block);
    let [declared, confirmed, source, target] = life.steps().map(block);
    Some([declared?, confirmed?, source?, target?])
}

/// The auxiliary block in which each origin height was anchored.
async fn anchored(devnet: &Devnet, from: u64) -> Result<BTreeMap<u64, u64>> {
    let anchor = devnet.contracts.auxiliary.anchor;
    let mut anchored = BTreeMap::new();
    for log in devnet.node(Side::Auxiliary).logs(&[anchor], from).await? {
        if let Some(Event::StateRootAvailable { height }) = events::read(&log)? {
            anchored.insert(height, log.block);
        }
    }
    Ok(anchored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_block_is_lost_where_none_came_after_the_moment() {
        let block = |timestamp| Block { timestamp, used: 0, limit: 10 };
        let chain = Chain(BTreeMap::from([(5, block(10)), (6, block(11)), (7, block(12))]));
        let lost = |moment| chain.lost_since(moment, 7);
        assert_eq!([lost(9), lost(10), lost(11), lost(12), lost(13)], [2, 1, 0, 0, 0]);
    }

    #[test]
    fn a_full_block_is_not_lost() {
        let block = |used| Block { timestamp: 0, used, limit: 100 };
        let chain = Chain(BTreeMap::from([(5, block(94)), (6, block(95)), (7, block(0))]));
        assert_eq!([chain.lost(5, 7), chain.lost(6, 7), chain.lost(5, 8)], [1, 0, 2]);
        assert_eq!([chain.fill(5, 7), chain.fill(6, 6), chain.fill(u64::MAX, 0)], [63.0, 95.0, 0.0]);
    }
}
