//! Runs: windows, checkpoints, receivers, what is missing and what fails (neighbours.md 002, MT1 to MT7).

use anyhow::{Result, ensure};
use facilitator_tests::{
    mailbox::Mailbox,
    node::{Node, Pace},
    stakers::Stakers,
    watch::{SECRET, Watch},
    world::WorldOptions,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, process::Stdio};
use tokio::{io::AsyncWriteExt as _, process::Command};

async fn quiet() -> Result<Watch> {
    Watch::new(WorldOptions { anchoring: None, ..WorldOptions::default() }).await
}

async fn mine_to(node: &Node, height: u64) -> Result<()> {
    let head = node.head().await?;
    ensure!(head <= height, "the chain is at {head} already");
    node.mine(height - head).await
}

/// MT1.
#[tokio::test]
async fn windows_begin_before_the_checkpoint_and_end_at_the_tip() -> Result<()> {
    let watch = quiet().await?;
    let origin = &watch.world.devnet.origin;
    mine_to(origin, 150).await?;
    assert_eq!(watch.run(&["--from-block", "100"]).await?.good()?.window(), (88, 150));
    mine_to(origin, 155).await?;
    // Given again, it changes nothing: the chain has a checkpoint.
    assert_eq!(watch.run(&["--from-block", "100"]).await?.good()?.window(), (138, 155));
    mine_to(origin, 200).await?;
    assert_eq!(watch.run(&[]).await?.good()?.window(), (143, 200));
    // What was kept in a file of its own knows nothing of the database's checkpoints, and keeps its own.
    let folder = watch.world.operator.home().join("data");
    let folder = folder.to_string_lossy();
    assert_eq!(watch.run(&["--data-dir", &folder]).await?.good()?.window(), (188, 200));
    mine_to(origin, 230).await?;
    assert_eq!(watch.run(&["--data-dir", &folder]).await?.good()?.window(), (188, 230));
    assert_eq!(watch.run(&[]).await?.good()?.window(), (188, 230));
    Ok(())
}

/// MT2, in the database and in a file.
#[tokio::test]
async fn a_failed_run_leaves_the_checkpoint_and_every_event_arrives_once() -> Result<()> {
    let watch = quiet().await?;
    let origin = &watch.world.devnet.origin;
    let stakers = Stakers::new(&watch.world.devnet, 0, 3).await?;
    mine_to(origin, 110).await?;
    let folder = watch.world.operator.home().join("data").to_string_lossy().into_owned();
    let asks: Vec<_> = (0..3).map(|index| (index, stakers.ask(&watch.world.devnet, index))).collect();
    stakers.request(&watch.world.devnet, &asks[..1], Pace::Natural).await?;
    mine_to(origin, 150).await?;
    watch.discord.answer(500);
    for place in [vec![], vec!["--data-dir", folder.as_str()]] {
        let first = [&["--from-block", "100"], place.as_slice()].concat();
        let run = watch.run(&first).await?.bad()?;
        assert_eq!(run.window(), (88, 150));
        assert!(run.errors().contains("cannot dispatch system event: Discord: HTTP status 500"), "{}", run.errors());
    }
    stakers.request(&watch.world.devnet, &asks[1..2], Pace::Natural).await?;
    mine_to(origin, 170).await?;
    assert_eq!(watch.run(&[]).await?.bad()?.window(), (88, 170));
    stakers.request(&watch.world.devnet, &asks[2..], Pace::Natural).await?;
    mine_to(origin, 200).await?;
    assert_eq!(watch.run(&[]).await?.bad()?.window(), (88, 200));
    assert_eq!(watch.count_informed("Stake requested"), 0);
    watch.discord.answer(200);
    assert_eq!(watch.run(&[]).await?.good()?.window(), (88, 200));
    assert_eq!(watch.count_informed("Stake requested"), 3);
    mine_to(origin, 250).await?;
    assert_eq!(watch.run(&[]).await?.good()?.window(), (188, 250));
    assert_eq!(watch.count_informed("Stake requested"), 3);
    assert_eq!(watch.run(&["--data-dir", &folder]).await?.good()?.window(), (88, 250));
    assert_eq!(watch.count_informed("Stake requested"), 6, "the file knows nothing of what the database knows");
    let bodies: Vec<String> = watch.discord.taken().into_iter().map(|letter| letter.body).collect();
    let different: BTreeSet<&String> = bodies.iter().collect();
    assert_eq!((bodies.len(), different.len()), (6, 3));
    Ok(())
}

