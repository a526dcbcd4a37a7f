//! The parts of the benchmark: stakes beside a straight script, deaths of workers, the death of the parent, a restart
//! with many unfinished requests, the reading of a long chain, and several instances on one database.
//!
//! Each part makes a world of its own, so that it can be run alone. Nothing here judges: figures stand beside what they
//! are to be compared with.

mod backlog;
mod blocks;
pub mod deaths;
pub mod instances;
pub mod orphans;
pub mod restart;
pub mod scan;
pub mod stakes;

use crate::{
    anvil::Mining,
    devnet::DevnetOptions,
    rpc_proxy::Fault,
    world::{World, WorldOptions},
};
use anyhow::Result;
use std::time::Duration;

/// Time of a node's answer: as if it were some way off, so that workers die in the midst of something.
const LATENCY: Duration = Duration::from_millis(40);
/// Time between two blocks.
const BLOCK_TIME: Duration = Duration::from_millis(500);
/// Stakes that are always under way while processes die.
const IN_FLIGHT: usize = 16;
/// Longest time for all stakes to end after the last death.
const END_LIMIT: Duration = Duration::from_secs(180);

/// A world in which stakes can flow while processes die.
async fn busy_world() -> Result<World> {
    let world = World::new(WorldOptions {
        devnet: DevnetOptions { mining: Mining::Every(BLOCK_TIME), ..DevnetOptions::default() },
        workers: 2,
        ..WorldOptions::default()
    })
    .await?;
    for proxy in [&world.origin_proxy, &world.auxiliary_proxy] {
        proxy.set_rule(|_| Fault::Delay(LATENCY));
    }
    Ok(world)
}
