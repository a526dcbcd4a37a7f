//! The ledger against the balances on the chains, to the wei, whatever died and whatever was forked.

use anyhow::{Context as _, Result, ensure};
use facilitator_eth::U256;
use facilitator_tests::{
    anchoring::Policy,
    anvil::Mining,
    calls::{call, word},
    deploy::DeployOptions,
    devnet::{DevnetOptions, Side},
    kind::Kind,
    node::Pace,
    requesters::{Ask, Requesters},
    verify,
    world::{World, WorldOptions},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
/// Blocks that a scenario may take.
const MOST_BLOCKS: u64 = 120;
/// Depth of forks: one more than the confirmations.
const FORK: u64 = 3;

async fn world(confirmations: u64, workers: usize) -> Result<World> {
    let devnet = DevnetOptions { mining: Mining::OnDemand, ..DevnetOptions::default() };
    World::new(WorldOptions { devnet, confirmations, workers, ..WorldOptions::default() }).await
}

/// Amounts of a field of some lines, added up.
fn sum<'a>(lines: impl IntoIterator<Item = &'a Value>, field: &str) -> Result<u128> {
    lines.into_iter().map(|line| Ok(line[field].as_str().context("no amount")?.parse::<u128>()?)).sum()
}

#[tokio::test]
async fn it_says_to_the_wei_by_how_much_the_balances_changed_after_deaths_and_forks() -> Result<()> {
    // Through each of two pairs of gateways, in both directions.
    const EACH: usize = 2;
    const REQUESTS: usize = 4 * EACH;
    let deploy = DeployOptions { second_pair: true, ..DeployOptions::default() };
    let devnet = DevnetOptions { mining: Mining::OnDemand, deploy, ..DevnetOptions::default() };
    // Deeper than the forks: roots of blocks that are gone would keep the pair from working, as they must.
    let anchoring = Some(Policy { depth: FORK + 1, ..Policy::default() });
    let options = WorldOptions { devnet, anchoring, confirmations: FORK - 1, workers: 2, ..WorldOptions::default() };
    let world = World::new(options).await?;
    world.serve_second_pair()?;
    let mut crowd = Vec::new();
    for (index, pair) in world.devnet.contracts.pairs().into_iter().enumerate() {
        for kind in Kind::ALL {
            crowd.push(Requesters::at(&world.devnet, kind, pair, index * EACH, EACH).await?);
        }
    }
    let before = world.purse().await?;
    let mut daemon = world.operator.start().await?;
    let mut requests = Vec::new();
    for group in &crowd {
        requests.extend(group.request_all(&world.devnet, Pace::Hurried).await?);
    }
    let mut blocks = 0;
    while !world.all_complete(REQUESTS).await? {
        ensure!(blocks < MOST_BLOCKS, "not complete after {blocks} blocks:\n{}", daemon.log_tail());
        match blocks {
            // What was final is sent again.
            6 | 12 | 18 | 24 => world.fork(Side::Origin, FORK).await?,
            9 | 15 | 21 | 27 => world.fork(Side::Auxiliary, FORK).await?,
            5 | 13 => {
                for sender in daemon.in_role("sender") {
                    kill(Pid::from_raw(i32::try_from(sender)?), Signal::SIGKILL)?;
                }
            }
            7 | 16 | 22 => {
                daemon.kill().await?;
                daemon = world.operator.start().await?;
            }
            _ => world.settle().await,
        }
        world.mine_both().await?;
        blocks += 1;
    }
    verify::finished(&world.devnet, &requests).await.with_context(|| daemon.log_tail())?;
    for _ in 0..4 {
        world.step().await?;
    }
    world.ledger_agrees(&before, LIMIT).await?;
    ensure!(blocks > 12, "complete before anything befell it");

    // The same again after a restart, and the parts are the whole.
    let ledger = world.ledger().await?;
    world.operator.stop(daemon).await?;
    world.ledger_agrees(&before, LIMIT).await?;
    let (lines, totals) =
        (ledger["lines"].as_array().context("no lines")?, ledger["totals"].as_array().context("none")?);
    for field in ["gas", "reward", "bounty_out", "bounty_back"] {
        assert_eq!(sum(lines, field)?, sum(totals, field)?, "{field}");
    }
    let mut of_requests = Vec::new();
    for request in &requests {
        let chain = world.operator.chains[1].to_string();
        let shown = world
            .operator
            .ask(&["requests", "show", "--chain-id", &chain, "--json", &request.request_hash.to_string()])
            .await?;
        of_requests.extend(shown["ledger"]["totals"].as_array().context("no ledger")?.clone());
    }
    let assigned = || lines.iter().filter(|line| line["assigned"] == json!(true));
    for field in ["gas", "reward", "bounty_out", "bounty_back"] {
        assert_eq!(sum(&of_requests, field)?, sum(assigned(), field)?, "{field}");
    }
    assert_eq!(sum(totals, "bounty_out")?, sum(totals, "bounty_back")?);
    Ok(())
}

