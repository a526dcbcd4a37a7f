//! The life of a redeem, and requests of either kind that end without a message.

use anyhow::Result;
use facilitator_eth::abi::Value;
use facilitator_tests::{
    anchoring::Policy,
    calls::{address, call, uint},
    devnet::Side,
    kind::Kind,
    node::Pace,
    requesters::{Request, Requesters},
    watch::Watch,
    world::WorldOptions,
};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn each_step_of_a_redeem_is_told_once() -> Result<()> {
    let anchoring = Some(Policy { only_from: Some(Side::Auxiliary), ..Policy::default() });
    let watch = Watch::new(WorldOptions { anchoring, ..WorldOptions::default() }).await?;
    let redeemers = Requesters::redeemers(&watch.world.devnet, 0, 1).await?;
    watch.run(&[]).await?.good()?;
    let daemon = watch.world.operator.start().await?;
    let redeems = redeemers.request_all(&watch.world.devnet, Pace::Natural).await?;
    watch.world.finish(&daemon, &redeems, LIMIT).await?;
    watch.world.operator.stop(daemon).await?;
    for _ in 0..2 {
        watch.run(&[]).await?.good()?;
    }
    let [redeem] = redeems.as_slice() else { anyhow::bail!("one redeem") };
    let (amount, beneficiary) = (redeem.ask.amount.to_string(), redeem.ask.beneficiary.to_string());
    let requested = watch.once("informational", "Redeem requested")?;
    assert_eq!(requested["request_hash"], redeem.request_hash.to_string());
    assert_eq!((&requested["amount"], &requested["chain"]), (&amount.as_str().into(), &"1406".into()));
    let declared = watch.once("informational", "Redeem intent declared")?;
    let confirmed = watch.once("informational", "Redeem intent confirmed")?;
    assert_eq!((&confirmed["beneficiary"], &confirmed["amount"]), (&beneficiary.as_str().into(), &amount.into()));
    let progressed = watch.once("informational", "Redeem progressed")?;
    let unstaked = watch.once("informational", "Unstaked")?;
    assert_eq!((&unstaked["beneficiary"], &unstaked["chain"]), (&beneficiary.into(), &"3".into()));
    for step in [&confirmed, &progressed, &unstaked] {
        assert_eq!(step["message_hash"], declared["message_hash"]);
    }
    assert_eq!(watch.warned(), [], "nothing was wrong");
    Ok(())
}

fn of(request: &Request) -> [Value; 7] {
    let ask = &request.ask;
    [
        uint(ask.amount),
        address(ask.beneficiary),
        uint(ask.gas_price),
        uint(ask.gas_limit),
        uint(request.nonce),
        address(request.sender),
        address(ask.gateway),
    ]
}

/// The titles of what ends a request: revoked, rejected, never accepted.
const fn ends(kind: Kind) -> [&'static str; 3] {
    kind.pick(
        ["Stake request revoked", "Stake request rejected", "Stake request not accepted"],
        ["Redeem request revoked", "Redeem request rejected", "Redeem request not accepted"],
    )
}

/// Three requests of a kind, of which one is revoked and one rejected; all in their order.
async fn given_up(watch: &Watch, kind: Kind) -> Result<Vec<Request>> {
    let devnet = &watch.world.devnet;
    let requesters = Requesters::at(devnet, kind, devnet.contracts.first(), 0, 3).await?;
    let requests = requesters.request_all(devnet, Pace::Natural).await?;
    requesters.revoke(devnet, 0, &requests[0], Pace::Natural).await?;
    let (origin, auxiliary) = (&devnet.contracts.origin, &devnet.contracts.auxiliary);
    let organization = kind.pick(origin.composer_organization, auxiliary.pool_organization);
    devnet.whitelist(kind.source(), organization, &[devnet.parties.owner]).await?;
    let name = kind.pick("rejectStakeRequest", "rejectRedeemRequest");
    let reject = call(&format!("{name}(uint256,address,uint256,uint256,uint256,address,address)"), &of(&requests[1]));
    devnet.owner_calls(kind.source(), &[(kind.pool(devnet), reject)]).await?;
    Ok(requests)
}

#[tokio::test]
async fn requests_that_are_revoked_rejected_or_left_alone_are_told() -> Result<()> {
    let watch = Watch::new(WorldOptions { anchoring: None, ..WorldOptions::default() }).await?;
    watch.set_number("unaccepted_blocks", 30)?;
    watch.run(&[]).await?.good()?;
    let mut all = Vec::new();
    for kind in Kind::ALL {
        all.push((kind, given_up(&watch, kind).await?));
    }
    watch.run(&[]).await?.good()?;
    for (kind, _) in &all {
        assert_eq!(watch.count("warning", ends(*kind)[2]), 0, "it is not time yet");
    }
    for _ in 0..4 {
        for (kind, _) in &all {
            watch.world.devnet.node(kind.source()).mine(10).await?;
        }
        watch.run(&[]).await?.good()?;
    }
    for (kind, requests) in &all {
        let told = ends(*kind).into_iter().zip(["informational", "warning", "warning"]).zip(requests);
        for ((title, level), request) in told {
            assert_eq!(watch.once(level, title)?["request_hash"], request.request_hash.to_string(), "{title}");
        }
    }
    Ok(())
}
