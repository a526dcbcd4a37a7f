//! What may go wrong on the chains: each warning and each critical event is raised by making its cause happen.

use super::life::reaches;
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{Address, B256, Bytes, U256, keccak256};
use facilitator_tests::{
    anchoring,
    calls::{address, call, read_address, read_uint, uint, word},
    deploy::tokens,
    devnet::{Devnet, Side},
    events::{self, Event},
    node::{Node, Pace},
    rpc_proxy::{Fault, Request},
    stakers::{Stake, Stakers},
    verify,
    watch::Watch,
    world::WorldOptions,
};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

async fn quiet() -> Result<Watch> {
    let watch = Watch::new(WorldOptions { anchoring: None, ..WorldOptions::default() }).await?;
    watch.run(&[]).await?.good()?;
    Ok(watch)
}

/// Sends a call in the name of any account.
async fn in_the_name_of(node: &Node, account: Address, to: Address, data: &Bytes) -> Result<()> {
    node.call("anvil_impersonateAccount", json!([account])).await?;
    node.call("anvil_setBalance", json!([account, tokens(1_000).to_quantity()])).await?;
    let transaction = json!({ "from": account, "to": to, "data": data, "gas": "0x7a120" });
    let hashes = node.send_unlocked(vec![transaction]).await?;
    node.mined(&hashes, Pace::Hurried).await.map(drop)
}

/// Lets so many transactions through, and then none.
fn only_transactions(most: usize) -> impl FnMut(&Request<'_>) -> Fault + Send + 'static {
    let mut passed = 0;
    move |request| {
        let sent = request.methods.iter().filter(|method| *method == "eth_sendRawTransaction").count();
        if sent > 0 && passed >= most {
            return Fault::Status(503);
        }
        passed += sent;
        Fault::None
    }
}

fn of(stake: &Stake) -> [facilitator_eth::abi::Value; 7] {
    let ask = &stake.ask;
    [
        uint(ask.amount),
        address(ask.beneficiary),
        uint(ask.gas_price),
        uint(ask.gas_limit),
        uint(stake.nonce),
        address(stake.sender),
        address(ask.gateway),
    ]
}

/// Requests that end without a message, and one that nobody takes.
#[tokio::test]
async fn requests_that_are_revoked_rejected_or_left_alone_are_told() -> Result<()> {
    let watch = quiet().await?;
    watch.set_number("unaccepted_blocks", 30)?;
    let devnet = &watch.world.devnet;
    let stakers = Stakers::new(devnet, 0, 3).await?;
    let stakes = stakers.request_all(devnet, Pace::Natural).await?;
    stakers.revoke(devnet, 0, &stakes[0], Pace::Natural).await?;
    let (origin, owner) = (&devnet.contracts.origin, devnet.parties.owner);
    devnet.whitelist(Side::Origin, origin.composer_organization, &[owner]).await?;
    let signature = "rejectStakeRequest(uint256,address,uint256,uint256,uint256,address,address)";
    devnet.owner_calls(Side::Origin, &[(origin.composer, call(signature, &of(&stakes[1])))]).await?;
    watch.run(&[]).await?.good()?;
    assert_eq!(
        (watch.count_informed("Stake request revoked"), watch.count("warning", "Stake request rejected")),
        (1, 1)
    );
    for _ in 0..4 {
        devnet.origin.mine(10).await?;
        watch.run(&[]).await?.good()?;
    }
    assert_eq!(watch.count("warning", "Stake request not accepted"), 1, "{:?}", watch.warned());
    let request = stakes[2].request_hash.to_string();
    let told = watch.sentry.taken().into_iter().filter(|letter| letter.body.contains("not accepted"));
    assert!(told.into_iter().all(|letter| letter.body.contains(&request)));
    Ok(())
}

/// What an organization can do to a gateway and an anchor.
#[tokio::test]
async fn false_and_missing_state_roots_and_changed_bounties_are_told() -> Result<()> {
    let watch = quiet().await?;
    let devnet = &watch.world.devnet;
    let gateway = devnet.contracts.origin.gateway;
    let change = call("initiateBountyAmountChange(uint256)", &[uint(tokens(2))]);
    devnet.owner_calls(Side::Origin, &[(gateway, change)]).await?;
    let height = devnet.origin.head().await?;
    anchoring::lie(devnet, Side::Origin, height, B256([7; 32])).await?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.count("warning", "Bounty change initiated"), 1);
    assert_eq!(watch.count("fatal", "Anchored state root differs"), 1);
    // A root of a block that is far from being there.
    anchoring::lie(devnet, Side::Origin, height + 100_000, B256([8; 32])).await?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.count("fatal", "Anchored state root differs"), 2);
    // The auxiliary chain goes on, and nobody anchors it.
    watch.set_number("stale_root_blocks", 40)?;
    devnet.auxiliary.mine(60).await?;
    for _ in 0..2 {
        watch.run(&[]).await?.good()?;
    }
    assert_eq!(watch.count("warning", "No new state root"), 1, "{:?}", watch.warned());
    Ok(())
}