/// The signature of a webhook, by another program than the one that made it.
async fn signature(text: &str) -> Result<String> {
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", SECRET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = openssl.stdin.take() {
        input.write_all(text.as_bytes()).await?;
    }
    let output = openssl.wait_with_output().await?;
    let output = String::from_utf8(output.stdout)?;
    Ok(output.rsplit(' ').next().unwrap_or_default().trim().to_owned())
}

async fn check_webhook(webhook: &Mailbox) -> Result<()> {
    for letter in webhook.taken() {
        let [timestamp, signed] =
            ["x-facilitator-timestamp", "x-facilitator-signature"].map(|name| letter.header(name).unwrap_or_default());
        let wanted = signature(&format!("{timestamp}.{}", letter.body)).await?;
        assert_eq!(signed, format!("v1={wanted}"));
    }
    Ok(())
}

/// MT3 and MT4.
#[tokio::test]
async fn one_receiver_that_fails_costs_the_others_nothing_and_large_stakes_are_warned_of() -> Result<()> {
    let mut watch = quiet().await?;
    watch.world.operator.set_variable("LARGE_STAKE_THRESHOLD", "10000000000000000000");
    let stakers = Stakers::new(&watch.world.devnet, 0, 2).await?;
    // Ten tokens, which is not more than the threshold, and eleven.
    stakers.request_all(&watch.world.devnet, Pace::Natural).await?;
    watch.discord.answer(500);
    watch.run(&[]).await?.bad()?;
    assert_eq!(watch.warned(), [("warning".to_owned(), "Large stake requested".to_owned())]);
    assert_eq!((watch.informed(), watch.webhook.taken().len()), (vec![], 3));
    watch.discord.answer(200);
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.informed(), ["Stake requested", "Stake requested"]);
    watch.run(&[]).await?.good()?;
    assert_eq!((watch.sentry.letters().len(), watch.informed().len(), watch.webhook.letters().len()), (1, 2, 3));
    check_webhook(&watch.webhook).await?;
    let embed = &watch.discord.taken()[0].lines()[0]["embeds"][0];
    assert_eq!(embed["color"], 0x003399);
    assert_eq!(
        embed["fields"].as_array().and_then(|fields| fields.last()).map(|field| &field["name"]),
        Some(&json!("block"))
    );
    let letter = &watch.sentry.taken()[0];
    assert!(letter.head.starts_with("POST /api/42/envelope/ "), "{}", letter.head);
    assert!(letter.header("x-sentry-auth").is_some_and(|value| value.contains("sentry_key=publickey")));
    Ok(())
}

/// MT5.
#[tokio::test]
async fn a_receiver_that_is_not_set_is_not_told_and_the_log_always_is() -> Result<()> {
    let mut watch = quiet().await?;
    let stakers = Stakers::new(&watch.world.devnet, 0, 2).await?;
    let asks: Vec<_> = (0..2).map(|index| (index, stakers.ask(&watch.world.devnet, index))).collect();
    stakers.request(&watch.world.devnet, &asks[1..], Pace::Natural).await?;
    watch.world.operator.unset_variable("SENTRY_DSN");
    let run = watch.run(&[]).await?.good()?;
    assert!(run.log.contains("Large stake requested"), "{}", run.log);
    assert_eq!((watch.sentry.letters().len(), watch.informed().len()), (0, 1));
    // Empty is as good as not set.
    for name in ["DISCORD_WEBHOOK_URL", "WEBHOOK_URL"] {
        watch.world.operator.set_variable(name, "");
    }
    stakers.request(&watch.world.devnet, &asks[..1], Pace::Natural).await?;
    let run = watch.run(&[]).await?.good()?;
    assert_eq!(run.log.matches("Stake requested").count(), 1, "{}", run.log);
    watch.world.devnet.origin.mine(20).await?;
    let next = watch.run(&[]).await?.good()?;
    assert_eq!(next.window().0, run.window().1 - 12);
    assert_eq!((watch.sentry.letters().len(), watch.informed().len()), (0, 1));
    for text in ["api/webhooks", "publickey", SECRET] {
        assert!(!run.log.contains(text) && !next.log.contains(text), "{text} was logged");
    }
    Ok(())
}

