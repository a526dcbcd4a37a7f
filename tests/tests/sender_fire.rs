//! The sender under fire: nodes that forget, chains that fork, prices that jump, and a key that somebody else uses.
//!
//! Blocks are made by hand, each once the facilitator has done what the last one called for, so that a number of blocks
//! is a measure and no race. Every scenario ends the same way: each stake exactly once by the chains' own events, no
//! transaction left in a pool, and every nonce accounted for.

use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{B256, U256};
use facilitator_tests::{
    anvil::Mining,
    daemon::Daemon,
    deploy::tokens,
    devnet::{DevnetOptions, Funds, Payment, Side},
    fire::SIDES,
    node::Pace,
    stakers::{Stake, Stakers},
    verify::{self, Ledger},
    world::{World, WorldOptions},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Blocks that a scenario may take. A node that was away costs some, until both chains have agreed again.
const MOST_BLOCKS: u64 = 240;
/// How often a receipt is looked for in vain where receipts stay away.
const HIDDEN_LOOKS: u64 = 12;
/// Blocks within which a jammed account must move again.
const HEALED: u64 = 3;

fn by_hand(confirmations: u64) -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::OnDemand, ..DevnetOptions::default() };
    WorldOptions { devnet, confirmations, ..WorldOptions::default() }
}

/// A world with stakes just asked for, whose blocks are made by hand from now on.
async fn under_fire(confirmations: u64, count: usize) -> Result<(World, Daemon, Vec<Stake>)> {
    let world = World::new(by_hand(confirmations)).await?;
    asked_for(world, count).await
}

async fn asked_for(world: World, count: usize) -> Result<(World, Daemon, Vec<Stake>)> {
    let stakers = Stakers::new(&world.devnet, 0, count).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Hurried).await?;
    Ok((world, daemon, stakes))
}

/// Block by block until every request is complete; `meddle` may do what it likes before each block.
async fn until_complete(
    world: &World,
    daemon: &Daemon,
    stakes: &[Stake],
    mut meddle: impl AsyncFnMut(&World) -> Result<()>,
) -> Result<u64> {
    for blocks in 0..MOST_BLOCKS {
        world.settle().await;
        meddle(world).await?;
        if world.all_complete(stakes.len()).await? {
            return Ok(blocks);
        }
        for side in SIDES {
            world.devnet.node(side).mine(1).await?;
        }
    }
    let rows = world.operator.requests().await?;
    let pools = [world.pool(Side::Origin).await?, world.pool(Side::Auxiliary).await?];
    anyhow::bail!("not complete after {MOST_BLOCKS} blocks: {rows:#?}\n{pools:#?}\n{}", daemon.log_tail())
}

/// What must hold at the end, whatever came between.
async fn ended_well(world: World, daemon: Daemon, stakes: &[Stake], foreign: &[(Side, u64)]) -> Result<Ledger> {
    let ledger = verify::finished(&world.devnet, stakes).await.with_context(|| daemon.log_tail())?;
    // Approvals and fillers of gaps may still lack their confirmations.
    for _ in 0..4 {
        world.step().await?;
    }
    world.settle().await;
    world.nothing_pending().await.with_context(|| daemon.log_tail())?;
    world.nonces_accounted_for(foreign).await.with_context(|| daemon.log_tail())?;
    world.operator.stop(daemon).await?;
    Ok(ledger)
}

/// The block in which the worker's transaction of this nonce was mined and whether it is one of those `hashes`.
async fn mined_in(world: &World, side: Side, nonce: u64) -> Result<u64> {
    // Bisection by the count at past blocks would do; chains here are short.
    let node = world.devnet.node(side);
    let worker = world.worker(side)?;
    for block in 0..=node.head().await? {
        let at = format!("{block:#x}");
        let count = node.call("eth_getTransactionCount", json!([worker, at])).await?;
        let count = u64::from_str_radix(count.as_str().context("no count")?.trim_start_matches("0x"), 16)?;
        if count > nonce {
            return Ok(block);
        }
    }
    anyhow::bail!("{side:?}: nonce {nonce} is not used")
}