/// Tokens that come from nowhere, or go: the vault and the cogateway themselves are made to do it.
#[tokio::test]
async fn a_supply_that_jumps_and_tokens_that_nobody_staked_are_critical() -> Result<()> {
    let watch = quiet().await?;
    watch.set_number("supply_span_blocks", 20)?;
    let devnet = &watch.world.devnet;
    let (origin, auxiliary) = (&devnet.contracts.origin, &devnet.contracts.auxiliary);
    let vault = devnet.origin.view(origin.gateway, call("stakeVault()", &[])).await?;
    let vault = read_address(&vault)?;
    // Hundred tokens that were staked.
    let owner = devnet.parties.owner;
    let stake = call("transfer(address,uint256)", &[address(vault), uint(tokens(100))]);
    in_the_name_of(&devnet.origin, owner, origin.value_token, &stake).await?;
    let mint = |whole: u64| call("increaseSupply(address,uint256)", &[address(owner), uint(tokens(whole))]);
    in_the_name_of(&devnet.auxiliary, auxiliary.cogateway, auxiliary.utility_token, &mint(80)).await?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.warned(), [], "what was minted was staked, and there was nothing to compare it with");
    devnet.auxiliary.mine(25).await?;
    in_the_name_of(&devnet.auxiliary, auxiliary.cogateway, auxiliary.utility_token, &mint(7)).await?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.warned(), [], "less than ten percent");
    in_the_name_of(&devnet.auxiliary, auxiliary.cogateway, auxiliary.utility_token, &mint(3)).await?;
    for _ in 0..2 {
        watch.run(&[]).await?.good()?;
    }
    assert_eq!(watch.warned(), [("fatal".to_owned(), "High total supply change".to_owned())]);
    // Five percent since the alarm.
    in_the_name_of(&devnet.auxiliary, auxiliary.cogateway, auxiliary.utility_token, &mint(5)).await?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.count("fatal", "High total supply change"), 2);
    assert_eq!(watch.count("fatal", "Minted more than staked"), 0);
    let steal = call("transfer(address,uint256)", &[address(owner), uint(tokens(10))]);
    in_the_name_of(&devnet.origin, vault, origin.value_token, &steal).await?;
    for _ in 0..2 {
        watch.run(&[]).await?.good()?;
    }
    assert_eq!(watch.count("fatal", "Minted more than staked"), 1);
    Ok(())
}

