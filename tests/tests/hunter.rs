//! What others left unfinished: the hunter finishes it where that pays, and leaves it alone where it does not.
//!
//! The other facilitator is a stranger with keys of its own that does single steps when told. What must hold afterwards
//! is read from the chains.

use anyhow::{Context as _, Result, ensure};
use facilitator_eth::U256;
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    calls::{call, read_uint, word},
    deploy::{DeployOptions, tokens},
    devnet::{Devnet, DevnetOptions, Funds},
    direct::DirectSender,
    kind::Kind,
    node::Pace,
    operator::{InitOptions, Operator, RequestRow},
    requesters::{Request, Requesters},
    stranger::{Message, Stranger},
    verify,
    world::{World, WorldOptions},
};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);

/// Blocks each quarter of a second; roots are anchored both ways, and kept for as long as a test takes.
fn options() -> WorldOptions {
    let devnet = DevnetOptions {
        mining: Mining::Every(Duration::from_millis(250)),
        deploy: DeployOptions { ring_items: 1_000, ..DeployOptions::default() },
        ..DevnetOptions::default()
    };
    let anchoring = Some(Policy { every_blocks: 2, ..Policy::default() });
    WorldOptions { devnet, anchoring, confirmations: 1, ..WorldOptions::default() }
}

fn hunts(world: &World, min_profit: &str) -> Result<()> {
    world.price_everything_at_one()?;
    world.operator.edit_config(|config| {
        config["hunter"] = json!({ "enabled": true, "after_blocks": 3, "min_profit": min_profit, "recheck_s": 1 });
    })
}

fn row<'a>(rows: &'a [RequestRow], message: &Message) -> Option<&'a RequestRow> {
    let hash = message.hash.to_string();
    rows.iter().find(|row| row.request_hash == hash)
}

/// Outbox and inbox.
async fn statuses(devnet: &Devnet, message: &Message) -> Result<(U256, U256)> {
    let (kind, pair) = (message.request.kind, devnet.contracts.first());
    let (source, target) = (kind.source(), kind.target());
    let ask = |signature| call(signature, &[word(message.hash)]);
    let outbox = devnet.node(source).view(pair.box_on(source), ask("getOutboxMessageStatus(bytes32)")).await?;
    let inbox = devnet.node(target).view(pair.box_on(target), ask("getInboxMessageStatus(bytes32)")).await?;
    Ok((read_uint(&outbox)?, read_uint(&inbox)?))
}

fn status(outbox: u64, inbox: u64) -> (U256, U256) {
    (U256::from(outbox), U256::from(inbox))
}

/// Messages left at every state that one can be left at, each by the same stranger.
async fn abandoned(world: &World, stranger: &Stranger, requests: &[Request]) -> Result<Vec<Message>> {
    let devnet = &world.devnet;
    let mut messages = Vec::new();
    for request in requests {
        messages.push(stranger.accept(devnet, request).await?);
    }
    let [_declared, confirmed, staked, minted, proven_mint, proven_stake, early] = messages.as_slice() else {
        anyhow::bail!("one message for each state")
    };
    stranger.confirm(devnet, confirmed).await?;
    stranger.confirm(devnet, staked).await?;
    stranger.progress_source(devnet, staked).await?;
    stranger.confirm(devnet, minted).await?;
    stranger.progress_target(devnet, minted).await?;
    stranger.confirm(devnet, proven_mint).await?;
    stranger.prove_target(devnet, proven_mint).await?;
    let block = stranger.confirm(devnet, proven_stake).await?;
    stranger.prove_source(devnet, proven_stake, block).await?;
    // By now a root with the message at Declared is anchored.
    stranger.progress_source(devnet, early).await?;
    let wanted = [(1, 0), (1, 1), (2, 1), (1, 2), (1, 2), (2, 1), (2, 0)];
    for (message, (outbox, inbox)) in messages.iter().zip(wanted) {
        ensure!(statuses(devnet, message).await? == status(outbox, inbox), "not left as wanted");
    }
    Ok(messages)
}

