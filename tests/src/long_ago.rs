//! Stakes of long ago: their blocks lie far below the head, and the facilitator knows nothing of them.

use crate::{
    database,
    devnet::Side,
    events::{self, Event},
    node::Pace,
    stakers::Stakers,
    verify,
    world::World,
};
use anyhow::{Context as _, Result};
use serde_json::json;
use std::time::Duration;

/// Blocks that make everything before them far: more than the facilitator reads one by one.
pub const FAR: u64 = 1_500;
/// Blocks that are made at once.
const AT_ONCE: u64 = 100;
/// Most blocks whose logs the node gives at once.
const WIDEST: u64 = 10;
/// Time for a stake.
const LIMIT: Duration = Duration::from_secs(60);

/// Has a staker, the `first`th, stake `count` times, one after the other. Then the facilitator is stopped, its database
/// lost, and the blocks are made far ones.
///
/// # Errors
/// When a stake is not completed.
pub async fn stakes(world: &World, first: usize, count: usize) -> Result<()> {
    let daemon = world.operator.start().await?;
    let stakers = Stakers::new(&world.devnet, first, 1).await?;
    for _ in 0..count {
        let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
        verify::wait_finished(&world.devnet, &stakes, LIMIT).await?;
    }
    world.operator.stop(daemon).await?;
    database::lose(&world.operator.config)?;
    for _ in 0..FAR / AT_ONCE {
        world.devnet.origin.mine(AT_ONCE).await?;
    }
    Ok(())
}

/// The origin node's index of logs has a hole where the second message was declared; its blocks and receipts are whole.
/// It gives few blocks at once, so that those before the hole are stored when it shows.
///
/// # Errors
/// When there is no second message.
pub async fn lose_the_second(world: &World) -> Result<()> {
    let gateway = world.devnet.contracts.origin.gateway;
    let logs = world.devnet.origin.logs(&[gateway], 0).await?;
    let mut declarations = logs.iter().filter(|log| matches!(events::read(log), Ok(Some(Event::Declared { .. }))));
    let hidden = json!(format!("{:#x}", declarations.nth(1).context("no second message")?.block));
    world.origin_proxy.set_widest_range(Some(WIDEST));
    world.origin_proxy.set_edit(move |method, _, answer| {
        if method == "eth_getLogs"
            && let Some(logs) = answer["result"].as_array_mut()
        {
            logs.retain(|log| log["blockNumber"] != hidden);
        }
    });
    Ok(())
}

/// How many declared messages of the origin chain the facilitator has stored.
///
/// # Errors
/// The database's.
pub async fn stored_messages(world: &World) -> Result<usize> {
    let sql = "SELECT count(*) FROM events WHERE chain_id = ? AND name = 'StakeIntentDeclared'";
    let chain = i64::try_from(world.devnet.node(Side::Origin).chain_id)?;
    let count: i64 = sqlx::query_scalar(sql).bind(chain).fetch_one(&mut world.journal().await?).await?;
    Ok(usize::try_from(count)?)
}
