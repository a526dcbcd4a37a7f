//! Redeem and unstake, end to end: the road back, by the same machine and with the same care.

use anyhow::{Result, ensure};
use facilitator_eth::{Address, U256};
use facilitator_tests::{
    anvil::Mining,
    books::Books,
    calls::{address, call, word},
    deploy::{DeployOptions, tokens},
    devnet::{DevnetOptions, Funds, Payment, Side},
    kind::Kind,
    node::Pace,
    operator::RequestRow,
    requesters::{Ask, Request, Requesters},
    verify::{self, Ledger},
    world::{World, WorldOptions},
};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);

/// Blocks each quarter of a second: real rhythm, in a hurry.
fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, ..WorldOptions::default() }
}

/// `count` redeemers ask at once; each must end with value tokens of its beneficiary, and all money where it belongs.
async fn redeems_finish(count: usize, options: WorldOptions) -> Result<()> {
    let world = World::new(options).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let redeemers = Requesters::redeemers(devnet, 0, count).await?;
    let daemon = operator.start().await?;
    let books = Books::read(devnet, operator).await?;
    let requests = redeemers.request_all(devnet, Pace::Natural).await?;
    let rows = world.finish_exactly(&daemon, &requests, &books, LIMIT).await?;
    ensure!(rows.iter().all(|row| row.kind == "redeem"), "{rows:#?}");
    world.nothing_reverted().await?;
    operator.stop(daemon).await
}

#[tokio::test]
async fn one_redeem_ends_as_value_tokens() -> Result<()> {
    redeems_finish(1, quick()).await
}

#[tokio::test]
async fn ten_redeems_at_once_through_two_keys_a_chain() -> Result<()> {
    redeems_finish(10, WorldOptions { workers: 2, confirmations: 2, ..quick() }).await
}

#[tokio::test]
async fn a_hundred_redeems_at_once() -> Result<()> {
    redeems_finish(100, quick()).await
}

#[tokio::test]
async fn a_killed_parent_finishes_its_redeems_after_the_next_start() -> Result<()> {
    let world = World::new(quick()).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let redeemers = Requesters::redeemers(devnet, 0, 8).await?;
    let daemon = operator.start().await?;
    let books = Books::read(devnet, operator).await?;
    let requests = redeemers.request_all(devnet, Pace::Natural).await?;
    let daemon = world.kill_and_start(daemon).await?;
    world.finish_exactly(&daemon, &requests, &books, LIMIT).await?;
    operator.stop(daemon).await
}

/// The row of a request, and why it stands as it does.
fn row_of<'a>(rows: &'a [RequestRow], request: &Request) -> (&'a str, String) {
    let hash = request.request_hash.to_string();
    let row = rows.iter().find(|row| row.request_hash == hash);
    let reason = |row: &RequestRow| row.last_error.clone().or_else(|| row.waiting_for.clone()).unwrap_or_default();
    row.map_or(("none", String::new()), |row| (row.state.as_str(), reason(row)))
}

/// Requests that must not be accepted, each for its own reason, beside one that must.
#[tokio::test]
async fn bad_redeems_are_left_alone_with_a_reason_and_the_good_one_goes_through() -> Result<()> {
    let world = World::new(quick()).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    operator.edit_config(|config| config["min_gas_price"] = json!("1000"))?;
    operator.set_on_chains("start_block", &json!(1))?;
    let redeemers = Requesters::redeemers(devnet, 0, 5).await?;
    let ask = |index| redeemers.ask(devnet, index);
    let asks = [
        (0, ask(0)),
        // The pool takes it, and nobody could ever confirm it.
        (1, Ask { beneficiary: Address::ZERO, ..ask(1) }),
        // The whole amount could be the reward: the cogateway would refuse to redeem.
        (2, Ask { gas_price: tokens(1), ..ask(2) }),
        // Below the price that this operator works for.
        (3, Ask { gas_price: U256::from(999u64), ..ask(3) }),
        (4, ask(4)),
    ];
    let requests = redeemers.request(devnet, &asks, Pace::Hurried).await?;
    let [good, nobody, greedy, cheap, revoked] = requests.as_slice() else { anyhow::bail!("five requests") };
    redeemers.revoke(devnet, 4, revoked, Pace::Hurried).await?;

    let before = Ledger::read(devnet).await?.lives.len();
    let daemon = operator.start().await?;
    let ledger = world.finish(&daemon, std::slice::from_ref(good), LIMIT).await?;
    let settled = |rows: &[RequestRow]| {
        rows.len() == 5 && rows.iter().all(|row| ["COMPLETE", "SKIPPED", "REVOKED"].contains(&row.state.as_str()))
    };
    let rows = operator.wait_requests(LIMIT, settled).await?;
    for (request, state, word) in [
        (nobody, "SKIPPED", "zero address"),
        (greedy, "SKIPPED", "not less than the amount"),
        (cheap, "SKIPPED", "below the configured minimum"),
    ] {
        let (found, reason) = row_of(&rows, request);
        assert_eq!(found, state, "{rows:#?}");
        assert!(reason.contains(word), "no word of `{word}`: {reason}");
    }
    assert_eq!(row_of(&rows, revoked).0, "REVOKED", "{rows:#?}");
    assert_eq!(ledger.lives.len(), before + 1, "only the good request may be declared");
    operator.stop(daemon).await
}