/// The secret is public from the moment in which it leaves: who is faster with it has the bounty.
#[tokio::test]
async fn a_bounty_that_a_stranger_took_is_lost_with_the_gas_of_the_lost_race() -> Result<()> {
    let world = world(1, 1).await?;
    let before = world.purse().await?;
    let stakers = Requesters::new(&world.devnet, 0, 1).await?;
    let daemon = world.operator.start().await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Hurried).await?;
    let arguments = [word(stakes[0].request_hash), word(stakes[0].request_hash)];
    let selector = hex::encode(&call("progressStake(bytes32,bytes32)", &arguments).0[..4]);
    let mut stolen = false;
    for _ in 0..MOST_BLOCKS {
        world.settle().await;
        if world.all_complete(1).await? {
            break;
        }
        let pool = world.pool(Side::Origin).await?;
        if let Some(ours) = pool.iter().find(|pooled| !stolen && pooled.selector.trim_start_matches("0x") == selector) {
            let origin = &world.devnet.origin;
            let seen = origin.call("eth_getTransactionByHash", json!([ours.hash])).await?;
            let data = seen["input"].as_str().context("no input")?.parse()?;
            world.forget_pool(Side::Origin).await?;
            world.devnet.owner_calls(Side::Origin, &[(world.devnet.contracts.origin.gateway, data)]).await?;
            // Ours is sent again, too late.
            stolen = true;
        }
        world.mine_both().await?;
    }
    ensure!(stolen && world.all_complete(1).await?, "no race was lost: {}", daemon.log_tail());
    for _ in 0..4 {
        world.step().await?;
    }
    world.ledger_agrees(&before, LIMIT).await?;
    let chain = world.operator.chains[1].to_string();
    let hash = stakes[0].request_hash.to_string();
    let shown = world.operator.ask(&["requests", "show", "--chain-id", &chain, "--json", &hash]).await?;
    let money = &shown["ledger"];
    assert_eq!(money["taken"][0]["what"], "bounty_back", "{money:#}");
    let gas = money["lines"].as_array().context("no lines")?.iter();
    let lost = gas.filter(|line| line["reason"] == "gas" && line["step"] == "progress_source").count();
    assert_eq!(lost, 1, "the gas of the lost race: {money:#}");
    let told = world.operator.run(&["requests", "show", "--chain-id", &chain, &hash]).await?;
    assert!(told.stdout.contains("its bounty went to the sender of transaction"), "{}", told.stdout);
    world.operator.stop(daemon).await
}