/// The origin chain forgets what was confirmed on the other one.
#[tokio::test]
async fn a_confirmation_without_its_declaration_and_one_that_came_too_early_are_critical() -> Result<()> {
    let watch = Watch::new(WorldOptions::default()).await?;
    watch.run(&[]).await?.good()?;
    let devnet = &watch.world.devnet;
    let stakers = Stakers::new(devnet, 0, 1).await?;
    stakers.request_all(devnet, Pace::Natural).await?;
    let before = devnet.origin.call("evm_snapshot", json!([])).await?;
    // Nobody learns the secret: approve, accept, prove and confirm are all that reaches the nodes.
    watch.world.origin_proxy.set_rule(only_transactions(2));
    watch.world.auxiliary_proxy.set_rule(only_transactions(2));
    let daemon = watch.world.operator.start().await?;
    reaches(&watch.world, "STAKE_INTENT_CONFIRMED").await?;
    drop(daemon.kill().await?);
    let confirmations = json!(500);
    watch.world.operator.set_on(Side::Origin, "confirmations", &confirmations)?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.warned(), [("fatal".to_owned(), "Confirmed too early".to_owned())]);
    devnet.origin.call("evm_revert", json!([before])).await?;
    devnet.origin.mine(100).await?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.count("fatal", "Confirmed without a matching declaration"), 1, "{:?}", watch.warned());
    Ok(())
}

/// The secret that a mint has published.
async fn published(devnet: &Devnet) -> Result<Option<(B256, B256)>> {
    for log in devnet.auxiliary.logs(&[devnet.contracts.auxiliary.cogateway], 0).await? {
        if let Some(Event::TargetProgressed { message, .. }) = events::read(&log)? {
            let secret = log.data.as_slice().last_chunk::<32>().context("no secret")?;
            return Ok(Some((message, B256(*secret))));
        }
    }
    Ok(None)
}

/// Somebody else who has seen the secret takes the bounty.
#[tokio::test]
async fn a_message_that_another_worker_progresses_is_warned_of() -> Result<()> {
    let watch = Watch::new(WorldOptions::default()).await?;
    watch.run(&[]).await?.good()?;
    let devnet = &watch.world.devnet;
    let stakers = Stakers::new(devnet, 0, 1).await?;
    // Approve and accept; the progress on this side never arrives.
    watch.world.origin_proxy.set_rule(only_transactions(2));
    let daemon = watch.world.operator.start().await?;
    stakers.request_all(devnet, Pace::Natural).await?;
    let start = std::time::Instant::now();
    let (message, secret) = loop {
        if let Some(found) = published(devnet).await? {
            break found;
        }
        ensure!(start.elapsed() < LIMIT, "never minted: {}", daemon.log_tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let progress = call("progressStake(bytes32,bytes32)", &[word(message), word(secret)]);
    devnet.owner_calls(Side::Origin, &[(devnet.contracts.origin.gateway, progress)]).await?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.warned(), [("warning".to_owned(), "Progressed by another worker".to_owned())]);
    Ok(())
}

/// Five tokens for somebody, under a hash lock.
async fn intent(node: &Node, gateway: Address, sender: Address) -> Result<[facilitator_eth::abi::Value; 6]> {
    let nonce = read_uint(&node.view(gateway, call("getNonce(address)", &[address(sender)])).await?)?;
    let (beneficiary, lock) = (address(Address([9; 20])), word(keccak256([1; 32])));
    Ok([uint(tokens(5)), beneficiary, uint(1_u64), uint(1_u64), uint(nonce), lock])
}

/// A stake without the composer, which its sender takes back.
#[tokio::test]
async fn a_stake_that_is_taken_back_is_warned_of() -> Result<()> {
    let watch = quiet().await?;
    let devnet = &watch.world.devnet;
    let (origin, owner) = (&devnet.contracts.origin, devnet.parties.owner);
    let approve = |whole: u64| call("approve(address,uint256)", &[address(origin.gateway), uint(tokens(whole))]);
    let terms = intent(&devnet.origin, origin.gateway, owner).await?;
    let stake = call("stake(uint256,address,uint256,uint256,uint256,bytes32)", &terms);
    devnet.owner_calls(Side::Origin, &[(origin.value_token, approve(5)), (origin.base_token, approve(10))]).await?;
    in_the_name_of(&devnet.origin, owner, origin.gateway, &stake).await?;
    let mut message = None;
    for log in devnet.origin.logs(&[origin.gateway], 0).await? {
        if let Some(Event::Declared { message: found, .. }) = events::read(&log)? {
            message = Some(found);
        }
    }
    let revert = call("revertStake(bytes32)", &[word(message.context("not declared")?)]);
    in_the_name_of(&devnet.origin, owner, origin.gateway, &revert).await?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.warned(), [("warning".to_owned(), "Stake reverting".to_owned())]);
    Ok(())
}