/// A genuine cogateway that no configuration names: its requests come out of the genuine pool all the same.
#[tokio::test]
async fn a_redeem_through_a_cogateway_is_accepted_only_once_that_is_configured() -> Result<()> {
    let mut options = quick();
    options.devnet.deploy = DeployOptions { second_pair: true, ..DeployOptions::default() };
    let world = World::new(options).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let foreign = devnet.contracts.second.expect("a second pair was asked for");
    let strangers = Requesters::at(devnet, Kind::Redeem, foreign, 100, 1).await?;
    let redeemers = Requesters::redeemers(devnet, 0, 1).await?;
    let daemon = operator.start().await?;
    let left_alone = strangers.request_all(devnet, Pace::Natural).await?.remove(0);
    let requests = redeemers.request_all(devnet, Pace::Natural).await?;
    world.finish(&daemon, &requests, LIMIT).await?;

    let pool = devnet.contracts.auxiliary.redeem_pool;
    let asked = [address(left_alone.sender), address(left_alone.ask.gateway)];
    let pending = devnet.auxiliary.view(pool, call("redeemRequestHashes(address,address)", &asked)).await?;
    let hash = call("", &[word(left_alone.request_hash)]);
    assert_eq!(pending.0, hash.0[4..], "the request must stand untouched");
    let hash = left_alone.request_hash.to_string();
    for row in operator.requests().await?.iter().filter(|row| row.request_hash == hash) {
        assert_eq!(row.state, "SKIPPED", "{row:#?}");
        assert!(row.last_error.as_deref().unwrap_or_default().contains("not one of the configured"), "{row:#?}");
    }
    operator.stop(daemon).await?;
    // Once it is configured, nobody has to ask for it again.
    world.serve_second_pair()?;
    let daemon = operator.start().await?;
    world.finish(&daemon, &[left_alone], LIMIT).await?;
    operator.stop(daemon).await
}

/// The bounty is coin of the same account that pays the gas: both together must be there.
#[tokio::test]
async fn a_redeem_waits_until_its_bounty_and_its_gas_are_there_together() -> Result<()> {
    let bounty = tokens(50);
    let mut options = quick();
    options.devnet.deploy = DeployOptions { cogateway_bounty: bounty, ..DeployOptions::default() };
    // More than the gas of any step, and less than gas and bounty.
    options.funds = Funds { coin: bounty, ..Funds::default() };
    let world = World::new(options).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let redeemers = Requesters::redeemers(devnet, 0, 1).await?;
    let daemon = operator.start().await?;
    let requests = redeemers.request_all(devnet, Pace::Natural).await?;
    let waits = |rows: &[RequestRow]| rows.iter().any(|row| row.waiting_for.is_some());
    let rows = operator.wait_requests(LIMIT, waits).await?;
    let (state, reason) = row_of(&rows, &requests[0]);
    assert_eq!(state, "REQUESTED", "{rows:#?}");
    assert!(reason.contains("coin for bounty and gas"), "{reason}");
    let sent = verify::spent(&devnet.auxiliary, &operator.auxiliary_workers, 0).await?.transactions;
    assert_eq!(sent, 0, "nothing is sent before its bounty is there");

    let payments: Vec<Payment> =
        operator.auxiliary_workers.iter().map(|worker| Payment::Coin(*worker, tokens(10))).collect();
    devnet.pay(Side::Auxiliary, &payments).await?;
    world.finish(&daemon, &requests, LIMIT).await?;
    operator.stop(daemon).await
}

/// Auxiliary workers are whitelisted by the pool's organization, which `doctor` looks after as well.
#[tokio::test]
async fn a_redeem_waits_until_the_pools_organization_knows_the_worker() -> Result<()> {
    let world = World::new(quick()).await?;
    let (devnet, operator) = (&world.devnet, &world.operator);
    let organization = devnet.contracts.auxiliary.pool_organization;
    let dismiss = |worker: &Address| (organization, call("unsetWorker(address)", &[address(*worker)]));
    let calls: Vec<_> = operator.auxiliary_workers.iter().map(dismiss).collect();
    devnet.owner_calls(Side::Auxiliary, &calls).await?;
    let doctor = operator.doctor().await?;
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(doctor.stdout.contains(&format!("have the organization {organization} call setWorker")), "{doctor:?}");

    let redeemers = Requesters::redeemers(devnet, 0, 1).await?;
    let daemon = operator.start().await?;
    let requests = redeemers.request_all(devnet, Pace::Natural).await?;
    let waits = |rows: &[RequestRow]| rows.iter().any(|row| row.waiting_for.is_some());
    let rows = operator.wait_requests(LIMIT, waits).await?;
    let (state, reason) = row_of(&rows, &requests[0]);
    assert_eq!(state, "REQUESTED", "{rows:#?}");
    assert!(reason.contains("whitelisted worker"), "{reason}");

    devnet.whitelist(Side::Auxiliary, organization, &operator.auxiliary_workers).await?;
    world.finish(&daemon, &requests, LIMIT).await?;
    operator.stop(daemon).await
}