/// What scripts and people read of it.
#[tokio::test]
async fn it_is_shown_as_text_json_and_csv() -> Result<()> {
    let world = world(0, 1).await?;
    let chain = world.operator.chains[1].to_string();
    let ask = async |more: &[&str]| {
        let mut arguments = vec!["ledger", "--chain-id", &chain];
        arguments.extend(more);
        world.operator.run(&arguments).await
    };
    let stakers = Requesters::new(&world.devnet, 0, 1).await?;
    let daemon = world.operator.start().await?;
    let empty = ask(&[]).await?;
    assert_eq!((empty.code, empty.stdout.trim()), (Some(0), "nothing was earned or spent"), "{empty:?}");
    stakers.request_all(&world.devnet, Pace::Hurried).await?;
    for _ in 0..MOST_BLOCKS {
        if world.all_complete(1).await? {
            break;
        }
        world.step().await?;
    }
    let told = ask(&[]).await?.stdout;
    let gateway = world.devnet.contracts.origin.gateway.to_string();
    for words in [&format!("Gateway {gateway}"), "BOUNTY OUT", "base coin of chain 1406", "bounty token 0x", "Total"] {
        assert!(told.contains(words), "{words} is not in\n{told}");
    }
    let csv = ask(&["--csv", "--period", "month"]).await?.stdout;
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("period,gateway_address,assigned,") && lines.len() > 3, "{csv}");
    let cells = |line: &str| line.split(',').count();
    assert!(lines.iter().all(|line| cells(line) == cells(lines[0])), "{csv}");
    let json = ask(&["--json", "--since", "1h"]).await?.json()?;
    assert_eq!(json["lines"].as_array().map(Vec::len), Some(lines.len() - 1), "{json:#}\n{csv}");
    let later = ask(&["--json", "--since", "2100-01-01"]).await?.json()?;
    assert_eq!(later["lines"], json!([]), "{later:#}");
    let wrong = ask(&["--since", "yesterday"]).await?;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("7d"), "{wrong:?}");
    assert_eq!(ask(&["--json", "--csv"]).await?.code, Some(2));
    world.operator.stop(daemon).await
}

/// Real tokens say their digits; what pays is done in both directions, what doesn't at present fees waits and says so.
#[tokio::test]
async fn with_prices_requests_are_taken_by_their_expected_profit() -> Result<()> {
    let deploy = DeployOptions { second_pair: true, ..DeployOptions::default() };
    let devnet = DevnetOptions { mining: Mining::OnDemand, deploy, ..DevnetOptions::default() };
    let world = World::new(WorldOptions { devnet, ..WorldOptions::default() }).await?;
    world.serve_second_pair()?;
    let pairs = world.devnet.contracts.pairs();
    world.price_everything_at_one()?;
    world.operator.edit_config(|config| {
        // With prices the par values say nothing.
        config["min_gas_price"] = json!("1000000000000000000000000");
    })?;
    let (mut good, mut cheap) = (Vec::new(), Vec::new());
    let mut crowd = Vec::new();
    for (index, pair) in pairs.into_iter().enumerate() {
        for kind in Kind::ALL {
            crowd.push(Requesters::at(&world.devnet, kind, pair, index * 2, 2).await?);
        }
    }
    let daemon = world.operator.start().await?;
    for group in &crowd {
        let ask = Ask { gas_price: U256::ONE, ..group.ask(&world.devnet, 1) };
        let asks = [(0, group.ask(&world.devnet, 0)), (1, ask)];
        let mut asked = group.request(&world.devnet, &asks, Pace::Hurried).await?;
        cheap.extend(asked.pop());
        good.extend(asked.pop());
    }
    for _ in 0..MOST_BLOCKS {
        let complete = world.operator.requests().await?.iter().filter(|row| row.state == "COMPLETE").count();
        if complete == good.len() {
            break;
        }
        world.step().await?;
    }
    verify::finished(&world.devnet, &good).await.with_context(|| daemon.log_tail())?;
    let rows = world.operator.requests().await?;
    for request in &cheap {
        let hash = request.request_hash.to_string();
        let row = rows.iter().find(|row| row.request_hash == hash).context("not seen")?;
        let waits = row.waiting_for.clone().unwrap_or_default();
        assert_eq!(row.state, "REQUESTED", "{row:#?}");
        assert!(waits.contains("it would earn 0.0000000000004"), "{waits}");
    }
    let doctor = world.operator.doctor().await?.stdout;
    assert!(doctor.contains("which pays rewards, is worth 1"), "{doctor}");
    world.operator.stop(daemon).await
}
