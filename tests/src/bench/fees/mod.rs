//! What the product's fee policy pays for a transaction, and how soon it is included, beside other policies over the same
//! series of base fees, which a real chain under a swinging load makes in the same run.
//!
//! Figures: `blocks`, and for each policy `<name>.paid` (to the least that would have been included as fast),
//! `<name>.blocks` (in the mean until included) and `<name>.lost` (transactions that were not included).

mod play;
mod policies;
mod series;

use self::{
    play::{HORIZON, Played},
    policies::Policy,
    series::Block,
};
use super::{
    Settings,
    chapter::{Chapter, told},
    plot::{Axis, Line, Plot},
    say,
};
use anyhow::{Result, ensure};

const COLUMNS: [&str; 8] = [
    "policy",
    "paid, to the least as fast",
    "paid, gwei",
    "in the next block, %",
    "blocks, mean",
    "blocks, p99",
    "most",
    "never included",
];

/// Records a series and plays all policies over it.
///
/// # Errors
/// When the node fails, or the series is too short to play on.
pub(super) async fn run(settings: &Settings) -> Result<Chapter> {
    let count = settings.fee_blocks;
    ensure!(count > HORIZON, "a series of {count} blocks: a transaction may wait {HORIZON}");
    say(&format!("recording {count} blocks"));
    let series = series::record(count, settings.seed).await?;
    let gwei = |wei: u64| wei as f64 / 1e9;
    let bases = || series.iter().map(|block| gwei(block.base));
    let (least, most) = (bases().fold(f64::INFINITY, f64::min), bases().fold(0.0, f64::max));
    let full = series.iter().filter(|block| block.floor > 0).count();
    let mut chapter = Chapter::new("fees", "Fee policies over one series of base fees")
        .text(format!(
            "{count} blocks of a real node (anvil, EIP-1559) under a load of bursts and calms (seed {}): base fees from {} to \
             {} gwei, {full} blocks full. From each block on, but the last {HORIZON}, a transaction is played that each policy \
             prices by what is known at that block. It is included in the first block whose base fee it covers and that \
             has room for it, or whose lowest tip it outbids. The least as fast: the lowest price that any of the blocks up to \
             that one would have taken.",
            settings.seed,
            told(least),
            told(most),
        ))
        .figure("blocks", series.len() as f64);
    let mut rows = Vec::new();
    for policy in Policy::ALL {
        let played = Played::of(policy, &series);
        rows.push(row(policy, &played));
        let name = policy.key();
        chapter = chapter.figure(format!("{name}.lost"), played.lost as f64);
        if let (Some(ratio), Some(blocks)) = (played.ratio(), played.mean_blocks()) {
            chapter = chapter.figure(format!("{name}.paid"), ratio).figure(format!("{name}.blocks"), blocks);
        }
    }
    Ok(chapter.table(&COLUMNS, rows).text(policies::explained()).plot(plot(&series)))
}

fn row(policy: Policy, played: &Played) -> Vec<String> {
    let cell = |value: Option<f64>| value.map_or("-".to_owned(), told);
    vec![
        policy.name().to_owned(),
        cell(played.ratio()),
        cell(played.mean_paid().map(|wei| wei / 1e9)),
        cell(played.next_block_percent()),
        cell(played.mean_blocks()),
        cell(played.waited(99)),
        cell(played.waited(100)),
        played.lost.to_string(),
    ]
}

/// The base fees, and what two policies pay for a transaction that is sent at each block.
fn plot(series: &[Block]) -> Plot {
    let gwei = |wei: u64| wei as f64 / 1e9;
    let base = series.iter().enumerate().map(|(index, block)| (index as f64, gwei(block.base)));
    let paid = |policy: Policy| Line {
        name: policy.name().to_owned(),
        points: Played::of(policy, series).sent.into_iter().map(|(at, wei)| (at as f64, gwei(wei))).collect(),
    };
    Plot {
        name: "bench-fees".to_owned(),
        title: "Base fee, and what a transaction sent then pays".to_owned(),
        x: Axis::linear("block"),
        y: Axis::log("gwei"),
        lines: vec![
            Line { name: "base fee".to_owned(), points: base.collect() },
            paid(Policy::Product),
            paid(Policy::TwiceGasPrice),
        ],
    }
}