/// A foreign transaction takes the nonce of the `victim`-th transaction that the worker of `side` has in the pool.
async fn robbed_of_a_nonce(side: Side, victim: u64) -> Result<()> {
    let (world, daemon, stakes) = under_fire(1, 2).await?;
    let mut robbed = None;
    until_complete(&world, &daemon, &stakes, async |world| {
        let pool = world.pool(side).await?;
        if robbed.is_none()
            && let Some(ours) = pool.iter().find(|pooled| pooled.nonce == victim)
        {
            let foreign = world.foreign(side, ours.nonce).await?;
            ensure!(foreign != ours.hash, "the same transaction");
            robbed = Some(ours.nonce);
        }
        Ok(())
    })
    .await?;
    let nonce = robbed.with_context(|| format!("no transaction with nonce {victim} was ever seen"))?;
    let (lost, healed) = (mined_in(&world, side, nonce).await?, mined_in(&world, side, nonce + 1).await?);
    ensure!(healed - lost <= HEALED, "robbed in block {lost}, the next own transaction only in block {healed}");
    ended_well(world, daemon, &stakes, &[(side, nonce)]).await.map(drop)
}

#[tokio::test]
async fn an_approval_robbed_of_its_nonce_is_made_anew_within_three_blocks() -> Result<()> {
    robbed_of_a_nonce(Side::Origin, 0).await
}

#[tokio::test]
async fn an_accept_robbed_of_its_nonce_is_made_anew_within_three_blocks() -> Result<()> {
    robbed_of_a_nonce(Side::Origin, 1).await
}

#[tokio::test]
async fn a_proof_robbed_of_its_nonce_is_made_anew_within_three_blocks() -> Result<()> {
    robbed_of_a_nonce(Side::Auxiliary, 0).await
}

#[tokio::test]
async fn a_confirmation_robbed_of_its_nonce_is_made_anew_within_three_blocks() -> Result<()> {
    robbed_of_a_nonce(Side::Auxiliary, 1).await
}

#[tokio::test]
async fn a_mint_robbed_of_its_nonce_is_made_anew_within_three_blocks() -> Result<()> {
    robbed_of_a_nonce(Side::Auxiliary, 3).await
}

#[tokio::test]
async fn a_foreign_transaction_beyond_a_gap_jams_nothing() -> Result<()> {
    let (world, daemon, stakes) = under_fire(1, 2).await?;
    // Of the stakes' three transactions on the origin chain before the progress the second's nonce is taken in
    // advance, beyond a gap that only our own can close.
    let first = world.count(Side::Origin, "latest").await?;
    world.foreign(Side::Origin, first + 1).await?;
    world.foreign(Side::Auxiliary, 2).await?;
    until_complete(&world, &daemon, &stakes, async |_| Ok(())).await?;
    let (gap, after) = (mined_in(&world, Side::Origin, first).await?, mined_in(&world, Side::Origin, first + 2).await?);
    ensure!(after - gap <= HEALED, "the foreign one came in with block {gap}, our next one in block {after}");
    ended_well(world, daemon, &stakes, &[(Side::Origin, first + 1), (Side::Auxiliary, 2)]).await.map(drop)
}

/// What is found in the newest block and is then taken out by a fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dropped {
    Approve,
    Accept,
    Prove,
    Confirm,
    ProgressSource,
    ProgressTarget,
}

impl Dropped {
    const fn side(self) -> Side {
        match self {
            Self::Approve | Self::Accept | Self::ProgressSource => Side::Origin,
            Self::Prove | Self::Confirm | Self::ProgressTarget => Side::Auxiliary,
        }
    }

    async fn is_there(self, world: &World, ledger: &Ledger) -> Result<bool> {
        let lives = || ledger.lives.values();
        Ok(match self {
            Self::Approve => world.count(Side::Origin, "latest").await? > 0,
            Self::Accept => lives().any(|life| !life.declared.is_empty()),
            Self::Prove => !ledger.proven.is_empty(),
            Self::Confirm => lives().any(|life| !life.confirmed.is_empty()),
            Self::ProgressSource => lives().any(|life| !life.source.is_empty()),
            Self::ProgressTarget => lives().any(|life| !life.target.is_empty()),
        })
    }
}

#[tokio::test]
async fn every_transaction_dropped_by_a_fork_is_mined_again_once() -> Result<()> {
    use Dropped::{Accept, Approve, Confirm, ProgressSource, ProgressTarget, Prove};
    let (world, daemon, stakes) = under_fire(2, 2).await?;
    let mut left = vec![Approve, Accept, Prove, Confirm, ProgressSource, ProgressTarget];
    until_complete(&world, &daemon, &stakes, async |world| {
        let ledger = Ledger::read(&world.devnet).await?;
        let mut dropped = Vec::new();
        for step in &left {
            if step.is_there(world, &ledger).await? {
                dropped.push(*step);
            }
        }
        left.retain(|step| !dropped.contains(step));
        for side in SIDES {
            if dropped.iter().any(|step| step.side() == side) {
                let before = world.count(side, "latest").await?;
                world.fork(side, 1).await?;
                let after = world.count(side, "latest").await?;
                ensure!(after < before, "the fork on {side:?} dropped nothing of {dropped:?}");
            }
        }
        Ok(())
    })
    .await?;
    ensure!(left.is_empty(), "never seen in a newest block: {left:?}");
    ended_well(world, daemon, &stakes, &[]).await.map(drop)
}