/// MT6.
#[tokio::test]
async fn one_chain_that_is_down_hides_nothing_of_the_other() -> Result<()> {
    let watch = quiet().await?;
    for node in [&watch.world.devnet.origin, &watch.world.devnet.auxiliary] {
        node.mine(30).await?;
    }
    let before = watch.run(&[]).await?.good()?;
    let stakers = Stakers::new(&watch.world.devnet, 0, 1).await?;
    stakers.request_all(&watch.world.devnet, Pace::Natural).await?;
    watch.world.auxiliary_proxy.set_dropping(true);
    let run = watch.run(&[]).await?.bad()?;
    assert_eq!(watch.count_informed("Stake requested"), 1);
    let named = "cannot check system events monitor: Redeem: auxiliary chain 1406: ";
    assert!(run.errors().contains(named), "{}", run.errors());
    assert_eq!(run.report["chains"][1]["fromBlock"], Value::Null);
    watch.world.devnet.origin.mine(30).await?;
    let run = watch.run(&[]).await?.bad()?;
    assert_eq!(run.window().0, before.window().1 - 12, "the checkpoint has moved");
    watch.world.auxiliary_proxy.set_dropping(false);
    watch.world.devnet.auxiliary.mine(30).await?;
    let run = watch.run(&[]).await?.good()?;
    assert_eq!(run.window().0, before.window().1 - 12, "the checkpoint has moved");
    let [from, to] = [(&run, "fromBlock"), (&before, "toBlock")].map(|(run, name)| &run.report["chains"][1][name]);
    assert_eq!(from.as_u64(), to.as_u64().map(|block| block - 12), "the other checkpoint has moved");
    assert_eq!(watch.count_informed("Stake requested"), 1);
    Ok(())
}

/// MT7.
#[tokio::test]
async fn what_is_missing_or_contradicts_itself_is_said_before_anybody_is_told() -> Result<()> {
    let mut watch = quiet().await?;
    let stakers = Stakers::new(&watch.world.devnet, 0, 1).await?;
    stakers.request_all(&watch.world.devnet, Pace::Natural).await?;
    let origin = watch.world.origin_proxy.url.clone();
    let unknown = "unknown environment; ENVIRONMENT env variable must be either [mainnet] or [testnet]";
    for (name, value, said) in [
        ("ENVIRONMENT", "", unknown),
        ("ENVIRONMENT", "foo", unknown),
        ("ENVIRONMENT", "mainnet", "network mismatch"),
        ("ETHEREUM_URL", "", "ETHEREUM_URL env variable not set"),
        ("AUXILIARY_URL", "", "AUXILIARY_URL env variable not set"),
        ("AUXILIARY_URL", origin.as_str(), "network mismatch"),
        ("LARGE_STAKE_THRESHOLD", "1e19", "LARGE_STAKE_THRESHOLD env variable must be"),
        ("SENTRY_DSN", "http://127.0.0.1/42", "SENTRY_DSN: must be a DSN"),
    ] {
        let kept = watch.world.operator.environment().iter().find(|(own, _)| own == name).cloned();
        watch.world.operator.set_variable(name, value);
        let answer = watch.ask(&[]).await?;
        assert_eq!(answer.code, Some(1), "{name}={value}: {answer:?}");
        assert!(answer.stderr.contains(said), "{name}={value}: {answer:?}");
        match kept {
            Some((name, value)) => watch.world.operator.set_variable(&name, &value),
            None => watch.world.operator.unset_variable(name),
        }
    }
    let letters = [&watch.discord, &watch.sentry, &watch.webhook].map(|mailbox| mailbox.letters().len());
    assert_eq!(letters, [0; 3]);
    watch.world.operator.unset_variable("ENVIRONMENT");
    let started = watch.world.operator.run(&["start", "--monitor", "--chain-id", "1406"]).await?;
    assert!(started.code == Some(1) && started.stderr.contains(unknown), "{started:?}");
    // The config may say what the environment does not.
    watch.set("environment", &json!("testnet"))?;
    watch.run(&[]).await?.good()?;
    assert_eq!(watch.count_informed("Stake requested"), 1);
    Ok(())
}

/// Reading k: a second run waits for nobody and does nothing.
#[tokio::test]
async fn two_runs_at_the_same_time_are_one() -> Result<()> {
    let watch = quiet().await?;
    let stakers = Stakers::new(&watch.world.devnet, 0, 1).await?;
    stakers.request_all(&watch.world.devnet, Pace::Natural).await?;
    // The first one is held up by a slow node.
    watch.world.origin_proxy.set_latency(Some(std::time::Duration::from_millis(400)));
    let (first, second) = tokio::join!(watch.run(&[]), async {
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        watch.run(&[]).await
    });
    let runs = [first?, second?];
    let busy: Vec<_> = runs.iter().filter(|run| run.errors().contains("another run is under way")).collect();
    let good = runs.iter().filter(|run| run.code == Some(0)).count();
    ensure!(good == 2 && busy.is_empty() || good == 1 && busy.len() == 1, "{runs:?}");
    assert_eq!(watch.count_informed("Stake requested"), 1);
    Ok(())
}