/// A redeem without the pool: large, and nobody carries it on.
#[tokio::test]
async fn a_large_redeem_is_warned_of_at_once_and_a_stale_one_in_time() -> Result<()> {
    let watch = quiet().await?;
    watch.set_number("stale_redeem_blocks", 20)?;
    watch.set("large_redeem_threshold", &json!("4000000000000000000"))?;
    let devnet = &watch.world.devnet;
    let (auxiliary, owner) = (&devnet.contracts.auxiliary, devnet.parties.owner);
    let prime = auxiliary.utility_token;
    // Tokens that were minted for somebody, and wrapped.
    let mint = call("increaseSupply(address,uint256)", &[address(owner), uint(tokens(20))]);
    in_the_name_of(&devnet.auxiliary, auxiliary.cogateway, prime, &mint).await?;
    let five = tokens(5).to_quantity();
    let bounty = U256::exp10(17).to_quantity();
    let approve = call("approve(address,uint256)", &[address(auxiliary.cogateway), uint(tokens(5))]);
    let terms = intent(&devnet.auxiliary, auxiliary.cogateway, owner).await?;
    let redeem = call("redeem(uint256,address,uint256,uint256,uint256,bytes32)", &terms);
    for (to, data, value) in
        [(prime, call("wrap()", &[]), five), (prime, approve, "0x0".to_owned()), (auxiliary.cogateway, redeem, bounty)]
    {
        let transaction = json!({ "from": owner, "to": to, "data": data, "value": value, "gas": "0x7a120" });
        let hashes = devnet.auxiliary.send_unlocked(vec![transaction]).await?;
        devnet.auxiliary.mined(&hashes, Pace::Hurried).await?;
    }
    watch.run(&[]).await?.good()?;
    assert_eq!((watch.count_informed("Redeem intent declared"), watch.count("warning", "Large redeem")), (1, 1));
    for _ in 0..4 {
        devnet.auxiliary.mine(7).await?;
        watch.run(&[]).await?.good()?;
    }
    assert_eq!(watch.count("warning", "Stale redeem"), 1, "{:?}", watch.warned());
    assert_eq!(watch.count("warning", "Large redeem"), 1);
    // Nobody had staked for what was minted here.
    assert_eq!(watch.count("fatal", "Minted more than staked"), 1);
    Ok(())
}

/// Another facilitator's work is looked at as closely as our own: here there is none of ours.
#[tokio::test]
async fn others_work_is_watched_without_a_facilitator_of_ones_own() -> Result<()> {
    let watch = Watch::new(WorldOptions::default()).await?;
    let folder = watch.world.operator.home().join("data").to_string_lossy().into_owned();
    watch.run(&["--data-dir", &folder]).await?.good()?;
    let stakers = Stakers::new(&watch.world.devnet, 0, 1).await?;
    let daemon = watch.world.operator.start().await?;
    let stakes = stakers.request_all(&watch.world.devnet, Pace::Natural).await?;
    verify::wait_finished(&watch.world.devnet, &stakes, LIMIT).await?;
    watch.world.operator.stop(daemon).await?;
    facilitator_tests::database::lose(&watch.world.operator.config)?;
    watch.run(&["--data-dir", &folder]).await?.good()?;
    assert_eq!((watch.count_informed("Minted"), watch.warned()), (1, vec![]));
    Ok(())
}