async fn left_at_each_state(kind: Kind) -> Result<()> {
    let world = World::new(options()).await?;
    let devnet = &world.devnet;
    hunts(&world, "0")?;
    let stranger = Stranger::new(devnet).await?;
    let requesters = Requesters::at(devnet, kind, devnet.contracts.first(), 0, 7).await?;
    let requests = requesters.request_all(devnet, Pace::Natural).await?;
    let mut messages = abandoned(&world, &stranger, &requests).await?;
    if kind == Kind::Stake {
        let direct = DirectSender::staker(devnet, 1, requesters.ask(devnet, 0)).await?;
        messages.push(direct.declare(devnet).await?);
    }

    let daemon = world.operator.start().await?;
    let all: Vec<Request> = messages.iter().map(|message| message.request.clone()).collect();
    world.finish(&daemon, &all, LIMIT).await?;
    let complete = |rows: &[RequestRow]| {
        messages.iter().all(|message| row(rows, message).is_some_and(|row| row.state == "COMPLETE"))
    };
    let rows = world.operator.wait_requests(LIMIT, complete).await?;
    for request in &requests {
        let asked = rows.iter().find(|row| row.request_hash == request.request_hash.to_string());
        assert_eq!(asked.map(|row| row.state.as_str()), Some("TAKEN_BY_OTHER"), "{asked:?}");
    }
    assert_eq!(rows.len(), requests.len() + messages.len(), "a row for each request and each message: {rows:#?}");
    // Nothing of it was a loss: no transaction reverted.
    for (node, workers) in
        [(&devnet.origin, &world.operator.origin_workers), (&devnet.auxiliary, &world.operator.auxiliary_workers)]
    {
        let spent = verify::spent(node, workers, 0).await?;
        assert_eq!(spent.reverted, 0, "chain {}: {spent:?}\n{}", node.chain_id, daemon.log_tail());
    }
    if kind == Kind::Stake {
        // The bounties of those five whose source leg was not done, which the stranger and the direct staker had put up.
        let bounties = verify::bounty_balances(devnet, &world.operator.origin_workers).await?;
        assert_eq!(bounties, [Funds::default().bounty.saturating_add(tokens(5))]);
    }
    let hash = messages[0].hash.to_string();
    let shown = world.operator.run(&["requests", "show", "--chain-id", "1406", &hash]).await?;
    assert!(shown.stdout.starts_with("hunted: message"), "{}", shown.stdout);
    assert!(shown.stdout.contains(&messages[0].request.proxy.to_string()), "whose it is: {}", shown.stdout);
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn stakes_left_at_each_state_are_finished_once_each() -> Result<()> {
    left_at_each_state(Kind::Stake).await
}

#[tokio::test]
async fn redeems_left_at_each_state_are_finished_once_each() -> Result<()> {
    left_at_each_state(Kind::Redeem).await
}

#[tokio::test]
async fn what_does_not_pay_is_left_alone_with_its_reason_and_taken_up_once_it_does() -> Result<()> {
    let world = World::new(options()).await?;
    let devnet = &world.devnet;
    let stranger = Stranger::new(devnet).await?;
    let stakers = Requesters::new(devnet, 0, 2).await?;
    let stakes = stakers.request_all(devnet, Pace::Natural).await?;
    let declared = stranger.accept(devnet, &stakes[0]).await?;
    let confirmed = stranger.accept(devnet, &stakes[1]).await?;
    stranger.confirm(devnet, &confirmed).await?;
    let untouched = [(&declared, status(1, 0)), (&confirmed, status(1, 1))];

    // Off, as it is by default.
    let daemon = world.operator.start().await?;
    let taken = |rows: &[RequestRow]| rows.iter().filter(|row| row.state == "TAKEN_BY_OTHER").count() == 2;
    world.operator.wait_requests(LIMIT, taken).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.operator.requests().await?.len(), 2, "a message was taken up");
    world.operator.stop(daemon).await?;

    // On, but asking for more than there is.
    hunts(&world, "1000000")?;
    let daemon = world.operator.start().await?;
    let doctor = world.operator.doctor().await?.stdout;
    assert!(doctor.contains("which pays bounties, is worth 1"), "{doctor}");
    let both = [&declared, &confirmed];
    let left = |rows: &[RequestRow]| both.iter().all(|m| row(rows, m).is_some_and(|row| row.state == "SKIPPED"));
    let rows = world.operator.wait_requests(LIMIT, left).await?;
    for (message, expected) in untouched {
        let reason = row(&rows, message).and_then(|row| row.last_error.clone()).context("no reason")?;
        assert!(reason.contains("left alone: it doesn't pay") && reason.contains("min_profit"), "{reason}");
        assert_eq!(statuses(devnet, message).await?, expected);
    }
    world.operator.stop(daemon).await?;

    // The same again with less asked for.
    hunts(&world, "0.000001")?;
    let daemon = world.operator.start().await?;
    world.finish(&daemon, &stakes, LIMIT).await?;
    world.operator.stop(daemon).await
}

