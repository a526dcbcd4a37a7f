//! What may go wrong on the chains: each warning and each critical event is raised by making its cause happen.

use super::{life::reaches, others::only_transactions};
use anyhow::{Result, bail};
use facilitator_eth::{Address, B256, Bytes, U256};
use facilitator_tests::{
    anchoring,
    calls::{address, call, read_address, read_uint, uint},
    deploy::tokens,
    devnet::Side,
    direct::DirectSender,
    kind::Kind,
    node::{Node, Pace},
    requesters::{Ask, Requesters},
    stakers::Stakers,
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

/// Writes another word into the first of these places of a contract's storage that holds `held`.
pub(crate) async fn in_slot(
    node: &Node,
    contract: Address,
    places: impl Iterator<Item = B256>,
    held: B256,
    new: B256,
) -> Result<()> {
    for place in places {
        if node.call("eth_getStorageAt", json!([contract, place, "latest"])).await? == json!(held) {
            node.call("anvil_setStorageAt", json!([contract, place, new])).await?;
            return node.mine(1).await;
        }
    }
    bail!("no place of {contract} holds {held}")
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
    // The contract has it wait for 201,600 blocks: the height at which it may be is written into its storage.
    let unlocked = devnet.origin.view(gateway, call("proposedBountyUnlockHeight()", &[])).await?;
    let places = (0..64_u64).map(|slot| U256::from(slot).to_word());
    in_slot(&devnet.origin, gateway, places, read_uint(&unlocked)?.to_word(), U256::ONE.to_word()).await?;
    devnet.owner_calls(Side::Origin, &[(gateway, call("confirmBountyAmountChange()", &[]))]).await?;
    watch.run(&[]).await?.good()?;
    let told = watch.once("warning", "Bounty change confirmed")?;
    assert_eq!(told["changed_bounty"], tokens(2).to_string(), "{told}");
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

/// A redeem without the pool: large, and nobody carries it on.
#[tokio::test]
async fn a_large_redeem_is_warned_of_at_once_and_a_stale_one_in_time() -> Result<()> {
    let watch = quiet().await?;
    watch.set_number("stale_redeem_blocks", 20)?;
    watch.set("large_redeem_threshold", &json!("4000000000000000000"))?;
    let devnet = &watch.world.devnet;
    let none = Requesters::at(devnet, Kind::Redeem, devnet.contracts.first(), 0, 0).await?;
    let ask = |whole| Ask { amount: tokens(whole), ..none.ask(devnet, 0) };
    for (number, whole) in [(0, 4), (1, 5)] {
        DirectSender::redeemer(devnet, number, ask(whole)).await?.declare(devnet).await?;
    }
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.once("warning", "Large redeem")?["amount"], tokens(5).to_string());
    for _ in 0..4 {
        devnet.auxiliary.mine(7).await?;
        watch.run(&[]).await?.good()?;
    }
    assert_eq!(watch.count("warning", "Stale redeem"), 2, "{:?}", watch.warned());
    assert_eq!(watch.count("warning", "Large redeem"), 1);
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
