//! Messages that their senders take back, to the end, and one whose contract holds something else than was proven.

use super::faults::in_slot;
use anyhow::{Context as _, Result};
use facilitator_eth::{B256, U256, abi::Words, keccak256};
use facilitator_tests::{
    anchoring,
    calls::{call, word},
    direct::DirectSender,
    kind::Kind,
    requesters::Requesters,
    stranger::{Message, Stranger},
    watch::Watch,
    world::WorldOptions,
};

/// Declares a message and has it confirmed.
async fn confirmed(watch: &Watch, stranger: &Stranger, sender: &DirectSender) -> Result<Message> {
    let devnet = &watch.world.devnet;
    let message = sender.declare(devnet).await?;
    anchoring::once(devnet, message.request.kind.source()).await?;
    stranger.confirm(devnet, &message).await?;
    Ok(message)
}

/// Takes a confirmed message back on both chains.
async fn taken_back(watch: &Watch, stranger: &Stranger, sender: &DirectSender) -> Result<Message> {
    let devnet = &watch.world.devnet;
    let message = confirmed(watch, stranger, sender).await?;
    let kind = message.request.kind;
    let reverted = sender.revert(devnet, &message).await?;
    anchoring::once(devnet, kind.source()).await?;
    let confirmed = stranger.confirm_revert(devnet, &message, reverted).await?;
    anchoring::once(devnet, kind.target()).await?;
    stranger.progress_revert(devnet, &message, confirmed).await?;
    Ok(message)
}

/// Has the gateway hold another intent of a confirmed stake. A contract can't come to that by itself, since it is the
/// hash of the message that names the place; a node that invents its storage can.
async fn hold_another_intent(watch: &Watch, message: &Message) -> Result<()> {
    let devnet = &watch.world.devnet;
    let gateway = devnet.contracts.origin.gateway;
    let held = devnet.origin.view(gateway, call("messages(bytes32)", &[word(message.hash)])).await?;
    let intent = Words::new(held.as_slice()).word().context("the gateway does not know the message")?;
    let places = (0..32_u64).map(|slot| keccak256([message.hash.0, U256::from(slot).to_be_bytes()].concat()));
    in_slot(&devnet.origin, gateway, places, intent, B256([7; 32])).await
}

#[tokio::test]
async fn each_step_of_taking_a_message_back_is_warned_of_and_a_changed_intent_is_critical() -> Result<()> {
    let watch = Watch::new(WorldOptions { anchoring: None, ..WorldOptions::default() }).await?;
    let devnet = &watch.world.devnet;
    let stranger = Stranger::new(devnet).await?;
    let stake = Requesters::at(devnet, Kind::Stake, devnet.contracts.first(), 0, 0).await?.ask(devnet, 0);
    let redeem = Requesters::at(devnet, Kind::Redeem, devnet.contracts.first(), 0, 0).await?.ask(devnet, 0);
    let staker = DirectSender::staker(devnet, 0, stake).await?;
    let redeemer = DirectSender::redeemer(devnet, 0, redeem).await?;
    watch.run(&[]).await?.good()?;
    let stake_back = taken_back(&watch, &stranger, &staker).await?;
    let redeem_back = taken_back(&watch, &stranger, &redeemer).await?;
    let other = DirectSender::staker(devnet, 1, stake).await?;
    let changed = confirmed(&watch, &stranger, &other).await?;
    for _ in 0..2 {
        watch.run(&[]).await?.good()?;
    }
    for (message, [title, confirmed, reverted], chains) in [
        (&stake_back, ["Stake reverting", "Stake revert confirmed", "Stake reverted"], ["3", "1406", "3"]),
        (&redeem_back, ["Redeem reverting", "Redeem revert confirmed", "Redeem reverted"], ["1406", "3", "1406"]),
    ] {
        for (title, chain) in [title, confirmed, reverted].into_iter().zip(chains) {
            let told = watch.once("warning", title)?;
            assert_eq!((&told["message_hash"], &told["chain"]), (&message.hash.to_string().into(), &chain.into()));
            assert_eq!(told["amount"], message.request.ask.amount.to_string(), "{title}");
        }
    }
    assert_eq!(watch.warned().len(), 6, "nothing else was wrong: {:?}", watch.warned());
    hold_another_intent(&watch, &changed).await?;
    for _ in 0..2 {
        watch.run(&[]).await?.good()?;
    }
    let told = watch.once("critical", "Confirmed with another amount than declared")?;
    assert_eq!(told["message_hash"], changed.hash.to_string());
    Ok(())
}