#[tokio::test]
async fn receipts_that_appear_and_vanish_change_nothing() -> Result<()> {
    let (world, daemon, stakes) = under_fire(2, 2).await?;
    let hidden = Arc::new(AtomicU64::new(0));
    for proxy in [&world.origin_proxy, &world.auxiliary_proxy] {
        // Each receipt is not there at the first look, there at the second, away at the third, and so on.
        let (mut looks, hidden) = (BTreeMap::<String, u64>::new(), Arc::clone(&hidden));
        proxy.set_edit(move |method, params, answer| {
            let Some(result) = answer.get_mut("result") else { return };
            let mut hide = |hash: &str| {
                let looks = looks.entry(hash.to_owned()).or_default();
                *looks += 1;
                let hides = *looks % 2 == 1;
                hidden.fetch_add(u64::from(hides), Ordering::Relaxed);
                hides
            };
            match method {
                "eth_getTransactionReceipt" if !result.is_null() && hide(params[0].as_str().unwrap_or_default()) => {
                    *result = json!(null);
                }
                // Those of a block come together or not at all.
                "eth_getBlockReceipts" if !result.is_null() && hide(&params[0].to_string()) => *result = json!(null),
                _ => {}
            }
        });
    }
    until_complete(&world, &daemon, &stakes, async |_| Ok(())).await?;
    let hidden = hidden.load(Ordering::Relaxed);
    ensure!(hidden >= 8, "only {hidden} receipts were hidden");
    ended_well(world, daemon, &stakes, &[]).await.map(drop)
}

#[tokio::test]
async fn receipts_that_stay_away_for_long_lead_to_no_second_effect() -> Result<()> {
    let (world, daemon, stakes) = under_fire(1, 2).await?;
    for proxy in [&world.origin_proxy, &world.auxiliary_proxy] {
        // Longer than the confirmations: by the counts alone each looks like a nonce that others took.
        let mut looks = BTreeMap::<String, u64>::new();
        proxy.set_edit(move |method, params, answer| {
            if method == "eth_getTransactionReceipt" {
                let looks = looks.entry(params[0].to_string()).or_default();
                *looks += u64::from(!answer["result"].is_null());
                if *looks <= HIDDEN_LOOKS {
                    answer["result"] = json!(null);
                }
            }
        });
    }
    until_complete(&world, &daemon, &stakes, async |_| Ok(())).await?;
    verify::finished(&world.devnet, &stakes).await?;
    // The stakes are done before the receipts of their proof are shown: until then it is made again now and then.
    for _ in 0..4 * HIDDEN_LOOKS {
        world.step().await?;
        if world.nothing_pending().await.is_ok() {
            break;
        }
    }
    world.settle().await;
    world.nothing_pending().await?;
    world.operator.stop(daemon).await
}

/// Loses the pool of a node, as `lose` does it, each time there is something new of ours in it. Only the same bytes may
/// come back.
async fn every_pool_is_lost(lose: impl AsyncFn(&World, Side) -> Result<()>) -> Result<()> {
    let (world, daemon, stakes) = under_fire(1, 2).await?;
    let mut lost: BTreeMap<(bool, B256), ()> = BTreeMap::new();
    until_complete(&world, &daemon, &stakes, async |world| {
        for side in SIDES {
            let fresh: Vec<B256> = world.pool(side).await?.iter().map(|ours| ours.hash).collect();
            let fresh = fresh.into_iter().map(|hash| (side == Side::Origin, hash));
            let fresh: Vec<_> = fresh.filter(|known| !lost.contains_key(known)).collect();
            if !fresh.is_empty() {
                lost.extend(fresh.into_iter().map(|known| (known, ())));
                lose(world, side).await?;
            }
        }
        Ok(())
    })
    .await?;
    ensure!(lost.len() >= 8, "only {} transactions were lost", lost.len());
    for (is_origin, hash) in lost.keys() {
        let side = if *is_origin { Side::Origin } else { Side::Auxiliary };
        let receipts = world.devnet.node(side).receipts(&[*hash]).await?;
        ensure!(receipts.iter().all(Option::is_some), "{hash} was lost and never mined: other bytes were sent");
    }
    ended_well(world, daemon, &stakes, &[]).await.map(drop)
}

