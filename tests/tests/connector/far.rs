//! Blocks far below the head: their logs are not proven one by one, so that two endpoints must tell the same, and what
//! one leaves out is noticed by the numbers of the messages.

use super::LIMIT;
use anyhow::{Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    devnet::{DevnetOptions, Side},
    limits,
    long_ago::{self, FAR},
    node::Pace,
    rpc_proxy::Fault,
    stakers::Stakers,
    trio::{Trio, quicken_connector},
    world::{World, WorldOptions},
};
use serde_json::json;
use std::time::{Duration, Instant};

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, confirmations: 2, ..WorldOptions::default() }
}

async fn read_to(world: &World, block: u64) -> Result<()> {
    let start = Instant::now();
    while world.checkpoint(Side::Origin).await.ok().flatten().is_none_or(|reached| reached < block) {
        ensure!(start.elapsed() < LIMIT, "block {block} was not read");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_message_that_the_only_endpoint_leaves_out_is_found_by_the_numbers_of_the_others() -> Result<()> {
    let world = World::new(quick()).await?;
    long_ago::stakes(&world, 0, 3).await?;
    long_ago::lose_the_second(&world).await?;
    let head = world.devnet.origin.head().await?;
    let daemon = world.operator.start().await?;
    read_to(&world, head).await?;
    ensure!(long_ago::stored_messages(&world).await? == 3, "a message is missing\n{}", daemon.log_tail());
    ensure!(world.operator.requests().await?.len() == 3, "a request is missing");
    let log = std::fs::read_to_string(daemon.log())?;
    ensure!(log.matches("are read one by one").count() == 1, "the hole was not noticed once:\n{log}");
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn what_no_witness_confirms_is_not_stored() -> Result<()> {
    let trio = Trio::new(quick()).await?;
    long_ago::stakes(&trio.world, 0, 2).await?;
    let head = trio.world.devnet.origin.head().await?;
    let [liar, failing, honest] = &trio.proxies;
    liar.hide_logs(1000);
    failing.set_rule(|request| match request.methods.iter().any(|method| method == "eth_getLogs") {
        true => Fault::Status(500),
        false => Fault::None,
    });
    // The two others are rather read.
    honest.set_latency(Some(Duration::from_millis(100)));
    let daemon = trio.world.operator.spawn()?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(8) {
        let reached = trio.world.checkpoint(Side::Origin).await.ok().flatten().unwrap_or(0);
        ensure!(reached < FAR / 2, "block {reached} was read without two who agree");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    failing.set_rule(|_| Fault::None);
    read_to(&trio.world, head).await?;
    ensure!(long_ago::stored_messages(&trio.world).await? == 2, "messages are missing\n{}", daemon.log_tail());
    trio.world.operator.stop(daemon).await
}

/// More blocks than are remembered pass while no file can grow, and the node's index of logs is empty.
#[tokio::test]
async fn blocks_that_were_forgotten_while_the_database_was_out_of_reach_are_read_whole() -> Result<()> {
    let world = World::new(quick()).await?;
    quicken_connector(&world.operator)?;
    let daemon = world.operator.start().await?;
    let stakers = Stakers::new(&world.devnet, 0, 2).await?;
    let everybody = [daemon.children(), vec![daemon.pid]].concat();
    for pid in &everybody {
        limits::file_size(*pid, Some(0))?;
    }
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let before = world.counts();
    for _ in 0..FAR / 100 {
        world.devnet.origin.mine(100).await?;
        // Followed without a pause, so that no block is far.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let calls = world.counts()[0].since(&before[0]);
    let headers = calls.calls.get("eth_getBlockByNumber").copied().unwrap_or(0);
    ensure!(headers >= FAR - 100, "only {headers} blocks were followed");
    world.origin_proxy.set_edit(|method, _, answer| {
        if method == "eth_getLogs" {
            answer["result"] = json!([]);
        }
    });
    for pid in &everybody {
        limits::file_size(*pid, None)?;
    }
    world.finish(&daemon, &stakes, LIMIT).await?;
    world.operator.stop(daemon).await
}
