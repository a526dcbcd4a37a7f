//! A series of blocks of a real chain whose load swings.

use crate::{
    anvil::{Anvil, AnvilOptions, Mining},
    bench::say,
    node::{Node, quantity},
};
use anyhow::{Context as _, Result};
use facilitator_dice::Rng;
use serde_json::{Value as Json, json};

/// What a transaction of the product needs at most: a block with less left has no room for it.
const ROOM: u64 = 600_000;
/// The contract that burns all gas it is given, and its code: a loop without an end.
const BURNER: &str = "0x00000000000000000000000000000000000bad10";
const LOOP: &str = "0x5b600056";
/// Most gas of one transaction of the load, and least.
const PORTION: u64 = 10_000_000;
const CRUMB: u64 = 30_000;
/// Tips of the load, wei: from, and how far.
const TIP: u64 = 100_000_000;
const TIPS: u64 = 2_900_000_000;
/// Base fees beyond which the load turns round, wei.
const CHEAP: u64 = 2_000_000_000;
const DEAR: u64 = 200_000_000_000;
/// Blocks between two reports of progress.
const TELL: usize = 200;

/// A block as far as fees go; all in wei for a unit of gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) base: u64,
    /// Least tip that would have been taken: 0 where there was room, else above the lowest that was.
    pub(super) floor: u64,
    /// The node's answer of `eth_gasPrice` while this was the newest block.
    pub(super) gas_price: u64,
}

/// How full the coming blocks are to be.
struct Load {
    dice: Rng,
    left: u64,
    percent: u64,
}

impl Load {
    /// The gas of the next block, in percent of its limit.
    fn next(&mut self, base: u64) -> u64 {
        if self.left == 0 {
            self.left = 3 + self.dice.below(25);
            self.percent = [0, 15, 45, 55, 85, 100][self.dice.index(6)];
        }
        self.left -= 1;
        if base > DEAR && self.percent > 50 {
            self.percent = 0;
        } else if base < CHEAP && self.percent < 50 {
            self.percent = 100;
        }
        self.percent
    }
}

/// Makes `count` blocks, as fast as they can be made.
///
/// # Errors
/// The node's.
pub(super) async fn record(count: usize, seed: u64) -> Result<Vec<Block>> {
    let anvil = Anvil::start(&AnvilOptions {
        chain_id: 3,
        mining: Mining::OnDemand,
        hardfork: None,
        gas_limit: None,
        slots_in_an_epoch: None,
        port: None,
    })
    .await?;
    let node = Node::new(&anvil.url, 3)?;
    node.call("anvil_setCode", json!([BURNER, LOOP])).await?;
    let accounts = node.call("eth_accounts", json!([])).await?;
    let payer = accounts[0].as_str().context("no accounts")?.to_owned();
    let mut load = Load { dice: Rng::new(seed), left: 0, percent: 0 };
    let (mut nonce, mut series) = (0, Vec::new());
    let (mut base, mut limit) = newest(&node).await.map(|(block, limit)| (block.base, limit))?;
    while series.len() < count {
        let gas = limit * load.next(base) / 100;
        let transactions = load.transactions(&payer, gas, &mut nonce);
        if !transactions.is_empty() {
            node.all("eth_sendTransaction", transactions).await?;
        }
        node.mine(1).await?;
        let (block, now) = newest(&node).await?;
        (base, limit) = (block.base, now);
        series.push(block);
        if series.len() % TELL == 0 {
            say(&format!("{} of {count} blocks", series.len()));
        }
    }
    Ok(series)
}

impl Load {
    /// Transactions that burn so much gas together.
    fn transactions(&mut self, payer: &str, mut gas: u64, nonce: &mut u64) -> Vec<Json> {
        let mut made = Vec::new();
        while gas >= CRUMB {
            // Nothing that is left over may be too little for a transaction.
            let portion = if gas < PORTION + CRUMB { gas } else { PORTION };
            gas -= portion;
            let tip = TIP + self.dice.below(TIPS);
            made.push(json!([{
                "from": payer,
                "to": BURNER,
                "gas": format!("{portion:#x}"),
                "nonce": format!("{nonce:#x}"),
                "maxFeePerGas": format!("{:#x}", DEAR * 1_000),
                "maxPriorityFeePerGas": format!("{tip:#x}"),
            }]));
            *nonce += 1;
        }
        made
    }
}

/// The newest block, and its limit of gas.
async fn newest(node: &Node) -> Result<(Block, u64)> {
    let calls = vec![("eth_getBlockByNumber", json!(["latest", true])), ("eth_gasPrice", json!([]))];
    let answers = node.mixed(calls).await?;
    let [block, gas_price] = answers.as_slice() else { anyhow::bail!("two answers were asked for") };
    let of = |name: &str| quantity(&block[name]).with_context(|| format!("{name} of a block"));
    let (used, limit) = (of("gasUsed")?, of("gasLimit")?);
    let transactions = block["transactions"].as_array().context("no transactions")?;
    let tips = transactions.iter().map(|one| quantity(&one["maxPriorityFeePerGas"]));
    let lowest = tips.collect::<Result<Vec<u64>>>()?.into_iter().min().unwrap_or(0);
    let floor = if limit - used >= ROOM { 0 } else { lowest + 1 };
    Ok((Block { base: of("baseFeePerGas")?, floor, gas_price: quantity(gas_price)? }, limit))
}