#[tokio::test]
async fn a_pool_that_forgets_gets_the_same_bytes_again() -> Result<()> {
    every_pool_is_lost(async |world, side| world.forget_pool(side).await).await
}

#[tokio::test]
async fn a_node_that_is_killed_and_started_again_gets_the_same_bytes_again() -> Result<()> {
    every_pool_is_lost(async |world, side| {
        let node = world.devnet.process(side);
        node.kill().await?;
        // Long enough for the facilitator to meet closed doors.
        world.settle().await;
        node.start_again().await
    })
    .await
}

#[tokio::test]
async fn a_price_that_jumps_to_the_tenfold_within_the_cap_is_paid() -> Result<()> {
    let (world, daemon, stakes) = under_fire(1, 2).await?;
    let (mut prices, mut raised) = (BTreeMap::<(bool, u64), U256>::new(), 0);
    until_complete(&world, &daemon, &stakes, async |world| {
        for side in SIDES {
            for ours in world.pool(side).await? {
                // What waits is outbid from now on, for as long as it offers no more.
                let first = prices.entry((side == Side::Origin, ours.nonce)).or_insert(ours.price);
                raised += u64::from(ours.price > *first);
                if ours.price == *first && prices.len() < 5 {
                    world.set_base_fee(side, 10).await?;
                }
            }
        }
        Ok(())
    })
    .await?;
    ensure!(raised > 0, "nothing was replaced: {prices:?}");
    ended_well(world, daemon, &stakes, &[]).await.map(drop)
}

/// Blocks during which what is missing stays missing.
const WAITING: u64 = 10;
/// Tries within that time, at most: each waits for longer than the one before.
const MOST_TRIES: i64 = 12;

/// Whatever `scarce` says is missing is told by `requests`, tried for in growing pauses, and needs no command once it is
/// there again.
async fn waits_with_a_reason(
    world: World,
    reason: &str,
    scarce: impl AsyncFn(&World) -> Result<()>,
    plenty: impl AsyncFn(&World) -> Result<()>,
) -> Result<()> {
    scarce(&world).await?;
    let (world, daemon, stakes) = asked_for(world, 2).await?;
    for _ in 0..WAITING {
        scarce(&world).await?;
        world.step().await?;
    }
    let rows = world.operator.requests().await?;
    for row in &rows {
        let told = format!("{:?} {:?}", row.waiting_for, row.last_error);
        ensure!(told.contains(reason), "does not say {reason}: {row:?}");
    }
    let sql = "SELECT COUNT(*) FROM transactions";
    let tries: i64 = sqlx::query_scalar(sql).fetch_one(&mut world.journal().await?).await?;
    ensure!(tries <= MOST_TRIES * 2, "{tries} entries in the journal while nothing could be done");
    ensure!(Ledger::read(&world.devnet).await?.progress(&stakes).declared == 0, "accepted all the same");
    plenty(&world).await?;
    until_complete(&world, &daemon, &stakes, async |_| Ok(())).await?;
    ended_well(world, daemon, &stakes, &[]).await.map(drop)
}

#[tokio::test]
async fn a_price_above_the_cap_is_waited_out_with_a_reason() -> Result<()> {
    let world = World::new(by_hand(1)).await?;
    world.operator.set_on_chains("max_fee_per_gas", &json!(U256::exp10(10).to_string()))?;
    let dear = async |world: &World| world.set_base_fee(Side::Origin, 60).await;
    waits_with_a_reason(world, "max_fee_per_gas", dear, async |world| world.set_base_fee(Side::Origin, 1).await).await
}

#[tokio::test]
async fn a_worker_without_coin_waits_with_a_reason_and_goes_on_once_funded() -> Result<()> {
    let funds = Funds { coin: U256::exp10(13), ..Funds::default() };
    let world = World::new(WorldOptions { funds, ..by_hand(1) }).await?;
    let worker = world.worker(Side::Origin)?;
    let payments = [Payment::Coin(worker, tokens(10))];
    let auxiliary = [Payment::Coin(world.worker(Side::Auxiliary)?, tokens(10))];
    waits_with_a_reason(
        world,
        "coin",
        async |_| Ok(()),
        async |world| {
            world.devnet.pay(Side::Origin, &payments).await?;
            world.devnet.pay(Side::Auxiliary, &auxiliary).await
        },
    )
    .await
}
