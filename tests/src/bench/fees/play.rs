//! A policy played over a series of blocks: pure.

use super::{
    policies::{Policy, Waiting},
    series::Block,
};
use facilitator_eth::{U256, tx::Fee};

/// Blocks after which a transaction counts as never included.
pub(super) const HORIZON: usize = 100;

/// What a policy came to.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// For each that was included: the newest block when it was asked for, and what it paid, wei for a unit of gas.
    pub(super) sent: Vec<(usize, u64)>,
    /// The least that would have been included as fast, for each of them.
    least: Vec<u64>,
    /// Blocks until each was included, lowest first.
    waits: Vec<usize>,
    /// Those that were not included.
    pub(super) lost: usize,
}

/// The price at which a block takes a transaction with this fee; none if it does not.
fn taken(fee: Fee, block: &Block) -> Option<u64> {
    let base = U256::from(block.base);
    let (most, tip) = match fee {
        Fee::Legacy { gas_price } => (gas_price, gas_price),
        Fee::Dynamic { max_fee, max_priority } => (max_fee, max_priority),
    };
    let tip = tip.min(most.checked_sub(base)?);
    (tip >= U256::from(block.floor)).then(|| base.saturating_add(tip).to_u64()).flatten()
}

/// Plays one transaction that is asked for when block `asked` is the newest: its block and its price.
fn one(policy: Policy, series: &[Block], asked: usize) -> Option<(usize, u64)> {
    let mut waiting: Option<Waiting> = None;
    for (head, pair) in series.windows(2).enumerate().skip(asked).take(HORIZON) {
        let [newest, next] = pair else { return None };
        let number = head as u64;
        let offer = match &waiting {
            None => policy.first(newest).map(|fee| Waiting { fee, sent_at: number, replacements: 0 }),
            Some(old) => policy.again(old, number, newest).map(|fee| Waiting {
                fee,
                sent_at: number,
                replacements: old.replacements + 1,
            }),
        };
        waiting = offer.or(waiting);
        if let Some(paid) = waiting.and_then(|waiting| taken(waiting.fee, next)) {
            return Some((head + 1, paid));
        }
    }
    None
}

impl Played {
    /// Plays a transaction from each block on that is followed by enough others.
    pub(super) fn of(policy: Policy, series: &[Block]) -> Self {
        let mut played = Self::default();
        for asked in 0..series.len().saturating_sub(HORIZON) {
            let Some((block, paid)) = one(policy, series, asked) else {
                played.lost += 1;
                continue;
            };
            let prices = series.iter().take(block + 1).skip(asked + 1).map(|block| block.base + block.floor);
            played.sent.push((asked, paid));
            played.least.extend(prices.min());
            played.waits.push(block - asked);
        }
        played.waits.sort_unstable();
        played
    }

    /// What all paid to the least that would have been included as fast.
    pub(super) fn ratio(&self) -> Option<f64> {
        let sum = |values: &mut dyn Iterator<Item = u64>| values.map(u128::from).sum::<u128>() as f64;
        let least = sum(&mut self.least.iter().copied());
        (least > 0.0).then(|| sum(&mut self.sent.iter().map(|(_, paid)| *paid)) / least)
    }

    /// Wei for a unit of gas.
    pub(super) fn mean_paid(&self) -> Option<f64> {
        let sum: u128 = self.sent.iter().map(|(_, paid)| u128::from(*paid)).sum();
        (!self.sent.is_empty()).then(|| sum as f64 / self.sent.len() as f64)
    }

    pub(super) fn mean_blocks(&self) -> Option<f64> {
        (!self.waits.is_empty()).then(|| self.waits.iter().sum::<usize>() as f64 / self.waits.len() as f64)
    }

    pub(super) fn next_block_percent(&self) -> Option<f64> {
        let at_once = self.waits.iter().filter(|wait| **wait == 1).count();
        let all = self.waits.len() + self.lost;
        (all > 0).then(|| at_once as f64 * 100.0 / all as f64)
    }

    /// The smallest number of blocks in which so many percent of the included were.
    pub(super) fn waited(&self, percent: usize) -> Option<f64> {
        let rank = (self.waits.len() * percent).div_ceil(100).max(1);
        self.waits.get(rank - 1).map(|blocks| *blocks as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GWEI: u64 = 1_000_000_000;

    fn series(bases: impl Iterator<Item = u64>) -> Vec<Block> {
        bases.map(|base| Block { base, floor: 0, gas_price: base + GWEI }).collect()
    }

    #[test]
    fn on_a_level_chain_all_are_in_the_next_block_and_pay_what_they_offer() {
        let level = series(std::iter::repeat_n(10 * GWEI, HORIZON + 3));
        let ratios =
            [(Policy::Product, 1.1), (Policy::Exact, 1.1), (Policy::GasPrice, 1.1), (Policy::TwiceGasPrice, 2.2)];
        for (policy, ratio) in ratios {
            let played = Played::of(policy, &level);
            assert_eq!((played.sent.len(), played.lost, played.waited(100)), (3, 0, Some(1.0)), "{policy:?}");
            assert!((played.ratio().unwrap() - ratio).abs() < 1e-9, "{policy:?} {:?}", played.ratio());
        }
    }

    #[test]
    fn while_the_base_fee_climbs_only_those_with_room_above_it_are_taken() {
        // An eighth more with each block, from 10 gwei on; then level.
        let climbing = series((0..HORIZON + 1).scan(10 * GWEI, |base, block| {
            let now = *base;
            *base += if block < 20 { *base / 8 } else { 0 };
            Some(now)
        }));
        assert_eq!(Played::of(Policy::Exact, &climbing).lost, 1);
        let product = Played::of(Policy::Product, &climbing);
        assert_eq!((product.lost, product.waited(100)), (0, Some(1.0)));
    }

    #[test]
    fn a_full_block_takes_only_who_outbids_its_lowest_tip_and_a_replacement_may() {
        // Full of tips of 1.3 gwei for long: the product's first offer of 1 gwei waits until it is raised.
        let full = Block { base: 10 * GWEI, floor: GWEI * 13 / 10, gas_price: 11 * GWEI };
        let played = Played::of(Policy::Product, &vec![full; HORIZON + 1]);
        let waited = played.waited(100);
        assert!(played.lost == 0 && waited > Some(3.0), "{played:?}");
        assert_eq!(Played::of(Policy::Exact, &vec![full; HORIZON + 1]).lost, 1);
    }

    #[test]
    fn the_least_as_fast_is_that_of_the_cheapest_block_up_to_the_one_it_came_in() {
        let mut falling = series([50, 50, 20, 20].into_iter().map(|gwei| gwei * GWEI));
        falling.extend(series(std::iter::repeat_n(20 * GWEI, HORIZON)));
        let high = Played::of(Policy::Cap, &falling);
        assert_eq!(high.least, [50, 20, 20, 20].map(|gwei| gwei * GWEI));
        assert!(high.sent.iter().all(|(_, paid)| *paid == 500 * GWEI));
    }
}