#[tokio::test]
async fn a_revocation_is_left_alone_but_for_one_that_can_no_longer_succeed() -> Result<()> {
    let world = World::new(options()).await?;
    let devnet = &world.devnet;
    hunts(&world, "0")?;
    let stranger = Stranger::new(devnet).await?;
    let ask = Requesters::new(devnet, 0, 1).await?.ask(devnet, 0);
    let mut messages = Vec::new();
    for number in 0..3 {
        let staker = DirectSender::staker(devnet, number, ask).await?;
        let message = staker.declare(devnet).await?;
        if number > 0 {
            stranger.confirm(devnet, &message).await?;
        }
        if number == 2 {
            stranger.progress_target(devnet, &message).await?;
        }
        staker.revert(devnet, &message).await?;
        messages.push(message);
    }
    let [unconfirmed, confirmed, minted] = messages.as_slice() else { anyhow::bail!("three messages") };
    let daemon = world.operator.start().await?;
    let ended = |rows: &[RequestRow]| {
        let in_state = |message, state: &str| row(rows, message).is_some_and(|row| row.state == state);
        in_state(unconfirmed, "SKIPPED") && in_state(confirmed, "SKIPPED") && in_state(minted, "COMPLETE")
    };
    let rows = world.operator.wait_requests(LIMIT, ended).await?;
    for message in [unconfirmed, confirmed] {
        let reason = row(&rows, message).and_then(|row| row.last_error.clone()).context("no reason")?;
        assert!(reason.contains("its sender takes it back"), "{reason}");
    }
    assert_eq!(statuses(devnet, unconfirmed).await?, status(3, 0));
    assert_eq!(statuses(devnet, confirmed).await?, status(3, 1));
    assert_eq!(statuses(devnet, minted).await?, status(2, 2));
    world.operator.stop(daemon).await
}

/// Its predecessor can never be confirmed, since no root with it at Declared was anchored: so the inbox takes nothing
/// more of that sender, and every proof for it would be burnt.
#[tokio::test]
async fn a_message_behind_one_that_is_stuck_costs_nothing() -> Result<()> {
    let world = World::new(WorldOptions { anchoring: None, ..options() }).await?;
    let devnet = &world.devnet;
    hunts(&world, "0")?;
    let stranger = Stranger::new(devnet).await?;
    let staker = DirectSender::staker(devnet, 0, Requesters::new(devnet, 0, 1).await?.ask(devnet, 0)).await?;
    let stuck = staker.declare(devnet).await?;
    stranger.progress_source(devnet, &stuck).await?;
    let behind = staker.declare_next(devnet, 1).await?;
    let _anchoring = Anchoring::start(devnet, Policy { every_blocks: 2, ..Policy::default() });
    let daemon = world.operator.start().await?;
    let waits = |rows: &[RequestRow]| {
        let why = row(rows, &behind).and_then(|row| row.waiting_for.clone()).unwrap_or_default();
        why.contains("the sender's earlier message to be finished on the target chain")
    };
    world.operator.wait_requests(LIMIT, waits).await?;
    // Roots come and go meanwhile.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let rows = world.operator.requests().await?;
    for message in [&stuck, &behind] {
        let row = row(&rows, message).context("not found")?;
        assert!(row.transactions.is_empty(), "{row:#?}");
    }
    assert_eq!(statuses(devnet, &behind).await?, status(1, 0));
    world.operator.stop(daemon).await
}

/// Two operators with hash-lock keys of their own race for the same requests.
#[tokio::test]
async fn of_two_facilitators_each_request_is_accepted_by_one_and_nothing_but_gas_is_lost() -> Result<()> {
    const STAKES: usize = 12;
    let world = World::new(options()).await?;
    let devnet = &world.devnet;
    let rival = Operator::init(devnet, &InitOptions::direct(devnet)).await?;
    rival.quicken(1, Duration::from_millis(100))?;
    devnet.enroll(&rival.origin_workers, &rival.auxiliary_workers, Funds::default()).await?;
    let stakers = Requesters::new(devnet, 0, STAKES).await?;
    let (first, second) = (world.operator.start().await?, rival.start().await?);
    let stakes = stakers.request_all(devnet, Pace::Natural).await?;
    world.finish(&first, &stakes, LIMIT).await?;

    let mut completed = 0;
    for operator in [&world.operator, &rival] {
        let ended = |rows: &[RequestRow]| {
            rows.len() == STAKES && rows.iter().all(|row| ["COMPLETE", "TAKEN_BY_OTHER"].contains(&row.state.as_str()))
        };
        let rows = operator.wait_requests(LIMIT, ended).await?;
        completed += rows.iter().filter(|row| row.state == "COMPLETE").count();
        let bounties = verify::bounty_balances(devnet, &operator.origin_workers).await?;
        assert_eq!(bounties, [Funds::default().bounty], "a bounty was lost or won");
    }
    assert_eq!(completed, STAKES, "each request is one facilitator's");
    world.operator.stop(first).await?;
    rival.stop(second).await
}
